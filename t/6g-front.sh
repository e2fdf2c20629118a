#!/bin/bash
# 6g-front - a load balancer brings connections and says whose they are (-F): that client is whom all else
# goes by. Who lists nobody, or says it badly or late, serves nobody; who is not listed is not believed,
# whatever it says. The balancer is a script here, and HAProxy in 6h-haproxy. Real inetd and sendmail; needs
# root (t/lib).
source=${abs_top_srcdir:-$(cd "$(dirname "$0")/.." && pwd)}
. "$source/t/lib/tap.sh"
. "$source/t/lib/world.sh"
. "$source/t/lib/mail.sh"
. "$source/t/lib/relaying.sh"

receiver=/usr/libexec/blackpony/blackpony-receiver
list=/etc/blackpony/balancers
check="$proxy_signature"'\x20\x00\x00\x00' # the command LOCAL

talk() { host_run "$1" python3 "$source/t/tools/talk.py" "${@:2}" 2>&1; }

# brings CLIENT LOCAL TALK-ARGUMENT...: the balancer, for such a client.
brings() { talk lb -x "$(proxy_header "$1" "$2")" "${@:3}"; }

mail() { printf '%s\n' 'EHLO peer.example' "MAIL FROM:<$1@c.test>" "RCPT TO:<${2:-bob@b.test}>" QUIT; }
letter() { printf '%s\n' 'EHLO peer.example' 'MAIL FROM:<x@c.test>' 'RCPT TO:<bob@b.test>' DATA "Subject: $1" '' . QUIT; }
logged() { wait_for 10 grep -Eq -e "$1" "$(host_root b)/var/log/mail.log"; }
lines() { host_log b | grep -Ec -e "$1"; }
sendmails() { host_log b | grep -c 'NOQUEUE: connect from'; }

# served NAME CLIENT LOCAL TO AS LOGGED: a letter from that client; sendmail and the log show it AS.
served() {
	local said
	said=$(letter "$1" | brings "$2" "$3" "$4")
	like "$said" '^250 2\.0\.0 .*Message accepted' "$1: mail is taken" || diag "$said"
	ok "$1: the log has the client and who brought it" \
		logged "blackpony-receiver.* peer=\\[$6\\], via=\\[.*\\], helo=peer\\.example.* messages=1"
	ok "$1: it is delivered" wait_for 10 grep -q "^Subject: $1\$" "$(host_root b)/var/mail/box/bob"
	like "$(tac "$(host_root b)/var/mail/box/bob" | sed "1,/^Subject: $1\$/d;/^From /q")" \
		"^Received: from peer\\.example \\(\\[$5\\]" "$1: its Received header has the client"
}

clients() {
	served four 192.0.2.7 10.77.0.2 10.77.0.2 192.0.2.7 '192\.0\.2\.7'
	served six 2001:db8::7 fd77::2 fd77::2 IPv6:2001:db8:0:0:0:0:0:7 'IPv6:2001:db8::7'
	served "six by way of four" 2001:db8::7 2001:db8::25 10.77.0.2 IPv6:2001:db8:0:0:0:0:0:7 'IPv6:2001:db8::7'
	served mapped ::ffff:192.0.2.7 ::ffff:192.0.2.25 fd77::2 192.0.2.7 '192\.0\.2\.7'
	# xinetd's socket is of both families, where an IPv4 address is a mapped one.
	like "$(mail mapped | brings 192.0.2.7 192.0.2.25 -p 2506 10.77.0.2)" '^250 2\.1\.5' "a balancer whose address is v4-mapped is listed"
	like "$(talk lb -x "$(proxy_header 192.0.2.7 192.0.2.25)" -p 2506 fd77::2 <<<QUIT)" '^221 ' "and one of IPv6 there"
	ok "the balancer of the one" logged 'peer=\[192\.0\.2\.7\], via=\[10\.77\.0\.10\]'
	ok "and of the other" logged 'peer=\[192\.0\.2\.7\], via=\[IPv6:fd77::10\]'
}

