"""reckon.py SEED DIRECTORY CAPTURE - what became of each message that was accepted. Called by chaos/run when all is calm again, and
by t/88-reckon.py.

DIRECTORY has ledger (sender.py), mailbox, bounces, both hosts' logs (log, log.b; each line begins with the seconds of its
arrival) and queues (queue.a, queue.b; each file behind a line "== its name"), and sabotage (saboteur.py, from a line
"begin SECONDS" on). Each message must be in the mailbox or b's queue byte for byte, and once, or still in a's queue, or
in a bounce for which the log has a reason. A copy more is allowed where the sender could not know (RFC 5321 sections
4.5.3.2.6 and 6.1), and then there must be evidence, another one for each copy, that this very attempt was broken off
between the final dot and the end of the sender's book-keeping; it is printed. So is what the first sendmail does when it
ends amid that book-keeping: a bounce more, or a copy without a body beside an intact one. CAPTURE must not have a word of any
message. Prints the counts, the copies, then each message for which something else is true; exit status 1 if there is any.
"""
import collections
import hashlib
import mmap
import re
import sys

import sender

FEW = 0.05  # of the messages may still be queued
SECRETS = re.compile(b"|".join(map(re.escape, (sender.MARK.encode(), b"alice@a.test", b"bob@d", b"@chaos.test"))), re.I)
ACCEPTED = re.compile(r"(\w{14,}) Message accepted")
ENDED = r"(?:kill|term|hup)@"
TAKER_ENDED = re.compile(ENDED + r"(?:receiver|receiver-engine|back-end) ")  # while b's sendmail had that message
RUN_ENDED = re.compile(ENDED + r"queue-run (\d+)")
PATIENCE = 30  # seconds from b's acceptance to the end of an attempt, with all that can be stopped meanwhile

# What a's log says of an attempt, and the word for it. The first two say themselves that the dot had been sent.
SAID = ((re.compile(r"lost after the final dot, perhaps delivered|client DATA status"), "lost"),
        (re.compile(r"sendmail has gone after the final dot, perhaps delivered|sendmail has gone, perhaps before it heard"), "left"),
        (re.compile(r"engine ended without a report"), "killed"),
        (re.compile(r"mailer blackpony died with signal"), "killed"),
        (re.compile(r"queueup: cannot|unlink|No space left|Read-only file"), "unwritten"),
        (re.compile(r"readqf: cannot open \./df"), "bodiless"))
# What sendmail sends for a body that is not there.
BODILESS = {hashlib.sha256(text).hexdigest() for text in (b"", b"<<< No Message Collected >>>\n")}
# Sabotage after which a process may have been unable to write the log, or a queue file: that of one process, which it
# names by its number on the host, and that of all of them.
LIMITED = re.compile(r"(?:descriptors|memory|processes)@(?:mailer|queue-run) \d+ for (\d+)$")
BLIND = re.compile(r"(?:(?:descriptors|memory|processes)@runners|group-\w+@runners)")
UNWRITTEN = re.compile(r"(?:full|read-only)@queue a")

# Why a message came back: a name server that lied said no for good, to the mailer or to the host's sendmail.
DENIED = re.compile(r"5\.1\.2 .*does not exist|5\.1\.8 .*does not exist|5\.3\.5 .*loops back|5\.4\.4 .*no mail host|5\.1\.10 ")

Event = collections.namedtuple("Event", "time word text")
Copy = collections.namedtuple("Copy", "id time digest")


def lines_of(path):
    """Seconds of arrival and text."""
    with open(path, encoding="latin-1") as file:
        for line in file:
            if match := re.match(r"(\d+\.\d+) (.*)", line):
                yield float(match.group(1)), match.group(2)


