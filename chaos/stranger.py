"""stranger.py - a peer of another version between the two hosts. Used by meddler.py.

It has the host's own key (the file of CHAOS_KEY), and is the independent peer of t/lib: server for the one side, client for the
other, with something in its offer or handshake that this version does not know. Where XPONY/1 lets the two go on, the
mail goes through; where not, it waits.
"""
import base64
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "t", "lib"))
from pony_crypto import CryptoError
from pony_peer import Client, Server, add, read_body
from pony_stream import EHLO, HYBRID, SERVER_NAME, SUITE, ProtocolError, tlv

SUITES = HYBRID + "," + SUITE
NEW_SUITE = "slhdsa9000x448-aegis"
NEW_ITEM, CRITICAL_ITEM = tlv(0x2a, b"of a later version"), tlv(0xaa, b"of a later version")

# What the server among the two offers, its hooks, and the client's.
KINDS = {
    "new-suite": (NEW_SUITE + "," + SUITES, {}, {}),
    "no-common-suite": (NEW_SUITE, {}, {}),
    "new-version": (SUITES, {step: lambda octets, _: octets.replace(b"XPONY 1 ", b"XPONY 2 ")
                             for step in ("greeting", "ehlo-reply")}, {}),
    "new-items": (SUITES, {"payload3": add(NEW_ITEM)}, {"payload2": add(NEW_ITEM)}),
    "critical-item-of-host": (SUITES, {"payload3": add(CRITICAL_ITEM)}, {}),
    "critical-item-of-client": (SUITES, {}, {"payload2": add(CRITICAL_ITEM)}),
    "suite-not-offered": (SUITES, {}, {"command": lambda octets, _: octets.replace(HYBRID.encode(), NEW_SUITE.encode())}),
    "command-of-later": (SUITES, {}, {"command": lambda octets, _: octets.replace(b"XPONY 1 ", b"XPONY 2 ")}),
    "old-suite": (SUITE, {}, {}),
}


def host_key():
    with open(os.environ.get("CHAOS_KEY", "/run/b.key"), encoding="ascii") as file:
        return base64.b64decode(file.read().split("x25519 ")[1].split()[0] + "=")


def pass_mail(server, client):
    """Command by command, to QUIT or an end."""
    while line := server.line():
        client.write(line)
        code, texts = client.reply()
        if code == 221:
            server.close(b"221 %s\r\n" % texts[0])
            client.close()
            return
        server.say(code, *texts)
        if code == 354:
            client.write(read_body(server) + b".\r\n")
            code, texts = client.reply()
            server.say(code, *texts)


def stand_in(kind, sock, upstream):
    suites, server_hooks, client_hooks = KINDS[kind]
    try:
        server = Server(sock, static=host_key(), name="stranger.test", suites=suites, hooks=server_hooks)
        client = Client(upstream, hooks=client_hooks)
        server.greet()
        hello = server.accept()
        client.greeting()
        if hello is None:  # it takes nothing in clear
            server.raw(b"221 2.0.0 Bye\r\n")
            return
        name = hello.get(SERVER_NAME, b"").decode()
        code, texts = client.upgrade(client.hint, name, "EHLO stranger.test", suite=HYBRID)
        if code != 220:
            server.close(b"421 4.7.0 %s\r\n" % texts[0])
            return
        client.reply()
        if EHLO in hello:
            server.say(250, b"stranger.test", b"ENHANCEDSTATUSCODES", b"PIPELINING", b"8BITMIME", b"SIZE", b"DSN")
        pass_mail(server, client)
    except (ProtocolError, CryptoError, OSError) as fault:
        print("stranger", kind, type(fault).__name__, fault, flush=True)
    finally:
        sock.close()
        upstream.close()
