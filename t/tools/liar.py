"""liar.py ADDRESS - a name server that lies, fails and babbles on ADDRESS, port 53, UDP and TCP.

Called by t/14-resolve.sh, t/1b-dnskeys.sh and t/519-lying-dns.sh. The first label of a name in liar.test. says what is
wrong with it, for _xpony names the second; the functions below say how. Everything else that it
knows is in hosts().
"""
import base64
import os
import select
import socket
import struct
import sys

A, NS, CNAME, SOA, MX, TXT, AAAA = 1, 2, 5, 6, 15, 16, 28
NOERROR, SERVFAIL, NXDOMAIN, REFUSED = 0, 2, 3, 5
QR, AA, TC, RD, RA, AD = 0x8000, 0x400, 0x200, 0x100, 0x80, 0x20


def wire(name):
    labels = [label for label in name.rstrip(".").split(".") if label]
    return b"".join(bytes([len(label)]) + label.encode("latin-1") for label in labels) + b"\0"


def rr(name, kind, data, length=None):
    return wire(name) + struct.pack("!HHIH", kind, 1, 60, len(data) if length is None else length) + data


def mx(owner, preference, host):
    return rr(owner, MX, struct.pack("!H", preference) + wire(host))


def a(owner, address):
    return rr(owner, A, socket.inet_aton(address))


def aaaa(owner, address):
    return rr(owner, AAAA, socket.inet_pton(socket.AF_INET6, address))


class Answer:
    def __init__(self, query):
        self.id, flags = struct.unpack("!HH", query[:4])
        self.flags = QR | AA | RA | (flags & RD)
        self.asks_ad = bool(flags & AD)
        labels, at = [], 12
        while query[at]:
            labels.append(query[at + 1:at + 1 + query[at]].decode("latin-1"))
            at += 1 + query[at]
        self.name = ".".join(labels).lower()
        self.kind = struct.unpack("!H", query[at + 1:at + 3])[0]
        self.question = query[12:at + 5]
        self.rcode = NOERROR
        self.records = []
        self.count = None
        self.raw = None
        self.silent = False
        self.udp_truncated = False

    def packet(self):
        if self.raw is not None:
            return self.raw
        count = len(self.records) if self.count is None else self.count
        return (struct.pack("!HHHHHH", self.id, self.flags | self.rcode, 1, count, 0, 0)
                + self.question + b"".join(self.records))


def hosts(x):
    """mx<N>.liar.test is 192.0.2.N and, when N is odd, 2001:db8::N."""
    n = int(x.name.split(".")[0][2:])
    if x.kind == A:
        x.records = [a(x.name, f"192.0.2.{n}")]
    elif x.kind == AAAA and n % 2:
        x.records = [aaaa(x.name, f"2001:db8::{n}")]


def cname_loop(x):
    """All of a circle of three in one answer."""
    ring = [x.name, "two.liar.test", "three.liar.test", x.name]
    x.records = [rr(ring[i], CNAME, wire(ring[i + 1])) for i in range(3)]


def chain(x):
    """One more alias at each question, without end; chain-stop-N stops after N."""
    parts = x.name.split(".")[0].split("-")
    n = int(parts[-1])
    if parts[1] == "stop" and n == 0:
        if x.kind == MX:
            x.records = [mx(x.name, 10, "mx1.liar.test")]
    else:
        step = n - 1 if parts[1] == "stop" else n + 1
        target = "-".join(parts[:-1] + [str(step)]) + ".liar.test"
        x.records = [rr(x.name, CNAME, wire(target))]


def hundred(x, preference=lambda i: i, count=100):
    if x.kind == MX:
        x.records = [mx(x.name, preference(i), f"mx{i % 250}.liar.test") for i in range(count, 0, -1)]
        x.udp_truncated = True


def strangers(x):
    """Records of others around, or instead of, those that were asked for."""
    if x.kind == MX:
        x.records = [mx("other.test", 1, "mx66.liar.test")]
        if x.name.startswith("strangers"):
            x.records += [mx(x.name, 10, "mx2.liar.test"), a("mx2.liar.test", "192.0.2.66"),
                          rr("other.test", CNAME, wire("mx66.liar.test"))]


