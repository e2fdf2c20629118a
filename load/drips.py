"""drips.py PORT COUNT PAUSE SOURCES - a herd that says one octet every PAUSE seconds to host b, until SIGTERM. Called by
load/run on host c.

A third of them drips its first command, a third the line of the handshake, a third a record inside the channel. Who is
thrown out, or refused, comes again after PAUSE seconds. They are of SOURCES networks. Ends with
"thrown N, refused N, failed N, held N, longest N": sessions that ended with 421 4.4.2 or without a word, those that
heard another 421 in the place of the greeting, connections that came to nothing, those in hand at the end, and the
most seconds that one was suffered.
"""
import collections
import os
import random
import select
import signal
import socket
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "t", "lib"))
from pony_crypto import CryptoError
from pony_peer import Client, ProtocolError

FREEBIND = 78  # IPV6_FREEBIND
PHASES = ("command", "handshake", "channel")
PATIENCE = 60  # with a host that does not answer


def connect(port, source):
    sock = socket.socket(socket.AF_INET6, socket.SOCK_STREAM)
    sock.setsockopt(socket.IPPROTO_IPV6, FREEBIND, 1)
    sock.bind(("fd80:0:0:%x::1" % (source + 1), 0))
    sock.settimeout(PATIENCE)
    sock.connect(("fd77::2", port))
    return sock


def octets(client, phase):
    """What the client goes on to say, one at a time; all of it is the beginning of something proper."""
    if phase == "command":
        return b"NOOP " + b"x" * 400
    if phase == "handshake":
        return b"XPONY 1 x25519-chachapoly " + b"A" * 170
    client.upgrade(client.hint, early="EHLO c.test")
    client.reply()
    return b"\x70\x00" + b"x" * 28000


def last_words(client):
    """What it hears at last; "" when it is nothing."""
    try:
        while True:
            code, texts = client.reply()
            if code in (0, 421):
                return "%d %s" % (code, texts[0].decode("latin-1") if texts else "")
    except (OSError, ProtocolError, CryptoError):
        return ""


class Herd:
    def __init__(self, port, pause):
        self.port, self.pause = port, pause
        self.lock = threading.Lock()
        self.count, self.ends, self.held, self.longest = collections.Counter(), collections.Counter(), 0, 0

    def drip(self, client, phase):
        """Until the host has something to say."""
        for octet in octets(client, phase):
            client.raw(bytes((octet,)))
            if select.select([client.sock], [], [], self.pause)[0]:
                break
        words = last_words(client)[:60]
        with self.lock:
            self.ends["%s: %s" % (phase, words)] += 1

    def session(self, phase, source):
        """What became of one."""
        client = Client(connect(self.port, source), timeout=PATIENCE)
        with client.sock:
            if client.greeting()[0] != 220:
                return "refused"
            begin = time.monotonic()
            with self.lock:
                self.held += 1
            try:
                self.drip(client, phase)
                return "thrown"
            finally:
                with self.lock:
                    self.held -= 1
                    self.longest = max(self.longest, time.monotonic() - begin)

    def dripper(self, phase, source):
        time.sleep(random.uniform(0, self.pause))
        while True:
            try:
                end = self.session(phase, source)
            except (OSError, ProtocolError, CryptoError):
                end = "failed"
            with self.lock:
                self.count[end] += 1
            if end != "thrown":
                time.sleep(self.pause)

    def tell(self):
        with self.lock:
            print("thrown %d, refused %d, failed %d, held %d, longest %.0f" % (
                self.count["thrown"], self.count["refused"], self.count["failed"], self.held, self.longest), flush=True)
            for end, n in self.ends.most_common():
                print("  %d: %s" % (n, end), flush=True)


def main():
    herd = Herd(int(sys.argv[1]), float(sys.argv[3]))
    told = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: told.set())
    for n in range(int(sys.argv[2])):
        threading.Thread(target=herd.dripper, args=(PHASES[n % 3], n % int(sys.argv[4])), daemon=True).start()
    print("ready", flush=True)
    told.wait()
    herd.tell()  # as it is; what the end of the herd does to it does not count
    os._exit(0)  # nobody waits for threads that read


main()
