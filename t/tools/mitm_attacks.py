"""mitm_attacks - what a man in the middle does, by name, in sets. Used by t/tools/mitm.py.

An attack changes the server's replies to a greeting, EHLO and XPONY and the client's XPONY line, answers
commands in the server's place, and passes records on in its own way.
"""
from mitm_records import REPLIES, Gone, at_octet, by_octets, inject, of_records, once, pass_on
from pony_peer import HYBRID, SUITE, add, cut, flip
from pony_stream import b64decode, b64encode

COMMANDS = b"EHLO injected.test\r\nMAIL FROM:<injected@evil.test>\r\nRCPT TO:<bob@b.test>\r\nDATA\r\n" \
    b"Subject: injected\r\n\r\n.\r\nQUIT\r\n"
INJECTED = b"250 2.0.0 injected\r\n"


# --- changes of what is said in clear ---

def without(*words):
    """Takes lines with these out of a reply, and an offer out of a greeting."""
    def change(reply):
        lines = [line for line in reply.splitlines(True) if not any(w in line[4:] for w in words)]
        lines[-1] = lines[-1][:3] + b" " + lines[-1][4:]
        return b"".join(lines)
    return change


def no_hint(greeting):
    return greeting.partition(b" XPONY")[0].rstrip() + b"\r\n" if b" XPONY" in greeting else greeting


def other_key(reply):
    before, mark, offer = reply.partition(b"XPONY 1 ")
    return before + mark + other_letter(offer, 10)


def classical(reply):
    return reply.replace(HYBRID.encode() + b",", b"")


def other_letter(octets, at):
    return octets[:at] + (b"B" if octets[at:at + 1] == b"A" else b"A") + octets[at + 1:]


def only_220(change):
    return lambda reply: change(reply) if reply.startswith(b"220") else reply


def behind(octets):
    return lambda said: said + octets


def message2(change):
    """change: of the octets that the XPONY line carries."""
    def change_line(line):
        *words, text = line.rstrip(b"\r\n").split(b" ")
        return b" ".join(words + [b64encode(change(b64decode(text), 1))]) + b"\r\n"
    return change_line


def message3(change):
    """change: of the octets that the reply carries."""
    def change_reply(reply):
        text = b64encode(change(b64decode(b"".join(line[4:] for line in reply.splitlines())), 1))
        lines = [text[i:i + 500] for i in range(0, len(text), 500)] or [b""]
        return b"".join(b"220-%s\r\n" % line for line in lines[:-1]) + b"220 %s\r\n" % lines[-1]
    return only_220(change_reply)


class Replay:
    """The first that comes by, in the place of all others; its own connection is lost."""
    recorded = None

    def __call__(self, octets):
        if self.recorded is None:
            self.recorded = octets
            raise Gone
        return self.recorded


def drop_long(line):
    if len(line) > 1000:
        raise Gone
    return line


# --- the attacks ---

NO_TLS = without(b"STARTTLS")
NO_OFFER = without(b"STARTTLS", b"XPONY")


class Attack:
    def __init__(self, greeting=None, ehlo=NO_TLS, xpony=None, line=None, answers=None, splice=pass_on):
        self.replies = {b"": greeting, b"EHLO": ehlo, b"XPONY": xpony}
        self.line, self.answers, self.splice = line, answers or {}, splice

    def reply(self, verb, octets):
        change = self.replies.get(verb)
        return change(octets) if change else octets


