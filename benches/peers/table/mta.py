"""A small MTA side of the milter protocol: for connections that idle, and to see when a list change governs."""

import socket
import struct
import time

# What Postfix 3.7 offers: version, actions, protocol.
OFFER = struct.pack(">III", 6, 0x1FF, 0x1FFFFF)
NO_REPLY_AT_RCPT = 0x8000


class Milter:
    """A negotiated connection to a milter."""

    def __init__(self, address):
        kind, _, rest = address.partition(":")
        if kind == "unix":
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.settimeout(30)
            self.socket.connect(rest)
        else:
            port, host = rest.split("@")
            self.socket = socket.create_connection((host, int(port)), timeout=30)
        self.buffer = b""
        self._send((b"O", OFFER))
        _, answer = self._frame()
        self.flags = struct.unpack(">III", answer[:12])[2]

    def close(self):
        self._send((b"Q", b""))
        self.socket.close()

    def changes_subject(self, sender, recipient):
        """Whether a message is tagged for its recipient."""
        headers = [
            ("From", f" <{sender}>"),
            ("Subject", " now?"),
            ("Authentication-Results", " mx.bench.example; spf=pass smtp.mailfrom=friends.example"),
        ]
        events = [(b"A", b""), (b"M", f"<{sender}>\0".encode()), (b"R", f"<{recipient}>\0".encode())]
        if not self.flags & NO_REPLY_AT_RCPT:
            self._send(*events)
            self._frame()
            events = []
        events += [(b"L", f"{name}\0{value}\0".encode()) for name, value in headers]
        self._send(*events, (b"E", b""))
        changed = False
        while True:
            kind, payload = self._frame()
            if kind != b"m":
                return changed
            changed |= payload[4:].startswith(b"Subject\0")

    def _send(self, *frames):
        self.socket.sendall(b"".join(struct.pack(">I", 1 + len(load)) + kind + load for kind, load in frames))

    def _frame(self):
        length = struct.unpack(">I", self._exactly(4))[0]
        frame = self._exactly(length)
        return frame[:1], frame[1:]

    def _exactly(self, count):
        while len(self.buffer) < count:
            more = self.socket.recv(65536)
            if not more:
                raise ConnectionResetError("the milter closed the connection")
            self.buffer += more
        taken, self.buffer = self.buffer[:count], self.buffer[count:]
        return taken


class Watch:
    """Sees when a new entry governs."""

    def __init__(self, address):
        self.milter = Milter(address)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.milter.close()

    def new_friend(self, number):
        """A sender who was never seen."""
        return f"probe{number}.{time.time_ns()}@friends.example"

    def until_governed(self, friend, recipient):
        """Seconds from now to the first message that is tagged."""
        begun = time.monotonic()
        while not self.milter.changes_subject(friend, recipient):
            time.sleep(0.001)
        return time.monotonic() - begun