class Books:
    """What is known."""

    def __init__(self, seed, directory):
        self.seed, self.directory = seed, directory
        self.numbers = {}  # of a's queue ids
        self.events = collections.defaultdict(list)  # by number: what a's log says
        self.acknowledged = collections.defaultdict(dict)  # by number: b's ids, and when
        self.speakers = collections.defaultdict(set)  # by number: the processes that had it
        self.denied = collections.defaultdict(list)  # by number: when, and why for good
        self.attempts = collections.Counter()
        self.taken = {}  # b's ids, and when
        self.orderly = set()  # b's ids after which the receiver saw the session end well
        self.read_log()
        self.read_other_log()
        self.sabotage = self.read_sabotage()
        with open(directory + "/ledger", encoding="ascii") as file:
            self.ledger = {int(number): digest for number, digest in map(str.split, file)}
        self.copies = collections.defaultdict(list)
        self.read_mailbox()
        self.queued = self.in_queue("queue.a")
        for number, identity in self.in_queue("queue.b").items():
            self.copies[number].append(Copy(identity, self.taken.get(identity), None))
        self.bounced = self.read_bounces()

    def read_bounces(self):
        """A note that a message waits is none: its clock had been put on by a day. A dead letter is one that had no room."""
        with open(self.directory + "/bounces", "rb") as file:
            notes = re.split(rb"^From ", file.read(), flags=re.M)
        bounced = collections.Counter()
        for note in notes:
            if not re.search(rb"^Action: delayed", note, re.M):
                bounced.update(map(int, re.findall(rb"^Message-Id: <(\d+)\.%s@chaos" % re.escape(self.seed.encode()), note, re.I | re.M)))
        return bounced

    def message_of(self, text):
        match = re.search(r"msgid=<(\d+)\.%s@chaos\.test>" % re.escape(self.seed), text)
        return int(match.group(1)) if match else None

    def read_log(self):
        for time, text in lines_of(self.directory + "/log"):
            match = re.search(r"\[(\d+)\]: (\w{14,}): ", text)
            if not match:
                continue
            process, identity = match.groups()
            number = self.message_of(text)
            if number is not None:
                self.numbers[identity] = number
            elif identity in self.numbers:
                self.speakers[self.numbers[identity]].add(process)
                self.read_attempt(self.numbers[identity], time, text)

    def read_attempt(self, number, time, text):
        stat = re.search(r" stat=(.*)", text)
        if ": to=" in text and stat and not stat.group(1).startswith("queued"):
            self.attempts["sent" if stat.group(1).startswith("Sent") else "deferred"] += 1
        if ": to=" in text and stat and stat.group(1).startswith("Sent"):
            known = ACCEPTED.search(stat.group(1))
            self.acknowledged[number][known.group(1) if known else text] = time
        elif ": to=" in text and re.search(r" dsn=5", text):
            self.denied[number].append((time, text))
        else:
            word = next((word for pattern, word in SAID if pattern.search(text)), None)
            if word:
                self.events[number].append(Event(time, word, text))

    def read_other_log(self):
        for time, text in lines_of(self.directory + "/log.b"):
            match = re.search(r"\]: (\w{14,}): from=", text)
            if match and self.message_of(text) is not None:
                self.taken[match.group(1)] = time
            elif "blackpony-receiver[" in text and " fault=" not in text and (match := ACCEPTED.search(text)):
                self.orderly.add(match.group(1))

    def read_sabotage(self):
        found, begin = [], 0.0
        with open(self.directory + "/sabotage", encoding="latin-1") as file:
            for line in file:
                if match := re.match(r"begin (\d+\.\d+)$", line):
                    begin = float(match.group(1))
                elif match := re.match(r"(\d+\.\d+) (.*)", line):
                    found.append(Event(begin + float(match.group(1)), "sabotage", match.group(2)))
        return found

    def read_mailbox(self):
        with open(self.directory + "/mailbox", "rb") as file:
            parts = re.split(rb"(?:\A|\n)(?=From alice@a\.test )", file.read()[:-1])
        for part in filter(None, parts):
            head, _, body = part.partition(b"\n\n")
            number = re.search(rb"^Message-Id: <(\d+)\.%s@" % re.escape(self.seed.encode()), head, re.M | re.I)
            identity = re.search(rb"by mail\.b\.test .*?\bid (\w{14,})", head, re.S)
            if number:
                name = identity.group(1).decode() if identity else "?"
                digest = hashlib.sha256(re.sub(rb"^>From ", b"From ", body, flags=re.M)).hexdigest()
                self.copies[int(number.group(1))].append(Copy(name, self.taken.get(name), digest))

    def in_queue(self, name):
        """Numbers, and the names of their files."""
        found, identity = {}, ""
        with open(self.directory + "/" + name, encoding="latin-1") as file:
            for line in file:
                if match := re.match(r"== qf(\w+)$", line):
                    identity = match.group(1)
                elif match := re.match(r"H\?\?Message-Id: <(\d+)\.%s@" % re.escape(self.seed), line, re.I):
                    found[int(match.group(1))] = identity
        return found


