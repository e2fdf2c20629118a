#!/bin/bash
# 73-model - libxpony/session.pml, the model of the handshake with its fallback, holds what it promises in every
# run that spin finds; and with each fault put in, the property that the fault breaks is seen to break.
source=${abs_top_srcdir:-$(cd "$(dirname "$0")/.." && pwd)}
. "$source/t/lib/tap.sh"

command -v spin >/dev/null || skip_all "needs spin (Debian: spin)"
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1

# verify [FAULT]: all runs, or those until the first that breaks something; what spin says is in $work/said.
verify() {
	rm -f ./*.trail
	{
		spin ${1:+"-DFAULT_$1"} -a "$source/libxpony/session.pml" &&
			"${CC:-cc}" -w -O1 -DSAFETY -DCOLLAPSE -o pan pan.c && ./pan -m10000
	} >said 2>&1 || { diag "$(cat said)"; false; }
}

# breaks FAULT SAID: with that fault spin says so.
breaks() {
	verify "$1" && like "$(grep -m1 '^pan:1:' said)" "$2" "$1 is found"
}

ok "the model can be searched" verify
like "$(cat said)" 'errors: 0' "all properties hold"
unlike "$(cat said)" 'max search depth too small|out of memory' "in every run"
is "$(grep -c '(0 of [0-9]* states)' said)" 3 "and no step of the three is never taken"
diag "$(grep 'states, stored' said)"

breaks STRIPPED 'policy!=.*mode==' # clear: at demand
breaks NO_TLS 'policy!=.*mode!='   # clear: at encrypt
for fault in UNCOUNTED INJECTED END_IS_DOT; do
	breaks $fault 'parts==' # truncated: taken
done
breaks BELIEVED 'taken_whole'        # truncated: sent
breaks UNBOUND 'suite==server_suite' # suite: the same
breaks SHORTENED 'stepped_down'      # suite: the best
breaks SECOND_EHLO 'invalid end state' # deadlock
done_testing
