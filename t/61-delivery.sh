#!/bin/bash
# 61-delivery - encrypted mail between two sendmail hosts, through inetd, xinetd and a systemd
# socket, over IPv4 and IPv6, by the greeting's hint and by the EHLO keyword. All that arrives is
# compared with what sendmail's own client brought to a host without blackpony, and a wiretap
# listens. Needs root (t/lib).
source=${abs_top_srcdir:-$(cd "$(dirname "$0")/.." && pwd)}
. "$source/t/lib/tap.sh"
. "$source/t/lib/world.sh"
. "$source/t/lib/mail.sh"

suite=mlkem768x25519-chachapoly
programs=/usr/libexec/blackpony

# names PREFIX...: the local parts of a series of mails, one of each kind for each prefix.
names() {
	local prefix kind
	for prefix; do
		for kind in $mail_kinds; do
			echo "$prefix-$kind"
		done
	done
}

# series PREFIX DOMAIN KIND...: one mail of each kind to PREFIX-KIND@DOMAIN.
series() {
	local prefix=$1 domain=$2 kind
	shift 2
	for kind; do
		mail_send a "$WORLD/mail/$kind" "$prefix-$kind@$domain"
	done
}

# arrived PREFIX CLIENT KIND...: they are on b, as their twins are on c, with one Received header
# that names the suite and CLIENT.
arrived() {
	local prefix=$1 client=$2 kind got headers
	shift 2
	for kind; do
		got=$WORLD/got/$prefix-$kind
		mail_take b "$prefix-$kind" "$got" || { fail "$prefix: $kind has arrived"; continue; }
		ok "$prefix: $kind is what sendmail's own client delivers" \
			cmp <(mail_plain "$WORLD/got/plain-$kind") <(mail_plain "$got")
		headers+=$(mail_received "$got" mail.b.test)$'\n'
	done
	is "$(grep -c '^Received: ' <<<"$headers")" $# "$prefix: one Received header of b's each"
	is "$(grep -cF "from $client) by mail.b.test (" <<<"$headers")" $# "$prefix: from $client)" ||
		diag "$headers"
	is "$(grep -cF "(version=XPONY1 cipher=$suite bits=256 verify=NO)" <<<"$headers")" $# \
		"$prefix: and encrypted" || diag "$headers"
}

# heard ADDRESS...: what the wiretap has of connections to these servers.
heard() {
	local address
	for address; do
		"$python" "$source/t/tools/heard.py" "$WORLD/pcap" "$address"
	done | tr -d '\r\0'
}

found() { LC_ALL=C grep -aoFf "$1" "$2" | LC_ALL=C sort -u; }

# tapped WAY COMMANDS ADDRESS...: the recording has every secret of the mails that went to c in
# clear and none of those to b by ADDRESS..., where the commands in clear were COMMANDS.
# A wiretap misses packets of a big mail, so there are some lines of it that it need not have.
tapped() {
	local way=$1 commands=$2 clear=$WORLD/clear sealed=$WORLD/sealed
	heard "${host_ip4[c]}" "${host_ip6[c]}" >"$clear"
	heard "${@:3}" >"$sealed"
	is "$(found "$WORLD/secrets" "$clear" | diff - "$WORLD/secrets")" "" \
		"$way: the wiretap reads each secret of what goes plain"
	ok "$way: those of the big mail too" grep -aqFf "$WORLD/big-secrets" "$clear"
	is "$(cat "$WORLD/secrets" "$WORLD/big-secrets" | found - "$sealed" | head)" "" \
		"$way: and none of what goes encrypted"
	is "$(grep -aoE '^(EHLO|HELO|MAIL|RCPT|VRFY|AUTH|NOOP|XPONY) ' "$sealed" | sort | uniq -c | tr -s ' \n' ' ')" "$commands" \
		"$way: the client's commands in clear:$commands"
}

# What no one may hear: lines of the bodies, addresses, the envelope's commands.
secrets() {
	local kind
	for kind in small eight from; do
		mail_body "$WORLD/mail/$kind"
		echo
		printf '%s\n' "-$kind@"
	done | sed '/^$/d'
	printf '%s\n' -empty@ -long@ -dots@ -big@ 'MAIL From:<' 'RCPT To:<' alice@a.test \
		'Subject: a secret of kind' 'To: friends' 'by mail.a.test (8.17'
}

