#!/bin/bash
# 504-sequence - row 4: XPONY in a transaction, after RSET, after AUTH or STARTTLS, twice, in a message's
# text; XPONY or STARTTLS inside, between commands and in one flight with them; a mail host that offers
# both and AUTH inside; in both suites. Must happen: 503, and the session goes on as if nothing had been
# said; in a message it is text; inside TLS it is sendmail's to refuse; sendmail is told none of the lines that
# are refused; blackpony-mailer takes none of these offers. Needs root (t/lib).
. "$abs_top_srcdir/t/lib/tap.sh"
. "$abs_top_srcdir/t/lib/world.sh"
. "$abs_top_srcdir/t/lib/mail.sh"
. "$abs_top_srcdir/t/lib/hostile.sh"

talk() { host_run c python3 "$world_src/t/tools/talk.py" 10.77.0.2; }
arrived() { [ "$(host_mailbox b bob | grep -cx "Subject: $1")" = "$2" ]; }

world_start
host_start a 10.77.0.1 fd77::1 sendmail
host_start b 10.77.0.2 fd77::2 sendmail inetd tools
host_start c 10.77.0.3 fd77::3 tools
pony_host a
host_tls b
pony_host b
overheard_inetd b

clients c 4
answered "in a transaction" \
	"250 XPONY 1 .* \| 250 .* \| $sequence \| 250 .*Recipient ok \| $sequence \| 250 .* \| $sequence \| 221 .*"
answered "in a message" "250 \| 250 \| 250 \| 354 \| 250 \| 503 \| 221"
answered "behind MAIL" "250 \| 503 \| 250 \| 221"
for name in "after AUTH" "after AUTH PLAIN" "after STARTTLS"; do
	answered "$name" "$sequence \| $sequence \| 221 .*"
done
answered "twice" "$sequence \| 250 .* \| $sequence \| $sequence \| 250 .* \| $sequence \| 250 .* \| $sequence \| 221 .*"
answered "STARTTLS inside" \
	"$sequence \| 250 .* \| $sequence \| $sequence \| 250 .* \| $sequence \| 250 .* \| $sequence \| 221 .*"
answered "grouped inside" "250 \| 503 \| 250 \| 503 \| 354 \| 250 \| 221"
answered "offered inside" "PIPELINING offered \| XPONY not offered \| STARTTLS not offered"
is "$(told b | grep -cE '^(XPONY|xpony|STARTTLS|starttls)( |$)')" 4 \
	"sendmail was told two lines of text and two bad STARTTLS, and no line that was refused" || diag "$(told b)"
for suite in classical hybrid; do
	ok "$suite: the message with such lines between its commands arrives" wait_for 10 arrived "grouped, $suite" 1
	ok "$suite: so does that with one in its text" wait_for 10 arrived "line, $suite" 1
done
is "$(host_mailbox b bob | grep -c '^XPONY 1 ')" 2 "where it still is"

# Inside TLS the receiver hears nothing.
like "$(printf 'EHLO c.test\nSTARTTLS\nEHLO c.test\nXPONY 1 x25519-chachapoly AAAA\nQUIT\n' | talk)" \
	'^500 5\.5\.1 Command unrecognized: "XPONY' "behind STARTTLS it is a command that sendmail does not know"

hosts_start 4
send offers-inside
meets offers-inside "xpony 1"
is "$(sed 's/\r$//; s/ [^ ]*@.*//' "$(host_root c)/var/log/notes.said" | paste -sd,)" \
	"offers-inside EHLO mail.a.test,offers-inside MAIL,offers-inside RCPT,offers-inside DATA,offers-inside QUIT" \
	"a host that offers XPONY, STARTTLS and AUTH inside is asked for none"
done_testing
