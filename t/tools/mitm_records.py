"""mitm_records - what a man in the middle can do with records that he cannot read. Used by t/tools/mitm.py.

A splice is a function of two peers, the client and the server, behind whose upgrade it passes on what
comes; it ends by Gone. RECORDS has one for each thing that can be done to a record, each side and each
place in the row: "dropc3" leaves out the client's record 3, counted from 0.
"""
import select
import socket
import struct

CUT = 1000  # octets of records that the client may send: two commands, and the message's beginning
IDLE = 30
STUCK = 1.5  # seconds of silence after which nobody will say anything more, for a record is missing
REPLIES = 2000 * b"250 2.0.0 injected\r\n"  # its first octets are a record's length: as long as that


class Gone(Exception):
    """One side has closed the connection, or the attack does."""


def pass_on(client, server, change=lambda octets, is_client: [octets], idle=lambda: IDLE):
    """change: pairs of octets and whether they go to the client, or octets to the other side."""
    for peer in (client, server):
        peer.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    waiting = {client: client.text, server: server.text}
    while True:
        for peer, other in ((client, server), (server, client)):
            if waiting[peer]:
                for octets in change(waiting[peer], peer is client):
                    to, octets = octets if isinstance(octets, tuple) else (None, octets)
                    {True: client, False: server, None: other}[to].sock.sendall(octets)
            waiting[peer] = b""
        ready = select.select([client.sock, server.sock], [], [], idle())[0]
        if not ready:
            raise Gone
        for peer in (client, server):
            if peer.sock in ready:
                waiting[peer] = peer.sock.recv(65536)
                if not waiting[peer]:
                    raise Gone


def by_octets(client, server):
    """Each in a segment of its own."""
    pass_on(client, server, lambda octets, _: [octets[i:i + 1] for i in range(len(octets))])


def once(client, server):
    """To the end of what the server says first."""
    def change(octets, is_client):
        yield octets
        if not is_client:
            raise Gone
    pass_on(client, server, change)


def inject(client, server):
    """In a segment of its own, between the reply in clear and the first record."""
    client.sock.sendall(REPLIES)
    pass_on(client, server)


def at_octet(changed):
    """Changes the client's octet CUT, or ends there."""
    sent = 0

    def change(octets, is_client):
        nonlocal sent
        here = CUT - sent
        if not is_client or not 0 <= here < len(octets):
            sent += len(octets) if is_client else 0
            yield octets
            return
        yield octets[:here]
        if not changed:
            raise Gone
        sent += len(octets)
        yield bytes([octets[here] ^ 1]) + octets[here + 1:]
    return lambda client, server: pass_on(client, server, change)


# --- whole records ---

class Row:
    """What has come from one side, taken apart."""

    def __init__(self):
        self.octets, self.count, self.kept = b"", 0, b""

    def records(self, octets):
        self.octets += octets
        while len(self.octets) >= 2:
            n = 2 + struct.unpack("!H", self.octets[:2])[0]
            if len(self.octets) < n:
                return
            record, self.octets = self.octets[:n], self.octets[n:]
            yield self.count, record
            self.count += 1


def flip(row, record, _):
    middle = len(record) // 2
    yield record[:middle] + bytes([record[middle] ^ 0x10]) + record[middle + 1:]


def longer(row, record, _):
    """Its length is a lie."""
    yield struct.pack("!H", len(record) - 1) + record[2:]


def drop(row, record, _):
    yield b""


def repeat(row, record, _):
    yield record + record


def swap(row, record, _):
    row.kept = record
    yield b""


def reflect(row, record, is_client):
    yield is_client, record


def old(row, record, _):
    """The first one again, in the place of this."""
    yield row.first


def cut(row, record, _):
    yield record[:len(record) // 2]
    raise Gone


def end(row, record, _):
    """Between two records."""
    raise Gone
    yield


OPERATIONS = {operation.__name__: operation for operation in (flip, longer, drop, repeat, swap, reflect, old, cut, end)}


def on_record(operation, of_client, index):
    def attack(client, server):
        rows = {True: Row(), False: Row()}
        done = False

        def change(octets, is_client):
            nonlocal done
            row = rows[is_client]
            for nth, record in row.records(octets):
                row.first = record if nth == 0 else row.first
                if is_client != of_client or nth != index:
                    yield record + row.kept
                    row.kept = b""
                    continue
                done = True
                yield from operation(row, record, is_client)
        pass_on(client, server, change, lambda: STUCK if done else IDLE)
    return attack


def of_records(sides):
    """sides: "c" and "s", each with the numbers of its records."""
    return {"%s%s%d" % (name, side, index): on_record(operation, side == "c", index)
            for side, indices in sides.items() for index in indices for name, operation in OPERATIONS.items()}
