#!/bin/bash
# 62-plain-peers - mail to and from hosts without blackpony, which notice nothing: sendmail both
# ways, in clear and with STARTTLS that the sendmails negotiate through the two programs; one
# dialogue held twice, with blackpony-receiver and with sendmail alone; swaks. Needs root (t/lib).
source=${abs_top_srcdir:-$(cd "$(dirname "$0")/.." && pwd)}
. "$source/t/lib/tap.sh"
. "$source/t/lib/world.sh"
. "$source/t/lib/mail.sh"

alone=2525 # port of sendmail -bs, started by inetd, without blackpony
kinds="small empty eight long dots from"

talk() { host_run "$1" "$python" "$source/t/tools/talk.py" "${@:2}"; }

# The many things that a client may say. The sender's first command decides between them:
# dialogue HELLO.
dialogue() {
	cat <<-END
		$1
		HELP
		HELP RCPT
		NOOP
		noop with words
		VRFY carol
		EXPN carol
		VRFY nobody
		RCPT TO:<carol@a.test>
		DATA
		MAIL
		MAIL FROM
		MAIL FROM:<alice@c.test> NONSENSE=1
		MAIL FROM:<alice@c.test> SIZE=x
		MAIL FROM:<alice@c.test> SIZE=99999999999999999999
		MAIL FROM:<alice@nowhere.invalid>
		NONSENSE
		RSET
		mail from: <alice@c.test>
		rcpt to: <carol@a.test>
		RCPT TO:<nobody@a.test>
		RCPT TO:<bob@third.test>
		RCPT TO:carol@a.test NOTIFY=NEVER
		MAIL FROM:<alice@c.test>
		data
		Subject: of a dialogue

		..
		.
		MAIL FROM:<>
		RCPT TO:<carol@a.test>
		RSET
		DATA
		ETRN later.test
		ETRN @later.test
		AUTH
		AUTH NONSENSE
		AUTH CRAM-MD5
		*
		AUTH CRAM-MD5
		bm9ib2R5IDAxMjM0NTY3
		BDAT 10 LAST
		EHLO again.c.test
		STARTTLS please
		ETRN later.test
		QUIT
	END
}

# Several commands in one packet, and things that are no commands.
pipelined() {
	cat <<-'END'
		EHLO mail.c.test
		=MAIL FROM:<alice@c.test>\r\nRCPT TO:<carol@a.test>\r\nRCPT TO:<nobody@a.test>\r\nDATA\r\n
		?
		?
		?
		?
		=Subject: of a flight\r\n\r\nhello\r\n.\r\nRSET\r\nNOOP\r\nMAIL FROM:<alice@c.test>\r\n
		?
		?
		?
		?
		=\r\n
		?
		=   NOOP\r\n
		?
		=NOOP\t\xff\xfe\r\n
		?
		=\xff\xfe\r\n
		?
		=VRFY ca\0rol\r\n
		?
		QUIT
	END
}

inside_tls() {
	printf '%s\n' 'EHLO mail.c.test' 'MAIL FROM:<alice@c.test>' RSET STARTTLS NOOP 'EHLO mail.c.test' \
		STARTTLS 'MAIL FROM:<alice@c.test>' 'RCPT TO:<carol@a.test>' DATA 'Subject: of TLS' '' . QUIT
}

# replies PORT: to what is on standard input, from c to a, less what changes from one session to
# the next: the clock, queue ids, challenges.
replies() {
	talk c -p "$1" mail.a.test | sed -E '
		s/(Mon|Tue|Wed|Thu|Fri|Sat|Sun), [0-9]+ [A-Z][a-z]+ [0-9]+ [0-9:]+ GMT/DATE/
		s/^(250 2.0.0) [0-9A-Za-z]{14} /\1 QUEUED /
		s/^334 .*/334 CHALLENGE/
		s/^(250[ -]XPONY 1) [A-Za-z0-9+/]{43} /\1 KEY /'
}

