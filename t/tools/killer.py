"""killer.py SOCKET PHASE QUEUE - a milter that kills the sendmail which asks it. Called by
t/518-backend-dies.sh.

Listens on the local SOCKET. The file PHASE, as long as it is there, names the phase at which sendmail is
killed, by SIGKILL: connect (before it has greeted), helo, mail, rcpt, data (before its 354), body (when a
part of the message is in a df file in the directory QUEUE), dot (it has the whole message and has not
answered yet). SIGKILL is for the process at the other end of the socket, and so for no other.

The protocol: messages of u32 length, a command letter and its data (libmilter/mfdef.h).
"""
import glob
import os
import signal
import socket
import socketserver
import struct
import sys
import threading
import time

VERSION = 6
STEPS = 0x10 | 0x20 | 0x40 | 0x100  # no body, headers, end of headers, unknown
NO_REPLY = b"DAQK"  # macros, abort, quit, quit but keep the connection
PHASES = {b"C": "connect", b"H": "helo", b"M": "mail", b"R": "rcpt", b"T": "data", b"E": "dot"}
PART = 100000  # octets of a message


def phase():
    try:
        with open(sys.argv[2]) as file:
            return file.read().strip()
    except OSError:
        return ""


def kill_in_body(pid):
    while os.path.exists("/proc/%d" % pid):
        for name in glob.glob(sys.argv[3] + "/df*"):
            try:
                if os.stat(name).st_size > PART:
                    os.kill(pid, signal.SIGKILL)
            except OSError:
                pass
        time.sleep(0.001)


class Session(socketserver.StreamRequestHandler):
    def messages(self):
        while header := self.rfile.read(4):
            message = self.rfile.read(struct.unpack("!I", header)[0])
            yield message[:1]

    def answer(self, message):
        self.wfile.write(struct.pack("!I", len(message)) + message)

    def handle(self):
        credentials = self.request.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
        pid = struct.unpack("iii", credentials)[0]
        try:
            for command in self.messages():
                if command == b"O":
                    self.answer(b"O" + struct.pack("!III", VERSION, 0, STEPS))
                    continue
                if PHASES.get(command) == phase():
                    os.kill(pid, signal.SIGKILL)
                    return
                if command == b"T" and phase() == "body":
                    threading.Thread(target=kill_in_body, args=(pid,), daemon=True).start()
                if command not in NO_REPLY:
                    self.answer(b"c")
        except OSError:
            pass


class Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True


Server(sys.argv[1], Session).serve_forever()