HONEST = Attack(ehlo=None)
REFUSED = {b"XPONY": b"500 5.5.1 Command unrecognized\r\n"}
STRIPPING = {
    "pass": HONEST,
    "hint": Attack(greeting=no_hint),
    "keyword": Attack(ehlo=NO_OFFER),
    "starttls": Attack(greeting=no_hint, ehlo=without(b"XPONY")),
    "tls": Attack(greeting=no_hint, ehlo=without(b"XPONY"), answers={b"STARTTLS": b"454 4.7.0 Not now\r\n"}),
    "strip": Attack(greeting=no_hint, ehlo=NO_OFFER),
    "suites": Attack(greeting=classical, ehlo=lambda reply: NO_TLS(classical(reply))),
    "refuse": Attack(answers=REFUSED),
    "long": Attack(line=drop_long),
}
# Of message 2 octets 0 to 31 are e, 32 to 79 the static key; the last 64 of message 3 are the static key
# and its empty payload's tag, and what is before them the KEM ciphertext.
HANDSHAKE = {
    "pass": HONEST,
    "offer": Attack(greeting=other_key, ehlo=lambda reply: NO_TLS(other_key(reply))),
    "command": Attack(line=lambda line: other_letter(line, 120)),
    "e": Attack(line=message2(flip(3))),
    "client": Attack(line=message2(flip(40))),
    "hello": Attack(line=message2(flip(-1))),
    "cuthello": Attack(line=message2(cut(-1))),
    "longhello": Attack(line=message2(add(b"\0"))),
    "ciphertext": Attack(xpony=message3(flip(100))),
    "server": Attack(xpony=message3(flip(-60))),
    "reply": Attack(xpony=message3(flip(-1))),
    "cutreply": Attack(xpony=message3(cut(-1))),
    "longreply": Attack(xpony=message3(add(b"\0"))),
    "emptyreply": Attack(xpony=message3(cut(0))),
    "code": Attack(xpony=only_220(lambda reply: reply.replace(b"220", b"250"))),
}
INJECTION = {
    "pass": HONEST,
    "drip": Attack(splice=by_octets),
    "commands": Attack(line=behind(COMMANDS)),
    "octet": Attack(line=behind(b"E")),
    "emptyline": Attack(line=behind(b"\r\n")),
    "greeting": Attack(greeting=behind(INJECTED)),
    "before": Attack(xpony=lambda reply: INJECTED + reply),
    "behind": Attack(xpony=only_220(behind(REPLIES))),
    "dripped": Attack(xpony=only_220(behind(REPLIES)), splice=by_octets),
    "next": Attack(splice=inject),
    "digit": Attack(xpony=only_220(behind(b"2")), splice=once),
    "lineend": Attack(xpony=only_220(behind(b"\r\n")), splice=once),
    "one": Attack(xpony=only_220(behind(INJECTED)), splice=once),
}
UNKNOWN = b"x25519-nobodyhasit"


def unknown_suites(reply):
    """An offer that nobody can take up: who wants one looks at the next."""
    return reply.replace(HYBRID.encode() + b"," + SUITE.encode(), UNKNOWN)


OFFERS = {
    "pass": HONEST,
    "greetingkey": Attack(greeting=other_key),
    "ehlokey": Attack(ehlo=lambda reply: NO_TLS(other_key(reply))),
    "suites": Attack(greeting=unknown_suites),
    "keyandsuites": Attack(greeting=lambda reply: unknown_suites(other_key(reply))),
    "ehlosuites": Attack(greeting=unknown_suites, ehlo=lambda reply: NO_TLS(classical(reply))),
}


def rot(reply):
    """ROT13 in the place of the offer."""
    return b"".join(line.partition(b"XPONY 1 ")[0] + b"XPONY 1 ROT13\r\n" if b"XPONY 1 " in line else line
                    for line in reply.splitlines(True))


# He takes up what he has offered himself: a client that did so would speak to him.
TAKEN = {b"XPONY": b"220 2.0.0 ROT13\r\n"}
ROT = {
    "pass": HONEST,
    "rot": Attack(greeting=rot, ehlo=lambda reply: NO_TLS(rot(reply)), answers=TAKEN),
    "keyword": Attack(greeting=no_hint, ehlo=lambda reply: NO_TLS(rot(reply)), answers=TAKEN),
    "greeting": Attack(greeting=rot, ehlo=NO_OFFER, answers=TAKEN),
    "suite": Attack(greeting=lambda reply: reply.replace(HYBRID.encode(), b"rot13"),
                    ehlo=lambda reply: NO_TLS(reply.replace(HYBRID.encode(), b"rot13"))),
}
SETS = {
    "policy": {
        **STRIPPING,
        "swap": None,
        "hostage": None,
        "offer": HANDSHAKE["offer"],
        "command": HANDSHAKE["command"],
        "reply": HANDSHAKE["reply"],
        "replay": Attack(line=Replay()),
        "truncate": Attack(splice=at_octet(False)),
        "flip": Attack(splice=at_octet(True)),
    },
    "offers": OFFERS,
    "rot": ROT,
    "keys": {"pass": HONEST, "swap": None, "hostage": None},
    "stripping": STRIPPING,
    "handshake": HANDSHAKE,
    "injection": INJECTION,
    "replay": {"pass": HONEST, "replay": Attack(line=Replay()), "reply": Attack(xpony=only_220(Replay()))},
    # The client's record 0 is the envelope and DATA; of a message that is long enough 1 to 4 are the body, with
    # the dot in the last; 5 is QUIT. The server's 2 is the reply to the dot, 3 that to QUIT. Both last ones are
    # the close as well.
    "records": {"pass": HONEST,
                **{name: Attack(splice=splice)
                   for name, splice in of_records({"c": (0, 1, 2, 4, 5), "s": range(4)}).items()}},
}
