"""forger.py client HOST | forger.py check LOG - names that would forge lines of a log, and a strict look at
what the log made of them. Called by t/523-forged-lines.sh.

client: sessions with HOST, each of which says one of NASTY wherever a name or a text may stand: in clear, inside
an upgrade, as early data, in the upgrade line. A message of each arrives at bob@b.test. While the first is
open it waits until the file /run/go is there.

check: each line of LOG must be one of a program's, with time and name; those of blackpony are taken apart as
lib/log.h says they can be: key=value outside quotes, each key a known one and once, nothing but printable ASCII.
Prints what is wrong, one line each, then how many lines of blackpony it has seen.
"""
import os
import re
import socket
import sys
import time
from concurrent.futures import ThreadPoolExecutor

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from pony_crypto import CryptoError
from pony_peer import Client, ProtocolError, put
from pony_stream import EHLO, SERVER_NAME, tlv

KEY = b"SHA256:" + b"A" * 43
NASTY = [
    b"%n%n%s%s%100000d", b"\x1b[2J\x1b]0;owned\x07", b'x", stat="250 2.0.0 forged", suite="none',
    b"x, messages=99, suite=mlkem768x25519-chachapoly, key=" + KEY, b"caf\xc3\xa9\xff\x80\x7f", b"tab\tand;c=d",
    b"back\\slash\\012\\", b"x\0y", b"cr\rReceived: from forged.test", b"y" * 400, b"[192.0.2.1] (trusted) by b.test",
    b"Jan  1 00:00:00 blackpony-receiver[1]: peer=[192.0.2.1], messages=1",
]


# --- client ---

def connect(hooks=None):
    client = Client(socket.create_connection((sys.argv[2], 25)), hooks=hooks, timeout=60)
    client.greeting()
    return client


def say(client, line):
    client.write(line + b"\r\n")
    return client.reply()


def dialogue(client, nasty, subject):
    """Commands whose arguments are nasty, and an ordinary message."""
    if say(client, b"EHLO " + nasty)[0] != 250:
        say(client, b"EHLO c.test")
    say(client, b"MAIL FROM:<" + nasty + b"@c.test> " + nasty)
    say(client, b"VRFY " + nasty)
    say(client, nasty)
    say(client, b"RSET")
    say(client, b"MAIL FROM:<x@c.test>")
    say(client, b"RCPT TO:<" + nasty + b"@b.test>")
    say(client, b"RCPT TO:<bob@b.test>")
    say(client, b"DATA")
    say(client, b"Subject: " + subject + b"\r\n\r\n.")


def safely(attack, *arguments):
    try:
        attack(*arguments)
    except (OSError, ProtocolError, CryptoError):
        pass


def in_clear(nasty, number):
    client = connect()
    if number == 0:
        say(client, b"EHLO " + nasty)
        print("open", flush=True)
        while not os.path.exists("/run/go"):
            time.sleep(0.05)
    dialogue(client, nasty, b"clear %d" % number)
    say(client, b"QUIT")


def inside(nasty, number):
    client = connect()
    client.upgrade(client.hint, items=tlv(SERVER_NAME, b"mail.b.test"))
    dialogue(client, nasty, b"inside %d" % number)
    say(client, b"QUIT")


def payload(nasty):
    """As the name of the server, and as early data."""
    for items in (tlv(SERVER_NAME, nasty[:255]), tlv(EHLO, b"EHLO " + nasty), tlv(SERVER_NAME, nasty[:255])
                  + tlv(EHLO, b"EHLO x\r\n" + nasty)):
        safely(lambda: (lambda c: (c.upgrade(c.hint), say(c, b"NOOP"), say(c, b"QUIT")))(
            connect({"payload2": put(items)})))


def lines(nasty):
    """Where an upgrade is asked for, or nothing that is SMTP."""
    for line in (b"XPONY 1 " + nasty + b" AAAA", b"XPONY " + nasty, nasty, b"EHLO " + nasty):
        safely(lambda: say(connect(), line))


def attack(number, nasty):
    safely(in_clear, nasty, number)
    safely(inside, nasty, number)
    payload(nasty)
    lines(nasty)


def client():
    with ThreadPoolExecutor(5) as several:  # the receiver serves no more than ten at a time
        list(several.map(attack, range(len(NASTY)), NASTY))


# --- check ---

LINE = re.compile(r"[A-Z][a-z]{2} [ 0-9]\d \d\d:\d\d:\d\d (sendmail|sm-mta|sm-msp-queue|blackpony-mailer|"
                  r"blackpony-receiver|inetd)\[\d+\]: (.*)")
VALUE = r'("[^"]*"|[^ ,;="]+ \[[0-9a-zA-Z:.]+\]|[^ ,;="]*)'
PAIR = re.compile(r"(?:, )?([a-z-]+)=" + VALUE + r"(?=, |$)")
WORDS = {"no upgrade offered", "upgrade failed", "host key", "host turned down", "no back end", "no relaying",
         "session refused", "spoke before the greeting"}
SUITE = r"none|STARTTLS|ROT\d+|x25519-chachapoly|mlkem768x25519-chachapoly"
KEYS = {
    "peer": r"\[[0-9A-Fa-f:.IPv]+\]", "relay": r"[A-Za-z0-9._-]+ \[[0-9A-Fa-f:.IPv]+\]", "suite": SUITE,
    "key": r"SHA256:[A-Za-z0-9+/]{43}", "messages": r"\d+", "octets": r"\d+", "refused": r"\d+", "ms": r"\d+",
    "trust": r"[a-z]+", "helo": ".*", "meant": ".*", "stat": ".*", "reason": ".*", "fault": ".*", "next": ".*",
    "own-key": ".*", "destination": r"[A-Za-z0-9._-]+",
}


def faults(program, text):
    rest = re.sub(r"^[0-9A-Za-z]{14}: ", "", text)
    if not all(" " <= c <= "~" for c in text):
        yield "an octet that is not printable"
    words = re.match(r"[a-z ]+(?=, |$)", rest)
    if words:
        if words.group() not in WORDS:
            yield "unknown words"
        rest = rest[words.end():]
    seen = set()
    while rest and rest != "...":
        pair = PAIR.match(rest)
        if not pair:
            yield "no key=value: " + rest
            return
        key, value = pair.group(1), pair.group(2).strip('"')
        if key in seen:
            yield "twice: " + key
        if key not in KEYS or not re.fullmatch(KEYS[key], value):
            yield "no such key or value: " + pair.group()
        seen.add(key)
        rest = rest[pair.end():]
    if program == "blackpony-receiver" and "peer" not in seen:
        yield "whose?"


def check():
    count = 0
    with open(sys.argv[2], "rb") as log:
        for octets in log.read().split(b"\n")[:-1]:
            line = octets.decode("latin-1")
            match = LINE.fullmatch(line)
            if not match:
                print("no line of a program's: " + ascii(line))
            elif match.group(1).startswith("blackpony"):
                count += 1
                for fault in faults(*match.groups()):
                    print(fault + " in " + ascii(line))
    print("lines", count)


if __name__ == "__main__":
    client() if sys.argv[1] == "client" else check()
