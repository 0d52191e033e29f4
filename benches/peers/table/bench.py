"""What every row of the table is made with."""

import contextlib
import pathlib
import shutil
import tempfile

from .machine import halves

# A user of the seeded store, and a sender whom they are given as personal for the rows behind Postfix.
RECIPIENT = "user1@bench.example"
FRIEND = "contact1@friends.example"
STRANGER = "stranger1@elsewhere.example"


class Row:
    """One line of the table: what was measured, what it came to, what was wanted, and whether that holds (`None`: nothing
    was wanted)."""

    def __init__(self, what, found, target="", met=None, figures=None):
        self.what, self.found, self.target, self.met, self.figures = what, found, target, met, figures

    def as_json(self):
        figures = self.figures.as_json() if hasattr(self.figures, "as_json") else self.figures
        return {"what": self.what, "found": self.found, "target": self.target, "met": self.met, "figures": figures}


class Bench:
    """What every row needs, and the milters side by side: their columns, by name."""

    def __init__(self, site, load, quick):
        self.site, self.load, self.quick = site, load, quick
        self.side_by_side = {}

    def some(self, many, few):
        """How many of something: few where only the way is tried."""
        return few if self.quick else many

    def note(self, name, column, text):
        self.side_by_side.setdefault(name, {})[column] = text

    @contextlib.contextmanager
    def on_a_copy(self, apart=False):
        """The same on a store of its own, for what changes it. `apart`: the generator has one half of the cores to itself, and
        the milter the other."""
        with tempfile.TemporaryDirectory(dir=self.site.built.results) as directory:
            store = pathlib.Path(directory) / "store"
            shutil.copytree(self.site.store, store)
            loading, serving = halves() if apart else (None, None)
            yield Bench(self.site.on(store, serving), self.load.on(loading), self.quick)


@contextlib.contextmanager
def running(*milters):
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(milter) for milter in milters]