def badnames(x):
    if x.kind == MX:
        x.records = [mx(x.name, 1, "mx\n250 ok.liar.test")] * 20 + [mx(x.name, 2, "%n%s.liar.test"),
                     mx(x.name, 3, "a" * 63 + "." + "b" * 63 + "." + "c" * 63 + "." + "\xff" * 60),
                     mx(x.name, 4, ""), mx(x.name, 5, "mx2.liar.test")]


def badlengths(x):
    """Lengths that do not fit what they measure, beside one good record."""
    if x.kind == MX:
        x.records = [rr(x.name, MX, b"\0"), rr(x.name, MX, b"\0\1" + wire("mx66.liar.test") + b"xx"),
                     mx(x.name, 10, "badaddress.liar.test")]
    elif x.kind == A:
        x.records = [rr(x.name, A, b"\x7f\0\1"), rr(x.name, A, b"\xc0\0\2\x42\0"), a(x.name, "192.0.2.7")]
    elif x.kind == AAAA:
        x.records = [rr(x.name, AAAA, b"\x7f\0\0\1"), rr(x.name, AAAA, b"")]


def pointer(x):
    """A compressed name that points to itself."""
    at = 12 + len(x.question) + len(wire(x.name)) + 10 + 2
    x.records = [rr(x.name, MX, struct.pack("!HH", 10, 0xC000 | at))]


def overrun(x):
    """A record that claims more octets than the message has."""
    x.records = [rr(x.name, MX, b"\0\1\0", 9000)]


def countlie(x):
    x.records = [mx(x.name, 10, "mx2.liar.test")]
    x.count = 60000


def wrongid(x):
    x.records = [mx(x.name, 10, "mx66.liar.test")]
    x.id ^= 0x5555


def wrongquestion(x):
    x.records = [mx(x.name, 10, "mx66.liar.test")]
    x.question = wire("other.test") + x.question[-4:]


def babble(x):
    x.raw = struct.pack("!HHHHHH", x.id, x.flags, 1, 7, 7, 7) + x.question + os.urandom(400)


def stump(x):
    x.raw = struct.pack("!HH", x.id, x.flags)


def lame(x):
    """Only the way to somebody else, from a server that does not go there itself."""
    x.flags &= ~(AA | RA)
    x.raw = (struct.pack("!HHHHHH", x.id, x.flags, 1, 0, 1, 1) + x.question
             + rr("test", NS, wire("ns.elsewhere.test")) + a("ns.elsewhere.test", "192.0.2.53"))


def signed(x):
    if x.asks_ad or x.name.startswith("pushy"):
        x.flags |= AD
    if x.kind == MX:
        x.records = [mx(x.name, 10, "mx2.liar.test")]


def mapped(x):
    if x.kind == MX:
        x.records = [mx(x.name, 10, x.name)]
    elif x.kind == AAAA:
        x.records = [aaaa(x.name, "::ffff:192.0.2.66"), aaaa(x.name, "2001:db8::66")]


def crowd(x):
    if x.kind == MX:
        x.records = [mx(x.name, 10, x.name)]
    elif x.kind == A:
        x.records = [a(x.name, f"198.51.100.{i}") for i in range(200)]


def mixed(x):
    """mixed-A-B: MX 10 A.liar.test, MX 20 B.liar.test."""
    if x.kind == MX:
        for i, host in enumerate(x.name.split(".")[0].split("-")[1:], 1):
            x.records.append(mx(x.name, 10 * i, f"{host}.liar.test"))


def half(x):
    """An address in one family, a failure in the other: a common broken load balancer."""
    if x.kind == MX:
        x.records = [mx(x.name, 10, x.name)]
    elif x.kind == A:
        x.records = [a(x.name, "192.0.2.9")]
    else:
        x.rcode = SERVFAIL


