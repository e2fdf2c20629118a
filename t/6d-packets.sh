#!/bin/bash
# 6d-packets - counts what one message of 1 KB to a host never seen before puts on the wire: packets, payload
# octets, segments a flight, and where the ends are; in both suites, over lines without delay and of 20 ms.
# Real sendmail, real inetd. Needs root (t/lib).
source=${abs_top_srcdir:-$(cd "$(dirname "$0")/.." && pwd)}
. "$source/t/lib/tap.sh"
. "$source/t/lib/world.sh"
. "$source/t/lib/mail.sh"
. "$source/t/lib/flights.sh"

attempts=12 # a busy machine acknowledges what it has not answered in 40 ms: the best one counts

body() {
	printf 'Subject: %s\nTo: %s\n\n' "$1" "$2"
	yes 'Nobody on the wire can tell this line from any other, or so we hope.' | head -n 15 | head -c 980
	echo
}

arrived() { grep -q "^Subject: $1" "$(host_root "$2")/var/mail/bob"; }
closed() { ! host_run a grep -Eq ':0019 0[1-57-9A-B] ' /proc/net/tcp /proc/net/tcp6; }

# deliver SUBJECT DEVICE HOST: one message. Sets said, the recording's packets.
deliver() {
	wiretap_start a "$2"
	body "$1" "bob@$3.test" | host_run a sendmail-mta -Am -odi -i -f alice@a.test "bob@$3.test"
	wait_for 20 arrived "$1" "$3" || diag "no $1: $(host_log a)"
	wait_for 10 closed
	wiretap_stop "$WORLD/pcap"
	said=$(segments "$WORLD/pcap")
}

# best NAME DEVICE HOST PACKETS: the first delivery of so many at most, or the best of all. Sets said; packets;
# octets of payload; and sizes, "> 200" and so on of each segment that carries something, in one line.
best() {
	local n kept=''
	for ((n = 1; n <= attempts; n++)); do
		deliver "$1-$n" "$2" "$3"
		if [ -z "$kept" ] || [ "$(wc -l <<<"$said")" -lt "$(wc -l <<<"$kept")" ]; then
			kept=$said
		fi
		[ "$(wc -l <<<"$kept")" -gt "$4" ] || break
	done
	said=$kept
	read -r packets octets < <(awk '{ octets += $3 } END { print NR, octets }' <<<"$said")
	sizes=$(awk '$3 > 0 { printf " %s %s", $1, $3 }' <<<"$said")
	diag "$1: $packets packets, $octets octets; the best of $((n < attempts ? n : attempts))"
	diag "$said"
}

# The records of the dialogue: the envelope and DATA, the replies, the body, the reply, QUIT, 221.
inside='> 277 < 277 > 1[2-4][0-9][0-9] < 277 > 27 < 277'

# counted NAME DEVICE HOST PACKETS OCTETS HANDSHAKE: the message went in so many packets and octets at most.
counted() {
	best "$1" "$2" "$3" "$4"
	ok "$1: $packets packets" test "$packets" -le "$4"
	ok "$1: $octets octets of payload" test "$octets" -le "$5"
	like "$sizes" "^ $6 $inside\$" "$1: a flight is one segment, or full ones and a rest"
	is "$(tail -n 3 <<<"$said")" "$(printf '%s\n' '> F. 27' '< F. 277' '> . 0')" \
		"$1: QUIT, 221 and both ends in three packets"
	is "$(grep -c F <<<"$said")" 2 "$1: each side says its end once"
	unlike "$said" R "$1: nothing was reset"
}

# The greeting; XPONY; its reply, of which the EHLO reply is the end. A segment has 1428 octets at most.
classical='< [0-9]* > [12][0-9][0-9] < 369'
hybrid='< [0-9]* > 1428 > [34][0-9][0-9] < 1428 < 409'

world_start
host_start a 10.77.0.1 fd77::1 sendmail
# Each message a session: one that is kept ends later.
# shellcheck disable=SC2016 # for m4
pony_host a "" "$mail_unkept"
sed '/^smtp/s/$/ -s x25519-chachapoly/' "$source/doc/inetd.conf.example" >"$WORLD/inetd.conf"
n=2
for host in b c d e; do
	host_start $host 10.77.0.$n fd77::$n sendmail inetd
	pony_host $host
	n=$((n + 1))
done
host_inetd b "$WORLD/inetd.conf"
host_inetd c "$WORLD/inetd.conf"
host_inetd d
host_inetd e
wire_delay a b 0 tun0
wire_delay a c 10 tun1
wire_delay a d 0 tun2
wire_delay a e 10 tun3
counted classical-near tun0 b 13 3250 "$classical"
counted classical-far tun1 c 13 3250 "$classical"
counted hybrid-near tun2 d 17 6500 "$hybrid"
counted hybrid-far tun3 e 17 6500 "$hybrid"
done_testing
