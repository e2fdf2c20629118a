# tcpback.sh: a mail server behind blackpony-receiver that is reached by TCP.  Sourced after mail.sh by the
# tests of such back ends, each with another server on host b; the stranger and the independent peer are
# on host c, and the third host is there, too.
# shellcheck source=t/lib/relaying.sh
. "$world_src/t/lib/relaying.sh"

# shellcheck disable=SC2034 # relaying.sh
mailer=/usr/libexec/blackpony/blackpony-mailer receiver=/usr/libexec/blackpony/blackpony-receiver

# tcpback_world LAYER...: the hosts, with the back end's layers on b.
tcpback_world() {
	world_start
	host_start b 10.77.0.2 fd77::2 inetd tools "$@"
	host_start c 10.77.0.3 fd77::3 tools
	world_zone third.test <<<'@ IN MX 10 mail.c.test.'
	world_dns
	host_pony c
	host_tls b
	host_pony b
	host_run b mkdir -p /etc/blackpony
	host_run b blackpony-keygen -q -g blackpony || bail "no host key"
}

# tcpback_inetd SERVER [PORT SERVER]...: the receiver on port 25 with -B SERVER, and on more ports.
tcpback_inetd() {
	local port=25
	{
		while [ $# -gt 0 ]; do
			echo "$port stream tcp nowait root $receiver receiver -n mail.b.test -M 0 -B $1"
			echo "$port stream tcp6 nowait root $receiver receiver -n mail.b.test -M 0 -B $1"
			port=${2-}
			shift $(($# < 2 ? $# : 2))
		done
	} >"$WORLD/inetd.conf"
	host_inetd b "$WORLD/inetd.conf"
}

# tcpback_box: bob's mail.
tcpback_file=/var/mail/bob
tcpback_box() { cat "$(host_root b)$tcpback_file" 2>/dev/null; }
tcpback_has() { [ "$(tcpback_box | grep -c '^Subject: ')" = "$1" ]; }

# tcpback_norelay [no]: row 17; 16 messages come to bob. no: it cannot do STARTTLS; 12 messages.
tcpback_norelay() {
	every_way "$@"
	is "$(host_log b | grep -c 'blackpony-receiver.* suite=\(mlkem768x\|x\)25519-chachapoly, .*messages=2')" 4 \
		"four of these sessions were encrypted by XPONY" || diag "$(host_log b | grep blackpony-receiver)"
	[ "${1-}" = no ] || is "$(host_log b | grep -c 'blackpony-receiver.* suite=STARTTLS')" 2 "and two by TLS"
	ok "all messages arrive" wait_for 20 tcpback_has $((2 * ${#ways[@]}))
}

# tcpback_received ERE4 ERE6 [COUNT]: the true client's address stands in the Received headers, and no other.
tcpback_received() {
	local headers
	headers=$(tcpback_box | awk '/^[ \t]/ { sub(/^[ \t]+/, " "); line = line $0; next }
		{ print line; line = $0 } END { print line }' | grep '^Received: from')
	is "$(grep -cE "$1" <<<"$headers")/$(grep -cE "$2" <<<"$headers")" "${3:-8}/${3:-8}" "Received has the true client" || diag "$headers"
	unlike "$headers" '127\.0\.0\.1|::1\]|localhost' "and never this host"
}

# tcpback_smuggle [WAY]: row 11, beside the same server on port 2500 without blackpony; in clear and, unless
# another way is named, encrypted and octet by octet. A second message that the server takes unasked for comes
# to it by no other way.
tcpback_smuggle() {
	local way=${1:-hybrid drip} line name unasked
	host_run b rm -f "$tcpback_file"
	host_run c python3 "$world_src/t/tools/smuggle.py" client 10.77.0.2 clear "$way" >"$WORLD/smuggled" 2>&1
	while IFS= read -r line; do
		name=${line%%: *}
		like "$line" "^[^:]*: (same|stricter): " "$name: what the client reads is the server's own word"
	done <"$WORLD/smuggled"
	is "$(grep -c . "$WORLD/smuggled")" 37 "those were all"
	unasked=$(grep -c ': stricter: ' "$WORLD/smuggled")
	ok "the messages are there" wait_for 20 tcpback_settled
	like "$(tcpback_way direct)" "^NEL" "messages came without blackpony"
	is "$(tcpback_way clear)" "$(tcpback_way direct)" "in clear: the same messages, and none twice"
	is "$(tcpback_way "$way" | grep -Ev '^(CR)?CRLF\.CRLF')" "$(tcpback_way direct | grep -Ev '^(CR)?CRLF\.CRLF')" \
		"$way: the same"
	is "$(tcpback_box | grep -c "^From smuggled@")" "$unasked" "no second message came by blackpony"
}
tcpback_way() { tcpback_box | sed -n "s/^Subject: \(.*\), $1\$/\1/p" | sort; }
tcpback_settled() { tcpback_idle && [ "$(tcpback_way direct)" = "$(tcpback_way clear)" ]; }

# tcpback_bare PORT SERVER-ADDRESS SERVER-PORT: the same server without the setting, behind the receiver on
# that port: each connection is one from this host for it, and it relays for this host.
tcpback_bare() {
	local said way
	said=$(try_third | host_run b python3 "$world_src/t/tools/talk.py" -p "$3" "$2")
	like "$said" "$relay_taken" "control: without the setting it relays for this host" || diag "$said"
	for way in "-p $1 10.77.0.2" "-p $1 fd77::2" "$mailer -p $1 [10.77.0.2]"; do
		# shellcheck disable=SC2086 # words
		said=$(try_third | talk $way)
		like "$said" '^4[25]1 .*4\.3\.[05]' "${way%% *} ${way##* }: without the setting: nobody is served" || diag "$said"
		unlike "$said" "$relay_taken" "and no recipient is taken"
	done
	like "$(host_log b | grep blackpony-receiver)" 'fault="refused by policy".*does not take the PROXY header|421 4\.3\.0' \
		"the log says why"
}
try_third() { printf '%s\n' 'EHLO peer.example' 'MAIL FROM:<x@c.test>' "RCPT TO:<$relay_third>" QUIT; }
