"""stream.py OCTETS MAILER [ARGUMENT...] - one message of so many octets through a blackpony-mailer, as sendmail would hand
it over, to a host whose back end is load/swallow.py. Called by load/run on host a. Prints the seconds; exit status 1 when
what came is not what was sent. With SIZE in the environment, the size that it claims in MAIL ("": none), it prints the
replies instead: load/run asks for a limit in this way.
"""
import hashlib
import os
import subprocess
import sys
import time

BLOCK = b"".join(b"%07d of a message that nobody keeps, in lines of sixty-four octets\r\n"[:62] % i + b"\r\n" for i in range(1024))


def reply(program):
    while line := program.stdout.readline():
        if line[3:4] != b"-":
            return line.decode("latin-1").strip()
    sys.exit("the mailer has ended")


def command(program, *words):
    program.stdin.write(b"".join(words) + b"\r\n")
    program.stdin.flush()
    return reply(program)


def stream(program, octets):
    """The body; its hash and its length, as the far end should find them."""
    digest, sent = hashlib.sha256(), 0
    while sent < octets:
        program.stdin.write(BLOCK)
        digest.update(BLOCK)
        sent += len(BLOCK)
    return sent, digest.hexdigest(), command(program, b".")


def main():
    octets, begin = int(sys.argv[1]), time.monotonic()
    size = os.environ.get("SIZE")
    with subprocess.Popen(sys.argv[2:], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as program:
        said = [reply(program)]
        said.append(command(program, b"EHLO mail.a.test"))
        said.append(command(program, b"MAIL FROM:<alice@a.test>", b" SIZE=%d" % int(size) if size else b""))
        for verb in (b"RCPT TO:<bob@b.test>", b"DATA"):
            if said[-1].startswith("2"):
                said.append(command(program, verb))
        whole = False
        if said[-1].startswith("354"):
            sent, digest, verdict = stream(program, octets)
            said.append(verdict)
            whole = "%d %s" % (sent, digest) in verdict
        command(program, b"QUIT")
    print("\n".join(said) if size is not None or not whole else "%.2f" % (time.monotonic() - begin))
    return 0 if whole else 1


sys.exit(main())
