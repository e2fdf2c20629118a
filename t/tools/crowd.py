#!/usr/bin/env python3
"""crowd PORT COUNT TARGET[<SOURCE] ...: COUNT connections to each TARGET, one after the other, from
SOURCE where there is one, held until this process ends. Prints a line for each: the first that it
hears, or "closed", or what went wrong; then "ready".

With CROWD_SAYS in the environment that is said first, CROWD_AFTER seconds after the connection; then
the line printed is the last that it hears."""
import os
import resource
import socket
import sys
import time


def connect(port, pair):
    target, _, source = pair.partition("<")
    family = socket.AF_INET6 if ":" in target else socket.AF_INET
    s = socket.socket(family, socket.SOCK_STREAM)
    s.settimeout(30)
    if source:
        if family == socket.AF_INET6:
            s.setsockopt(socket.IPPROTO_IPV6, 78, 1)  # IPV6_FREEBIND
        s.bind((source, 0))
    s.connect((target, port))
    return s


def line(s):
    says = os.environ.get("CROWD_SAYS")
    if says is None:
        return s.makefile("rb").readline()
    time.sleep(float(os.environ.get("CROWD_AFTER", "0")))
    s.sendall(says.encode().decode("unicode_escape").encode("latin-1"))
    return (s.makefile("rb").read().splitlines() or [b""])[-1]


def main():
    port, count = int(sys.argv[1]), int(sys.argv[2])
    held = []
    resource.setrlimit(resource.RLIMIT_NOFILE, (20000, 20000))
    for pair in sys.argv[3:]:
        for _ in range(count):
            try:
                s = connect(port, pair)
                held.append(s)
                print(line(s).decode("latin-1").strip() or "closed", flush=True)
            except OSError as e:
                print(e, flush=True)
    print("ready", flush=True)
    while True:
        time.sleep(1000)


main()