class Reckoning:
    """One message."""

    def __init__(self, books, number):
        self.books, self.number = books, number
        self.copies = sorted(books.copies.get(number, []), key=lambda copy: copy.time or 0)
        self.acknowledged = books.acknowledged.get(number, {})
        self.used = set()
        ids = [identity for identity, known in books.numbers.items() if known == number]
        self.sabotage = [event for event in books.sabotage if any(identity in event.text for identity in ids) or
                         (one := RUN_ENDED.match(event.text) or LIMITED.match(event.text)) and one.group(1) in books.speakers[number]]

    def faults(self):
        """Each as text."""
        books, number = self.books, self.number
        for copy in self.copies:
            if copy.digest not in (None, books.ledger[number]) and not self.is_bodiless(copy):
                yield "changed or cut"
        if not self.copies and number not in books.queued and not books.bounced[number]:
            yield "lost"
        there = collections.Counter(copy.id for copy in self.copies)
        for identity in self.acknowledged:
            if not there[identity]:
                yield "acknowledged, but not there: %s" % re.sub(r".* stat=", "", identity)
        for identity, count in there.items():
            if count > 1:
                yield "%d times from b's own queue, as %s" % (count, identity)
        if books.bounced[number] > 1 and not self.why_bounced_again():
            yield "bounced %d times" % books.bounced[number]
        if books.bounced[number] and not any(DENIED.search(text) for _, text in books.denied[number]):
            yield "bounced: %s" % (books.denied[number] or "nobody had said no")

    def is_bodiless(self, copy):
        """sendmail removes the body before the envelope: who ends between has the next queue run send the rest of it."""
        intact = any(other.digest == self.books.ledger[self.number] and other.id in self.acknowledged for other in self.copies)
        said = any(event.word == "bodiless" for event in self.books.events[self.number])
        return copy.digest in BODILESS and intact and said

    def why_bounced_again(self):
        """The event for which a queue run had bounced it, and had not noted that; None."""
        times = [time for time, _ in self.books.denied[self.number]]
        return next((event for event in self.sabotage + self.books.sabotage for time in times
                     if -PATIENCE < time - event.time < 10 and
                     (event in self.sabotage and (RUN_ENDED.match(event.text) or LIMITED.match(event.text)) or
                      BLIND.match(event.text) or UNWRITTEN.match(event.text))),
                    None)

    def beside(self):
        """Lines on what is no fault."""
        number = self.number
        if self.books.bounced[number] > 1 and (event := self.why_bounced_again()):
            yield "bounced %d times: message %d: %s" % (self.books.bounced[number], number, event.text[:300])
        yield from ("without a body: message %d, copy %s" % (number, copy.id) for copy in self.copies if self.is_bodiless(copy))

    def too_many(self):
        """Copies that ought not to be there but for evidence."""
        known = [copy for copy in self.copies if copy.id in self.acknowledged]
        if self.number in self.books.queued or self.books.bounced[self.number]:
            return self.copies
        final = known[-1:] or self.copies[-1:]
        return [copy for copy in self.copies if copy not in final]

    def evidence(self, copy):
        """Event, or None."""
        said = [event for event in self.books.events[self.number] if event not in self.used]
        if copy.id in self.acknowledged:
            # The reply had come, and the queue file was to be removed.
            time = self.acknowledged[copy.id]
            candidates = [event for event in said if event.word == "unwritten"] + [
                event for event in self.sabotage if RUN_ENDED.match(event.text)]
            candidates += self.beside_it(time, BLIND, UNWRITTEN)
        else:
            time = copy.time
            if copy.id not in self.books.orderly:  # else the receiver knows better
                for event in said:
                    if event.word in ("lost", "left") and (time is None or event.time > time - 1):
                        return event
            candidates = [event for event in said if event.word == "killed"] + [
                event for event in self.sabotage if re.match(ENDED, event.text)] + [
                event for event in self.books.sabotage if TAKER_ENDED.match(event.text) and copy.id in event.text]
            candidates += self.beside_it(time, BLIND)
        return next((event for event in candidates
                     if event not in self.used and (time is None or -1 < event.time - time < PATIENCE)), None)

    def beside_it(self, time, *patterns):
        """What was wrong at that time with this message's processes, then what was with all of them."""
        events = [event for event in self.sabotage if LIMITED.match(event.text)] + [
            event for event in self.books.sabotage if any(pattern.match(event.text) for pattern in patterns)]
        return [event._replace(time=time) for event in events if time and -1 < time - event.time < 10]

    def explain(self):
        """Pairs of a copy and its evidence."""
        for copy in self.too_many():
            event = self.evidence(copy)
            if event:
                self.used.update((event, self.said_twice(event)))
            yield copy, event

    def said_twice(self, event):
        """The mailer's line and sendmail's tell of one attempt; the other one."""
        def is_mailer(one):
            return "blackpony-mailer[" in one.text
        others = [other for other in self.books.events[self.number] if other.word == event.word and other not in self.used and
                  is_mailer(other) != is_mailer(event) and abs(other.time - event.time) < 2]
        return min(others, key=lambda other: abs(other.time - event.time), default=None)


