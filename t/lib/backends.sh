# backends.sh: rows 11 and 17 of what is tried on a mail server, for any MTA behind blackpony-receiver.  Sourced
# after world.sh.  The peer is host c (10.77.0.3, fd77::3; layer tools, host_pony).

backends_third=somebody@third.test

# backends_talk ARGUMENT...: the script on standard input, from the peer (t/tools/talk.py).
backends_talk() { host_run c python3 "$world_src/t/tools/talk.py" "$@" 2>&1; }

# backends_tries DOMAIN SUBJECT: a stranger's dialogue: ten tries to have mail relayed to a third host, in his
# first, second and third transaction, after RSET, EHLO and HELO; and two messages to bob, who is here.
backends_tries() {
	local n
	echo 'EHLO peer.example'
	for n in first second; do
		cat <<-END
			MAIL FROM:<x@c.test>
			RCPT TO:<$backends_third>
			RCPT TO:<bob@$1>
			DATA
			Subject: $2, $n

			.
		END
	done
	cat <<-END
		MAIL FROM:<>
		RCPT TO:<$backends_third>
		RCPT TO:<somebody@[10.77.0.3]>
		RSET
		MAIL FROM:<root@$1>
		RCPT TO:<$backends_third>
		RCPT TO:<@$1:$backends_third>
		EHLO again.example
		MAIL FROM:<x@c.test>
		RCPT TO:<somebody%third.test@$1>
		RCPT TO:<"$backends_third"@$1>
		HELO mail.$1
		MAIL FROM:<x@c.test>
		RCPT TO:<third.test!somebody>
		RCPT TO:<$backends_third>
		QUIT
	END
}

# backends_refused NAME SAID: all ten were turned down, both messages were taken.
backends_refused() {
	is "$(grep -c '^55[0-9][ -]\|^501[ -]' <<<"$2")" 10 "$1: no relaying, ten times" || diag "$2"
	is "$(grep -c '^354 ' <<<"$2")" 2 "$1: the one recipient here is taken, twice" || diag "$2"
}

# backends_relaying NAME DOMAIN ARGUMENT...: the whole of it, by backends_talk's arguments; said is what came.
backends_relaying() {
	said=$(backends_tries "$2" "$1" | backends_talk "${@:3}")
	backends_refused "$1" "$said"
}

# backends_smuggling HOST4 CASES [MTA]: the MTA without blackpony listens on port 2500 there, the receiver with it
# behind on 25, and both deliver to bob@b.test. What the client reads is the same by each way.
backends_smuggling() {
	local line name
	host_run c python3 "$world_src/t/tools/smuggle.py" client "$1" ${3-} >"$WORLD/said" 2>&1
	while IFS= read -r line; do
		name=${line%%: *}
		like "$line" "^[^:]*: same: " "$name: what the client reads is the MTA's"
	done <"$WORLD/said"
	is "$(grep -c . "$WORLD/said")" "$2" "those were all"
}

# backends_ways FILE WAY: the cases of which a message came by that way.
backends_ways() { sed -n "s/^Subject: \(.*\), $2\$/\1/p" "$1" | sort; }

# backends_one_is_one FILE [CHANCE]: of each case as many came to bob's mailbox by each way; octet by octet only those whose
# name does not match.
backends_one_is_one() {
	local way box=$1
	for way in clear classical hybrid; do
		is "$(backends_ways "$box" "$way")" "$(backends_ways "$box" direct)" "$way: the same messages, and none twice"
	done
	for way in clear hybrid; do
		is "$(backends_ways "$box" "$way drip")" "$(backends_ways "$box" direct | grep -Ev "${2:-^CRLF\.CRLF}")" \
			"$way: also octet by octet"
	done
}
