"""senders.py PARALLEL SECONDS LEDGER MAILER [ARGUMENT...] - so many senders at once, each with one message after the other
through a blackpony-mailer of its own, started as sendmail starts it, to crowd@b.test. Called by load/run on host a.

It stands in the place of sendmail, which would take most of the machine for itself: so the load is blackpony's and the
back end's. What is not accepted is tried again under the same number, as from a queue; the pause before that is a
second. LEDGER gets "number sent" for each message that the far host has taken. Ends with a line
"accepted N, deferred N, refused N, unsure N, p50 N, p99 N": unsure is a message whose dot was not answered (it may
have come, and is tried again under another number); times are of accepted messages, program start to program end.
"""
import collections
import subprocess
import sys
import threading
import time

import letters


class Lost(Exception):
    """The mailer went away without an answer."""


class Senders:
    def __init__(self, mailer, ledger, end):
        self.mailer, self.ledger, self.end = mailer, ledger, end
        self.lock, self.last = threading.Lock(), int(time.time() * 1000) * 1000  # of no earlier run
        self.count, self.took, self.verdicts = collections.Counter(), [], collections.Counter()

    def number(self):
        with self.lock:
            self.last += 1
            return self.last

    @staticmethod
    def reply(program):
        while line := program.stdout.readline():
            if line[3:4] != b"-":
                return line
        raise Lost

    def talk(self, program, letter):
        """The reply that decides; and whether the message had gone out."""
        verdict = self.reply(program)
        for command in (b"EHLO mail.a.test", b"MAIL FROM:<alice@a.test>", b"RCPT TO:<crowd@b.test>", b"DATA"):
            if not verdict.startswith((b"2", b"3")):
                return verdict
            program.stdin.write(command + b"\r\n")
            program.stdin.flush()
            verdict = self.reply(program)
        if verdict.startswith(b"354"):
            program.stdin.write(letter.replace(b"\n", b"\r\n") + b".\r\n")
            program.stdin.flush()
            self.sent.add(threading.get_ident())
            verdict = self.reply(program)
        return verdict

    sent = set()

    def attempt(self, number, first):
        self.sent.discard(threading.get_ident())
        verdict, begin = b"", time.monotonic()
        with subprocess.Popen(self.mailer, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as program:
            try:
                verdict = self.talk(program, letters.letter("crowd", number, first))
                program.stdin.write(b"QUIT\r\n")
                program.stdin.flush()
                self.reply(program)
            except (Lost, BrokenPipeError):
                pass
        return verdict, time.monotonic() - begin

    def judge(self, number, first, verdict, took):
        """True when nothing more is to be done for that number."""
        unsure = not verdict and threading.get_ident() in self.sent
        with self.lock:
            if verdict.startswith(b"2"):
                self.count["accepted"] += 1
                self.took.append(took)
                self.ledger.write("%d %.6f\n" % (number, first))
            elif verdict.startswith(b"5"):
                self.count["refused"] += 1
            else:
                self.count["unsure" if unsure else "deferred"] += 1
            if not verdict.startswith(b"2"):
                self.verdicts[verdict.decode("latin-1").strip()[:120]] += 1
        return verdict.startswith((b"2", b"5")) or unsure

    def sender(self):
        while time.monotonic() < self.end:
            number, first = self.number(), time.time()
            while not self.judge(number, first, *self.attempt(number, first)) and time.monotonic() < self.end:
                time.sleep(1)

    def tell(self):
        took = sorted(self.took)
        print(", ".join("%s %d" % (name, self.count[name]) for name in ("accepted", "deferred", "refused", "unsure")) +
              ", p50 %.0f, p99 %.0f" % (1000 * letters.share(took, 0.5), 1000 * letters.share(took, 0.99)), flush=True)
        for verdict, count in self.verdicts.most_common(10):
            print("  %d: %s" % (count, verdict or "nothing was answered"), flush=True)


def main():
    with open(sys.argv[3], "w", encoding="ascii") as ledger:
        senders = Senders(sys.argv[4:], ledger, time.monotonic() + float(sys.argv[2]))
        threads = [threading.Thread(target=senders.sender) for _ in range(int(sys.argv[1]))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    senders.tell()


main()
