#!/bin/bash
# 521-passed-on - row 21: a host may relay by way of b, for b has its key in relay-keys. A man in the middle
# passes its handshakes on to b: that of a connection that was meant for another host proves the key there as
# well, but the name in payload 2 is not b's, and nothing is relayed. When he stands on the way to b itself he
# is a wire, and when he makes the handshake himself he has not the key. Real sendmail on all three hosts, real
# inetd; needs root (t/lib). t/59-mutual has what else is no grant.
source=${abs_top_srcdir:-$(cd "$(dirname "$0")/.." && pwd)}
. "$source/t/lib/tap.sh"
. "$source/t/lib/world.sh"
. "$source/t/lib/mail.sh"

# The man in the middle: at the first address he passes all octets on, at the second he makes handshakes
# of his own, to both sides.
passes=10.77.0.100 swaps=10.77.0.101

# b_is ADDRESS: what DNS says of mail.b.test.
b_is() {
	world_zone b.test <<<"@ IN MX 10 mail"$'\n'"mail IN A $1"
	world_dns
}

# send NAME DOMAIN: a's sendmail has tried when this returns.
send() {
	printf 'Subject: %s\nTo: friends:;\n\nby way of b\n' "$1" >"$WORLD/$1"
	mail_send a "$WORLD/$1" "$1@$2"
}
relayed() {
	ok "$2" mail_take c "$1" "$WORLD/$1.taken" || diag "$(host_log a | grep "$1@")"
	like "$(mail_received "$WORLD/$1.taken" mail.b.test)" 'version=XPONY1 cipher=mlkem768x25519-chachapoly' "$1: encrypted on the way to b"
}
denied() {
	like "$(host_log a | grep "to=$1@")" 'mailer=blackpony.*dsn=5\.[0-9.]*, .*550 5\.7\.1 .*Relaying denied' "$2"
	nok "$1: c has nothing of it" grep -q "$1@" "$(host_root c)/var/log/mail.log"
}

world_start
host_start a 10.77.0.1 fd77::1 sendmail
host_start b 10.77.0.2 fd77::2 sendmail inetd
host_start c 10.77.0.3 fd77::3 sendmail
host_start m 10.77.0.4 fd77::4
world_zone third.test <<<'@ IN MX 10 mail.c.test.'
world_zone fourth.test <<<'@ IN MX 10 mail.c.test.'
world_zone evil.test <<<$'@ IN MX 10 mail\nmail IN A '$passes
b_is 10.77.0.2
printf 'addr add %s/24 dev eth0\n' $passes $swaps 10.77.0.102 | world_ip m
host_put a /etc/mail/mailertable <<-'END'
	third.test	blackpony:mail.b.test
	fourth.test	blackpony:evil.test
	home.test	blackpony:evil.test
END
pony_host a
host_put c /etc/mail/local-host-names <<<$'c.test\nthird.test\nfourth.test'
host_sendmail c "$source/t/lib/plain.mc"
host_daemon c
mail_boxes c direct wire evil again swap
{
	cat "$source/doc/sendmail.mc.example"
	echo "include(\`/usr/share/blackpony/sendmail.relay.m4')dnl"
} >"$WORLD/b.mc"
host_put b /etc/mail/local-host-names <<<$'b.test\nhome.test'
pony_host b "$WORLD/b.mc"
mail_boxes b home
host_put b /etc/blackpony/relay-keys <<<"$(host_run a blackpony-keygen -y)"
host_inetd b
host_spawn m mitm python3 "$source/t/tools/mitm.py" $passes 10.77.0.2 /run/quiet keys
wait_for 10 grep -q ready "$(host_root m)/var/log/mitm.out" || bail "nobody in the middle: $(cat "$(host_root m)/var/log/mitm.out")"

send direct third.test
relayed direct "nobody in between: b relays for a's key"

# a's own administrator has a route by a host of evil.test, or a forged MX answer says so.
send evil fourth.test
denied evil "a means mail.evil.test, who passes the handshake on to b: denied"
like "$(host_log b)" 'blackpony-receiver.*no relaying, .*its key is listed, but it meant mail\.evil\.test' "b's log says why"
like "$(host_log b)" "blackpony-receiver.*key=$(pony_fingerprint a | sed 's/[+]/[+]/g'), meant=mail\.evil\.test, messages=0" \
	"and it was a's own key"
send home home.test
ok "what is b's own is taken that way as from anybody" mail_take b home "$WORLD/home.taken"

# He forges b's address.
b_is $passes
send wire third.test
relayed wire "on the way to b itself he is a wire"
like "$(host_log a)" "blackpony-mailer.*relay=mail\.b\.test \[${passes//./\\.}\], suite=mlkem.*key=$(pony_fingerprint b | sed 's/[+]/[+]/g')" \
	"with b's key at its other end"

# With a key of his own he gets a's mail, at policy may; what b is to relay for it is another matter.
b_is $swaps
send swap third.test
denied swap "he speaks for a with a key of his own: denied"
like "$(host_log a)" 'blackpony-mailer.*host key, .*key changed from' "a's log has the change of the key"

b_is 10.77.0.2
send again third.test
relayed again "and b still relays for a"
done_testing
