#!/bin/bash
# 57c-mitm-dns - policy "verify" with keys from DNS, while a man stands in the middle of two real mail
# hosts and lies in DNS as well: signed zones behind a validating resolver (nsd, unbound), MX records of
# zones that nobody signed. t/520-forged-mx has the attacker's own host with its own, validly signed key.
# Needs root (t/lib).
. "$abs_top_srcdir/t/lib/tap.sh"
. "$abs_top_srcdir/t/lib/world.sh"
. "$abs_top_srcdir/t/lib/mail.sh"
. "$abs_top_srcdir/t/lib/mitm.sh"
. "$abs_top_srcdir/t/lib/dnssec.sh"

failed='upgrade failed, and policy or a commitment demands it'
no_offer='policy demands XPONY, and the host did not upgrade'
stranger='policy verify, and neither validated DNS nor the policy names its key'
unsure='policy verify, and DNS gives no answer now'

world_start
policy='* verify
.loose.test may
.bound.test may'
mitm_layers='unbound ldns' mitm_start dns bare changed bogus loose bound
key_in_dns dns "$b_key"
key_in_dns bare "$b_key"
key_in_dns changed "$mitm_key"
key_in_dns bogus "$b_key"
key_in_dns loose "$mitm_key"
key_in_dns bound "$mitm_key"
for zone in dns changed bogus loose bound; do
	sign $zone.test
done
sed -i "/^_xpony.mx.pass.*TXT[[:space:]]*\"/s|$b_key|$mitm_key|" "$WORLD/zones/zone.bogus.test."
sed -i "/^_xpony.mx.swap.*TXT[[:space:]]*\"/s|$b_key|$mitm_key|" "$WORLD/zones/zone.bogus.test."
world_dns
resolver_start

# Under a promise of the host's; DNS stands above it.
remember bound $((14 * 86400)) $((7 * 86400)) $((7 * 86400))
wiretap_start
# shellcheck disable=SC2086 # words
try dns ${attacks/hostage/}
try bare pass strip swap
try changed pass swap
try bogus pass swap
try loose pass swap
try bound swap strip
tried
heard=$(overheard)

expect dns <<END
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
reply refused $failed
replay refused $failed
refuse refused $failed
long classical
truncate lost
flip lost
END
logged pass.dns "key=$b_key, trust=dns"
logged swap.dns "host turned down"

# The record is there and says the right key, but nobody vouches for it.
expect bare <<END
pass refused $stranger
strip refused $no_offer
swap refused $stranger
END
expect changed <<END
pass refused $stranger
swap hybrid
END
expect bogus <<END
pass refused $unsure
swap refused $unsure
END

# Where policy does not ask, DNS is not asked; a promise that somebody else's key breaks may still be
# mended by it, and one of a host that does not upgrade may not.
expect loose <<END
pass hybrid
swap hybrid
END
expect bound <<END
swap hybrid
strip refused its commitment runs, and the host did not upgrade
END
logged swap.bound "key=$mitm_key, trust=dns"
logged swap.bound "key changed from $b_key to $mitm_key"
logged swap.loose "trust=new"
is "$heard" "" "not a line was in clear"

# The listener hears what there is.
host_put a /etc/blackpony/policy </dev/null
wiretap_start
try bare strip
tried
is "$(overheard)" strip.bare "but it would have been heard"
done_testing
