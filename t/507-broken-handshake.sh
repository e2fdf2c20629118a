#!/bin/bash
# 507-broken-handshake - row 7: a man in the middle of two real mail hosts changes, cuts or lengthens each part
# of the offer, of message 2 (the client's key, its static key, its payload) and of message 3 (the KEM
# ciphertext, the server's static key, the tag), in both suites; mail hosts do so themselves. Must happen: the handshake fails; the mail
# goes on only over a new connection, in clear at none and may alone and logged, else 451 4.7.5; it takes no
# part of the broken connection with it. Needs root (t/lib).
. "$abs_top_srcdir/t/lib/tap.sh"
. "$abs_top_srcdir/t/lib/world.sh"
. "$abs_top_srcdir/t/lib/mail.sh"
mitm_set=handshake
. "$abs_top_srcdir/t/lib/mitm.sh"
. "$abs_top_srcdir/t/lib/hostile.sh"

hosts_on=m
hosts_first=150
broken_ones=${attacks#pass}

# went_on WORD STEPS: what it did after each failed handshake, all of which it logged.
went_on() {
	local name wanted
	for name in $broken_ones; do
		wanted=$2
		# A reply that is none is the answer to a line that a weaker suite makes shorter.
		[ "$1,$name" != may,code ] || wanted='retry,"classical suite","without XPONY"'
		is "$(steps "$name.$1")" "$wanted" "$1, $name: next was $wanted"
	done
}

world_start
mitm_strangers_and_friends old oldpinned
wiretap_start
for word in $mitm_words; do
	try "$word"
done
tried
heard=$(overheard)

expect_each pass <<<"may hybrid"
expect_each "$broken_ones" <<END
none clear
may clear
encrypt refused $no_way
pq refused $failed
key refused $failed
pinned refused $failed
known refused $missed
bound refused $failed
END
went_on may 'retry,"without XPONY"'
went_on bound retry,none
is "$(grep -vE '\.(none|may)$' <<<"$heard")" "" "not a line in clear but of none and may"

# The classical suite: no ciphertext.
mitm_classical
broken_ones=${broken_ones/ciphertext/}
host_put a /etc/blackpony/policy <<<".old.test may
.oldpinned.test pinned"
remember oldpinned $((14 * 86400)) $((7 * 86400)) 0
wiretap_start
# shellcheck disable=SC2086 # words
try old pass $broken_ones
# shellcheck disable=SC2086 # words
try oldpinned pass $broken_ones
tried
heard=$(overheard)
expect_each pass <<END
old classical
oldpinned classical
END
expect_each "$broken_ones" <<END
old clear
oldpinned refused $failed
END
went_on old 'retry,"without XPONY"'
is "$(grep -v '\.old$' <<<"$heard")" "" "not a line in clear but of may"

# Mail hosts that break it themselves, once or always.
hosts_start 7
for name in $names; do
	send "$name"
done
for name in padded other-prologue critical twice cut-item refused-504 hangs-up; do
	meets $name "xpony 0,xpony 1"
done
meets key-flipped-always "xpony 0,xpony 0,plain 1"
meets refused-454 "xpony 0,xpony 0,plain 1"
meets hangs-up-always "xpony 0,xpony 0,xpony 0,plain 1"
like "$(host_log a)" 'upgrade failed, .*relay=mx\.refused-454\..*reason="454 4\.7\.0 Encryption failed"' \
	"logged with what the host said"
is "$(cut -d' ' -f3 "$(host_root m)/var/log/notes" | grep -c 1)" "$(wc -w <<<"$names")" "each message was taken once"

# What was deferred has nothing of the broken connections.
quiet
wiretap_start
again
is "$(host_queue a | grep -c 'bob@.*\.test')" 0 "what waits goes when nobody is in the middle"
unlike "$(overheard)" '\.(encrypt|pq|key|pinned|bound|oldpinned)$' "and not in clear"
is "$(sort <<<"$taken" | uniq -d)" "" "nothing comes twice"
is "$(sort -u <<<"$taken" | wc -l)" "$((10 * $(wc -w <<<"$attacks") - 2))" "and nothing is lost"
done_testing
