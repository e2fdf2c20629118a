#!/bin/bash
# 66-round-trips - counts the round trips of one message of 1 KB to a host never seen before, from
# the SYN to the reply to the final dot, over a line that takes 50 ms each way: encrypted, plain
# through blackpony-mailer, and plain by sendmail's own client. Real sendmail on all hosts, real
# inetd. Needs root (t/lib).
source=${abs_top_srcdir:-$(cd "$(dirname "$0")/.." && pwd)}
. "$source/t/lib/tap.sh"
. "$source/t/lib/world.sh"
. "$source/t/lib/mail.sh"
. "$source/t/lib/flights.sh"

rtt=100     # milliseconds
attempts=12 # a busy machine may be late, never early: the best one counts

body() {
	printf 'Subject: %s\nTo: %s\n\n' "$1" "$2"
	yes 'Nobody on the wire can tell this line from any other, or so we hope.' | head -n 15 | head -c 980
	echo
}

arrived() { grep -q "^Subject: $1" "$(host_root "$2")/var/mail/bob"; }

# deliver NAME DEVICE HOST ADDRESS: one message, recorded at the sender's end of the line.
deliver() {
	local said
	wiretap_start a "$2"
	body "$1" "$4" | host_run a sendmail-mta -Am -odi -i -f alice@a.test "$4"
	wait_for 20 arrived "$1" "$3" || diag "no $1: $(host_log a)"
	wait_for 5 closed
	wiretap_stop "$WORLD/pcap"
	said=$(flights "$WORLD/pcap")
	flights_measure "$said"
	count=$(tail -n 1 <<<"$said")
	diag "$1"
	diag "$said"
}

# The sender has no connection to a port 25 any more but in TIME_WAIT.
closed() {
	! host_run a grep -Eq ':0019 0[1-57-9A-B] ' /proc/net/tcp /proc/net/tcp6
}

between() { # between NUMBER MINIMUM MAXIMUM NAME
	ok "$4" test "$2" -le "$1" -a "$1" -le "$3" || diag "$1 is not from $2 to $3"
}

# best NAME DEVICE HOST ADDRESS MILLISECONDS: the quickest of several, at most; the first that
# takes less than that ends the series.
best() {
	local n quickest='' kept=''
	for ((n = 1; n <= attempts; n++)); do
		deliver "$1-$n" "$2" "$3" "$4"
		if [ -z "$quickest" ] || [ "$wall" -lt "$quickest" ]; then
			quickest=$wall kept="$trips $count"
		fi
		[ "$wall" -ge "$5" ] || break
	done
	wall=$quickest trips=${kept%% *} count=${kept#* }
	diag "$1: $trips round trips, $wall ms up to the reply to the final dot; $count in all"
}

world_start
host_start a 10.77.0.1 fd77::1 sendmail
host_start b 10.77.0.2 fd77::2 sendmail inetd
host_start c 10.77.0.3 fd77::3 sendmail
world_zone own.test <<<'@ IN MX 10 mail.c.test.'
world_dns
host_put a /etc/mail/mailertable <<<'own.test	esmtp:own.test'
printf '%s\n' c.test own.test | host_put c /etc/mail/local-host-names
pony_host a
pony_host b
host_inetd b
host_sendmail c "$source/t/lib/plain.mc"
host_daemon c
wire_delay a b $((rtt / 2)) tun0
wire_delay a c $((rtt / 2)) tun1

best encrypted tun0 b bob@b.test $((rtt * 56 / 10))
like "$(host_log a)" 'blackpony-mailer.*suite=mlkem768x25519-chachapoly.*messages=1' "a message went encrypted"
is "$trips" 5 "encrypted at first contact: 5 round trips from the SYN to the reply to the final dot"
between "$wall" $((rtt * 49 / 10)) $((rtt * 56 / 10)) "and no time but theirs"
encrypted=$wall

best plain tun1 c bob@c.test $((rtt * 56 / 10))
like "$(host_log a)" 'blackpony-mailer.*mail\.c\.test.*suite=none.*messages=1' "a message went plain"
is "$trips" 5 "plain through blackpony-mailer: 5 as well, since it pipelines MAIL"
between "$wall" $((rtt * 49 / 10)) $((rtt * 60 / 10)) "and no time but theirs"

best sendmail tun1 c bob@own.test $((rtt * 80 / 10))
like "$(host_log a)" 'to=bob@own\.test,.* mailer=esmtp,.* stat=Sent' "a message went by sendmail's own client"
between "$wall" $((rtt * 59 / 10)) $((rtt * 20)) "sendmail's own client, plain: 6 round trips at least"
between "$encrypted" 1 $((wall * 95 / 100)) "which encryption with blackpony undercuts"
done_testing
