"""Length-prefixed, bounded frames over the one socket to the host, without ever blocking on it."""

from .jsontext import dumps

MAX_PAYLOAD = 1 << 20
HEADER = 9
# Above this many unsent bytes nothing more is read from pipes and files: back-pressure instead of memory.
HIGH_WATER = 1 << 20

MESSAGE, STDOUT, STDERR, EVENTS, CONTENT, END = 1, 2, 3, 4, 5, 6


class Channel:
    def __init__(self, sock):
        self.sock = sock
        sock.setblocking(False)
        self.inbox = bytearray()
        self.outbox = []
        self.unsent = 0

    @property
    def full(self):
        return self.unsent >= HIGH_WATER

    def frame(self, kind, ident, payload):
        """Queues one frame; what is longer than a frame may be is cut into several by the caller."""
        self.outbox.append(len(payload).to_bytes(4, "big") + bytes((kind,)) + ident.to_bytes(4, "big") + payload)
        self.unsent += HEADER + len(payload)

    def message(self, ident, **fields):
        payload = dumps(fields).encode("ascii")
        if len(payload) > MAX_PAYLOAD:
            payload = b'{"op":"failed","reason":"reply too long"}'
        self.frame(MESSAGE, ident, payload)

    def flush(self):
        """Sends what the socket takes now."""
        while self.outbox:
            chunk = self.outbox[0]
            try:
                sent = self.sock.send(chunk)
            except BlockingIOError:
                return
            self.unsent -= sent
            if sent == len(chunk):
                self.outbox.pop(0)
            else:
                self.outbox[0] = chunk[sent:]

    def receive(self):
        """Frames that have come whole, as (kind, ident, payload); None when the host closed."""
        try:
            chunk = self.sock.recv(1 << 18)
        except BlockingIOError:
            return []
        if not chunk:
            return None
        inbox = self.inbox
        inbox += chunk
        frames = []
        at = 0
        while len(inbox) - at >= HEADER:
            size = int.from_bytes(inbox[at : at + 4], "big")
            if size > MAX_PAYLOAD:
                return None
            if len(inbox) - at - HEADER < size:
                break
            start = at + HEADER
            frames.append((inbox[at + 4], int.from_bytes(inbox[at + 5 : start], "big"), bytes(inbox[start : start + size])))
            at = start + size
        del inbox[:at]
        return frames
