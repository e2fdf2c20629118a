#!/bin/bash
# 512-other-protocols - row 12: who speaks HTTP, FTP, TLS, SSH or whatever else to port 25 is told so after
# his first line, and closed; no sendmail is started, nothing that follows is read, and the log has a line.
# And hosts on port 25 that are no mail hosts: mail for them waits or takes the next host, and none bounces.
# Real inetd and sendmail on either side; needs root (t/lib).
source=${abs_top_srcdir:-$(cd "$(dirname "$0")/.." && pwd)}
. "$source/t/lib/tap.sh"
. "$source/t/lib/world.sh"
. "$source/t/lib/mail.sh"

receiver=/usr/libexec/blackpony/blackpony-receiver
# What a page in somebody's browser would have the server read: a body that is SMTP.
injected='EHLO injected.example\r\nMAIL FROM:<injected@evil.test>\r\nRCPT TO:<bob@b.test>\r\nDATA\r\nSubject: injected\r\n\r\n.\r\nQUIT\r\n'
hello='\x16\x03\x01\x00\x2e\x01\x00\x00\x2a\x03\x03'$(printf '\\x%02x' {32..63})'\x00\x00\x02\x13\x01\x01\x00'

traces() { cat "$(host_root b)/var/log/traced" 2>/dev/null | wc -l; }
# Who does not even wait for the greeting is noticed there.
reports() {
	host_log b | grep -Ec 'blackpony-receiver.*(spoke before the greeting, peer=|peer=.*stat="554 5\.5\.1 This is an SMTP)'
}
reported() { [ "$(reports)" -ge "$1" ]; }

# turned_away NAME OCTETS: all that such a client is told, and that the log has it.
asked=0
turned_away() {
	local said
	said=$(printf '%s\n' "=$2" '?' '?' | host_run c python3 "$source/t/tools/talk.py" 10.77.0.2 2>&1)
	is "$(tail -n +2 <<<"$said")" $'554 5.5.1 This is an SMTP server\nclosed' "$1: told once, and closed"
	asked=$((asked + 1))
}

