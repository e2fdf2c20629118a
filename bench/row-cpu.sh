#!/bin/bash
# row-cpu - the processor time of a message of 1 KB over a connection of its own, on the receiving side and on the
# sending side: of all processes of that host, from the start of the first to the end of the last.
#   The receiving side gets its mail from bench/client (or through stunnel), whose time is not in it; blackpony's
# back end and what it is compared with are the same sendmail -bs. Accepted mail is thrown away there.
#   The sending side is sendmail, started for each message, with either of its mailers; and Postfix's daemons. What
# a program mailer costs sendmail in any case is told by one that does nothing.
. "${0%/*}/lib.sh"
. "${0%/*}/cpu.sh"
. "${0%/*}/load.sh"

receiving='CPU, receiving side' sending='CPU, sending side'
received=20 sent=5 # messages in a pass
[ "$mode" = full ] || received=6 sent=2

# receive SIDE VARIANT CLIENT-OPTION...
receive() {
	local side=$1 variant=$2 before
	shift 2
	before=$(cpu_used "$side")
	client -n $received "$@" || { cannot "$receiving" ms "$variant" "not taken"; return; }
	cpu_rest "$side"
	sample "$receiving" ms "$variant" "$(per $received $(($(cpu_used "$side") - before)))"
}

all_sent() { [ "$(sent "$1")" -ge "$2" ]; }

# send SIDE WAY COMMAND...: as post of lib.sh, so many messages one after the other. The command is sendmail, or what
# Postfix has in its place.
send() {
	local side=$1 way=$2 variant=${way_name[$2]} before wanted
	shift 2
	letter "$way.test" | host_put "$side" /tmp/letter
	wanted=$(($(sent "$way") + sent)) before=$(cpu_used "$side")
	# shellcheck disable=SC2016 # expanded on the host
	HOST_NETWORK=a cpu_in "$side" host_run "$side" sh -c 'for n in $0; do "$@" </tmp/letter; done' "$(seq -s ' ' $sent)" \
		"$@" -i -f alice@a.test "bob@$way.test"
	wait_for 30 all_sent "$way" $wanted || { cannot "$sending" ms "$variant" "not sent"; return; }
	cpu_rest "$side"
	sample "$sending" ms "$variant" "$(per $sent $(($(cpu_used "$side") - before)))"
}

measure() {
	local way sendmail
	receive b 'blackpony hybrid' "${way_address[hybrid]}" 25
	receive b 'blackpony classical' -x $classical "${way_address[classical]}" 25
	receive b "${way_name[bs]}" -p "${way_address[bs]}" 25
	receive q 'Postfix plain' -r bob@postfix-plain.test -p "${way_address[postfix-plain]}" 25
	receive q 'Postfix STARTTLS' -r bob@postfix-starttls.test -p 10.77.0.1 2525
	receive q 'Postfix STARTTLS, resumed' -r bob@postfix-starttls.test -p 10.77.0.1 2526
	for way in hybrid classical bare bs starttls nothing; do
		sendmail_of $way
		send a $way "${sendmail[@]}" -odi
	done
	send p postfix-plain sendmail
	send p postfix-starttls sendmail
}

ways_start
nothing_mailer
cpu_start || { echo "no control groups"; exit 1; }
load_starttls "${way_address[postfix-starttls]}"
for host in a b p q; do
	cpu_host $host $host
	cpu_rest $host
done
# Once beforehand, so that files are in memory and Postfix's processes there.
[ "$mode" = quick ] || measure 3>/dev/null
for ((pass = 1; pass <= passes; pass++)); do
	measure
done
