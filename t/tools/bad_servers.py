"""bad_servers.py list ROW | bad_servers.py ROW ADDRESS NOTES - hostile mail hosts for blackpony-mailer.
Called through t/lib/hostile.sh.

Each attack has an address of its own, the first of which is ADDRESS, port 25. It is made on the first
so many connections; from then on the host is honest. "list" prints the names in the order of the
addresses. Each connection becomes one line in the file NOTES: the attack's name, how the mail host
was spoken to (xpony, plain, or gone: not beyond EHLO) and how many messages it was given. What it was
told behind the upgrade is in NOTES.said, each line after the attack's name.
"""
import collections
import ipaddress
import os
import socketserver
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import pony_mlkem
from pony_crypto import LOW_ORDER, CryptoError
from pony_peer import Mailbox, ProtocolError, Server, add, flip, put
from pony_stream import HYBRID, KEM_KEY, SUITE, b64encode, kem_psk

ALWAYS = 3  # as many connections as one delivery makes
BOTH = HYBRID + "," + SUITE


class Greedy(Mailbox):
    """Offers inside what must not be taken there, and swallows it."""

    def answer(self, peer, line):
        if line.upper().startswith(b"EHLO"):
            self.commands.append(line)
            peer.say(250, b"greedy", b"STARTTLS", b"AUTH PLAIN LOGIN", b"PIPELINING", peer.offer)
            return True
        assert line.split()[0].upper() not in (b"XPONY", b"STARTTLS", b"AUTH")
        return super().answer(peer, line)


def offering(*keywords):
    """Offers these inside."""
    class Offering(Mailbox):
        def answer(self, peer, line):
            if line.upper().startswith(b"EHLO"):
                self.commands.append(line)
                peer.say(250, b"inside", *keywords)
                return True
            return super().answer(peer, line)
    return Offering


class LowOrder(Server):
    """A handshake that a client would accept which does not look at the results: they are all zero."""
    point = None

    def message3(self, noise, hello):
        message = noise.encrypt(self.point)
        noise.mix_key(bytes(32))
        return self.rest(noise, hello, message)

    def rest(self, noise, hello, message):
        if noise.psk:
            shared, ct = pony_mlkem.encaps(hello[KEM_KEY], bytes(32))
            noise.mix_psk(kem_psk(shared, hello[KEM_KEY], ct))
            message = ct + message
        return message + noise.encrypt(b"")


class Attack:
    def __init__(self, times, hooks=None, box=Mailbox, kind=Server, suites=BOTH, **how):
        self.times, self.hooks, self.box, self.kind = times, hooks, box, kind
        self.how = dict(how, suites=suites)


def hang_up(*_):
    raise ConnectionAbortedError


def with_key(point):
    """In the offer of the greeting."""
    def change(greeting, _):
        words = greeting.split(b" ")
        return b" ".join(words[:5] + [b64encode(point)] + words[6:])
    return change


def keywords(*words):
    """In the EHLO reply in clear."""
    return lambda reply, _: b"".join(b"250-%s\r\n" % word for word in words) + reply


def static(point):
    return type("Low", (LowOrder,), {"point": point})


EXTENSIONS = (b"SIZE 1", b"8BITMIME", b"DSN", b"DELIVERBY 1", b"CHUNKING", b"AUTH PLAIN LOGIN", b"ENHANCEDSTATUSCODES")

ROWS = {
    "3": {
        "before": Attack(ALWAYS, {"ehlo-reply": keywords(*EXTENSIONS)}, offering(b"HELP"), by=("keyword",)),
        "inside": Attack(ALWAYS, {}, offering(b"SIZE 1000000", b"8BITMIME", b"DSN", b"PIPELINING"), by=("keyword",)),
        "hint": Attack(ALWAYS, {}, offering(b"HELP")),
    },
    "4": {"offers-inside": Attack(ALWAYS, box=Greedy)},
    "7": {
        "padded": Attack(1, {"base64": add(b"==")}),
        "other-prologue": Attack(1, {"prologue": flip(-1)}),
        "critical": Attack(1, {"payload3": put(b"\x9f\0\1?")}),
        "twice": Attack(1, {"payload3": put(b"\x1f\0\0\x1f\0\0")}),
        "cut-item": Attack(1, {"payload3": put(b"\x1f\0\1")}),
        "refused-504": Attack(1, {"reply": put(b"504 5.5.4 Cipher suite not available\r\n")}),
        "hangs-up": Attack(1, {"reply": hang_up}),
        "key-flipped-always": Attack(ALWAYS, {"message3": flip(-60)}),
        "refused-454": Attack(ALWAYS, {"reply": put(b"454 4.7.0 Encryption failed\r\n")}),
        "hangs-up-always": Attack(ALWAYS, {"reply": hang_up}),
    },
    "10": {
        **{"e%d" % i: Attack(1, {"greeting": with_key(point)}, by=("hint",)) for i, point in enumerate(LOW_ORDER)},
        **{"static%d" % i: Attack(1, kind=static(point), suites=HYBRID) for i, point in enumerate(LOW_ORDER)},
        **{"oldstatic%d" % i: Attack(1, kind=static(point), suites=SUITE) for i, point in enumerate(LOW_ORDER)},
        "ciphertext": Attack(1, {"message3": flip(0)}, suites=HYBRID),
        "ciphertext-end": Attack(1, {"message3": flip(1087, 128)}, suites=HYBRID),
        "ciphertext-short": Attack(1, {"message3": lambda m, _: m[1:]}, suites=HYBRID),
        "ciphertext-zero": Attack(1, {"message3": lambda m, _: bytes(1088) + m[1088:]}, suites=HYBRID),
        "no-ciphertext": Attack(1, {"message3": lambda m, _: m[1088:]}, suites=HYBRID),
    },
}
counts = collections.Counter()
lock = threading.Lock()


class Host(socketserver.BaseRequestHandler):
    def handle(self):
        name = self.server.name
        with lock:
            counts[name] += 1
            hostile = counts[name] <= attacks[name].times
        attack = attacks[name] if hostile else Attack(0)
        box = attack.box()
        how = "gone"
        try:
            peer = attack.kind(self.request, hooks=attack.hooks, name=name, timeout=20, **attack.how)
            peer.greet()
            how = "xpony"
            hello = peer.accept()
            if hello is None:
                how = "plain" if peer.text else "gone"
            box.serve(peer, hello)
        except (OSError, ProtocolError, CryptoError):
            pass
        with lock, open(sys.argv[3] + ".said", "ab") as said:
            said.writelines(name.encode() + b" " + line for line in box.commands)
        with lock, open(sys.argv[3], "a") as notes:
            notes.write("%s %s %d\n" % (name, how, len(box.messages)))


class Listener(socketserver.ThreadingTCPServer):
    allow_reuse_address = daemon_threads = True


if sys.argv[1] == "list":
    print("\n".join(ROWS[sys.argv[2]]))
    sys.exit()
attacks = ROWS[sys.argv[1]]
first = ipaddress.ip_address(sys.argv[2])
for i, name in enumerate(attacks):
    listener = Listener((str(first + i), 25), Host)
    listener.name = name
    threading.Thread(target=listener.serve_forever).start()
print("ready", flush=True)