def unreachable_tcp(x):
    x.udp_truncated = True
    x.silent = "tcp"


def cut(x):
    """Cut off by UDP, and by TCP still."""
    x.udp_truncated = True
    x.flags |= TC
    x.records = [mx(x.name, 10, "mx2.liar.test")]


def dangling(x):
    x.records = [rr(x.name, CNAME, wire("gone.liar.test"))]
    x.rcode = NXDOMAIN


def rcode(code):
    def set_rcode(x):
        x.rcode = code
    return set_rcode


def silent(x):
    x.silent = True


def hosts_of(*wanted):
    """MX records of these preferences and hosts; the domain's own address is the client's."""
    def answer_mx(x):
        if x.kind == MX:
            x.records = [mx(x.name, preference, host or x.name) for preference, host in wanted]
        elif x.kind == A:
            x.records = [a(x.name, "10.77.0.1")]
    return answer_mx


def loopback(x):
    if x.kind == A:
        x.records = [a(x.name, "127.0.0.1")]


def far_hundred(x):
    """100 hosts to none of which there is a way."""
    if x.kind == MX:
        x.records = [mx(x.name, i, f"mx{150 + i}.liar.test") for i in range(100)]
        x.udp_truncated = True


def overlong(x):
    """A host's name of 320 octets."""
    x.records = [rr(x.name, MX, b"\0\1" + (b"\x3f" + b"a" * 63) * 5 + b"\0")]


def oversize(x):
    """Some 50000 octets by UDP, much more than anybody asked for."""
    x.records = [mx(x.name, 10, "mx2.liar.test")] + [txt(x.name, "x" * 200)] * 220


def fingerprint(octet):
    return "SHA256:" + base64.b64encode(bytes([octet] * 32)).decode().rstrip("=")


def txt(owner, *strings):
    return rr(owner, TXT, b"".join(bytes([len(s)]) + s.encode("latin-1") for s in strings))


def good_key(x, octet=1):
    return txt(x.name, "v=XPONY1; k=" + fingerprint(octet))


def keys_ad(x):
    """A good record with AD, asked for or not."""
    x.flags |= AD
    x.records = [good_key(x)]


def keys_denied_ad(x):
    x.flags |= AD


def keys_gone_ad(x):
    x.flags |= AD
    x.rcode = NXDOMAIN


def keys_overrun(x):
    """A string that is longer than its record, and a good record after it."""
    x.flags |= AD
    text = ("v=XPONY1; k=" + fingerprint(9)).encode()
    x.records = [rr(x.name, TXT, bytes([len(text) + 1]) + text), rr(x.name, TXT, b"\xff"), good_key(x)]


def keys_empty(x):
    """No string at all (RFC 1035 section 3.3.14 wants one), and one of no octets."""
    x.flags |= AD
    x.records = [rr(x.name, TXT, b""), rr(x.name, TXT, b"\0")]


def keys_strangers(x):
    """Keys of somebody else, of another type and of another class, with AD."""
    x.flags |= AD
    text = ("v=XPONY1; k=" + fingerprint(9)).encode()
    data = bytes([len(text)]) + text
    x.records = [txt("_xpony.other.test", text.decode()), rr(x.name, A, data), rr(x.name, 99, data),
                 wire(x.name) + struct.pack("!HHIH", TXT, 3, 60, len(data)) + data]


def keys_huge(x):
    """A record of 60000 octets, by TCP, and a good one."""
    x.flags |= AD
    x.udp_truncated = True
    x.records = [txt(x.name, *["v=XPONY1; x=" + "y" * 200] * 280), good_key(x)]


def keys_many(x):
    """More records than are looked at, more keys than are kept."""
    x.flags |= AD
    x.udp_truncated = True
    x.records = [good_key(x, 1 + i % 200) for i in range(600)]


def keys_noise(x):
    x.flags |= AD
    x.records = [rr(x.name, TXT, os.urandom(200)) for _ in range(5)]
    x.records += [txt(x.name, "v=XPONY1;" + os.urandom(60).decode("latin-1")) for _ in range(5)]


