"""`perso-milter bench`: sends the messages, checks every answer, and measures."""

import copy
import json
import subprocess

from .figures import Ratio
from .machine import keeping_to


class Load:
    """Who writes to whom, and how much of it a run is."""

    def __init__(self, built, users, entries, messages, rounds):
        self.built, self.users, self.entries = built, users, entries
        self.messages, self.rounds = messages, rounds
        # Where it runs; None: on all cores.
        self.cores = None

    def on(self, cores):
        """The same on these cores alone."""
        other = copy.copy(self)
        other.cores = cores
        return other

    def run(self, milter, **options):
        """One run against one milter: the JSON object that the generator prints. `options` are those of its command line."""
        return self._bench([milter], {"pid": milter.child.pid, **options})

    def compare(self, milters, **options):
        """Rounds in which each milter is loaded once, in another order every time."""
        told = self._bench(milters, {"compare": None, "rounds": self.rounds, **options})
        return Comparison(told["milters"])

    def _bench(self, milters, options):
        command = [self.built.perso_milter, "bench", "--json", *(f"{milter.address}={milter.name}" for milter in milters)]
        options = {"users": self.users, "entries": self.entries, "messages": self.messages, **options}
        for name, value in options.items():
            command += [f"--{name.replace('_', '-')}"] + ([] if value is None else [value])
        command = [str(word) for word in command]
        done = subprocess.run(command, capture_output=True, text=True, preexec_fn=keeping_to(self.cores))
        if done.returncode != 0:
            raise RuntimeError(f"{command}: {done.stderr.strip() or done.stdout.strip()}")
        return json.loads(done.stdout)


class Comparison:
    """What `bench --compare` tells of each milter, by name. The measures are those of its JSON."""

    def __init__(self, milters):
        self.milters = {milter["milter"]: milter["measures"] for milter in milters}

    def median(self, name, measure):
        return self.milters[name][measure]["median"]

    def ratio(self, name, measure):
        """To the first milter."""
        told = self.milters[name][measure]["ratio"]
        return Ratio(told["median"], told["low"], told["high"])

    def throughput(self, name):
        return self.ratio(name, "messages_per_second")

    def processor(self, name):
        return self.ratio(name, "milter_cpu_per_1000")

    def as_json(self):
        return self.milters