# What is said of this client in access_db, in peers, and by the limits.
judged() {
	like "$(mail judged | brings 198.51.100.7 192.0.2.25 10.77.0.2)" '^550 5\.7\.1 .*Access denied' "access REJECT"
	like "$(mail judged $relay_third | brings 198.51.100.8 192.0.2.25 10.77.0.2)" '^250 2\.1\.5' "access RELAY"
	like "$(mail judged $relay_third | brings 192.0.2.7 192.0.2.25 10.77.0.2)" '^550 5\.7\.1 .*Relaying denied' \
		"nobody else may relay"
	host_put b /etc/blackpony/peers <<<'192.0.2.7 encrypt'
	like "$(mail judged | brings 192.0.2.7 192.0.2.25 10.77.0.2)" '^530 5\.7\.0 ' "peers"
	like "$(mail judged | brings 192.0.2.8 192.0.2.25 10.77.0.2)" '^250 2\.1\.5' "but not of another client"
	rm "$(host_root b)/etc/blackpony/peers"
	host_spawn lb held sh -c "sleep 60 | python3 $source/t/tools/talk.py -p 2501 -x '$(proxy_header 192.0.2.7 192.0.2.25)' 10.77.0.2"
	wait_for 10 grep -q ^220 "$(host_root lb)/var/log/held.out" || diag "no session is held"
	like "$(mail judged | brings 192.0.2.7 192.0.2.26 -p 2501 10.77.0.2)" '^421 4\.7\.0 .*Too many sessions from your address' \
		"-M 1: a second session of this client"
	ok "with its address in the log" logged 'too many sessions of this address, peer=\[192\.0\.2\.7\]'
	like "$(mail judged | brings 192.0.2.8 192.0.2.25 -p 2501 10.77.0.2)" '^250 2\.1\.5' "the first of another"
	like "$(talk lb -x "$(proxy_header 192.0.2.9 192.0.2.25)EHLO x\\r\\n" 10.77.0.2 </dev/null)" \
		'^554 5\.5\.1 .*You spoke before the greeting' "who speaks before the greeting"
	ok "with its address too" logged 'spoke before the greeting, peer=\[192\.0\.2\.9\], octets=8'
}

# The balancer itself: with LOCAL it is a client as any, and one that only looks is not in the log.
checks() {
	local before
	like "$(letter check | talk lb -x "$check" 10.77.0.2)" '^250 2\.0\.0 ' "LOCAL: mail of the balancer's own"
	ok "is in the log as its" logged 'blackpony-receiver.* peer=\[10\.77\.0\.10\], helo=peer.example.* messages=1'
	like "$(mail check $relay_third | talk lb -x "$check" 10.77.0.2)" 'Relaying denied' "it may not relay"
	ok "a refusal is in the log too" logged 'peer=\[10\.77\.0\.10\].* refused=1'
	before=$(lines 'blackpony-receiver.*10\.77\.0\.10') sessions=$(sendmails)
	is "$(talk lb -x "$check" 10.77.0.2 <<<QUIT | tail -n +2)" '221 2.0.0 mail.b.test closing connection' "a check that waits for the greeting and says QUIT"
	talk lb -x "$check" 10.77.0.2 </dev/null >/dev/null
	is "$(sendmails)" "$sessions" "costs no sendmail"
	like "$(printf '%s\n' 'HELO lb.example' QUIT | talk lb -x "$check" 10.77.0.2)" '^221 ' "one that says HELO"
	host_run lb python3 -c 'import socket; socket.create_connection(("10.77.0.2", 25)).close()'
	talk lb -x "$check" -p 2502 10.77.0.2 <<<QUIT >/dev/null
	ok "with -v there is a line for a check" logged 'blackpony-receiver.* peer=\[10\.77\.0\.10\], suite=none, messages=0'
	host_run lb python3 -c 'import socket; socket.create_connection(("10.77.0.2", 2502)).close()'
	ok "and for one that only connects" logged 'no client from balancer, peer=\[10\.77\.0\.10\], reason="closed without a word"'
	is "$(lines 'blackpony-receiver.*10\.77\.0\.10')" $((before + 2)) "without there is none"
}

