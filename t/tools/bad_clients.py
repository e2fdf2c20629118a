"""bad_clients.py HOST - hostile clients of blackpony-receiver, one connection each, one after the
other. Called by t/52-injection.sh.

Prints one line a client: its name, a colon, and what it read after the attack: replies (the last line
of each) with a bar between them, "closed" at the end of the connection. What an attacker tries to
smuggle in names the sender injected@evil.test, to be looked for in the mail server's log.
"""
import os
import socket
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from pony_crypto import CryptoError
from pony_peer import Client, ProtocolError, add, cut, flip, put
from pony_stream import EHLO, b64decode, tlv

INJECTED = b"EHLO injected.example\r\nMAIL FROM:<injected@evil.test>\r\nRCPT TO:<bob@b.test>\r\n" \
    b"DATA\r\nSubject: injected\r\n\r\n.\r\nQUIT\r\n"
FLOOD = INJECTED + 4000 * b"NOOP\r\n"  # its first octets are a record's length: as long as that
REPLAY = {}  # message 2 of an honest session


def connect(hooks=None):
    client = Client(socket.create_connection((sys.argv[1], 25)), hooks=hooks, timeout=20)
    client.greeting()
    return client


def read(client):
    """All replies to the end."""
    said = []
    while True:
        try:
            code, texts = client.reply()
        except (ConnectionError, ProtocolError, CryptoError):
            code = 0
        if code == 0:
            return said + ["closed"]
        said.append("%d %s" % (code, texts[-1].decode()))


def say(client, *commands):
    """Replies to commands that do not end the session."""
    said = []
    for command in commands:
        code, texts = client.command(command)
        said.append("%d %s" % (code, texts[-1].decode() if texts else "closed"))
    return said


def line_of(client, **more):
    """An honest upgrade line, not sent."""
    lines = []
    hook, client.hooks["command"] = client.hooks.get("command"), lambda line, _: lines.append(line) or b""
    client.reply = lambda: (0, [])
    client.upgrade(client.hint, **more)
    del client.reply
    client.hooks["command"] = hook
    return lines[0]


def upgrade(hooks, **more):
    """An upgrade with a hook in it: what the server said to it, and after it."""
    client = connect(hooks)
    code, texts = client.upgrade(client.hint, **more)
    return ["%d %s" % (code, texts[-1].decode()) if code != 220 else "220"] + read(client)


# --- what is said around the upgrade line ---

def in_one_segment():
    return upgrade({"command": add(INJECTED)})


def before_the_reply():
    client = connect()
    client.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    client.raw(line_of(client))
    client.raw(FLOOD)
    said = read(client)
    return [text if not text.startswith("220 ") else "220" for text in said]


def after_the_reply():
    client = connect()
    client.upgrade(client.hint)
    client.raw(FLOOD)
    return read(client)


def half_a_record_then_plain():
    client = connect()
    client.upgrade(client.hint)
    client.raw(client.flight(b"EHLO peer.example\r\n")[:40] + FLOOD)
    return read(client)


def in_a_transaction():
    client = connect()
    line = line_of(client).decode().rstrip()
    return say(client, "EHLO peer.example", "MAIL FROM:<x@c.test>", line, "RCPT TO:<bob@b.test>",
               "RSET", line, "QUIT")


def after_auth():
    client = connect()
    line = line_of(client).decode().rstrip()
    return say(client, "EHLO peer.example", "AUTH NONE", line, "QUIT")[2:]


def after_starttls():
    client = connect()
    line = line_of(client).decode().rstrip()
    return say(client, "EHLO peer.example", "STARTTLS", line, "QUIT")[2:]


def twice():
    client = connect()
    line = line_of(client).decode().rstrip()
    client = connect()
    client.upgrade(client.hint)
    return say(client, line, "EHLO peer.example", line, "MAIL FROM:<x@c.test>", "STARTTLS", "QUIT")


def offered_inside():
    client = connect()
    client.ehlo("peer.example")
    client.upgrade(client.keyword)
    _, texts = client.command("EHLO peer.example")
    words = {text.split(b" ")[0].decode() for text in texts[1:]}
    say(client, "QUIT")
    return ["%s %s" % (word, "offered" if word in words else "not offered")
            for word in ("PIPELINING", "XPONY", "STARTTLS")]


