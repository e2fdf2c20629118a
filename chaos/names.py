"""names.py ADDRESS LIE - a name server that is no good, in the place of the true one. Called by saboteur.py on host wire.

Answers on port 53 of ADDRESS, UDP and TCP, until it is killed. It knows the world of chaos/run: dN.test has the mail host mx.dN.test
with 10.77.0.(100+N). The lies are the functions below.
"""
import random
import select
import socket
import struct
import sys
import time

A, MX = 1, 15
TRUNCATED, ANSWER = 0x0200, 0x8580
SERVFAIL, NXDOMAIN, REFUSED = 2, 3, 5


def wire(name):
    return b"".join(bytes([len(label)]) + label.encode() for label in name.split(".")) + b"\0"


class Query:
    def __init__(self, octets):
        self.id, at, labels = struct.unpack("!H", octets[:2])[0], 12, []
        while octets[at]:
            labels.append(octets[at + 1:at + 1 + octets[at]].decode("latin-1").lower())
            at += 1 + octets[at]
        self.name, self.question = ".".join(labels), octets[12:at + 5]
        self.kind = struct.unpack("!H", octets[at + 1:at + 3])[0]

    def true(self, address=None, host=None):
        """The record that is asked for; NODATA for all else."""
        if self.kind == MX and self.name.startswith("d"):
            return [struct.pack("!H", 0) + wire(host or "mx." + self.name)]
        if self.kind == A and self.name.startswith("mx."):
            number = int(self.name.split(".")[1][1:] or 0) if self.name[4:-5].isdigit() else 0
            return [socket.inet_aton(address or "10.77.0.%d" % (100 + number))]
        return []

    def answer(self, records, flags=ANSWER, count=None):
        return struct.pack("!HHHHHH", self.id, flags, 1, count or len(records), 0, 0) + self.question + b"".join(
            b"\xc0\x0c" + struct.pack("!HHIH", self.kind, 1, 5, len(data)) + data for data in records)


def slow(query):
    time.sleep(random.uniform(0.3, 2))
    return query.answer(query.true())


def late(query):
    """Behind what the asker waits for."""
    time.sleep(6)
    return query.answer(query.true())


def wrong_address(query):
    return query.answer(query.true(address=random.choice(("10.77.0.1", "10.77.0.53", "10.77.0.250", "127.0.0.1", "0.0.0.0",
                                                          "255.255.255.255", "224.0.0.1"))))


def wrong_host(query):
    return query.answer(query.true(host=random.choice(("mx.nowhere.test", "mail.a.test", "localhost", "mail.b.test",
                                                       "mx." + "x" * 63 + ".test", "1.2.3.4"))))


def null_mx(query):
    return query.answer(query.true(host="")) if query.kind == MX else query.answer(query.true())


def nxdomain(query):
    return query.answer([], ANSWER | NXDOMAIN)


def nodata(query):
    return query.answer([])


def servfail(query):
    return query.answer([], ANSWER | random.choice((SERVFAIL, REFUSED)))


def garbage(query):
    return random.choice((
        random.randbytes(random.randrange(600)),
        struct.pack("!HH", query.id, ANSWER) + random.randbytes(random.randrange(600)),
        query.answer(query.true(), count=60000),
        query.answer([random.randbytes(random.randrange(40))]),
        query.answer([struct.pack("!H", 0) + b"\xc0" + bytes([12 + len(query.question) + 12])]),  # a name that is itself
        query.answer(query.true())[:-random.randrange(1, 12)],
    ))


def stranger(query):
    """An answer to another question."""
    query.id ^= random.randrange(1, 65536)
    return query.answer(query.true(address="10.77.0.250", host="mx.nowhere.test"))


def truncated(query):
    """And nothing there by TCP."""
    return query.answer([], ANSWER | TRUNCATED)


LIES = (slow, late, wrong_address, wrong_host, null_mx, nxdomain, nodata, servfail, garbage, stranger, truncated)


def main():
    lie = {lie.__name__.replace("_", "-"): lie for lie in LIES}[sys.argv[2]]
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    udp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    udp.bind((sys.argv[1], 53))
    tcp = socket.create_server((sys.argv[1], 53), backlog=64)
    while True:
        if tcp in select.select([udp, tcp], [], [])[0]:
            tcp.accept()[0].close()
            continue
        octets, asker = udp.recvfrom(4096)
        try:
            udp.sendto(lie(Query(octets)), asker)
        except (OSError, IndexError, struct.error):
            pass


if __name__ == "__main__":
    main()
