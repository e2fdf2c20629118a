"""pony_stream - what both roles of t/lib/pony_peer.py share: the formats of XPONY/1 and the stream of a
connection, in clear, under ROTn or in records. Written from doc/PROTOCOL.md; names in parentheses are
its sections.
"""
import base64
import collections
import hashlib
import re
import secrets
import socket
import struct

SUITE, HYBRID = "x25519-chachapoly", "mlkem768x25519-chachapoly"
SERVER_NAME, EHLO, CRITICAL, KEM_KEY = 0x01, 0x02, 0x80, 0x83
DATA, CLOSE = 0, 1
DATA_MAX = 32765
FLIGHT_MIN, CLOSE_MIN = 256, 6
REKEY_EVERY = 2**16
LABEL = b"XPONY/1"
PSK_LABEL = b"XPONY/1 ML-KEM-768 psk"

Offer = collections.namedtuple("Offer", "text e suites rot")


class ProtocolError(Exception):
    """The peer broke the protocol."""


class Truncated(ProtocolError):
    """The connection ended without the authenticated close."""


def b64encode(octets):
    return base64.b64encode(octets).rstrip(b"=")


def b64decode(text):
    """Unpadded and canonical, or ProtocolError (Base64)."""
    if re.fullmatch(rb"[A-Za-z0-9+/]*", text) and len(text) % 4 != 1:
        octets = base64.b64decode(text + b"=" * (-len(text) % 4))
        if b64encode(octets) == text:
            return octets
    raise ProtocolError("base64: %r" % text)


def parse_offer(words, whole):
    """(Advertisement) whole: nothing may follow the offer. None when there is none."""
    rot = re.match(rb"XPONY 1 ROT([1-9]|1[0-9]|2[0-5])(?= |$)", words)
    offer = re.match(rb"XPONY 1 ([A-Za-z0-9+/]{43}) ([a-z0-9,-]+)(?= |$)", words)
    match = rot or offer
    if not match or whole and match.end() != len(words) or match.end() > 479:
        return None
    if rot:
        return Offer(match[0], b"", [], int(rot[1]))
    suites = offer[2].decode().split(",")
    if not all(1 <= len(name) <= 40 for name in suites):
        return None
    try:
        return Offer(match[0], b64decode(offer[1]), suites, 0)
    except ProtocolError:
        return None


def find_hint(text):
    """The offer in the first line of a greeting, wherever a middlebox has moved it."""
    for mark in re.finditer(rb" (?i:ESMTP) (?=XPONY 1 )", text):
        return parse_offer(text[mark.end():], False)
    return None


def tlv(kind, value):
    return struct.pack("!BH", kind, len(value)) + value


def tlv_items(payload):
    items = {}
    while payload:
        if len(payload) < 3:
            raise ProtocolError("cut item")
        kind, n = struct.unpack("!BH", payload[:3])
        value, payload = payload[3:3 + n], payload[3 + n:]
        if len(value) != n or kind in items:
            raise ProtocolError("cut or repeated item")
        items[kind] = value
    return items


def kem_psk(shared, ek, ct):
    """(The hybrid suite)"""
    return hashlib.blake2b(PSK_LABEL + shared + ek + ct, digest_size=32).digest()


