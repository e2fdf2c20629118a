#!/bin/bash
# 52-injection - what attackers put before, into and behind an upgrade: hostile clients against
# blackpony-receiver under inetd, and hostile mail hosts against the blackpony-mailer that sendmail
# starts. Nothing injected reaches a mail server; no message is lost, doubled or sent where it must
# not be. Needs root (t/lib).
source=${abs_top_srcdir:-$(cd "$(dirname "$0")/.." && pwd)}
. "$source/t/lib/tap.sh"
. "$source/t/lib/world.sh"
. "$source/t/lib/mail.sh"

closed=' \| closed'
sequence="503 5\\.5\\.1 Bad sequence of commands"
malformed="501 5\\.5\\.4 Malformed command or argument$closed"
no_suite="504 5\\.5\\.4 Cipher suite not available$closed"
crypto="454 4\\.7\\.0 Encryption failed$closed"
no_smtp="554 5\\.5\\.1 This is an SMTP server$closed"

# answered NAME ERE: what that hostile client read, all of it.
answered() {
	like "$(sed -n "s/^$1: //p" <<<"$clients")" "^$2\$" "client, $1"
}

hostile_clients() {
	local name clients
	clients=$(host_run c python3 "$source/t/tools/bad_clients.py" 10.77.0.2 2>&1)

	answered "in one segment" "$sequence$closed"
	answered "before the reply" "($sequence|220)$closed"
	answered "after the reply" closed
	answered "half a record" closed
	answered "in a transaction" \
		"250 XPONY 1 .* \| 250 .* \| $sequence \| 250 .*Recipient ok \| 250 .* \| $sequence \| 221 .*"
	answered "after AUTH" "$sequence \| 221 .*"
	answered "after STARTTLS" "$sequence \| 221 .*"
	answered "twice" "$sequence \| 250 .* \| $sequence \| 250 .* \| $sequence \| 221 .*"
	answered "offered inside" "PIPELINING offered \| XPONY not offered \| STARTTLS not offered"
	answered "state from before" "503 \| 250 \| 250 \| 250 \| 354 \| 250 \| 221"
	for name in "base64 padded" "base64 not canonical" "base64 of another alphabet" \
		"base64 with a blank" "base64 none" "line end bare" "line with a NUL" "line too long" \
		"version" "suite in capitals"; do
		answered "$name" "$malformed"
	done
	for name in "suite unknown" "suite ROT" "another suite"; do
		answered "$name" "$no_suite"
	done
	for name in "message 2: key flipped" "message 2: key zero" "message 2: static flipped" \
		"message 2: tag flipped" "message 2: cut" "message 2: one octet" "message 2: longer" \
		"another offer" "payload 2: two lines" "payload 2: empty EHLO" "payload 2: twice" \
		"payload 2: critical" "payload 2: cut" "replayed"; do
		answered "$name" "$crypto"
	done
	answered recorded "250 \| 221"
	for name in GET POST CONNECT USER TLS digit blank; do
		answered "$name" "$no_smtp"
	done

	unlike "$(host_log b)" injected "nothing injected is in the mail server's log"
	ok "the one message of all these sessions arrives" wait_for 10 grep -q '^Subject' "$(host_root b)/var/mail/bob"
	is "$(host_mailbox b bob | grep -E '^(Received|Subject):' | sed 's/ by .*//')" \
		"$(printf 'Received: from after.example (mail.c.test [10.77.0.3])\nSubject: after')" \
		"alone, and from the EHLO that was said inside"
}

# The attacks, in order, each the mail host of NAME.evil.test.
hostile_hosts() {
	local name n=20 zone=
	names=$(python3 "$source/t/tools/bad_servers.py" list)
	for name in $names; do
		zone+="$name IN MX 0 mx.$name"$'\n'"mx.$name IN A 10.77.0.$n"$'\n'
		world_ip c <<<"addr add 10.77.0.$n/24 dev eth0"
		n=$((n + 1))
	done
	world_zone evil.test <<<"$zone"
	world_dns
	host_spawn c hosts python3 "$source/t/tools/bad_servers.py" 10.77.0.20 /var/log/notes
	wait_for 10 host_listens c 25 || bail "the hostile hosts do not listen"
}

