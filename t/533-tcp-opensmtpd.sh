#!/bin/bash
# 533-tcp-opensmtpd - OpenSMTPD as the back end, by TCP with a PROXY header, configured as in
# doc/opensmtpd.backend.example: rows 11 (smuggling) and 17 (relaying), the Received header. Not
# STARTTLS: Debian 12's 6.8.0p2 offers it and fails in the handshake, with blackpony and without. Needs root
# (t/lib).
source=${abs_top_srcdir:-$(cd "$(dirname "$0")/.." && pwd)}
. "$source/t/lib/tap.sh"
. "$source/t/lib/world.sh"
. "$source/t/lib/mail.sh"
. "$source/t/lib/tcpback.sh"

# shellcheck disable=SC2034 # relaying.sh
relay_denied='^5[0-9][0-9] .*(Invalid recipient|Recipient address syntax error)' relay_taken='^250 2\.1\.5'

# The documented line, beside port 2500 without blackpony and 2526 without the setting.
opensmtpd_start() {
	host_run b sh -c 'mkdir -p /var/spool/smtpd /var/empty && chmod 711 /var/spool/smtpd
		chown root:opensmtpq /usr/sbin/smtpctl && chmod 2755 /usr/sbin/smtpctl
		install -d -o root -g opensmtpq -m 770 /var/spool/smtpd/offline'
	{
		cat <<-'END'
			listen on 0.0.0.0 port 2500
			listen on 127.0.0.1 port 2526
		END
		cat "$source/doc/opensmtpd.backend.example"
		cat <<-'END'
			action "here" mbox
			action "there" relay
			match from any for domain "b.test" action "here"
			match from local for any action "there"
		END
	} | host_put b /etc/smtpd.conf
	host_run b sh -c 'echo mail.b.test >/etc/mailname'
	host_spawn b smtpd smtpd -d
	wait_for 10 host_listens b 2525 || bail "no OpenSMTPD: $(host_run b cat /var/log/smtpd.out)"
}

tcpback_idle() { [ -z "$(host_run b smtpctl show queue)" ]; }

tcpback_world opensmtpd
opensmtpd_start
tcpback_inetd 'proxy:127.0.0.1:2525' 2502 'proxy:127.0.0.1:2526'
tcpback_norelay no
tcpback_received '\[10\.77\.0\.3\]' '\[(IPv6:)?fd77::3\]' 6
unlike "$(host_run b smtpctl show queue)" third.test "nothing for the third host is in the queue"
# Not octet by octet: OpenSMTPD takes LF . CRLF for the end of a message, and refuses what follows only when it
# follows at once.
tcpback_smuggle hybrid
tcpback_bare 2502 127.0.0.1 2526
unlike "$(host_run b smtpctl show queue)" third.test "and nothing for the third host is in the queue"
done_testing