def padded(n, last=False):
    """(Flights) Padme with a floor. last: the flight ends its direction."""
    if last and n <= CLOSE_MIN:
        return CLOSE_MIN
    if n <= FLIGHT_MIN:
        return FLIGHT_MIN
    e = n.bit_length() - 1
    step = 1 << e - e.bit_length()
    return -(-n // step) * step


def rot(text, by):
    letters = b"abcdefghijklmnopqrstuvwxyz"
    turned = letters[by % 26:] + letters[:by % 26]
    return text.translate(bytes.maketrans(letters + letters.upper(), turned + turned.upper()))


# --- records ---

class Half:
    """One direction: its cipher and its count of records."""

    def __init__(self, cipher):
        self.cipher, self.count, self.closed = cipher, 0, False

    def next(self):
        if self.count and self.count % REKEY_EVERY == 0:
            self.cipher.rekey()
        self.count += 1
        return self.cipher


class Peer:
    """The stream of a client or server: in clear, then ROTn or records."""

    def __init__(self, sock, static=None, ephemeral=None, hooks=None, timeout=30):
        self.sock, self.hooks, self.calls = sock, hooks or {}, collections.Counter()
        self.static = static or secrets.token_bytes(32)
        self.ephemeral = ephemeral or secrets.token_bytes(32)
        self.tx = self.rx = None
        self.rot = 0
        self.wire = self.text = b""  # received: not yet opened, not yet read
        self.ended = False
        self.peer_key = None
        if timeout:
            sock.settimeout(timeout)

    def hook(self, step, octets):
        self.calls[step] += 1
        change = self.hooks.get(step)
        return change(octets, self.calls[step]) if change else octets

    # Sending

    def raw(self, octets):
        """Onto the wire as they are."""
        self.sock.sendall(octets)

    def write(self, data):
        """As one flight after the upgrade."""
        if self.tx is None:
            self.raw(rot(data, self.rot))
        else:
            self.raw(self.hook("flight", self.flight(data)))

    def flight(self, data, last=False):
        room, records = padded(len(data), last), []
        while room:
            body = min(room, DATA_MAX)
            records.append(self.seal(CLOSE if last and body == room else DATA, data[:body], body))
            data, room = data[body:], room - body
        return b"".join(records)

    def seal(self, kind, data, body):
        inside = struct.pack("!BH", kind, len(data)) + data + bytes(body - len(data))
        message = self.tx.next().seal(self.hook("inside", inside))
        return self.hook("record", struct.pack("!H", len(message)) + message)

    def close(self, data=b""):
        """The last words, with the authenticated close, and the end of the sending half."""
        if self.tx is not None:
            self.raw(self.hook("close", self.flight(data, True)))
        else:
            self.write(data)
        self.sock.shutdown(socket.SHUT_WR)

    def say(self, code, *texts):
        """A reply."""
        lines = [b"%d-%s\r\n" % (code, text) for text in texts]
        lines[-1] = lines[-1].replace(b"-", b" ", 1)
        self.write(b"".join(lines))

    # Receiving

    def more(self):
        """Waits for octets from the socket; False at its end."""
        octets = self.sock.recv(65536)
        if self.rx is None:
            self.text += rot(octets, -self.rot)
        else:
            self.wire += octets
        return octets != b""

    def open(self):
        """Opens the first record that waits; False when it is not whole yet."""
        if len(self.wire) < 2:
            return False
        n = struct.unpack("!H", self.wire[:2])[0]
        if not 19 <= n <= 32784:
            raise ProtocolError("record of %d octets" % n)
        if len(self.wire) < 2 + n:
            return False
        inside = self.rx.next().open(self.wire[2:2 + n])
        self.wire = self.wire[2 + n:]
        kind, size = struct.unpack("!BH", inside[:3])
        data, padding = inside[3:3 + size], inside[3 + size:]
        if kind not in (DATA, CLOSE) or len(data) != size or any(padding):
            raise ProtocolError("record of type %d" % kind)
        self.text += data
        self.ended = kind == CLOSE
        return True

    def fill(self):
        """More text; False at the end. Truncated when that end is not authenticated."""
        before = len(self.text)
        while len(self.text) == before and not self.ended:
            if self.rx is not None and self.open():
                continue
            if not self.more():
                if self.rx is not None:
                    raise Truncated("%d octets of a record" % len(self.wire))
                self.ended = True
        if self.ended and self.wire:
            raise ProtocolError("octets after the close")
        return len(self.text) > before

    def line(self):
        """One line with its CRLF; b"" at the end."""
        while b"\n" not in self.text:
            if not self.fill():
                line, self.text = self.text, b""
                return line
        line, _, self.text = self.text.partition(b"\n")
        return line + b"\n"

    def reply(self):
        """(code, texts); (0, []) at the end."""
        texts = []
        while True:
            line = self.line()
            if not line:
                return 0, texts
            texts.append(line[4:].rstrip(b"\r\n"))
            if line[3:4] != b"-":
                return int(line[:3]), texts

    def command(self, text):
        self.write(text.encode() + b"\r\n")
        return self.reply()

    def start_records(self, tx, rx):
        """What waits came in after the switch and is for the opener."""
        self.tx, self.rx = Half(tx), Half(rx)
        self.wire, self.text = self.text, b""

    def prologue(self, offer, suite):
        parts = [LABEL, offer, suite]
        return self.hook("prologue", b"".join(struct.pack("!H", len(p)) + p for p in parts))
