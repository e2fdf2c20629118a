"""88-reckon - chaos/reckon.py on invented books: what became of each message is told as it is, a fault fails, and a copy more
passes only where there is evidence of its own, of the right attempt and time.
"""
import hashlib
import os
import subprocess
import sys
import tempfile

TOP = os.environ.get("abs_top_srcdir") or os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
SEED, BEGIN = "7", 1000.0
SAID = "mailer=blackpony, relay=d1.test., "
LOST = "451 4.4.2 mx.d1.test [10.77.0.101]: lost after the final dot, perhaps delivered"
LEFT = "451 4.4.2 mx.d1.test [10.77.0.101]: sendmail has gone after the final dot, perhaps delivered"
run = bad = 0


def ok(holds, name, remark=""):
    global run, bad
    run += 1
    bad += not holds
    print("%s %d - %s" % ("ok" if holds else "not ok", run, name))
    if not holds:
        print("# " + str(remark).replace("\n", "\n# "))


def body_of(number):
    return b"message %d\n.\n\nFrom me \t\n\xe4\xf6\n" % number if number else b""


def from_id(number):
    return "A%013d" % number


def process_of(number):
    return 100 + number


def to_id(number, copy=0):
    return "B%011d%02d" % (number, copy)


class Invented:
    """Ten messages: each was taken at second 10 * number, acknowledged, and delivered once."""

    def __init__(self):
        self.ledger = {number: body_of(number) for number in range(10)}
        self.mailbox = [(number, to_id(number), body_of(number)) for number in range(10)]
        self.log = [(10.0 * number, "%s: from=alice@a.test, msgid=<%d.7@chaos.test>" % (from_id(number), number))
                    for number in range(10)]
        self.other_log, self.sabotage, self.queue_a, self.queue_b, self.bounces, self.warnings = [], [], [], [], [], []
        self.wire = b"220 mail.b.test XPONY 1\r\n"
        for number in range(10):
            self.take(number, 10 * number + 1)
            self.sent(number, 10 * number + 2)

    def take(self, number, time, copy=0):
        """b's sendmail takes it."""
        self.other_log.append((time, "sendmail[1]: %s: from=<alice@a.test>, msgid=<%d.7@chaos.test>" % (to_id(number, copy), number)))

    def say(self, number, time, text, who="sendmail"):
        """In a's log; the process that says it has a number of its own."""
        self.log.append((time, "%s[%d]: %s: %s" % (who, process_of(number), from_id(number), text)))

    def sent(self, number, time, copy=0):
        self.say(number, time, "to=bob@d1.test, %sdsn=2.0.0, stat=Sent (mx.d1.test [10.77.0.101] suite: %s Message accepted for "
                 "delivery)" % (SAID, to_id(number, copy)))

    def unsay(self, number):
        """It was not acknowledged."""
        self.log = [line for line in self.log if from_id(number) not in line[1] or "stat=Sent" not in line[1]]

    def again(self, number, copy=1, time=None):
        """An attempt before the one that was acknowledged had come to its end on b."""
        self.take(number, 10 * number if time is None else time, copy)
        self.mailbox.append((number, to_id(number, copy), body_of(number)))

    def defer(self, number, time, text):
        self.say(number, time, "to=bob@d1.test, %sdsn=4.4.2, stat=Deferred: %s" % (SAID, text))

    def write(self, directory):
        def put(name, lines):
            with open(os.path.join(directory, name), "wb") as file:
                file.write(b"".join(line if isinstance(line, bytes) else (line + "\n").encode() for line in lines))
        stamped = [["%.3f Nov 22 00:00:00 %s" % (BEGIN + time, text if "[" in text.split(":")[0] else "sendmail[1]: " + text)
                    for time, text in log] for log in (self.log, self.other_log)]
        put("ledger", ["%d %s" % (number, hashlib.sha256(body).hexdigest()) for number, body in self.ledger.items()])
        put("mailbox", [b"From alice@a.test Sun Nov 22\nReceived: from mail.a.test\n\tby mail.b.test (8) with ESMTP id %s\n\tfor x\n"
                        b"Message-Id: <%d.7@chaos.test>\n\n%s\n" % (name.encode(), number, body.replace(b"From me", b">From me"))
                        for number, name, body in self.mailbox])
        put("log", stamped[0])
        put("log.b", stamped[1])
        for name, queue, identity in (("queue.a", self.queue_a, from_id), ("queue.b", self.queue_b, to_id)):
            put(name, ["== qf%s\nH??Message-Id: <%d.7@chaos.test>\nH??From: x" % (identity(number), number) for number in queue])
        put("bounces", ["From MAILER-DAEMON Sun\nAction: %s\n\nMessage-Id: <%d.7@chaos.test>\n" % (action, number)
                        for numbers, action in ((self.bounces, "failed"), (self.warnings, "delayed")) for number in numbers])
        put("sabotage", ["begin %.6f" % BEGIN] + ["%.1f %s" % line for line in self.sabotage])
        put("capture", [self.wire])

    def reckon(self):
        with tempfile.TemporaryDirectory() as directory:
            self.write(directory)
            done = subprocess.run([sys.executable, TOP + "/chaos/reckon.py", SEED, directory, directory + "/capture"],
                                  capture_output=True, text=True, check=False)
        return done.returncode, done.stdout + done.stderr


