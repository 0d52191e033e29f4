"""Rows that were measured before: two hours need not be had in one piece, and a run that breaks off loses one row."""

import datetime
import hashlib
import json

from .bench import Row


class Measured:
    """What one name of a row brought: its lines, its part of the milters side by side, and the day."""

    def __init__(self, rows, side_by_side, date):
        self.rows, self.side_by_side, self.date = rows, side_by_side, date

    @classmethod
    def now(cls, row, bench):
        """Measures it."""
        bench.side_by_side = {}
        rows = row(bench)
        return cls(rows, bench.side_by_side, datetime.date.today().isoformat())


class Kept:
    """The rows of one program, machine and load, in a folder of their own."""

    def __init__(self, results, built, machine, load):
        told = hashlib.sha256(built.perso_milter.read_bytes())
        told.update(repr((machine, load.users, load.entries, load.messages)).encode())
        self.folder, self.rounds = results / "rows" / told.hexdigest()[:16], load.rounds

    def put(self, name, measured):
        self.folder.mkdir(parents=True, exist_ok=True)
        rows = [row.as_json() for row in measured.rows]
        told = {"date": measured.date, "rounds": self.rounds, "rows": rows, "side_by_side": measured.side_by_side}
        (self.folder / f"{name}.json").write_text(json.dumps(told, indent=1) + "\n")

    def get(self, name):
        """As it was put there; `None` where it was not, or was of fewer rounds than are asked for now."""
        file = self.folder / f"{name}.json"
        told = json.loads(file.read_text()) if file.exists() else {"rounds": 0}
        if told["rounds"] < self.rounds:
            return None
        return Measured([Row(**row) for row in told["rows"]], told["side_by_side"], told["date"])
