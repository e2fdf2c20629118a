"""logs.py LINES DAYS [SEED] - a log of syslog's with so many lines, for the tests of blackpony-report: half of them
of blackpony, as its programs write them (t/82-report-world has real ones), the others of sendmail's, over so many days,
the last of which is 21 November 2026. The same arguments give the same log."""
import datetime
import random
import sys

FINGERPRINT = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
SUITES = ["mlkem768x25519-chachapoly"] * 6 + ["x25519-chachapoly"] + ["STARTTLS"] * 3 + ["none"] * 2


def key(random_):
    return "SHA256:" + "".join(random_.choices(FINGERPRINT, k=43))


def destinations(random_):
    """Each has its own habits, so that the report has something to say of it."""
    found = []
    for i in range(200):
        name = "%s%d.example.%s" % (random_.choice(["mail", "post", "list", "shop"]), i, random_.choice(["org", "net"]))
        found.append((name, random_.choice(SUITES), key(random_)))
    return found


def mailer(random_, name, suite, its_key):
    relay = "relay=mx.%s [192.0.2.%d]" % (name, random_.randrange(1, 255))
    if random_.random() < 0.02:
        return '%s: upgrade failed, %s, destination=%s, reason="454 4.7.0 Encryption failed", next=retry' % (
            "6ALN%06d" % random_.randrange(10**6), relay, name)
    if random_.random() < 0.01 and "25519" in suite:
        return '6ALN0: host key, %s, destination=%s, reason="key changed from %s to %s"' % (
            relay, name, its_key, key(random_))
    keyed = ", key=%s, trust=%s" % (its_key, random_.choice(["known"] * 30 + ["new"])) if "25519" in suite else ""
    count = 0 if suite == "STARTTLS" else 1
    return '%s: %s, suite=%s%s, messages=%d, octets=%d, destination=%s, stat="250 2.0.0 ok", ms=%d' % (
        "6ALN%06d" % random_.randrange(10**6), relay, suite, keyed, count, 1000 * count, name, random_.randrange(900))


def receiver(random_):
    peer = "peer=[198.51.%d.%d]" % (random_.randrange(4), min(int(random_.expovariate(0.05)), 254))
    suite = random_.choice(SUITES)
    keyed = ", key=" + key(random_) if "25519" in suite else ""
    if random_.random() < 0.05:
        return '%s, suite=none, messages=0, octets=0, fault="connection ended without a close", ms=3' % peer
    return '%s, helo=client.example, suite=%s%s, messages=1, octets=4711, stat="250 2.0.0 ok", ms=42' % (
        peer, suite, keyed)


def main():
    lines, days = int(sys.argv[1]), int(sys.argv[2])
    random_ = random.Random(int(sys.argv[3]) if len(sys.argv) > 3 else 1)
    known = destinations(random_)
    weights = [1 / (i + 1) for i in range(len(known))]
    start = datetime.datetime(2026, 11, 22) - datetime.timedelta(days=days)
    step = datetime.timedelta(days=days) / lines
    out = []
    for i in range(lines):
        at = start + step * i
        stamp = at.strftime("%b ") + "%2d" % at.day + at.strftime(" %H:%M:%S mail ")
        if i % 4 < 2:
            text = "sm-mta[%d]: 6ALN%06d: to=<bob@example.org>, delay=00:00:01, mailer=blackpony, stat=Sent" % (i % 30000, i)
        elif i % 4 == 2:
            name, suite, its_key = random_.choices(known, weights)[0]
            text = "blackpony-mailer[%d]: %s" % (i % 30000, mailer(random_, name, suite, its_key))
        else:
            text = "blackpony-receiver[%d]: %s" % (i % 30000, receiver(random_))
        out.append(stamp + text + "\n")
        if len(out) == 10000:
            sys.stdout.write("".join(out))
            out = []
    sys.stdout.write("".join(out))


main()
