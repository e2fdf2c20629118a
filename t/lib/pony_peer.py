"""pony_peer - a peer of XPONY/1, client and server, written from doc/PROTOCOL.md and sharing no code
with the programs it tests: the proof that the text is enough, and the scripted peer, honest or
hostile, of other tests.

Library

    c = Client(socket)                        s = Server(socket)
    c.greeting()                              s.greet()
    c.ehlo("me.example")      # may be left out        hello = s.accept()   # {} or payload 2's items
    c.upgrade(c.keyword or c.hint, server_name="mx.example", early="EHLO me.example")
    c.reply()                 # to the early EHLO      Mailbox().serve(s, hello)
    c.command("NOOP")
    c.close(b"QUIT\r\n")      # or c.write(...), c.close()
    c.reply()

Hooks change any step: hooks={"message2": lambda octets, nth: ...}. nth counts the calls of that step
from 1. Each gets octets and returns those to be used instead:

    client   offer (what goes into the prologue), suite, prologue, payload2, message2, base64, command
    server   greeting, ehlo-reply, prologue, payload3, message3 (with the ciphertext), base64, reply
    both     inside (a record's plaintext), record (one record on the wire), flight, close (on the wire)

Command line: see USAGE. flip(), cut(), put(), add() and drop() make hooks.
"""
import argparse
import secrets
import socket
import sys

import pony_mlkem
from pony_crypto import CryptoError, Noise, public_key
from pony_stream import (CRITICAL, EHLO, HYBRID, KEM_KEY, SERVER_NAME, SUITE, Peer, ProtocolError,
                         Truncated, b64decode, b64encode, find_hint, kem_psk, parse_offer, tlv,
                         tlv_items)

# --- the two roles ---

class Client(Peer):
    """The responder of Noise: hint and keyword are the offers found, or None."""
    hint = keyword = ek = dk = None

    def greeting(self):
        code, texts = self.reply()
        if code == 220:
            self.hint = find_hint(texts[0])
        return code, texts

    def ehlo(self, name):
        code, texts = self.command("EHLO " + name)
        for text in texts[1:]:
            self.keyword = self.keyword or parse_offer(text, True)
        if self.hint and self.keyword and self.hint.text != self.keyword.text:
            raise ProtocolError("the greeting's offer differs from the EHLO reply's")
        return code, texts

    def upgrade(self, offer, server_name="", early="", suite=SUITE, items=b""):
        """Returns the reply; with 220 all that follows is records, or ROTn."""
        if offer.rot:
            return self.upgrade_rot(offer)
        hybrid = suite == HYBRID
        suite = self.hook("suite", suite.encode())
        noise = Noise(self.prologue(self.hook("offer", offer.text), suite), hybrid)
        noise.mix_e(offer.e)
        noise.encrypt(b"")  # message 1's empty payload
        if hybrid:
            self.ek, self.dk = pony_mlkem.key_gen(secrets.token_bytes(64))
            items += tlv(KEM_KEY, self.ek)
        payload = tlv(SERVER_NAME, server_name.encode()) if server_name else b""
        payload += tlv(EHLO, early.encode()) if early else b""
        message = self.message2(noise, offer.e, self.hook("payload2", payload + items))
        text = self.hook("base64", b64encode(self.hook("message2", message)))
        self.raw(self.hook("command", b"XPONY 1 %s %s\r\n" % (suite, text)))
        code, texts = self.reply()
        if code == 220:
            self.message3(noise, b64decode(b"".join(texts)))
        return code, texts

    def upgrade_rot(self, offer):
        self.raw(self.hook("command", offer.text + b"\r\n"))
        code, texts = self.reply()
        if code == 220:
            self.rot = offer.rot
        return code, texts

    def message2(self, noise, re_, payload):
        """e, ee, s, es, payload 2."""
        e = public_key(self.ephemeral)
        noise.mix_e(e)
        noise.mix_dh(self.ephemeral, re_)
        message = e + noise.encrypt(public_key(self.static))
        noise.mix_dh(self.static, re_)
        return message + noise.encrypt(payload)

    def message3(self, noise, message):
        """s, se, payload 3; before it, with a KEM, the ciphertext."""
        before = pony_mlkem.CT if noise.psk else 0
        ct, message = message[:before], message[before:]
        if len(message) < 64:
            raise ProtocolError("message 3 of %d octets" % len(message))
        self.peer_key = noise.decrypt(message[:48])
        noise.mix_dh(self.ephemeral, self.peer_key)
        if noise.psk:
            noise.mix_psk(kem_psk(pony_mlkem.decaps(self.dk, ct), self.ek, ct))
        items = tlv_items(noise.decrypt(message[48:]))
        if any(kind & CRITICAL for kind in items):
            raise ProtocolError("critical item in payload 3")
        if self.peer_key == public_key(self.static):
            raise ProtocolError("the server shows our own key")
        server, client = noise.split()
        self.start_records(client, server)


