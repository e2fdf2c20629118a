"""mitm.py - a man in the middle of two mail hosts. Called through t/lib/mitm.sh.

    mitm.py list SET                the names of the attacks, in the order of their addresses
    mitm.py fingerprint             that of the key with which "swap" stands in for the host
    mitm.py ADDRESS SERVER QUIET SET
                                    the first attack's own address; the host to which all connections
                                    lead; while the file QUIET exists nobody is attacked

The sets are in mitm_attacks.py. Each attack has an address of its own, port 25. It reads and alters what
is said in clear, up to the upgrade; behind it records pass as they are, or by mitm_records.py. All but
"pass", "starttls" and "tls" take STARTTLS out of the EHLO reply. "swap" is the mail host for the one side
and the client for the other, and prints the subject of the mail that it reads so; "hostage" also promises
to have its key for ever.
"""
import base64
import hashlib
import ipaddress
import os
import socket
import socketserver
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from mitm_attacks import HONEST, SETS
from mitm_records import Gone, pass_on
from pony_crypto import CryptoError, public_key
from pony_peer import EHLO, HYBRID, SERVER_NAME, SUITE, Client, Server, put, read_body, tlv
from pony_stream import Peer, ProtocolError

KEY = bytes(range(32))
COMMITMENT = 0x04


# --- between the two ---

def raw_reply(peer):
    octets = line = b""
    while not octets or line[3:4] == b"-":
        line = peer.line()
        if not line:
            raise Gone
        octets += line
    return octets


def stand_between(attack, client, server):
    client.raw(attack.reply(b"", raw_reply(server)))
    while line := client.line():
        verb = line.split(b" ")[0].strip().upper()
        if verb in attack.answers:
            client.raw(attack.answers[verb])
            continue
        if verb == b"XPONY" and attack.line:
            line = attack.line(line)
        server.raw(line)
        reply = attack.reply(verb, raw_reply(server))
        client.raw(reply)
        if verb in (b"XPONY", b"STARTTLS") and reply.startswith(b"220"):
            (attack.splice if verb == b"XPONY" else pass_on)(client, server)
        if verb == b"DATA" and reply.startswith(b"354"):
            server.raw(read_body(client) + b".\r\n")
            client.raw(raw_reply(server))


def stand_in(name, sock, upstream):
    hooks = {"payload3": put(tlv(COMMITMENT, b"\xff\xff\xff\xff"))} if name == "hostage" else {}
    s = Server(sock, static=KEY, hooks=hooks, suites=HYBRID + "," + SUITE)
    c = Client(upstream)
    s.greet()
    hello = s.accept()
    c.greeting()
    if hello is None:
        c.ehlo("mitm.test")
    else:
        name = hello.get(SERVER_NAME, b"").decode()
        c.upgrade(c.hint, name, "EHLO mitm.test", suite=HYBRID)
        c.reply()
        if EHLO in hello:
            s.say(250, b"mitm.test", b"PIPELINING")
    while line := s.line():
        c.write(line)
        code, texts = c.reply()
        s.say(code, *texts)
        if code == 354:
            body = read_body(s)
            print(*(line.decode() for line in body.split(b"\r\n") if line.startswith(b"Subject: ")), flush=True)
            c.write(body + b".\r\n")
            code, texts = c.reply()
            s.say(code, *texts)
        if code == 221:
            s.close()
            c.close()


class Victim(socketserver.BaseRequestHandler):
    def handle(self):
        quiet = os.path.exists(sys.argv[3])
        try:
            with socket.create_connection((sys.argv[2], 25)) as upstream:
                attack = HONEST if quiet else self.server.attack
                if attack is None:
                    stand_in(self.server.name, self.request, upstream)
                else:
                    stand_between(attack, Peer(self.request), Peer(upstream))
        except (Gone, OSError, ProtocolError, CryptoError):
            pass


class Listener(socketserver.ThreadingTCPServer):
    allow_reuse_address = daemon_threads = True
    request_queue_size = 64


def main():
    if sys.argv[1] == "list":
        print("\n".join(SETS[sys.argv[2]]))
        return
    if sys.argv[1] == "fingerprint":
        print("SHA256:" + base64.b64encode(hashlib.sha256(public_key(KEY)).digest()).decode().rstrip("="))
        return
    first = ipaddress.ip_address(sys.argv[1])
    for i, (name, attack) in enumerate(SETS[sys.argv[4]].items()):
        listener = Listener((str(first + i), 25), Victim)
        listener.name, listener.attack = name, attack
        threading.Thread(target=listener.serve_forever).start()
    print("ready", flush=True)


if __name__ == "__main__":
    main()
