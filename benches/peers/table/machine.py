"""What must be installed and built, what the machine is, and processes and what they use."""

import json
import os
import pathlib
import platform
import shutil
import signal
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[3]

# What is run, and the Debian package that brings it.
PROGRAMS = {
    "cc": "gcc",
    "postconf": "postfix",
    "smtp-source": "postfix",
    "strace": "strace",
}
LIBMILTER = pathlib.Path("/usr/include/libmilter/mfapi.h")

# Longer than anything here takes to start, loading twenty million entries included.
PATIENCE = 120


def say(text):
    print(f"benches/peers/run: {text}", file=sys.stderr, flush=True)


def fail(text):
    say(text)
    sys.exit(1)


def install():
    """Installs what is missing, as root; says what to install otherwise."""
    wanted = {package for program, package in PROGRAMS.items() if not shutil.which(program)}
    if not LIBMILTER.exists():
        wanted.add("libmilter-dev")
    if not wanted:
        return
    command = ["apt-get", "install", "-y", "-q", "--no-install-recommends", *sorted(wanted)]
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        fail(f"missing: {' '.join(sorted(wanted))}; install them: {' '.join(command)}")
    say(f"installing {' '.join(sorted(wanted))}")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
    subprocess.run(command, check=True, env=environment, stdout=sys.stderr)


class Built:
    """The programs, built for release."""

    def __init__(self):
        cargo = ["cargo", "build", "--release", "--bin", "perso-milter"]
        cargo += ["--example", "minimal-milter", "--example", "console-users"]
        subprocess.run(cargo, cwd=ROOT, check=True)
        metadata = ["cargo", "metadata", "--format-version", "1", "--no-deps"]
        found = json.loads(subprocess.run(metadata, cwd=ROOT, check=True, capture_output=True).stdout)
        target = pathlib.Path(found["target_directory"])
        self.results = target / "bench"
        self.results.mkdir(parents=True, exist_ok=True)
        self.perso_milter = target / "release" / "perso-milter"
        self.minimal = target / "release" / "examples" / "minimal-milter"
        self.console_users = target / "release" / "examples" / "console-users"
        self.libmilter = self.results / "libmilter"
        source = ROOT / "benches" / "peers" / "libmilter.c"
        compiler = ["cc", "-O2", "-Wall", "-Wextra", "-o", self.libmilter, source, "-lmilter", "-lpthread"]
        subprocess.run(compiler, check=True)


def description():
    """Processor, cores, memory, kernel: what a figure means nothing without."""
    model = "an unknown processor"
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.split(":", 1)[1].strip()
            break
    gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{model}, {os.cpu_count()} cores, {gib:.0f} GiB, Linux {platform.release()}"


def wait_until(what, holds):
    """Polls until `holds()` gives something true, and returns it."""
    deadline = time.monotonic() + PATIENCE
    while True:
        found = holds()
        if found:
            return found
        if time.monotonic() > deadline:
            raise TimeoutError(what)
        time.sleep(0.005)


def halves():
    """The cores in two halves; both are all of them where there is but one."""
    cores = sorted(os.sched_getaffinity(0))
    middle = len(cores) // 2
    return (cores[:middle], cores[middle:]) if middle else (cores, cores)


def keeping_to(cores):
    """What a process does before its program starts, to run on these cores alone; `None`: on all."""
    return cores and (lambda: os.sched_setaffinity(0, cores))


class Process:
    """A program that runs until the block ends, on these cores alone where some are named."""

    def __init__(self, command, log, environment=None, cores=None):
        self.command = [str(word) for word in command]
        self.log, self.cores = log, cores
        self.environment = {**os.environ, **(environment or {})}

    def __enter__(self):
        with open(self.log, "ab") as log:
            self.child = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self.environment,
                preexec_fn=keeping_to(self.cores),
            )
        return self

    def __exit__(self, *_):
        self.child.terminate()
        try:
            self.child.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()

    def is_running(self):
        if self.child.poll() is not None:
            tail = pathlib.Path(self.log).read_text(errors="replace")[-2000:]
            raise RuntimeError(f"{self.command[0]} ended with {self.child.returncode}\n{tail}")
        return True

    def processor_time(self):
        """Seconds, of all threads, those that ended included."""
        fields = pathlib.Path(f"/proc/{self.child.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory(self):
        """Resident bytes."""
        for line in pathlib.Path(f"/proc/{self.child.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
        raise RuntimeError(f"{self.command[0]} is gone")


class SystemCalls:
    """Counts the system calls of a process and its threads while the block runs: by perf, which does not slow it down, or
    else by strace."""

    def __init__(self, pid, scratch):
        self.log = scratch / "system-calls"
        self.perf = shutil.which("perf") and pathlib.Path("/sys/kernel/tracing/events/raw_syscalls").exists()
        if self.perf:
            self.command = ["perf", "stat", "-x,", "-e", "raw_syscalls:sys_enter", "-o", self.log, "-p", str(pid)]
        else:
            self.command = ["strace", "-c", "-f", "-o", self.log, "-p", str(pid)]

    def __enter__(self):
        # Both end, and tell, at an interrupt, which a shell's background job would have them ignore.
        heed = lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)
        self.child = subprocess.Popen(self.command, stderr=subprocess.DEVNULL, preexec_fn=heed)
        time.sleep(0.5)  # Neither says when it has attached.
        return self

    def __exit__(self, *_):
        self.child.send_signal(signal.SIGINT)
        self.child.wait(PATIENCE)
        lines = self.log.read_text().splitlines()
        if self.perf:
            self.count = next(int(line.split(",")[0]) for line in lines if "raw_syscalls" in line)
        else:
            # % time, seconds, usecs/call, calls, errors where there were any.
            self.count = next(int(line.split()[3]) for line in lines if line.endswith(" total"))
