#!/bin/bash
# 40-limits - which connections the receiver serves: so many in all, so many from one address or /64,
# none when the load is high, none that speak before the greeting; and a slot is free again however
# its session ended. Real inetd and sendmail; needs root (t/lib).
source=${abs_top_srcdir:-$(cd "$(dirname "$0")/.." && pwd)}
. "$source/t/lib/tap.sh"
. "$source/t/lib/world.sh"
. "$source/t/lib/mail.sh"

receiver=/usr/libexec/blackpony/blackpony-receiver
slots=/run/blackpony/slots

# A port for each kind of limit.
hosts() {
	host_start b 10.77.0.2 fd77::2 sendmail inetd
	host_start c 10.77.0.3 fd77::3 tools
	world_ip c <<-END
		addr add 10.77.0.4/24 dev eth0
		addr add fd77::3:1/64 dev eth0 nodad
		addr add fd78::1/64 dev eth0 nodad
		addr add fd79::1/64 dev eth0 nodad
	END
	world_ip b <<-END
		route add fd78::/15 dev eth0
	END
	pony_host b
	cat >"$WORLD/inetd.conf" <<-CONF
		smtp stream tcp nowait.1000 root $receiver receiver
		2501 stream tcp nowait.1000 root $receiver receiver -m 3
		2501 stream tcp6 nowait.1000 root $receiver receiver -m 3
		2502 stream tcp nowait.1000 root $receiver receiver -M 2
		2502 stream tcp6 nowait.1000 root $receiver receiver -M 2
		2503 stream tcp nowait.1000 root $receiver receiver -L 5
		2504 stream tcp nowait.1000 root $receiver receiver -g 1500
		2505 stream tcp nowait.1000 root $receiver receiver -m 0 -M 0 -L 0
		2506 stream tcp nowait.1000 root $receiver receiver -m 1 -- /usr/local/bin/stubborn
		2507 stream tcp nowait.1000 root /usr/local/bin/few few
	CONF
	host_put b /usr/local/bin/few 755 <<-END
		#!/bin/sh
		ulimit -n 7
		exec $receiver
	END
	host_put b /usr/local/bin/stubborn 755 <<-'END'
		#!/bin/sh
		echo '220 stubborn'
		echo $$ >/run/stubborn
		exec sleep 1000
	END
	host_inetd b "$WORLD/inetd.conf"
	wait_for 5 host_listens b 2505
}

log_since() { host_log b | tail -n +"$mark"; }
here() { mark=$(($(host_log b | wc -l) + 1)); }

is_ready() { grep -q ready "$(host_root "${host:-c}")/var/log/$1.out"; }

# crowd LABEL PORT COUNT TARGET...: from c; heard LABEL is what they heard.
crowd() {
	host_spawn "${host:-c}" "$1" python3 "$source/t/tools/crowd.py" "${@:2}"
	wait_for 30 is_ready "$1" || diag "crowd $1 hangs"
}
heard() { grep -v ready "$(host_root "${host:-c}")/var/log/$1.out"; }
served() { heard "$1" | grep -c '^220 '; }
# A crowd that was killed has closed its connections; the sessions need a moment.
leave() { host_kill "${host:-c}" "$1"; wait_for 10 nobody || diag "sessions stay"; }
nobody() { [ "$(monitors | wc -l)" -eq 0 ]; }
# What runs on b as the receiver, monitors first.
monitors() { host_run b ps -C blackpony-receiver -o pid=,ppid=,user=,args=; }

# says LABEL PORT AFTER WORDS: one from c that speaks, so many seconds after it has connected.
says() {
	HOST_ENV=(CROWD_SAYS="$4" CROWD_AFTER="$3")
	host_spawn c "$1" python3 "$source/t/tools/crowd.py" "$2" 1 10.77.0.2
	HOST_ENV=()
}

in_all() {
	here
	crowd three 2501 2 10.77.0.2 'fd77::2<fd78::1'
	is "$(served three)" 3 "-m 3: three are served"
	is "$(heard three | tail -1)" "421 4.3.2 mail.b.test Too many sessions, try again later" \
		"the fourth hears why not, whatever its address"
	crowd more 2501 3 10.77.0.2
	is "$(served more)" 0 "nor is a fifth"
	like "$(log_since)" 'too many sessions, peer=\[IPv6:fd78:.*:1\], sessions=3, refused=1$' "the log has it"
	is "$(log_since | grep -c 'too many sessions,')" 1 "once a minute, however many come"
	host_kill c more
	leave three
	crowd again 2501 1 10.77.0.2
	is "$(served again)" 1 "when they have gone others are served"
	leave again
}

