"""meddler.py LISTEN HOST SEED SHARE - a man in the middle who breaks connections. Called by chaos/run on host m.
meddler.py --kinds - the kinds of fault.

Passes what comes to LISTEN:25 on to HOST's port 25. A SHARE of the connections (0 to 1) meet one fault each, in a phase of
the session: which, where and how, by SEED and the connection's number (kinds.py has how to choose). Phases up to the
upgrade are read; behind it records say nothing, so they are counted by whose turn it is. Some connections end at a
stranger (stranger.py). While /run/quiet is there all pass. Each fault that happened is a line on standard output: seconds,
kind, connection, octet.
"""
import os
import random
import re
import select
import socket
import struct
import sys
import threading
import time

import kinds
import stranger

QUIET = "/run/quiet"
IDLE = 20  # seconds in which neither says anything: a changed length made one of them wait
SMALL = 200  # octets: a flight of commands is padded to more, QUIT is not

# Who speaks there: 0 the client, 1 the host; "connected" is before the first octet.
PHASES = {"connected": 1, "greeting": 1, "EHLO": 0, "keywords": 1, "handshake-2": 0, "handshake-3": 1, "envelope": 0,
          "replies": 1, "body": 0, "verdict": 1, "QUIT": 0, "goodbye": 1}
FAULTS = ("reset", "end", "half", "stall", "freeze", "drip", "flip", "insert", "cut", "repeat")
NOTHING_THERE = ("flip", "cut", "repeat", "drip")  # nothing that these could do to a connection without an octet
KINDS = kinds.wanted(
    [fault + "@" + phase for phase in PHASES for fault in FAULTS if phase != "connected" or fault not in NOTHING_THERE]
    + ["refuse@connect"] + ["%s@stranger" % kind for kind in stranger.KINDS])
BEGIN = time.monotonic()


class Over(Exception):
    """The connection's end."""


class Phases:
    """Follows a session."""

    def __init__(self):
        self.now, self.sealed = "connected", False

    def turn(self, side, octets):
        """That side says this: the phase it belongs to."""
        word = octets[:6].upper()
        if self.now != "connected" and PHASES[self.now] == side:
            return self.now
        if not self.sealed:
            self.clear(side, word)
        elif side == 0:
            self.now = "QUIT" if len(octets) < SMALL else "body" if self.now == "replies" else "envelope"
        else:
            self.now = {"envelope": "replies", "body": "verdict", "QUIT": "goodbye"}[self.now]
        return self.now

    def clear(self, side, word):
        if side == 0:
            self.now = "handshake-2" if word == b"XPONY " else "EHLO" if word[:4] in (b"EHLO", b"HELO") else "QUIT"
        else:
            self.now = {"connected": "greeting", "EHLO": "keywords", "handshake-2": "handshake-3", "QUIT": "goodbye"}[self.now]
            self.sealed = self.now == "handshake-3"


class Line:
    """One connection, and the fault that it meets."""

    def __init__(self, number, rng, kind, client, host):
        self.rng, self.number, self.kind, self.socks = rng, number, kind, (client, host)
        self.open, self.passed, self.phases = [True, True], [0, 0], Phases()
        self.fault, _, self.phase = (kind or "").partition("@")
        self.place = self.rng.choice((0, self.rng.random(), 1))  # in the octets that are there then

    def end(self, reset):
        for sock in self.socks:
            if reset:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            sock.close()

    def strike(self, side, octets, to):
        """Does it; what is left to be sent. octets: what comes next, perhaps nothing."""
        fault, self.fault = self.fault, None
        tell(self.kind, self.number, "at %d" % self.passed[side])
        if fault in ("reset", "end"):
            self.end(fault == "reset")
            raise Over
        if fault == "half":
            to.shutdown(socket.SHUT_WR)
            self.open[side] = False
            return b""
        if fault == "stall":
            time.sleep(self.rng.uniform(0.1, 4))
        elif fault == "freeze":
            time.sleep(self.rng.uniform(5, 15))
            self.end(True)
            raise Over
        elif fault == "flip":
            return bytes([octets[0] ^ 1 << self.rng.randrange(8)]) + octets[1:]
        elif fault == "insert":
            return self.rng.choice((self.rng.randbytes(self.rng.randrange(1, 40)), b"220 ok\r\n", b"NOOP\r\n")) + octets
        elif fault == "cut":
            return octets[self.rng.randrange(1, 40):]
        elif fault == "repeat":
            return octets[:1400] + octets
        elif fault == "drip":
            for at in range(min(60, len(octets))):
                to.sendall(octets[at:at + 1])
                time.sleep(0.02)
            return octets[60:]
        return octets

    def meets(self, phase):
        """In a body that comes in many pieces, not always the first."""
        return self.fault and phase == self.phase and not os.path.exists(QUIET) and (
            phase != "body" or self.rng.random() < 0.6)

    def move(self, side):
        source, to = self.socks[side], self.socks[1 - side]
        octets = source.recv(16384)
        if not octets:
            self.open[side] = False
            to.shutdown(socket.SHUT_WR)
            return
        phase = self.phases.turn(side, octets)
        if phase == "greeting" and self.phase in ("EHLO", "keywords"):  # which the hint would save
            octets = re.sub(rb" XPONY 1 [^\r]*", b"", octets)
        if self.meets(phase):
            before = min(int(self.place * len(octets)), len(octets) - (self.fault in NOTHING_THERE))
            to.sendall(octets[:before])
            self.passed[side] += before
            octets = self.strike(side, octets[before:], to)
        if octets:
            to.sendall(octets)
        self.passed[side] += len(octets)

    def run(self):
        try:
            for sock in self.socks:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self.meets("connected"):
                octets = self.strike(1, b"", self.socks[0])
                self.socks[0].sendall(octets)
            while any(self.open):
                waiting = [sock for sock, is_open in zip(self.socks, self.open) if is_open]
                ready = select.select(waiting, [], [], IDLE)[0]
                if not ready:
                    break
                for sock in ready:
                    self.move(self.socks.index(sock))
            self.end(False)
        except Over:
            pass
        except OSError:
            self.end(True)


def tell(*words):
    print("%.1f" % (time.monotonic() - BEGIN), *words, flush=True)


def start(number, rng, kind, client):
    try:
        host = socket.create_connection((sys.argv[2], 25), 10)
        host.settimeout(None)
    except OSError:
        client.close()
        return
    if kind and kind.endswith("@stranger"):
        tell(kind, number, "at 0")
        stranger.stand_in(kind.partition("@")[0], client, host)
    else:
        Line(number, rng, kind, client, host).run()


def listen():
    return socket.create_server((sys.argv[1], 25), backlog=1024)


def main():
    listener, number = listen(), 0
    print("ready", flush=True)
    while True:
        client = listener.accept()[0]
        rng = random.Random("%s/%d" % (sys.argv[3], number))
        kind = rng.choice(KINDS) if KINDS and rng.random() < float(sys.argv[4]) and not os.path.exists(QUIET) else None
        if kind == "refuse@connect":
            tell(kind, number, "at 0")
            client.close()
            listener.close()
            time.sleep(rng.uniform(0.1, 2))
            listener = listen()
        else:
            threading.Thread(target=start, args=(number, rng, kind, client), daemon=True).start()
        number += 1


if __name__ == "__main__":
    main()
