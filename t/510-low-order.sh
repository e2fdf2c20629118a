#!/bin/bash
# 510-low-order - row 10: keys that give nothing away but the handshake: all points of low order, as ephemeral
# and as static key of either side, in handshakes that would hold if their all-zero results were taken; KEM keys
# that are not reduced, too short, too long, missing or too many; KEM ciphertexts that are wrong, short or
# missing; in both suites. Must happen: the receiver says 454 4.7.0 and ends, no sendmail is started;
# blackpony-mailer gives the connection up, and no mail goes to such a host. Needs root (t/lib).
. "$abs_top_srcdir/t/lib/tap.sh"
. "$abs_top_srcdir/t/lib/world.sh"
. "$abs_top_srcdir/t/lib/mail.sh"
. "$abs_top_srcdir/t/lib/hostile.sh"

world_start
host_start a 10.77.0.1 fd77::1 sendmail
host_start b 10.77.0.2 fd77::2 sendmail inetd
host_start c 10.77.0.3 fd77::3 tools
pony_host a
pony_host b
overheard_inetd b

clients c 10
names=$(sed -n 's/^classical, \(.*\): .*/\1/p' <<<"$clients")
while read -r name; do
	answered "$name" "$crypto"
done <<<"$names"
is "$(wc -l <<<"$names")" 57 "those were all"
is "$(told b)" "" "no sendmail was told anything"
is "$(host_log b | grep -c 'sendmail\[.*connect')" 0 "or started"

# At "encrypt" there is no way but another handshake.
host_put a /etc/blackpony/policy <<<".evil.test encrypt"
hosts_start 10
for name in $names; do
	send "$name"
done
for name in $names; do
	case $name in
	e[0-9]*) meets "$name" "gone 0,xpony 1" ;; # not even a message 2 for such an offer
	*) meets "$name" "xpony 0,xpony 1" ;;
	esac
	like "$(host_log a | grep -F "mx.$name.")" "upgrade failed, .*reason=\"cryptographic failure\"" "host, $name: logged"
done
is "$(host_queue a | grep -c evil)" 0 "and all mail went by an honest handshake"
done_testing
