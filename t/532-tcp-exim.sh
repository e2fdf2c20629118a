#!/bin/bash
# 532-tcp-exim - Exim as the back end, by TCP with a PROXY header, configured as in
# doc/exim.backend.example: rows 11 (smuggling) and 17 (relaying), the Received header. Needs root (t/lib).
source=${abs_top_srcdir:-$(cd "$(dirname "$0")/.." && pwd)}
. "$source/t/lib/tap.sh"
. "$source/t/lib/world.sh"
. "$source/t/lib/mail.sh"
. "$source/t/lib/tcpback.sh"

# shellcheck disable=SC2034 # relaying.sh
relay_denied='^5(50|01) .*(relay not permitted|restricted characters|syntactically invalid|Unrouteable|domain literals|must contain a domain)' relay_taken='^250 Accepted'

# The documented lines. On port 2500 no header is expected, not even from this host's own address, which may
# relay.
exim_start() {
	host_run b chown -R Debian-exim /etc/mail/tls
	host_exim b 2599 # which makes its directories
	{
		grep -v '^#' "$source/doc/exim.backend.example"
		sed 's,^tls_advertise_hosts =.*,tls_advertise_hosts = *\
tls_certificate = /etc/mail/tls/cert.pem\
tls_privatekey = /etc/mail/tls/key.pem,; s/^\(hostlist relay_from_hosts.*\)/\1 ; 10.77.0.2/' \
			"$(host_root b)/etc/exim4/exim4.conf"
	} >"$WORLD/exim4.conf"
	host_put b /etc/exim4/exim4.conf <"$WORLD/exim4.conf"
	host_run b exim4 -bd -q1h
	host_run b exim4 -bd -oX '10.77.0.2.2500' -oP /run/exim4/direct.pid
	wait_for 10 host_listens b 2525 || bail "no Exim"
	wait_for 10 host_listens b 2500 || bail "no Exim without blackpony"
}

tcpback_idle() { [ "$(host_run b exim4 -bpc)" = 0 ]; }

tcpback_world exim-heavy
exim_start
tcpback_inetd 'proxy:127.0.0.1:2525' 2502 'proxy:10.77.0.2:2500'
tcpback_norelay
tcpback_received '\[10\.77\.0\.3\]' '\[fd77::3\]'
unlike "$(host_run b exim4 -bp)" third.test "nothing for the third host is in the queue"
tcpback_smuggle hybrid
tcpback_bare 2502 10.77.0.2 2500
unlike "$(host_run b exim4 -bp)" third.test "and nothing for the third host is in the queue"
done_testing
