#!/bin/bash
# 43-crowd - two thousand idle connections, from 250 networks: with the default limit a hundred of them
# are served and the others hear 421 at once; with room for all of them mail still goes. Tells times and
# memory. Real inetd and sendmail; needs root (t/lib). Runs with ./check --all.
source=${abs_top_srcdir:-$(cd "$(dirname "$0")/.." && pwd)}
. "$source/t/lib/tap.sh"
. "$source/t/lib/world.sh"
. "$source/t/lib/mail.sh"

receiver=/usr/libexec/blackpony/blackpony-receiver
networks=250 each=8

# c has all of fd80::/16, which b reaches by it.
hosts() {
	host_start a 10.77.0.1 fd77::1 sendmail
	host_start b 10.77.0.2 fd77::2 sendmail inetd
	host_start c 10.77.0.3 fd77::3 tools
	world_ip c <<<'route add local fd80::/16 dev lo'
	world_ip b <<<'route add fd80::/16 via fd77::3'
	pony_host a
	pony_host b
	cat >"$WORLD/inetd.conf" <<-CONF
		smtp stream tcp nowait.20000 root $receiver receiver -m 2100
		smtp stream tcp6 nowait.20000 root $receiver receiver -m 2100
		2501 stream tcp6 nowait.20000 root $receiver receiver
	CONF
	host_inetd b "$WORLD/inetd.conf"
	mail_boxes b before amid after
}

# crowd LABEL PORT: sets seconds.
crowd() {
	local i begin=${EPOCHREALTIME/./}
	local -a from=()
	for ((i = 0; i < networks; i++)); do
		from+=("fd77::2<$(printf 'fd80:0:0:%x::1' $((i + 1)))")
	done
	host_spawn c "$1" python3 "$source/t/tools/crowd.py" "$2" $each "${from[@]}"
	wait_for 300 grep -q ready "$(host_root c)/var/log/$1.out" || diag "crowd $1 hangs"
	seconds=$(awk "BEGIN { print (${EPOCHREALTIME/./} - $begin) / 1000000 }")
}
heard() { grep -v ready "$(host_root c)/var/log/$1.out"; }
# kernel: kB that the machine's kernel has for itself. pss: kB of all receivers, files' pages counted once.
kernel() { awk '/^(Slab|KernelStack|PageTables|Percpu):/ { sum += $2 } END { print sum }' /proc/meminfo; }
# shellcheck disable=SC2016 # awk's
pss() { host_run b sh -c 'for p in $(pgrep "^blackpony"); do cat /proc/$p/smaps_rollup; done' 2>/dev/null |
	awk '/^Pss:/ { sum += $2 } END { print sum }'; }
nobody() { ! host_run b pgrep '^blackpony' >/dev/null; }

# delivers NAME: a message from a, encrypted; tells the milliseconds.
delivers() {
	local begin=${EPOCHREALTIME/./}
	printf 'Subject: %s\nTo: friends:;\n\nA message %s two thousand.\n' "$1" "$1" >"$WORLD/$1"
	mail_send a "$WORLD/$1" "$1@b.test"
	ok "$1: mail arrives" mail_take b "$1" "$WORLD/$1.taken"
	diag "$1: after $(((${EPOCHREALTIME/./} - begin) / 1000)) ms"
	like "$(mail_received "$WORLD/$1.taken" mail.b.test)" 'version=XPONY1' "$1: and encrypted"
}

refused() {
	crowd default 2501
	diag "2,000 connections in $seconds s"
	is "$(heard default | grep -c '^220 ')" 100 "by default a hundred are served"
	is "$(heard default | grep -c '^421 4\.3\.2 ')" $((networks * each - 100)) "the others hear 421"
	ok "of which a line in a minute is logged" test "$(host_log b | grep -c 'too many sessions,')" -le $((${seconds%.*} / 60 + 1))
	host_kill c default
	ok "they leave nothing" wait_for 60 nobody
}

held() {
	local before
	delivers before
	before=$(kernel)
	crowd all 25
	diag "2,000 sessions in $seconds s; a session: $((($(kernel) - before) / networks / each)) kB of the kernel," \
		"$(($(pss) / networks / each)) kB of processes"
	is "$(heard all | grep -c '^220 ')" $((networks * each)) "two thousand are served"
	like "$(host_run b $receiver --check)" '^ok: sessions: .*; now 2000$' "and counted"
	delivers amid
	host_kill c all
	ok "they leave nothing" wait_for 120 nobody
	delivers after
}

world_start
hosts
refused
held
done_testing
