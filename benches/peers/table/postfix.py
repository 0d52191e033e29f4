"""A Postfix of our own, with an smtpd for each milter, that puts every message on hold; and smtp-source, its load.

Queue and log are in memory, nothing is delivered, nothing is looked up in the DNS: what differs is the milter.
"""

import pathlib
import shutil
import subprocess
import time

from .machine import Process, wait_until
from .milters import free_port

MAIN = """\
compatibility_level = 3.6
queue_directory = {scratch}/queue
data_directory = {scratch}/data
maillog_file = {scratch}/mail.log
maillog_file_prefixes = {scratch}
myhostname = mx.bench.example
mydestination =
local_recipient_maps =
alias_maps =
alias_database =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
relay_domains = bench.example
smtpd_client_restrictions = check_client_access static:HOLD
smtpd_relay_restrictions = permit_mynetworks, reject
smtpd_peername_lookup = no
disable_dns_lookups = yes
smtpd_client_connection_count_limit = 0
smtpd_client_connection_rate_limit = 0
local_header_rewrite_clients =
in_flow_delay = 0
milter_protocol = 6
milter_default_action = tempfail
smtpd_milters =
"""

# Without the chroot, so that every socket can be reached.
MASTER = """\
cleanup    unix  n  -  n  -      0  cleanup
qmgr       unix  n  -  n  300    1  qmgr
rewrite    unix  -  -  n  -      -  trivial-rewrite
bounce     unix  -  -  n  -      0  bounce
defer      unix  -  -  n  -      0  bounce
trace      unix  -  -  n  -      0  bounce
proxymap   unix  -  -  n  -      -  proxymap
smtp       unix  -  -  n  -      -  smtp
error      unix  -  -  n  -      -  error
anvil      unix  -  -  n  -      1  anvil
postlog    unix-dgram n - n -    1  postlogd
"""

# 3.4 KB in all, as in the other rows; smtp-source ends the lines.
MESSAGE = """\
Received: from out.friends.example (out.friends.example [192.0.2.7]) by gateway.example with ESMTPS; Mon, 2 Nov 2026 09:00:00 +0000
Authentication-Results: mx.bench.example; spf=pass smtp.mailfrom=friends.example; dmarc=pass header.from=friends.example
DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=friends.example; s=k; h=from:to:subject:date:message-id; bh={hash}; b={signature}
From: Somebody <{sender}>
To: <{recipient}>
Subject: What shall we do on Saturday?
Date: Mon, 2 Nov 2026 09:00:00 +0000
Message-ID: <20261102.1@friends.example>
MIME-Version: 1.0
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: 8bit
User-Agent: Mail

{body}"""


class Postfix(Process):
    """Serves until the block ends. `milters` are running ones; `None` is an smtpd without one."""

    def __init__(self, scratch, milters):
        self.scratch = scratch
        self.ports = {milter.name if milter else "no milter": free_port() for milter in milters}
        for directory in ("postfix", "queue", "data"):
            (scratch / directory).mkdir()
        shutil.chown(scratch / "data", "postfix")
        (scratch / "postfix" / "main.cf").write_text(MAIN.format(scratch=scratch))
        services = MASTER
        for milter, port in zip(milters, self.ports.values(), strict=True):
            services += f"127.0.0.1:{port} inet n - n - - smtpd\n"
            if milter:
                services += f"  -o smtpd_milters={milter.for_postfix()}\n"
        (scratch / "postfix" / "master.cf").write_text(services)
        configuration = ["-c", str(scratch / "postfix")]
        subprocess.run(["postfix", *configuration, "check"], check=True)
        daemons = subprocess.run(["postconf", "-dh", "daemon_directory"], check=True, capture_output=True, text=True)
        master = pathlib.Path(daemons.stdout.strip()) / "master"
        super().__init__([master, "-d", *configuration], scratch / "postfix.out")

    def __enter__(self):
        super().__enter__()
        wait_until("Postfix to start", lambda: self.is_running() and (self.scratch / "queue/pid/master.pid").exists())
        return self

    def send(self, name, pairs, messages, connections, kept):
        """Messages a second through the smtpd of a milter, from smtp-source: one a (sender, recipient), at once."""
        before = self.held()
        begun = time.monotonic()
        sources = [self._source(name, pair, messages // len(pairs), connections // len(pairs), kept) for pair in pairs]
        for source in sources:
            if source.wait() != 0:
                raise RuntimeError(f"smtp-source ended with {source.returncode}: see {self.scratch}/mail.log")
        taken = time.monotonic() - begun
        sent = messages // len(pairs) * len(pairs)
        if self.held() - before != sent:
            raise RuntimeError(f"{name}: {sent} messages were sent, {self.held() - before} are held")
        return sent / taken

    def _source(self, name, pair, messages, connections, kept):
        sender, recipient = pair
        file = self.scratch / f"{sender}.eml"
        if not file.exists():
            body = "We could meet at the station at ten, and take the train from there.\n" * 30
            text = MESSAGE.format(hash="h" * 44, signature="s" * 344, sender=sender, recipient=recipient, body=body)
            file.write_text(text)
        options = ["-s", connections, "-m", messages, "-f", sender, "-t", recipient, "-F", file]
        command = ["smtp-source", *options, *(["-d"] if kept else []), f"127.0.0.1:{self.ports[name]}"]
        return subprocess.Popen([str(word) for word in command])

    def held(self):
        return sum(1 for _ in self._files())

    def tagged(self):
        """How many of the held messages bear the tag, so that nothing is compared that does not do its work."""
        return sum(b"[PERSO] What shall we do" in file.read_bytes() for file in self._files())

    def clear(self):
        for file in self._files():
            file.unlink()

    def _files(self):
        return (file for file in (self.scratch / "queue" / "hold").rglob("*") if file.is_file())
