"""every_octet.py receiver HOST STEP | every_octet.py mailer HOST STEP - the handshake with one octet changed,
for each octet in turn, or each STEPth. Called by t/505-mutated-octets.sh.

receiver: what blackpony-receiver on HOST says to changed XPONY lines, and to those of clients that saw a
changed offer. mailer: what becomes of a message that blackpony-mailer, started with policy "encrypt", has for
that host, when all offers or all replies to XPONY are changed on the way; on the very host HOST.

Prints how often each outcome was there: suite, part, COUNT, outcome.
"""
import collections
import concurrent.futures
import os
import select
import socket
import subprocess
import sys
import tempfile
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import pony_mlkem
from pony_peer import Client, ProtocolError
from pony_stream import HYBRID, SUITE, Peer

ROLE, HOST, STEP = sys.argv[1], sys.argv[2], int(sys.argv[3])
SUITES = (("classical", SUITE), ("hybrid", HYBRID))
LETTERS = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
KEM = pony_mlkem.key_gen(bytes(64))
pony_mlkem.key_gen = lambda _: KEM  # one for all: that takes time in Python
outcomes, lock = collections.Counter(), threading.Lock()


def note(word, part, outcome):
    with lock:
        outcomes["%s, %s" % (word, part), outcome] += 1


def replace(octets, at, value):
    return octets[:at] + bytes([value]) + octets[at + 1:]


# --- the receiver ---

def answer(client, suite):
    """To an XPONY line."""
    try:
        code, texts = client.upgrade(client.hint, suite=suite)
        texts += [b"and goes on"] if code == 220 or client.line() else []
    except (ConnectionError, ProtocolError):
        return "closed"
    return "%d %s" % (code, b", ".join(texts).decode()) if code != 220 else "220"


def attempt(word, suite, part, hooks):
    with socket.create_connection((HOST, 25)) as sock:
        client = Client(sock, hooks=hooks, timeout=20)
        client.greeting()
        note(word, part, answer(client, suite))


def other_letter(at, bits):
    """Another letter of base64 in that place; the last one may not be canonical any more."""
    return lambda text, _: replace(text, at, LETTERS[LETTERS.index(text[at:at + 1]) ^ bits])


def flipped(at, bit):
    return lambda text, _: replace(text, at, text[at] ^ bit)


def receiver():
    for word, suite in SUITES:
        lengths = []

        def measure(text, _):
            lengths.append(len(text))
            return text
        attempt(word, suite, "honest", {"base64": measure, "offer": measure})
        offer, line = lengths
        with concurrent.futures.ThreadPoolExecutor(3) as pool:
            for at in range(0, offer, 1 if suite == HYBRID else STEP):
                pool.submit(attempt, word, suite, "offer", {"offer": flipped(at, 1 << at % 8)})
            for at in range(0, len(suite)):
                pool.submit(attempt, word, suite, "suite", {"command": flipped(8 + at, 1 << at % 7)})
            for at in range(0, line - 1, STEP if suite == HYBRID else 1):
                for bits in (1, 2, 4, 8, 16, 32) if STEP == 1 else (1 << at % 6,):
                    pool.submit(attempt, word, suite, "message 2", {"base64": other_letter(at, bits)})


# --- the mailer ---

class Between:
    """A man in the middle on a port of his own: changes one octet of all offers, or of all replies."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=16)
        self.port = self.listener.getsockname()[1]
        self.of_offer, self.at, self.bit, self.length, self.clear = True, 0, 0, 0, b""
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            sock = self.listener.accept()[0]
            sock.settimeout(20)
            with sock, socket.create_connection((HOST, 25)) as upstream:
                try:
                    self.serve(Peer(sock), Peer(upstream))
                except (OSError, EOFError):
                    pass

    def reply(self, server):
        octets = line = b""
        while not octets or line[3:4] == b"-":
            line = server.line()
            if not line:
                raise EOFError
            octets += line
        return octets

    def serve(self, client, server):
        line = b""
        while True:
            reply = self.reply(server)
            begin = reply.find(b"XPONY 1 ") if self.of_offer else 0
            if begin >= 0 and self.of_offer != line.upper().startswith(b"XPONY"):
                self.length = len(reply) - 2 - begin if self.of_offer else len(reply)
                if self.bit:
                    changed = reply[begin + self.at] ^ self.bit
                    # Not where the line ends: that is no offer any more, and another test's.
                    reply = replace(reply, begin + self.at, changed ^ 1 if changed in b"\r\n" else changed)
            if line.upper().startswith(b"XPONY"):
                reply, server.text = reply + server.text, b""  # records may have come with it
            client.raw(reply)
            if line.upper().startswith(b"XPONY"):
                return self.end(client.sock) if self.bit else self.splice(client.sock, server.sock)
            line = client.line()
            if not line:
                raise EOFError
            self.clear += line
            server.raw(line)

    @staticmethod
    def end(sock):
        """It has all that there will be, and may think about it."""
        sock.shutdown(socket.SHUT_WR)
        while sock.recv(65536):
            pass

    @staticmethod
    def splice(one, other):
        while True:
            for sock in select.select([one, other], [], [], 10)[0]:
                octets = sock.recv(65536)
                if not octets:
                    return
                (other if sock is one else one).sendall(octets)


class Mailer:
    def __init__(self, folder, word, suite, port):
        ours, theirs = socket.socketpair()
        self.mta = Peer(ours, timeout=60)
        pins = os.path.join(folder, word)
        os.makedirs(pins, exist_ok=True)
        with theirs:
            self.process = subprocess.Popen(
                [os.path.join("/usr/libexec/blackpony/blackpony-mailer"), "-p", str(port), "-s", suite,
                 "-k", os.path.join(folder, "key"), "-d", pins, "-P", os.path.join(folder, "policy"),
                 "[127.0.0.1]"], stdin=theirs, stdout=theirs)

    def deliver(self):
        """What RCPT is told."""
        self.mta.reply()
        for command in ("EHLO mta.test", "MAIL FROM:<bob@b.test>", "RCPT TO:<bob@b.test>"):
            code, texts = self.mta.command(command)
        self.mta.command("QUIT")
        self.mta.sock.close()
        self.process.wait(20)
        return "%d %s" % (code, texts[0].split(b" ")[0].decode())


def mailer():
    between = Between()
    with tempfile.TemporaryDirectory() as folder:
        with open(os.path.join(folder, "policy"), "w") as policy:
            policy.write("* encrypt\n")
        subprocess.run(["blackpony-keygen", "-q", "-f", os.path.join(folder, "key")], check=True)
        for word, suite in SUITES:
            for between.of_offer, part in ((True, "offer"), (False, "reply")):
                between.bit = 0
                note(word, "honest", Mailer(folder, word, suite, between.port).deliver())
                for between.at in range(0, between.length, STEP if part == "reply" else max(1, STEP // 4)):
                    between.bit, between.clear = 1 << between.at % 7, b""
                    outcome = Mailer(folder, word, suite, between.port).deliver()
                    note(word, part, outcome + (", in clear" if b"@b.test" in between.clear else ""))


globals()[ROLE]()
for (part, outcome), count in sorted(outcomes.items()):
    print("%s: %d %s" % (part, count, outcome))
