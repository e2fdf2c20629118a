#!/bin/bash
# 535-tcp-faults - a TCP back end that is down, closes, refuses, greets with rubbish, hangs, or is sendmail
# that does not expect a PROXY header: the client is told 421 with the right code, in clear and encrypted,
# and nothing of its mail ever reaches the back end; --check says what is wrong; the monitor has no
# privilege. Needs root (t/lib).
source=${abs_top_srcdir:-$(cd "$(dirname "$0")/.." && pwd)}
. "$source/t/lib/tap.sh"
. "$source/t/lib/world.sh"
. "$source/t/lib/mail.sh"
. "$source/t/lib/tcpback.sh"

# What it says at once, before it closes or hangs; what it was told is in /var/log/heard.PORT.
servers() {
	host_spawn b servers python3 -c '
import socket, threading
def serve(port, says, stays):
    listener = socket.create_server(("127.0.0.1", port))
    while True:
        sock, _ = listener.accept()
        threading.Thread(target=talk, args=(sock, port, says, stays), daemon=True).start()
def talk(sock, port, says, stays):
    with sock, open("/var/log/heard.%d" % port, "ab", 0) as heard:
        heard.write(sock.recv(16 + 36))
        sock.sendall(says)
        while stays and (octets := sock.recv(4096)):
            heard.write(octets)
cases = [(2601, b"", False), (2602, b"554 5.7.1 not you\r\n", True), (2603, b"rubbish\r\n", True),
         (2604, b"", True), (2605, b"421 4.3.2 too many\r\n", False), (2606, b"220 x ESMTP\r\n", True),
         (2607, b"220 x ESMTP\r\n500 what\r\n500 what\r\n221 bye\r\n", False)]
for case in cases:
    threading.Thread(target=serve, args=case).start()
print("ready", flush=True)'
	wait_for 10 host_listens b 2607 || bail "no servers"
}

heard() { tr -d '\0' <"$(host_root b)/var/log/heard.2$1"; }

# has_heard PORT WORD TIMES: so often at least, the header's own QUIT among it.
has_heard() { [ "$(heard "$1" | grep -ac "$2")" -ge "$3" ]; }

# fault NAME PORT CODE: the receiver in front of it is on PORT, too, but for its first digit.
fault() {
	local said way
	for way in "-p 3$2 10.77.0.2" "-p 3$2 fd77::2" "$mailer -p 3$2 [10.77.0.2]"; do
		# shellcheck disable=SC2086 # words
		said=$(try_third | talk $way)
		like "$said" "^4[25]1 .*$3" "$1: ${way##* }: $3" || diag "$said"
		unlike "$said" '^250 2\.1\.5' "$1: and nothing is taken" || diag "$said"
	done
	[ "$1" = down ] && return
	ok "$1: the server has read the header, each time" has_heard "$2" QUIT 3 || diag "$(heard "$2")"
	unlike "$(heard "$2")" 'EHLO|MAIL|RCPT' "$1: and nothing of the client's"
}

# hangs NAME PORT WORD: nothing is said to the client as long as the server says nothing to us (60 seconds: the
# engine's tests have that), and nothing of its to the server, which reads WORD.
hangs() {
	local said
	host_spawn c "hanging$2" python3 -c '
import socket, sys
sock = socket.create_connection(("10.77.0.2", int(sys.argv[1])), 20)
print(sock.recv(400).decode()[:3], flush=True)
sock.sendall(b"EHLO x\r\nMAIL FROM:<x@c.test>\r\n")
sock.settimeout(4)
try: print("told", sock.recv(400), flush=True)
except OSError: print("nothing", flush=True)
sock.settimeout(60)
print("told", sock.recv(400), flush=True)' "3$2"
	ok "$1: the client is told nothing" wait_for 20 grep -q nothing "$(host_root c)/var/log/hanging$2.out"
	ok "$1: the server has read what is ours" wait_for 10 has_heard "$2" "$3" 1 || diag "$(heard "$2")"
	unlike "$(heard "$2")" 'EHLO|MAIL|RCPT' "$1: and nothing of the client's"
}

