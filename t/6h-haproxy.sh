#!/bin/bash
# 6h-haproxy - two receivers behind one address, by the real HAProxy with doc/haproxy.cfg as it stands: clients
# of IPv4 and IPv6, in clear, by STARTTLS and by XPONY, are whom sendmail and the log see; nobody relays; a
# client's own header is not believed; checks leave the log alone; keys of siblings satisfy who pins; one host
# dies, and the other takes the mail. Real inetd, sendmail and blackpony-mailer; needs root (t/lib).
source=${abs_top_srcdir:-$(cd "$(dirname "$0")/.." && pwd)}
. "$source/t/lib/tap.sh"
. "$source/t/lib/world.sh"
. "$source/t/lib/mail.sh"
. "$source/t/lib/relaying.sh"

receiver=/usr/libexec/blackpony/blackpony-receiver
mailer=/usr/libexec/blackpony/blackpony-mailer
list=/etc/blackpony/balancers
front4=192.0.2.25 front6=2001:db8::25

# The addresses of the example are the hosts' second ones.
address() { world_ip "$1" <<<"addr add 192.0.2.$2/24 dev eth0"$'\n'"addr add 2001:db8::$2/64 dev eth0 nodad"; }

balancer() {
	host_start lb 10.77.0.10 fd77::10 haproxy
	address lb 10
	address lb 25
	host_run lb sh -c 'grep -q ^haproxy: /etc/passwd || echo haproxy:x:64990:64990::/var/lib/haproxy:/bin/false >>/etc/passwd
		grep -q ^haproxy: /etc/group || echo haproxy:x:64990: >>/etc/group'
	host_put lb /etc/haproxy/haproxy.cfg <"$source/doc/haproxy.cfg"
	# The other check, and receivers that announce no sibling.
	sed 's/^\t\(bind .*\|server .*\):25$/\t\1:2525/; /tcp-check expect\|tcp-check send/d
		s/option tcp-check/option smtpchk EHLO haproxy.example/; s/inter 5s/inter 2s/' \
		"$source/doc/haproxy.cfg" | host_put lb /etc/haproxy/other.cfg
	is "$(host_run lb haproxy -c -V -f /etc/haproxy/haproxy.cfg 2>&1)" 'Configuration file is valid' \
		"HAProxy finds nothing in the example to remark on"
	host_spawn lb haproxy haproxy -db -f /etc/haproxy/haproxy.cfg
	host_spawn lb other haproxy -db -f /etc/haproxy/other.cfg
	wait_for 10 host_listens lb 25 || bail "HAProxy does not listen"
	wait_for 10 host_listens lb 2525 || bail "HAProxy does not listen"
}

# member NAME N RECEIVER-ARGUMENT...: a host of the farm.
member() {
	host_start "$1" "10.77.0.$2" "fd77::$2" sendmail inetd tools
	address "$1" "$2"
	host_put "$1" /etc/mail/local-host-names <<<$'b.test\nfarm.test'
	host_tls "$1"
	pony_host "$1"
	mail_boxes "$1" bob
	host_run "$1" blackpony-keygen -q --rotate next
	host_put "$1" $list <<<192.0.2.10
	{
		sed "s|blackpony-receiver\$|& -F $list -c 30d -S /etc/blackpony/siblings ${*:3}|" "$source/doc/inetd.conf.example"
		echo "2525 stream tcp nowait.1000 root $receiver receiver -F $list"
	} >"$WORLD/$1.inetd"
}

# What each of them announces: all their keys, present and next.
siblings() {
	local name
	for name in mx1 mx2; do
		host_run $name blackpony-keygen -y
		cat "$(host_root $name)/etc/blackpony/hostkey.next.pub"
	done >"$WORLD/siblings"
	for name in mx1 mx2; do
		host_put $name /etc/blackpony/siblings <"$WORLD/siblings"
		host_inetd $name "$WORLD/$name.inetd"
	done
}

farm_log() { host_log mx1; [ -z "${host_pid[mx2]-}" ] || host_log mx2; }
farm_mail() { cat "$(host_root mx1)/var/mail/box/bob" "$(host_root mx2)/var/mail/box/bob" 2>/dev/null; }
farm_logged() { farm_log | grep -Eq -e "$1"; }
farm_has() { farm_mail | grep -q -e "$1"; }

