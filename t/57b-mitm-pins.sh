#!/bin/bash
# 57b-mitm-pins - a man in the middle who shows a key of his own in the place of a real mail host's: for each
# policy word, and for what the mailer remembers of the host: a key that is pinned, or known at may, or
# forgotten, or one that its host has committed to. Who is believed, what is logged, and that a promise
# which the man in the middle made is no hostage. Needs root (t/lib).
. "$abs_top_srcdir/t/lib/tap.sh"
. "$abs_top_srcdir/t/lib/world.sh"
. "$abs_top_srcdir/t/lib/mail.sh"
. "$abs_top_srcdir/t/lib/mitm.sh"

stranger='its key is not one that the policy lists'
new='policy pinned, and this host is not known for the domain'
day=86400

world_start
mitm_strangers_and_friends new hasty forgotten
policy+="
.key.test key=$b_key
.new.test pinned"
host_put a /etc/blackpony/policy <<<"$policy"
remember hasty $((14 * day)) $((7 * day)) 0
remember forgotten $((90 * day)) $((31 * day)) 0
wiretap_start
for word in $mitm_words; do
	try "$word" swap
done
try new pass strip swap
try forgotten strip starttls swap
try hasty strip
tried
heard=$(overheard)

# At first contact there is nothing to compare with: whoever is in the place of the host is taken for it.
expect_each swap <<END
none clear
may hybrid
encrypt hybrid
pq hybrid
key refused $stranger
pinned refused policy pinned, and its key has changed
known hybrid
forgotten hybrid
bound refused its key has changed against its commitment
END
is "$(sed -n 's/^Subject: //p' "$(host_root m)/var/log/mitm.out" | sort | paste -sd' ')" \
	"swap.encrypt swap.forgotten swap.known swap.may swap.none swap.pq" "the mail that he could read"
logged swap.may "key=$mitm_key, trust=new"
logged swap.known "key=$mitm_key, trust=changed"
for word in pinned known bound; do
	logged swap.$word "key changed from $b_key to $mitm_key"
done
for word in key pinned bound; do
	logged swap.$word "host turned down"
done

# Who forges the name of the host brings a new one: where keys must be known, such a host is not asked at all.
expect_each "pass strip swap" <<<"new refused $new"
expect forgotten <<END
strip clear
starttls tls
END
expect hasty <<<"strip refused $missed"
is "$heard" "strip.forgotten
swap.none" "in clear goes what no policy, no promise and no memory holds back, and that alone"

# A promise at first contact, by somebody who is not the host, is no hostage: it enforces nothing.
policy='*	may'
host_put a /etc/blackpony/policy <<<"$policy"
try hasty hostage pass
tried
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
wiretap_start
again
is "$(host_queue a | grep -c 'bob@.*\.test')" 0 "what waited goes when nobody is in the middle"
unlike "$(overheard)" '\.(pinned|bound|new|key)$' "and not in clear"
is "$(sort <<<"$taken" | uniq -d | paste -sd' ')" "hostage.forgotten hostage.hasty" \
	"nothing comes twice (those two were sent twice)"
is "$(sort -u <<<"$taken" | wc -l)" "$((8 + 3 + 3 + 1 + 3))" "and nothing is lost"
done_testing
