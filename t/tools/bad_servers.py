"""bad_servers.py list | bad_servers.py ADDRESS NOTES - hostile mail hosts for blackpony-mailer. Called
by t/52-injection.sh.

Each attack has an address of its own, the first of which is ADDRESS, port 25. It is made on the first
so many connections; from then on the host is honest. "list" prints the names in the order of the
addresses. Each connection becomes one line in the file NOTES: the attack's name, how the mail host
was spoken to (xpony, plain, or gone: not beyond EHLO) and how many messages it was given.
"""
import collections
import ipaddress
import os
import socketserver
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from pony_crypto import CryptoError
from pony_peer import Mailbox, ProtocolError, Server, add, cut, drop, flip, put

FLOOD = 2000 * b"250-AUTH PLAIN\r\n"  # its first octets are a record's length: as long as that
ALWAYS = 3  # as many connections as one delivery makes


class Greedy(Mailbox):
    """Offers inside what must not be taken there, and swallows it."""

    def answer(self, peer, line):
        if line.upper().startswith(b"EHLO"):
            self.commands.append(line)
            peer.say(250, b"greedy", b"STARTTLS", b"AUTH PLAIN LOGIN", b"PIPELINING", peer.offer)
            return True
        assert line.split()[0].upper() not in (b"XPONY", b"STARTTLS", b"AUTH")
        return super().answer(peer, line)


class Attack:
    def __init__(self, times, hooks=None, box=Mailbox, **how):
        self.times, self.hooks, self.box, self.how = times, hooks, box, how


def hang_up(*_):
    raise ConnectionAbortedError


def other_suite(greeting, _):
    return greeting.replace(b"x25519-chachapoly", b"x25519-future")


def zero_key(greeting, _):
    words = greeting.split(b" ")
    return b" ".join(words[:5] + [b"A" * 43] + words[6:])


ATTACKS = {
    "after-reply": Attack(1, {"reply": add(FLOOD)}),
    "before-reply": Attack(1, {"reply": lambda reply, _: b"250 2.0.0 injected\r\n" + reply}),
    "key-flipped": Attack(1, {"message3": flip(3)}),
    "key-flipped-always": Attack(ALWAYS, {"message3": flip(3)}),
    "tag-flipped": Attack(1, {"message3": flip(-1)}),
    "cut": Attack(1, {"message3": cut(63)}),
    "empty": Attack(1, {"message3": drop}),
    "longer": Attack(1, {"message3": add(b"\0")}),
    "padded": Attack(1, {"base64": add(b"==")}),
    "other-code": Attack(1, {"reply": lambda reply, _: b"250" + reply[3:]}),
    "other-prologue": Attack(1, {"prologue": flip(-1)}),
    "critical": Attack(1, {"payload3": put(b"\x9f\0\1?")}),
    "refused-454": Attack(ALWAYS, {"reply": put(b"454 4.7.0 Encryption failed\r\n")}),
    "refused-504": Attack(1, {"reply": put(b"504 5.5.4 Cipher suite not available\r\n")}),
    "hangs-up": Attack(1, {"reply": hang_up}),
    "hangs-up-always": Attack(ALWAYS, {"reply": hang_up}),
    "zero-key": Attack(1, {"greeting": zero_key}, by=("hint",)),
    "two-offers": Attack(ALWAYS, {"greeting": other_suite}),
    "no-offer": Attack(ALWAYS, by=()),
    "no-hint": Attack(ALWAYS, by=("keyword",)),
    "no-keyword": Attack(ALWAYS, by=("hint",)),
    "rot-offered": Attack(ALWAYS, rot_=13),
    "offers-inside": Attack(ALWAYS, box=Greedy),
    "size-before": Attack(ALWAYS, {"ehlo-reply": lambda reply, _: b"250-SIZE 1\r\n" + reply},
                          by=("keyword",)),
}
counts = collections.Counter()
lock = threading.Lock()


class Host(socketserver.BaseRequestHandler):
    def handle(self):
        name = self.server.name
        with lock:
            counts[name] += 1
            hostile = counts[name] <= ATTACKS[name].times
        attack = ATTACKS[name] if hostile else Attack(0)
        box = attack.box()
        how = "gone"
        try:
            peer = Server(self.request, hooks=attack.hooks, name=name, timeout=20, **attack.how)
            peer.greet()
            how = "xpony"
            hello = peer.accept()
            if hello is None:
                how = "plain" if peer.text else "gone"
            box.serve(peer, hello)
        except (OSError, ProtocolError, CryptoError):
            pass
        with lock, open(sys.argv[2], "a") as notes:
            notes.write("%s %s %d\n" % (name, how, len(box.messages)))


class Listener(socketserver.ThreadingTCPServer):
    allow_reuse_address = daemon_threads = True


if sys.argv[1] == "list":
    print("\n".join(ATTACKS))
    sys.exit()
first = ipaddress.ip_address(sys.argv[1])
for i, name in enumerate(ATTACKS):
    listener = Listener((str(first + i), 25), Host)
    listener.name = name
    threading.Thread(target=listener.serve_forever).start()