def keys_chain(x):
    """An alias to a host whose keys come without AD: the alias had it."""
    x.flags |= AD
    x.records = [rr(x.name, CNAME, wire("_xpony.plain.liar.test"))]


def keys_plain(x):
    x.records = [good_key(x)]


KEYS = {
    "ad": keys_ad, "plain": keys_plain, "denied": keys_denied_ad, "gone-ad": keys_gone_ad,
    "overrun": keys_overrun, "empty": keys_empty, "strangers": keys_strangers, "huge": keys_huge,
    "many": keys_many, "noise": keys_noise, "chain": keys_chain,
}
BEHAVIOUR = {
    "gone": rcode(NXDOMAIN), "servfail": rcode(SERVFAIL), "refused": rcode(REFUSED), "silent": silent,
    "empty": rcode(NOERROR), "loop": cname_loop, "two": cname_loop, "hundred": hundred,
    "equal": lambda x: hundred(x, lambda i: 5), "thousands": lambda x: hundred(x, lambda i: i % 7, 1200),
    "strangers": strangers, "onlystrangers": strangers, "badnames": badnames, "badlengths": badlengths,
    "badaddress": badlengths, "pointer": pointer, "overrun": overrun, "countlie": countlie,
    "wrongid": wrongid, "wrongquestion": wrongquestion, "babble": babble, "stump": stump, "lame": lame,
    "signed": signed, "pushy": signed, "mapped": mapped, "crowd": crowd, "half": half,
    "truncated": unreachable_tcp, "cut": cut, "dangling": dangling, "overlong": overlong, "oversize": oversize,
    "null": lambda x: x.records.append(mx(x.name, 0, "")), "notquitenull": hosts_of((0, "."), (5, "mx2.liar.test")),
    "mirror": hosts_of((10, "")), "best": hosts_of((10, "mx2.liar.test"), (5, "")), "loopback": loopback,
    "backup": hosts_of((10, "mx2.liar.test"), (20, ""), (30, "mx66.liar.test")), "farhundred": far_hundred,
}


def answer(query, tcp):
    x = Answer(query)
    first = x.name.split(".")[0]
    if not x.name.endswith("liar.test"):
        x.rcode = REFUSED
    elif first[:2] == "mx" and first[2:].isdigit():
        hosts(x)
    elif first == "_xpony" and x.kind == TXT and x.name.split(".")[1] in KEYS:
        KEYS[x.name.split(".")[1]](x)
    elif first == "_xpony" and x.name.split(".")[1] in BEHAVIOUR:
        BEHAVIOUR[x.name.split(".")[1]](x)
    elif first.startswith("chain-"):
        chain(x)
    elif first.startswith("mixed-"):
        mixed(x)
    elif first in BEHAVIOUR:
        BEHAVIOUR[first](x)
    else:
        x.rcode = NXDOMAIN
    if x.silent is True or (tcp and x.silent == "tcp"):
        return None
    if x.udp_truncated and not tcp:
        x.records, x.flags = [], x.flags | TC
    return x.packet()


def serve_tcp(listener):
    connection, _ = listener.accept()
    with connection:
        connection.settimeout(2)
        try:
            size = connection.recv(2, socket.MSG_WAITALL)
            query = connection.recv(struct.unpack("!H", size)[0], socket.MSG_WAITALL)
            reply = answer(query, True)
            if reply is not None:
                connection.sendall(struct.pack("!H", len(reply)) + reply)
        except (OSError, struct.error):
            pass


def main():
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    udp.bind((sys.argv[1], 53))
    tcp = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    tcp.bind((sys.argv[1], 53))
    tcp.listen(8)
    while True:
        for ready in select.select([udp, tcp], [], [])[0]:
            if ready is tcp:
                serve_tcp(tcp)
                continue
            query, peer = udp.recvfrom(4096)
            reply = answer(query, False)
            if reply is not None:
                udp.sendto(reply, peer)


main()
