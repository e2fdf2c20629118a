#!/bin/bash
# 5e-kept-moments - kept sessions and bad moments: keepers and engines that are killed, stopped or left
# alone; hosts that leave, say 421 or fall silent just then; an MTA that dies amid DATA. It costs a
# connection, and nothing else: no message is lost, none comes twice. Real sendmail and inetd; needs root
# (t/lib).
. "$abs_top_srcdir/t/lib/tap.sh"
. "$abs_top_srcdir/t/lib/world.sh"
. "$abs_top_srcdir/t/lib/mail.sh"
. "$abs_top_srcdir/t/lib/kept.sh"

# receivers NAME SIGNAL: to the processes of host b whose names begin so.
receivers() {
	# shellcheck disable=SC2016 # expanded on the host
	host_run b sh -c 'for p in /proc/[0-9]*; do
		case $(cat $p/comm 2>&1) in "$0"*) kill "-$1" "${p#/proc/}" ;; esac; done; true' "$1" "$2"
}

killed() {
	one_kept
	signal STOP keeping
	mailed keeper-stopped bob@b.test
	not_used "a keeper that is stopped: a new connection"
	arrives "stopped" keeper-stopped
	signal CONT keeping
	kept_end
	one_kept
	signal KILL kept
	mailed engine-killed bob@b.test
	not_used "an engine that was killed: a new connection"
	arrives "engine killed" engine-killed
	kept_end
	one_kept
	signal STOP kept
	signal KILL keeping
	signal CONT kept
	ok "an engine without a keeper leaves" wait_for 10 kept_none
	unlike "$(host_log b | grep 'blackpony-receiver.*messages=' | tail -n 1)" ' fault=' "in order"
}

# Each of these while the engine, stopped for that moment, has been given to a mail already.
at_that_moment() {
	local what=$1 subject=$2 lost
	lost=$(host_log a | grep -c 'kept session lost')
	one_kept
	signal STOP kept
	case $what in
	FIN) receivers blackpony-rec KILL ;;
	421) receivers sendmail KILL ;;
	esac
	mailed "$subject" bob@b.test &
	sleep 0.5
	signal CONT kept
	wait $!
	arrives "$what at that moment" "$subject"
	is "$(host_log a | grep -c 'kept session lost')" $((lost + 1)) "$what: the kept session was tried"
	not_used "$what: and a new connection made"
	kept_end
}

silent() {
	local begin
	one_kept
	receivers blackpony-rec STOP
	begin=$SECONDS
	mailed silent bob@b.test
	arrives "a host fell silent" silent
	not_used "by a new connection"
	ok "after ten seconds" test $((SECONDS - begin)) -ge 9 -a $((SECONDS - begin)) -lt 60
	receivers blackpony-rec CONT
	kept_end
}

# say WORDS, hear: a dialogue with a mailer by hand.
say() { printf '%s\r\n' "$@" >&"$to"; }
hear() {
	local line
	while read -r -t 30 line <&"$from" && [[ $line == ???-* ]]; do :; done
	last=${line%$'\r'}
}
begin_body() {
	local -a enter
	one_kept
	host_enter a
	coproc MAILER { exec "${enter[@]}" "${as_pony[@]}" "$program" -v -K 30 b.test; }
	from=${MAILER[0]} to=${MAILER[1]}
	hear
	say 'EHLO mail.a.test'
	hear
	say 'MAIL FROM:<alice@a.test>'
	hear
	say 'RCPT TO:<bob@b.test>' DATA
	hear
	hear
	is "${last:0:3}" 354 "$1: in a kept session, amid DATA"
	say "Subject: $1" '' 'some'
}
hang_up() {
	exec {to}>&-
	wait "$MAILER_PID" 2>/dev/null
}
amid_body() {
	begin_body dies-in-data
	hang_up
	ok "the MTA dies: the kept session ends" wait_for 15 kept_none
	ok "without a close" wait_for 10 eval 'host_log b | grep "blackpony-receiver.*messages=" | tail -n 1 | grep -q fault='
	is "$(boxes dies-in-data)" 0 "and without the dot: nothing is delivered"

	begin_body keeper-dies
	signal KILL keeping
	say words .
	hear
	is "${last:0:3}" 250 "the keeper dies: the mail goes on"
	say QUIT
	hear
	ok "and then its session ends" wait_for 15 kept_none
	arrives "the keeper dies" keeper-dies
	hang_up

	begin_body host-dies
	receivers blackpony-rec KILL
	say words .
	hear
	like "$last" '^451 4\.4\.2 ' "the host dies amid DATA: 451"
	say QUIT
	is "$(boxes host-dies)" 0 "nothing is delivered"
	hang_up
	kept_end
}

# chaos NAME TITLE: such processes of host a are killed while mail goes on, at no moment in particular.
chaos() {
	local n killer pids lost=0 doubled=0 told before
	before=$(sessions b)
	told=$(host_log a | grep -c 'stat=Deferred')
	while sleep "0.0$((RANDOM % 9 + 1))"; do
		mapfile -t pids < <(kept_processes "$2")
		[ "${#pids[@]}" = 0 ] || host_run a kill -KILL "${pids[RANDOM % ${#pids[@]}]}"
	done 2>/dev/null &
	killer=$!
	for ((n = 1; n <= 15; n++)); do
		mailed "$1-$n" bob@b.test
	done
	{ kill "$killer"; wait "$killer"; } 2>/dev/null
	host_flush a >/dev/null 2>&1
	wait_for 20 all_there "$1" || diag "waiting: $(host_queue a)"
	for ((n = 1; n <= 15; n++)); do
		[ "$(boxes "$1-$n")" -ge 1 ] || lost=$((lost + 1))
		[ "$(boxes "$1-$n")" -le 1 ] || doubled=$((doubled + 1))
	done
	told=$(($(host_log a | grep -c 'stat=Deferred') - told))
	is "$lost" 0 "$1: killed at random: no message is lost"
	# As in all SMTP: a reply to the dot that is lost makes sendmail try once more.
	ok "$1: none comes twice but where sendmail was told that it failed" test "$doubled" -le "$told"
	diag "$1: $doubled twice, $told deferred"
	kept_end
	ok "$1: and sessions did end by it" wait_for 10 eval "[ \"\$(sessions b)\" -ge $((before + 3)) ]"
}
all_there() { [ "$(grep -c "^Subject: $1-" "$(host_root b)/var/mail/box/bob")" -ge 15 ]; }

world_start
host_start a 10.77.0.1 fd77::1 sendmail
host_start b 10.77.0.2 fd77::2 sendmail inetd
kept_host
kept_receiver
killed
at_that_moment FIN fin-then
at_that_moment 421 busy-then
amid_body
silent
chaos while-kept 'ke\(eping\|pt\)'
chaos any-time ''
done_testing