def passes(name, books, *wanted):
    status, said = books.reckon()
    ok(status == 0 and "FAULT" not in said and all(text in said for text in wanted), name, said)


def fails(name, books, *wanted):
    status, said = books.reckon()
    ok(status == 1 and said.count("FAULT") == 1 and all(text in said for text in wanted), name, said)


def single():
    passes("all is well", Invented(), "accepted 10, delivered 10, still queued 0, bounced 0", "in clear 0")
    books = Invented()
    del books.mailbox[3]
    books.unsay(3)
    fails("a message is lost", books, "message 3 lost")
    books = Invented()
    del books.mailbox[3]
    books.again(3)
    fails("one that was acknowledged is not there, though another copy is", books, "message 3 acknowledged, but not there")
    for name, body in (("an octet is changed", body_of(3).replace(b"me", b"mf")), ("the end is missing", body_of(3)[:-3]),
                       ("a blank at a line's end is missing", body_of(3).replace(b" \t", b" ")),
                       ("a dot too many", body_of(3).replace(b".", b".."))):
        books = Invented()
        books.mailbox[3] = (3, to_id(3), body)
        fails(name, books, "message 3 changed or cut")
    books = Invented()
    books.mailbox[0] = (0, to_id(0), b"\n")
    fails("a line in an empty body", books, "message 0 changed or cut")
    books = Invented()
    books.ledger.clear()
    fails("nothing was sent", books, "no message was accepted")
    books = Invented()
    books.mailbox.append(books.mailbox[3])
    books.sabotage.append((31.5, "kill@queue-run 5 1 s old, %s" % from_id(3)))
    fails("b's own queue delivers twice", books, "message 3 2 times from b's own queue")


def elsewhere():
    """Queued, and bounced."""
    books = Invented()
    del books.mailbox[3]
    books.unsay(3)
    books.queue_a.append(3)
    passes("one is still queued", books, "delivered 9, still queued 1")
    books = Invented()
    del books.mailbox[3]
    books.queue_b.append(3)
    passes("one is still queued on b", books, "delivered 10, still queued 0")
    books = Invented()
    books.mailbox = []
    books.log = [line for line in books.log if "stat=Sent" not in line[1]]
    books.queue_a = list(range(10))
    fails("all are still queued", books, "too many are still queued")
    books = Invented()
    books.queue_a.append(3)
    fails("one was acknowledged, and is queued", books, "message 3 doubled, unexplained")
    books = Invented()
    del books.mailbox[3]
    books.unsay(3)
    books.bounces.append(3)
    fails("one is bounced for nothing", books, "message 3 bounced")
    books.bounces, books.warnings = [], [3]
    fails("one is said to wait, and is nowhere", books, "message 3 lost")
    books.bounces, books.warnings = [3], [3]
    books.say(3, 32, "to=bob@d1.test, %sdsn=5.1.2, reply=550 5.1.2 d1.test: does not exist, stat=Host unknown" % SAID)
    passes("one is bounced, for a name server has denied its domain", books, "bounced 1")
    books.again(3)
    fails("and delivered", books, "message 3 doubled, unexplained")