talk() { host_run "$1" "$python" "$source/t/tools/talk.py" "${@:2}"; }

# letter NAME TEXT...: the commands of one mail.
letter() {
	printf '%s\n' 'MAIL FROM:<alice@a.test>' "RCPT TO:<$1>" DATA "Subject: $1" ''
	printf '%b\n' "${@:2}" .
}

# log_of HOST PROGRAM: its last log line there.
log_of() { host_log "$1" | grep " $2\[" | tail -n 1; }
log_has() { host_log "$1" | grep -q "$2"; }

quoted_fingerprint() { pony_fingerprint "$1" | sed 's/[+]/[+]/g'; }

two_in_one() {
	local said mailer receiver
	said=$({
		echo 'EHLO mail.a.test'
		letter two-first@b4.test 'the first in a session' ..
		letter two-second@b4.test 'the second in a session'
		echo QUIT
	} | talk a $programs/blackpony-mailer -i QUEUED b4.test)
	is "$(grep -c '^250 2.0.0 .* Message accepted' <<<"$said")" 2 "two mails in one session" || diag "$said"
	like "$said" "^250 2.0.0 mail4.b.test \[10.77.0.2\] $suite: " "the reply names host and suite"
	for said in first second; do
		mail_take b two-$said "$WORLD/got/two"
		like "$(mail_body "$WORLD/got/two")" "^the $said in a session$" "the $said of them is there"
	done
	wait_for 5 log_has b 'blackpony-receiver.*messages=2,'
	mailer=$(log_of a blackpony-mailer) receiver=$(log_of b blackpony-receiver)
	like "$mailer" "QUEUED: relay=mail4\.b\.test \[10\.77\.0\.2\], suite=$suite, key=$(quoted_fingerprint b), trust=[a-z]+, messages=2, octets=[0-9]+, destination=b4\.test, .*ms=[0-9]+$" \
		"one log line of the mailer, with its queue id, the destination and b's key"
	like "$receiver" ": peer=\[10\.77\.0\.1\], .*suite=$suite, key=$(quoted_fingerprint a), .*messages=2, octets=[0-9]+, .*ms=[0-9]+$" \
		"one of the receiver, with a's key"
	is "$(sed 's/.*octets=//; s/,.*//' <<<"$mailer")" "$(sed 's/.*octets=//; s/,.*//' <<<"$receiver")" \
		"and both count the same octets"
}

# In a mail, and in a command.
nuls() {
	local with
	nul() {
		printf 'EHLO mail.a.test\n'
		letter "$1" 'before\0after' '\0'
		printf 'NOOP\nVRFY p\0q\nQUIT\n'
	}
	with=$(nul two-first@b4.test | talk a $programs/blackpony-mailer b4.test | sed '1,/^354/d' | codes)
	is "$with" "$(nul plain-small@c.test | talk a mail.c.test | sed '1,/^354/d' | codes)" \
		"NULs are answered as sendmail answers them: ${with//$'\n'/, }"
}

codes() { grep -Eo '^[2-5][0-9][0-9][ -]([245]\.[0-9.]+)?|^closed'; }

keywords() { sed -n 's/^250[ -]\([A-Z0-9]*\( .*\)*\)$/\1/p' | sort; }

