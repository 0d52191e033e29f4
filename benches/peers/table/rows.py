"""The rows of the table. Each is a function of a `Bench`, and returns what it found."""

import pathlib
import statistics
import tempfile
import threading
import time

from .bench import FRIEND, RECIPIENT, STRANGER, Row, running
from .console import beside_console
from .figures import Ratio, percentile
from .machine import SystemCalls
from .mta import Milter, Watch
from .postfix import Postfix


def against_minimal(bench, what, share, cost, transport="unix", rcpt_replies=False, **options):
    """Throughput and processor time beside the minimal milter, which runs against itself too: the noise."""
    site = bench.site
    again = site.minimal(transport, rcpt_replies, name="minimal again")
    with running(site.minimal(transport, rcpt_replies), site.ours(transport, rcpt_replies), again) as milters:
        runs = bench.load.compare(milters, **options)
    throughput, processor = runs.throughput("perso-milter"), runs.processor("perso-milter")
    met = throughput.is_at_least(share) and (cost is None or processor.is_at_most(cost))
    found = (
        f"{throughput} of the minimal milter, {processor} times its CPU "
        f"(itself: {runs.throughput('minimal again')}, {runs.processor('minimal again')})"
    )
    target = f"at least {share:.2f}" + (f", at most {cost} times the CPU" if cost else "")
    return [Row(what, found, target, met, runs)]


def full(bench):
    rows = []
    for connections in (4, 200):
        what = f"full policy, {connections} connections"
        rows += against_minimal(bench, what, 0.85, 1.5, connections=connections)
    return rows


def rcpt(bench):
    rows = []
    for recipients in (1, 3):
        what = f"replies at RCPT, {recipients} recipient{'s' if recipients > 1 else ''}, a tenth of the senders blocked"
        options = {"recipients": recipients, "personal": 45, "blocked": 10}
        rows += against_minimal(bench, what, 0.85, 1.5, rcpt_replies=True, **options)
    return rows


def new_connections(bench):
    return against_minimal(bench, "a new connection for each message", 0.70, 1.8, messages_per_connection=1)


def tcp(bench):
    return against_minimal(bench, "TCP loopback", 0.85, None, transport="tcp")


def latency(bench):
    rows = []
    with running(bench.site.minimal(), bench.site.ours()) as milters:
        half = int(bench.load.run(milters[1])["messages_per_second"] / 2)
        for rate, what in ((10_000, "10,000 messages/s"), (half, f"half of capacity, {half:,} messages/s")):
            runs = bench.load.compare(milters, rate=rate, messages=rate * bench.some(10, 1))
            ratios = [runs.ratio("perso-milter", measure) for measure in ("message_p50", "message_p99")]
            times = [runs.median("perso-milter", measure) for measure in ("message_p50", "message_p99")]
            found = f"p50 {times[0]:.0f} us, {ratios[0]} times the minimal milter's; p99 {times[1]:.0f} us, {ratios[1]} times"
            wanted = ("both at most 1.3", all(ratio.is_at_most(1.3) for ratio in ratios)) if rate == 10_000 else ()
            rows.append(Row(f"latency at {what}", found, *wanted, figures=runs))
    return rows


def idle(bench):
    """1,800 connections that idle beside 200 that work: what they cost, beside a daemon that has only the 200."""
    idlers = 1800
    site = bench.site
    with running(site.ours(name="200 connections"), site.ours(name="2,000 connections")) as milters:
        bench.load.run(milters[1], connections=200)
        before = milters[1].memory()
        held = [Milter(milters[1].address) for _ in range(idlers)]
        each = (milters[1].memory() - before) / idlers
        runs = bench.load.compare(milters, connections=200)
        for connection in held:
            connection.close()
    ratio = runs.throughput("2,000 connections")
    return [
        Row("2,000 connections, 200 active", f"{ratio} of 200 alone", "as with 200", ratio.holds(1) or ratio.low > 1, runs),
        Row("an idle connection", f"{each / 1024:.1f} KiB", "at most 6 KiB", each <= 6 * 1024),
    ]


