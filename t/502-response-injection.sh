#!/bin/bash
# 502-response-injection - row 2: octets before, in and behind the plaintext reply to XPONY and before the first
# record: replies, one octet, a line end; in the same segment, in the next one, octet by octet; put there by
# a man in the middle of two real mail hosts, in both suites. Must happen: the mailer stops; none of it is
# taken for a word of the host's; nothing is delivered over that connection nor, once the upgrade has been
# seen, in clear over another: the mail waits, and goes when the attack is over. What stands before or in
# the place of the reply is a failed upgrade, as in row 7. Needs root (t/lib).
. "$abs_top_srcdir/t/lib/tap.sh"
. "$abs_top_srcdir/t/lib/world.sh"
. "$abs_top_srcdir/t/lib/mail.sh"
mitm_set=injection
. "$abs_top_srcdir/t/lib/mitm.sh"

before="greeting before"
behind="behind dripped next digit lineend one"

world_start
policy='.encrypt.test encrypt
.oldencrypt.test encrypt
.pq.test pq'
mitm_start may encrypt pq old oldencrypt
wiretap_start
for word in may encrypt pq; do
	# shellcheck disable=SC2086 # words
	try $word pass drip $before $behind
done
tried
heard=$(overheard)
expect_each "pass drip" <<END
may hybrid
encrypt hybrid
pq hybrid
END
expect_each "$behind" <<END
may lost
encrypt lost
pq lost
END
expect_each "$before" <<END
encrypt refused $no_way
pq refused $failed
END
expect may <<<"before clear"
for name in $before; do
	is "$(steps "$name.may")" 'retry,"classical suite","without XPONY"' "$name: each step down is logged"
done

# stopped WORD: not for a failed upgrade, which would lead to another connection.
stopped() {
	local name
	for name in $behind; do
		is "$(of_host "$name.$1" | grep -c 'upgrade failed')" 0 "$1, $name: no step down"
		like "$mitm_log" "blackpony-mailer.* messages=0, .*stat=\"451 4\.4\.2 mx\.$name\.$1\.test" "$1, $name: logged"
	done
	for name in behind dripped next; do
		like "$mitm_log" "fault=\"cryptographic failure\", stat=\"451 4\.4\.2 mx\.$name\.$1\.test" "$1, $name: for what it is"
	done
}
stopped may
# With more replies than commands before it, what is in clear has gone wrong all by itself.
is "$(grep -vE '^(before|greeting)\.may$' <<<"$heard")" "" "in clear is what policy may lets go so, and that alone"

mitm_classical
wiretap_start
for word in old oldencrypt; do
	# shellcheck disable=SC2086 # words
	try $word pass drip $behind
done
tried
expect_each "pass drip" <<END
old classical
oldencrypt classical
END
expect_each "$behind" <<END
old lost
oldencrypt lost
END
stopped old
is "$(overheard)" "" "not a line in clear"

# Nothing of it is anywhere, and what waits goes.
unlike "$(host_log b)" injected "nothing of it is in the mail server's log"
unlike "$(grep 'stat=Sent' <<<"$mitm_log")" injected "nor was it taken for the reply to a message"
host_kill b inetd
host_inetd b
quiet
again
is "$(host_queue a | grep -c 'bob@.*\.test')" 0 "what waits goes when nobody is in the middle"
is "$(sort <<<"$taken" | uniq -d)" "" "nothing comes twice"
unlike "$taken" 'greeting\.may' "nor that"
is "$(wc -l <<<"$taken")" "$((3 * (2 + 2 + 6) - 1 + 2 * 8))" "and nothing is lost but what was in clear"
done_testing