send() {
	printf 'Subject: %s\nTo: bob@%s.evil.test\n\nA secret.\n' "$1" "$1" |
		host_run a sendmail-mta -Am -odi -i -f alice@a.test "bob@$1.evil.test"
}

# met NAME: its connections, in order, as its host saw them.
met() { sed -n "s/^$1 //p" "$(host_root c)/var/log/notes" 2>/dev/null | paste -sd,; }
has_met() { [ "$(met "$1")" = "$2" ]; }

# meets NAME CONNECTIONS: until now.
meets() {
	wait_for 5 has_met "$1" "$2"
	is "$(met "$1")" "$2" "host, $1: $2"
}

mails() {
	local name
	for name in $names; do
		send "$name"
	done
	# Once more with the offer, then without, each on a connection of its own.
	for name in before-reply key-flipped tag-flipped cut empty longer padded other-code \
		other-prologue critical refused-504 hangs-up; do
		meets $name "xpony 0,xpony 1"
	done
	for name in key-flipped-always refused-454 hangs-up-always; do
		meets $name "xpony 0,xpony 0,plain 1"
	done
	meets zero-key "gone 0,xpony 1"
	meets after-reply "xpony 0"
	meets two-offers "gone 0,gone 0,plain 1"
	for name in no-hint no-keyword offers-inside size-before; do
		meets $name "xpony 1"
	done
	for name in no-offer rot-offered; do
		meets $name "plain 1"
	done
}

# The attack at which nothing was delivered: queued, and said why.
queued() {
	local queue
	queue=$(host_queue a)
	is "$(grep -c 'bob@.*\.evil\.test$' <<<"$queue")" 1 "one message waits in the queue" || diag "$queue"
	like "$queue" 'bob@after-reply\.evil\.test$' "that for after-reply"
	like "$queue" 'Deferred: 451 4\.4\.2 mx\.after-reply\.evil\.test' "which names the host"
	host_flush a
	meets after-reply "xpony 0,xpony 1"
	is "$(host_queue a | grep -c evil)" 0 "the queue is empty when the attack is over"
	is "$(sed -n 's/.* \([1-9]\)$/\1/p' "$(host_root c)/var/log/notes" | paste -sd+ | bc)" \
		"$(wc -w <<<"$names")" "every message was taken once, and none twice"
}

logged() {
	local log name
	log=$(host_log a)
	for name in refused-454 key-flipped-always hangs-up-always; do
		is "$(grep "upgrade failed, .*relay=mx\.$name\." <<<"$log" | sed 's/.*next=//' | paste -sd,)" \
			'retry,"without XPONY"' "logged, $name: a retry, then plain"
	done
	like "$log" 'upgrade failed, .*relay=mx\.refused-454\..*reason="454 4\.7\.0 Encryption failed"' \
		"with what the host said"
	like "$log" "upgrade failed, .*relay=mx\.two-offers\..*offer differs from the EHLO" \
		"logged, two-offers"
	like "$log" "relay=mx\.rot-offered\..* suite=none, .*messages=1" "logged, rot-offered: not encrypted"
	like "$log" "relay=mx\.no-hint\..* suite=x25519-chachapoly, .*messages=1" "logged, no-hint: encrypted"
}

world_start
host_start a 10.77.0.1 fd77::1 sendmail
host_start b 10.77.0.2 fd77::2 sendmail inetd
host_start c 10.77.0.3 fd77::3 tools
pony_host a
pony_host b
host_inetd b
hostile_clients
hostile_hosts
mails
logged
queued
done_testing
