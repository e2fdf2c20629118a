#!/bin/bash
# row-sessions - sessions of one message each that the receiving end takes in a second, some at a time, and the
# processor time that it needs for one; what the kernel's threads do meanwhile is told apart, for taking down a
# network namespace is such work, with which no process is charged. Behind blackpony-receiver and behind the tunnels is
# bench/stub, from inetd, as it is alone. Behind bench/floor, which has the receiver's processes, sandboxes and arithmetic
# and nothing else, or in one process without any, the client speaks plain SMTP. The client has a core of its own, the receiving end another, so that the
# figure is the receiver's as long as it needs more than its client.
. "${0%/*}/lib.sh"
. "${0%/*}/cpu.sh"
. "${0%/*}/load.sh"

at_a_time=(2 4)
parts=1 # of the sessions
[ "$mode" = full ] || at_a_time=(4) parts=6

# measure AT-A-TIME SIDE VARIANT SESSIONS CLIENT-OPTION...
measure() {
	local n=$1 side=$2 variant=$3 sessions=$(($4 / parts)) before kernel
	shift 4
	before=$(cpu_used "$side") kernel=$(cpu_kernel)
	if ! client -c "$n" -n $sessions "$@"; then
		cannot "sessions, $n at a time" /s "$variant" "a session failed"
		return
	fi
	sample "sessions, $n at a time" /s "$variant" "$(awk -v n=$sessions -v s="$took" 'BEGIN { printf "%.1f\n", n / s }')"
	cpu_rest "$side"
	[ "$n" = "${at_a_time[0]}" ] || return 0
	sample 'CPU of a session, receiving end' ms "$variant" "$(per $sessions $(($(cpu_used "$side") - before)))"
	case $variant in
	blackpony | stub) sample "the kernel's threads meanwhile" ms "$variant" "$(per $sessions $(($(cpu_kernel) - kernel)))" ;;
	esac
}

load_start
host_put b /etc/stunnel/inetd.conf <<-END
	syslog = no
	cert = /etc/bench/cert.pem
	key = /etc/bench/key.pem
	exec = $stub
	execArgs = stub
END
load_inetd "2465 stream tcp nowait /usr/bin/stunnel4 stunnel4 /etc/stunnel/inetd.conf" "2500 stream tcp nowait $stub stub" "25 stream tcp nowait $receiver -- $stub" \
	"2501 stream tcp nowait $static_receiver -- $stub" "2502 stream tcp nowait $floor $stub" \
	"2503 stream tcp nowait ${floor%% /usr/libexec/blackpony/empty*} - $stub"
load_static
load_tunnels
load_stunnel a inetd 'accept = 10.77.0.1:1466' 'connect = 10.77.0.2:2465' 'client = yes' 'sessionResume = no'
listens a 1466
load_postfix
load_starttls 10.77.0.4
cpu_host b b
cpu_host q q
cpu_rest b
cpu_rest q
if [ "$(nproc)" -gt 1 ]; then
	client_on=(taskset -c 1)
	load_pin 0 b q
	load_pin 1 a
fi
client -c 4 -n 8 -p 10.77.0.1 2525 # Postfix's processes stay
cpu_rest q
for ((pass = 1; pass <= passes; pass++)); do
	for n in "${at_a_time[@]}"; do
		measure "$n" b blackpony 150 10.77.0.2 25
		[ -z "$has_static" ] || measure "$n" b 'blackpony, static libraries' 150 10.77.0.2 2501
		measure "$n" b 'processes and walls alone' 150 -p 10.77.0.2 2502
		measure "$n" b 'one process without walls' 300 -p 10.77.0.2 2503
		measure "$n" b stub 600 -p 10.77.0.2 2500
		measure "$n" b stunnel 300 -p 10.77.0.1 1465
		measure "$n" b 'stunnel from inetd' 150 -p 10.77.0.1 1466
		measure "$n" b spiped 200 -p 10.77.0.1 8025
		measure "$n" q 'Postfix STARTTLS' 120 -p 10.77.0.1 2525
	done
done
