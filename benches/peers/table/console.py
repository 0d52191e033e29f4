"""The console beside a milter at full load: what its users cost the relay, how long they wait, and how soon what they change
governs."""

import http.client
import json
import statistics
import subprocess
import threading
import time
import urllib.parse

from .bench import RECIPIENT, Row, running
from .figures import Ratio, percentile
from .machine import keeping_to, wait_until
from .mta import Watch


class Users:
    """Those who use the console (`console-users`): active within `acting`, once they have signed in."""

    def __init__(self, bench, served):
        self.count, self.pace = bench.some(500, 20), bench.some(4, 0.2)
        store = bench.site.store / "perso-milter.db"
        options = ["--users", str(self.count), "--pace", str(self.pace)]
        self.command = [bench.site.built.console_users, served.origin, store, *options]
        self.cores = bench.site.cores
        self.child = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.child:
            self.child.stdin.close()
            self.child.wait()

    def sign_in(self):
        """Answers with the cookie of the one who is left alone."""
        pipe = subprocess.PIPE
        command, start = [str(word) for word in self.command], keeping_to(self.cores)
        self.child = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, preexec_fn=start)
        return self._line()["cookie"]

    def acting(self):
        return Acting(self)

    def say(self, word):
        self.child.stdin.write(f"{word}\n")
        self.child.stdin.flush()

    def stop(self):
        """Milliseconds of each request by kind of action: page, search, change."""
        self.say("stop")
        return self._line()

    def _line(self):
        line = self.child.stdout.readline()
        if not line:
            raise RuntimeError("console-users ended")
        return json.loads(line)


class Acting:
    """All users act while the block runs; `times` is what they waited."""

    def __init__(self, users):
        self.users = users

    def __enter__(self):
        self.users.say("go")
        return self

    def __exit__(self, *_):
        self.times = self.users.stop()


class Browser:
    """The user whom `RECIPIENT` names, whom `console-users` signed in and leaves alone."""

    def __init__(self, served, cookie):
        self.served, self.cookie = served, cookie

    def add(self, friend):
        """Puts a sender on the personal list; on return the change was answered."""
        form = urllib.parse.urlencode({"liste": "personnels", "adresse": friend, "choix": "seul"})
        headers = {
            "Content-Type": "application/x-www-form-urlencoded",
            "Cookie": self.cookie,
            "Origin": self.served.origin,
        }
        connection = http.client.HTTPConnection("127.0.0.1", self.served.port, timeout=30)
        connection.request("POST", "/listes/ajouter", form, headers)
        answer = connection.getresponse()
        answer.read()
        connection.close()
        if answer.status != 303:
            raise RuntimeError(f"the console answers {answer.status} to a change")


class FullLoad:
    """The relay is at full load while the block runs."""

    def __init__(self, bench, relay):
        self.bench, self.relay = bench, relay
        self.runs, self.stop, self.failed = 0, threading.Event(), None
        self.thread = threading.Thread(target=self._work)

    def __enter__(self):
        self.thread.start()
        wait_until("the load", lambda: self.failed or self.runs > 0)
        return self

    def __exit__(self, *_):
        self.stop.set()
        self.thread.join()
        if self.failed:
            raise self.failed

    def _work(self):
        try:
            while not self.stop.is_set():
                self.bench.load.run(self.relay)
                self.runs += 1
        except Exception as error:
            self.failed = error


def beside_console(bench):
    """On a store of its own, since the users change it. First relay and console apart, then in one process.

    The generator has one half of the cores to itself; relay, console and users share the other. Where it is disturbed itself,
    both parts of a message come in one read less often, and each costs the relay more: of its own, and none of the console's.
    """
    with bench.on_a_copy(apart=True) as bench:
        served = bench.site.with_console()
        with Users(bench, served) as users:
            with running(*served.apart()) as [relay, console]:
                browser = Browser(served, users.sign_in())
                rows = rounds(bench, relay, console, users)
                rows.append(delays(bench, relay, browser, users, "two processes", 0.2))
            with running(*served.together()) as [both]:
                wait_until("the console to serve", served.serves_pages)
                rows.append(delays(bench, both, browser, users, "one process", 0.1))
    return rows


def rounds(bench, relay, console, users):
    """Rounds with and without users take turns."""
    quiet, busy, shares, times = [], [], [], {}
    for _ in range(bench.load.rounds):
        quiet.append(bench.load.run(relay))
        begun, used = time.monotonic(), console.processor_time()
        with users.acting() as acting:
            busy.append(bench.load.run(relay))
        shares.append((console.processor_time() - used) / (time.monotonic() - begun))
        for kind, found in acting.times.items():
            times.setdefault(kind, []).extend(found)
    cost = Ratio.of_pairs(*([run["milter_cpu_per_1000"] for run in runs] for runs in (busy, quiet)))
    rates = [statistics.median(run["messages_per_second"] for run in runs) for runs in (busy, quiet)]
    what = f"{users.count} users of the console, each doing something every {users.pace:g} s, beside the relay at full load"
    found = f"{cost} times the relay's CPU without; {rates[0]:,.0f} messages/s, {rates[1]:,.0f} without"
    return [
        Row(what, found, "CPU at most 1.1", cost.is_at_most(1.1), [quiet, busy]),
        Row("… the console's CPU", f"{statistics.median(shares):.2f} of a core", figures=shares),
        *(waited(kind, found) for kind, found in times.items()),
    ]


def waited(kind, times):
    """How long users waited for one kind of request."""
    what = f"… they wait for a {kind}"
    if not times:
        return Row(what, "none")
    return Row(what, f"p50 {percentile(times, 0.5):.0f} ms, p99 {percentile(times, 0.99):.0f} ms", figures=times)


def delays(bench, relay, browser, users, how, limit):
    """From the answer to a change until the first message that it governs, beside users and full load."""
    found = []
    with FullLoad(bench, relay), users.acting(), Watch(relay.address) as watch:
        for number in range(bench.some(300, 5)):
            friend = watch.new_friend(number)
            browser.add(friend)
            found.append(watch.until_governed(friend, RECIPIENT))
    p50, p99, most = (1000 * value for value in (percentile(found, 0.5), percentile(found, 0.99), max(found)))
    text = f"p50 {p50:.0f} ms, p99 {p99:.0f} ms, at most {most:.0f} ms"
    what = f"… a change in the console governs a message, {how}"
    return Row(what, text, f"within {1000 * limit:.0f} ms", max(found) <= limit, found)
