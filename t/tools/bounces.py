"""bounces.py - prints what the bounces in a mailbox say, for tests. Called by t/lib/peers.sh.

Reads an mbox on standard input; a line for each recipient in each delivery status report (RFC 3464):
recipient, action, status and diagnostic code, with tabs between.
"""
import email
import re
import sys


def field(part, name):
    text = re.sub(r"\s+", " ", part.get(name, "-"))
    return text.partition(";")[2].strip() if ";" in text else text


def main():
    box = sys.stdin.buffer.read()
    for octets in re.split(rb"^From (?=\S+ +\w{3} \w{3} )", box, flags=re.M)[1:]:
        message = email.message_from_bytes(octets.partition(b"\n")[2])
        for part in message.walk():
            if part.get_content_type() != "message/delivery-status":
                continue
            for status in part.get_payload():
                if "Final-Recipient" in status:
                    names = ("Final-Recipient", "Action", "Status", "Diagnostic-Code")
                    print("\t".join(field(status, name) for name in names))


if __name__ == "__main__":
    main()
