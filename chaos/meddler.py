"""meddler.py LISTEN PORT-OF-HOST SEED SHARE - a man in the middle who breaks connections. Called by chaos/run on host m.

Passes what comes to LISTEN:25 on to that host's port 25. A SHARE of the connections (0 to 1) meet one fault each, at a
random octet of a random direction; which, by SEED and the connection's number. While /run/quiet is there he does nothing.
Each fault that happened is a line on standard output.
"""
import math
import os
import random
import select
import socket
import struct
import sys
import threading
import time

QUIET = "/run/quiet"
LAST = 60000  # the last octet at which a fault may strike; small numbers are likelier
FAULTS = ("reset", "end", "half", "stall", "freeze", "flip", "insert", "repeat", "drip")
IDLE = 20  # seconds in which neither says anything: a changed length made one of them wait


class Over(Exception):
    """The connection's end."""


class Line:
    """One connection, and the fault that it meets."""

    def __init__(self, number, client, host):
        self.rng = random.Random("%s/%d" % (sys.argv[3], number))
        self.number, self.socks, self.passed = number, (client, host), [0, 0]
        self.open = [True, True]
        self.fault = self.rng.choice(FAULTS) if self.rng.random() < float(sys.argv[4]) else None
        self.side = self.rng.randrange(2)
        self.place = int(math.exp(self.rng.uniform(0, math.log(LAST))))

    def end(self, reset):
        for sock in self.socks:
            if reset:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            sock.close()

    def strike(self, octets, to):
        """Does what self.fault says; what is left to be sent."""
        fault, self.fault = self.fault, None
        print(self.number, fault, "of client" if self.side == 0 else "of server", "at", self.place, flush=True)
        if fault == "reset" or fault == "end":
            self.end(fault == "reset")
            raise Over
        if fault == "half":
            to.shutdown(socket.SHUT_WR)
            self.open[self.side] = False
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
            return self.rng.randbytes(self.rng.randrange(1, 40)) + octets
        elif fault == "repeat":
            return octets[:1400] + octets
        elif fault == "drip":
            for at in range(min(60, len(octets))):
                to.sendall(octets[at:at + 1])
                time.sleep(0.02)
            return octets[60:]
        return octets

    def move(self, side):
        source, to = self.socks[side], self.socks[1 - side]
        octets = source.recv(16384)
        if not octets:
            self.open[side] = False
            to.shutdown(socket.SHUT_WR)
            return
        before = self.place - self.passed[side]
        self.passed[side] += len(octets)
        if self.fault and side == self.side and before < len(octets) and not os.path.exists(QUIET):
            before = max(before, 0)
            to.sendall(octets[:before])
            octets = self.strike(octets[before:], to)
        to.sendall(octets)

    def run(self):
        try:
            for sock in self.socks:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
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


def start(number, client):
    try:
        host = socket.create_connection((sys.argv[2], 25), 10)
        host.settimeout(None)
    except OSError:
        client.close()
        return
    Line(number, client, host).run()


def main():
    listener = socket.create_server((sys.argv[1], 25), backlog=1024)
    print("ready", flush=True)
    number = 0
    while True:
        client = listener.accept()[0]
        threading.Thread(target=start, args=(number, client), daemon=True).start()
        number += 1


if __name__ == "__main__":
    main()