class Server(Peer):
    """The initiator of Noise."""

    def __init__(self, sock, name="peer.example", suites=SUITE, by=("hint", "keyword"), rot_=0, **more):
        super().__init__(sock, **more)
        self.name, self.by, self.offers_rot = name.encode(), by, rot_
        self.e = public_key(self.ephemeral)
        self.suites = suites.split(",")
        self.offer = b"XPONY 1 ROT%d" % rot_ if rot_ else \
            b"XPONY 1 %s %s" % (b64encode(self.e), suites.encode())

    def greet(self):
        hint = self.offer if "hint" in self.by else b"peer"
        self.raw(self.hook("greeting", b"220 %s ESMTP %s\r\n" % (self.name, hint)))

    def accept(self):
        """Answers EHLO, HELO and NOOP until the client upgrades: returns the items of payload 2. Any
        other command, and the end, is left in self.text: returns None."""
        while True:
            line = self.line()
            verb = line.split(b" ")[0].strip().upper()
            if verb == b"XPONY":
                return self.upgrade(line)
            if verb == b"EHLO":
                offer = b"250 %s\r\n" % self.offer if "keyword" in self.by else b"250 HELP\r\n"
                self.raw(self.hook("ehlo-reply", b"250-%s\r\n250-PIPELINING\r\n%s" % (self.name, offer)))
            elif verb in (b"HELO", b"NOOP"):
                self.say(250, b"Ok")
            else:
                self.text = line + self.text
                return None

    def upgrade(self, line):
        words = line.rstrip(b"\r\n").split(b" ")
        if self.offers_rot:
            self.raw(self.hook("reply", b"220 2.0.0 Neigh\r\n"))
            self.rot = self.offers_rot
            return {}
        if len(words) != 4 or words[1] != b"1":
            raise ProtocolError("%r" % line)
        suite, message = words[2], b64decode(words[3])
        if suite.decode() not in self.suites:
            raise ProtocolError("%r" % suite)
        noise = Noise(self.prologue(self.offer, suite), suite == HYBRID.encode())
        noise.mix_e(self.e)
        noise.encrypt(b"")  # message 1's empty payload
        hello = self.message2(noise, message)
        message = self.hook("message3", self.message3(noise, hello))
        self.put_reply(self.hook("base64", b64encode(message)))
        server, client = noise.split()
        self.start_records(server, client)
        return hello

    def message2(self, noise, message):
        if len(message) < 96:
            raise ProtocolError("message 2 of %d octets" % len(message))
        re_ = message[:32]
        noise.mix_e(re_)
        noise.mix_dh(self.ephemeral, re_)
        self.peer_key = noise.decrypt(message[32:80])
        noise.mix_dh(self.ephemeral, self.peer_key)
        self.client_e = re_
        hello = tlv_items(noise.decrypt(message[80:]))
        if noise.psk != (KEM_KEY in hello):
            raise ProtocolError("a KEM key missing, or where none belongs")
        return hello

    def message3(self, noise, hello):
        message = noise.encrypt(public_key(self.static))
        noise.mix_dh(self.static, self.client_e)
        if noise.psk:
            shared, ct = pony_mlkem.encaps(hello[KEM_KEY], secrets.token_bytes(32))
            noise.mix_psk(kem_psk(shared, hello[KEM_KEY], ct))
            message = ct + message
        return message + noise.encrypt(self.hook("payload3", b""))

    def put_reply(self, text):
        """The 220 reply, 500 characters a line."""
        texts = [text[i:i + 500] for i in range(0, len(text), 500)] or [b""]
        lines = [b"220%s%s\r\n" % (b" " if i == len(texts) - 1 else b"-", t) for i, t in enumerate(texts)]
        self.raw(self.hook("reply", b"".join(lines)))


class Mailbox:
    """A plain SMTP server behind whatever the peer's stream is; keeps the messages as they came."""

    def __init__(self):
        self.commands, self.messages = [], []

    def answer(self, peer, line):
        """False at QUIT, which is not answered yet."""
        verb = line.split(b" ")[0].strip().upper()
        self.commands.append(line)
        if verb == b"EHLO":
            peer.say(250, b"mailbox.example", b"PIPELINING", b"8BITMIME")
        elif verb == b"DATA":
            peer.say(354, b"Go ahead")
            self.messages.append(read_body(peer))
            peer.say(250, b"2.0.0 Taken")
        elif verb == b"QUIT":
            return False
        else:
            peer.say(250, b"2.0.0 Ok")
        return True

    def serve(self, peer, hello=None):
        """To QUIT or the end, which it answers with ours, 221 in it. True when the client ended in order."""
        line = (hello or {}).get(EHLO)
        line = line + b"\r\n" if line else peer.line()
        while line and self.answer(peer, line):
            line = peer.line()
        if line and peer.rx is not None:
            peer.fill()  # the close, where it is not in QUIT's record
        peer.close(b"221 2.0.0 Bye\r\n" if line else b"")
        return peer.ended or bool(line) and peer.rx is None


