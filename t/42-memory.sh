#!/bin/bash
# 42-memory - what a session needs: the receiver's and the mailer's processes, idle, in each phase, and
# with peers that never end a line or a reply. Fails when one needs more than doc/TESTING.md says.
# sendmail's own memory is not counted. Needs root (t/lib).
source=${abs_top_srcdir:-$(cd "$(dirname "$0")/.." && pwd)}
. "$source/t/lib/tap.sh"
. "$source/t/lib/world.sh"
. "$source/t/lib/mail.sh"

# In kB: RSS of one process; RSS of all with files' pages counted once; what only they have.
one_max=3072 own_max=1280
endless=$source/t/tools/endless.py
libexec=/usr/libexec/blackpony

hosts() {
	host_start b 10.77.0.2 fd77::2 sendmail inetd tools
	host_start c 10.77.0.3 fd77::3 tools
	pony_host b
	host_inetd b
}

# watch NAME COMMAND...: sets most, the line of rss.py that has the most own memory.
watch() {
	local name=$1
	shift
	host_spawn b rss python3 "$source/t/tools/rss.py" "$name"
	wait_for 10 grep -q ready "$(host_root b)/var/log/rss.out" || diag "no watch"
	"$@" >/dev/null 2>&1
	host_kill b rss
	most=$(grep processes "$(host_root b)/var/log/rss.out" | sort -t= -k7 -n | tail -n 1)
}

value() { sed "s/.* $1=\([0-9]*\).*/\1/" <<<"$most"; }

# bounded WHAT PROCESSES ONCE
bounded() {
	diag "$1: $most kB"
	like "$most" "^processes=$2 " "$1: all its processes were seen" || return
	ok "$1: $(value own) kB of its own" test "$(value own)" -le $own_max
	ok "$1: $(value once) kB with all that it shares" test "$(value once)" -le "$3"
	ok "$1: $(value one) kB in the larger of its processes" test "$(value one)" -le $one_max
}

client() { host_run c env STAY=1 python3 "$endless" client 10.77.0.2 25 "$@"; }

receiver() {
	local way
	watch blackpony-receiver client connect:stay
	bounded "receiver, greeted" 2 3584
	watch blackpony-receiver client mail:stay
	bounded "receiver, in a dialogue" 2 3584
	watch blackpony-receiver client sealed-mail:stay
	bounded "receiver, encrypted" 2 3584
	for way in hello:line sealed-hello:line body:message sealed-body:message; do
		watch blackpony-receiver client $way
		bounded "receiver, $way" 2 3584
	done
}

mailer() {
	{
		printf '%s\n' 'EHLO b.test' 'MAIL FROM:<alice@b.test>' 'RCPT TO:<x@c.test>' DATA 'Subject: long' ''
		yes "$(printf '%0990d' 0)" | head -c 6000000
		printf '\n.\nQUIT\n'
	} | host_run b setpriv --reuid blackpony --regid blackpony --clear-groups \
			python3 "$source/t/tools/talk.py" $libexec/blackpony-mailer -p "$1" c.test
}

mailers() {
	local -a ways=(ehlo:stay mail:stay data:unread sealed-mail:stay sealed-data:unread)
	local port=3000 way
	host_spawn c servers python3 "$endless" server $port "${ways[@]}"
	wait_for 10 host_listens c $((port + ${#ways[@]} - 1)) || diag "no servers"
	for way in "${ways[@]}"; do
		watch blackpony-mailer mailer $((port++))
		bounded "mailer, $way" 3 4608
	done
}

idle() {
	local log
	log=$(host_root b)/var/log/shrinks.out
	host_spawn b shrinks python3 "$source/t/tools/shrinks.py" blackpony-receiver
	wait_for 10 grep -q ready "$log" || diag "no watch"
	host_run c env STAY=15 python3 "$endless" client 10.77.0.2 25 sealed-mail:stay >/dev/null &
	ok "an idle session: its engine gives memory back" wait_for 20 grep -q from "$log"
	diag "$(tail -n 1 "$log")"
	kill $! 2>/dev/null
	wait $!
}

# kernel: kB of the whole machine's kernel; only a rough measure where others work on it.
kernel() { awk '/^(Slab|KernelStack|PageTables|Percpu):/ { sum += $2 } END { print sum }' /proc/meminfo; }

# What 50 sessions with a back end each need of the kernel, and 50 without.
in_kernel() {
	local before phase
	sed -i 's/blackpony-receiver$/& -M 0/' "$(host_root b)/etc/inetd.conf"
	host_kill b inetd
	host_spawn b inetd inetd -i
	wait_for 5 host_listens b 25
	for phase in connect hello; do
		before=$(kernel)
		# shellcheck disable=SC2046 # 50 words
		host_run c env STAY=8 python3 "$endless" client 10.77.0.2 25 $(yes $phase:stay | head -50) >/dev/null &
		sleep 6
		diag "kernel, $phase: $((($(kernel) - before) / 50)) kB a session$(
			[ $phase = connect ] || echo ", its TCP pair and its sendmail included")"
		wait $!
	done
}

if ldd "${BLACKPONY_BIN:-$world_build}/blackpony-receiver" 2>/dev/null | grep -q asan; then
	skip_all "a build with sanitizers has its own needs"
fi
world_start
hosts
receiver
idle
mailers
[ "${BLACKPONY_ALL:-no}" = no ] || in_kernel
done_testing
