"""letters.py - the numbered messages of load/: how they are made, and how they are found again in a mailbox.

As a program, called by load/lib.sh:

    letters.py watch BOX                          prints "kind number sent arrived", in seconds since 1970, for each message
                                                  that comes into that mbox file; on the host that has it
    letters.py reckon KIND LEDGER ARRIVED FROM TO [WANTED-SECONDS]
                                                  how the messages fared that were handed in between FROM and TO: a line of
                                                  accepted, delivered, lost, changed, doubled, p50, p99 and the longest, in
                                                  milliseconds from the first attempt to the mailbox. LEDGER has a line
                                                  "number sent" for each message that the first MTA, or the first host, took

A message is intact when its body is, to the octet, the one that its kind and number make.
"""
import collections
import hashlib
import os
import re
import sys
import time

LINES = 20


def body(kind, number):
    lines = ["%s %d, line %d: %s" % (kind, number, i, hashlib.sha256(b"%d %d" % (number, i)).hexdigest())
             for i in range(LINES)]
    return "".join(line + "\n" for line in lines + ["the end of %s %d" % (kind, number)]).encode()


def letter(kind, number, sent):
    return b"Subject: %s %d\nX-Sent: %.6f\nFrom: alice@a.test\nTo: friends:;\n\n" % (
        kind.encode(), number, sent) + body(kind, number)


class Box:
    """An mbox file that grows: octets in, (kind, number, sent, intact) out for each message that is whole.
    last: the last of them, as it is in the file."""
    END = re.compile(rb"^the end of (\w+) (\d+)\n", re.M)

    def __init__(self):
        self.text = self.last = b""

    def add(self, octets):
        self.text += octets
        while end := self.END.search(self.text):
            part, self.text = self.text[:end.end()], self.text[end.end():]
            part = part[max(0, part.rfind(b"\nFrom alice@a.test ")):]  # what was cut before it has not come
            self.last = part
            head, _, text = part.partition(b"\n\n")
            sent = re.search(rb"^X-Sent: ([\d.]+)$", head, re.M)
            kind, number = end.group(1).decode(), int(end.group(2))
            yield kind, number, float(sent.group(1)) if sent else 0, text == body(kind, number)


def watch(path):
    box, at = Box(), 0
    print("ready", flush=True)
    while True:
        time.sleep(0.01)
        if not os.path.exists(path) or os.path.getsize(path) <= at:
            continue
        with open(path, "rb") as file:
            file.seek(at)
            octets = file.read()
        at += len(octets)
        for kind, number, sent, intact in box.add(octets):
            print(kind, number, "%.6f %.6f" % (sent, time.time()), "intact" if intact else "CHANGED", flush=True)
            if not intact:
                print(*("- %r" % line for line in box.last.split(b"\n")), sep="\n", flush=True)


def share(values, part):
    """The value below which that part of them is; sorted, nearest rank."""
    return values[min(len(values) - 1, int(len(values) * part))] if values else 0


def reckon(kind, ledger, arrived, begin, end):
    accepted = {}
    with open(ledger, encoding="ascii") as file:
        for number, sent in map(str.split, file):
            if begin <= float(sent) <= end:
                accepted[int(number)] = float(sent)
    came, changed = collections.defaultdict(list), 0
    with open(arrived, encoding="ascii") as file:
        for words in map(str.split, file):
            if words and words[0] == kind and int(words[1]) in accepted:
                came[int(words[1])].append(float(words[3]))
                changed += words[4] != "intact"
    took = sorted(1000 * (min(times) - accepted[number]) for number, times in came.items())
    print(len(accepted), len(came), len(accepted) - len(came), changed, sum(len(times) - 1 for times in came.values()),
          *("%.0f" % share(took, part) for part in (0.5, 0.99, 1)))


if __name__ == "__main__":
    if sys.argv[1] == "watch":
        watch(sys.argv[2])
    else:
        reckon(*sys.argv[2:5], float(sys.argv[5]), float(sys.argv[6]))
