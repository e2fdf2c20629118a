#!/bin/bash
# 531-tcp-postfix - Postfix as the back end, by TCP with a PROXY header, configured as in
# doc/postfix.backend.example: rows 11 (smuggling) and 17 (relaying), the Received header, XCLIENT. Needs
# root (t/lib).
source=${abs_top_srcdir:-$(cd "$(dirname "$0")/.." && pwd)}
. "$source/t/lib/tap.sh"
. "$source/t/lib/world.sh"
. "$source/t/lib/mail.sh"
. "$source/t/lib/tcpback.sh"

# shellcheck disable=SC2034 # relaying.sh
relay_denied='^554 5\.7\.1 .*Relay access denied' relay_taken='^250 2\.1\.5'

# The documented service, and the same on port 2500 without blackpony.
postfix_start() {
	host_postfix b
	host_run b sh -c 'sed -i "/^smtp  *inet/s/^/#/" /etc/postfix/master.cf; cat >>/etc/postfix/master.cf' <<-END
		$(sed 's/ y - - smtpd/ n - - smtpd/' "$source/doc/postfix.backend.example")
		2500 inet n - n - - smtpd
		  -o smtpd_relay_restrictions=permit_sasl_authenticated,reject_unauth_destination
		  -o smtpd_forbid_bare_newline=normalize
		127.0.0.1:2526 inet n - n - - smtpd
		  -o smtpd_error_sleep_time=1
		127.0.0.1:2527 inet n - n - - smtpd
		  -o smtpd_upstream_proxy_protocol=haproxy
		  -o smtpd_authorized_xclient_hosts=127.0.0.0/8
		  -o smtpd_authorized_xforward_hosts=127.0.0.0/8
	END
	host_run b postconf -e smtpd_tls_security_level=may smtpd_error_sleep_time=0 \
		smtpd_tls_cert_file=/etc/mail/tls/cert.pem smtpd_tls_key_file=/etc/mail/tls/key.pem
	host_run b postfix stop 2>/dev/null
	host_run b postfix start 2>/dev/null
	wait_for 10 host_listens b 2525 || bail "no Postfix"
}

tcpback_idle() { host_run b postqueue -p | grep -q 'is empty'; }

# Who may tell Postfix a client's address is this host, not the client whose address it is told.
no_xclient() {
	local said
	said=$(printf '%s\n' 'EHLO x' 'XCLIENT ADDR=127.0.0.1' 'XFORWARD ADDR=127.0.0.1' QUIT | talk -p 2501 10.77.0.2)
	unlike "$said" '^250.XCLIENT|^250.XFORWARD' "a stranger is not offered XCLIENT or XFORWARD"
	is "$(grep -c '^5[0-9][0-9] .*insufficient authorization' <<<"$said")" 2 "and may not say them" || diag "$said"
	like "$(printf '%s\n' 'EHLO x' QUIT | host_run b python3 "$source/t/tools/talk.py" -p 2501 127.0.0.1)" \
		'^250.XCLIENT' "control: this host is offered it"
}

# A load balancer's client is Postfix's client, too.
balanced() {
	host_put b /etc/blackpony/balancers <<<10.77.0.3
	printf '%s\n' 'EHLO peer.example' 'MAIL FROM:<x@c.test>' "RCPT TO:<$relay_third>" 'RCPT TO:<bob@b.test>' DATA \
		'Subject: balanced' '' . QUIT | talk -x "$(proxy_header 192.0.2.7 192.0.2.25)" -p 2503 10.77.0.2 >"$WORLD/balanced"
	like "$(cat "$WORLD/balanced")" "$relay_denied" "a balancer's client may not relay"
	like "$(cat "$WORLD/balanced")" '^250 2\.0\.0 Ok: queued' "its mail is taken"
	ok "with its own address" wait_for 20 grep -q 'peer\.example (unknown \[192\.0\.2\.7\])' "$(host_root b)$tcpback_file"
}

tcpback_world postfix
postfix_start
tcpback_inetd 'proxy:127.0.0.1:2525' 2501 'proxy:127.0.0.1:2527' 2502 'proxy:127.0.0.1:2526' \
	2503 'proxy:127.0.0.1:2525 -F /etc/blackpony/balancers'
tcpback_norelay
tcpback_received '\[10\.77\.0\.3\]' '\[IPv6:fd77::3\]'
unlike "$(host_run b postqueue -p)" third.test "nothing for the third host is in the queue"
tcpback_smuggle
no_xclient
balanced
tcpback_bare 2502 127.0.0.1 2526
unlike "$(host_run b postqueue -p)" third.test "and nothing for the third host is in the queue"
done_testing
