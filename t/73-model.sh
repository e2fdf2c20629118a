#!/bin/bash
# 73-model - libxpony/session.pml, the model of the handshake with its fallback, and kept.pml, of a mail through a
# kept session, hold what they promise in every run that spin finds; and with each fault put in, the property that
# the fault breaks is seen to break.
source=${abs_top_srcdir:-$(cd "$(dirname "$0")/.." && pwd)}
. "$source/t/lib/tap.sh"

command -v spin >/dev/null || skip_all "needs spin (Debian: spin)"
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1

# verify MODEL [FAULT]: all runs, or those until the first that breaks something; what spin says is in $work/said.
verify() {
	rm -f ./*.trail
	{
		spin ${2:+"-DFAULT_$2"} -a "$source/libxpony/$1.pml" &&
			"${CC:-cc}" -w -O1 -DSAFETY -DCOLLAPSE -o pan pan.c && ./pan -m10000
	} >said 2>&1 || { diag "$(cat said)"; false; }
}

# holds MODEL
holds() {
	ok "$1: the model can be searched" verify "$1"
	like "$(cat said)" 'errors: 0' "$1: all properties hold"
	unlike "$(cat said)" 'max search depth too small|out of memory' "$1: in every run"
	is "$(grep -c '(0 of [0-9]* states)' said)" 3 "$1: and no step of the three is never taken"
	diag "$(grep 'states, stored' said)"
}

# breaks MODEL FAULT SAID: with that fault spin says so.
breaks() {
	verify "$1" "$2" && like "$(grep -m1 '^pan:1:' said)" "$3" "$1: $2 is found"
}

holds session
for fault in STRIPPED STRANGER; do
	breaks session $fault 'policy==.*mode==' # clear: known hosts alone
done
breaks session NO_TLS 'policy!=.*mode!='     # clear: at encrypt
for fault in UNCOUNTED INJECTED END_IS_DOT; do
	breaks session $fault 'parts=='      # truncated: taken
done
breaks session BELIEVED 'taken_whole'        # truncated: sent
breaks session UNBOUND 'suite==server_suite' # suite: the same
breaks session SHORTENED 'stepped_down'      # suite: the best
breaks session DESCENDS 'policy!=.*suite=='  # suite: at demand
breaks session SECOND_EHLO 'invalid end state' # deadlock

holds kept
for fault in LATE DOTTED; do
	breaks kept $fault 'taken<=1'        # once
done
breaks kept END_IS_YES 'taken==1'            # sent
breaks kept GIVEN_UP 'sent||excuse'          # unnoticed
breaks kept UNCLOSED 'invalid end state'     # deadlock
done_testing
