#!/bin/bash
# 517-norelay - row 17: a stranger asks for a third host, in his first, second and third transaction, after
# RSET, a second EHLO and HELO, with addresses that hide the third host, in clear, by STARTTLS and by XPONY,
# over IPv4 and IPv6. "Relaying denied", always. And sendmail's own checks (access_db, DNS block lists,
# milters) see the true client. Real inetd, xinetd, sendmail and blackpony-mailer; needs root (t/lib).
source=${abs_top_srcdir:-$(cd "$(dirname "$0")/.." && pwd)}
. "$source/t/lib/tap.sh"
. "$source/t/lib/world.sh"
. "$source/t/lib/mail.sh"
. "$source/t/lib/relaying.sh"

receiver=/usr/libexec/blackpony/blackpony-receiver
mailer=/usr/libexec/blackpony/blackpony-mailer
third=$relay_third

# The documented configuration with TLS, a milter and a DNS block list.
configure_b() {
	{
		sed '/^FEATURE(.delay_checks/q' "$source/doc/sendmail.mc.example"
		cat <<-'MC'
			define(`confCACERT_PATH', `/etc/ssl/certs')dnl
			define(`confCACERT', `/etc/mail/tls/cert.pem')dnl
			define(`confSERVER_CERT', `/etc/mail/tls/cert.pem')dnl
			define(`confSERVER_KEY', `/etc/mail/tls/key.pem')dnl
			FEATURE(`enhdnsbl', `bl.test', `"550 5.7.1 Listed: " $&{client_addr}', , `127.0.0.2.')dnl
			ifdef(`PAUSE', `FEATURE(`greet_pause', `2000')')dnl
			ifdef(`PAUSE',, `INPUT_MAIL_FILTER(`watch', `S=inet:8891@127.0.0.1, F=T')')dnl
			define(`confMILTER_MACROS_ENVFROM', confMILTER_MACROS_ENVFROM`, {client_addr}, {client_port}')dnl
		MC
		sed '1,/^FEATURE(.delay_checks/d' "$source/doc/sendmail.mc.example"
	} >"$WORLD/b.mc"
	host_put b /etc/mail/access <<-'END'
		Connect:localhost	RELAY
		Connect:127.0.0.1	RELAY
		Connect:IPv6:::1	RELAY
		Connect:10.77.0.7	REJECT
		Connect:10.77.0.8	RELAY
		Connect:IPv6:fd77:0:0:0:0:0:0:7	REJECT
		Connect:IPv6:fd77:0:0:0:0:0:0:8	RELAY
	END
	host_run b mkdir -p /etc/mail/tls
	host_run b openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=mail.b.test -days 2 \
		-keyout /etc/mail/tls/key.pem -out /etc/mail/tls/cert.pem 2>/dev/null
	host_run b chmod 600 /etc/mail/tls/key.pem
	pony_host b "$WORLD/b.mc"
	mail_boxes b bob
	host_run b sh -c 'cd /etc/mail && m4 -DPAUSE sendmail.mc >pause.cf'
}

# Port 25 as documented; 2504 with greet_pause, 2506 by xinetd on both families.
services() {
	{
		cat "$source/doc/inetd.conf.example"
		echo "2504 stream tcp nowait root $receiver receiver -- /usr/sbin/sendmail -bs -Am -C/etc/mail/pause.cf"
	} >"$WORLD/inetd.conf"
	host_inetd b "$WORLD/inetd.conf"
	sed 's/port\t.*25$/port = 2506/' "$source/doc/xinetd.blackpony" >"$WORLD/xinetd"
	host_put b /etc/xinetd.d/blackpony <"$WORLD/xinetd"
	host_put b /etc/xinetd.conf <<<'includedir /etc/xinetd.d'
	host_spawn b xinetd xinetd -dontfork -syslog mail
	wait_for 5 host_listens b 2506 || bail "xinetd does not listen"
	host_spawn b milter python3 "$source/t/tools/milter.py" 8891 /var/log/milter /run/verdict
	wait_for 10 host_listens b 8891 || bail "the milter does not listen"
}

try_once() { printf '%s\n' 'EHLO peer.example' 'MAIL FROM:<x@c.test>' "RCPT TO:<${to:-$third}>" QUIT; }

everywhere() {
	way "plain, v4-mapped" relaying "plain, v4-mapped" -p 2506 10.77.0.2
	way "plain, dual-stack IPv6" relaying "plain, dual-stack IPv6" -p 2506 fd77::2
	way "XPONY, v4-mapped" relaying "XPONY, v4-mapped" $mailer -p 2506 '[10.77.0.2]'
	every_way
	is "$(host_log b | grep -c 'blackpony-receiver.* suite=mlkem768x25519-chachapoly, .*messages=2')" 3 \
		"three of these sessions had the hybrid suite"
	is "$(host_log b | grep -c 'blackpony-receiver.* suite=x25519-chachapoly, .*messages=2')" 2 "two the other"
	is "$(host_log b | grep -c 'blackpony-receiver.* suite=STARTTLS')" 2 "and two were TLS"
	ok "all 22 messages arrive" wait_for 20 mailbox_has 22
	unlike "$(host_queue b)" third.test "nothing for the third host is in the queue"
	unlike "$(host_log b)" 'to=[^ ]*third\.test.* stat=' "nor was it ever tried"
}

mailbox_has() { [ "$(grep -c '^Subject: ' "$(host_root b)/var/mail/box/bob")" = "$1" ]; }

# What the tests above would miss if they could not fail.
controls() {
	like "$(try_once | host_run b python3 "$source/t/tools/talk.py" /usr/sbin/sendmail -bs -Am)" \
		'^250 .*third\.test>\.\.\. Recipient ok' \
		"control: behind a pipe the same sendmail relays"
}

# verdict TEXT: the code that the (only) RCPT got, which follows the 250 to MAIL.
verdict() { sed -n '/^250 2\.1\.0/{n;s/ .*//p;q}' <<<"$1"; }

# A client on the host itself is judged as the daemon judges it.
local_clients() {
	local address ours theirs
	host_run b /usr/sbin/sendmail-mta -Am -bd -O DaemonPortOptions=Name=d4,Port=2525,Addr=0.0.0.0 \
		-O PidFile=/run/d4.pid </dev/null
	wait_for 10 host_listens b 2525 || bail "the daemon does not listen"
	host_run b /usr/sbin/sendmail-mta -Am -bd -O DaemonPortOptions=Name=d6,Family=inet6,Port=2526 \
		-O PidFile=/run/d6.pid </dev/null
	wait_for 10 host_listens b 2526 || bail "the daemon does not listen on IPv6"
	for address in 127.0.0.1 10.77.0.2 ::1 fd77::2; do
		case $address in
		*:*) theirs=2526 ;;
		*) theirs=2525 ;;
		esac
		theirs=$(try_once | host_run b python3 "$source/t/tools/talk.py" -p $theirs $address)
		ours=$(try_once | host_run b python3 "$source/t/tools/talk.py" $address)
		is "$(verdict "$ours")" "$(verdict "$theirs")" \
			"from $address to itself: as sendmail -bd says, $(verdict "$theirs")" ||
			diag "ours" "$ours" "theirs" "$theirs"
	done
}

# seen FROM HOST ERE NAME [PORT]
seen() {
	like "$(try_once | talk ${5:+-p $5} -b "$1" "$2")" "$3" "$4"
}

access_and_dnsbl() {
	local way
	for way in 25 2506; do
		to=bob@b.test seen 10.77.0.7 10.77.0.2 '^550 5\.7\.1 .*Access denied' "port $way: access REJECT, IPv4" $way
		seen 10.77.0.8 10.77.0.2 '^250 2\.1\.5' "port $way: access RELAY, IPv4" $way
		to=bob@b.test seen fd77::7 fd77::2 '^550 5\.7\.1 .*Access denied' "port $way: access REJECT, IPv6" $way
		seen fd77::8 fd77::2 '^250 2\.1\.5' "port $way: access RELAY, IPv6" $way
		to=bob@b.test seen 10.77.0.9 10.77.0.2 '^550 5\.7\.1 .*Listed: 10\.77\.0\.9' \
			"port $way: DNSBL" $way
	done
	like "$(to=bob@b.test try_once | talk $mailer -b 10.77.0.7 '[10.77.0.2]')" '^550 5\.7\.1 .*Access denied' \
		"encrypted: access REJECT"
	like "$(try_once | talk $mailer -b fd77::8 '[IPv6:fd77::2]')" '^250 2\.1\.5' \
		"encrypted: access RELAY"
	like "$(to=bob@b.test try_once | talk $mailer -b 10.77.0.9 '[10.77.0.2]')" \
		'^550 5\.7\.1 .*Listed: 10\.77\.0\.9' "encrypted: DNSBL"
}

milter_notes() { cat "$(host_root b)/var/log/milter"; }
milter_noted() { milter_notes | grep -Eq -e "$1"; }

# told ERE NAME: a session of the milter's that is over, or soon will be.
told() { ok "$2" wait_for 10 milter_noted "$1" || diag "$(milter_notes)"; }

milter_sees() {
	told '^4 10\.77\.0\.3 [1-9][0-9]+ ' "a milter sees the true IPv4 address and a port"
	told '^6 .*fd77:.*:3 [1-9][0-9]+ ' "and IPv6"
	is "$(milter_notes | grep -Ev '^[46] (10\.77\.0\.|IPv6:fd77:)' | cut -d" " -f1-2)" "U _=root@localhost" \
		"and never a local one but in the control"
	told '^4 10\.77\.0\.3 .*\{client_addr\}=10\.77\.0\.3 ' "the macro {client_addr}"
	told '^4 10\.77\.0\.3 ([0-9]+) .*\{client_port\}=\1 ' "the port, twice the same"
	told '^4 10\.77\.0\.3 .*\{daemon_name\}=blackpony ' "the macro {daemon_name}"
	told '^4 .*\{cipher_bits\}=256 \{cipher\}=mlkem768x25519-chachapoly .*\{tls_version\}=XPONY1' \
		"the macros of an encrypted session"
	told '^6 .*\{cipher\}=TLS_.*\{tls_version\}=TLSv1\.' "and of a TLS one"
}

# From what port a client comes is what the milter is told.
milter_port() {
	talk -b 10.77.0.3 -f 40123 10.77.0.2 <<<'EHLO x.example' >/dev/null
	told '^4 10\.77\.0\.3 40123 ' "a client's own port, to the digit"
}

# An early talker is not noticed behind the receiver; nobody waits longer than the pause.
greet_pause() {
	local said
	said=$(relay_tries "greet_pause" | talk -p 2504 10.77.0.2)
	relay_refused "greet_pause 2000" "$said"
	said=$(printf '%s\n' '=EHLO early.example\r\nMAIL FROM:<x@c.test>\r\nRCPT TO:<bob@b.test>\r\n' \
		'?' '?' '?' QUIT | talk -p 2504 10.77.0.2)
	like "$said" '^250 2\.1\.5' "and what came before sendmail's greeting is not lost"
	said=$(to=bob@b.test try_once | talk $mailer -p 2504 '[10.77.0.2]')
	like "$said" '^250 2\.1\.5' "encrypted as well" || diag "$said"
	ok "the message arrives" wait_for 10 mailbox_has 24
}

world_start
host_start b 10.77.0.2 fd77::2 sendmail inetd tools
host_start c 10.77.0.3 fd77::3 tools
for n in 7 8 9; do
	printf 'addr add 10.77.0.%d/24 dev eth0\naddr add fd77::%d/64 dev eth0 nodad preferred_lft 0\n' $n $n | world_ip c
done
world_zone third.test <<<'@ IN MX 10 mail.c.test.'
world_zone bl.test <<<'9.0.77.10 IN A 127.0.0.2'
world_dns
host_pony c
configure_b
services
controls
everywhere
milter_sees
milter_port
access_and_dnsbl
local_clients
greet_pause
done_testing
