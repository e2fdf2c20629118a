#!/bin/bash
# 501-command-injection - row 1 (CVE-2011-0411): octets behind the XPONY line and before the reply to it, in
# the same segment, in the next one, octet by octet; commands, one octet, an empty line, a record; from
# hostile clients, and put into the dialogue of two real mail hosts by a man in the middle; in both suites.
# Must happen: 503 and the end; no sendmail is told any of it; the mail of the two hosts goes over another
# connection, or waits where that would be in clear and may not. Needs root (t/lib).
. "$abs_top_srcdir/t/lib/tap.sh"
. "$abs_top_srcdir/t/lib/world.sh"
. "$abs_top_srcdir/t/lib/mail.sh"
mitm_set=injection
. "$abs_top_srcdir/t/lib/mitm.sh"
. "$abs_top_srcdir/t/lib/hostile.sh"

pieces="commands;MAIL and RCPT;one octet;an empty line;a line feed;a NUL;a record"

# for_pieces CASE: each piece was answered with 503 and the end.
for_pieces() {
	local piece
	local -a all
	IFS=';' read -ra all <<<"$pieces"
	for piece in "${all[@]}"; do
		answered "$1, $piece" "$sequence$closed"
	done
}

# traffic: what sendmail was told since the last time.
traffic() {
	told b >"$WORLD/traffic"
	: >"$(host_root b)/var/log/traffic"
	cat "$WORLD/traffic"
}

world_start
policy='.encrypt.test encrypt
.pq.test pq'
mitm_start may encrypt pq
host_kill b inetd
overheard_inetd b

clients b 1-frozen
for_pieces "next segment"
for_pieces "octet by octet"
answered honest "250 \| 221"
is "$(traffic | sort -u)" "EHLO peer.example
QUIT" "sendmail was told what the honest client said, and nothing else"

clients m 1
for_pieces "same segment"
for_pieces "by keyword"
answered "another line" "$sequence$closed"
answered "behind EHLO" "250 \| $sequence$closed"
answered "behind the reply" closed
answered "half a record" closed
is "$(traffic | sort -u)" "EHLO peer.example" "sendmail was told the EHLO that came before the line, and nothing else"

injected="commands octet emptyline"
wiretap_start
for word in may encrypt pq; do
	# shellcheck disable=SC2086 # words
	try $word pass drip $injected
done
tried
heard=$(overheard)
expect_each "pass drip" <<END
may hybrid
encrypt hybrid
pq hybrid
END
expect_each "$injected" <<END
may clear
encrypt refused $no_way
pq refused $failed
END
for name in $injected; do
	is "$(steps "$name.may")" 'retry,"classical suite","without XPONY"' "$name: each step down is logged"
	logged "$name.may" 'reason="503 5.5.1 Bad sequence of commands"'
done
unlike "$(traffic)" injected "sendmail was told nothing of it"
unlike "$(host_log b)" 'injected|evil\.test' "nor has it logged any"
unlike "$(subjects)" injected "and no mailbox has it"
is "$(host_run b sendmail-mta -Am -bp | grep -c injected)" 0 "nor the queue"
done_testing