clients() {
	local verb
	for verb in GET POST PUT HEAD CONNECT OPTIONS DELETE PATCH TRACE PROPFIND get Post; do
		turned_away "$verb" "$verb / HTTP/1.1\r\nHost: b.test:25\r\n\r\n$injected"
	done
	turned_away "GET of HTTP/0.9" "GET /\r\n$injected"
	turned_away "the preface of HTTP/2" "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n$injected"
	turned_away "RTSP" "DESCRIBE rtsp://b.test:25/ RTSP/1.0\r\nCSeq: 1\r\n\r\n$injected"
	turned_away "SIP" "INVITE sip:bob@b.test SIP/2.0\r\nVia: x\r\n\r\n$injected"
	turned_away "FTP" "USER anonymous\r\nPASS x@y\r\n$injected"
	turned_away "SSH" "SSH-2.0-OpenSSH_9.2p1\r\n$injected"
	turned_away "IMAP" "* OK\r\n$injected"
	turned_away "POP3" "+OK\r\n$injected"
	turned_away "a mail server's greeting" "220 mail.evil.test ESMTP\r\n$injected"
	turned_away "Redis" "*1\r\n\$4\r\nPING\r\n$injected"
	turned_away "TLS, without a line's end" "$hello"
	turned_away "TLS, and SMTP after it" "$hello\r\n$injected"
	turned_away "one octet of RDP" '\x03'
	turned_away "UTF-16" '\xff\xfeE\x00H\x00L\x00O\x00'
	turned_away "blanks before the verb" "  EHLO x\r\n$injected"
	said=$(host_run c sh -c 'openssl s_client -connect 10.77.0.2:25 </dev/null 2>&1')
	asked=$((asked + 1))
	like "$said" 'wrong version number|packet length too long|no peer certificate' "openssl s_client without -starttls: ends"
	said=$(host_run c python3 -c '
import http.client
try: http.client.HTTPConnection("fd77::2", 25, timeout=20).request("GET", "/") or print("sent")
except Exception as fault: print(type(fault).__name__)
try:
    connection = http.client.HTTPConnection("fd77::2", 25, timeout=20)
    connection.request("POST", "/", "EHLO x\r\nMAIL FROM:<injected@evil.test>\r\n" * 20000)
    print(connection.getresponse())
except Exception as fault: print(type(fault).__name__)' 2>&1)
	asked=$((asked + 2))
	unlike "$said" HTTPResponse "a web client has no answer that it could read"
	ok "the log has a line for each, $asked" wait_for 10 reported $asked || diag "$(host_log b | grep blackpony | grep -v "554 5")"
	is "$(traces)" 0 "no sendmail was started"
	unlike "$(host_log b)" injected "nothing of what followed came anywhere"
	nok "no mail" test -s "$(host_root b)/var/mail/bob"
	# What is SMTP passes, in whatever case and with an unknown verb.
	like "$(printf '%s\n' 'ehlo x' QUIT | host_run c python3 "$source/t/tools/talk.py" 10.77.0.2)" '^221 ' "ehlo is SMTP"
	like "$(printf '%s\n' 'GETS x' QUIT | host_run c python3 "$source/t/tools/talk.py" 10.77.0.2)" \
		'^500 5\.5\.1 Command unrecognized: "GETS x"' "and of an unknown verb sendmail is asked"
	is "$(traces)" 2 "each has a sendmail"
}

# Hosts that greet with something else: 10.77.0.21 and on.
foreign=(
	'SSH-2.0-OpenSSH_9.2p1'
	'+OK POP3 ready'
	'* OK IMAP4rev1 ready'
	'HTTP/1.1 408 Request Timeout'
	$'\x15\x03\x01\x00\x02\x02\x28'
	'mail.evil.test ESMTP'
)
hosts() {
	local n zone= mails=()
	for n in "${!foreign[@]}"; do
		world_ip c <<<"addr add 10.77.0.$((21 + n))/24 dev eth0"
		zone+="h$n IN A 10.77.0.$((21 + n))"$'\n'"only$n IN MX 0 h$n"$'\n'
		zone+="both$n IN MX 0 h$n"$'\n'"both$n IN MX 5 mail.b.test."$'\n'
	done
	world_zone foreign.test <<<"$zone"
	world_dns
	host_spawn c foreign python3 -c '
import socket, sys, threading
def serve(listener, banner):
    while True:
        sock = listener.accept()[0]
        sock.sendall(banner.encode("latin-1") + b"\r\n")
        sock.settimeout(5)
        try: sock.recv(4096)
        except OSError: pass
        sock.close()
for i, banner in enumerate(sys.argv[1:]):
    listener = socket.create_server(("10.77.0.%d" % (21 + i), 25), backlog=16)
    threading.Thread(target=serve, args=(listener, banner)).start()' "${foreign[@]}"
	wait_for 10 host_listens c 25 || bail "the foreign hosts do not listen"
	printf 'Subject: to a foreign host\nTo: friends:;\n\nx\n' >"$WORLD/message"
	for n in "${!foreign[@]}"; do
		mail_send a "$WORLD/message" "bob@only$n.foreign.test" &
		mails+=($!)
		mail_send a "$WORLD/message" "both$n@both$n.foreign.test" &
		mails+=($!)
	done
	wait "${mails[@]}"
	for n in "${!foreign[@]}"; do
		like "$(host_log a | grep "to=bob@only$n\.foreign")" 'dsn=4\.4\.[12], .*stat=Deferred: 451 4\.4\.[12] [a-z0-9]*\.foreign\.test.*(no SMTP reply|none of its hosts answered)' \
			"$(printf %q "${foreign[n]}"): mail waits"
		ok "$(printf %q "${foreign[n]}"): the next host has it" wait_for 10 mail_there b "both$n"
	done
	nok "nothing bounced" test -s "$(host_root a)/var/mail/alice"
}

world_start
host_start a 10.77.0.1 fd77::1 sendmail
host_start b 10.77.0.2 fd77::2 sendmail inetd
host_start c 10.77.0.3 fd77::3 tools
pony_host a
host_put b /etc/mail/local-host-names < <(echo b.test; printf 'both%d.foreign.test\n' "${!foreign[@]}")
pony_host b
mail_boxes b both{0..9}
host_put b /usr/local/bin/traced 755 <<'END'
#!/bin/sh
echo started >>/var/log/traced
exec /usr/sbin/sendmail -bs -Am
END
sed 's/blackpony-receiver$/& -- \/usr\/local\/bin\/traced/' "$source/doc/inetd.conf.example" >"$WORLD/inetd.conf"
host_inetd b "$WORLD/inetd.conf"
clients
hosts
done_testing