letter() { printf '%s\n' 'EHLO peer.example' 'MAIL FROM:<x@c.test>' 'RCPT TO:<bob@farm.test>' DATA "Subject: $1" '' . QUIT; }
talk() { host_run c python3 "$source/t/tools/talk.py" "$@" 2>&1; }

# pony ARGUMENT...: the script on standard input by blackpony-mailer, which keeps no session.
pony() {
	host_run a setpriv --reuid blackpony --regid blackpony --clear-groups \
		python3 "$source/t/tools/talk.py" $mailer -K 0 "$@" 2>&1
}

# served NAME SAID RECEIVED LOGGED: that letter was taken, and it is known of whom.
served() {
	like "$2" '^250 2\.0\.0 .*Message accepted' "$1: taken" || diag "$2"
	ok "$1: the log has the true client" wait_for 10 farm_logged "blackpony-receiver.* peer=\\[$4, via=\\[192\\.0\\.2\\.10\\].* messages=1"
	ok "$1: it arrives" wait_for 10 farm_has "^Subject: $1\$"
	like "$(farm_mail | tac | sed "1,/^Subject: $1\$/d;/^From /q")" "^Received: from peer\\.example \\(\\[$3\\]" \
		"$1: its Received header has the true client"
}

clients() {
	local pony='suite=mlkem768x25519-chachapoly'
	served "plain, IPv4" "$(letter "plain, IPv4" | talk $front4)" 192.0.2.3 '192\.0\.2\.3\]'
	served "plain, IPv6" "$(letter "plain, IPv6" | talk $front6)" IPv6:2001:db8:0:0:0:0:0:3 'IPv6:2001:db8::3\]'
	served "XPONY, IPv4" "$(letter "XPONY, IPv4" | pony "[$front4]")" 192.0.2.1 '192\.0\.2\.1\]'
	served "XPONY, IPv6" "$(letter "XPONY, IPv6" | pony "[IPv6:$front6]")" IPv6:2001:db8:0:0:0:0:0:1 'IPv6:2001:db8::1\]'
	is "$(farm_log | grep -c "blackpony-receiver.* via=.* $pony")" 2 "two of these were encrypted"
	ok "both hosts have had clients" eval 'host_log mx1 | grep -q "via=" && host_log mx2 | grep -q "via="'
}

# Row 17, side by side, for sendmail slows down whoever names bad recipients.
relaying() {
	local n said going=()
	relay_tries one | talk $front4 >"$WORLD/said.1" & going+=($!)
	relay_tries two | talk $front6 >"$WORLD/said.2" & going+=($!)
	relay_tries three | pony "[$front4]" >"$WORLD/said.3" & going+=($!)
	relay_tries four | pony "[IPv6:$front6]" >"$WORLD/said.4" & going+=($!)
	{
		printf '%s\n' 'EHLO peer.example' STARTTLS
		relay_tries five
	} | talk $front4 >"$WORLD/said.5" & going+=($!)
	wait "${going[@]}"
	relay_refused "relaying, plain, IPv4" "$(cat "$WORLD/said.1")"
	relay_refused "relaying, plain, IPv6" "$(cat "$WORLD/said.2")"
	relay_refused "relaying, XPONY, IPv4" "$(cat "$WORLD/said.3")"
	relay_refused "relaying, XPONY, IPv6" "$(cat "$WORLD/said.4")"
	said=$(cat "$WORLD/said.5")
	like "$said" '^TLS ' "relaying, STARTTLS: TLS"
	relay_refused "relaying, STARTTLS" "$(sed '1,/^TLS/d' <<<"$said")"
}

# A header of one's own, which says that one is a host of the farm. It comes before the greeting or behind it.
liars() {
	local lie='\x0d\x0a\x0d\x0a\x00\x0d\x0a\x51\x55\x49\x54\x0a\x21\x11\x00\x0c\x0a\x4d\x00\x0b\x0a\x4d\x00\x0b\x9c\x41\x00\x19'
	local to said before=$(liar_lines)
	for to in 192.0.2.11 $front4; do
		said=$(printf '%s\n' 'EHLO peer.example' 'MAIL FROM:<x@c.test>' "RCPT TO:<$relay_third>" QUIT | talk -x "$lie" $to)
		like "$said" '^5[05][04] 5\.5\.1 ' "a header of a client's own, to $to: no command"
		unlike "$said" '^250 2\.1\.5' "relays nothing" || diag "$said"
	done
	ok "both are known as who they are" wait_for 10 eval "[ \"\$(liar_lines)\" -eq $((before + 2)) ]"
	is "$(farm_log | grep -c 'blackpony-receiver.*peer=\[10\.77')" 0 "and nobody as whom he named"
}
liar_lines() { farm_log | grep -Ec 'blackpony-receiver.* peer=\[192\.0\.2\.3\].*(octets=28$|messages=0,)'; }

