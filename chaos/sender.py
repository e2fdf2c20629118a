"""sender.py LEDGER SEED COUNT - hands numbered messages to this host's sendmail. Called by chaos/run on host a.

What sendmail has taken (its exit status says so) is a line "number sha256-of-the-body" of LEDGER, and only that. The
body of a number depends on the seed alone (message() below; reckon.py makes it again).
"""
import concurrent.futures
import hashlib
import random
import subprocess
import sys
import threading

SENDMAIL = ["/usr/sbin/sendmail-mta", "-Am", "-odq", "-oem", "-i", "-ORefuseLA=999", "-f", "alice@a.test", "bob@b.test"]
PARALLEL = 3
MARK = "nobody on the way may read a word"


def message(seed, number):
    """The body: a line that the wiretap is searched for, and lines of all kinds, most of them few."""
    rng = random.Random("%s/%d" % (seed, number))
    lines = ["message %d of %s, of which %s" % (number, seed, MARK)]
    for _ in range(int(rng.expovariate(1 / 30)) if rng.random() < 0.9 else rng.randrange(4000)):
        kind = rng.randrange(8)
        if kind == 0:
            lines.append("." * rng.randrange(1, 4))
        elif kind == 1:
            lines.append("")
        elif kind == 2:
            lines.append("".join(chr(rng.randrange(161, 256)) for _ in range(rng.randrange(1, 200))))
        else:
            lines.append("%d %x" % (len(lines), rng.getrandbits(rng.randrange(8, 900))))
    lines.append("the end of %d" % number)
    return "".join(line + "\n" for line in lines).encode("latin-1")


def send(seed, number):
    head = ("Subject: %d\nMessage-Id: <%d.%s@chaos.test>\nFrom: alice@a.test\nTo: friends:;\nMIME-Version: 1.0\n"
            "Content-Type: text/plain; charset=iso-8859-1\nContent-Transfer-Encoding: 8bit\n\n" % (number, number, seed))
    body = message(seed, number)
    done = subprocess.run(SENDMAIL, input=head.encode() + body, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                          check=False)
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
