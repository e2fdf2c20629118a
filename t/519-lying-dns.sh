#!/bin/bash
# 519-lying-dns - row 19: a name server that lies, fails, babbles and leads in circles, and what becomes of
# the mail in a real sendmail's queue: what may be otherwise tomorrow waits, what DNS says for good bounces
# (RFC 5321 section 5, RFC 7505), mail is never taken to a host that was slipped in, nor to ourselves; and
# when the name server tells the truth again, all that waited is delivered, once. t/14-resolve has each
# answer by itself. Real inetd and sendmail on either side; needs root (t/lib).
source=${abs_top_srcdir:-$(cd "$(dirname "$0")/.." && pwd)}
. "$source/t/lib/tap.sh"
. "$source/t/lib/world.sh"
. "$source/t/lib/mail.sh"
. "$source/t/lib/peers.sh"
p=liar.test
liar=10.77.0.54

# SERVFAIL and its like, answers that are none, and those of which some part cannot be known.
temporary='servfail refused silent wrongid wrongquestion babble stump pointer overrun countlie lame
	onlystrangers truncated cut overlong mixed-servfail-gone'
found='chain-stop-10 hundred strangers badnames badlengths half mixed-servfail-mx2 backup notquitenull'
# The domain and what its bounce says.
declare -A bounces=(
	[gone]='5.1.2 550 5\.1\.2 .*does not exist'
	[dangling]='5.1.2 550 5\.1\.2 .*does not exist'
	[null]='5.1.10 556 5\.1\.10 .*null MX'
	[empty]='5.4.4 550 5\.4\.4 .*no mail host of it has an address'
	[mixed-gone-gone]='5.4.4 550 5\.4\.4 .*no mail host of it has an address'
	[loop]='5.4.6 554 5\.4\.6 .*CNAME'
	[chain-on-0]='5.4.6 554 5\.4\.6 .*CNAME'
	[chain-stop-11]='5.4.6 554 5\.4\.6 .*CNAME'
	[mirror]='5.3.5 553 5\.3\.5 .*loops back'
	[best]='5.3.5 553 5\.3\.5 .*loops back'
	[loopback]='5.3.5 553 5\.3\.5 .*loops back'
)

# resolver ADDRESS: a's from now on.
resolver() { printf 'nameserver %s\noptions timeout:1 attempts:1\n' "$1" | host_put a /etc/resolv.conf; }

start() {
	local name n
	world_ip wire <<<"addr add $liar/24 dev br0"
	host_spawn wire liar python3 "$source/t/tools/liar.py" $liar
	wait_for 10 grep -q ': 36004D0A:0035 ' "/proc/${host_pid[wire]}/net/tcp" || bail "no liar"
	host_start a 10.77.0.1 fd77::1 sendmail
	host_start b 10.77.0.2 fd77::2 sendmail inetd
	host_start m 10.77.0.3 fd77::3
	# The liar's hosts are in 192.0.2.0/24. b has the good ones, m that which nobody asked for.
	for n in 1 2 7 9; do
		echo "addr add 192.0.2.$n/32 dev eth0"
	done | world_ip b
	world_ip m <<<'addr add 192.0.2.66/32 dev eth0'
	printf 'route add %s\n' '192.0.2.0/25 dev eth0' 'unreachable 192.0.2.128/25' 'unreachable 2001:db8::/32' \
		'unreachable 198.51.100.0/24' | world_ip a
	world_ip b <<<'route add 10.77.0.0/24 dev eth0 metric 10'
	host_spawn m trap python3 -c '
import socket
listener = socket.create_server(("192.0.2.66", 25), backlog=16)
while True:
    listener.accept()[0].close()
    print("met", flush=True)'
	wait_for 10 host_listens m 25 || bail "no trap"
	# sendmail itself does without DNS: all questions are blackpony-mailer's.
	host_put a /etc/nsswitch.conf <<<'hosts: files'
	host_put a /etc/mail/service.switch <<<'hosts files'
	pony_host a "$source/doc/sendmail.mc.example" "-DBLACKPONY_MAILER_ARGS=$peers_args"
	for name in $temporary $found "${!bounces[@]}" crowd farhundred oversize; do
		echo "$name.$p"
	done | host_put b /etc/mail/local-host-names
	pony_host b
	# shellcheck disable=SC2086 # words
	mail_boxes b $temporary $found crowd farhundred oversize
	host_inetd b
	resolver $liar
}

# post_all DOMAIN...: a message to each, to a user of its first label.
post_all() {
	local name
	for name; do
		post "$name" 100 "$name@$name.$p"
	done
	posted
}

waits() { # NAME STATUS ERE
	deferred "$1" "$2" "$3" "$1@$1.$p"
	like "$(host_queue a)" "[[:space:]]$1@" "$1: in the queue"
	nok "$1: delivered nowhere" test -s "$(host_root b)/var/mail/box/$1"
}

arrived() {
	ok "$1: delivered" wait_for 20 mail_there b "$1" || diag "$(log_of "$1@$1.$p")"
	is "$(grep -c '^Subject: ' "$(host_root b)/var/mail/box/$1")" 1 "$1: once"
}

world_start
start
# shellcheck disable=SC2086 # words
post_all $temporary $found "${!bounces[@]}" crowd farhundred oversize
for name in $temporary; do
	waits "$name" 4.4.3 "451 4\.4\.3 $name\.liar\.test: no good answer from the name servers"
done
for name in "${!bounces[@]}"; do
	bounced "$name" "${bounces[$name]%% *}" "^${bounces[$name]#* }" "$name@$name.$p"
done
for name in $found; do
	arrived "$name"
done
waits crowd 4.4.1 '451 4\.4\.1 crowd\.liar\.test .*port 25: (No route to host|Network is unreachable)'
waits farhundred 4.4.1 '451 4\.4\.1 mx[0-9]*\.liar\.test .*port 25: (No route to host|Network is unreachable)'
is "$(log_of "oversize@oversize.$p" | grep -Eo 'stat=(Sent|Deferred)' | grep -c .)" 1 "oversize: taken or deferred, and no bounce"
nok "nobody came to the host that was slipped in" grep -q met "$(host_root m)/var/log/trap.out"
unlike "$(host_log a)" 'blackpony-mailer.*(engine|resolver) (ended|broke)' "and no part of the mailer broke"

# The truth: a zone in which b is the host of all that waited.
for name in $temporary crowd farhundred oversize; do
	echo "$name IN MX 10 mail.b.test."
done | world_zone $p
world_dns
resolver 10.77.0.53
flush
for name in $temporary crowd farhundred oversize; do
	arrived "$name"
done
like "$(host_queue a)" 'is empty' "the queue is empty"
done_testing