# same NAME GAIN COMMAND...: to the client commands that COMMAND prints both say the same, but for
# the greeting, and for GAIN, a keyword more.
same() {
	local name=$1 gain=$2 ours theirs
	shift 2
	ours=$("$@" | replies 25) theirs=$("$@" | replies $alone)
	like "$(head -n 1 <<<"$ours")" "^220 mail\.a\.test ESMTP $offer\$" "$name: greets with the hint"
	like "$(head -n 1 <<<"$theirs")" '^220 mail\.a\.test ESMTP Sendmail ' \
		"$name: where sendmail alone says who it is"
	is "$(diff <(sed '1d; s/^250-/250 /' <<<"$theirs") <(sed '1d; s/^250-/250 /' <<<"$ours") |
		sed -n 's/^[<>]/&/p')" "$gain" "$name: $(wc -l <<<"$theirs") lines, the same but for \"$gain\""
}
offer='XPONY 1 [A-Za-z0-9+/]{43} mlkem768x25519-chachapoly,x25519-chachapoly'

log_of() { host_log "$1" | grep " $2\[" | tail -n 1; }

# arrived HOST PREFIX CLIENT TLS: mails of all kinds are there, as c's sendmail brought them to d's,
# with one Received header from CLIENT that matches the extended regular expression TLS.
arrived() {
	local kind got headers=
	for kind in $kinds; do
		got=$WORLD/got/$2-$kind
		mail_take "$1" "$2-$kind" "$got" || { fail "$2: $kind has arrived"; continue; }
		ok "$2: $kind is what sendmail delivers to sendmail" \
			cmp <(mail_plain "$WORLD/got/c-d-$kind") <(mail_plain "$got")
		headers+=$(mail_received "$got" "mail.$1.test")$'\n'
	done
	is "$(grep -cF "from $3) by mail.$1.test (" <<<"$headers")" 6 "$2: from $3), once each" || diag "$headers"
	is "$(grep -cE " with ESMTPS? id [0-9A-Za-z]{14} $4for " <<<"$headers")" 6 \
		"$2: Received ${4:-in clear}" || diag "$headers"
}

# series HOST PREFIX DOMAIN
series() {
	local kind
	for kind in $kinds; do
		mail_send "$1" "$WORLD/mail/$kind" "$2-$kind@$3"
	done
}

# A mail that waits on a leaves when a client asks for it.
etrn() {
	mail_send a "$WORLD/mail/small" a-etrn@d4.test -odq
	like "$(host_queue a)" 'a-etrn@d4.test' "ETRN: a mail waits"
	like "$(printf '%s\n' 'EHLO mail.c.test' 'ETRN d4.test' QUIT | talk c mail.a.test)" \
		'^250 2\.0\.0 Queuing for node d4\.test started' "ETRN: is accepted"
	ok "ETRN: brings it on its way" mail_take d a-etrn "$WORLD/got/etrn"
}

# tries NAME STATUS ERE ARGUMENT...: swaks on c, to a.
tries() {
	local name=$1 status=$2 says=$3 said
	shift 3
	said=$(host_run c swaks --server mail.a.test --helo mail.c.test --from alice@c.test \
		--to swaks@a.test "$@" 2>&1)
	is "$?" "$status" "swaks: $name: exit status $status" || diag "$said"
	like "$said" "$says" "swaks: $name: $says"
}

swaks() {
	local done=' 250 2\.0\.0 .* Message accepted for delivery'
	tries "IPv4" 0 "$done" -4
	tries "IPv6" 0 "$done" -6
	tries "HELO" 0 "$done" --protocol SMTP
	tries "in a pipeline" 0 "$done" --pipeline
	tries "TLS" 0 'TLS started with cipher TLSv1.3:' --tls -6
	tries "mail within TLS" 0 "^<~ $done" --tls -6
	tries "a login" 0 ' 235 2\.0\.0 OK Authenticated' --auth CRAM-MD5 --auth-user carol@mail.a.test \
		--auth-password secret
	tries "a bad login" 28 ' 535 5\.7\.0 authentication failed' --auth CRAM-MD5 \
		--auth-user carol@mail.a.test --auth-password wrong
	tries "a refused sender" 24 ' 553 5\.1\.8 ' --from a@nowhere.invalid
	tries "a refused recipient" 24 ' 550 5\.7\.1 .*Relaying denied' --to bob@third.test
	tries "gone in the middle of the mail" 0 354 --drop-after data
	wait_for 20 swaks_there 7
	swaks_there 7
	is "$swaks_count" 7 "swaks: what was accepted is there, and nothing else"
}
swaks_there() {
	swaks_count=$(grep -c '^Subject: test' "$(host_root a)/var/mail/box/swaks")
	[ "$swaks_count" -ge "$1" ]
}

