#!/bin/bash
# 83-macros - what blackpony-receiver tells sendmail of a session, and what can be made of it: the macros
# as a milter has them, the examples of blackpony-receiver(8) as they stand there (TLS_Clt: and TLS_From:
# lines of access_db), and key-milter.c. Real inetd, sendmail, libmilter and blackpony-mailer; needs root (t/lib).
source=${abs_top_srcdir:-$(cd "$(dirname "$0")/.." && pwd)}
. "$source/t/lib/tap.sh"
. "$source/t/lib/world.sh"
. "$source/t/lib/mail.sh"

receiver=/usr/libexec/blackpony/blackpony-receiver
page=$source/doc/blackpony-receiver.8
[ -e /usr/include/libmilter/mfapi.h ] || skip_all "needs libmilter (Debian: libmilter-dev)"

# shown WORD: the example of the manual page that begins behind a comment with this word.
shown() { sed -n "/^\\.\\\\\" $1\$/,/^\\.Ed/{/^\\./d;p;}" "$page"; }

# A transaction with this sender, and one more.
mail() { printf '%s\n' 'EHLO peer.example' "MAIL FROM:<$1>" 'RCPT TO:<bob@b.test>' RSET QUIT; }

# Ways to come, from a: each SENDER [ADDRESS].
in_clear() { mail "$1" | host_run a python3 "$source/t/tools/talk.py" -b "${2:-10.77.0.1}" 10.77.0.2 2>&1; }
by_rot13() { mail "$1" | host_run a python3 "$source/t/lib/pony_peer.py" client 10.77.0.2 2502 2>&1; }
by_stranger() {
	mail "$1" | host_run a python3 "$source/t/lib/pony_peer.py" client 10.77.0.2 25 -n mail.b.test 2>&1
}
by_pony() {
	mail "$1" | host_run a python3 "$source/t/tools/talk.py" /usr/libexec/blackpony/blackpony-mailer \
		-b "${2:-10.77.0.1}" '[10.77.0.2]' 2>&1
}
by_named() {
	mail "$1" | host_run a python3 "$source/t/tools/talk.py" /usr/libexec/blackpony/blackpony-mailer \
		mail.b.test 2>&1
}
by_tls() {
	{
		printf '%s\n' 'EHLO peer.example' STARTTLS
		mail "$1"
	} | host_run a python3 "$source/t/tools/talk.py" -b "${2:-10.77.0.1}" 10.77.0.2 2>&1
}

# taken NAME SAID, refused NAME ERE SAID
taken() { like "$2" '^250 2\.1\.5 <bob@b\.test>' "$1: taken" || diag "$2"; }
refused() {
	like "$3" "$2" "$1: refused"
	unlike "$3" '^250 2\.1\.5' "$1: not taken"
}

configure_b() {
	{
		sed '/^MAILER_DEFINITIONS/,$d' "$source/doc/sendmail.mc.example"
		echo "INPUT_MAIL_FILTER(\`notes', \`S=inet:8891@127.0.0.1, F=T')dnl"
		sed -n "s/^ \*	\(INPUT_MAIL_FILTER.*\)/\1/p" "$source/doc/key-milter.c"
		shown milters
		sed -n '/^MAILER_DEFINITIONS/,$p' "$source/doc/sendmail.mc.example"
		shown rules
	} >"$WORLD/b.mc"
	{
		printf '%s\t%s\n' Connect:10.77.0.1 RELAY Spam:friend@b.test FRIEND
		shown access
	} | host_put b /etc/mail/access
	host_put b /usr/share/blackpony/sendmail.require.m4 <"$source/sendmail.require.m4"
	host_tls b
	pony_host b "$WORLD/b.mc" 2>"$WORLD/m4"
	is "$(cat "$WORLD/m4")" "" "m4 has nothing to say"
	{
		cat "$source/doc/inetd.conf.example"
		echo "2502 stream tcp nowait root $receiver receiver -s ROT13"
	} >"$WORLD/inetd.conf"
	host_inetd b "$WORLD/inetd.conf"
}

# The milter is built and started as its comment says.
milters() {
	local build start
	build=$(sed -n 's/^ \*	\(cc -o .*\)/\1/p' "$source/doc/key-milter.c")
	start=$(sed -n 's/^ \*	key-milter \(.*\)/\1/p' "$source/doc/key-milter.c")
	ok "$build -Wall -Wextra -Werror" sh -c "cd '$WORLD/share' && cp '$source/doc/key-milter.c' . &&
		$build -Wall -Wextra -Werror"
	start=${start/example.org=*/keyed.test=$(pony_fingerprint a)}
	# shellcheck disable=SC2086 # words
	host_spawn b key "$WORLD/share/key-milter" $start
	host_run b "$WORLD/share/key-milter" inet:1@127.0.0.1 example.org >/dev/null 2>&1
	is $? 64 "key-milter: wrong usage"
	host_spawn b notes python3 "$source/t/tools/milter.py" 8891 /var/log/milter /run/verdict
	wait_for 10 host_listens b 8891 || bail "the milter does not listen"
	wait_for 10 host_listens b 8892 || bail "key-milter does not listen"
}

# noted NAME COMMAND...: the macros that the milter is told of in that session.
noted() {
	local lines
	lines=$(milter_lines)
	"${@:2}" >/dev/null
	wait_for 10 milter_beyond "$lines" || diag "$1: the milter has heard nothing"
	macros=" $(tail -n 1 "$(host_root b)/var/log/milter") "
}
milter_lines() { cat "$(host_root b)/var/log/milter" 2>/dev/null | wc -l; }
milter_beyond() { [ "$(milter_lines)" -gt "$1" ]; }
has() { like "$macros" "\\{$1\\}=$2 " "$3: {$1}"; }
has_not() { unlike "$macros" "\\{$1\\}=[^ ]" "$2: no {$1}"; }

