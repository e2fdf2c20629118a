#!/usr/bin/env python3
"""endless.py - peers that never come to an end, or to their senses. Called by t/42-memory.sh and
t/516-endless.sh.

    endless.py client HOST PORT WAY...     clients of blackpony-receiver, all at once
    endless.py server PORT WAY...          mail hosts for blackpony-mailer, on PORT and those above it

A WAY is PHASE:KIND, for a client
    phase   connect (nothing said yet), hello, mail, body; with sealed- before it: encrypted
    kind    line      a line without an end, of 12 MB at most
            drip      an octet in a second
            records   (sealed) a record of which an octet comes in a second
            silence   nothing more
            half      half a line, then the end of what it says, while it goes on listening
            stay      nothing more; ends by itself after STAY seconds (of the environment)
            message   (body) a message of one line of 12 MB, then as stay
            unread    (mail) recipients without an end, whose replies it does not read
            leave     (mail) some megabytes of recipients, and gone without a word
and for a server
    phase   greeting ehlo mail rcpt data dot: the reply that is spoiled; with sealed- before it: in an
            encrypted session
    kind    line      a line without an end, of 12 MB at most
            lines     a reply of lines without an end
            half      half a line, then the end
            stay      lines, half as many as will do; STAY seconds later (of the environment) more of them
            unread    (data) the usual, but then it does not read for STAY seconds, and leaves

A client's line of output is its WAY, the whole seconds from there to its end, and what it was told last.
"""
import os
import socket
import struct
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from pony_crypto import CryptoError
from pony_peer import Client, ProtocolError, Server

MUCH = 12000000
LONGEST = 120
STAY = float(os.environ.get("STAY", "1"))
STEPS = {"hello": [], "mail": ["MAIL FROM:<x@c.test>"],
         "body": ["MAIL FROM:<x@c.test>", "RCPT TO:<bob@b.test>", "DATA"]}
USUAL = {b"EHLO": b"250 Hello", b"MAIL": b"250 Ok", b"RCPT": b"250 Ok", b"DATA": b"354 Go on", b"QUIT": b"221 Bye"}
CODES = {"greeting": b"220", "data": b"354"}
gone = (ConnectionError, BrokenPipeError, socket.timeout, ProtocolError, CryptoError)


def flood(peer, octets):
    """Again and again, until there is much of it or nobody takes it."""
    for _ in range(MUCH // len(octets) + 1):
        peer.write(octets)


def drip(write):
    for _ in range(LONGEST):
        write(b"x")
        time.sleep(1)


def last_words(client):
    said = ""
    try:
        while True:
            code, texts = client.reply()
            if code == 0:
                break
            said = "%d %s" % (code, texts[-1].decode("latin-1"))
    except gone:
        pass
    return said


def spoil(client, kind):
    if kind == "line":
        flood(client, b"x" * 30000)
    elif kind == "unread":
        client.sock.settimeout(30)  # to hear nothing of an end either
        flood(client, b"RCPT TO:<bob@b.test>\r\n" * 1000)  # NOOP sendmail slows down
    elif kind == "leave":
        client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4000000)
        client.sock.settimeout(1)
        flood(client, b"RCPT TO:<bob@b.test>\r\n" * 1000)
    elif kind == "drip":
        drip(client.write)
    elif kind == "records":
        drip(client.raw)
    elif kind == "half":
        client.write(b"NOO")
        client.sock.shutdown(socket.SHUT_WR)
    elif kind in ("stay", "message"):
        if kind == "message":
            flood(client, b"x" * 30000)
        time.sleep(STAY)
        client.sock.shutdown(socket.SHUT_WR)


def run_client(host, port, way):
    phase, _, kind = way.partition(":")
    client = Client(socket.create_connection((host, port)), timeout=LONGEST)
    if kind == "unread":
        client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.greeting()
    if phase.startswith("sealed-"):
        client.upgrade(client.hint, early="EHLO c.test")
        client.reply()
        phase = phase[7:]
    elif phase != "connect":
        client.ehlo("c.test")
    for command in STEPS.get(phase, []):
        client.command(command)
    begin = time.monotonic()
    listener = []
    if kind not in ("unread", "leave"):  # hears what is said meanwhile
        thread = threading.Thread(target=lambda: listener.append(last_words(client)), daemon=True)
        thread.start()
    try:
        spoil(client, kind)
    except gone:
        pass
    if kind == "leave":
        client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.sock.close()
    elif kind != "unread":
        thread.join(LONGEST)
    print(way, int(time.monotonic() - begin), (listener or ["-"])[0] or "-", flush=True)


def answer(peer, kind, code):
    if kind == "line":
        peer.write(code + b" ")
        flood(peer, b"x" * 30000)
    elif kind == "unread":
        peer.write(b"354 Go on\r\n")
        time.sleep(STAY)
        peer.sock.shutdown(socket.SHUT_RDWR)
    elif kind in ("lines", "stay"):
        if kind == "stay":
            peer.write((code + b"-more of it\r\n") * 500)
            time.sleep(STAY)
        flood(peer, (code + b"-more of it\r\n") * 1000)
    else:
        peer.write(code + b"-half")
        peer.sock.shutdown(socket.SHUT_WR)
        time.sleep(1)


def serve(sock, way):
    phase, _, kind = way.partition(":")
    sealed = phase.startswith("sealed-")
    phase = phase.replace("sealed-", "")
    peer = Server(sock, by=("hint",), timeout=LONGEST)
    if phase == "greeting":
        answer(peer, kind, b"220")
    if sealed:
        peer.greet()
        peer.accept()
        if phase == "ehlo":  # the reply to the one inside the handshake's payload
            answer(peer, kind, b"250")
        peer.write(b"250 Hello\r\n")
    else:
        peer.raw(b"220 c.test ESMTP\r\n")
    while line := peer.line():
        verb = line[:4].upper()
        if verb.decode().lower() == phase:
            answer(peer, kind, CODES.get(phase, b"250"))
        peer.write(USUAL.get(verb, b"500 What?") + b"\r\n")
        if verb == b"DATA":
            while peer.line() not in (b".\r\n", b""):
                pass
            if phase == "dot":
                answer(peer, kind, b"250")
            peer.write(b"250 Taken\r\n")
        if verb == b"QUIT":
            return


def listen(port, way):
    listener = socket.create_server(("", port))

    def one(sock):
        try:
            serve(sock, way)
        except gone:
            pass
        sock.close()

    while True:
        threading.Thread(target=one, args=(listener.accept()[0],), daemon=True).start()


def main():
    if sys.argv[1] == "server":
        threads = [threading.Thread(target=listen, args=(int(sys.argv[2]) + i, way))
                   for i, way in enumerate(sys.argv[3:])]
    else:
        threads = [threading.Thread(target=run_client, args=(sys.argv[2], int(sys.argv[3]), way))
                   for way in sys.argv[4:]]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


main()
