#!/bin/bash
# 5f-exim-behind - Exim behind blackpony-receiver, as doc/OTHER-MTAS.md has it, word for word: it sees the true
# client by itself, and relays for nobody; what it knows of the encryption; what it may not be started with; and
# that nothing is taken when it is missing, broken, or dies. Needs root (t/lib).
source=${abs_top_srcdir:-$(cd "$(dirname "$0")/.." && pwd)}
. "$source/t/lib/tap.sh"
. "$source/t/lib/world.sh"
. "$source/t/lib/mail.sh"
. "$source/t/lib/relaying.sh"
# shellcheck disable=SC2034 # relaying.sh: Exim has no word in common for these
relay_denied='^(55[0-9]|501)[ -]' relay_taken='^354 '

receiver=/usr/libexec/blackpony/blackpony-receiver
mailer=/usr/libexec/blackpony/blackpony-mailer
config=/etc/exim4/exim4.conf

# block NAME: that piece of the document.
block() {
	awk -v mark="<!-- $1 -->" '$0 == mark { found = 1 } found && /^```/ { if (inside) exit; inside = 1; next } inside' \
		"$source/doc/OTHER-MTAS.md"
}

# Ports of what must be refused, and why, beside the documented 25.
refused_arguments=('-bS' '-bm bob@b.test' '-bs -oMa 127.0.0.1' '-bs -oMaa somebody' '-bs -N' '-bh 10.77.0.3' '-Am' '-bs -C'
	'-bs -f x@b.test' '-bs bob@b.test')

start_b() {
	local n=2600 arguments old
	host_run b mkdir -p /etc/blackpony
	host_pony b
	host_run b blackpony-keygen -q
	host_tls b
	host_run b chown -R Debian-exim /etc/mail/tls
	host_exim b 2500
	old=$(cat "$(host_root b)$config")
	{
		block 'exim main'
		echo 'tls_advertise_hosts = *'
		echo 'tls_certificate = /etc/mail/tls/cert.pem'
		echo 'tls_privatekey = /etc/mail/tls/key.pem'
		grep -v '^keep_environment\|^tls_advertise' <<<"$old" | sed '/^check_rcpt:/q'
		block 'exim acl'
		sed '1,/^check_rcpt:/d' <<<"$old"
	} | host_put b $config
	host_run b exim4 -bV >/dev/null || bail "the documented configuration is none"
	host_run b sh -c 'kill -HUP $(grep -lx exim4 /proc/[0-9]*/comm | cut -d/ -f3)'
	host_run b ln -s exim4 /usr/sbin/exim-daemon
	{
		block 'exim inetd.conf'
		echo "2550 stream tcp nowait root $receiver receiver -- /usr/sbin/exim4 -bs -odq"
		echo "2551 stream tcp nowait root $receiver receiver"
		echo "2552 stream tcp nowait root $receiver receiver -- /usr/local/sbin/exim4 -bs"
		echo "2553 stream tcp nowait root $receiver receiver -- /usr/sbin/exim4 -bs -C /etc/exim4/broken"
		for arguments in "${refused_arguments[@]}"; do
			echo "$((n++)) stream tcp nowait root $receiver receiver -- /usr/sbin/exim4 $arguments"
		done
	} >"$WORLD/inetd.conf"
	host_inetd b "$WORLD/inetd.conf"
	wait_for 10 host_listens b 2500 || bail "Exim is not back"
}

box() { echo "$(host_root b)/var/mail/bob"; }
box_has() { [ "$(grep -c '^Subject: ' "$(box)" 2>/dev/null)" = "$1" ]; }

# received SUBJECT: the Received header of that message, in one line.
received() {
	awk -v wanted="Subject: $1" '/^From / { header = "" } /^Received:/ { header = $0; next }
		/^[ \t]/ { sub(/^[ \t]+/, " "); header = header $0 } $0 == wanted { print header }' "$(box)"
}

norelay() {
	local id='id [-0-9A-Za-z]{16,}'
	way "clear, IPv4" relaying "clear, IPv4" 10.77.0.2
	way "clear, IPv6" relaying "clear, IPv6" fd77::2
	way "XPONY, IPv4" relaying "XPONY, IPv4" $mailer '[10.77.0.2]'
	way "XPONY, IPv6" relaying "XPONY, IPv6" $mailer '[IPv6:fd77::2]'
	way "STARTTLS" relaying_tls STARTTLS fd77::2
	judge
	ok "all ten messages arrive" wait_for 20 box_has 10 || diag "$(host_log b | tail)"
	unlike "$(host_run b exim4 -bp)" third.test "nothing for the third host is in the queue"
	like "$(printf '%s\n' 'EHLO x' 'MAIL FROM:<x@c.test>' "RCPT TO:<$relay_third>" QUIT |
		host_run b python3 "$source/t/tools/talk.py" /usr/sbin/exim4 -bs)" '^250 Accepted' \
		"control: behind a pipe the same Exim relays"
	like "$(received "clear, IPv4, first")" "from \[10\.77\.0\.3\] \(helo=peer\.example\) by mail\.b\.test with esmtp $id" \
		"Received: clear, IPv4"
	like "$(received "clear, IPv6, second")" "from \[fd77::3\] .*with esmtp $id" "Received: clear, IPv6"
	like "$(received "XPONY, IPv4, first")" \
		"from \[10\.77\.0\.3\] .* with esmtp \(XPONY1:mlkem768x25519-chachapoly\) $id" "Received: XPONY, IPv4"
	like "$(received "XPONY, IPv6, second")" "from \[fd77::3\] .* \(XPONY1:mlkem768x25519-chachapoly\) $id" "Received: XPONY, IPv6"
	like "$(received "STARTTLS, first")" "from \[fd77::3\] .* with esmtps \(TLS1\.3\) $id" "Received: STARTTLS"
	like "$(host_log b)" 'H=\(peer\.example\) \[10\.77\.0\.3\] F=<x@c\.test> rejected RCPT' "Exim's log has the client"
}

