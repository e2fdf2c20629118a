#!/bin/bash
# row-start - what one who waits for `sendmail -odi` waits, from its start to its end, with all processes that
# it starts and that are started for it: a message of 1 KB to a host never seen before, at no distance. Each
# sample is the median of some messages.
. "${0%/*}/lib.sh"

row='wall time, process starts included'
ways=(hybrid classical bare bs plain starttls)
messages=5
[ "$mode" = full ] || messages=3

# timed WAY: milliseconds.
timed() {
	local sendmail
	sendmail_of "$1"
	if [ "$1" = kept ]; then post kept; else forgotten; fi
	# shellcheck disable=SC2016 # expanded on the host
	host_run a bash -c 'start=${EPOCHREALTIME/./}
		"$@" </tmp/letter
		echo $((${EPOCHREALTIME/./} - start))' timed "${sendmail[@]}" -odi -i -f alice@a.test "bob@$1.test" |
		awk '{ printf "%.2f\n", $1 / 1000 }'
	sleep 0.05 # what b does with the message afterwards
}

median() { sort -n | awk '{ v[NR] = $1 } END { print (v[int((NR + 1) / 2)] + v[int(NR / 2) + 1]) / 2 }'; }

ways_start
! has_kept || ways+=(kept)
letter somebody.test | host_put a /tmp/letter
for ((pass = 1; pass <= passes; pass++)); do
	declare -A before=() times=()
	for way in "${ways[@]}"; do
		before[$way]=$(sent "$way") times[$way]=
	done
	for ((n = 1; n <= messages; n++)); do
		for way in "${ways[@]}"; do
			times[$way]+=$(timed "$way")$'\n'
		done
	done
	for way in "${ways[@]}"; do
		expected=$messages
		[ "$way" != kept ] || expected=$((2 * messages)) # each has one before it
		if wait_for 5 sent_more "$way" $((before[$way] + expected - 1)); then
			sample "$row" ms "${way_name[$way]}" "$(printf '%s' "${times[$way]}" | median)"
		else
			cannot "$row" ms "${way_name[$way]}" "messages were not sent"
		fi
	done
done
