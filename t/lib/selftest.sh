#!/bin/bash
# selftest.sh: the test world itself.  Two stock sendmail hosts exchange a message over the wire;
# afterwards nothing is left.  Needs no blackpony.
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=t/lib/tap.sh
. "$here/tap.sh"
# shellcheck source=t/lib/world.sh
. "$here/world.sh"

# anchors: what holds the world's namespaces up, and their names.
anchors() {
	local pid
	for pid in "${host_pid[@]}"; do
		echo "/proc/$pid"
		readlink "/proc/$pid/ns/net" "/proc/$pid/ns/mnt" "/proc/$pid/ns/pid"
	done
}

# traces ANCHOR...: those that still exist.
traces() {
	local all
	all=$(ls -d /proc/[0-9]* 2>/dev/null; readlink /proc/[0-9]*/ns/{net,mnt,pid} 2>/dev/null)
	printf '%s\n' "$@" | grep -Fx -f <(sort -u <<<"$all")
}
no_traces() { [ -z "$(traces "$@")" ]; }

milliseconds() { echo $((${EPOCHREALTIME/./} / 1000)); }

begin=$(milliseconds)
world_start
host_start a 10.77.0.1 fd77::1 sendmail
host_start b 10.77.0.2 fd77::2 sendmail
took=$(($(milliseconds) - begin))
for host in a b; do
	host_sendmail $host "$here/plain.mc"
	host_daemon $host
done
diag "name server and two hosts: $took ms; with two sendmails: $(($(milliseconds) - begin)) ms"

is "$(host_run a hostname -f)" mail.a.test "a host knows its full name"
like "$(host_run a getent ahosts mail.b.test)" '^fd77::2 ' "the name server gives an AAAA"
like "$(host_run a getent hosts 10.77.0.2)" 'mail.b.test' "and a PTR"
like "$(host_run b getent hosts fd77::1)" 'mail.a.test' "for IPv6 as well"
is "$(host_run a getent hosts no.such.test; echo $?)" 2 "and what is not there is not there"

wiretap_start
host_as a alice sendmail -i bob@b.test <<'END'
Subject: over the wire
To: bob@b.test

A line that a wiretap can read.
END
ok "the message arrives" wait_for 10 grep -q 'a wiretap can read' "$(host_root b)/var/mail/bob"
wiretap_stop "$WORLD/pcap"

mailbox=$(host_mailbox b bob)
like "$mailbox" '^From alice@(mail\.)?a\.test' "from alice"
like "$mailbox" '^Received: from mail\.a\.test \(mail\.a\.test \[' "through the network"
like "$(host_log b)" 'mailer=local, .*stat=Sent' "b's log says so"
like "$(host_log a)" 'to=<bob@b\.test>, .*mailer=esmtp, .*relay=mail\.b\.test\..* stat=Sent' \
	"and so does a's"
ok "the wiretap has the body" grep -aq 'A line that a wiretap can read' "$WORLD/pcap"
ok "and the envelope" grep -aqi 'MAIL From:<alice@' "$WORLD/pcap"
like "$(host_queue a)" 'is empty' "nothing is left in a's queue"
is "$(ls /etc/mail/sendmail.mc 2>/dev/null)" "" "the machine's own /etc/mail saw nothing"

# Over a delay line of 30 ms each way, a ping takes 60 ms and a fraction.
wire_delay a b 30
for address in 10.77.0.2 fd77::2; do
	rtt=$(HOST_NETWORK=a host_run wire ping -c 8 -i 0.2 -q $address |
		sed -n 's,^rtt [^=]*= \([0-9]*\)\..*,\1,p')
	is "$rtt" 60 "ping $address over the delay line: 60 ms, to the millisecond"
done

# shellcheck disable=SC2207 # words
gone=($(anchors)) scratch=$WORLD
ok "the test can see what it looks for" test -n "$(traces "${gone[@]}")"
world_stop
ok "no process and no namespace is left" no_traces "${gone[@]}"
nok "no file is left" ls -d "$scratch"
nok "no mount is left" grep "$scratch" /proc/mounts

# The same when the shell is killed, with a chance to clean up and without.
for signal in TERM KILL; do
	notes=$(mktemp)
	bash -c '. "$0/world.sh"; world_start; host_start a 10.77.0.1 fd77::1
		for pid in "${host_pid[@]}"; do readlink /proc/$pid/ns/net; done >"$1"
		echo "$WORLD" >>"$1"
		while :; do sleep 0.1; done' "$here" "$notes" &
	victim=$!
	ok "a second world beside the first" wait_for 20 grep -q ^/tmp/ "$notes"
	# shellcheck disable=SC2207 # words
	gone=($(cat "$notes"))
	{ kill -$signal $victim; wait $victim; } 2>/dev/null
	ok "its namespaces end with SIG$signal" wait_for 5 no_traces "${gone[@]}"
	[ $signal != TERM ] || nok "and its files" ls -d "${gone[-1]}"
	rm -rf "$notes" "${gone[-1]}"
done
done_testing
