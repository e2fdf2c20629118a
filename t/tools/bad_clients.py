"""bad_clients.py HOST ROW - hostile clients of blackpony-receiver, one connection each, one after the
other, each in both suites. Called through t/lib/hostile.sh.

Prints one line a client: the suite, its name, a colon, and what it read after the attack: replies (the
last line of each) with a bar between them, "closed" at the end of the connection. What an attacker tries
to smuggle in names the sender injected@evil.test, to be looked for in what the mail server was told. The
clients called "frozen" run as root on the receiver's own host: they stop its monitor, so that the reply to
the XPONY line does not come before they have said more.
"""
import os
import signal
import socket
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import pony_mlkem
from pony_crypto import LOW_ORDER, CryptoError, public_key
from pony_peer import Client, ProtocolError, add, cut, flip, put
from pony_stream import EHLO, HYBRID, KEM_KEY, SUITE, tlv

INJECTED = b"EHLO injected.example\r\nMAIL FROM:<injected@evil.test>\r\nRCPT TO:<bob@b.test>\r\n" \
    b"DATA\r\nSubject: injected\r\n\r\n.\r\nQUIT\r\n"
FLOOD = INJECTED + 4000 * b"NOOP\r\n"  # its first octets are a record's length: as long as that
ENVELOPE = b"MAIL FROM:<injected@evil.test>\r\nRCPT TO:<bob@b.test>\r\n"
KEM = pony_mlkem.key_gen(bytes(64))
pony_mlkem.key_gen = lambda _: KEM  # one for all: that takes time in Python
word, suite = "classical", SUITE


def connect(hooks=None, kind=Client):
    client = kind(socket.create_connection((sys.argv[1], 25)), hooks=hooks, timeout=10)
    client.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
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


def codes(said):
    return [text[:3] for text in said]


def line_of(client):
    """An honest upgrade line, not sent."""
    lines = []
    hook, client.hooks["command"] = client.hooks.get("command"), lambda line, _: lines.append(line) or b""
    client.reply = lambda: (0, [])
    client.upgrade(client.hint, suite=suite)
    del client.reply
    client.hooks["command"] = hook
    return lines[0]


def text_of(client):
    return line_of(client).decode().rstrip()


def upgraded(hooks=None):
    client = connect(hooks)
    client.upgrade(client.hint, suite=suite)
    return client


def upgrade(hooks=None, kind=Client, by_keyword=False, items=b""):
    """An upgrade with a hook in it: what the server said to it, and after it."""
    client = connect(hooks, kind)
    if by_keyword:
        client.ehlo("peer.example")
    code, texts = client.upgrade(client.keyword if by_keyword else client.hint, suite=suite, items=items)
    return ["220"] if code == 220 else ["%d %s" % (code, texts[-1].decode())] + read(client)


def change(step, how, **more):
    return lambda: upgrade({step: how}, **more)


# --- row 1: said behind the upgrade line ---