told() {
	local key name suite=mlkem768x25519-chachapoly
	key=$(pony_fingerprint a)
	key=${key#SHA256:}
	noted XPONY by_pony x@plain.test
	has daemon_name blackpony XPONY
	has tls_version XPONY1 XPONY
	has cipher $suite XPONY
	has cipher_bits 256 XPONY
	has verify NO XPONY
	has pony_suite $suite XPONY
	has pony_key "${key//[+]/[+]}" XPONY
	has_not pony_relay XPONY
	host_run a blackpony-keygen -y | host_put b /etc/blackpony/relay-keys
	noted "another key" by_stranger x@plain.test
	has_not pony_relay "another key"
	noted "may relay" by_named x@plain.test
	has pony_relay "${key//[+]/[+]}" "a key that may relay"
	noted ROT13 by_rot13 x@plain.test
	has cipher ROT13 ROT13
	has cipher_bits 0 ROT13
	has verify NO ROT13
	has pony_suite ROT13 ROT13
	has_not pony_key ROT13
	noted clear in_clear x@plain.test
	has daemon_name blackpony clear
	for name in tls_version cipher verify pony_suite pony_key pony_relay; do has_not $name clear; done
	noted STARTTLS by_tls x@plain.test
	has tls_version 'TLSv1\.[23]' STARTTLS
	for name in pony_suite pony_key pony_relay; do has_not $name STARTTLS; done
}

key_milter() {
	taken "key-milter: that key" "$(by_pony x@keyed.test)"
	refused "key-milter: another" '^550 5\.7\.1 <x@keyed\.test>\.\.\. Mail from there comes with another key' "$(by_stranger x@keyed.test)"
	refused "key-milter: in clear" '^550 5\.7\.1' "$(in_clear X@Keyed.Test.)"
	refused "key-milter: STARTTLS" '^550 5\.7\.1' "$(by_tls x@keyed.test)"
	taken "key-milter: other mail" "$(in_clear x@plain.test)"
	taken "key-milter: a domain below" "$(in_clear x@sub.keyed.test)"
	taken "key-milter: a bounce" "$(in_clear '')"
}

weak='^503 5\.7\.0 encryption too weak 0 less than 128'

# By domain of the sender. The client 10.77.0.1 may relay, and is not let off.
by_domain() {
	local sender
	for sender in x@example.org X@EXAMPLE.ORG x@sub.example.org '"a@b"@example.org' x@example.org. \
		@other.test:x@example.org; do
		refused "$sender in clear" "$weak" "$(in_clear "$sender")"
	done
	refused "from elsewhere" "$weak" "$(in_clear x@example.org 10.77.0.9)"
	refused "ROT13" "$weak" "$(by_rot13 x@example.org)"
	taken "XPONY" "$(by_pony x@example.org)"
	taken "XPONY with any key" "$(by_stranger x@example.org)"
	taken "STARTTLS" "$(by_tls x@example.org)"
	taken "another domain" "$(in_clear x@plain.test)"
	taken "another that ends so" "$(in_clear x@notexample.org)"
	taken "one below that has a line" "$(in_clear x@free.example.org)"
	taken "nobody" "$(in_clear '')"
	refused "without PERM" '^454 4\.7\.0 encryption too weak 0 less than 112' \
		"$(in_clear x@example.net)"
	refused "the second in a session" "$weak" "$(printf '%s\n' 'EHLO p' 'MAIL FROM:<x@plain.test>' RSET \
		'MAIL FROM:<x@example.org>' 'RCPT TO:<bob@b.test>' QUIT |
		host_run a python3 "$source/t/tools/talk.py" 10.77.0.2 2>&1)"
	refused "to a friend of spam" "$weak" "$(printf '%s\n' 'EHLO p' 'MAIL FROM:<x@example.org>' \
		'RCPT TO:<friend@b.test>' QUIT | host_run a python3 "$source/t/tools/talk.py" 10.77.0.2 2>&1)"
}

# By client, which sendmail can do by itself: address and name.
by_client() {
	refused "client in clear" "$weak" "$(in_clear x@plain.test 192.0.2.7)"
	taken "client by XPONY" "$(by_pony x@plain.test 192.0.2.7)"
	taken "client by STARTTLS" "$(by_tls x@plain.test 192.0.2.7)"
	refused "client by name, in clear" "$weak" "$(in_clear x@plain.test 192.0.2.9)"
	taken "client by name, by XPONY" "$(by_pony x@plain.test 192.0.2.9)"
	refused "VERIFY is not met by XPONY" '^503 5\.7\.0 .*not authenticated' \
		"$(by_pony x@plain.test 192.0.2.8)"
}

world_start
host_start b 10.77.0.2 fd77::2 sendmail inetd tools
host_start a 10.77.0.1 fd77::1 sendmail tools
printf 'addr add %s dev eth0\n' 10.77.0.9/24 192.0.2.7/24 192.0.2.8/24 192.0.2.9/24 | world_ip a
printf 'addr add 192.0.2.2/24 dev eth0\n' | world_ip b
for domain in plain.test keyed.test example.org notexample.org example.net; do
	world_zone $domain <<<$'@ IN MX 10 mail.a.test.\n* IN MX 10 mail.a.test.'
done
world_zone partner.example <<<'mail IN A 192.0.2.9'
world_zone 2.0.192.in-addr.arpa <<<'9 IN PTR mail.partner.example.'
world_dns
pony_host a
configure_b
milters
told
key_milter
by_domain
by_client
done_testing