# The extensions that b's sendmail offers come through both programs, to the sendmail on a.
extensions() {
	local said box
	said=$(printf 'EHLO mail.a.test\nQUIT\n' | talk a $programs/blackpony-mailer b4.test | keywords)
	is "$said" "$(printf 'EHLO mail.a.test\nQUIT\n' | talk b /usr/sbin/sendmail-mta -bs -Am | keywords | grep -v ^AUTH)" \
		"keywords: those of b's sendmail, less AUTH" || diag "$said"

	printf '%s\n' 'EHLO x' 'MAIL FROM:<alice@a.test> RET=HDRS ENVID=env+2042' \
		'RCPT TO:<dsn@b4.test> NOTIFY=SUCCESS ORCPT=rfc822;first+2Baddress@old.test' DATA \
		'Subject: DSN' '' 'to be confirmed' . QUIT | talk a /usr/sbin/sendmail-mta -bs -Am >/dev/null
	box=$(host_root a)/var/mail/box/alice
	wait_for 20 grep -qs '^Action: delivered' "$box"
	like "$(cat "$box")" '^Reporting-MTA: dns; mail.b.test' "DSN: NOTIFY has arrived, b confirms"
	like "$(cat "$box")" '^Original-Recipient: rfc822;first.address@old.test' "DSN: ORCPT has arrived"
	like "$(cat "$box")" '^Original-Envelope-Id: env.42' "DSN: ENVID has arrived"
	unlike "$(cat "$box")" 'to be confirmed' "DSN: RET=HDRS has arrived"
	like "$(mail_received "$box" mail.a.test)" "from mail.b.test \(.*version=XPONY1 cipher=$suite" \
		"the confirmation came encrypted, too"

	mail_send a "$WORLD/mail/small" nobody-at-all@b4.test
	wait_for 20 grep -qs '^Final-Recipient: .*nobody-at-all' "$box"
	like "$(cat "$box")" '^Status: 5\.1\.1' "ENHANCEDSTATUSCODES: a bounce has the exact status"
	like "$(cat "$box")" '^Diagnostic-Code: SMTP; 550 5\.1\.1 mail4\.b\.test \[10\.77\.0\.2\] said: <nobody' \
		"and names the host that refused"
}

# 250 recipients in one session: two are unknown, and one is more than b takes in one mail.
many() {
	local box
	box=$(host_root a)/var/mail/box/alice
	# shellcheck disable=SC2046 # recipients are words
	host_run a sendmail-mta -Am -odi -oem -i -f alice@a.test $(printf 'r%s@b4.test\n' \
		$(seq 1 120) -unknown $(seq 121 240) -nobody $(seq 241 248)) <"$WORLD/mail/small"
	like "$(log_of a blackpony-mailer)" 'messages=1, .*refused=3, ' "250 recipients, one session, 3 refused"
	like "$(host_log b)" 'from=<alice@a.test>, .*nrcpts=247, ' "247 taken"
	wait_for 20 grep -qs '^Final-Recipient: .*; r-' "$box"
	is "$(sed -n 's/^Final-Recipient: RFC822; \(r-\)/\1/p' "$box" | sort | tr '\n' ' ')" \
		"r-nobody@b4.test r-unknown@b4.test " "the unknown two come back"
	is "$(host_queue a | grep -c '^\s*r[0-9]*@b4')" 1 "the one too many waits" || diag "$(host_queue a)"
	host_flush a
	like "$(host_queue a)" 'is empty' "and is delivered later"
	wait_for 20 all_there
	is "$(boxes)" 248 "all 248 have it, once each"
}
boxes() { cat "$(host_root b)"/var/mail/box/r[0-9]* | grep -c '^Subject: a secret'; }
all_there() { [ "$(boxes)" -ge 248 ]; }

# The way of a user's own mail: sendmail, the daemon on port 587, blackpony.
submitted() {
	host_daemon a
	printf 'Subject: from a user\n\n.\nhello\n' | host_as a alice sendmail -i two-second@b.test
	wait_for 20 grep -q '^Subject: from a user' "$(host_root b)/var/mail/box/two-second"
	like "$(cat "$(host_root b)/var/mail/box/two-second")" "cipher=$suite" \
		"a user's mail goes encrypted as well"
}

# b takes 100000 octets from now on: a's sendmail knows before it sends, and so does b from the
# SIZE parameter.
size() {
	local said
	said=$(sed 's/^O MaxMessageSize=.*//; /^O / { x; s/^$/O MaxMessageSize=100000/p; x; }' \
		"$(host_root b)/etc/mail/sendmail.cf")
	host_put b /etc/mail/sendmail.cf <<<"$said"
	mail_send a "$WORLD/mail/big" two-first@b4.test
	like "$(host_log a)" 'to=two-first@b4.test, .*dsn=5.2.3, ' "SIZE: too big a mail is not sent"
	like "$(log_of a blackpony-mailer)" 'messages=0, octets=0, ' "SIZE: not one octet of it"
	said=$(printf '%s\n' 'EHLO x' 'MAIL FROM:<alice@a.test> SIZE=100001' 'RCPT TO:<dsn@b4.test>' QUIT |
		talk a $programs/blackpony-mailer b4.test)
	like "$said" '^552 5\.2\.3 mail4\.b\.test \[10\.77\.0\.2\] said: ' "SIZE: the parameter arrives" || diag "$said"
}

