#!/bin/bash
# 51-norelay - nobody relays through blackpony-receiver, in whatever way he comes; sendmail's own
# checks of the client see the true one; and where they could not, nothing is accepted at all.
# Real inetd, xinetd, sendmail and blackpony-mailer; needs root (t/lib).
source=${abs_top_srcdir:-$(cd "$(dirname "$0")/.." && pwd)}
. "$source/t/lib/tap.sh"
. "$source/t/lib/world.sh"
. "$source/t/lib/mail.sh"

receiver=/usr/libexec/blackpony/blackpony-receiver
mailer=/usr/libexec/blackpony/blackpony-mailer
third=somebody@third.test

# talk ARGUMENT...: the script on standard input, from the peer.
talk() { host_run c python3 "$source/t/tools/talk.py" "$@" 2>&1; }

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
			ifdef(`PAUSE',, `INPUT_MAIL_FILTER(`watch', ifdef(`DOWN', ``S=inet:8892@127.0.0.1, F=4'', ``S=inet:8891@127.0.0.1, F=T''))')dnl
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
	host_run b sh -c 'cd /etc/mail && m4 -DPAUSE sendmail.mc >pause.cf &&
		m4 -DDOWN sendmail.mc >down.cf'
}

# Port 25 as documented; others for what can go wrong behind it.
services() {
	{
		cat "$source/doc/inetd.conf.example"
		# A back end that leaves a trace of its start.
		host_put b /usr/local/bin/traced 755 <<-'END'
			#!/bin/sh
			echo started >>/var/log/traced
			exec /usr/sbin/sendmail -bs -Am
		END
		cat <<-END
			2501 stream tcp nowait root $receiver receiver -- /usr/local/bin/traced
			2502 stream tcp nowait root /usr/bin/setpriv setpriv --bounding-set=-sys_admin $receiver -- /usr/local/bin/traced
			2503 stream tcp nowait root $receiver receiver -- /usr/sbin/nonesuch -bs
			2504 stream tcp nowait root $receiver receiver -- /usr/sbin/sendmail -bs -Am -C/etc/mail/pause.cf
			2505 stream tcp nowait root $receiver receiver -- /usr/sbin/sendmail -bs -Am -C/etc/mail/down.cf
		END
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

# Five tries: three transactions, the first of which ends in a message; after RSET; after EHLO.
tries() {
	cat <<-END
		EHLO peer.example
		MAIL FROM:<x@c.test>
		RCPT TO:<$third>
		RCPT TO:<bob@b.test>
		DATA
		Subject: $1

		.
		MAIL FROM:<x@c.test>
		RCPT TO:<$third>
		RSET
		MAIL FROM:<>
		RCPT TO:<$third>
		EHLO again.example
		MAIL FROM:<x@c.test>
		RCPT TO:<somebody%third.test@b.test>
		RCPT TO:<$third>
		QUIT
	END
}

# refused NAME SAID: nothing but the five refusals and one delivery.
refused() {
	is "$(grep -c '^550 5\.7\.1 .*Relaying denied' <<<"$2")" 5 "$1: relaying denied, five times" ||
		diag "$2"
	is "$(grep -c '^250 2\.1\.5' <<<"$2")" 1 "$1: the one recipient here is taken" || diag "$2"
}

# relaying NAME TALK-ARGUMENT...
relaying() {
	local name=$1
	shift
	refused "$name" "$(tries "$name" | talk "$@")"
}

relaying_tls() {
	local name=$1 said
	shift
	said=$({
		printf '%s\n' 'EHLO peer.example' 'MAIL FROM:<x@c.test>' "RCPT TO:<$third>" RSET STARTTLS
		tries "$name"
	} | talk "$@")
	like "$said" '^TLS ' "$name: TLS"
	refused "$name" "$(sed '1,/^TLS/d' <<<"$said")"
	like "$(sed '/^TLS/,$d' <<<"$said")" 'Relaying denied' "$name: and before it"
}

try_once() { printf '%s\n' 'EHLO peer.example' 'MAIL FROM:<x@c.test>' "RCPT TO:<${to:-$third}>" QUIT; }

everywhere() {
	relaying "plain, IPv4" 10.77.0.2
	relaying "plain, IPv6" fd77::2
	relaying "plain, v4-mapped" -p 2506 10.77.0.2
	relaying "plain, dual-stack IPv6" -p 2506 fd77::2
	relaying_tls "STARTTLS, IPv4" 10.77.0.2
	relaying_tls "STARTTLS, IPv6" fd77::2
	relaying "XPONY, IPv4" $mailer '[10.77.0.2]'
	relaying "XPONY, IPv6" $mailer '[IPv6:fd77::2]'
	relaying "XPONY, v4-mapped" $mailer -p 2506 '[10.77.0.2]'
	is "$(host_log b | grep -c 'blackpony-receiver.* suite=mlkem768x25519-chachapoly, .*messages=1')" 3 \
		"three of these sessions were encrypted"
	is "$(host_log b | grep -c 'blackpony-receiver.* suite=STARTTLS')" 2 "and two were TLS"
	ok "all nine messages arrive" wait_for 20 mailbox_has 9
	unlike "$(host_queue b)" third.test "nothing for the third host is in the queue"
}

mailbox_has() { [ "$(host_mailbox b bob | grep -c '^Subject: ')" = "$1" ]; }

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

# A back end that greets with a refusal: it is the reply to the first command, and then the end.
refusing_back_ends() {
	local said
	host_put b /run/verdict <<<r
	said=$(printf '%s\n' 'EHLO x' 'MAIL FROM:<>' | talk 10.77.0.2)
	is "$(sed 's/^\(...\).*/\1/' <<<"$said" | tr '\n' ' ')" "220 554 clo " \
		"a back end that greets with 554: the reply to EHLO, and the end" || diag "$said"
	said=$(printf '%s\n' 'EHLO x' | talk $mailer '[10.77.0.2]' | tr '\n' ' ')
	like "$said" ' 554' "the same for an encrypted session" || diag "$said"
	host_run b rm /run/verdict
	said=$(printf '%s\n' 'HELO x' 'MAIL FROM:<>' | talk -p 2505 10.77.0.2)
	is "$(sed 's/^\(...\).*/\1/' <<<"$said" | tr '\n' ' ')" "220 421 clo " \
		"one that greets with 421" || diag "$said"
	said=$(printf '%s\n' 'EHLO x' 'MAIL FROM:<>' | talk -p 2503 10.77.0.2)
	is "$(sed 's/^\(...\).*/\1/' <<<"$said" | tr '\n' ' ')" "220 421 clo " "a missing sendmail: 421" ||
		diag "$said"
	like "$(host_log b)" 'blackpony-receiver.*no back end, .*nonesuch: exec: No such file' \
		"and the log names it"
}

no_pair() {
	local said traces
	traces=$(host_root b)/var/log/traced
	like "$(try_once | talk -p 2501 10.77.0.2)" '^550 .*Relaying denied' "with its capabilities"
	is "$(cat "$traces")" started "control: the back end leaves a trace"
	rm "$traces"
	for way in "talk -p 2502 10.77.0.2" "talk $mailer -p 2502 [10.77.0.2]"; do
		said=$(to=bob@b.test try_once | $way)
		unlike "$said" '^250 2\.1\.5' "without CAP_SYS_ADMIN nobody is taken: ${way##* }"
		like "$said" '421 4\.3\.0|4[0-9][0-9] .*(said|Service)' "but told to come again" || diag "$said"
	done
	is "$(printf '%s\n' 'EHLO x' 'MAIL FROM:<>' | talk -p 2502 10.77.0.2 | cut -c1-3 | tr '\n' ' ')" \
		"220 421 clo " "the client gets 421 and the end"
	like "$(host_log b)" 'blackpony-receiver.*no back end, .*peer=\[10\.77\.0\.3\], .*reason=' "logged"
	nok "and no back end was ever started" test -e "$traces"
}

# An early talker is not noticed behind the receiver; nobody waits longer than the pause.
greet_pause() {
	local said
	said=$(tries "greet_pause" | talk -p 2504 10.77.0.2)
	refused "greet_pause 2000" "$said"
	said=$(printf '%s\n' '=EHLO early.example\r\nMAIL FROM:<x@c.test>\r\nRCPT TO:<bob@b.test>\r\n' \
		'?' '?' '?' QUIT | talk -p 2504 10.77.0.2)
	like "$said" '^250 2\.1\.5' "and what came before sendmail's greeting is not lost"
	said=$(to=bob@b.test try_once | talk $mailer -p 2504 '[10.77.0.2]')
	like "$said" '^250 2\.1\.5' "encrypted as well" || diag "$said"
	ok "the message arrives" wait_for 10 mailbox_has 10
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
refusing_back_ends
no_pair
greet_pause
done_testing
