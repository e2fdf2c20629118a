"""sender.py LEDGER SEED COUNT - hands numbered messages to this host's sendmail. Called by chaos/run on host a.

What sendmail has taken (its exit status says so) is a line "number sha256-of-the-body" of LEDGER, and only that. The
body of a number depends on the seed alone (message() below). While much is queued nothing more is sent.
"""
import concurrent.futures
import hashlib
import os
import random
import subprocess
import sys
import threading
import time

SENDMAIL = ["/usr/sbin/sendmail-mta", "-Am", "-odq", "-oeq", "-i", "-ORefuseLA=999", "-f", "alice@a.test"]
QUEUE = "/var/spool/mqueue"
PARALLEL = 3
QUEUED = 600  # files: two for each message
DOMAINS = 8  # as chaos/run has them
MARK = "not for the wire"  # in every Subject, and in one line of each kilobyte or so


def line(rng, number):
    """One of the kinds of lines that somebody might want to change."""
    kind = rng.randrange(12)
    if kind == 0:
        return "." * rng.randrange(1, 4) + rng.choice(("", "x"))
    if kind == 1:
        return ""
    if kind == 2:
        return "".join(chr(rng.randrange(161, 256)) for _ in range(rng.randrange(1, 200)))
    if kind == 3:
        return "trailing" + "".join(rng.choice(" \t") for _ in range(rng.randrange(1, 9)))
    if kind == 4:
        return "x" * rng.randrange(900, 989)  # 990 is the most that passes unbroken
    if kind == 5:
        return "From the start of %d" % number
    return "%x, %s" % (rng.getrandbits(rng.randrange(8, 900)), MARK)


def message(seed, number):
    """The body: few lines mostly, sometimes none, sometimes some hundreds of kB."""
    rng = random.Random("%s/%d" % (seed, number))
    size = rng.random()
    if size < 0.02:
        return b""
    lines = int(rng.expovariate(1 / 20)) if size < 0.98 else rng.randrange(2000)
    text = ["message %d of %s, %s" % (number, seed, MARK)]
    text += [line(rng, number) for _ in range(lines)]
    text += ["the end of %d" % number]
    return "".join(one + "\n" for one in text).encode("latin-1")


def send(seed, number):
    """One at a time: what is printed on this is what sendmail has promised."""
    head = ("Subject: %d, %s\nMessage-Id: <%d.%s@chaos.test>\nFrom: alice@a.test\nTo: friends:;\nMIME-Version: 1.0\n"
            "Content-Type: text/plain; charset=iso-8859-1\nContent-Transfer-Encoding: 8bit\n\n" % (number, MARK, number, seed))
    body = message(seed, number)
    while len(os.listdir(QUEUE)) > QUEUED:
        time.sleep(0.05)
    done = subprocess.run([*SENDMAIL, "bob@d%d.test" % (number % DOMAINS + 1)], input=head.encode() + body,
                          stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    return number, done.returncode, hashlib.sha256(body).hexdigest()


def main():
    seed, count, lock = sys.argv[2], int(sys.argv[3]), threading.Lock()
    with open(sys.argv[1], "w", encoding="ascii") as ledger, \
            concurrent.futures.ThreadPoolExecutor(PARALLEL) as pool:
        for number, status, digest in pool.map(lambda n: send(seed, n), range(count)):
            with lock:
                if status == 0:
                    ledger.write("%d %s\n" % (number, digest))
                    ledger.flush()
    print("done")


if __name__ == "__main__":
    main()
