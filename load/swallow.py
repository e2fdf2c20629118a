"""swallow.py - a back end that keeps nothing: says yes to all, and to the end of a body how many octets it had and their
SHA-256. Started by blackpony-receiver in the run of load/ that streams a gigabyte; stands on standard input and output.
"""
import hashlib
import os

ROOM = 1 << 20


def say(text):
    os.write(1, text)


def swallow(text):
    """A body; returns what is behind its dot."""
    digest, octets = hashlib.sha256(), 0
    while (end := text.find(b"\r\n.\r\n")) < 0:
        sure, text = text[:-4], text[-4:]
        digest.update(sure)
        octets += len(sure)
        more = os.read(0, ROOM)
        if not more:
            os._exit(1)
        text += more
    digest.update(text[:end + 2])
    say(b"250 2.0.0 %d %s\r\n" % (octets + end + 2, digest.hexdigest().encode()))
    return text[end + 5:]


def main():
    say(b"220 swallow ESMTP\r\n")
    text = b""
    while more := os.read(0, ROOM):
        text += more
        while b"\n" in text:
            line, _, text = text.partition(b"\n")
            verb = line[:4].upper()
            if verb == b"DATA":
                say(b"354 Go on\r\n")
                text = swallow(text)
            elif verb == b"QUIT":
                say(b"221 2.0.0 Bye\r\n")
                return
            else:
                say(b"250-swallow\r\n250 8BITMIME\r\n" if verb == b"EHLO" else b"250 2.0.0 Yes\r\n")


main()