# The key of c may relay once it is listed, in encrypted sessions alone.
by_key() {
	local try
	host_run c blackpony-keygen -y | host_put b /etc/blackpony/relay-keys
	try=$(printf '%s\n' 'EHLO peer.example' 'MAIL FROM:<x@c.test>' "RCPT TO:<$relay_third>" QUIT)
	like "$(talk $mailer '[mail.b.test]' <<<"$try")" '^250 Accepted' "a listed key may relay"
	like "$(talk $mailer '[10.77.0.2]' <<<"$try")" '^550 .*relay not permitted' "but not if it meant an address"
	like "$(talk 10.77.0.2 <<<"$try")" '^550 .*relay not permitted' "and not in clear"
	host_run b rm /etc/blackpony/relay-keys
	like "$(talk $mailer '[mail.b.test]' <<<"$try")" '^550 .*relay not permitted' "nor when it is no longer listed"
}

# codes SAID: the codes of its replies, one after another.
codes() { sed -n 's/^\([0-9][0-9][0-9]\) .*/\1/p; s/^closed/&/p' <<<"$1" | paste -sd' '; }

mail() { printf '%s\n' 'EHLO x' 'MAIL FROM:<x@c.test>' 'RCPT TO:<bob@b.test>' DATA "Subject: $1" '' .; }

arguments() {
	local n=2600 arguments said
	for arguments in "${refused_arguments[@]}"; do
		is "$(codes "$(mail "$arguments" | talk -p $n 10.77.0.2)")" "220 421 closed" "exim4 $arguments: 421"
		# shellcheck disable=SC2086 # words
		said=$(host_run b $receiver --check -- /usr/sbin/exim4 $arguments)
		is $? 78 "exim4 $arguments: --check has a fault"
		like "$said" '^fault: back end .*behind us Exim takes -bs' "exim4 $arguments: says why"
		n=$((n + 1))
	done
	like "$(host_log b)" 'blackpony-receiver.*no back end, .*reason="/usr/sbin/exim4 -oMaa: ' "the log says why"
	said=$(mail 'encrypted, refused' | talk $mailer -p 2603 '[10.77.0.2]')
	like "$said" '^4' "and so for an encrypted session"
	unlike "$said" '^354' "nothing is taken in it"
	said=$(host_run b $receiver --check -- /usr/sbin/exim4 -bs -odq)
	like "$said" '^ok: back end /usr/sbin/exim4' "exim4 -bs -odq: --check has no fault with it"
	said=$(host_run b $receiver --check -- /usr/sbin/exim-daemon -bS)
	like "$said" '^fault: back end ' "a link to it is looked through"
}

others_that_work() {
	like "$(mail queued | talk -p 2550 10.77.0.2)" '^250 OK id=' "-odq: taken"
	like "$(host_run b exim4 -bp)" 'x@c\.test' "-odq: and queued"
	like "$({ mail link; echo QUIT; } | talk -p 2551 10.77.0.2)" '^250 OK id=' \
		"/usr/sbin/sendmail, the default, is a link to Exim and works too"
	host_run b exim4 -qff
	ok "both arrive" wait_for 20 box_has 12
}

# One that dies under a client, at each of these points; and one that never starts.
fails_closed() {
	local said before
	before=$(grep -c '^Subject' "$(box)")
	said=$(mail missing | talk -p 2552 10.77.0.2)
	is "$(codes "$said")" "220 421 closed" "missing: 421"
	host_put b /usr/local/sbin/exim4 755 <<<$'#!/bin/sh\nexit 0'
	said=$(mail ends | talk -p 2552 10.77.0.2)
	is "$(codes "$said")" "220 421 closed" "one that ends at once: 421 (started as exim4 -bs)"
	host_put b /etc/exim4/broken <<<'no such option = 1'
	said=$(mail broken | talk -p 2553 10.77.0.2)
	is "$(codes "$said")" "220 421 closed" "its configuration is broken: 421"
	said=$(mail broken | talk $mailer -p 2553 '[10.77.0.2]')
	unlike "$said" '^354' "encrypted: nothing is taken"
	like "$said" '^4' "but a temporary verdict given"
	host_put b /usr/local/sbin/exim4 755 <<<$'#!/bin/sh\n(sleep 1; kill -9 $$) >/dev/null 2>&1 </dev/null &\nexec /usr/sbin/exim4 -bs'
	said=$({ mail dies | sed '$d'; sleep 3; echo .; } | talk -p 2552 10.77.0.2)
	is "$(codes "$said")" "220 250 250 250 354 421" "killed in the body: 421"
	is "$(grep -c '^Subject' "$(box)")" "$before" "none of these messages was taken"
	is "$(host_run b exim4 -bpc)" 0 "nor queued"
}

world_start
host_start b 10.77.0.2 fd77::2 exim inetd tools
host_start c 10.77.0.3 fd77::3 tools
world_zone third.test <<<'@ IN MX 10 mail.c.test.'
world_dns
host_pony c
host_run c mkdir -p /etc/blackpony
host_run c blackpony-keygen -q
start_b
norelay
by_key
arguments
others_that_work
fails_closed
done_testing
