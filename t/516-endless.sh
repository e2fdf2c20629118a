#!/bin/bash
# 516-endless - peers that never end: a line, a reply, a drip of octets, silence, half of the connection
# closed, one that does not read; at each phase, in clear and encrypted, at the receiver (real inetd and
# sendmail) and at the mailer. Each ends at its deadline, with 421 where one can still be said; nothing is
# delivered; the memory is bounded (t/42-memory); nothing is left. Needs root (t/lib).
#
# The deadlines are 3 s here (-t 3, and Timeout in sendmail.cf); what they are by default, and that slow
# lines are served, is in t/28-engine-pace.
source=${abs_top_srcdir:-$(cd "$(dirname "$0")/.." && pwd)}
. "$source/t/lib/tap.sh"
. "$source/t/lib/world.sh"
. "$source/t/lib/mail.sh"

libexec=/usr/libexec/blackpony
endless=$source/t/tools/endless.py

hosts() {
	host_start b 10.77.0.2 fd77::2 sendmail inetd tools
	host_start c 10.77.0.3 fd77::3 tools
	{
		cat "$source/doc/sendmail.mc.example"
		echo "define(\`confTO_COMMAND', \`4s')dnl"
		echo "define(\`confTO_DATABLOCK', \`9s')dnl"
	} >"$WORLD/b.mc"
	pony_host b "$WORLD/b.mc"
	cat >"$WORLD/inetd.conf" <<-CONF
		smtp stream tcp nowait.1000 root $libexec/blackpony-receiver receiver -t 3 -M 0
	CONF
	host_inetd b "$WORLD/inetd.conf"
}

# said WAY: what a client was told; took WAY: the seconds.
said() { sed -n "s/^$1 [0-9]* //p" "$WORLD/said"; }
took() { sed -n "s/^$1 \([0-9]*\) .*/\1/p" "$WORLD/said"; }
nobody() { ! host_run b pgrep '^(blackpony|sendmail)' >/dev/null; }
slots() { host_run b $libexec/blackpony-receiver --check | sed -n 's/^ok: sessions: .*; now //p'; }

timeout='421 4.4.2 Timeout, closing connection'
too_long='500 5.5.2 Line too long'

# client PHASE:KIND FROM TO WHAT: it heard that, so many seconds later.
client() {
	like "$(said "$1")" "^$4\$" "$1: told so" || diag "$(grep "^$1 " "$WORLD/said")"
	ok "$1: after $(took "$1") s" test "$(took "$1")" -ge "$2" -a "$(took "$1")" -le "$3"
}

clients() {
	local -a ways=(connect:{line,drip,silence,half} hello:{line,drip,half} mail:{line,drip,silence,half,unread,leave}
		body:{drip,silence,half} sealed-hello:{line,records,half} sealed-mail:{unread,leave} sealed-body:{records,silence,half})
	host_run c python3 "$endless" client 10.77.0.2 25 "${ways[@]}" >"$WORLD/said" 2>"$WORLD/faults"
	is "$(wc -l <"$WORLD/said")" ${#ways[@]} "each client comes to its end" || diag "$(cat "$WORLD/said" "$WORLD/faults")"
	client connect:line 0 9 "$too_long"
	client connect:drip 2 12 "$timeout"
	client connect:silence 2 12 "$timeout"
	client connect:half 0 3 -
	client hello:line 0 9 "$too_long"
	client hello:drip 2 12 "$timeout"
	client hello:half 0 9 '(-|221 .*|421 .*)'
	client mail:line 0 9 "$too_long"
	client mail:drip 2 12 "$timeout"
	client mail:silence 2 14 "$timeout"
	client mail:half 0 9 '(-|221 .*|421 .*)'
	client body:drip 2 12 "$timeout"
	client body:silence 2 12 "$timeout"
	client body:half 0 9 '(-|421 .*)'
	client sealed-hello:line 0 9 "$too_long"
	client sealed-hello:records 2 12 "$timeout"
	client sealed-hello:half 0 9 -
	client sealed-body:records 2 12 "$timeout"
	client sealed-body:silence 2 12 "$timeout"
	client sealed-body:half 0 9 -
	ok "nobody is left" wait_for 30 nobody || diag "$(host_run b ps -eo pid,ppid,etimes,args)"
	is "$(slots)" 0 "and every slot is free"
	is "$(host_mailbox b bob)" "" "nothing was delivered"
	unlike "$(host_log b)" 'engine ended without|broke its bounds' "no engine came to grief"
	# On a busy machine one that left may be noticed by its silence, too.
	ok "the log has each timeout, and those who did not read" \
		test "$(host_log b | grep -c 'blackpony-receiver.* fault=timeout.* ms=[0-9]\{4,5\}$')" \
		-ge $(($(grep -c '421 4.4.2' "$WORLD/said") + 2)) || diag "$(host_log b | grep 'fault=')"
}

# mailer PORT: a message to the host there.
mailer() {
	printf '%s\n' 'EHLO b.test' 'MAIL FROM:<alice@b.test>' 'RCPT TO:<x@c.test>' DATA 'Subject: x' '' x . QUIT |
		host_run b timeout 60 python3 "$source/t/tools/talk.py" $libexec/blackpony-mailer -p "$1" '[10.77.0.3]'
}

servers() {
	local -a ways=({greeting,ehlo,mail,rcpt,data,dot}:{line,lines,half} sealed-{ehlo,mail,dot}:{line,lines,half})
	local -a mailers=()
	local port=3000 way heard
	host_spawn c servers python3 "$endless" server $port "${ways[@]}"
	wait_for 10 host_listens c $((port + ${#ways[@]} - 1)) || diag "no servers"
	for way in "${ways[@]}"; do
		mailer $((port++)) >"$WORLD/heard.$way" 2>&1 &
		mailers+=($!)
	done
	wait "${mailers[@]}"
	for way in "${ways[@]}"; do
		heard=$(cat "$WORLD/heard.$way")
		like "$heard" '^4(51|21) .*(no SMTP reply|connection closed|lost after the final dot|timeout|gave up|refused|cannot|tried|reach)' \
			"$way: deferred" || diag "$heard"
		unlike "$heard" '^(55|250 .*aken)' "$way: neither bounced nor taken"
	done
	ok "no mailer is left" wait_for 30 nobody
	unlike "$(host_log b)" 'engine ended without|broke its bounds' "no engine came to grief"
}

mail_still_goes() {
	printf '%s\n' 'EHLO c.test' 'MAIL FROM:<x@c.test>' 'RCPT TO:<bob@b.test>' DATA 'Subject: still' '' x . QUIT |
		host_run c python3 "$source/t/tools/talk.py" 10.77.0.2 >/dev/null
	ok "mail still arrives" wait_for 20 grep -q '^Subject: still' "$(host_root b)/var/mail/bob"
}

world_start
hosts
clients
mail_still_goes
servers
done_testing
