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


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Site:
    """Where the milters of a run stand."""

    def __init__(self, built, scratch, store):
        self.built, self.scratch, self.store = built, scratch, store
        self.names = itertools.count()

    def _address(self, transport):
        if transport == "tcp":
            return f"inet:{free_port()}@127.0.0.1"
        return f"unix:{self.scratch}/{next(self.names)}.sock"

    def on(self, store):
        """The same with another store."""
        other = copy.copy(self)
        other.store = store
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

    def configuration(self, address="inet:0@127.0.0.1", black="discard", log="warn"):
        file = self.scratch / f"{next(self.names)}.toml"
        mode = 'mode = "0666"\n' if address.startswith("unix:") else ""
        file.write_text(CONFIGURATION.format(address=address, mode=mode, store=self.store, black=black, log=log))
        return file

    def command(self, *words, input=None):
        """Runs a subcommand of perso-milter on the store."""
        command = [self.built.perso_milter, "-c", self.configuration(), *words]
        return subprocess.run(command, check=True, capture_output=True, text=True, input=input).stdout


class Running(Process):
    """A milter that serves until the block ends."""

    def __init__(self, name, command, address, site):
        super().__init__(command, site.scratch / f"{name.replace(' ', '-')}.log")
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
