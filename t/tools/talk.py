"""talk.py - one scripted SMTP dialogue, for tests. Called by t/5*.sh.

    talk.py [-b SOURCE] [-f SOURCE-PORT] [-p PORT] [-x OCTETS] HOST     over TCP
    talk.py COMMAND [ARGUMENT ...]                          with a program (a path), over pipes

Standard input is the script, one command a line; each waits for its reply. After a 354 the lines
up to a single dot are the message; after a 220 to STARTTLS the connection is TLS. "=octets" sends
octets with Python's escapes, just as they are, and waits for nothing; "?" waits for one reply more.
With -x these octets, with the same escapes, go before all else, also before the greeting.
The replies go to standard output, "closed" where the far side ended the connection, which ends
the script. A script that ends leaves the connection to be closed without QUIT.
"""
import argparse
import codecs
import signal
import socket
import ssl
import subprocess
import sys

PATIENCE = 30  # seconds for one reply


class Talk:
    def __init__(self, sock, reader, writer):
        self.sock, self.reader, self.writer = sock, reader, writer

    def send(self, octets):
        try:
            self.writer.write(octets)
            self.writer.flush()
        except OSError:  # closed: the next read says so
            pass

    def reply(self):
        """Prints one reply; its code, or 0 at the end of the connection."""
        while True:
            try:
                line = self.reader.readline()
            except ConnectionError:
                line = b""
            if not line:
                print("closed", flush=True)
                return 0
            print(line.decode("latin-1").rstrip("\r\n"), flush=True)
            if line[:3].isdigit() and line[3:4] != b"-":
                return int(line[:3])

    def start_tls(self):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        self.sock = context.wrap_socket(self.sock)
        self.reader = self.writer = self.sock.makefile("rwb")
        print("TLS", self.sock.cipher()[0], flush=True)

    def run(self, script):
        body = False
        code = self.reply()
        for line in script:
            line = line.rstrip("\n")
            if code == 0:
                return
            if line.startswith("=") and not body:
                self.send(codecs.escape_decode(line[1:].encode())[0])
                continue
            if line != "?":
                self.send(line.encode("latin-1") + b"\r\n")
            if body and line != ".":
                continue
            code = self.reply()
            body = code == 354
            if line.upper() == "STARTTLS" and code == 220:
                self.start_tls()


def connect(options):
    address = socket.getaddrinfo(options.words[0], options.port, type=socket.SOCK_STREAM)[0]
    sock = socket.socket(address[0], socket.SOCK_STREAM)
    if options.b:
        sock.bind((options.b, options.f))
    sock.settimeout(PATIENCE)
    sock.connect(address[4])
    if options.x:
        sock.sendall(codecs.escape_decode(options.x.encode())[0])
    file = sock.makefile("rwb")
    return Talk(sock, file, file)


def start(command):
    program = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    return Talk(None, program.stdout, program.stdin)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("-b")
    parser.add_argument("-f", type=int, default=0)
    parser.add_argument("-p", type=int, default=25, dest="port")
    parser.add_argument("-x")
    parser.add_argument("words", nargs=argparse.REMAINDER)
    options = parser.parse_args()
    is_program = options.words[0].startswith("/")
    talk = start(options.words) if is_program else connect(options)
    signal.alarm(4 * PATIENCE)
    talk.run(sys.stdin)


if __name__ == "__main__":
    main()