def state_from_before():
    """A message whose Received header tells which EHLO counts."""
    client = connect()
    client.ehlo("before.example")
    say(client, "VRFY bob")
    client.upgrade(client.keyword)
    said = say(client, "MAIL FROM:<x@c.test>", "EHLO after.example", "MAIL FROM:<x@c.test>",
               "RCPT TO:<bob@b.test>", "DATA", "Subject: after\r\n\r\n.", "QUIT")
    return [text[:3] for text in said]


# --- the line itself ---

def change(step, how):
    return lambda: upgrade({step: how})


def words(*replaced):
    """An upgrade line with other words: None keeps one."""
    def attack():
        def replace(line, _):
            old = line.rstrip(b"\r\n").split(b" ")
            return b" ".join(word if new is None else new for new, word in zip(replaced, old)) + b"\r\n"
        return upgrade({"command": replace})
    return attack


def early(text):
    """An honest handshake whose payload 2 carries this as EHLO line."""
    return lambda: upgrade({"payload2": put(tlv(EHLO, text) if text is not None else b"")})


def recorded():
    client = connect({"message2": lambda message, _: REPLAY.setdefault("message", message)})
    client.upgrade(client.hint)
    return [text[:3] for text in say(client, "EHLO peer.example", "QUIT")]


def replayed():
    return upgrade({"message2": put(REPLAY["message"])})


# --- not our protocol at all ---

def first_line(octets):
    def attack():
        client = connect()
        client.raw(octets + b"\r\n" + INJECTED)
        return read(client)
    return attack


ATTACKS = {
    "in one segment": in_one_segment,
    "before the reply": before_the_reply,
    "after the reply": after_the_reply,
    "half a record": half_a_record_then_plain,
    "in a transaction": in_a_transaction,
    "after AUTH": after_auth,
    "after STARTTLS": after_starttls,
    "twice": twice,
    "offered inside": offered_inside,
    "state from before": state_from_before,
    "base64 padded": change("base64", add(b"==")),
    "base64 not canonical": change("base64", add(b"AB")),
    "base64 of another alphabet": change("base64", lambda text, _: b"-_" + text[2:]),
    "base64 with a blank": change("base64", lambda text, _: text[:20] + b" " + text[20:]),
    "base64 none": words(None, None, None, b""),
    "line end bare": change("command", lambda line, _: line[:-2] + b"\n"),
    "line with a NUL": change("command", lambda line, _: line[:20] + b"\0" + line[20:]),
    "line too long": change("base64", lambda text, _: text + b"A" * 4096),
    "version": words(None, b"2", None, None),
    "suite unknown": words(None, None, b"x25519-future", None),
    "suite in capitals": words(None, None, b"X25519-CHACHAPOLY", None),
    "suite ROT": words(None, None, b"ROT13"),
    "message 2: key flipped": change("message2", flip(0)),
    "message 2: key zero": change("message2", lambda octets, _: bytes(32) + octets[32:]),
    "message 2: static flipped": change("message2", flip(40)),
    "message 2: tag flipped": change("message2", flip(-1, 128)),
    "message 2: cut": change("message2", cut(95)),
    "message 2: one octet": change("message2", cut(1)),
    "message 2: longer": change("message2", add(b"\0")),
    "another offer": change("offer", lambda text, _: text + b",x25519-future"),
    "another suite": change("suite", put(b"x25519-chachapolz")),
    "payload 2: two lines": early(b"EHLO x\r\nMAIL FROM:<injected@evil.test>"),
    "payload 2: empty EHLO": early(b""),
    "payload 2: twice": change("payload2", put(tlv(EHLO, b"EHLO x") * 2)),
    "payload 2: critical": change("payload2", put(tlv(0x9f, b"?"))),
    "payload 2: cut": change("payload2", put(tlv(EHLO, b"EHLO peer.example")[:-3])),
    "recorded": recorded,
    "replayed": replayed,
    "GET": first_line(b"GET / HTTP/1.1"),
    "POST": first_line(b"POST / HTTP/1.1"),
    "CONNECT": first_line(b"CONNECT mail.b.test:25 HTTP/1.1"),
    "USER": first_line(b"USER anonymous"),
    "TLS": first_line(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),
    "digit": first_line(b"220 mail.b.test ESMTP"),
    "blank": first_line(b" EHLO x"),
}

for name, attack in ATTACKS.items():
    try:
        result = " | ".join(attack())
    except (OSError, ProtocolError, CryptoError) as fault:
        result = "%s: %s" % (type(fault).__name__, fault)
    print("%s: %s" % (name, result), flush=True)