def monitors():
    """The receiver's processes that no other of them has started."""
    parents = {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open("/proc/%s/stat" % pid) as stat:
                name, _, rest = stat.read().partition("(")[2].rpartition(")")
        except OSError:
            continue
        if name.startswith("blackpony-recei"):
            parents[int(pid)] = int(rest.split()[1])
    return [pid for pid, parent in parents.items() if parent not in parents]


def until(condition):
    for _ in range(2000):
        if condition():
            return
        time.sleep(0.005)
    raise TimeoutError("what was waited for")


def all_read(client):
    """Has the receiver read all that the client has said? (its socket's queue, by /proc/net/tcp)"""
    port = ":%04X" % client.sock.getsockname()[1]
    for name in ("/proc/net/tcp", "/proc/net/tcp6"):
        with open(name) as table:
            for words in map(str.split, table):
                if words[1].endswith(":0019") and words[2].endswith(port):
                    return words[4].endswith(":00000000")
    return False


def frozen(octets, by_octets=False):
    """The line is read; then octets come, and then the monitor may go on."""
    def attack():
        until(lambda: not monitors())
        client = connect()
        monitor, = monitors()
        os.kill(monitor, signal.SIGSTOP)
        try:
            line = line_of(client)
            for part in ([line[i:i + 1] for i in range(len(line))] if by_octets else [line]):
                client.raw(part)
            until(lambda: all_read(client))
            for part in ([octets[i:i + 1] for i in range(len(octets))] if by_octets else [octets]):
                client.raw(part)
            until(lambda: all_read(client))
        finally:
            os.kill(monitor, signal.SIGCONT)
        return read(client)
    return attack


def another_line():
    return upgrade({"command": lambda line, _: line + line})


def behind_ehlo():
    client = connect()
    client.raw(b"EHLO peer.example\r\n" + line_of(client) + INJECTED)
    return ["250" if text.startswith("250 ") else text for text in read(client)]


def behind_the_reply():
    client = upgraded()
    client.raw(FLOOD)
    return read(client)


def half_a_record_then_plain():
    client = upgraded()
    client.raw(client.flight(b"EHLO peer.example\r\n")[:40] + FLOOD)
    return read(client)


PIECES = {"commands": INJECTED, "MAIL and RCPT": ENVELOPE, "one octet": b"M", "an empty line": b"\r\n",
          "a line feed": b"\n", "a NUL": b"\0", "a record": b"\0\x20" + bytes(32)}
INJECTION = {
    **{"same segment, " + name: change("command", add(octets)) for name, octets in PIECES.items()},
    **{"by keyword, " + name: change("command", add(octets), by_keyword=True) for name, octets in PIECES.items()},
    "another line": another_line,
    "behind EHLO": behind_ehlo,
    "behind the reply": behind_the_reply,
    "half a record": half_a_record_then_plain,
}
FROZEN = {
    **{"next segment, " + name: frozen(octets) for name, octets in PIECES.items()},
    **{"octet by octet, " + name: frozen(octets, True) for name, octets in PIECES.items()},
    "honest": lambda: codes(say(upgraded(), "EHLO peer.example", "QUIT")),
}


# --- row 3: what was before the upgrade ---

def state_from_before():
    """A message whose Received header tells which EHLO counts."""
    client = connect()
    client.ehlo("before.example")
    say(client, "VRFY bob", "HELO before2.example")
    client.upgrade(client.hint, suite=suite)
    return codes(say(client, "MAIL FROM:<x@b.test>", "RCPT TO:<bob@b.test>", "DATA", "EHLO after.example",
                     "RCPT TO:<bob@b.test>", "MAIL FROM:<x@b.test>", "RCPT TO:<bob@b.test>", "DATA",
                     "Subject: after, %s\r\n\r\n." % word, "QUIT"))


def early_ehlo():
    client = connect()
    client.ehlo("before.example")
    client.upgrade(client.keyword, early="EHLO early.example", suite=suite)
    client.reply()
    return codes(say(client, "MAIL FROM:<x@b.test>", "RCPT TO:<bob@b.test>", "DATA",
                     "Subject: early, %s\r\n\r\n." % word, "QUIT"))


def keywords_inside():
    client = connect()
    _, before = client.ehlo("before.example")
    client.upgrade(client.keyword, suite=suite)
    _, inside = client.command("EHLO after.example")
    before, inside = ({text.split(b" ")[0].decode() for text in texts[1:]} for texts in (before, inside))
    return [",".join(sorted(before - inside)) or "none", ",".join(sorted(inside - before)) or "none"]


# --- row 4: out of sequence ---

def in_a_transaction():
    client = connect()
    line = text_of(client)
    return say(client, "EHLO peer.example", "MAIL FROM:<x@b.test>", line, "RCPT TO:<bob@b.test>", line,
               "RSET", line, "QUIT")


def in_a_message():
    """There it is a line of the message."""
    client = connect()
    line = text_of(client)
    return codes(say(client, "EHLO peer.example", "MAIL FROM:<x@b.test>", "RCPT TO:<bob@b.test>", "DATA",
                     "Subject: line, %s\r\n\r\n" % word + line + "\r\n.", line, "QUIT"))


def behind_mail():
    """In one segment with the MAIL that comes before it."""
    client = connect()
    line = line_of(client)
    say(client, "EHLO peer.example")
    client.raw(b"MAIL FROM:<x@b.test>\r\n" + line + b"RCPT TO:<bob@b.test>\r\nQUIT\r\n")
    return codes(read(client)[:-1])


def after(command):
    def attack():
        client = connect()
        line = text_of(client)
        return say(client, "EHLO peer.example", command, line, line.lower(), "QUIT")[2:]
    return attack


def twice():
    client = connect()
    line = text_of(client)
    client = upgraded()
    return say(client, line, "EHLO peer.example", line, "xpony", "MAIL FROM:<x@b.test>", line, "RCPT TO:<bob@b.test>",
               line, "QUIT")


def starttls_inside():
    client = upgraded()
    return say(client, "STARTTLS", "EHLO peer.example", "STARTTLS", "starttls", "MAIL FROM:<x@b.test>", "STARTTLS",
               "RSET", "STARTTLS", "QUIT")


def grouped_inside():
    """In one flight with a whole transaction, which goes on as if it were not there."""
    client = upgraded()
    line = line_of(connect())
    client.write(b"EHLO peer.example\r\n")
    client.reply()
    client.write(b"MAIL FROM:<x@b.test>\r\n" + line + b"RCPT TO:<bob@b.test>\r\nSTARTTLS\r\nDATA\r\n")
    said = ["%d" % client.reply()[0] for _ in range(5)]
    return said + codes(say(client, "Subject: grouped, %s\r\n\r\n." % word, "QUIT"))


def offered_inside():
    client = connect()
    client.ehlo("peer.example")
    client.upgrade(client.keyword, suite=suite)
    _, texts = client.command("EHLO peer.example")
    words = {text.split(b" ")[0].decode() for text in texts[1:]}
    say(client, "QUIT")
    return ["%s %s" % (word, "offered" if word in words else "not offered")
            for word in ("PIPELINING", "XPONY", "STARTTLS")]


# --- row 5: the line itself ---

def words(*replaced):
    """An upgrade line with other words: None keeps one."""
    def attack():
        def replace(line, _):
            old = line.rstrip(b"\r\n").split(b" ")
            return b" ".join(word if new is None else new for new, word in zip(replaced, old)) + b"\r\n"
        return upgrade({"command": replace})
    return attack


def payload(how):
    """An honest handshake with another payload 2: the KEM key stays in it."""
    return lambda: upgrade({"payload2": lambda octets, _: how(octets)})


def other_suite(name):
    return lambda: upgrade({"suite": put(name)})


MALFORMED = {
    "base64 padded": change("base64", add(b"==")),
    "base64 not canonical": change("base64", add(b"AB")),
    "base64 of another alphabet": change("base64", lambda text, _: b"-_" + text[2:]),
    "base64 with a blank": change("base64", lambda text, _: text[:20] + b" " + text[20:]),
    "base64 none": words(None, None, None, b""),
    "line end bare": change("command", lambda line, _: line[:-2] + b"\n"),
    "line with a NUL": change("command", lambda line, _: line[:20] + b"\0" + line[20:]),
    "line with a CR": change("command", lambda line, _: line[:20] + b"\r" + line[20:]),
    "line too long": change("base64", lambda text, _: text + b"A" * 4096),
    "version": words(None, b"2", None, None),
    "suite in capitals": words(None, None, b"X25519-CHACHAPOLY", None),
    "suite unknown": words(None, None, b"x25519-future", None),
    "suite ROT": words(None, None, b"ROT13"),
    "another suite": other_suite(b"x25519-chachapolz"),
    "message 2: key flipped": change("message2", flip(0)),
    "message 2: static flipped": change("message2", flip(40)),
    "message 2: tag flipped": change("message2", flip(-1, 128)),
    "message 2: cut": change("message2", cut(95)),
    "message 2: one octet": change("message2", cut(1)),
    "message 2: longer": change("message2", add(b"\0")),
    "another offer": change("offer", lambda text, _: text + b",x25519-future"),
    "offer without a suite": change("offer", lambda text, _: text.replace(HYBRID.encode() + b",", b"")),
    "payload 2: two lines": payload(lambda p: p + tlv(EHLO, b"EHLO x\r\nMAIL FROM:<injected@evil.test>")),
    "payload 2: empty EHLO": payload(lambda p: p + tlv(EHLO, b"")),
    "payload 2: twice": payload(lambda p: p + tlv(EHLO, b"EHLO x") * 2),
    "payload 2: critical": payload(lambda p: p + tlv(0x9f, b"?")),
    "payload 2: cut": payload(lambda p: p + tlv(EHLO, b"EHLO peer.example")[:-3]),
}


# --- row 8: said before, by somebody else ---

class Recorder(Client):
    """Keeps what goes onto the wire."""

    def __init__(self, *args, **more):
        super().__init__(*args, **more)
        self.recorded = []

    def raw(self, octets):
        self.recorded.append(octets)
        super().raw(octets)


def recorded():
    client = connect(kind=Recorder)
    client.upgrade(client.hint, suite=suite)
    said = codes(say(client, "EHLO peer.example", "MAIL FROM:<x@b.test>", "RCPT TO:<bob@b.test>", "DATA",
                     "Subject: recorded, %s\r\n\r\n." % word, "QUIT"))
    Recorder.tape = client.recorded
    return said


def replayed_whole():
    client = connect()
    for octets in Recorder.tape:
        try:
            client.raw(octets)
        except OSError:  # the receiver has closed
            break
    return read(client)


def replayed_line():
    client = connect()
    client.raw(Recorder.tape[0])
    return read(client)


def replayed_records():
    """Behind an honest upgrade, the records of the other one."""
    client = upgraded()
    client.raw(b"".join(Recorder.tape[1:]))
    return read(client)


# --- row 10: bad keys ---

def low_order(point, of_e, of_s):
    """A handshake that a server would accept which does not look at the results: they are all zero."""
    class Low(Client):
        def message2(self, noise, re_, payload):
            e = point if of_e else public_key(self.ephemeral)
            s = point if of_s else public_key(self.static)
            noise.mix_e(e)
            noise.mix_key(bytes(32)) if of_e else noise.mix_dh(self.ephemeral, re_)
            message = e + noise.encrypt(s)
            noise.mix_key(bytes(32)) if of_s else noise.mix_dh(self.static, re_)
            return message + noise.encrypt(payload)
    return lambda: upgrade(kind=Low)


def kem_key(how):
    """Another encapsulation key in a hybrid payload 2; in a classical one, where none belongs, too."""
    def replace(octets, _):
        return (octets[:-len(KEM[0]) - 3] if suite == HYBRID else octets) + how(KEM[0])
    return lambda: upgrade({"payload2": replace})


def coefficient(at, value):
    """Of the 768 with 12 bits each."""
    def replace(key):
        bits = int.from_bytes(key[:1152], "little") & ~(0xfff << 12 * at) | value << 12 * at
        return tlv(KEM_KEY, bits.to_bytes(1152, "little") + key[1152:])
    return replace


BAD_KEYS = {
    **{"e %d" % i: low_order(point, True, False) for i, point in enumerate(LOW_ORDER)},
    **{"static %d" % i: low_order(point, False, True) for i, point in enumerate(LOW_ORDER)},
    **{"both %d" % i: low_order(point, True, True) for i, point in enumerate(LOW_ORDER)},
    **{"coefficient %d is %d" % (at, value): kem_key(coefficient(at, value))
       for at in (0, 1, 255, 256, 767) for value in (3329, 4095)},
    "KEM key twice": kem_key(lambda key: 2 * tlv(KEM_KEY, key)),
    "KEM key short": kem_key(lambda key: tlv(KEM_KEY, key[:-1])),
    "KEM key long": kem_key(lambda key: tlv(KEM_KEY, key + b"k")),
    "KEM key empty": kem_key(lambda key: tlv(KEM_KEY, b"")),
    "suite of the other": lambda: upgrade({"suite": put((SUITE if suite == HYBRID else HYBRID).encode())}),
}


ROWS = {
    "1": INJECTION,
    "1-frozen": FROZEN,
    "3": {"state from before": state_from_before, "early EHLO": early_ehlo, "keywords": keywords_inside},
    "4": {
        "in a transaction": in_a_transaction,
        "in a message": in_a_message,
        "behind MAIL": behind_mail,
        "after AUTH": after("AUTH NONE"),
        "after AUTH PLAIN": after("AUTH PLAIN AGJvYgB3cm9uZw=="),
        "after STARTTLS": after("STARTTLS x"),
        "twice": twice,
        "STARTTLS inside": starttls_inside,
        "grouped inside": grouped_inside,
        "offered inside": offered_inside,
    },
    "5": MALFORMED,
    "8": {"recorded": recorded, "line": replayed_line, "whole": replayed_whole, "records": replayed_records},
    "10": BAD_KEYS,
}

for word, suite in (("classical", SUITE), ("hybrid", HYBRID)):
    for name, attack in ROWS[sys.argv[2]].items():
        try:
            result = " | ".join(attack())
        except (OSError, ProtocolError, CryptoError) as fault:
            result = "%s: %s" % (type(fault).__name__, fault)
        print("%s, %s: %s" % (word, name, result), flush=True)
