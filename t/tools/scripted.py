#!/usr/bin/python3
"""scripted - a program mailer that does as the destination's name says, and writes down what
sendmail does: for t/60-sendmail-facts.sh.

The last argument is sendmail's $h; its first label is the script:

    say-WHERE-CODE   answers CODE at WHERE: greet, ehlo, mail, rcpt, data, dot, quit
    die-WHERE        ends there without an answer
    hang-WHERE       gives no answer there, and ends two seconds after the pipe has
    exit-STATUS      ends with that status
    self             greets with this host's own name in its EHLO reply
    errors           answers everything on standard error
    lag-quit         ends two seconds after QUIT was answered and the pipe has ended
    linger-quit      lets go of its ends of the pipes after QUIT, and ends ten seconds later
    chunking         offers CHUNKING and SMTPUTF8 as well
    anything else    is a good host

A recipient whose local part is CODE=ENHANCED, such as 550=5.1.2, gets that answer. DATA is
always answered 354. Each process leaves one file in /tmp/scripted, of lines "WORD what".
"""
import os
import re
import select
import signal
import socket
import sys
import time

NAME = socket.gethostname()
KEYWORDS = ["ENHANCEDSTATUSCODES", "PIPELINING", "8BITMIME", "SIZE", "DSN"]
GOOD = {
    "greet": "220 scripted ESMTP",
    "mail": "250 2.1.0 sender noted",
    "rcpt": "250 2.1.5 recipient noted",
    "data": "354 go on",
    "dot": "250 2.0.0 far.example [192.0.2.7] took it",
    "quit": "221 2.0.0 bye",
    "rset": "250 2.0.0 forgotten",
    "helo": "250 scripted",
}

script = sys.argv[-1].split(":")[0].split(".")[0].split("-")
os.makedirs("/tmp/scripted", exist_ok=True)
record = open("/tmp/scripted/%s.%d" % ("-".join(script), os.getpid()), "w")


def note(word, what=""):
    record.write("%s %s\n" % (word, what))
    record.flush()


def surroundings():
    note("argv", " ".join(sys.argv))
    note("user", "%d %d" % (os.getuid(), os.geteuid()))
    note("groups", " ".join(map(str, [os.getgid(), os.getegid()] + os.getgroups())))
    note("cwd", os.getcwd())
    for name in sorted(set(os.environ) - {"LC_CTYPE"}):  # Python sets that itself
        note("environment", name)
    for fd in range(64):
        try:
            note("descriptor", "%d %s" % (fd, os.readlink("/proc/self/fd/%d" % fd)))
        except OSError:
            pass
    with open("/proc/self/status") as status:
        ignored = int(re.search(r"SigIgn:\s*(\w+)", status.read()).group(1), 16)
    for name in ("SIGHUP", "SIGINT", "SIGPIPE", "SIGTERM", "SIGCHLD"):
        if name != "SIGPIPE" and ignored >> (getattr(signal, name) - 1) & 1:
            note("ignored", name)  # SIGPIPE: Python itself ignores it
    mask = os.umask(0)
    note("umask", "%03o" % mask)


def say(text):
    os.write(2 if script[0] == "errors" else 1, (text + "\r\n").encode())


def wait_for_end():
    while True:
        chunk = os.read(0, 65536)
        if not chunk:
            note("eof")
            return
        note("read", repr(chunk.decode("latin-1")))


def at(where, text):
    """Answers text at this place, unless the script has other ideas."""
    if script[0] == "say" and script[1] == where:
        text = "%s %s.7.1 said at %s" % (script[2], script[2][0], where)
    elif script == ["die", where]:
        note("died", where)
        sys.exit(0)
    elif script == ["hang", where]:
        wait_for_end()
        time.sleep(2)
        note("end")
        sys.exit(0)
    say(text)
    return text


def ehlo():
    words = [NAME if script[0] == "self" else "scripted"] + KEYWORDS
    if script[0] == "chunking":
        words += ["CHUNKING", "SMTPUTF8"]
    if script[0] == "say" and script[1] == "ehlo":
        at("ehlo", "")
    else:
        at("ehlo", "\r\n".join(["250-" + word for word in words[:-1]] + ["250 " + words[-1]]))


def rcpt(line):
    asked = re.search(r"<(\d\d\d)=([\d.]+)@", line)
    at("rcpt", "%s %s as asked" % asked.groups() if asked else GOOD["rcpt"])


def read_more():
    chunk = os.read(0, 65536)
    if not chunk:
        note("eof")
        sys.exit(0)
    note("read", repr(chunk.decode("latin-1")))
    if chunk.startswith(b"MAIL"):  # whoever pipelines has time to show it
        more = select.select([0], [], [], 0.2)[0]
        note("alone", "no" if more else "yes")
    return chunk


def dialogue():
    pending, body = b"", False
    at("greet", GOOD["greet"])
    while True:
        while b"\n" not in pending:
            pending += read_more()
        line, pending = pending.split(b"\n", 1)
        line = line.rstrip(b"\r").decode("latin-1")
        verb = line[:4].lower()
        if body:
            if line == ".":
                body = False
                at("dot", GOOD["dot"])
        elif verb == "ehlo":
            ehlo()
        elif verb == "rcpt":
            rcpt(line)
        elif verb == "data":
            body = at("data", GOOD["data"]).startswith("354")
        elif verb == "quit":
            at("quit", GOOD["quit"])
            if script[0] in ("lag", "linger"):
                wait_for_end()
                if script[0] == "linger":
                    os.closerange(0, 3)
                time.sleep(10 if script[0] == "linger" else 2)
                note("end")
            sys.exit(int(script[1]) if script[0] == "exit" else 0)
        elif verb in GOOD:
            at(verb, GOOD[verb])
        else:
            say("500 5.5.1 no such command")


def main():
    surroundings()
    dialogue()


main()
