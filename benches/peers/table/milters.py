"""The milters under test, each at a socket of its own in the scratch directory, or on loopback."""

import copy
import itertools
import pathlib
import socket
import subprocess

from .machine import Process, wait_until
from .mta import Milter

CONFIGURATION = """\
[[milter.listener]]
address = "{address}"
{mode}
[milter.limits]
connections = 20000

[store]
url = "sqlite:{store}/perso-milter.db"

[black]
action = "{black}"

[authentication]
authserv_ids = ["mx.bench.example"]

[networks]
ours = []

[log]
level = "{log}"
"""
CONSOLE = """\

[console]
listen = "127.0.0.1:{port}"
trusted_proxies = ["127.0.0.1"]
sender = "cim@bench.example"
"""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Site:
    """Where the milters of a run stand."""

    def __init__(self, built, scratch, store):
        self.built, self.scratch, self.store = built, scratch, store
        # Where milters and consoles run; None: on all cores.
        self.cores = None
        self.names = itertools.count()

    def _address(self, transport):
        if transport == "tcp":
            return f"inet:{free_port()}@127.0.0.1"
        return f"unix:{self.scratch}/{next(self.names)}.sock"

    def on(self, store, cores=None):
        """The same with another store, on these cores alone where some are named."""
        other = copy.copy(self)
        other.store, other.cores = store, cores
        return other

    def minimal(self, transport="unix", rcpt_replies=False, name="minimal"):
        address = self._address(transport)
        replies = ["--rcpt-replies"] if rcpt_replies else []
        return Running(name, [self.built.minimal, *replies, address], address, self)

    def libmilter(self, transport="unix", default_flags=False):
        address = self._address(transport)
        flags = ["--default-flags"] if default_flags else []
        name = "libmilter, default flags" if default_flags else "libmilter"
        return Running(name, [self.built.libmilter, *flags, address], address, self)

    def ours(self, transport="unix", rcpt_replies=False, log="warn", name="perso-milter"):
        """`rcpt_replies`: blocked senders are refused at RCPT, which takes a round trip for each recipient."""
        address = self._address(transport)
        file = self.configuration(address, "reject" if rcpt_replies else "discard", log)
        return Running(name, [self.built.perso_milter, "-c", file, "run"], address, self)

    def with_console(self):
        """The relay beside the console, neither of them running yet."""
        return WithConsole(self, self._address("unix"), free_port())

    def configuration(self, address="inet:0@127.0.0.1", black="discard", log="warn", console=None):
        file = self.scratch / f"{next(self.names)}.toml"
        mode = 'mode = "0666"\n' if address.startswith("unix:") else ""
        text = CONFIGURATION.format(address=address, mode=mode, store=self.store, black=black, log=log)
        file.write_text(text + (CONSOLE.format(port=console) if console else ""))
        return file

    def command(self, *words, input=None):
        """Runs a subcommand of perso-milter on the store."""
        command = [self.built.perso_milter, "-c", self.configuration(), *words]
        return subprocess.run(command, check=True, capture_output=True, text=True, input=input).stdout


class Running(Process):
    """A milter that serves until the block ends."""

    def __init__(self, name, command, address, site):
        super().__init__(command, site.scratch / f"{name.replace(' ', '-')}.log", cores=site.cores)
        self.name, self.address = name, address

    def __enter__(self):
        super().__enter__()
        wait_until(f"{self.name} to serve", lambda: self.is_running() and self._serves())
        if self.address.startswith("unix:"):
            pathlib.Path(self.address.removeprefix("unix:")).chmod(0o666)
        return self

    def _serves(self):
        try:
            Milter(self.address).close()
            return True
        except OSError:
            return False

    def for_postfix(self):
        """The address as Postfix writes it."""
        if self.address.startswith("unix:"):
            return self.address
        port, host = self.address.removeprefix("inet:").split("@")
        return f"inet:{host}:{port}"


class WithConsole:
    """The relay beside the console: the same socket, port and store, whether it is one process or two."""

    def __init__(self, site, address, port):
        self.site, self.address, self.port = site, address, port
        self.origin = f"http://127.0.0.1:{port}"
        file = site.configuration(address, console=port)
        self.run = [site.built.perso_milter, "-c", file, "run"]

    def apart(self):
        """The process of the relay, and the one of the console."""
        relay = Running("relay", [*self.run, "--only", "relay"], self.address, self.site)
        return [relay, Console([*self.run, "--only", "console"], self)]

    def together(self):
        """One process that is both."""
        return [Running("relay and console", self.run, self.address, self.site)]

    def serves_pages(self):
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=30).close()
            return True
        except OSError:
            return False


class Console(Process):
    """A console that serves until the block ends."""

    def __init__(self, command, served):
        super().__init__(command, served.site.scratch / "console.log", cores=served.site.cores)
        self.served = served

    def __enter__(self):
        super().__enter__()
        wait_until("the console to serve", lambda: self.is_running() and self.served.serves_pages())
        return self
