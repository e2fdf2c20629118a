#!/bin/bash
# 513-two-offers - row 13: a man in the middle of two real mail hosts makes the greeting's offer another one than
# the EHLO reply's: its key, or its suites, in one of the two. Must happen: the client aborts; then it is as with
# every failed upgrade: a new connection, in clear at none and may alone and logged, else 451 4.7.5. Who took the
# greeting's offer up never sees the other; there a changed greeting breaks the handshake, and a changed EHLO
# reply changes nothing. And the real host's two offers are the same, and others for each connection. Needs
# root (t/lib).
. "$abs_top_srcdir/t/lib/tap.sh"
. "$abs_top_srcdir/t/lib/world.sh"
. "$abs_top_srcdir/t/lib/mail.sh"
mitm_set=offers
. "$abs_top_srcdir/t/lib/mitm.sh"

differs="the greeting's offer differs from the EHLO reply's"

# offers: what host b offers to one client: in the greeting, and in the EHLO reply.
offers() {
	printf '%s\n' 'EHLO c.test' QUIT | host_run m python3 "$abs_top_srcdir/t/tools/talk.py" 10.77.0.2 |
		sed -n 's/^2[25]0 .*\(XPONY 1 .*\)/\1/p'
}

world_start
mitm_strangers_and_friends
first=$(offers)
second=$(offers)
is "$(wc -l <<<"$first") $(sort -u <<<"$first" | wc -l)" "2 1" "the host offers the same in greeting and EHLO reply"
is "$(sort -u <<<"$first"$'\n'"$second" | wc -l)" 2 "and another key on the next connection"

wiretap_start
for word in $mitm_words; do
	try "$word"
done
tried
heard=$(overheard)

expect_each "pass" <<END
none tls
may hybrid
encrypt hybrid
pq hybrid
key hybrid
pinned hybrid
known hybrid
bound hybrid
END
# The EHLO reply is not asked for where the greeting has an offer.
expect_each "ehlokey" <<END
none clear
may hybrid
encrypt hybrid
pq hybrid
key hybrid
pinned hybrid
known hybrid
bound hybrid
END
for attack in greetingkey suites keyandsuites ehlosuites; do
	expect_each "$attack" <<END
none clear
may clear
encrypt refused $no_way
pq refused $failed
key refused $failed
pinned refused $failed
known refused $missed
bound refused $failed
END
done
for attack in suites keyandsuites ehlosuites; do
	for word in may known; do
		logged $attack.$word "reason=\"$differs\", next=retry"
		is "$(steps $attack.$word)" 'retry,"without XPONY"' "$word, $attack: once more, then without, on new connections"
	done
	for word in pq key pinned bound; do
		logged $attack.$word "$differs"
		is "$(steps $attack.$word)" 'retry,none' "$word, $attack: once more, and no further"
	done
done
logged greetingkey.may '454 4.7.0 Encryption failed'
is "$(grep -vE '\.(none|may)$' <<<"$heard")" "" "not a line was in clear but of none and may"

# Nobody in the middle: all of it goes.
quiet
wiretap_start
again
is "$(host_queue a | grep -c 'bob@.*\.test')" 0 "what waits goes when nobody is in the middle"
unlike "$(overheard)" '\.(encrypt|pq|key|pinned|bound|known)$' "and not in clear"
is "$(sort <<<"$taken" | uniq -d)" "" "nothing comes twice"
is "$(sort -u <<<"$taken" | wc -l)" "$((8 * $(wc -w <<<"$attacks")))" "and nothing is lost"
done_testing
