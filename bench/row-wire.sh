#!/bin/bash
# row-wire - what a message of 1 KB takes over a new connection to a host never seen before, by what is on the
# wire: the time from the SYN to the reply to the final dot, at three round trip times, and the packets and
# octets of TCP payload in all. Sendmail itself goes on to the reply to QUIT before it calls a message sent;
# that is told too.
. "${0%/*}/lib.sh"

ways=(hybrid classical plain starttls postfix-plain postfix-starttls stunnel spiped)
rtts=(0 20 100)
[ "$mode" = full ] || rtts=(100)
count_at=100 # packets and octets; they are hardly others at another round trip time

# on_wire PCAP ADDRESS: "MILLISECONDS PACKETS OCTETS LAST" of the connection to that address, from its SYN or, if
# it was there before, its first octet on; LAST is the server's last word, in milliseconds too. The message is the last
# that the client sends of more than 1100 octets before it is answered: what it says before and after is
# shorter (the tunnel spiped sends 1060 octets for each line, and the message in two times so much). What the
# server says then is the reply to the dot, encrypted or not.
on_wire() {
	host_run wire tcpdump -Z root -n -tt -r - "tcp and host $2" <"$1" 2>/dev/null | awk -v server="> $2." '
		{
			client = index($0, server)
			octets = match($0, /length [0-9]+/) ? substr($0, RSTART + 7, RLENGTH - 7) + 0 : 0
			# An acknowledgement of what was before, up to 40 ms late, is no beginning.
			if (begin == "") { if (!client || !(octets || /Flags \[S\]/)) next; begin = $1 }
			packets++
			if (octets == 0) next
			total += octets
			if (client) { flight += octets; next }
			last = $1
			if (flight > 1100) reply = $1
			flight = 0
		}
		END { if (reply) printf "%.2f %d %d %.2f\n", (reply - begin) * 1000, packets, total, (last - begin) * 1000 }'
}

# closed ADDRESS: a has no connection to it but in TIME_WAIT.
closed() {
	local remote
	# shellcheck disable=SC2046,SC2086 # words
	remote=$(printf '%02X%02X%02X%02X' $(tr . '\n' <<<"$1" | tac))
	! host_run a grep -Eq ":[0-9A-F]{4} $remote:[0-9A-F]{4} 0[1-57-9A-B]" /proc/net/tcp
}

# measure RTT WAY
measure() {
	local ms=$1 way=$2 name=${way_name[$2]} address=${way_address[$2]} wall packets octets last row="wall time, RTT $1 ms"
	if [ "$way" = kept ]; then post kept; else forgotten; fi
	wiretap_start a "$device"
	post "$way" || { wiretap_stop "$WORLD/pcap"; cannot "$row" ms "$name" "no message arrived"; return; }
	[ "$way" = kept ] || wait_for 5 closed "$address"
	wiretap_stop "$WORLD/pcap"
	wait_for 10 closed "$address"
	read -r wall packets octets last < <(on_wire "$WORLD/pcap" "$address")
	[ -n "$wall" ] || { cannot "$row" ms "$name" "no reply on the wire"; return; }
	sample "$row" ms "$name" "$wall"
	case $way in plain | starttls) sample "$row" ms "$name, with QUIT" "$last" ;; esac
	[ "$ms" = "$count_at" ] || return 0
	sample packets packets "$name" "$packets"
	sample octets octets "$name" "$octets"
}

ways_start
! has_kept || ways+=(kept)
rtt_lines "${rtts[@]}"
for way in "${ways[@]}"; do # each once beforehand, so that files are in memory
	post "$way" || echo "no message by $way"
done
for ((pass = 1; pass <= passes; pass++)); do
	for ms in "${rtts[@]}"; do
		rtt "$ms"
		for way in "${ways[@]}"; do
			measure "$ms" "$way"
		done
	done
done
host_log a | grep 'blackpony-mailer.*suite=' | sed 's/.*suite=\([^,]*\),.*/\1/' | sort | uniq -c