python=${PYTHON3:-python3}
world_start
host_start a 10.77.0.1 fd77::1 sendmail inetd sasl tools
host_start c 10.77.0.3 fd77::3 sendmail swaks tools
host_start d 10.77.0.4 fd77::4 sendmail tools
for host in a d; do
	world_zone ${host}4.test <<-END
		@ IN MX 10 mail
		mail IN A ${host_ip4[$host]}
	END
	world_zone ${host}6.test <<-END
		@ IN MX 10 mail
		mail IN AAAA ${host_ip6[$host]}
	END
done
world_dns
for host in a c d; do
	host_tls $host
	printf '%s\n' $host.test ${host}4.test ${host}6.test | host_put $host /etc/mail/local-host-names
done
# Over IPv4 there is no STARTTLS, which shows that sendmail knows whom it talks to.
host_put a /etc/mail/access <<<"Srv_Features:${host_ip4[c]}	S"
host_put d /etc/mail/access <<<"Srv_Features:10.77.0	S"
host_put a /etc/sasl2/Sendmail.conf <<<$'pwcheck_method: auxprop\nauxprop_plugin: sasldb'
host_run a saslpasswd2 -c -p -u mail.a.test carol <<<secret
pony_host a
host_sendmail c "$source/t/lib/plain.mc"
host_sendmail d "$source/t/lib/plain.mc"
host_daemon d
{
	cat "$source/doc/inetd.conf.example"
	echo "$alone stream tcp6 nowait root /usr/sbin/sendmail-mta sendmail -bs -Am"
} >"$WORLD/inetd.conf"
host_inetd a "$WORLD/inetd.conf"
mkdir "$WORLD/got"
mail_files "$WORLD/mail"
mail_boxes a swaks $(for kind in $kinds; do echo {c-a4,c-a6}-$kind; done)
mail_boxes d a-etrn $(for kind in $kinds; do echo {c-d,a-d4,a-d6}-$kind; done)

same EHLO '> 250 XPONY 1 KEY mlkem768x25519-chachapoly,x25519-chachapoly' dialogue "EHLO mail.c.test"
same HELO '' dialogue "HELO mail.c.test"
same pipelined '> 250 XPONY 1 KEY mlkem768x25519-chachapoly,x25519-chachapoly' pipelined
same TLS '> 250 XPONY 1 KEY mlkem768x25519-chachapoly,x25519-chachapoly' inside_tls

series c c-d d4.test
for kind in $kinds; do
	mail_take d "c-d-$kind" "$WORLD/got/c-d-$kind"
done
tls='\(version=TLSv1\.3 cipher=TLS_AES_256_GCM_SHA384 bits=256 verify=NO\) '
series c c-a4 a4.test
like "$(log_of a blackpony-receiver)" 'peer=\[10\.77\.0\.3\], .*suite=none, messages=1, octets=[0-9]+, ' \
	"the receiver logs a session in clear"
series c c-a6 a6.test
like "$(log_of a blackpony-receiver)" 'peer=\[IPv6:fd77.*:3\], .*suite=STARTTLS, messages=' \
	"the receiver logs a session with STARTTLS"
arrived a c-a4 'mail.c.test (mail.c.test [10.77.0.3]' ''
arrived a c-a6 'mail.c.test (mail.c.test [IPv6:fd77:0:0:0:0:0:0:3]' "$tls"

series a a-d4 d4.test
like "$(log_of a blackpony-mailer)" ': relay=mail\.d4\.test \[10\.77\.0\.4\], suite=none, messages=1, ' \
	"the mailer logs a session in clear"
series a a-d6 d6.test
like "$(log_of a blackpony-mailer)" ': relay=mail\.d6\.test \[IPv6:fd77.*:4\], suite=STARTTLS, messages=' \
	"the mailer logs a session with STARTTLS"
arrived d a-d4 'mail.a.test (mail.a.test [10.77.0.1]' ''
arrived d a-d6 'mail.a.test (mail.a.test [IPv6:fd77:0:0:0:0:0:0:1]' "$tls"
like "$(host_log a)" 'STARTTLS=client, relay=.*version=TLSv1.3, verify=' "a's sendmail negotiated TLS itself"

etrn
swaks
done_testing
