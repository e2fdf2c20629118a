#!/bin/bash
# 57c-mitm-dns - policy "verify" with keys from DNS, while a man stands in the middle of two real mail
# hosts and lies in DNS as well: signed zones behind a validating resolver (nsd, unbound), MX records of
# zones that nobody signed, and a host of the attacker's own with its own, validly signed key. Needs root
# (t/lib).
. "$abs_top_srcdir/t/lib/tap.sh"
. "$abs_top_srcdir/t/lib/world.sh"
. "$abs_top_srcdir/t/lib/mail.sh"
. "$abs_top_srcdir/t/lib/mitm.sh"

failed='upgrade failed, and policy or a commitment demands it'
no_offer='policy demands XPONY, and the host did not upgrade'
stranger='policy verify, and neither validated DNS nor the policy names its key'
unsure='policy verify, and DNS gives no answer now'

# sign DOMAIN: that zone, with a key of its own, and its trust anchor for unbound.
sign() {
	local zone=$1
	host_put a "/keys/$zone.zone" <"$WORLD/zones/zone.$zone."
	# shellcheck disable=SC2016 # expanded on the host
	host_run a sh -e -c 'cd /keys
		key=$(ldns-keygen -r /dev/urandom -a ECDSAP256SHA256 -k "$1")
		ldns-signzone -n -o "$1" "$1.zone" "$key"
		cat "$key.key" >>anchors' sh "$zone" >&2 || bail "$zone cannot be signed"
	cp "$(host_root a)/keys/$zone.zone.signed" "$WORLD/zones/zone.$zone."
}

# key_in_dns WORD FINGERPRINT: for each of its hosts.
key_in_dns() {
	sed -n "s/^\([a-z]*\)\.$1\.test$/_xpony.mx.\1 IN TXT \"v=XPONY1; k=${2//\//\\/}\"/p" "$WORLD/names" \
		>>"$WORLD/zones/zone.$1.test."
}

world_start
policy='* verify
.loose.test may
.bound.test may'
mitm_layers='unbound ldns' mitm_start dns bare changed bogus loose bound evil
# evil's own hosts have evil's own key, and its zone is signed as well as any. Somebody who can forge
# the MX answers of victim.test, which nobody signed, names one of them.
key_in_dns dns "$b_key"
key_in_dns bare "$b_key"
key_in_dns changed "$mitm_key"
key_in_dns bogus "$b_key"
key_in_dns loose "$mitm_key"
key_in_dns bound "$mitm_key"
key_in_dns evil "$mitm_key"
world_zone victim.test <<<"swap IN MX 0 mx.swap.evil.test."
for zone in dns changed bogus loose bound evil; do
	sign $zone.test
done
sed -i "/^_xpony.mx.pass.*TXT[[:space:]]*\"/s|$b_key|$mitm_key|" "$WORLD/zones/zone.bogus.test."
sed -i "/^_xpony.mx.swap.*TXT[[:space:]]*\"/s|$b_key|$mitm_key|" "$WORLD/zones/zone.bogus.test."
world_dns
host_put a /etc/unbound/test.conf <<END
server:
	username: ""
	chroot: ""
	directory: ""
	pidfile: ""
	use-syslog: no
	interface: 127.0.0.1
	module-config: "validator iterator"
	trust-anchor-file: /keys/anchors
	local-zone: "test." nodefault
remote-control:
	control-enable: no
stub-zone:
	name: "."
	stub-addr: 10.77.0.53
END
host_spawn a unbound unbound -d -c /etc/unbound/test.conf
wait_for 10 host_listens a 53 || bail "no unbound: $(cat "$(host_root a)/var/log/unbound.out")"
host_put a /etc/resolv.conf <<<'nameserver 127.0.0.1'

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
try evil swap
try_now swap.victim
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
ciphertext refused $failed
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

# Row 20: a forged MX answer, to a host whose key DNSSEC does vouch for, under a name of its own.
expect evil <<END
swap hybrid
END
like "$(grep -F 'bob@swap.victim.test' <<<"$mitm_log" | tail -n 1)" \
	"dsn=4\.7\.5.*stat=Deferred: 451 4\.7\.5 mx\.swap\.evil\.test: $stranger" \
	"forged MX to a host with its own valid key: refused, though the host itself is good"
like "$mitm_log" 'host turned down, relay=mx\.swap\.evil\.test .*neither validated DNS' "and logged"

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