def kind_of(event):
    if event.word != "sabotage":
        return "told by a's log"
    return "ended or limited this very process" if re.match(ENDED, event.text) or LIMITED.match(event.text) else \
        "beside a limit of all processes, or a full or read-only queue"


def heard(path):
    """What was to be secret; and whether there was anything to hear."""
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as octets:
        return collections.Counter(match.group(0).decode("latin-1") for match in SECRETS.finditer(octets)), \
            octets.find(b"XPONY") >= 0


def main():
    seed, directory, capture = sys.argv[1:]
    books = Books(seed, directory)
    clear, anything = heard(capture)
    faults, explained, beside = [], [], []
    for number in sorted(books.ledger):
        reckoning = Reckoning(books, number)
        faults += [(number, fault) for fault in reckoning.faults()]
        beside += reckoning.beside()
        for copy, event in reckoning.explain():
            if event:
                explained.append((number, copy, event))
            else:
                faults.append((number, "doubled, unexplained: %s, %d copies" % (copy.id, len(reckoning.copies))))
    kinds = collections.Counter(kind_of(event) for _, _, event in explained)
    queued = sum(number in books.ledger for number in books.queued)
    print("accepted %d, delivered %d, still queued %d, bounced %d, attempts %d, of those deferred %d, copies more that RFC 5321 allows %d, "
          "in clear %d" % (len(books.ledger), sum(bool(books.copies.get(number)) for number in books.ledger), queued, len(books.bounced),
                           sum(books.attempts.values()), books.attempts["deferred"], len(explained), sum(clear.values())))
    if explained:
        print("  of these copies: " + ", ".join("%s %d" % pair for pair in sorted(kinds.items())))
    for number, copy, event in explained:
        print("  double: message %d, copy %s: %s" % (number, copy.id, event.text[:300]))
    for line in beside:
        print("  " + line)
    for number, fault in faults:
        print("FAULT: message %d %s" % (number, fault))
    general = ["in clear %d times: %s" % (count, text) for text, count in clear.items()]
    if not anything:
        general.append("the capture has no session")
    if not books.ledger:
        general.append("no message was accepted")
    if queued > 5 + FEW * len(books.ledger):
        general.append("too many are still queued: %d" % queued)
    for fault in general:
        print("FAULT: " + fault)
    sys.exit(1 if faults or general else 0)


if __name__ == "__main__":
    main()