def log(bench):
    site = bench.site
    with running(site.ours(name="log warn"), site.ours(name="log info", log="info")) as milters:
        runs = bench.load.compare(milters)
    ratio = runs.processor("log info")
    found = f"{ratio} times the CPU, {runs.throughput('log info')} of the throughput"
    return [Row("log = info beside log = warn", found, "CPU at most 2", ratio.is_at_most(2), runs)]


def start(bench):
    """From the start of the process to the first negotiation, the file in the page cache; and what it then holds."""
    times, memory = [], []
    for _ in range(bench.some(5, 1)):
        begun = time.monotonic()
        with bench.site.ours() as milter:
            times.append(time.monotonic() - begun)
            bench.load.run(milter)
            memory.append(milter.memory() / 2**20)
    people = f"{bench.load.users:,} users, {bench.load.users * bench.load.entries:,} entries"
    slowest, most = max(times), max(memory)
    return [
        Row(f"start until accepting, {people}", f"{slowest:.1f} s", "under 5 s", slowest < 5, times),
        Row(f"memory, {people}", f"{most:.0f} MB resident", "under 400 MB", most < 400, memory),
    ]


class Changes:
    """List changes by another process, 10,000 a second in batches, while the block runs."""

    PER_SECOND = 10_000

    def __init__(self, bench):
        self.bench, self.done, self.stop, self.failed = bench, 0, threading.Event(), None
        self.thread = threading.Thread(target=self._work)

    def __enter__(self):
        self.begun = time.monotonic()
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        self.thread.join()
        self.rate = self.done / (time.monotonic() - self.begun)
        if self.failed:
            raise self.failed

    def _work(self):
        try:
            self._import_batches()
        except Exception as error:
            self.failed = error

    def _import_batches(self):
        batch = 0
        while not self.stop.is_set():
            first = batch * self.PER_SECOND
            lines = ["user,list,value"]
            for number in range(first, first + self.PER_SECOND):
                lines.append(f"user{number % self.bench.load.users}@bench.example,white,new{number}@shop.example")
            self.bench.site.command("entry", "import", "-", input="\n".join(lines) + "\n")
            batch += 1
            self.done += self.PER_SECOND
            self.stop.wait(max(0, self.begun + batch - time.monotonic()))


def changes(bench):
    """Rounds with and without changes take turns on one daemon, on a store of its own."""
    with bench.on_a_copy() as bench:
        return while_lists_change(bench)


def while_lists_change(bench):
    with running(bench.site.ours()) as [milter]:
        quiet, busy, rates = [], [], []
        for _ in range(bench.load.rounds):
            quiet.append(bench.load.run(milter)["milter_cpu_per_1000"])
            with Changes(bench) as feed:
                busy.append(bench.load.run(milter)["milter_cpu_per_1000"])
            rates.append(feed.rate)
        with Changes(bench):
            delays = visible(bench, milter, bench.some(200, 5))
    ratio, rate = Ratio.of_pairs(busy, quiet), statistics.median(rates)
    late = percentile(delays, 0.99) * 1000
    return [
        Row("list changes at full load", f"{rate:,.0f}/s", "10,000/s", rate >= 9_900, rates),
        Row("… the milter's CPU", f"{ratio} times that without", "at most 1.1", ratio.is_at_most(1.1), [quiet, busy]),
        Row("… visible after, p99", f"{late:.0f} ms", "under 200 ms", late < 200, delays),
    ]


def visible(bench, milter, count):
    """Seconds from the end of the command that adds an entry to the first message that it governs."""
    delays = []
    with Watch(milter.address) as watch:
        for number in range(count):
            friend = watch.new_friend(number)
            bench.site.command("entry", "add", RECIPIENT, "personal", friend)
            delays.append(watch.until_governed(friend, RECIPIENT))
            bench.site.command("entry", "remove", RECIPIENT, "personal", friend)
    return delays


