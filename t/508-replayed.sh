#!/bin/bash
# 508-replayed - row 8: what was recorded on one connection is said again on another: message 2, all that a client
# said, its records behind an honest upgrade, to the real receiver in both suites; message 2 and message 3
# by a man in the middle of two real mail hosts. Must happen: 454 4.7.0 and the end, no sendmail is
# started; the mailer's handshake fails, and the mail is in clear at none and may alone. Needs root (t/lib).
. "$abs_top_srcdir/t/lib/tap.sh"
. "$abs_top_srcdir/t/lib/world.sh"
. "$abs_top_srcdir/t/lib/mail.sh"
mitm_set=replay
. "$abs_top_srcdir/t/lib/mitm.sh"
. "$abs_top_srcdir/t/lib/hostile.sh"

world_start
mitm_strangers_and_friends
host_kill b inetd
overheard_inetd b

# A client says what another has said: its XPONY line, all of it, its records behind an upgrade of its own.
clients m 8
answered recorded "250 \| 250 \| 250 \| 354 \| 250 \| 221"
answered line "$crypto"
answered whole "(454 4\\.7\\.0 Encryption failed|$sequence)$closed" # the rest of it may come before the reply
answered records closed
is "$(told b | grep -c '^MAIL')" 2 "sendmail was told each message once"
is "$(told b | grep -c '^EHLO')" 2 "and is not even started for the others"

# A man in the middle has recorded a connection, which was lost, and puts message 2, or 3, in the place of all
# others'.
try may replay reply
tried
wiretap_start
for word in none encrypt pq key pinned known bound; do
	try $word
done
try may pass
tried
heard=$(overheard)
expect_each pass <<<"may hybrid"
expect_each "replay reply" <<END
none clear
encrypt refused $no_way
pq refused $failed
key refused $failed
pinned refused $failed
known refused $missed
bound refused $failed
END
for name in replay reply; do
	is "$(steps $name.may)" 'retry,"without XPONY"' "may, $name: logged, and then clear" ||
		diag "$(of_host $name.may)"
	is "$(steps $name.bound)" retry,none "bound, $name: never"
done
is "$(grep -v '\.none$' <<<"$heard")" "" "not a line in clear but of none"
quiet
again
is "$(host_queue a | grep -c 'bob@.*\.test')" 0 "what waits goes when nobody is in the middle"
is "$(sort <<<"$taken" | uniq -d)" "" "nothing comes twice"
is "$(sort -u <<<"$taken" | wc -l)" $((8 * 3 + 2)) "and nothing is lost"
done_testing
