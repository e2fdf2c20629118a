#!/bin/bash
# 57a-mitm-policy - a man in the middle of two real mail hosts that have never met: for each policy word
# and each attack, what is delivered, what is deferred and why, and what of it is heard in clear: nothing,
# but where policy is "none" or "may". Needs root (t/lib).
. "$abs_top_srcdir/t/lib/tap.sh"
. "$abs_top_srcdir/t/lib/world.sh"
. "$abs_top_srcdir/t/lib/mail.sh"
. "$abs_top_srcdir/t/lib/mitm.sh"

failed='upgrade failed, and policy or a commitment demands it'
no_offer='policy demands XPONY, and the host did not upgrade'
no_way='policy encrypt, and the host has neither XPONY nor STARTTLS'
stranger='its key is not one that the policy lists'

world_start
policy='.none.test none
.may.test may
.encrypt.test encrypt
.pq.test pq'
mitm_start none may encrypt pq key
host_put a /etc/blackpony/policy <<<"$policy
.key.test key=$b_key"
wiretap_start
for word in none may encrypt pq key; do
	# shellcheck disable=SC2086 # words; a promise that is broken is for t/57b
	try $word ${attacks/hostage/}
done
tried
heard=$(overheard)

expect none <<END
pass tls
hint clear
keyword clear
starttls tls
tls clear
strip clear
swap clear
suites clear
offer clear
command clear
ciphertext clear
reply clear
replay clear
refuse clear
long clear
truncate clear
flip clear
END

# At first contact there is nothing to compare with: whoever is in the place of the host is taken for it.
expect may <<END
pass hybrid
hint hybrid
keyword hybrid
starttls tls
tls clear
strip clear
swap hybrid
suites clear
offer clear
command clear
ciphertext clear
reply clear
replay clear
refuse clear
long classical
truncate lost
flip lost
END
logged swap.may "key=$mitm_key, trust=new"
is "$(steps refuse.may)" \
	'retry,"classical suite","without XPONY"' "may, refuse: each step down is logged"
is "$(steps reply.may)" \
	'retry,"without XPONY"' "may, reply: a broken handshake is nothing that a weaker suite mends"
is "$(steps long.may)" \
	'retry,"classical suite"' "may, long: the long line is lost, the short one is not"

expect encrypt <<END
pass hybrid
hint hybrid
keyword hybrid
starttls tls
tls refused
strip refused $no_way
swap hybrid
suites refused $no_way
offer refused $no_way
command refused $no_way
ciphertext refused $no_way
reply refused $no_way
replay refused $no_way
refuse refused $no_way
long classical
truncate lost
flip lost
END

expect pq <<END
pass hybrid
hint hybrid
keyword hybrid
starttls refused $no_offer
tls refused $no_offer
strip refused $no_offer
swap hybrid
suites refused $no_offer
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

expect key <<END
pass hybrid
hint hybrid
keyword hybrid
starttls refused $no_offer
tls refused $no_offer
strip refused $no_offer
swap refused $stranger
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
for name in strip.encrypt strip.key swap.key refuse.pq long.pq; do
	logged $name "host turned down"
done
is "$(sed -n 's/^Subject: //p' "$(host_root m)/var/log/mitm.out" | sort | paste -sd' ')" \
	"swap.encrypt swap.may swap.none swap.pq" "the mail that he could decrypt: of key none"

# On the wire.
is "$(grep -E '\.(encrypt|pq|key)$' <<<"$heard")" "" "not a line of encrypt, pq or key in clear"
like "$heard" '^strip\.may$' "though the wiretap hears mail in clear"
is "$(host_queue a | grep -c 'bob@.*\.test')" \
	"$(for w in none may encrypt pq key; do for n in ${attacks/hostage/}; do outcome "$n.$w"; done; done | grep -cE 'refused|lost')" \
	"what was not delivered waits in the queue"

# When he is gone all of it goes.
quiet
again
is "$(host_queue a | grep -c 'bob@.*\.test')" 0 "and goes when nobody is in the middle"
is "$(sort <<<"$taken" | uniq -d)" "" "nothing comes twice"
is "$(sort -u <<<"$taken" | wc -l)" "$((5 * $(wc -w <<<"${attacks/hostage/}")))" "and nothing is lost"
done_testing
