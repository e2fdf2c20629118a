"""peers.py - mail hosts that misbehave as told, all at once, each on port 25 of its own address.
Called by t/5*.sh through t/lib/peers.sh.

    peers.py TABLE LOG

TABLE has a line a host: ADDRESS, NAME and what it does, with tabs between. What it does:

    pipelining, xpony, keyword   what it offers; keyword: XPONY, but not in the greeting
    starttls                     a keyword that it offers and refuses
    auth                         AUTH PLAIN, and takes whatever it is told
    STEP=REPLY                   what it says at a step: greeting ehlo helo xpony mail rcpt rcpt:LOCALPART
                                 data body dot, clear (EHLO before XPONY). After a 421 it closes the connection
    STEP=die                     closes the connection instead
    STEP=half                    says the usual, but half of that record only, and closes
    STEP=mute                    says nothing at all, for a minute
    always                       at every connection; else at the first alone

body is in the middle of the message, dot after its end. To LOG go lines "taken NAME xpony|plain SUBJECT
RECIPIENT..." for a message that the host has taken or died with, and "said NAME LINE" for commands.
"""
import os
import socket
import struct
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../lib"))
from pony_crypto import CryptoError
from pony_peer import EHLO, Server
from pony_stream import ProtocolError, Truncated

USUAL = {
    "ehlo": "250 Hello", "helo": "250 Hello", "mail": "250 2.1.0 Ok", "rcpt": "250 2.1.5 Ok", "data": "354 Go ahead",
    "dot": "250 2.0.0 Taken", "rset": "250 2.0.0 Ok", "noop": "250 2.0.0 Ok", "auth": "235 2.7.0 Ok",
    "starttls": "454 4.7.0 Not now", "quit": "221 2.0.0 Bye",
}
EARLY = 20000  # octets of a message that count as its middle
MUTE = 60


class Died(Exception):
    """The host has closed the connection, as told."""


class Moody(Server):
    """One connection of a host."""

    def __init__(self, sock, host, moody):
        by = ("keyword",) if "keyword" in host.words else ("hint", "keyword")
        super().__init__(sock, name=host.name, by=by, hooks={"ehlo-reply": self.clear})
        self.host = host
        self.steps = host.steps if moody else {}
        self.recipients = []

    def end(self):
        """With a reset where the client is still writing, as the death of a host has it."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 0, 0))
        raise Died

    def tell(self, text):
        """A reply, its lines between slashes."""
        lines = [line.encode() for line in text.split("/")]
        self.say(int(lines[0][:3]), *[lines[0][4:]] + lines[1:])
        if text.startswith("421"):
            raise Died

    def react(self, *steps):
        """The reply at a step, or what there is instead; its code."""
        mood = next((self.steps[s] for s in steps if s in self.steps), "")
        usual = self.ehlo_text() if steps[-1] == "ehlo" else USUAL.get(steps[-1], "500 5.5.1 What?")
        if mood == "mute":
            time.sleep(MUTE)
        if mood in ("die", "mute"):
            raise Died
        if mood == "half":
            self.hooks["flight"] = lambda octets, nth: octets[:len(octets) // 2]
            self.tell(usual)
            raise Died
        text = mood or usual
        self.tell(text)
        return int(text[:3])

    def ehlo_text(self):
        inside = self.tx is not None
        offers = {"pipelining": "PIPELINING", "starttls": "STARTTLS", "auth": "AUTH PLAIN"}
        keywords = [offers[w] for w in offers if w in self.host.words and not (inside and w == "starttls")]
        return "/".join(["250 " + self.host.name, "ENHANCEDSTATUSCODES", "DSN"] + keywords)

    def greeting(self):
        if "greeting" in self.steps:
            return self.react("greeting") < 400
        if self.host.offers_xpony:
            self.greet()
        else:
            self.tell("220 %s ESMTP" % self.host.name)
        return True

    def clear(self, octets, _):
        if "clear" in self.steps:
            self.react("clear")
            return b""
        return octets

    def upgrade(self, line):
        self.host.note("said", line)
        if "xpony" in self.steps:
            self.react("xpony")
            return {}
        return super().upgrade(line)

    def serve(self):
        """The whole dialogue."""
        early = b""
        if not self.greeting():
            return self.refuse()
        if self.host.offers_xpony:
            hello = self.accept() or {}
            early = hello.get(EHLO, b"") + b"\r\n" if EHLO in hello else b""
        line = early or self.line()
        while line and self.command(line):
            line = self.line()

    def refuse(self):
        """After a greeting that was none (RFC 5321 section 3.1)."""
        while (line := self.line()) and not line.upper().startswith(b"QUIT"):
            self.tell("503 5.5.1 No")

    def command(self, line):
        self.host.note("said", line)
        verb = line.split()[0].decode().lower() if line.split() else ""
        if verb == "rcpt":
            address = line.decode().partition("<")[2].partition(">")[0]
            if self.react("rcpt:" + address.partition("@")[0], "rcpt") == 250:
                self.recipients.append(address)
        elif verb == "data" and not self.recipients:
            self.tell("554 5.5.1 No valid recipients")
        elif verb == "data":
            if self.react("data") == 354:
                self.message()
        else:
            if verb in ("mail", "rset"):
                self.recipients = []
            self.react(verb)
        return verb != "quit"

    def message(self):
        subject, seen = "-", 0
        while (line := self.line()) != b".\r\n":
            seen += len(line)
            if not line:
                raise Died
            if line.startswith(b"Subject: ") and subject == "-":
                subject = line[9:].decode().strip()
            if seen > EARLY and "body" in self.steps:
                self.end() if self.steps["body"] == "die" else self.react("body")
        mood = self.steps.get("dot", "250")
        if mood[0] not in "45":
            kind = "xpony" if self.tx else "plain"
            self.host.note("taken", " ".join([kind, subject] + self.recipients).encode())
        self.react("dot")
        self.recipients = []


class Host:
    log, lock = None, threading.Lock()

    def __init__(self, line):
        address, self.name, *words = line.rstrip("\n").split("\t")
        self.words = [w for w in words if "=" not in w]
        self.steps = dict(w.split("=", 1) for w in words if "=" in w)
        self.offers_xpony = "xpony" in words or "keyword" in words
        self.visits = 0
        self.listener = socket.create_server((address, 25), backlog=64)

    def note(self, what, octets):
        with self.lock:
            text = octets.decode("latin-1").rstrip()
            self.log.write("%s %s %s\n" % (what, self.name, text))
            self.log.flush()

    def run(self):
        while True:
            sock = self.listener.accept()[0]
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.visits += 1
            moody = self.visits == 1 or "always" in self.words
            threading.Thread(target=self.visit, args=(sock, moody), daemon=True).start()

    def visit(self, sock, moody):
        peer = Moody(sock, self, moody)
        try:
            peer.serve()
            if peer.tx:
                peer.close()
        except (Died, OSError, Truncated):
            pass
        except (ProtocolError, CryptoError) as fault:
            self.note("fault", ("%s %s" % (type(fault).__name__, fault)).encode())
        sock.close()


def main():
    Host.log = open(sys.argv[2], "a")
    with open(sys.argv[1], newline="\n") as table:
        hosts = [Host(line) for line in table]
    for host in hosts:
        threading.Thread(target=host.run, daemon=True).start()
    print("ready", flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    main()
