"""pony_session - writes doc/session.txt and doc/session-hybrid.txt: one session of XPONY/1 in each suite
with fixed keys, every octet on the wire and every value in between, by the formulas of doc/PROTOCOL.md
and the independent peer's code.

    python3 t/lib/pony_session.py x25519-chachapoly >doc/session.txt
    python3 t/lib/pony_session.py mlkem768x25519-chachapoly >doc/session-hybrid.txt

t/23-independent.py holds the documents to it, t/22-session replays them with the programs' own engine.
"""
import struct
import sys

import pony_mlkem
from pony_crypto import Noise, public_key, x25519
from pony_stream import (DATA_MAX, EHLO, HYBRID, KEM_KEY, LABEL, SERVER_NAME,
                         b64encode, kem_psk, padded, tlv)

HEAD = """\
# One session of XPONY/1, octet by octet (see PROTOCOL.md). t/22-session replays it.
# Suite: %s
#
# Names are those of PROTOCOL.md: e and s are the server's keys, e2 and s2 the client's, for this text
# only. What "server sends" and "client sends", in the order of this text, is all that goes over the
# wire; beside it stands what can be read of it. "data of" is what a record carries.
"""

HOST = b"mail.example.com"
HELLO = b"EHLO client.example.net"

DIALOGUE = (
    ("server", b"250-mail.example.com Hello client.example.net\r\n"
               b"250-PIPELINING\r\n250-8BITMIME\r\n250 SIZE 50000000\r\n"),
    ("client", b"MAIL FROM:<alice@example.net>\r\nRCPT TO:<bob@example.com>\r\nDATA\r\n"),
    ("server", b"250 2.1.0 Sender ok\r\n250 2.1.5 Recipient ok\r\n354 Go ahead\r\n"),
    ("client", b"From: Alice <alice@example.net>\r\nTo: Bob <bob@example.com>\r\nSubject: Hay\r\n"
               b"Date: Sat, 21 Nov 2026 21:00:00 +0000\r\nMessage-ID: <1@example.net>\r\n\r\n"
               b"Dear Bob,\r\n\r\nthis body makes the flight longer than 256 octets, so that its length\r\n"
               b"is rounded up by the formula and not by the floor.\r\n\r\nAlice\r\n.\r\n"),
    ("server", b"250 2.0.0 Message accepted\r\n"),
    ("client", b"QUIT\r\n"),
    ("server", b"221 2.0.0 Bye\r\n"),
)
LAST = (DIALOGUE[-2], DIALOGUE[-1])  # of each direction: the close carries it


def title(text):
    print("# ---- %s ----\n" % text)


def value(name, octets):
    print(name)
    for i in range(0, len(octets), 32):
        print("    " + octets[i:i + 32].hex())
    print()


def wire(name, octets):
    print(name)
    for i in range(0, len(octets), 16):
        part = octets[i:i + 16]
        text = "".join(chr(c) if 0x20 <= c <= 0x7e else "." for c in part)
        print("    %-47s  |%s|" % (part.hex(" "), text))
    print()


class Traced(Noise):
    """Shows what each step leaves."""

    def hashed(self, what, octets):
        self.mix_hash(octets)
        value("h after " + what, self.h)

    def keyed(self, token):
        value("ck after " + token, self.ck)
        value("k after " + token, self.cipher.key)

    def public(self, token, e):
        self.mix_e(e)
        value("h after " + token, self.h)
        if self.psk:
            self.keyed(token)

    def mixed(self, token, secret, public):
        value(token, x25519(secret, public))
        self.mix_dh(secret, public)
        self.keyed(token)

    def mixed_psk(self, psk):
        value("psk", psk)
        self.mix_psk(psk)
        value("h after psk", self.h)
        self.keyed("psk")

    def sealed(self, what, plain):
        print("# EncryptAndHash(%s), n = %d\n" % (what, self.cipher.n))
        message = self.encrypt(plain)
        value("%s, sealed" % what, message)
        value("h after " + what, self.h)
        return message


def pairs():
    title("Keys")
    keys = []
    for name, first in (("s", 0x00), ("e", 0x20), ("s2", 0x40), ("e2", 0x60)):
        secret = bytes(range(first, first + 32))
        value(name + " secret", secret)
        value(name + " public", public_key(secret))
        keys.append((secret, public_key(secret)))
    return keys


