"""smuggle.py client HOST [exim] [WAY...] | server ADDRESS FOLDER | messages FOLDER | compare FOLDER - SMTP smuggling and what
belongs to it: ends of lines and of messages that are none. Called by t/511-smuggling.sh, t/lib/backends.sh and
t/lib/tcpback.sh.

client: says each of CASES to the mail server on port 2500 of HOST, and to the blackpony-receiver on port 25
in front of the same: in clear and in both suites, in one segment and octet by octet, or by the ways that are
named ("hybrid drip"). exim: Exim looks for commands that come too early as far as it has read, so what it says
to single octets is chance in many cases. Prints a line a case:
its name; "same", "stricter" (a second message that comes unasked for is not taken) or "differs"; and the
server's own replies, or each way's. Its message's subject is the case and the way.
server: three mail hosts, in clear, classical, hybrid, on addresses from ADDRESS on, port 25; what each
message was on the wire, to the dot, becomes a file FOLDER/got.WAY.NUMBER.
messages: messages with such ends in them, to be given to sendmail, as files in FOLDER.
compare: FOLDER/wrote.WAY.NUMBER has what sendmail said to the mailer, one message a file: how many they are,
and whether the hosts have got the same.
"""
import ipaddress
import os
import re
import socket
import socketserver
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from pony_crypto import CryptoError
from pony_peer import Client, Mailbox, ProtocolError, Server
from pony_stream import HYBRID, SUITE, Truncated

ENDS = {
    "CRLF.CRLF": b"\r\n.\r\n", "LF.LF": b"\n.\n", "LF.CRLF": b"\n.\r\n", "CR.CR": b"\r.\r", "CR.CRLF": b"\r.\r\n",
    "CRLF.LF": b"\r\n.\n", "CRLF.CR": b"\r\n.\r", "LF.CR": b"\n.\r", "CR.LF": b"\r.\n", "CRLF-NUL.CRLF": b"\r\n\0.\r\n",
    "CRLF.NUL-CRLF": b"\r\n.\0\r\n", "CRLF.CR-NUL-LF": b"\r\n.\r\0\n", "CRLF.CRCRLF": b"\r\n.\r\r\n",
    "CRCRLF.CRLF": b"\r\r\n.\r\n", "CRLFCR.CRLF": b"\r\n\r.\r\n", "LFLF.CRLF": b"\n\n.\r\n", "LFCR.LFCR": b"\n\r.\n\r",
    "CRLF..CRLF": b"\r\n..\r\n", "CRLF.blank-CRLF": b"\r\n. \r\n", "CRLF.CRLF-twice": b"\r\n.\r\n.\r\n",
    "NEL.NEL": b"\x85.\x85", "SUB": b"\r\n\x1a\r\n", "CR": b"a\rb", "LF": b"a\nb", "NUL": b"a\0b",
}
WAYS = "clear", "classical", "hybrid"
GONE = "421 4.3.0 Out of resources, try again later"
# How sendmail, Postfix, Exim and OpenSMTPD call a message.
IDS = re.compile(r"\b[0-9][0-9A-Za-z]{13}\b|(?<=queued as )\w+|(?<=id=)[-\w]+|(?<=2\.0\.0 )[0-9a-f]{8}\b")
ENVELOPE = b"MAIL FROM:<x@b.test>\r\nRCPT TO:<bob@b.test>\r\nDATA\r\n"
SMUGGLED = b"MAIL FROM:<smuggled@b.test>\r\nRCPT TO:<bob@b.test>\r\nDATA\r\nSubject: smuggled\r\n\r\n"
OTHERS = {
    "commands LF": b"NOOP\nNOOP\r\nQUIT\r\n",
    "commands CR": b"NOOP\rNOOP\r\nQUIT\r\n",
    "commands NUL": b"NO\0OP\r\nNOOP a\0b\r\nQUIT\r\n",
    "commands CRCRLF": b"NOOP\r\r\nQUIT\r\n",
    "envelope LF": ENVELOPE.replace(b"\r", b"") + b"Subject: %s\r\n\r\n.\r\nQUIT\r\n",
    "recipient CR": b"MAIL FROM:<x@b.test>\r\nRCPT TO:<bob@b.test>\rRCPT TO:<carol@b.test>\r\nQUIT\r\n",
    "recipient NUL": b"MAIL FROM:<x@b.test>\r\nRCPT TO:<bob\0@b.test>\r\nQUIT\r\n",
    "BDAT": b"MAIL FROM:<x@b.test>\r\nRCPT TO:<bob@b.test>\r\nBDAT 6 LAST\r\nNOOP\r\nQUIT\r\n",
    "DATA without RCPT": b"MAIL FROM:<x@b.test>\r\nDATA\r\nNOOP\r\nQUIT\r\n",
    "empty message": ENVELOPE + b".\r\nQUIT\r\n",
    "dot alone": ENVELOPE + b"\r\n.\r\n.\r\nQUIT\r\n",
    "empty lines": b"\r\n\r\nNOOP\r\nQUIT\r\n",
}
CASES = {**{name: ENVELOPE + b"Subject: %s\r\n\r\nbefore" + end + SMUGGLED + b"after\r\n.\r\nQUIT\r\n"
            for name, end in ENDS.items()}, **OTHERS}


# --- clients ---

def is_chance(name, octets):
    """Does what is said depend on whether the next command is there already?"""
    if "exim" in sys.argv[3:] and (name in OTHERS or b"\r\n.\r\n" in octets[:-len(b".\r\nQUIT\r\n")]):
        return True
    return name.startswith(("CRLF.CRLF", "CRCRLF.CRLF"))  # whether the second message comes before it is asked for


