"""heard.py - what a wiretap hears of SMTP. Called by shell tests.

    heard.py PCAP [ADDRESS]

Prints the octets of all connections to port 25 in the recording (Ethernet), or those to that
server: for each what the client said, then what the server said, put together in order, so that
no line is missed for being split over packets. An empty line stands where the tap lost some.
"""
import ipaddress
import struct
import sys

PORT = 25


def packets(data):
    """The Ethernet frames of a pcap file."""
    if data[:4] != b"\xd4\xc3\xb2\xa1" or struct.unpack_from("<I", data, 20)[0] != 1:
        sys.exit("heard.py: no pcap file of Ethernet frames")
    at = 24
    while at + 16 <= len(data):
        length = struct.unpack_from("<I", data, at + 8)[0]
        yield data[at + 16:at + 16 + length]
        at += 16 + length


def segment(frame):
    """(source, destination, TCP segment) of a frame, or None."""
    kind = frame[12:14]
    if kind == b"\x08\x00" and frame[23] == 6:
        begin = 14 + 4 * (frame[14] & 15)
        end = 14 + struct.unpack_from("!H", frame, 16)[0]
        return frame[26:30], frame[30:34], frame[begin:end]
    if kind == b"\x86\xdd" and frame[20] == 6:
        end = 54 + struct.unpack_from("!H", frame, 18)[0]
        return frame[22:38], frame[38:54], frame[54:end]
    return None


class Side:
    """What one end of a connection said."""

    def __init__(self):
        self.first = None
        self.segments = {}

    def add(self, tcp):
        seq = struct.unpack_from("!I", tcp, 4)[0]
        octets = tcp[4 * (tcp[12] >> 4):]
        if self.first is None:  # a SYN counts as one octet
            self.first = seq + (tcp[13] >> 1 & 1)
        if len(octets) > len(self.segments.get(seq, b"")):
            self.segments[seq] = octets

    def text(self):
        out = bytearray()
        at = 0
        for begin, octets in sorted(((seq - self.first) & 0xffffffff, octets)
                                    for seq, octets in self.segments.items()):
            if begin > at:
                out += b"\n\n"
                at = begin
            out += octets[at - begin:]
            at = max(at, begin + len(octets))
        return bytes(out)


def main():
    wanted = ipaddress.ip_address(sys.argv[2]) if len(sys.argv) > 2 else None
    connections = {}
    with open(sys.argv[1], "rb") as file:
        data = file.read()
    for source, to, tcp in filter(None, map(segment, packets(data))):
        from_port, to_port = struct.unpack_from("!HH", tcp)
        if PORT not in (from_port, to_port):
            continue
        is_client = to_port == PORT
        key = (source, from_port, to) if is_client else (to, to_port, source)
        if wanted is None or ipaddress.ip_address(key[2]) == wanted:
            connections.setdefault(key, (Side(), Side()))[0 if is_client else 1].add(tcp)
    for sides in connections.values():
        for side in sides:
            sys.stdout.buffer.write(side.text() + b"\n")


if __name__ == "__main__":
    main()
