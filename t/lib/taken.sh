# taken.sh: programs whose engine was taken over (t/tools/hostile-engine.c has the orders), and what
# that engine gets. Sourced after world.sh by t/30-hostile-*.sh, which bring two functions:
#
#   orders                  gives the lines of standard input to the hostile program, on host a
#   open_orders             the same to the one without a sandbox
#   attempts TABLE          each line of the table: order | what comes of it | ... without sandbox
#   sequence NAME REPLY REASON ORDER...    the last reply, and what the log of host a says; REASON is
#                           what the engine is caught at, or "" when it is not
#   ended WORDS             the monitor has logged that since the mark that orders has set

# replies COMMAND...: what came, a line each, without the greeting.
replies() { "$@" | sed '1d; s/^250 //'; }

log_mark=0
mark() { log_mark=$(host_log a | wc -l); }
log_since() { host_log a | sed "1,${log_mark}d"; }
said() { log_since | grep -Eq -e "$1"; }
ended() { ok "$2" wait_for 5 said "$1" || diag "$(log_since)"; }

attempts() {
	local order result control mild='' all='' line
	local -a answers controls
	while IFS='|' read -r order result control; do
		all+=$order$'\n'
		[ "$result" = closed ] || mild+=$order$'\n'
	done <<<"$1"
	mapfile -t controls < <(open_orders <<<"${all%$'\n'}")
	mapfile -t answers < <(orders <<<"${mild%$'\n'}")
	while IFS='|' read -r order result control; do
		line=${order%% *}
		is "${controls[0]-}" "$line $control" "$order: without the sandbox, $control"
		controls=("${controls[@]:1}")
		if [ "$result" = closed ]; then
			mark
			is "$(orders <<<"$order")" closed "$order: ends the engine"
			ended 'engine ended without a report, .*reason="signal 31"' "$order: the filter did, says the log"
		else
			is "${answers[0]-}" "$line $result" "$order: $result"
			answers=("${answers[@]:1}")
		fi
	done <<<"$1"
}

sequence() {
	local name=$1 reply=$2 reason=$3 got
	shift 3
	mark
	got=$(printf '%s\n' "$@" | orders)
	like "$(tail -n 1 <<<"$got")" "^$reply\$" "$name" || diag "$got"
	[ -z "$reason" ] || ended "engine broke its bounds, .*reason=\"?$reason" "$name: the log says so"
}

# What is no request, and what is none of this monitor's.
no_requests() {
	sequence "a kind that does not exist" closed request 'ask x kind=99'
	sequence "no kind" closed request 'ask x'
	sequence "a text without an end" closed request 'ask peer endless=1'
	sequence "a fault that does not exist" closed request 'ask peer fault=200'
	sequence "a reason that does not exist" closed request 'ask hop reason=9'
	sequence "more keys in a commitment than fit" closed request 'ask peer keys=4000000000'
	sequence "one octet" closed request 'raw 1'
	sequence "64 kilobytes" closed request 'raw 65536'
	sequence "an empty packet is the end" closed '' 'raw 0'
	sequence "a descriptor" closed request 'pass 1'
	sequence "two descriptors" closed request 'pass 2'
	sequence "16 descriptors" closed request 'pass 16'
	sequence "100000 requests without a look at the answers" closed '' 'flood 100000'
	sequence "a closed socket" closed '' leave '?'
	ended 'engine ended without a report, .*reason="signal 9"' "... and the monitor ends what is left"
}

# A report of lies: one line, escaped.
lies() {
	mark
	printf '%s\n' "$@" 'ask done lies=1' | orders >/dev/null
	ended "octets=-1, refused=-1" "a report of lies is logged"
	ended 'stat="?(\\012)+' "its line ends are escaped"
	is "$(log_since | grep -c blackpony)" "$(log_since | grep -c 'octets=-1')" "there is no line more" ||
		diag "$(log_since)"
}