# turn_away LABEL TALK-ARGUMENT...: they are asked side by side, for some of them are waited for.
going=()
turn_away() {
	talk lb "${@:2}" <<<'?' >"$WORLD/away.$1" &
	going+=($!)
}

# turned_away LABEL REASON
turned_away() {
	is "$(cat "$WORLD/away.$1")" $'421 4.3.5 mail.b.test System incorrectly configured\nclosed' "$1: 421"
	ok "$1: a line" logged "no client from balancer, peer=.*, reason=\"?$2"
}

faults() {
	local sessions label
	sessions=$(sendmails)
	turn_away none 10.77.0.2
	turn_away half -x "$proxy_signature\\x21" fd77::2
	turn_away smtp -x 'EHLO x\r\n' 10.77.0.2
	turn_away one -x 'PROXY TCP4 192.0.2.7 192.0.2.25 40001 25\r\n' 10.77.0.2
	turn_away udp -x "$proxy_signature\\x21\\x12\\x00\\x0c\\xc0\\x00" fd77::2
	turn_away loopback -x "$(proxy_header 127.0.0.1 192.0.2.25)" 10.77.0.2
	turn_away loopback6 -x "$(proxy_header ::1 2001:db8::25)" 10.77.0.2
	turn_away mapped -x "$(proxy_header ::ffff:127.0.0.1 ::ffff:192.0.2.25)" 10.77.0.2
	turn_away any -x "$(proxy_header 0.0.0.0 192.0.2.25)" 10.77.0.2
	turn_away many -x "$(proxy_header 224.0.0.1 192.0.2.25)" 10.77.0.2
	turn_away all -x "$(proxy_header 255.255.255.255 192.0.2.25)" 10.77.0.2
	turn_away any6 -x "$(proxy_header :: 2001:db8::25)" fd77::2
	turn_away many6 -x "$(proxy_header ff02::1 2001:db8::25)" fd77::2
	wait "${going[@]}"
	for label in smtp one udp; do
		turned_away $label 'no PROXY header of version 2'
	done
	for label in loopback loopback6 mapped; do
		turned_away $label 'the header has a loopback'
	done
	for label in any many all any6 many6; do
		turned_away $label 'the header has an address for the client.s that no host has'
	done
	for label in none half; do
		turned_away $label 'no PROXY header in time'
	done
	is "$(lines 'no client from balancer')" 14 "one line for each" # and that of -v above
	is "$(sendmails)" "$sessions" "no sendmail was started for any of them"
}

# Who is not listed names a client that may relay, at each moment when it could be heard.
liars() {
	local lie said sessions before
	lie=$(proxy_header 198.51.100.8 192.0.2.25)
	sessions=$(sendmails)
	like "$(mail liar $relay_third | talk c -x "$lie" -p 2507 10.77.0.2)" '^554 5\.5\.1 ' "before the greeting: turned away"
	like "$(mail liar $relay_third | talk c -x "$lie" -p 2507 fd77::2)" '^554 5\.5\.1 ' "by IPv6 too"
	said=$(printf '%s\n' "=$lie"'MAIL FROM:<x@c.test>\r\nRCPT TO:<'$relay_third'>\r\n' '?' '?' '?' | talk c 10.77.0.2)
	is "$(sed -n '2s/ .*//p' <<<"$said")" 500 "behind the greeting: a bad first command"
	unlike "$said" '^250 2\.1\.5' "and nothing is relayed" || diag "$said"
	said=$({
		echo 'EHLO peer.example'
		echo "=$lie"
		printf '%s\n' '?' 'MAIL FROM:<x@c.test>' "RCPT TO:<$relay_third>" QUIT
	} | talk c 10.77.0.2)
	unlike "$said" "^250 2\\.1\\.5" "behind EHLO: relays nothing" || diag "$said"
	# The client of an honest balancer, which passes on what it says.
	like "$(talk lb -x "$(proxy_header 192.0.2.7 192.0.2.25)$lie" 10.77.0.2 </dev/null)" '^554 5\.5\.1 ' \
		"a second header behind the balancer's: spoke before the greeting"
	ok "as the client that it is" logged 'spoke before the greeting, peer=\[192\.0\.2\.7\], octets=28'
	like "$(mail liar $relay_third | talk lb -x "$lie" -p 2503 10.77.0.2)" '^554 5\.5\.1 ' "without -F nobody is believed"
	is "$(lines 'peer=.*198\.51\.100\.8')" 1 "the log has that address once, where the balancer named it"
	unlike "$(host_queue b)" third.test "nothing for the third host is in the queue"
}

