"""banner.py - a firewall that rewrites banners. Called by t/61-delivery.sh.

    banner.py SERVER4 SERVER6

Passes each connection to port 25 on to that server's address of the same family, all octets as
they are, but for the text of the greeting, of which it leaves asterisks.
"""
import socket
import sys
import threading


def pump(source, to, greeting):
    try:
        if greeting:
            line = b""
            while not line.endswith(b"\n"):
                octet = source.recv(1)
                if not octet:
                    break
                line += octet
            to.sendall(line[:4] + b"*" * len(line[4:].rstrip()) + b"\r\n")
        while octets := source.recv(65536):
            to.sendall(octets)
        to.shutdown(socket.SHUT_WR)
    except OSError:
        for end in (source, to):
            end.close()


def main():
    with socket.create_server(("::", 25), family=socket.AF_INET6, dualstack_ipv6=True,
                              backlog=64) as listener:
        while True:
            client, peer = listener.accept()
            host = sys.argv[1] if peer[0].startswith("::ffff:") else sys.argv[2]
            server = socket.create_connection((host, 25))
            for args in ((server, client, True), (client, server, False)):
                threading.Thread(target=pump, args=args, daemon=True).start()


if __name__ == "__main__":
    main()