python=${PYTHON3:-python3}
world_start
host_start a 10.77.0.1 fd77::1 sendmail inetd
host_start b 10.77.0.2 fd77::2 sendmail inetd systemd
host_start c 10.77.0.3 fd77::3 sendmail
host_start wall 10.77.0.4 fd77::4
for n in 4 6; do
	world_zone b$n.test <<<"@ IN MX 10 mail$n.b.test."
	world_zone wall$n.test <<<"@ IN MX 10 wall$n.b.test."
done
world_zone b.test <<-END
	@ IN MX 10 mail
	mail IN A 10.77.0.2
	mail IN AAAA fd77::2
	mail4 IN A 10.77.0.2
	mail6 IN AAAA fd77::2
	wall4 IN A 10.77.0.4
	wall6 IN AAAA fd77::4
END
world_dns
host_put a /etc/mail/mailertable <<<'c.test	esmtp:c.test'
printf '%s\n' b.test b4.test b6.test wall4.test wall6.test | host_put b /etc/mail/local-host-names
pony_host a "" "$mail_unkept" -DBLACKPONY_MAILER_MAXRCPTS=300
pony_host b "" -DconfMAX_RCPTS_PER_MESSAGE=247
host_sendmail c "$source/t/lib/plain.mc"
host_daemon c
host_spawn wall banner "$python" "$source/t/tools/banner.py" 10.77.0.2 fd77::2
mail_files "$WORLD/mail"
mkdir "$WORLD/got"
secrets | LC_ALL=C sort -u >"$WORLD/secrets"
mail_body "$WORLD/mail/big" | awk 'NR % 100 == 1' >"$WORLD/big-secrets"
mail_boxes b $(names inetd4 inetd6 xinetd4 xinetd6 systemd4 systemd6 keyword4 keyword6)
mail_boxes b two-first two-second dsn $(printf 'r%s ' $(seq 1 248))
mail_boxes c $(names plain)
client4="mail.a.test (mail.a.test [10.77.0.1]"
client6="mail.a.test (mail.a.test [IPv6:fd77:0:0:0:0:0:0:1]"

host_inetd b
wiretap_start
series plain c.test $mail_kinds
series inetd4 b4.test $mail_kinds
series inetd6 b6.test $mail_kinds
wiretap_stop "$WORLD/pcap"
for kind in $mail_kinds; do
	mail_take c "plain-$kind" "$WORLD/got/plain-$kind" || fail "plain: $kind has arrived"
done
arrived inetd4 "$client4" $mail_kinds
arrived inetd6 "$client6" $mail_kinds
tapped hint ' 14 XPONY ' "${host_ip4[b]}" "${host_ip6[b]}"

two_in_one
nuls
host_inetd a
mail_boxes a alice
extensions
many
submitted
host_kill b inetd

host_xinetd b
series xinetd4 b4.test $mail_kinds
series xinetd6 b6.test $mail_kinds
arrived xinetd4 "$client4" $mail_kinds
arrived xinetd6 "$client6" $mail_kinds
host_kill b xinetd

host_spawn b systemd systemd-socket-activate -l 25 --accept --inetd $programs/blackpony-receiver
wait_for 5 host_listens b 25
series systemd4 b4.test $mail_kinds
series systemd6 b6.test $mail_kinds
arrived systemd4 "$client4" $mail_kinds
arrived systemd6 "$client6" $mail_kinds

# The same through a firewall that leaves nothing of the greeting, and so no hint.
wiretap_start
series plain c.test $mail_kinds
series keyword4 wall4.test $mail_kinds
series keyword6 wall6.test $mail_kinds
wiretap_stop "$WORLD/pcap"
arrived keyword4 "mail.a.test (mail.wall.test [10.77.0.4]" $mail_kinds
arrived keyword6 "mail.a.test (mail.wall.test [IPv6:fd77:0:0:0:0:0:0:4]" $mail_kinds
tapped keyword ' 14 EHLO 14 XPONY ' "${host_ip4[wall]}" "${host_ip6[wall]}"
size
done_testing