# shut_out NAME REASON: a file that is no good.
shut_out() {
	like "$(mail x | brings 192.0.2.7 192.0.2.25 10.77.0.2)" '^421 4\.3\.5 mail\.b\.test' "$1: who comes by a balancer gets 421"
	like "$(mail x | talk c 10.77.0.2)" '^421 4\.3\.5 mail\.b\.test' "$1: and who comes without one"
	ok "$1: the log says it" logged "no mail taken, reason=\"$list$2"
	like "$(host_run b $receiver -F $list --check 2>&1)" "^fault: $list$2.*; until that is mended every client gets 421" "$1: --check too"
	host_run b $receiver -F $list --check >/dev/null 2>&1
	is $? 78 "$1: with its exit status"
}

file() {
	like "$(host_run b $receiver -F $list --check)" "^ok: $list: load balancers, or networks of them: 2\$" "--check of a good file"
	unlike "$(host_run b $receiver --check)" balancers "and without -F nothing of it"
	like "$(mail direct | talk c 10.77.0.2)" '^250 2\.1\.5' "who is not listed and says nothing is a client as ever"
	host_put b $list <<<$'10.77.0.10\nlb.example'
	shut_out "a faulty line" ":2: 'lb\\.example' is no address"
	host_put b $list <<<'0.0.0.0/0'
	shut_out "a line for everybody" ":1: '0\\.0\\.0\\.0/0' is everybody"
	host_put b $list 666 <<<'10.77.0.10'
	shut_out "a file that anybody may write" ': mode 0666 lets others'
	rm "$(host_root b)$list"
	shut_out "a missing file" ': there is no such file'
}

world_start
host_start b 10.77.0.2 fd77::2 sendmail inetd
host_start lb 10.77.0.10 fd77::10 tools
host_start c 10.77.0.3 fd77::3 tools
host_put b /etc/mail/access <<-'END'
	Connect:198.51.100.7	REJECT
	Connect:198.51.100.8	RELAY
END
pony_host b
mail_boxes b bob
host_put b $list <<<$'10.77.0.8/29 # lb\n[fd77::10]'
{
	sed "s|blackpony-receiver\$|& -F $list|" "$source/doc/inetd.conf.example"
	echo "2501 stream tcp nowait root $receiver receiver -F $list -M 1"
	echo "2502 stream tcp nowait root $receiver receiver -F $list -v"
	# With a pause, so that what is sent at once is sent before the greeting, however slow the machine.
	echo "2503 stream tcp nowait root $receiver receiver -g 10000"
	echo "2507 stream tcp nowait root $receiver receiver -F $list -g 10000"
	echo "2507 stream tcp6 nowait root $receiver receiver -F $list -g 10000"
} >"$WORLD/inetd.conf"
host_inetd b "$WORLD/inetd.conf"
sed "s/port\t.*25\$/port = 2506/; s|^\tserver\t.*|&\n\tserver_args = -F $list|" "$source/doc/xinetd.blackpony" |
	host_put b /etc/xinetd.d/blackpony
host_put b /etc/xinetd.conf <<<'includedir /etc/xinetd.d'
host_spawn b xinetd xinetd -dontfork -syslog mail
wait_for 10 host_listens b 2506 || bail "xinetd does not listen"
clients
judged
checks
faults
liars
file
done_testing
