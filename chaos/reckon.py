"""reckon.py SEED LEDGER MAILBOX LOG BOUNCES QUEUE PCAP - what became of each message that was accepted. Called by chaos/run when all is calm again.

Each must be in MAILBOX byte for byte, and once; more often only where the sender could not know (RFC 5321 section
4.5.3.2.6, a killed process), which the host's LOG must show for that message. Prints the counts, then each message for
which something else is true; exit status 1 if there is any.
"""
import collections
import hashlib
import re
import sys

import sender

# What sendmail says of an attempt in which the host cannot have had the whole message.
NEVER = re.compile(r"^queued|^5\.|4\.7\.5|Connection refused|Name server|4\.4\.3|4\.4\.1 |lost before|not sent")

# Why it gave up: a name server that lied said no for good, to the mailer or to the host's sendmail.
DENIED = re.compile(r"5\.1\.2 .*does not exist|5\.1\.8 .*does not exist|5\.3\.5 .*loops back|5\.4\.4 .*no mail host|5\.1\.10 ")


def mailbox(path):
    """Bodies, by number."""
    with open(path, "rb") as file:
        parts = re.split(rb"(?:\A|\n)(?=From alice@a\.test )", file.read()[:-1])
    found = collections.defaultdict(list)
    for part in filter(None, parts):
        head, _, body = part.partition(b"\n\n")
        number = re.search(rb"^Subject: (\d+), ", head, re.M)
        if number:
            found[int(number.group(1))].append(re.sub(rb"^>From ", b"From ", body, flags=re.M))
    return found


def attempts(path, seed):
    """By number: what sendmail said of each attempt."""
    numbers, said = {}, collections.defaultdict(list)
    with open(path, encoding="latin-1") as file:
        for line in file:
            if match := re.search(r": (\w{14,}): .*msgid=<(\d+)\.%s@chaos\.test>" % re.escape(seed), line):
                numbers[match.group(1)] = int(match.group(2))
            elif match := re.search(r": (\w{14,}): to=.*?(?:dsn=(5.*)|stat=(.*))$", line):
                if match.group(1) in numbers:
                    said[numbers[match.group(1)]].append(match.group(2) or match.group(3))
    return said


def numbers_in(path):
    """Of the messages whose headers are there: bounces, queue files."""
    with open(path, "rb") as file:
        return {int(number) for number in re.findall(rb"Message-Id: <(\d+)\.", file.read(), re.I)}


def main():
    seed, ledger, box, log, bounces, queue, heard = sys.argv[1:]
    with open(ledger, encoding="ascii") as file:
        accepted = {int(number): digest for number, digest in map(str.split, file)}
    got, said = mailbox(box), attempts(log, seed)
    bounced, queued = numbers_in(bounces), numbers_in(queue)
    with open(heard, "rb") as file:
        clear = file.read().count(sender.MARK.encode())
    faults, doubled, denied = [], collections.Counter(), 0
    for number, digest in accepted.items():
        bodies = got.get(number, [])
        if any(hashlib.sha256(body).hexdigest() != digest for body in bodies):
            faults.append((number, "changed or cut"))
        if not bodies and number not in bounced | queued:
            faults.append((number, "lost"))
        denied += number in bounced
        if number in bounced and not any(DENIED.search(text) for text in said[number]):
            faults.append((number, "bounced: %s" % said[number]))
        unsure = [text for text in said[number] if not text.startswith("Sent") and not NEVER.search(text)]
        if len(bodies) > 1:
            for text in unsure[:len(bodies) - 1]:
                doubled[re.sub(r"\b[\w.-]+\.test\b|\[[^]]*\]", "HOST", text)[:100]] += 1
            if len(unsure) < len(bodies) - 1:
                faults.append((number, "doubled: %d copies, and sendmail says %s" % (len(bodies), said[number])))
    tries = [text for texts in said.values() for text in texts]
    print("accepted %d, delivered %d, still queued %d, bounced %d, attempts %d, of those deferred %d, doubled as RFC 5321 allows %d, in clear %d" % (
        len(accepted), len(set(got) & set(accepted)), len(queued), denied, len(tries), sum(not text.startswith("Sent") for text in tries),
        sum(doubled.values()), clear))
    for text, count in doubled.most_common():
        print("  doubled %d: %s" % (count, text))
    for number, fault in sorted(faults):
        print("FAULT: message %d %s" % (number, fault))
    sys.exit(1 if faults or clear or not accepted else 0)


if __name__ == "__main__":
    main()
