#!/bin/bash
# 57b-mitm-pins - a man in the middle of two real mail hosts that know each other: a key that is pinned
# ("pinned", and "known", which is under "may"), and one that its host has committed to ("bound"). What
# is delivered, deferred and logged, and that in clear nothing is heard but of "known", after a delay.
# Needs root (t/lib).
. "$abs_top_srcdir/t/lib/tap.sh"
. "$abs_top_srcdir/t/lib/world.sh"
. "$abs_top_srcdir/t/lib/mail.sh"
. "$abs_top_srcdir/t/lib/mitm.sh"

failed='upgrade failed, and policy or a commitment demands it'
no_offer='policy demands XPONY, and the host did not upgrade'
broken='its commitment runs, and the host did not upgrade'
missed='it spoke XPONY before and does not now; trying once more later'
day=86400

world_start
policy='.pinned.test pinned
.new.test pinned
.forgotten.test may'
mitm_start pinned new known bound hasty forgotten
some=${attacks/hostage/} # a promise that is broken: below

# Two weeks ago each had shown its key; to some it has promised, last week, to keep it for 30 days.
for word in pinned known hasty; do
	remember $word $((14 * day)) $((7 * day)) 0
done
remember bound $((14 * day)) $((7 * day)) $((7 * day))
remember forgotten $((90 * day)) $((31 * day)) 0
wiretap_start
for word in pinned known bound; do
	# shellcheck disable=SC2086 # words
	try $word $some
done
try new pass strip swap
try forgotten strip starttls swap
try hasty strip
tried
heard=$(overheard)

expect pinned <<END
pass hybrid
hint hybrid
keyword hybrid
starttls refused $no_offer
tls refused $no_offer
strip refused $no_offer
swap refused policy pinned, and its key has changed
suites refused $failed
offer refused $failed
command refused $failed
ciphertext refused $failed
reply refused $failed
replay refused $failed
refuse refused $failed
long classical
truncate lost
flip lost
END
logged pass.pinned "key=$b_key, trust=known"
logged swap.pinned "key changed from $b_key to $mitm_key"
logged swap.pinned "host turned down"

# Who forges the name of the host brings a new one: such a host is not asked at all.
expect new <<END
pass refused policy pinned, and this host is not known for the domain
strip refused policy pinned, and this host is not known for the domain
swap refused policy pinned, and this host is not known for the domain
END

expect known <<END
pass hybrid
hint hybrid
keyword hybrid
starttls refused $missed
tls refused $missed
strip refused $missed
swap hybrid
suites refused $missed
offer refused $missed
command refused $missed
ciphertext refused $missed
reply refused $missed
replay refused $missed
refuse refused $missed
long classical
truncate lost
flip lost
END
logged swap.known "key changed from $b_key to $mitm_key"
logged swap.known "key=$mitm_key, trust=changed"
expect forgotten <<END
strip clear
starttls tls
swap hybrid
END

expect bound <<END
pass hybrid
hint hybrid
keyword hybrid
starttls refused $broken
tls refused $broken
strip refused $broken
swap refused its key has changed against its commitment
suites refused $failed
offer refused $failed
command refused $failed
ciphertext refused $failed
reply refused $failed
replay refused $failed
refuse refused $failed
long refused $failed
truncate lost
flip lost
END
logged swap.bound "key changed from $b_key to $mitm_key"
logged swap.bound "host turned down"
for name in strip refuse reply long; do
	logged $name.bound "host turned down"
done
is "$(steps long.bound)" 'retry,none' "bound, long: no step down"
is "$heard" strip.forgotten "in clear goes what no policy, no promise and no memory holds back, and that alone"

# The same again: who has waited once, at may, waits no longer.
wiretap_start
again
heard=$(overheard)
expect known <<END
starttls tls
tls clear
strip clear
suites clear
offer clear
command clear
ciphertext clear
reply clear
replay clear
refuse clear
END
for name in starttls strip swap refuse long; do
	is "$(outcome $name.bound)" refused "bound, $name: still waits"
	[ $name = long ] || is "$(outcome $name.pinned)" refused "pinned, $name: still waits"
done
unlike "$heard" '\.(pinned|bound|new)$' "and nothing of that is in clear, this time neither"

# A promise at first contact, by somebody who is not the host, is no hostage: it enforces nothing.
policy='*	may'
host_put a /etc/blackpony/policy <<<"$policy"
try hasty hostage pass
tried
wiretap_start
expect hasty <<END
hostage hybrid
pass hybrid
END
logged hostage.hasty "key=$mitm_key, trust=changed"
logged hostage.hasty "key changed from $b_key to $mitm_key"
try forgotten hostage
tried
quiet
try hasty hostage
try forgotten hostage
tried
is "$(grep -c 'hostage\.hasty' <<<"$taken")" 2 "after a hostage-taker's promise the true host is believed again"
logged hostage.hasty "key changed from $mitm_key to $b_key"
is "$(grep -c 'hostage\.forgotten' <<<"$taken")" 2 "also where he came first"

# When he is gone all of it goes.
host_put a /etc/blackpony/policy <<<".pinned.test pinned"
again
is "$(host_queue a | grep -c 'bob@.*\.test')" 0 "what waited goes when nobody is in the middle"
unlike "$(overheard)" '\.(pinned|bound|new)$' "and not in clear"
is "$(sort <<<"$taken" | uniq -d | paste -sd' ')" "hostage.forgotten hostage.hasty" \
	"nothing comes twice (those two were sent twice)"
is "$(sort -u <<<"$taken" | wc -l)" "$((3 * $(wc -w <<<"$some") + 3 + 3 + 1 + 3))" "and nothing is lost"
done_testing