# No capability, and nobody, from before the first command on.
no_privilege() {
	local status
	host_spawn c waiting python3 -c '
import socket
sock = socket.create_connection(("10.77.0.2", 25), 20)
print(sock.recv(1000), flush=True)
sock.recv(1000)'
	wait_for 10 grep -q 220 "$(host_root c)/var/log/waiting.out"
	status=$(host_run b sh -c 'for p in $(grep -lx blackpony-recei /proc/[0-9]*/comm | cut -d/ -f3); do
		grep -E "^(Uid|CapEff|CapPrm|NoNewPrivs|Seccomp):" /proc/$p/status | tr -s "\t\n" "  "; echo; done')
	is "$(grep -c 'CapPrm: 0000000000000000 CapEff: 0000000000000000 NoNewPrivs: 1 Seccomp: [02]' <<<"$status")" \
		"$(grep -c . <<<"$status")" "no process of a session has a privilege, before its first command" || diag "$status"
	ok "monitor and engine are seen" [ "$(grep -c . <<<"$status")" -ge 2 ]
	unlike "$status" 'Uid: 0 ' "and none is root"
	host_kill c waiting
}

tcpback_world sendmail
host_sendmail b "$source/t/lib/plain.mc"
# A daemon that takes this host's mail, and does not know of the header.
host_run b /usr/sbin/sendmail-mta -Am -bd -O PidFile=/run/bare.pid -O DaemonPortOptions=Name=bare,Port=2526,Addr=127.0.0.1 </dev/null
wait_for 10 host_listens b 2526 || bail "no sendmail"
servers
tcpback_inetd proxy:127.0.0.1:2526 3600 proxy:127.0.0.1:2600 3601 proxy:127.0.0.1:2601 3602 proxy:127.0.0.1:2602 \
	3603 proxy:127.0.0.1:2603 3604 proxy:127.0.0.1:2604 3605 proxy:127.0.0.1:2605 3606 proxy:127.0.0.1:2606 \
	3607 proxy:127.0.0.1:2607
hangs "hangs before its greeting" 604 QUIT
hangs "hangs behind it" 606 NOOP
fault "down" 600 4.3.0
fault "closes at once" 601 4.3.0
fault "refuses with 554" 602 4.3.5
fault "greets with rubbish" 603 4.3.0
fault "refuses with 421" 605 4.3.2
fault "answers the header as commands" 607 4.3.5
no_privilege

# shellcheck disable=SC2034 # relaying.sh
relay_taken='^250 2\.1\.5'
tcpback_bare 25 127.0.0.1 2526
unlike "$(host_queue b)" third.test "and nothing for the third host is in sendmail's queue"

check() { host_run b "$receiver" --check -n mail.b.test "$@" 2>&1; }
like "$(check -B proxy:127.0.0.1:2526)" '^fault: IPv4: back end: (does not take the PROXY header|greets with)' \
	"--check: a server that does not expect the header"
like "$(check -B proxy:127.0.0.1:2600)" '^fault: IPv6: back end: 127\.0\.0\.1:2600: Connection refused' "--check: one that is down"
host_run b sh -c 'kill $(cat /run/servers.spawned)'
for n in 604 606; do
	ok "a server that hung and is gone: the client is told 421" wait_for 10 grep -q '421 4.3.[05]' \
		"$(host_root c)/var/log/hanging$n.out" || diag "$(host_run c cat /var/log/hanging$n.out)"
done
for words in proxy:127.0.0.1 proxy:localhost:25 proxy:127.0.0.1:0 'proxy:[::1:25' other:127.0.0.1:25 \
	'proxy:127.0.0.1:25 -B proxy:127.0.0.1:26' 'transparent:127.0.0.1:25 -B proxy:127.0.0.1:25' \
	'proxy:127.0.0.1:25 -- /usr/sbin/sendmail -bs'; do
	# shellcheck disable=SC2086 # words
	host_run b "$receiver" -B $words >/dev/null 2>&1 </dev/null
	is $? 64 "wrong usage: -B $words"
done
done_testing
