"""crowd.py PORT COUNT AT-A-TIME SOURCES - COUNT connections to host b, which say nothing and stay until SIGTERM. Called by
load/run on host c.

AT-A-TIME of them wait for their greeting at a time; as many as COUNT: all open at once. They come from SOURCES networks
in turn (fd80:0:0:N::/64, which load/lib.sh routes here). When each has heard something, or a minute is over, prints
"greeted N, refused N, failed N, p50 N, p99 N, seconds N": refused heard 421, failed nothing; the milliseconds are from
the SYN to the greeting. After it a line for each kind of refusal.
"""
import asyncio
import collections
import resource
import signal
import socket
import sys
import time

import letters

PATIENCE = 120
FREEBIND = 78  # IPV6_FREEBIND, which socket(7)'s Python has no name for


class Crowd:
    def __init__(self, port, at_a_time, sources):
        self.port, self.sources = port, sources
        self.room = asyncio.Semaphore(at_a_time)
        self.took, self.heard, self.held = [], collections.Counter(), []

    def new(self, n):
        sock = socket.socket(socket.AF_INET6, socket.SOCK_STREAM)
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_IPV6, FREEBIND, 1)
        sock.bind(("fd80:0:0:%x::1" % (n % self.sources + 1), 0))
        self.held.append(sock)
        return sock

    async def greeting(self, sock):
        loop, text = asyncio.get_running_loop(), b""
        await loop.sock_connect(sock, ("fd77::2", self.port))
        while b"\n" not in text:
            more = await loop.sock_recv(sock, 1024)
            if not more:
                break
            text += more
        return text.decode("latin-1").strip()

    async def one(self, n):
        async with self.room:
            begin = time.monotonic()
            try:
                text = await asyncio.wait_for(self.greeting(self.new(n)), PATIENCE)
            except (OSError, asyncio.TimeoutError) as fault:
                text = "%s %s" % (type(fault).__name__, fault)
            if text.startswith("220 "):
                self.took.append(1000 * (time.monotonic() - begin))
            else:
                self.heard[text or "the end"] += 1


async def crowd(port, count, at_a_time, sources):
    all_, begin = Crowd(port, at_a_time, sources), time.monotonic()
    await asyncio.gather(*(all_.one(n) for n in range(count)))
    refused = sum(n for text, n in all_.heard.items() if text.startswith("421 "))
    took = sorted(all_.took)
    print("greeted %d, refused %d, failed %d, p50 %.0f, p99 %.0f, seconds %.1f" % (
        len(took), refused, count - len(took) - refused, letters.share(took, 0.5), letters.share(took, 0.99),
        time.monotonic() - begin), flush=True)
    for text, n in all_.heard.most_common(5):
        print("  %d: %s" % (n, text), flush=True)
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await stop.wait()


def main():
    resource.setrlimit(resource.RLIMIT_NOFILE, (20000, 20000))
    asyncio.run(crowd(*map(int, sys.argv[1:5])))


main()
