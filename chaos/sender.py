"""sender.py LEDGER SEED COUNT - hands numbered messages to this host's sendmail. Called by chaos/run on host a.

What sendmail has taken is a line "number sha256-of-the-body" of LEDGER, and only that. It says so in SMTP: handed over by
the command line it ends with status 0 also when it had no room. The body of a number depends on the seed alone (message()
below). While much is queued nothing more is sent.
"""
import hashlib
import itertools
import os
import random
import subprocess
import sys
import threading
import time

SENDMAIL = ["/usr/sbin/sendmail-mta", "-Am", "-bs", "-odq", "-ORefuseLA=999"]
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


def reply(sendmail, words):
    """To these words: the last line."""
    sendmail.stdin.write(words)
    sendmail.stdin.flush()
    while (line_said := sendmail.stdout.readline())[3:4] == b"-":
        pass
    return line_said


def send(seed, number):
    """One at a time: what is printed on this is what sendmail has promised."""
    head = ("Subject: %d, %s\nMessage-Id: <%d.%s@chaos.test>\nFrom: alice@a.test\nTo: friends:;\nMIME-Version: 1.0\n"
            "Content-Type: text/plain; charset=iso-8859-1\nContent-Transfer-Encoding: 8bit\n\n" % (number, MARK, number, seed))
    body = message(seed, number)
    while len(os.listdir(QUEUE)) > QUEUED:
        time.sleep(0.05)
    lines = (head.encode() + body).replace(b"\n.", b"\n..").replace(b"\n", b"\r\n")
    recipient = b"RCPT TO:<bob@d%d.test>\r\n" % (number % DOMAINS + 1)
    said = (b"", b"EHLO a.test\r\n", b"MAIL FROM:<alice@a.test> BODY=8BITMIME\r\n", recipient, b"DATA\r\n", lines + b".\r\n")
    taken = False
    try:
        with subprocess.Popen(SENDMAIL, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as sendmail:
            taken = all(reply(sendmail, words)[:1] in (b"2", b"3") for words in said)
            reply(sendmail, b"QUIT\r\n")
    except BrokenPipeError:
        pass
    return taken, hashlib.sha256(body).hexdigest()


def main():
    seed, wanted, lock = sys.argv[2], int(sys.argv[3]), threading.Lock()
    numbers, left = itertools.count(), [wanted]
    with open(sys.argv[1], "w", encoding="ascii") as ledger:
        def work():
            while left[0] > 0:
                with lock:
                    number = next(numbers)
                taken, digest = send(seed, number)
                with lock:
                    if taken:
                        left[0] -= 1
                        ledger.write("%d %s\n" % (number, digest))
                        ledger.flush()
        workers = [threading.Thread(target=work) for _ in range(PARALLEL)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
    print("done")


if __name__ == "__main__":
    main()