of_one() {
	here
	crowd two 2502 3 10.77.0.2
	is "$(served two)" 2 "-M 2: two from one address are served"
	is "$(heard two | tail -1)" "421 4.7.0 mail.b.test Too many sessions from your address, try again later" \
		"the third hears why not"
	like "$(log_since)" 'too many sessions of this address, peer=\[10\.77\.0\.3\], sessions=2$' "and the log has it"
	crowd other 2502 1 '10.77.0.2<10.77.0.4'
	is "$(served other)" 1 "another address is served"
	crowd six 2502 2 'fd77::2<fd77::3' 'fd77::2<fd77::3:1'
	is "$(served six)" 2 "the addresses of one /64 are one client"
	crowd sixth 2502 1 'fd77::2<fd79::1'
	is "$(served sixth)" 1 "those of another are another"
	host=b crowd local 2502 4 127.0.0.1
	is "$(host=b served local)" 4 "this host itself is not counted"
	host_kill b local
	host_kill c other
	host_kill c six
	host_kill c sixth
	leave two
}

# The monitor holds the slot, and nobody else does.
killed() {
	local pid pids
	crowd held 2501 3 10.77.0.2
	is "$(served held)" 3 "three again"
	pids=$(monitors | awk '$3 == "root" { print $1 }')
	for pid in $pids; do
		ok "the monitor $pid has the file open" host_run b sh -c "ls -l /proc/$pid/fd | grep -q $slots"
	done
	nok "no engine has it" host_run b sh -c 'for p in $(pgrep -u blackpony-net); do
		ls -l /proc/$p/fd; done | grep slots'
	like "$(host_run b $receiver --check)" '^ok: sessions: at most 100, of one client 10 .*; now 3$' \
		"--check counts them"
	# shellcheck disable=SC2086 # numbers
	host_run b kill -KILL $pids
	crowd after 2501 3 10.77.0.2
	is "$(served after)" 3 "kill -9 of their monitors frees their slots at once"
	wait_for 10 none_but 3
	is "$(monitors | awk '$3 != "root"' | wc -l)" 3 "and their engines do not stay"
	host_kill c after
	leave held
}
none_but() { [ "$(monitors | awk '$3 != "root"' | wc -l)" -eq "$1" ]; }

# sendmail has no slot: it is gone with the client, or it delivers what it has accepted.
back_end() {
	says talker 25 0.5 'EHLO c.test\r\n'
	wait_for 10 sendmail_runs || diag "no sendmail"
	nok "no back end has the file open" host_run b sh -c 'for p in $(pgrep sendmail); do
		ls -l /proc/$p/fd; done | grep slots'
	leave talker
}
sendmail_runs() { host_run b pgrep -f 'sendmail.*(-bs|server|10.77.0.3)' >/dev/null; }

# A back end may need a while to see that its client is gone: who breaks off a session of which
# sendmail still asks DNS or a filter would else have more of them than there are slots.
stubborn() {
	local long
	long=$(printf "%020000d" 0)
	here
	says breaks-off 2506 0.5 "NOOP\\r\\n$long\\r\\n"
	wait_for 30 is_ready breaks-off
	like "$(heard breaks-off)" '^[45]' "a session is broken off, and its back end lives on"
	ok "its engine is gone" wait_for 10 none_but 0
	crowd next 2506 1 10.77.0.2
	like "$(heard next)" '^421 4\.3\.2 ' "-m 1: the slot is still taken"
	unlike "$(monitors | awk '{ print $3 }')" blackpony-net "by a monitor alone"
	host_kill c next
	host_run b kill "$(cat "$(host_root b)/run/stubborn")"
	leave breaks-off
	crowd then 2506 1 10.77.0.2
	is "$(served then)" 1 "until the back end has ended"
	leave then
}

# A port scanner's connection is reset before we are started.
reset_early() {
	here
	host_run c python3 - <<-'END'
		import socket, struct, time
		for _ in range(5):
		    s = socket.create_connection(("10.77.0.2", 25))
		    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
		    s.close()
	END
	crowd behind 25 1 10.77.0.2
	is "$(served behind)" 1 "after five connections that were reset at once one is served"
	leave behind
	unlike "$(log_since)" 'standard input is no TCP' "nobody is told that inetd is set up wrongly"
}

# Enough for all but the socket between monitor and engine.
no_engine() {
	here
	crowd poor 2507 1 10.77.0.2
	is "$(heard poor)" "421 4.3.2 mail.b.test System out of resources" "no engine can be started: the client hears it"
	like "$(log_since)" 'no engine, reason="Too many open files"' "and the log has it"
	leave poor
}

