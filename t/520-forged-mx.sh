#!/bin/bash
# 520-forged-mx - row 20: somebody forges the MX answer of a domain and names a host of his own, whose key is
# in DNS, signed and valid. Must happen: policy "verify" refuses it, for nobody vouches for the MX answer (nor
# for an alias on the way, nor a resolver that is not this machine's); a pinned host is not another one. And
# somebody who is in between at first contact promises to have his key for ever: one sighting enforces nothing,
# the true host is believed when he is gone. Real sendmail, nsd and unbound; needs root (t/lib).
. "$abs_top_srcdir/t/lib/tap.sh"
. "$abs_top_srcdir/t/lib/world.sh"
. "$abs_top_srcdir/t/lib/mail.sh"
mitm_set=keys
. "$abs_top_srcdir/t/lib/mitm.sh"
. "$abs_top_srcdir/t/lib/dnssec.sh"

stranger='policy verify, and neither validated DNS nor the policy names its key'
unknown='policy pinned, and this host is not known for the domain'

# read_by_him: the subjects of the mail that the man in the middle had in clear at his end.
read_by_him() { sed -n 's/^Subject: //p' "$(host_root m)/var/log/mitm.out" | sort | paste -sd' '; }

# held NAME ERE: deferred, and he has seen nothing of it.
held() {
	like "$(grep -F "bob@$1.test" <<<"$mitm_log" | tail -n 1)" "dsn=4\.[0-9.]*.*stat=Deferred: 451 $2" "$1: waits"
	unlike "$(read_by_him)" "$1" "$1: not with him"
}

world_start
policy='.first.test may
.eager.test encrypt
swap.anyhost.test encrypt
swap.pinned.test pinned
* verify'
mitm_layers='unbound ldns' mitm_start good evil first eager
{ cat "$WORLD/names"; printf 'swap.%s.test\n' victim alias sealed pinned anyhost; } | host_put b /etc/mail/local-host-names
key_in_dns good "$b_key"
key_in_dns evil "$mitm_key"
# What he forges. The zone of sealed.test is signed, and he changes it behind that.
for name in victim anyhost pinned; do
	world_zone $name.test <<<"swap IN MX 0 mx.swap.evil.test."
done
world_zone alias.test <<<"swap IN CNAME swap.evil.test."
world_zone sealed.test <<<"swap IN MX 0 mx.pass.good.test."
for zone in good evil sealed; do
	sign $zone.test
done
sed -i '/[[:space:]]MX[[:space:]]/s/mx\.pass\.good\.test\./mx.swap.evil.test./' "$WORLD/zones/zone.sealed.test."
like "$(cat "$WORLD/zones/zone.sealed.test.")" 'MX[[:space:]].*mx\.swap\.evil' "control: he has changed a signed zone"
world_dns
resolver_start 10.77.0.1
# The pinned domain was known with its own host.
host_run a setpriv --reuid blackpony --regid blackpony --clear-groups "$abs_top_builddir/t/tools/pin" \
	/var/lib/blackpony "$b_key" 1209600 604800 0 <<<'swap.pinned.test mx.swap.pinned.test'

try good pass
try evil swap
for name in victim alias sealed anyhost pinned; do
	try_now swap.$name
done
# An alias must not become the domain that policy is asked for, however the mail comes to sendmail.
host_daemon a
for way in "-p 587 127.0.0.1" "/usr/sbin/sendmail -bs -Am"; do
	# shellcheck disable=SC2086 # words
	like "$(printf '%s\n' 'EHLO a.test' 'MAIL FROM:<alice@a.test>' 'RCPT TO:<bob@swap.alias.test>' DATA \
		'Subject: swap.alias' '' 'to an alias' . QUIT | host_run a python3 "$abs_top_srcdir/t/tools/talk.py" $way)" \
		'^250 2\.0\.0 .*accepted' "swap.alias: taken by ${way%% -A*}"
done
# The daemon may try once more what waits when it starts.
deferrals() { host_log a | sed -n 's/.*: \([^ ]*\): to=<*bob@swap\.alias\.test.*dsn=4\.7\.5.*/\1/p' | sort -u | wc -l; }
three_deferrals() { [ "$(deferrals)" = 3 ]; }
ok "swap.alias: all three wait" wait_for 20 three_deferrals || diag "$(host_log a | grep swap.alias)"
tried
expect good <<<'pass hybrid'
logged pass.good "key=$b_key, trust=dns"
expect evil <<<'swap hybrid'
logged swap.evil "key=$mitm_key, trust=dns" # as it should: his own domain's mail
for name in victim alias; do
	held swap.$name "4\.7\.5 mx\.swap\.evil\.test: $stranger"
done
like "$mitm_log" 'host turned down, .*relay=mx\.swap\.evil\.test .*neither validated DNS' "and logged"
held swap.sealed '4\.4\.3 swap\.sealed\.test: no good answer from the name servers'
held swap.pinned "4\.7\.5 mx\.swap\.evil\.test: $unknown"
is "$(read_by_him)" "swap.anyhost swap.evil" \
	"he reads his own domain's mail, and of those whose MX he forged only what asks for no more than encryption"

# The AD bit of a resolver that is not on this machine's loopback is anybody's word.
host_put a /etc/resolv.conf <<<'nameserver 10.77.0.1'
try good swap
tried
held swap.good "4\.7\.5 mx\.swap\.good\.test: $stranger"
attack
host_put a /etc/resolv.conf <<<'nameserver 127.0.0.1'

# A hostage-taker at first contact, for whose key there is nothing to compare it with.
try first hostage
try eager hostage
tried
for word in first eager; do
	expect $word <<<'hostage hybrid'
	logged hostage.$word "key=$mitm_key, trust=new"
done
quiet
for word in first eager; do
	try_now hostage.$word
done
tried
for word in first eager; do
	logged hostage.$word "key changed from $mitm_key to $b_key"
	logged hostage.$word "key=$b_key, trust=changed"
	is "$(grep -c "^hostage\.$word$" <<<"$taken")" 2 "$word: his promise holds nobody: the true host has the next message"
done
unlike "$mitm_log" 'hostage\..*dsn=4' "none of it waited"

# All that waited goes to the true hosts when he forges no more.
for name in victim alias sealed pinned; do
	world_zone $name.test <<<"swap IN MX 0 mx.pass.good.test."
done
sign sealed.test
world_dns
host_kill a unbound
resolver_start 10.77.0.1
host_put a /etc/blackpony/policy <<<'* encrypt'
again
for name in victim sealed pinned good; do
	is "$(grep -c "^swap\.$name$" <<<"$taken")" 1 "swap.$name: delivered, once, to the true host"
done
is "$(grep -c '^swap\.alias$' <<<"$taken")" 3 "swap.alias: all three"
like "$(host_queue a)" 'is empty' "the queue is empty"
done_testing
