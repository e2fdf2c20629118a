#!/bin/bash
# row-queue - messages per second to one host, in one run of sendmail's queue. Its own client keeps the
# connection; a program mailer is started for each message anew, which is measured alone by one that takes all
# mail and does nothing (nothing-mailer.c).
#
# Sendmail's client writes the final dot by itself. Nagle's algorithm keeps it back until the body has been
# acknowledged, which a host that has nothing to say does after 40 ms: that is most of the client's time. So it
# is also measured with a host that acknowledges at once.
. "${0%/*}/lib.sh"

row='queue run'
messages=200
[ "$mode" = full ] || messages=40
ways=(hybrid plain acked starttls nothing)
declare -A queue_name=([plain]='sendmail plain, cached' [acked]='sendmail plain, cached, quick ACKs'
	[starttls]='sendmail STARTTLS, cached')

# fill WAY: that many messages for it wait in the queue of a.
fill() {
	local n
	{
		echo 'EHLO localhost'
		for ((n = 1; n <= messages; n++)); do
			printf '%s\n' 'MAIL FROM:<alice@a.test>' "RCPT TO:<bob@$1.test>" DATA
			letter "$1.test"
			echo .
		done
		echo QUIT
	} | host_run a "${PYTHON3:-python3}" "$source/t/tools/talk.py" /usr/sbin/sendmail-mta -Am -odq -bs >/dev/null
	[ "$(waiting)" -eq "$messages" ]
}

waiting() { host_run a find /var/spool/mqueue -name 'qf*' | wc -l; }

# run_queue WAY: microseconds.
run_queue() {
	local sendmail
	sendmail_of "$1"
	# shellcheck disable=SC2016 # expanded on the host
	host_run a bash -c 'start=${EPOCHREALTIME/./}
		"$@" </dev/null >/tmp/queue.out 2>&1
		echo $((${EPOCHREALTIME/./} - start))' run_queue "${sendmail[@]}" -qf
}

measure() {
	local way=$1 name=${queue_name[$1]:-${way_name[$1]}} before took
	before=$(sent "$way")
	fill "$way" || { cannot "$row" /s "$name" "the queue could not be filled"; return; }
	[ "$way" != acked ] || world_ip b <<<'route add 10.77.0.1 dev eth0 quickack 1'
	took=$(run_queue "$way")
	[ "$way" != acked ] || world_ip b <<<'route del 10.77.0.1'
	if [ "$(waiting)" -eq 0 ] && wait_for 5 sent_more "$way" $((before + messages - 1)); then
		sample "$row" /s "$name" "$(awk -v n=$messages -v t="$took" 'BEGIN { printf "%.2f", n * 1000000 / t }')"
	else
		cannot "$row" /s "$name" "$messages messages, $(($(sent "$way") - before)) sent, $(waiting) left in the queue"
		host_run a find /var/spool/mqueue -type f -delete
	fi
}

ways_start
! has_kept || ways+=(kept)
nothing_mailer
for ((pass = 1; pass <= passes; pass++)); do
	for way in "${ways[@]}"; do
		measure "$way"
	done
done