def beside():
    """What sendmail does that ends before it has noted what it did."""
    books = Invented()
    del books.mailbox[3]
    books.unsay(3)
    books.bounces += [3, 3]
    books.say(3, 32, "to=bob@d1.test, %sdsn=5.1.2, reply=550 5.1.2 d1.test: does not exist, stat=Host unknown" % SAID)
    fails("bounced twice", books, "message 3 bounced 2 times")
    for name, time, text, judge in (
            ("the queue run was killed", 31.5, "kill@queue-run %d 0.20 s old, sendmail: MTA: idle" % process_of(3), passes),
            ("that of another message", 31.5, "kill@queue-run %d 0.20 s old, sendmail: MTA: idle" % process_of(4), fails),
            ("it had no memory", 31.5, "group-memory@runners memory.limit_in_bytes 1, used 1", passes),
            ("this one had none", 31.5, "memory@queue-run 1 for %d" % process_of(3), passes),
            ("another one had none", 31.5, "memory@queue-run 1 for %d" % process_of(4), fails),
            ("long before", 2.0, "group-memory@runners memory.limit_in_bytes 1, used 1", fails)):
        books.sabotage = [(time, text)]
        judge("bounced twice: " + name, books, "bounced 2 times")
    for name, body in (("nothing", b""), ("sendmail's remark", b"<<< No Message Collected >>>\n")):
        books = Invented()
        books.again(3)
        books.mailbox[-1] = (3, to_id(3, 1), body)
        books.defer(3, 30.5, LOST)
        fails("a copy without a body: " + name, books, "message 3 changed or cut")
        books.say(3, 30.2, "SYSERR(root): readqf: cannot open ./df%s: No such file or directory" % from_id(3))
        passes("of which sendmail had removed the body: " + name, books, "without a body: message 3, copy %s" % to_id(3, 1))
        del books.mailbox[3]
        books.unsay(3)
        fails("and that is the only one: " + name, books, "message 3 changed or cut")


def twice():
    books = Invented()
    books.again(3)
    fails("a double that nothing explains", books, "message 3 doubled, unexplained: %s, 2 copies" % to_id(3, 1))
    for text in ("451 4.4.2 mx.d1.test [10.77.0.101]: connection closed", "451 4.4.1 d1.test: none of its hosts answered",
                 "Connection reset by mail.a.test"):
        books = Invented()
        books.again(3)
        books.defer(3, 30.5, text)
        fails("nor is an excuse: " + text, books, "message 3 doubled, unexplained")
    books = Invented()
    books.again(3)
    books.defer(3, 30.5, LOST)
    passes("the reply to the dot was lost", books, "copies more that RFC 5321 allows 1",
           "double: message 3, copy %s: " % to_id(3, 1), "lost after the final dot")
    books.other_log.append((30.4, "blackpony-receiver[9]: messages=1, octets=9, stat=\"250 2.0.0 %s Message accepted for delivery\", "
                            "ms=3" % to_id(3, 1)))
    fails("but the receiver has seen the session end well", books, "message 3 doubled, unexplained")
    books.other_log[-1] = (30.4, books.other_log[-1][1].replace("stat=", "fault=\"connection ended without a close\", stat="))
    passes("but not when that was no good end", books)
    books = Invented()
    books.again(3, 1)
    books.again(3, 2, 30.3)
    books.defer(3, 30.5, LOST)
    fails("one excuse for two", books, "message 3 doubled, unexplained: %s, 3 copies" % to_id(3, 2))
    books.say(3, 30.5, "messages=0, octets=9, stat=\"%s\", ms=9" % LOST, "blackpony-mailer")
    fails("that the mailer and sendmail both tell of", books, "message 3 doubled, unexplained: %s, 3 copies" % to_id(3, 2))
    books.defer(3, 30.8, LOST)
    passes("two for two", books, "allows 2")
    books = Invented()
    books.again(3)
    books.defer(2, 30.5, LOST)
    fails("the excuse of another message", books, "message 3 doubled, unexplained")
    books = Invented()
    books.again(3, time=35)
    books.defer(3, 30.5, LOST)
    fails("an excuse from before the message was taken", books, "message 3 doubled, unexplained")
    books = Invented()
    books.again(3)
    books.say(3, 30.5, "messages=0, octets=9, stat=\"%s\", ms=9" % LEFT, "blackpony-mailer")
    passes("sendmail did not wait for the reply", books, "sendmail has gone")


