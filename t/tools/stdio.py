#!/usr/bin/python3
"""stdio - a dialogue with a program on a pipe or a socketpair: for t/61-sendmail-bs-facts.sh.

    stdio pipe|socketpair COMMAND ARGUMENT...

What to say is standard input, one command a line, with \\r, \\n and \\\\ understood; each goes out
when the reply to the one before is whole, the lines of a message at once. "!TERM" sends that
signal instead. At the end of input the program gets EOF. All that it says is copied.
"""
import re
import signal
import socket
import subprocess
import sys


def start(kind, command):
    if kind == "pipe":
        child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        return child, child.stdin, child.stdout
    ours, theirs = socket.socketpair()
    child = subprocess.Popen(command, stdin=theirs, stdout=theirs)
    theirs.close()
    return child, ours.makefile("wb"), ours.makefile("rb")


def reply(said, pattern=rb"\d\d\d( |\r?$)"):
    for line in said:
        sys.stdout.write(line.decode("latin-1").replace("\r", ""))
        if re.match(pattern, line):
            return line[:3]
    return b""


def main():
    child, ear, mouth = start(sys.argv[1], sys.argv[2:])
    code = reply(mouth, rb"(220|421|554) ")  # not the noise that may come before it
    for line in sys.stdin:
        line = line.rstrip("\n")
        if line.startswith("!"):
            child.send_signal(getattr(signal, "SIG" + line[1:]))
            break
        said = line.encode("latin-1").decode("unicode_escape").encode("latin-1") + b"\r\n"
        try:
            ear.write(said)
            ear.flush()
        except BrokenPipeError:
            break
        if code != b"354" or line == ".":
            code = reply(mouth)
    try:
        ear.close()
    except BrokenPipeError:
        pass
    if sys.argv[1] == "pipe":
        reply(mouth, rb"never")
    child.wait()


main()
