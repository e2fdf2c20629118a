"""mitm.py - a man in the middle of two mail hosts. Called through t/lib/mitm.sh.

    mitm.py list                    the names of the attacks, in the order of their addresses
    mitm.py fingerprint             that of the key with which "swap" stands in for the host
    mitm.py ADDRESS SERVER QUIET    the first attack's own address; the host to which all connections
                                    lead; while the file QUIET exists nobody is attacked

Each attack has an address of its own, port 25. It reads and alters what is said in clear, up to the
upgrade; behind it records pass as they are, but for "truncate" and "flip". All but "pass", "starttls"
and "tls" take STARTTLS out of the EHLO reply. "swap" is the mail host for the one side and the client
for the other, and prints the subject of the mail that it reads so; "hostage" also promises to have its
key for ever.
"""
import base64
import hashlib
import ipaddress
import os
import select
import socket
import socketserver
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from pony_crypto import CryptoError, public_key
from pony_peer import EHLO, HYBRID, SERVER_NAME, SUITE, Client, Server, put, read_body, tlv
from pony_stream import Peer, ProtocolError

KEY = bytes(range(32))
COMMITMENT = 0x04
CUT = 1000  # octets of records that the client may send: two commands, and the message's beginning


class Gone(Exception):
    """One side has closed the connection, or the attack does."""


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


class Replay:
    """The first message 2 that comes by, in the place of all others; its own connection is lost."""
    recorded = None

    def __call__(self, line):
        if self.recorded is None:
            self.recorded = line
            raise Gone
        return self.recorded


def drop_long(line):
    if len(line) > 1000:
        raise Gone
    return line


# --- the attacks: what becomes of the server's replies, of the client's lines, and what is answered
# --- in the server's place

NO_TLS = without(b"STARTTLS")
NO_OFFER = without(b"STARTTLS", b"XPONY")


class Attack:
    def __init__(self, greeting=None, ehlo=NO_TLS, xpony=None, line=None, answers=None, splice=None):
        self.replies = {b"": greeting, b"EHLO": ehlo, b"XPONY": xpony}
        self.line, self.answers, self.splice = line, answers or {}, splice

    def reply(self, verb, octets):
        change = self.replies.get(verb)
        return change(octets) if change else octets


HONEST = Attack(ehlo=None)
ATTACKS = {
    "pass": HONEST,
    "hint": Attack(greeting=no_hint),
    "keyword": Attack(ehlo=NO_OFFER),
    "starttls": Attack(greeting=no_hint, ehlo=without(b"XPONY")),
    "tls": Attack(greeting=no_hint, ehlo=without(b"XPONY"), answers={b"STARTTLS": b"454 4.7.0 Not now\r\n"}),
    "strip": Attack(greeting=no_hint, ehlo=NO_OFFER),
    "swap": None,
    "hostage": None,
    "suites": Attack(greeting=classical, ehlo=lambda reply: NO_TLS(classical(reply))),
    "offer": Attack(greeting=other_key, ehlo=lambda reply: NO_TLS(other_key(reply))),
    "command": Attack(line=lambda line: other_letter(line, 120)),
    "ciphertext": Attack(xpony=only_220(lambda reply: other_letter(reply, 100))),
    "reply": Attack(xpony=only_220(lambda reply: other_letter(reply, len(reply) - 40))),
    "replay": Attack(line=Replay()),
    "refuse": Attack(answers={b"XPONY": b"500 5.5.1 Command unrecognized\r\n"}),
    "long": Attack(line=drop_long),
    "truncate": Attack(splice="truncate"),
    "flip": Attack(splice="flip"),
}


# --- between the two ---

def raw_reply(peer):
    octets = line = b""
    while not octets or line[3:4] == b"-":
        line = peer.line()
        if not line:
            raise Gone
        octets += line
    return octets


def splice(client, server, how):
    """What is encrypted, as it comes."""
    server.sock.sendall(client.text)
    client.sock.sendall(server.text)
    sent = 0
    while True:
        for sock in select.select([client.sock, server.sock], [], [], 30)[0]:
            octets = sock.recv(65536)
            if not octets:
                raise Gone
            if sock is server.sock:
                client.sock.sendall(octets)
                continue
            if how and sent + len(octets) > CUT:
                cut = CUT - sent
                server.sock.sendall(octets[:cut])
                if how == "truncate":
                    raise Gone
                octets, how = bytes([octets[cut] ^ 1]) + octets[cut + 1:], None
            server.sock.sendall(octets)
            sent += len(octets)


def stand_between(attack, client, server):
    client.raw(attack.reply(b"", raw_reply(server)))
    while line := client.line():
        verb = line.split(b" ")[0].strip().upper()
        if verb in attack.answers:
            client.raw(attack.answers[verb])
            continue
        if verb == b"XPONY" and attack.line:
            line = attack.line(line)
        server.raw(line)
        reply = attack.reply(verb, raw_reply(server))
        client.raw(reply)
        if verb in (b"XPONY", b"STARTTLS") and reply.startswith(b"220"):
            splice(client, server, attack.splice if verb == b"XPONY" else None)
        if verb == b"DATA" and reply.startswith(b"354"):
            server.raw(read_body(client) + b".\r\n")
            client.raw(raw_reply(server))


def stand_in(name, sock, upstream):
    hooks = {"payload3": put(tlv(COMMITMENT, b"\xff\xff\xff\xff"))} if name == "hostage" else {}
    s = Server(sock, static=KEY, hooks=hooks, suites=HYBRID + "," + SUITE)
    c = Client(upstream)
    s.greet()
    hello = s.accept()
    c.greeting()
    if hello is None:
        c.ehlo("mitm.test")
    else:
        name = hello.get(SERVER_NAME, b"").decode()
        c.upgrade(c.hint, name, "EHLO mitm.test", suite=HYBRID)
        c.reply()
        if EHLO in hello:
            s.say(250, b"mitm.test", b"PIPELINING")
    while line := s.line():
        c.write(line)
        code, texts = c.reply()
        s.say(code, *texts)
        if code == 354:
            body = read_body(s)
            print(*(line.decode() for line in body.split(b"\r\n") if line.startswith(b"Subject: ")), flush=True)
            c.write(body + b".\r\n")
            code, texts = c.reply()
            s.say(code, *texts)
        if code == 221:
            s.close()
            c.close()


class Victim(socketserver.BaseRequestHandler):
    def handle(self):
        quiet = os.path.exists(sys.argv[3])
        try:
            with socket.create_connection((sys.argv[2], 25)) as upstream:
                if ATTACKS[self.server.name] is None and not quiet:
                    stand_in(self.server.name, self.request, upstream)
                else:
                    attack = HONEST if quiet else ATTACKS[self.server.name]
                    stand_between(attack, Peer(self.request), Peer(upstream))
        except (Gone, OSError, ProtocolError, CryptoError):
            pass


class Listener(socketserver.ThreadingTCPServer):
    allow_reuse_address = daemon_threads = True
    request_queue_size = 64


def main():
    if sys.argv[1] == "list":
        print("\n".join(ATTACKS))
        return
    if sys.argv[1] == "fingerprint":
        print("SHA256:" + base64.b64encode(hashlib.sha256(public_key(KEY)).digest()).decode().rstrip("="))
        return
    first = ipaddress.ip_address(sys.argv[1])
    for i, name in enumerate(ATTACKS):
        listener = Listener((str(first + i), 25), Victim)
        listener.name = name
        threading.Thread(target=listener.serve_forever).start()
    print("ready", flush=True)


if __name__ == "__main__":
    main()
