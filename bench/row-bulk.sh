#!/bin/bash
# row-bulk - the processor time that it takes to carry much: one message, from bench/client to bench/stub, whose
# own time is taken off. So blackpony's monitors and engines of both ends remain, or both ends of a tunnel.
. "${0%/*}/lib.sh"
. "${0%/*}/cpu.sh"
. "${0%/*}/load.sh"

row='bulk, both ends' unit=s/GB
megabytes=300 # so many that the start of the processes does not count
[ "$mode" = full ] || megabytes=100
bill=/run/bill

# measure VARIANT CLIENT-OPTION...: the client is of side a, with all that it starts.
measure() {
	local variant=$1 before
	shift
	: >"$(host_root b)$bill"
	before=$(($(cpu_used a) + $(cpu_used b)))
	cpu_in a client -s ${megabytes}000000 "$@" || { cannot "$row" $unit "$variant" "not carried"; return; }
	wait_for 10 test -s "$(host_root b)$bill"
	cpu_rest b
	sample "$row" $unit "$variant" "$(awk -v all=$(($(cpu_used a) + $(cpu_used b) - before)) -v client="$own" \
		-v mb=$megabytes '{ printf "%.3f\n", (all - client * 1000000 - $1) / mb / 1000 }' "$(host_root b)$bill")"
}

load_start
load_inetd "2500 stream tcp nowait $stub stub $bill" "25 stream tcp nowait $receiver -- $stub $bill" \
	"2501 stream tcp nowait $receiver -s $classical -- $stub $bill"
load_tunnels
cpu_host a a
cpu_host b b
cpu_rest a
cpu_rest b
mailer=/usr/libexec/blackpony/blackpony-mailer
for ((pass = 1; pass <= passes; pass++)); do
	measure blackpony -m $mailer '[10.77.0.2]'
	measure 'blackpony, no upgrade' -m $mailer -s mlkem768x25519-chachapoly -p 2501 '[10.77.0.2]'
	measure stunnel -p 10.77.0.1 1465
	measure spiped -p 10.77.0.1 8025
done
host_log a | grep 'blackpony-mailer.*suite=' | sed 's/.*suite=\([^,]*\),.*/\1/' | sort | uniq -c
