"""The rows as text, as JSON, and in the README."""

import json

BEGIN, END = "<!-- performance: begin -->", "<!-- performance: end -->"
VERDICTS = {True: "yes", False: "**no**", None: ""}


class Table:
    """All that was measured, on one machine by one command."""

    def __init__(self, measured, machine, command):
        self.machine, self.command = machine, command
        self.rows = [row for one in measured for row in one.rows]
        self.rounds = sorted({one.rounds for one in measured})
        self.dates = sorted({one.date for one in measured})
        self.side_by_side = {}
        for one in measured:
            for name, columns in one.side_by_side.items():
                self.side_by_side.setdefault(name, {}).update(columns)

    def as_markdown(self):
        lines = [
            f"Measured on {' and '.join(self.dates)} on {self.machine}, generator and milter sharing it, by `{self.command}`.",
            f"Ratios are medians of {' or '.join(map(str, self.rounds))} paired runs with their 95 % bootstrap interval; a target is",
            "met where the interval lies on its good side.",
            "",
            *_side_by_side(self.side_by_side),
            "| what | found | target | met |",
            "|---|---|---|---|",
        ]
        lines += [f"| {row.what} | {row.found} | {row.target} | {VERDICTS[row.met]} |" for row in self.rows]
        return "\n".join(lines)

    def write_json(self, file, load):
        told = {
            "dates": self.dates,
            "machine": self.machine,
            "command": self.command,
            "users": load.users,
            "entries": load.entries,
            "messages": load.messages,
            "rounds": self.rounds,
            "side_by_side": self.side_by_side,
            "rows": [row.as_json() for row in self.rows],
        }
        file.write_text(json.dumps(told, indent=1) + "\n")


def _side_by_side(milters):
    """A line for each milter, a column for whatever was measured of any."""
    columns = list(dict.fromkeys(column for found in milters.values() for column in found))
    if not columns:
        return []
    lines = [["milter", *columns], ["---"] * (1 + len(columns))]
    lines += [[name, *(found.get(column, "–") for column in columns)] for name, found in milters.items()]
    return ["| " + " | ".join(cells) + " |" for cells in lines] + [""]


def write_readme(file, text):
    """Puts the text between the two markers, which must be there."""
    before, begin, rest = file.read_text().partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{file} has no lines {BEGIN} and {END}")
    file.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}")
