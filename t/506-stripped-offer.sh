#!/bin/bash
# 506-stripped-offer - row 6: a man in the middle of two real mail hosts takes away the greeting's offer, the
# EHLO keyword, both, STARTTLS with them, or the better suite, refuses the XPONY line, or loses the long
# one. Must happen: what one place still offers is taken; without an offer the mail goes in clear at none
# and may, and the log says so; where a policy, a memory or a promise says otherwise, it is deferred with
# 451 4.7.5 and not a line of it is in clear. Needs root (t/lib).
. "$abs_top_srcdir/t/lib/tap.sh"
. "$abs_top_srcdir/t/lib/world.sh"
. "$abs_top_srcdir/t/lib/mail.sh"
mitm_set=stripping
. "$abs_top_srcdir/t/lib/mitm.sh"

world_start
mitm_strangers_and_friends
wiretap_start
for word in $mitm_words; do
	try "$word"
done
tried
heard=$(overheard)

expect_each pass <<END
none tls
may hybrid
encrypt hybrid
pq hybrid
key hybrid
pinned hybrid
known hybrid
bound hybrid
END
expect_each "hint keyword" <<END
none clear
may hybrid
encrypt hybrid
pq hybrid
key hybrid
pinned hybrid
known hybrid
bound hybrid
END
expect_each starttls <<END
none tls
may tls
encrypt tls
pq refused $no_offer
key refused $no_offer
pinned refused $no_offer
known refused $missed
bound refused $broken
END
expect_each "tls strip" <<END
none clear
may clear
pq refused $no_offer
key refused $no_offer
pinned refused $no_offer
known refused $missed
bound refused $broken
END
expect encrypt <<END
strip refused $no_way
tls refused
END
like "$(grep -F 'bob@tls.encrypt.test' <<<"$mitm_log" | tail -n 1)" \
	'stat=Deferred: 451 4\.7\.5 Policy demands encryption, and no STARTTLS came' "encrypt, tls: says why"
expect_each suites <<END
none clear
may clear
encrypt refused $no_way
pq refused $no_offer
key refused $failed
pinned refused $failed
known refused $missed
bound refused $failed
END
expect_each refuse <<END
none clear
may clear
encrypt refused $no_way
pq refused $failed
key refused $failed
pinned refused $failed
known refused $missed
bound refused $failed
END
expect_each long <<END
none clear
may classical
encrypt classical
pq refused $failed
key classical
pinned classical
known classical
bound refused $failed
END

# What the log says.
for name in strip.may suites.may refuse.may; do
	logged $name "suite=none"
done
for name in strip.encrypt strip.pq strip.key strip.pinned strip.bound refuse.pq refuse.bound long.bound; do
	logged $name "host turned down"
done
is "$(steps refuse.may)" 'retry,"classical suite","without XPONY"' "may, refuse: each step down is logged"
is "$(steps long.may)" 'retry,"classical suite"' "may, long: the long line is lost, the short one is not"
is "$(steps long.bound)" 'retry,none' "bound, long: no step down"

# On the wire, and in the queue.
is "$(grep -vE '\.(none|may)$' <<<"$heard")" "" "not a line in clear but of none and may"
like "$heard" '^strip\.may$' "though the wiretap hears mail in clear"
queued=$(for word in $mitm_words; do for name in $attacks; do outcome "$name.$word"; done; done | grep -c refused)
is "$(host_queue a | grep -c 'bob@.*\.test')" "$queued" "what was not delivered waits in the queue: $queued"

# At may one who is remembered waits once, others for as long as it takes.
wiretap_start
again
heard=$(overheard)
expect_each "tls strip suites refuse" <<<"known clear"
expect_each starttls <<<"known tls"
for word in encrypt pq key pinned bound; do
	is "$(outcome "strip.$word")" refused "$word, strip: still waits"
done
is "$(grep -vE '\.known$' <<<"$heard")" "" "and this time only what is known goes in clear"
quiet
wiretap_start
again
is "$(host_queue a | grep -c 'bob@.*\.test')" 0 "what waits goes when nobody is in the middle"
is "$(overheard)" "" "and not in clear"
is "$(sort <<<"$taken" | uniq -d)" "" "nothing comes twice"
is "$(sort -u <<<"$taken" | wc -l)" "$((8 * $(wc -w <<<"$attacks")))" "and nothing is lost"
done_testing
