# backends.sh: row 11 of what is tried on a mail server, for any MTA behind blackpony-receiver. Sourced after
# world.sh. The peer is host c (10.77.0.3, fd77::3; layer tools, host_pony).

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
