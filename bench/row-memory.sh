#!/bin/bash
# row-memory - what an idle session needs of memory: PSS of its processes, with many sessions at once, for they share
# pages with one another. A session has been upgraded, where that is on offer, has had its EHLO reply and has been idle
# for two seconds: after one, blackpony's processes give back what they do not need. Back ends
# are not counted: bench/stub is behind blackpony-receiver.
. "${0%/*}/lib.sh"
. "${0%/*}/cpu.sh"
. "${0%/*}/load.sh"

row='PSS of an idle session' unit=kB sessions=20 idle=2 # seconds
[ "$mode" = full ] || sessions=10

# counted HOST PROCESS OLD: the host's processes of that name, but for the old ones.
counted() {
	local proc
	for proc in $(cpu_processes "$1"); do
		[ "$(cat "/proc/$proc/comm" 2>/dev/null)" != "${2::15}" ] || [[ " $3 " = *" $proc "* ]] || echo "$proc"
	done
}

pss() {
	local proc
	for proc in $(counted "$@"); do
		sed -n 's/^Pss: *\([0-9]*\) kB/\1/p' "/proc/$proc/smaps_rollup"
	done | awk -v n=$sessions '{ sum += $1 } END { printf "%.1f\n", sum / n }'
}

none() { [ -z "$(counted "$@")" ]; }

# measure VARIANT HOST PROCESS CLIENT-OPTION...: what is there without sessions is not counted, but for smtpd, which
# Postfix keeps for the sessions to come.
measure() {
	local variant=$1 host=$2 process=$3 old='' said
	shift 3
	[ "$process" = smtpd ] || old=$(echo $(counted "$host" "$process" ''))
	coproc CLIENT { host_run a "$world_build/bench/client" -i -n $sessions "$@"; }
	exec {end}>&"${CLIENT[1]}"
	if read -r said <&"${CLIENT[0]}" && [ "$said" = idle ]; then
		sleep $idle
		sample "$row" $unit "$variant" "$(pss "$host" "$process" "$old")"
	else
		cannot "$row" $unit "$variant" "no sessions"
	fi
	exec {end}>&-
	eval "exec ${CLIENT[1]}>&-"
	wait "$CLIENT_PID"
	[ "$process" = smtpd ] || wait_for 10 none "$host" "$process" "$old" || echo "$variant: sessions stay"
}

load_start
sed 's/Port=smtp/Port=2503/' "$source/t/lib/plain.mc" >"$WORLD/daemon.mc"
host_sendmail b "$WORLD/daemon.mc" -DconfDONT_PROBE_INTERFACES=True
host_daemon b
load_inetd "25 stream tcp nowait $receiver -- $stub" \
	"2501 stream tcp nowait $static_receiver -- $stub" \
	"2504 stream tcp nowait $floor $stub" "2502 stream tcp nowait /usr/sbin/sendmail-mta sendmail -bs -Am"
load_postfix
load_starttls 10.77.0.4
load_static
for ((pass = 1; pass <= passes; pass++)); do
	measure blackpony b blackpony-receiver 10.77.0.2 25
	[ -z "$has_static" ] || measure 'blackpony, static libraries' b static-receiver 10.77.0.2 2501
	measure 'processes and walls alone' b floor -p 10.77.0.2 2504
	measure 'Postfix smtpd, STARTTLS' q smtpd -p 10.77.0.1 2525
	measure 'sendmail -bd, plain' b sendmail-mta -p 10.77.0.2 2503
	measure 'sendmail -bs, plain' b sendmail-mta -p 10.77.0.2 2502
done