load() {
	here
	crowd idle 2503 1 10.77.0.2
	is "$(served idle)" 1 "-L 5: served when the load is 0"
	leave idle
	echo '7.25 3.00 1.00 9/99 9' >"$(host_root b)/run/loadavg"
	crowd busy 2503 3 10.77.0.2
	is "$(heard busy | sort -u)" "421 4.3.2 mail.b.test System too busy, try again later" \
		"nobody at 7.25"
	is "$(log_since | grep 'load too high')" \
		"$(log_since | grep 'load too high, peer=\[10.77.0.3\], load=7.25, refused=1$')" "the log names the load"
	is "$(log_since | grep -c 'load too high')" 1 "once a minute"
	crowd default 25 1 10.77.0.2
	is "$(served default)" 1 "the default is 12 for each processor"
	like "$(host_run b $receiver -L 7 --check)" '^fault: the load is 7\.25: from 7 on every client gets 421' \
		"--check tells it"
	echo '99999 3.00 1.00 9/99 9' >"$(host_root b)/run/loadavg"
	host_kill c busy
	leave default
	crowd high 25 1 10.77.0.2
	is "$(served high)" 0 "which is surpassed at last"
	crowd never 2505 1 10.77.0.2
	is "$(served never)" 1 "-L 0: never"
	echo '0.00 0.00 0.00 1/1 1' >"$(host_root b)/run/loadavg"
	host_kill c high
	leave never
}

# speaks LABEL PORT AFTER WORDS: until the end of its session.
speaks() {
	says "$@"
	wait_for 30 is_ready "$1"
	leave "$1"
}

early() {
	local refused='554 5.5.1 mail.b.test You spoke before the greeting'
	here
	speaks at-once 2504 0 'EHLO early.test\r\nQUIT\r\n'
	is "$(heard at-once)" "$refused" "-g 1500: who speaks at once is refused, and hears it"
	like "$(log_since)" 'spoke before the greeting, peer=\[10\.77\.0\.3\], octets=23$' "the log has it"
	speaks soon 2504 0.5 'QUIT\r\n'
	is "$(heard soon)" "$refused" "so is who speaks half a second later"
	speaks tls 2504 0 '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03'
	is "$(heard tls)" "$refused" "and TLS on the wrong port"
	speaks late 2504 3 'QUIT\r\n'
	like "$(heard late)" '^221 ' "who waits for the greeting is served"
	crowd silent 2504 1 10.77.0.2
	is "$(served silent)" 1 "who says nothing is greeted"
	leave silent
	unlike "$(log_since)" 'helo=early.test' "nothing that was said early was looked at"
}

# Without its file no limit holds, and mail is taken.
no_file() {
	here
	host_run b rm $slots
	host_run b ln -s /etc/passwd $slots
	crowd link 2501 4 10.77.0.2
	is "$(served link)" 4 "a symbolic link in the file's place: no limit"
	like "$(log_since)" "no limit on sessions, peer=.*, reason=\"[^ ]*$slots: cannot be opened" "the log has it"
	like "$(host_run b $receiver --check)" "^fault: [^ ]*$slots: cannot be opened.*not counted" "and --check"
	leave link
	host_run b rm $slots
	host_run b chown alice /run/blackpony
	crowd foreign 2501 4 10.77.0.2
	is "$(served foreign)" 4 "a directory of somebody else's: no limit"
	like "$(log_since)" "reason=\"[^ ]*/run/blackpony: must be root's" "the log has it"
	leave foreign
	host_run b sh -c 'umount /run/blackpony/net; rm -r /run/blackpony'
	crowd fresh 2501 4 10.77.0.2
	is "$(served fresh)" 3 "nothing there, as after a start of the machine: it is made"
	is "$(host_run b stat -c '%U %a' /run/blackpony $slots | tr '\n' ' ')" "root 755 root 600 " "root's, and closed"
	leave fresh
}

wrong() {
	local option
	for option in '-m -1' '-M 10001' '-L x' '-g 60001' '-t 0'; do
		# shellcheck disable=SC2086 # words
		host_run b $receiver $option </dev/null >/dev/null 2>&1
		is "$?" 64 "$option is a fault"
	done
	like "$(host_log b)" 'blackpony-receiver.*-M wants a number from 0 to 10000, argument=10001' "and logged"
}

delivered() {
	printf '%s\n' 'EHLO c.test' 'MAIL FROM:<>' 'RCPT TO:<carol@b.test>' DATA 'Subject: limits' '' x . QUIT |
		host_run c python3 "$source/t/tools/talk.py" 10.77.0.2 >/dev/null
	ok "mail arrives with all limits at their defaults" wait_for 20 mailbox_has 'Subject: limits'
}
mailbox_has() { host_mailbox b carol | grep -q "$1"; }

world_start
hosts
in_all
of_one
killed
back_end
stubborn
reset_early
no_engine
load
early
no_file
wrong
delivered
done_testing