def killed():
    for victim in ("mailer", "mailer-engine", "queue-run"):
        books = Invented()
        books.again(3)
        books.sabotage.append((30.4, "kill@%s 77 0.20 s old, sendmail: MTA: ./%s mx: client DATA status" % (victim, from_id(3))))
        passes("killed: " + victim, books, "kill@%s" % victim)
    for name, time, text in (("before", 25.0, "kill@mailer 77 0.20 s old, ./%s" % from_id(3)),
                             ("long after", 95.0, "kill@mailer 77 0.20 s old, ./%s" % from_id(3)),
                             ("that of another message", 30.4, "kill@mailer 77 0.20 s old, ./%s" % from_id(4)),
                             ("only stopped", 30.4, "stop@mailer 77 0.20 s old, ./%s" % from_id(3))):
        books = Invented()
        books.again(3)
        books.sabotage.append((time, text))
        fails("killed: " + name, books, "message 3 doubled, unexplained")
    books = Invented()
    books.again(3)
    books.say(3, 30.5, "SYSERR(root): mailer blackpony died with signal 9")
    passes("sendmail has seen the mailer die", books, "died with signal 9")
    books = Invented()
    books.again(3)
    books.sent(3, 30.2, 1)
    fails("acknowledged twice", books, "message 3 doubled, unexplained")
    books.defer(3, 30.5, LOST)
    fails("for which no lost reply is an excuse", books, "message 3 doubled, unexplained")
    books.sabotage.append((30.3, "kill@queue-run 77 0.20 s old, sendmail: MTA: ./%s mx: client QUIT" % from_id(3)))
    passes("but that sendmail was killed before it had noted it is", books, "kill@queue-run")
    books.sabotage[-1] = (30.3, "kill@queue-run %d 0.20 s old, sendmail: MTA: mail.a.test: idle" % process_of(3))
    passes("also if it had just put the message down", books, "kill@queue-run")
    books.sabotage[-1] = (30.3, "kill@queue-run %d 0.20 s old, sendmail: MTA: mail.a.test: idle" % process_of(4))
    fails("but not if it was another one", books, "message 3 doubled, unexplained")


def taker_killed():
    """b's side of it, which its sendmail's title names."""
    for name, text, judge in (
            ("its receiver", "kill@receiver 9 0.20 s old, sendmail: MTA: %s mail.m.test: DATA" % to_id(3, 1), passes),
            ("its back end", "term@back-end 9 0.20 s old, sendmail: MTA: %s mail.m.test: DATA" % to_id(3, 1), passes),
            ("its back end was only stopped", "stop@back-end 9 0.20 s old, sendmail: MTA: %s mail.m.test: DATA" % to_id(3, 1), fails),
            ("that of the other copy", "kill@receiver 9 0.20 s old, sendmail: MTA: %s mail.m.test: DATA" % to_id(3), fails)):
        books = Invented()
        books.again(3)
        books.sabotage.append((30.2, text))
        judge("killed on b: " + name, books, "double")


def limited():
    for name, text, judge in (
            ("this mailer had no memory", "memory@mailer 9 for %d" % process_of(3), passes),
            ("another mailer had none", "memory@mailer 9 for %d" % process_of(4), fails),
            ("nobody had", "group-memory@runners memory.limit_in_bytes 1, used 1", passes),
            ("nor did any process of b", "group-memory@inetd memory.limit_in_bytes 1, used 1", fails)):
        books = Invented()
        books.again(3)
        books.say(3, 30.1, "messages=0, octets=9, ms=9", "blackpony-mailer")
        books.sabotage.append((29.8, text))
        judge("limited: " + name, books, "double")
    books = Invented()
    books.again(3)
    books.sabotage.append((29.8, "group-memory@runners memory.limit_in_bytes 1, used 1"))
    passes("which is told as what it is", books, "of these copies: beside a limit of all processes, or a full or read-only queue 1")


def wire():
    for name, octets in (("a line of a body", b"\0\0not for the wire\0"), ("a sender", b"MAIL FROM:<alice@a.test>"),
                         ("a recipient", b"RCPT TO:<bob@d3.test>"), ("a header", b"message-id: <3.7@CHAOS.test>")):
        books = Invented()
        books.wire += octets
        fails("in clear: " + name, books, "in clear 1 times")
    books = Invented()
    books.wire = b"nothing"
    fails("the wiretap was deaf", books, "the capture has no session")


def main():
    single()
    elsewhere()
    beside()
    twice()
    killed()
    taker_killed()
    limited()
    wire()
    print("1..%d" % run)
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
