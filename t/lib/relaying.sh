# relaying.sh: a stranger who wants mail relayed to a third host, and that he is refused. Sourced after tap.sh
# and world.sh by the tests of row 17. The stranger is on host c; the ways that he comes need $mailer, the
# path of blackpony-mailer.

relay_third=somebody@third.test
relay_denied='^550 5\.7\.1 .*Relaying denied' relay_taken='^250 2\.1\.5' # sendmail's words; another MTA's differ

# talk ARGUMENT...: the script on standard input, from the stranger.
talk() { host_run c python3 "$world_src/t/tools/talk.py" "$@" 2>&1; }

# proxy_header CLIENT LOCAL: the octets by which a load balancer brings a connection from there to port 25 here, with
# Python's escapes, for talk.py -x.
proxy_signature='\x0d\x0a\x0d\x0a\x00\x0d\x0a\x51\x55\x49\x54\x0a'
proxy_header() {
	python3 -c '
import socket, sys
six = ":" in sys.argv[1]
ends = b"".join(socket.inet_pton(socket.AF_INET6 if six else socket.AF_INET, a) for a in sys.argv[1:3])
ends += (40001).to_bytes(2, "big") + (25).to_bytes(2, "big")
octets = bytes([0x21, 0x21 if six else 0x11, 0, len(ends)]) + ends
print("".join("\\x%02x" % octet for octet in octets))' "$@" | sed "s/^/${proxy_signature//\\/\\\\}/"
}

# Ten tries: in three transactions, two of which end in a message; after RSET, EHLO and HELO.
# relay_tries SUBJECT: the commands, for t/tools/talk.py and the like.
relay_tries() {
	local n
	echo 'EHLO peer.example'
	for n in first second; do
		cat <<-END
			MAIL FROM:<x@c.test>
			RCPT TO:<$relay_third>
			RCPT TO:<bob@b.test>
			DATA
			Subject: $1, $n

			.
		END
	done
	cat <<-END
		MAIL FROM:<>
		RCPT TO:<$relay_third>
		RCPT TO:<somebody@[10.77.0.3]>
		RSET
		MAIL FROM:<root@b.test>
		RCPT TO:<$relay_third>
		RCPT TO:<@b.test:$relay_third>
		EHLO again.example
		MAIL FROM:<x@c.test>
		RCPT TO:<somebody%third.test@b.test>
		RCPT TO:<"$relay_third"@b.test>
		HELO mail.b.test
		MAIL FROM:<x@c.test>
		RCPT TO:<third.test!somebody>
		RCPT TO:<$relay_third>
		QUIT
	END
}

# relay_refused NAME SAID: nothing but the refusals and two deliveries.
relay_refused() {
	is "$(grep -cE "$relay_denied" <<<"$2")" 10 "$1: relaying denied, ten times" ||
		diag "$2"
	is "$(grep -cE "$relay_taken" <<<"$2")" 2 "$1: the one recipient here is taken, twice" || diag "$2"
}

# The ways go on side by side, for sendmail slows down whoever names bad recipients.
ways=() going=()
way() { # NAME COMMAND...: that is how he comes; what he is told is in the file said.N
	local file=$WORLD/said.${#ways[@]}
	ways+=("$1")
	"${@:2}" >"$file" 2>&1 &
	going+=($!)
}

relaying() { relay_tries "$1" | talk "${@:2}"; }

relaying_tls() {
	{
		printf '%s\n' 'EHLO peer.example' 'MAIL FROM:<x@c.test>' "RCPT TO:<$relay_third>" RSET STARTTLS
		relay_tries "$1"
	} | talk "${@:2}"
}

# relaying_peer NAME ADDRESS ARGUMENT...: the independent peer, which can do what the mailer does not.
relaying_peer() {
	relay_tries "$1" | host_run c python3 "$world_src/t/lib/pony_peer.py" client "$2" 25 "${@:3}" 2>&1
}

# judge: what each of them was told.
judge() {
	local n said
	wait "${going[@]}"
	for n in "${!ways[@]}"; do
		said=$(cat "$WORLD/said.$n")
		case ${ways[n]} in
		STARTTLS*)
			like "$said" '^TLS ' "${ways[n]}: TLS"
			like "$(sed '/^TLS/,$d' <<<"$said")" "$relay_denied" "${ways[n]}: denied before it"
			said=$(sed '1,/^TLS/d' <<<"$said")
			;;
		esac
		relay_refused "${ways[n]}" "$said"
	done
}


# every_way [no]: the ways that each back end has to stand. no: without STARTTLS.
every_way() {
	way "plain, IPv4" relaying "plain, IPv4" 10.77.0.2
	way "plain, IPv6" relaying "plain, IPv6" fd77::2
	[ "${1-}" = no ] || way "STARTTLS, IPv4" relaying_tls "STARTTLS, IPv4" 10.77.0.2
	[ "${1-}" = no ] || way "STARTTLS, IPv6" relaying_tls "STARTTLS, IPv6" fd77::2
	way "XPONY, IPv4" relaying "XPONY, IPv4" "$mailer" '[10.77.0.2]'
	way "XPONY, IPv6" relaying "XPONY, IPv6" "$mailer" '[IPv6:fd77::2]'
	way "XPONY after EHLO" relaying_peer "XPONY after EHLO" fd77::2
	way "XPONY, EHLO as early data" relaying_peer "XPONY, EHLO as early data" 10.77.0.2 --by hint --early
	judge
}
