#!/bin/bash
# 514-changed-key - row 14: the key of a mail host is another one: a man in the middle of two real hosts shows
# his own, then the host itself is given a new one. Must happen, for each policy word and for what the mailer
# remembers of the host: a pinned or committed key that changed is 451 4.7.5, a known one at may is used, and
# the log has both fingerprints; a next key that the host has announced is accepted. Needs root (t/lib).
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

# The host itself promises to keep its key, and names the next one.

# send_from WORD...: a message each, when nobody is in the middle.
send_from() {
	local word
	for word; do
		try_now "pass.$word"
	done
	tried
}

# b_has FILE: another key, which is b's from now on.
b_has() {
	host_run b sh -c 'cd /etc/blackpony && rm -f hostkey.next* && mv "$0" hostkey && chmod 600 hostkey' "$1"
	old_key=$b_key
	b_key=$(pony_fingerprint b)
}

# times WORD: how often b has its message.
times() { grep -c "^pass\.$1$" <<<"$taken"; }

host_put a /etc/blackpony/policy <<<".pinned.test pinned"
host_kill b inetd
sed 's/blackpony-receiver.*/& -c 30d/' "$WORLD/inetd.conf" >"$WORLD/promises"
host_inetd b "$WORLD/promises"
host_run b blackpony-keygen -q --rotate next || bail "no next key"
host_run b cp /etc/blackpony/hostkey.next /etc/blackpony/announced
host_run b blackpony-keygen -q -f /etc/blackpony/unasked || bail "no key"
send_from pinned known bound
b_has announced
send_from pinned known bound
for word in pinned known bound; do
	logged pass.$word "key=$b_key, trust=announced"
	is "$(times $word)" 2 "$word: a next key that was announced is accepted"
done

# And then one that nobody has announced. By its promise the known host is as good as bound.
b_has unasked
send_from pinned known bound
for word in pinned known bound; do
	logged pass.$word "key changed from $old_key to $b_key"
done
for word in pinned known bound; do
	is "$(outcome pass.$word) $(times $word)" "refused 2" "$word: one that was not is refused"
done
done_testing