def read_body(peer):
    """A message as it is on the wire, without the line of the dot."""
    lines = []
    while True:
        line = peer.line()
        if not line:
            raise Truncated("in a message")
        if line == b".\r\n":
            return b"".join(lines)
        lines.append(line)


# --- hooks ---

def only(nth, change):
    """The change, at the nth call of its step alone."""
    return lambda octets, n: change(octets, n) if n == nth else octets


def flip(at, bit=1):
    def change(octets, _):
        changed = bytearray(octets)
        changed[at] ^= bit
        return bytes(changed)
    return change


def cut(n):
    return lambda octets, _: octets[:n]


def put(value):
    return lambda octets, _: value


def add(value):
    return lambda octets, _: octets + value


def drop(octets, _):
    return b""


# --- command line ---

USAGE = """%(prog)s client ADDRESS PORT [option ...] <SMTP
       %(prog)s server PORT|- [option ...]

client: speaks the commands on standard input (CRLF is added), waits for the reply after each, shows
replies. server: one connection to 127.0.0.1, or on standard input as from inetd; shows commands and
mail. Exit status 0: ended in order, 1: the peer broke the protocol, 2: no upgrade."""


def unescape(text):
    return text.encode("latin-1").decode("unicode_escape").encode("latin-1")


def parse_change(text):
    """STEP[#NTH]=flip:AT | cut:N | put:TEXT | add:TEXT | drop, backslash escapes in TEXT."""
    step, _, what = text.partition("=")
    step, _, nth = step.partition("#")
    what, _, value = what.partition(":")
    makers = {"flip": lambda: flip(int(value)), "cut": lambda: cut(int(value)), "drop": lambda: drop,
              "put": lambda: put(unescape(value)), "add": lambda: add(unescape(value))}
    change = makers[what]()
    return step, only(int(nth), change) if nth else change


def show(octets):
    sys.stdout.buffer.write(octets)
    sys.stdout.buffer.flush()


def show_reply(reply):
    code, texts = reply
    for i, text in enumerate(texts):
        show(b"%d%s%s\n" % (code, b" " if i == len(texts) - 1 else b"-", text))
    return code


def run_client(options, hooks):
    sock = socket.create_connection((options.address, int(options.port)))
    c = Client(sock, static=options.key, hooks=hooks)
    show_reply(c.greeting())
    if options.by == "keyword":
        show_reply(c.ehlo(options.hello))
    offer = {"hint": c.hint, "keyword": c.keyword, "none": None}[options.by]
    if options.by != "none":
        if offer is None or show_reply(c.upgrade(
                offer, options.name, "EHLO " + options.hello if options.early else "")) != 220:
            return 2
        if options.early and not offer.rot:
            show_reply(c.reply())
    body = False
    for line in sys.stdin.buffer:
        line = line.rstrip(b"\r\n")
        c.write(line + b"\r\n")
        if not body or line == b".":
            body = show_reply(c.reply()) == 354
    c.close()
    while c.line():
        pass
    return 0


def run_server(options, hooks):
    if options.port == "-":
        sock = socket.socket(fileno=0)
    else:
        with socket.create_server(("127.0.0.1", int(options.port))) as listener:
            sock = listener.accept()[0]
    s = Server(sock, static=options.key, hooks=hooks, name=options.name or "peer.example",
               rot_=options.rot, by=(options.by,) if options.by else ("hint", "keyword"))
    box = Mailbox()
    s.greet()
    hello = s.accept()
    ended = box.serve(s, hello)
    if options.port != "-":
        show(b"".join(box.commands + box.messages))
    return 2 if hello is None else 0 if ended else 1


def main():
    p = argparse.ArgumentParser(usage=USAGE)
    p.add_argument("role", choices=("client", "server"))
    p.add_argument("where", nargs="+")
    p.add_argument("-k", "--key", type=bytes.fromhex, help="static secret in hex; else a fresh one")
    p.add_argument("-n", "--name", default="", help="client: server name in payload 2; server: our name")
    p.add_argument("-e", "--hello", default="peer.example", help="client: argument of EHLO")
    p.add_argument("--early", action="store_true", help="client: EHLO as early data")
    p.add_argument("--by", choices=("hint", "keyword", "none"), help="the offer to take or to make")
    p.add_argument("--rot", type=int, default=0, help="server: offers ROTn")
    p.add_argument("--change", action="append", default=[], type=parse_change, metavar="STEP=...",
                   help=parse_change.__doc__)
    options = p.parse_args()
    options.port = options.where[-1]
    options.address = options.where[0]
    if options.role == "client":
        options.by = options.by or "keyword"
    try:
        run = run_client if options.role == "client" else run_server
        sys.exit(run(options, dict(options.change)))
    except (ProtocolError, CryptoError, OSError) as fault:
        sys.stderr.write("pony_peer: %s: %s\n" % (type(fault).__name__, fault))
        sys.exit(1)


if __name__ == "__main__":
    main()
