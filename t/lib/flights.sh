# flights.sh: counts round trips and packets in a recording.  Sourced after world.sh by t/66-round-trips,
# t/6d-packets and ./quickstart.

# flights PCAP: of the first connection to port 25 in it, one line a flight, which is all that one
# side sends before the other says something: "> SECONDS OCTETS" from the client, "< ..." from the
# server, SECONDS the time of the flight's last segment since the SYN. At the end "packets N octets
# N seconds N".
flights() {
	host_run wire tcpdump -Z root -n -tt -r - 'tcp port 25' <"$1" 2>/dev/null | awk '
		function finish() { if (way != "") printf "%s %.4f %d\n", way, last, sent }
		!/: Flags/ { next }
		begin == "" && /Flags \[S\]/ { begin = $1 }
		begin == "" { next }
		{
			packets++
			end = $1 - begin
			octets = match($0, /length [0-9]+/) ? substr($0, RSTART + 7, RLENGTH - 7) + 0 : 0
			if (octets == 0) next
			total += octets
			now = $5 ~ /\.25:$/ ? ">" : "<"
			if (now != way) { finish(); way = now; sent = 0 }
			sent += octets
			last = end
		}
		END { finish(); printf "packets %d octets %d seconds %.4f\n", packets, total, end }'
}

# flights_measure FLIGHTS: sets trips, the flights of the client up to the final dot, the handshake
# of TCP and the wait for the greeting included; and wall, milliseconds up to the reply to the dot.
# That reply is what the server says last before the client says its last, QUIT.
flights_measure() {
	read -r trips wall < <(awk '
		$1 == "<" { replies++; heard = $2 }
		$1 == ">" { reply = heard; trips = replies + 1 }
		END { printf "%d %d\n", trips, reply * 1000 }' <<<"$1")
}

# segments PCAP: of the connections to port 25 in it, one line a packet: "> FLAGS OCTETS" from the client,
# "< FLAGS OCTETS" from the server; FLAGS as tcpdump writes them, OCTETS of payload.
segments() {
	host_run wire tcpdump -Z root -n -r - 'tcp port 25' <"$1" 2>/dev/null | awk '
		match($0, /: Flags \[[^]]*\]/) {
			flags = substr($0, RSTART + 9, RLENGTH - 10)
			octets = match($0, /length [0-9]+/) ? substr($0, RSTART + 7, RLENGTH - 7) + 0 : 0
			print ($5 ~ /\.25:$/ ? ">" : "<"), flags, octets
		}'
}