def kem():
    """The client's pair, and the server's ciphertext to it."""
    title("KEM (FIPS 203)")
    seed, m = bytes(range(0x80, 0xc0)), bytes(range(0xc0, 0xe0))
    value("d and z", seed)
    value("m", m)
    ek, dk = pony_mlkem.key_gen(seed)
    value("ek", ek)
    value("dk", dk)
    shared, ct = pony_mlkem.encaps(ek, m)
    assert pony_mlkem.decaps(dk, ct) == shared
    value("ct", ct)
    value("shared secret", shared)
    return ek, ct, shared


def start(suite, e):
    title("Offer and start")
    offer = b"XPONY 1 %s %s" % (b64encode(e), suite)
    wire("server sends the greeting", b"220 %s ESMTP %s\r\n" % (HOST, offer))
    prologue = b"".join(struct.pack("!H", len(p)) + p for p in (LABEL, offer, suite))
    noise = Traced(prologue, suite == HYBRID.encode())
    value("h and ck at the start", noise.ck)
    wire("prologue", prologue)
    value("h after the prologue", noise.h)
    title("Message 1")
    noise.public("e", e)
    if noise.psk:
        noise.sealed("payload 1", b"")
    else:
        noise.hashed("the empty payload 1", b"")
    return noise


def message2(noise, suite, e, s2, e2, items):
    title("Message 2")
    payload = tlv(SERVER_NAME, HOST) + tlv(EHLO, HELLO) + items
    wire("payload 2", payload)
    noise.public("e2", e2[1])
    noise.mixed("ee", e2[0], e[1])
    message = e2[1] + noise.sealed("s2", s2[1])
    noise.mixed("es", s2[0], e[1])
    message += noise.sealed("payload 2", payload)
    wire("client sends the XPONY line", b"XPONY 1 %s %s\r\n" % (suite, b64encode(message)))


def message3(noise, s, e2, ct, psk):
    title("Message 3 (k is still that of es, and n goes on)")
    message = ct + noise.sealed("s", s[1])
    noise.mixed("se", s[0], e2[1])
    if noise.psk:
        noise.mixed_psk(psk)
    message += noise.sealed("payload 3", b"")
    wire("server sends the reply", b"".join(reply_lines(message)))


def reply_lines(message):
    """378 octets a line, as the programs have it; any other break is as good."""
    parts = [message[i:i + 378] for i in range(0, len(message), 378)]
    for i, part in enumerate(parts):
        yield b"220%s%s\r\n" % (b" " if i == len(parts) - 1 else b"-", b64encode(part))


def record(side, cipher, data):
    """Every flight of the session is one record."""
    last, n = (side, data) in LAST, len(data)
    kind = "close" if last else "data"
    padding = padded(n, last) - n
    assert n + padding <= DATA_MAX
    wire("data of %s record %d" % (side, cipher.n), data)
    head = struct.pack("!BH", last, n)
    print("# %s: n = %d, inside %s %s, %d octets of data, %d of padding\n" % (
        kind, cipher.n, head[:1].hex(), head[1:].hex(), n, padding))
    name = "%s sends record %d" % (side, cipher.n)
    message = cipher.seal(head + data + bytes(padding))
    wire(name, struct.pack("!H", len(message)) + message)


def main(suite):
    print(HEAD % suite)
    s, e, s2, e2 = pairs()
    items = ct = psk = b""
    if suite == HYBRID:
        ek, ct, shared = kem()
        items, psk = tlv(KEM_KEY, ek), kem_psk(shared, ek, ct)
    suite = suite.encode()
    noise = start(suite, e[1])
    message2(noise, suite, e, s2, e2, items)
    message3(noise, s, e2, ct, psk)
    title("Split, and records")
    server, client = noise.split()
    value("key from server to client", server.key)
    value("key from client to server", client.key)
    for side, data in DIALOGUE:
        record(side, server if side == "server" else client, data)
    title("What the first rekey would make of the keys")
    for name, cipher in (("server to client", server), ("client to server", client)):
        cipher.rekey()
        value("key from %s, rekeyed" % name, cipher.key)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