# keys: how many keys a has proved of the farm's hosts.
keys() { host_log a | grep 'host=mx\.farm\.test\|relay=mx\.farm\.test' | grep -o ' key=SHA256:[^,]*' | sort -u | wc -l; }

# Two hosts with keys of their own under one name.
pinned() {
	local n bad=
	host_put a /etc/blackpony/pinning <<<'farm.test pinned'
	like "$(letter first | pony -4 farm.test)" '^250 2\.0\.0' "a first letter"
	for n in {1..8}; do
		letter "pinned $n" | pony -4 -P /etc/blackpony/pinning farm.test >"$WORLD/said"
		grep -q '^250 2\.0\.0' "$WORLD/said" || bad+=$(cat "$WORLD/said")
	done
	is "$bad" "" "eight more to who pins: each is taken"
	is "$(keys)" 2 "from two hosts with two keys"
	host_run a install -d -o blackpony -g blackpony -m 700 /run/otherpins
	like "$(letter other | pony -4 -p 2525 -d /run/otherpins farm.test)" '^250 2\.0\.0' "where no sibling is announced: a first letter"
	for n in {1..8}; do
		letter "unannounced $n" | pony -4 -p 2525 -d /run/otherpins -P /etc/blackpony/pinning farm.test
	done >"$WORLD/said"
	like "$(cat "$WORLD/said")" '^451 4\.7\.5 ' "the other key is a stranger's"
}

# checked: HAProxy has looked at mx2 twice, which mx2 says for it has -v.
checked() { [ "$(host_log mx2 | grep -c 'blackpony-receiver.* peer=\[192\.0\.2\.10\], suite=none')" -ge 2 ]; }
checks() {
	ok "checks come as the balancer's own (LOCAL)" wait_for 30 checked
	like "$(host_log mx1)" 'sendmail.*192\.0\.2\.10. did not issue MAIL' "smtpchk has sendmail answer, and log"
	unlike "$(host_log mx1)" 'blackpony-receiver.*(peer=\[192\.0\.2\.10\]|no client)' "neither of them is in the receiver's log"
	is "$(host_log mx2 | grep -c 'no client from balancer')" 0 "nor is there anything wrong with them"
}

deaths() {
	local n before bad=
	before=$(host_log mx2 | grep -c 'blackpony-receiver.* messages=1')
	host_kill mx1 inetd
	for n in {1..4}; do
		letter "without mx1, $n" | talk $front4 >"$WORLD/said"
		grep -q '^250 2\.0\.0' "$WORLD/said" || bad+=$(cat "$WORLD/said")
	done
	is "$bad" "" "the receiver of mx1 is gone: four letters are taken all the same"
	is "$(host_log mx2 | grep -c 'blackpony-receiver.* messages=1')" $((before + 4)) "by mx2"
	host_inetd mx1 "$WORLD/mx1.inetd"
	ok "it is back, and is given clients" wait_for 30 mx1_serves
	host_stop mx2
	like "$(letter "without mx2" | talk $front4)" '^250 2\.0\.0' "mx2 loses its power: mail is taken"
	like "$(letter "encrypted, without mx2" | pony "[IPv6:$front6]")" '^250 2\.0\.0' "encrypted too"
}
mx1_serves() {
	letter again | talk $front4 >/dev/null
	host_log mx1 | tail -n +"$mark" | grep -q 'blackpony-receiver.* via=.* messages=1'
}

world_start
world_zone farm.test <<-END
	@ IN MX 10 mx
	mx IN A $front4
	mx IN AAAA $front6
END
world_zone third.test <<<'@ IN MX 10 mail.c.test.'
member mx1 11
member mx2 12 -v
siblings
balancer
host_start a 10.77.0.1 fd77::1 sendmail tools
address a 1
pony_host a
host_start c 10.77.0.3 fd77::3 tools
address c 3
clients
relaying
liars
pinned
checks
mark=$(($(host_log mx1 | wc -l) + 1))
deaths
done_testing
