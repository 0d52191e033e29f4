"""`perso-milter bench`: sends the messages, checks every answer, and measures."""

import json
import subprocess

from .figures import Ratio


class Load:
    """Who writes to whom, and how much of it a run is."""

    def __init__(self, built, users, entries, messages, rounds):
        self.built, self.users, self.entries = built, users, entries
        self.messages, self.rounds = messages, rounds

    def run(self, milter, messages=None, **options):
        """One run against one milter: the JSON object that the generator prints. `options` are those of its command line."""
        words = {"users": self.users, "entries": self.entries, "messages": messages or self.messages, **options}
        command = [self.built.perso_milter, "bench", milter.address, "--json", "--pid", milter.child.pid]
        for name, value in words.items():
            command += [f"--{name.replace('_', '-')}", value]
        done = subprocess.run([str(word) for word in command], capture_output=True, text=True)
        if done.returncode != 0:
            raise RuntimeError(f"{milter.name}: {done.stderr.strip() or done.stdout.strip()}")
        return json.loads(done.stdout)

    def compare(self, milters, messages=None, rounds=None, **options):
        """Interleaved rounds against several milters, the first of them the reference. `messages` may differ by milter, by
        name, where one is so slow that a run would not end."""
        messages = messages or {}
        runs = {milter.name: [] for milter in milters}
        for number in range(rounds or self.rounds):
            for milter in turned(milters, number):
                runs[milter.name].append(self.run(milter, messages.get(milter.name), **options))
        return Comparison(runs)


def turned(milters, number):
    """Another order each round, so that no milter always goes first and a drift of the machine hits all alike."""
    order = milters[number % len(milters):] + milters[: number % len(milters)]
    return order if number % 2 == 0 else order[::-1]


class Comparison:
    """The runs of several milters, by their names, in order; the first is the reference."""

    def __init__(self, runs):
        self.runs = runs
        self.reference = next(iter(runs))

    def values(self, name, *path):
        def follow(run):
            for key in path:
                run = run[key]
            return run

        return [follow(run) for run in self.runs[name]]

    def ratio(self, name, *path, to=None):
        return Ratio.of_pairs(self.values(name, *path), self.values(to or self.reference, *path))

    def throughput(self, name, to=None):
        return self.ratio(name, "messages_per_second", to=to)

    def processor(self, name, to=None):
        return self.ratio(name, "milter_cpu_per_1000", to=to)

    def as_json(self):
        kept = ("messages_per_second", "milter_cpu_per_1000", "generator_cpu_per_1000", "milter_memory_bytes")
        return {name: [{key: run[key] for key in kept} for run in runs] for name, runs in self.runs.items()}
