"""milter.py PORT NOTES VERDICT - a milter that notes what it is told of the client.

Called by t/517-norelay.sh and t/518-backend-dies.sh. Listens on 127.0.0.1:PORT; each connection of a mail server becomes one
line in the file NOTES: the client as the connect event names it, then all macros in order of their
names. The answer to the connect event is the first letter of the file VERDICT, where there is
one: c continue, r reject, t try again later.

The protocol: messages of u32 length, a command letter and its data (libmilter/mfdef.h).
"""
import os
import socketserver
import struct
import sys

VERSION = 6
STEPS = 0x10 | 0x20 | 0x40 | 0x100 | 0x200  # no body, headers, end of headers, unknown, DATA
NO_REPLY = b"DAQK"  # macros, abort, quit, quit but keep the connection


def words(data):
    return [word.decode("latin-1") for word in data.split(b"\0")]


class Session(socketserver.StreamRequestHandler):
    def messages(self):
        while header := self.rfile.read(4):
            message = self.rfile.read(struct.unpack("!I", header)[0])
            yield message[:1], message[1:]

    def answer(self, message):
        self.wfile.write(struct.pack("!I", len(message)) + message)

    def connect(self, data):
        host, rest = data.split(b"\0", 1)
        self.client = rest[:1].decode()
        if self.client in "46":
            port = struct.unpack("!H", rest[1:3])[0]
            self.client += f" {words(rest[3:])[0]} {port}"
        if os.path.exists(sys.argv[3]):
            with open(sys.argv[3], "rb") as file:
                return file.read(1)
        return b"c"

    def handle(self):
        self.client, macros = "nobody", {}
        for command, data in self.messages():
            if command == b"O":
                self.answer(b"O" + struct.pack("!III", VERSION, 0, STEPS))
            elif command == b"D":
                macro = words(data[1:])
                macros.update(zip(macro[0::2], macro[1::2]))
            elif command == b"C":
                self.answer(self.connect(data))
            elif command not in NO_REPLY:
                self.answer(b"c")
        noted = " ".join(f"{name}={value}" for name, value in sorted(macros.items()))
        with open(sys.argv[2], "a") as notes:
            notes.write(f"{self.client} {noted}\n")


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True


Server(("127.0.0.1", int(sys.argv[1])), Session).serve_forever()