def connect(way):
    port = 2500 if way == "direct" else 25
    client = Client(socket.create_connection((sys.argv[2], port)), timeout=30)
    client.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    client.greeting()
    if way in ("classical", "hybrid"):
        client.upgrade(client.hint, suite=HYBRID if way == "hybrid" else SUITE)
    _, texts = client.command("EHLO c.test")
    return client, b"PIPELINING" in texts


def read(client):
    said = []
    while True:
        try:
            code, texts = client.reply()
        except (ConnectionError, Truncated):
            code = 0
        if code == 0:
            return " | ".join(said)
        said.append(IDS.sub("ID", "%d %s" % (code, texts[-1].decode("latin-1"))))


def talk(way, octets, dripping):
    client, pipelines = connect(way)
    # DATA ends a group of commands; so what follows comes when the server is ready, as from a true client.
    head, mark, rest = octets.partition(b"DATA\r\n" if b"DATA\r\n" in octets else b"DATA\n")
    said, head = [], head + mark
    for group in [head] if pipelines else head.splitlines(keepends=True) if mark else [head]:
        client.write(group)
        for _ in range(group.count(b"\n") if mark else 0):
            said.append("%d" % client.reply()[0])
    quits = mark and not pipelines and rest.endswith(b"QUIT\r\n")
    rest = rest.removesuffix(b"QUIT\r\n") if quits else rest
    try:
        for part in [rest[i:i + 1] for i in range(len(rest))] if dripping else [rest] if rest else []:
            client.write(part)
        if quits:
            said.append("%d" % client.reply()[0])
            client.write(b"QUIT\r\n")
    except (OSError, Truncated):  # it has heard enough
        pass
    return " ".join(said + [read(client)])


def clients():
    named = [way for way in sys.argv[3:] if way != "exim"]
    for name, octets in CASES.items():
        answers = {}
        for way in ["direct"] + (named or ["clear", "clear drip", "classical", "hybrid", "hybrid drip"]):
            if "drip" in way and is_chance(name, octets):
                continue
            subject = ("%s, %s" % (name, way)).encode()
            answers[way] = talk(way.split()[0], octets.replace(b"%s", subject), "drip" in way)
        direct = answers.pop("direct")
        ours = {said.removesuffix(GONE).rstrip(" |") for said in answers.values()}
        verdict = judge(direct, ours.pop()) if len(ours) == 1 else "differs"
        print("%s: %s: %s" % (name, verdict, direct if verdict != "differs" else (direct, answers)), flush=True)


def judge(direct, ours):
    """A server that hangs up while it owes replies is gone: blackpony answers for it. And who sends a message
    before it is asked for it is refused by blackpony, but not by each server."""
    if ours == direct.rstrip(" "):
        return "same"
    said, _, last = ours.rpartition(" | ")
    if last == "554 5.5.0 SMTP protocol error":
        if direct == said + " | 554 SMTP synchronization error":
            return "same"
        if direct.startswith(said + " | 354 "):
            return "stricter"
    return "differs"


# --- servers ---

class Raw(Mailbox):
    """Keeps a message as it is on the wire, with its end."""

    def answer(self, peer, line):
        if line.upper() != b"DATA\r\n":
            return super().answer(peer, line)
        peer.say(354, b"Go ahead")
        text = b""
        while not (b"\r\n" + text).endswith(b"\r\n.\r\n"):
            if not peer.text and not peer.fill():
                raise Truncated("in a message")
            text, peer.text = text + peer.text, b""
        self.messages.append(text)
        peer.say(250, b"2.0.0 Taken")
        return True


class Host(socketserver.BaseRequestHandler):
    lock, count = threading.Lock(), 0

    def handle(self):
        box, way = Raw(), self.server.way
        try:
            peer = Server(self.request, suites=HYBRID + "," + SUITE if way == "hybrid" else SUITE,
                          by=("hint", "keyword") if way != "clear" else ())
            peer.greet()
            hello = peer.accept()
            box.serve(peer, hello)
        except (OSError, ProtocolError, CryptoError):
            pass
        for message in box.messages:
            with Host.lock:
                Host.count += 1
                with open("%s/got.%s.%d" % (sys.argv[3], way, Host.count), "wb") as file:
                    file.write(message)


class Listener(socketserver.ThreadingTCPServer):
    allow_reuse_address = daemon_threads = True


def servers():
    first = ipaddress.ip_address(sys.argv[2])
    for i, way in enumerate(WAYS):
        listener = Listener((str(first + i), 25), Host)
        listener.way = way
        threading.Thread(target=listener.serve_forever).start()
    print("ready", flush=True)


def messages():
    for name, end in list(ENDS.items())[:10] + [("NUL", ENDS["NUL"]), ("CRLF..CRLF", ENDS["CRLF..CRLF"])]:
        with open("%s/%s" % (sys.argv[2], name), "wb") as file:
            file.write(b"Subject: %s\n\nbefore%s%safter\n" % (name.encode(), end, SMUGGLED))


def compare():
    for way in WAYS:
        octets = {"wrote": [], "got": []}
        for name in sorted(os.listdir(sys.argv[2])):
            what, _, rest = name.partition(".")
            if rest.startswith(way):
                with open("%s/%s" % (sys.argv[2], name), "rb") as file:
                    octets[what].append(file.read())
        wrote = [text.partition(b"DATA\r\n")[2].removesuffix(b"QUIT\r\n") for text in octets["wrote"]]
        print("%s: %d, %s" % (way, len(wrote), "same" if sorted(wrote) == sorted(octets["got"]) else "differs"))


{"client": clients, "server": servers, "messages": messages, "compare": compare}[sys.argv[1]]()
