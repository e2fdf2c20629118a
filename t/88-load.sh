#!/bin/bash
# 88-load - load/run, small: real mail flows beside senders, sessions that open at once, idle ones and dripping ones; messages at
# the size limit, a stream; and that its bounds can break. LOAD_MODE=-l, from t/8b-load-large: larger. Needs root (t/lib).
source=${abs_top_srcdir:-$(cd "$(dirname "$0")/.." && pwd)}
. "$source/t/lib/tap.sh"
. "$source/t/lib/world.sh"

reason=$(world_reason)
[ -z "$reason" ] || skip_all "$reason"
load=$source/load
scratch=$(mktemp -d) || bail "no room"
trap 'rm -rf "$scratch"' EXIT
report() { "${PYTHON3:-python3}" "$load/report.py" "$scratch/figures" "$scratch/results.json" a=b; }

broken() { printf 'x\ta figure\t%s\ts\t%s\t%s\n' "$1" "$2" "$3" >"$scratch/figures"; ! report >/dev/null; }
ok "a figure above its bound is told" broken 5.1 max 5
ok "one below" broken 4 min 5
ok "another one" broken 4 is 5
ok "what could not be measured" broken none max 5
nok "and no figure that is within" broken 5 max 5
printf 'x\ta figure\t5\ts\n' >"$scratch/figures"
nok "a run that asserts nothing is none" report

# reckoned LEDGER ARRIVED: how messages fare.
reckoned() {
	printf '%s\n' "$1" >"$scratch/ledger"
	printf '%s\n' "$2" >"$scratch/arrived"
	python3 "$load/letters.py" reckon real "$scratch/ledger" "$scratch/arrived" 0 9
}
is "$(reckoned $'1 1.0\n2 2.0' $'ready\nreal 1 1.0 1.5 intact\nreal 2 2.0 2.25 intact')" "2 2 0 0 0 500 500 500" "two messages arrive"
is "$(reckoned $'1 1.0\n2 2.0' 'real 1 1.0 1.5 intact')" "2 1 1 0 0 500 500 500" "a lost one is told"
is "$(reckoned '1 1.0' 'real 1 1.0 1.5 CHANGED')" "1 1 0 1 0 500 500 500" "a changed one"
is "$(reckoned '1 1.0' $'real 1 1.0 1.5 intact\nreal 1 1.0 1.7 intact')" "1 1 0 0 1 500 500 500" "a doubled one"
is "$(reckoned $'1 1.0\n2 99.0' 'real 1 1.0 1.5 intact')" "1 1 0 0 0 500 500 500" "others are of another time"

# Each bound is a point.
"${BASH:-bash}" "$load/run" "${LOAD_MODE:--q}" >"$scratch/out" 2>&1
status=$?
grep -v '(' "$scratch/out" | sed 's/^/# /'
while read -r line; do
	case $line in
	FAULT*) fail "$line" ;;
	*'(at '* | *'(must be '*) pass "$line" ;;
	esac
done < <(tr -s ' ' <"$scratch/out")
is "$status" 0 "all bounds hold"
like "$(tail -n 1 "$scratch/out")" '^[0-9]+ figures, [1-9][0-9]+ bounds, 0 broken$' "the run came to its end"
done_testing