def behind_postfix(bench):
    """No milter, the minimal one, ours and libmilter behind one Postfix; unix and TCP, connections kept and new."""
    bench.site.command("entry", "add", RECIPIENT, "personal", FRIEND)
    rows = []
    for transport in ("unix", "tcp"):
        site = bench.site
        with running(site.minimal(transport), site.ours(transport), site.libmilter(transport)) as milters:
            with tempfile.TemporaryDirectory(dir=site.scratch) as directory:
                pathlib.Path(directory).chmod(0o755)
                with Postfix(pathlib.Path(directory), [None, *milters]) as postfix:
                    for kept in (True, False):
                        rows += entrances(bench, postfix, transport, kept)
    return rows


def entrances(bench, postfix, transport, kept):
    names = list(postfix.ports)
    messages = {name: bench.some(2000, 200) for name in names}
    if transport == "tcp":
        messages["libmilter"] = bench.some(200, 40)
    found = {name: [] for name in names}
    pairs = [(FRIEND, RECIPIENT), (STRANGER, RECIPIENT)]
    # One round more than counts, by which all processes are started.
    for number in range(bench.load.rounds + 1):
        for name in names if number % 2 == 0 else names[::-1]:
            postfix.clear()
            rate = postfix.send(name, pairs, messages[name], 4, kept)
            expected = 0 if name == "no milter" else messages[name] // 2
            if postfix.tagged() != expected:
                raise RuntimeError(f"{name}: {postfix.tagged()} messages are tagged instead of {expected}")
            if number > 0:
                found[name].append(rate)
    how = f"behind Postfix, {transport}, connections {'kept' if kept else 'new'}"
    for name in names[1:]:
        share = Ratio.of_pairs(found[name], found["no milter"])
        bench.note(name, f"{how}: share of no milter", f"{share.middle:.2f}")
    ratio = Ratio.of_pairs(found["perso-milter"], found["minimal"])
    same = ratio.holds(1) or ratio.low > 1
    rows = [Row(how, f"{ratio} of the minimal milter", "not to be told from it", same, found)]
    if transport == "tcp":
        faster = Ratio.of_pairs(found["perso-milter"], found["libmilter"])
        rows.append(Row(f"{how}, beside libmilter", f"{faster} times", "over 7", faster.low > 7))
    return rows


def peers(bench):
    """Each milter by itself, in the columns of the table side by side; and ours beside libmilter at its best."""
    site = bench.site
    for transport in ("unix", "tcp"):
        # libmilter takes as long for few messages as the others for many: over TCP it waits for acknowledgements.
        slow = bench.some(60_000, 600) if transport == "unix" else bench.some(600, 60)
        side_by_side(bench, transport, [site.minimal(transport), site.ours(transport)], bench.load.messages)
        with_flags = [site.libmilter(transport), site.libmilter(transport, default_flags=True)]
        side_by_side(bench, transport, with_flags, slow)
    with running(site.libmilter(), site.ours()) as milters:
        runs = bench.load.compare(milters, messages=bench.some(60_000, 600))
    ratio = runs.throughput("perso-milter")
    return [Row("full policy, beside libmilter at its best", f"{ratio} times", "over 5", ratio.low > 5, runs)]


def side_by_side(bench, transport, milters, messages):
    with running(*milters):
        runs = bench.load.compare(milters, messages=messages)
        for milter in milters:
            rate = f"{runs.median(milter.name, 'messages_per_second'):,.0f}"
            if transport == "tcp":
                bench.note(milter.name, "TCP loopback, messages/s", rate)
                continue
            bench.note(milter.name, "unix socket, messages/s", rate)
            bench.note(milter.name, "CPU s per 1,000", f"{runs.median(milter.name, 'milter_cpu_per_1000'):.4f}")
            few = min(messages, 20_000)
            with SystemCalls(milter.child.pid, bench.site.scratch) as calls:
                bench.load.run(milter, messages=few, warmup=0)
            bench.note(milter.name, "system calls a message", f"{calls.count / few:.1f}")


# By the names that select them.
ROWS = {
    "peers": peers,
    "full": full,
    "rcpt": rcpt,
    "new": new_connections,
    "tcp": tcp,
    "latency": latency,
    "idle": idle,
    "log": log,
    "start": start,
    "changes": changes,
    "console": beside_console,
    "postfix": behind_postfix,
}
