#!/bin/bash
# 534-tcp-transparent - a running sendmail daemon as the back end, reached from the client's own address
# (IP_TRANSPARENT), with the routing rule of blackpony-receiver(8) and without: rows 11 (smuggling) and 17
# (relaying), the Received header, access_db, --check. Needs root (t/lib).
source=${abs_top_srcdir:-$(cd "$(dirname "$0")/.." && pwd)}
. "$source/t/lib/tap.sh"
. "$source/t/lib/world.sh"
. "$source/t/lib/mail.sh"
. "$source/t/lib/tcpback.sh"

# shellcheck disable=SC2034 # relaying.sh
relay_denied='^550 5\.7\.1 .*Relaying denied' relay_taken='^250 2\.1\.5'
tcpback_file=/var/mail/box/bob
list=/etc/blackpony/balancers
both='transparent:127.0.0.1:2525 -B transparent:[::1]:2525'

# The rule is the one of the manual.
rule() {
	awk '/^\.\\" transparent/ { on = 1; next } on && /^\.Ed/ { exit } on && /^ip / { print }' \
		"$source/doc/blackpony-receiver.8" >"$WORLD/rule"
	is "$(wc -l <"$WORLD/rule")" 4 "the manual has the rule"
	ok "and it can be made" nsenter -t "${host_pid[b]}" -n sh -e "$WORLD/rule"
}

not_listening() { ! host_listens "$@"; }

sendmail_start() {
	host_put b /etc/mail/access <<-'END'
		Connect:localhost	RELAY
		Connect:127.0.0.1	RELAY
		Connect:IPv6:::1	RELAY
		Connect:10.77.0.7	REJECT
	END
	pony_host b
	mail_boxes b bob
	host_run b /usr/sbin/sendmail-mta -Am -bd -O PidFile=/run/back.pid -O DaemonPortOptions=Name=b4,Port=2525,Addr=127.0.0.1 \
		-O DaemonPortOptions=Name=b6,Port=2525,Addr=::1,Family=inet6 \
		-O DaemonPortOptions=Name=direct,Port=2500,Addr=10.77.0.2 </dev/null
	wait_for 10 host_listens b 2525 || bail "no sendmail"
	wait_for 10 host_listens b 2500 || bail "no sendmail without blackpony"
}

tcpback_idle() { [ "$(host_run b sendmail-mta -Am -bp | grep -c '@')" = 0 ]; }

# turned_away NAME: in clear and encrypted, soon, and with the code for what is wrong here.
turned_away() {
	local said begin=$SECONDS way
	for way in 10.77.0.2 fd77::2 "$mailer [10.77.0.2]"; do
		# shellcheck disable=SC2086 # words
		said=$(try_third | talk $way)
		like "$said" '^4[25]1 .*4\.3\.5' "$1: ${way##* }: nobody is served" || diag "$said"
		unlike "$said" "$relay_taken" "$1: and no recipient is taken"
	done
	ok "$1: and hears of it soon" [ $((SECONDS - begin)) -le 25 ]
}

# A listed balancer names who is no host, in whose place the kernel puts this one. To a subnet's broadcast address
# the same happens, which no reader of a header knows for one.
nobody() {
	local client ours said
	like "$(try_third | host_run b python3 "$source/t/tools/talk.py" -p 2525 127.0.0.1)" "$relay_taken" \
		"control: sendmail relays for this host"
	said=$(try_third | talk -x "$(proxy_header 192.0.2.7 192.0.2.25)" -p 2502 10.77.0.2)
	like "$said" "$relay_denied" "control: and for no client of a balancer" || diag "$said"
	for client in 0.0.0.0 224.0.0.1 255.255.255.255 10.77.0.255 :: ff02::1 ::ffff:0.0.0.0; do
		case $client in
		::ffff:*) ours=::ffff:192.0.2.25 ;;
		*:*) ours=2001:db8::25 ;;
		*) ours=192.0.2.25 ;;
		esac
		said=$(try_third | talk -x "$(proxy_header $client $ours)" -p 2502 10.77.0.2)
		like "$said" '^421 4\.3\.5' "a balancer brings $client: 421" || diag "$said"
		unlike "$said" "$relay_taken" "and nothing is relayed"
	done
	like "$(host_log b)" 'blackpony-receiver.*connection from 127\.0\.0\.1:[0-9]* for 10\.77\.0\.255:' "the log says why"
}

check() { host_run b "$receiver" --check -n mail.b.test "$@" 2>&1; }

world_start
host_start b 10.77.0.2 fd77::2 sendmail inetd tools
host_start c 10.77.0.3 fd77::3 tools
world_zone third.test <<<'@ IN MX 10 mail.c.test.'
world_dns
printf 'addr add 10.77.0.7/24 dev eth0\n' | world_ip c
host_pony c
host_tls b
sendmail_start
host_put b $list <<<10.77.0.3
tcpback_inetd "$both" 2501 transparent:127.0.0.1:2525 2502 "$both -F $list"

turned_away "without the rule"
like "$(host_log b)" 'blackpony-receiver.*no back end, .*peer=\[10\.77\.0\.3\].*is the routing rule in place' "the log says why"
said=$(check -B transparent:127.0.0.1:2525 -B 'transparent:[::1]:2525')
like "$said" '^fault: IPv4: back end: 127\.0\.0\.1:2525: .*routing rule' "--check says so" || diag "$said"
like "$said" '^fault: IPv6: back end: \[::1\]:2525: .*routing rule' "also for IPv6"

rule
said=$(check -B transparent:127.0.0.1:2525 -B 'transparent:[::1]:2525')
is "$(grep -c '^ok: IPv[46] connections reach the back end' <<<"$said")" 2 "with the rule --check is content" || diag "$said"
tcpback_norelay
tcpback_received '\[10\.77\.0\.3\]' '\[IPv6:fd77:0:0:0:0:0:0:3\]'
unlike "$(host_queue b)" third.test "nothing for the third host is in the queue"
said=$(printf '%s\n' 'EHLO x.example' 'MAIL FROM:<x@c.test>' 'RCPT TO:<bob@b.test>' QUIT | talk -b 10.77.0.7 10.77.0.2)
like "$said" '^5[05]. 5\..*Access denied' "access_db sees the client"
like "$(try_third | talk -p 2501 fd77::2)" '^421 4\.3\.5' "a client of a family without -B is turned away"
nobody
tcpback_smuggle
# Last of all, for it does not come back.
host_run b sh -c 'kill $(head -n 1 /run/back.pid)'
wait_for 10 not_listening b 2525 || bail "sendmail stays"
like "$(try_third | talk 10.77.0.2)" '^421 4\.3\.0' "where the daemon is down: 421, in clear"
like "$(try_third | talk "$mailer" '[10.77.0.2]')" '^4[25]1 .*4\.3\.0' "and encrypted"
like "$(try_third | talk fd77::2)" '^421 4\.3\.0' "and by IPv6"
done_testing
