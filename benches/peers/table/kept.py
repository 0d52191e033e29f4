"""Rows that were measured before: two hours need not be had in one piece, and a run that breaks off loses one row."""

import datetime
import hashlib
import json
import os
import pathlib

from .bench import Bench, Row


class Measured:
    """What one name of a row brought: its lines, its part of the milters side by side, the day, and in how many rounds."""

    def __init__(self, rows, side_by_side, date, rounds):
        self.rows, self.side_by_side, self.date, self.rounds = rows, side_by_side, date, rounds

    @classmethod
    def now(cls, row, bench):
        """Measures it."""
        bench = Bench(bench.site, bench.load, bench.quick)
        rows = row(bench)
        return cls(rows, bench.side_by_side, datetime.date.today().isoformat(), bench.load.rounds)


class Kept:
    """The rows of these programs, this machine and load, and of how they are measured, in a folder of their own."""

    def __init__(self, built, machine, load, quick):
        told = hashlib.sha256(repr((machine, load.users, load.entries, load.messages, quick)).encode())
        scripts = sorted(pathlib.Path(__file__).parent.glob("*.py"))
        for file in [built.perso_milter, built.minimal, built.console_users, built.libmilter, *scripts]:
            told.update(file.read_bytes())
        self.folder, self.rounds = built.results / "rows" / told.hexdigest()[:16], load.rounds

    def put(self, name, measured):
        """Keeps it, unless more rounds of it are kept already."""
        if self._get(name, measured.rounds + 1):
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        told = {**vars(measured), "rows": [row.as_json() for row in measured.rows]}
        half = self.folder / f"{name}.half"
        half.write_text(json.dumps(told, indent=1) + "\n")
        os.replace(half, self.folder / f"{name}.json")

    def get(self, name):
        """As it was put there; `None` where it was not, or was of fewer rounds than are asked for now."""
        return self._get(name, self.rounds)

    def _get(self, name, rounds):
        file = self.folder / f"{name}.json"
        if not file.exists():
            return None
        told = json.loads(file.read_text())
        measured = Measured(**{**told, "rows": [Row(**row) for row in told["rows"]]})
        return measured if measured.rounds >= rounds else None
