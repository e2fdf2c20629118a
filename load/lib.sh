# lib.sh: what load/run and load/soak share: the hosts, real mail, memory, what is left over. Sourced after
# t/lib/world.sh and t/lib/mail.sh. Host a sends, b takes, c has the crowds.
#
#   load_hosts LIMIT                   the hosts; b takes messages of LIMIT octets at most
#   load_warm                          the first mail, as a host's first would go; returns when it is over
#   figure PART NAME VALUE UNIT [max|min|is BOUND]
#                                      a figure, on descriptor 3 (report.py)
#   real_start PART RATE               real mail flows, and is part of what is measured
#   real_stop BOUND                    it ends; each must have arrived, and p99 be BOUND ms at most
#   arrived KIND LEDGER FROM TO        sets count[accepted], [delivered], [lost], [changed], [doubled], [p50], [p99]
#   memory_now ARRAY                   fills an associative array with what memory.py says
#   said LABEL HOST WORD               the number behind WORD in what host_spawn's LABEL has said
#   left_over PART                     nothing of ours may be left on a and b, nor a slot be taken

load=$world_src/load
# nowait: connections a minute before inetd closes the port, which is a guard of its own and would hide ours.
receiver='stream tcp6 nowait.100000 root /usr/libexec/blackpony/blackpony-receiver blackpony-receiver'
declare -A count

# On b: 25 has room for all, 2500 the limits of a fresh installation, 2501 short patience (-t), 2502 a back end that
# keeps nothing. a's own sendmail tries again each 10 seconds what was deferred. Names of c's addresses are
# nowhere: NXDOMAIN at once, as for most of the hosts that do this.
load_hosts() {
	world_start
	host_start a 10.77.0.1 fd77::1 sendmail
	host_start b 10.77.0.2 fd77::2 sendmail inetd
	host_start c 10.77.0.3 fd77::3 tools
	world_ip c <<<'route add local fd80::/16 dev lo'
	world_ip b <<<'route add fd80::/16 via fd77::3'
	load_room
	pony_host a
	pony_host b "$world_src/doc/sendmail.mc.example" "-DconfMAX_MESSAGE_SIZE=$1"
	host_run a sendmail-mta -Am -L sm-mta -bd -q10s </dev/null || world_die "no sendmail on a"
	mail_boxes b bob crowd warm
	cat >"$WORLD/inetd.conf" <<-CONF
		smtp ${receiver/tcp6/tcp} -m 10000 -M 0
		smtp $receiver -m 10000 -M 0
		2500 $receiver
		2501 $receiver -m 10000 -M 20 -t $patience
		2502 ${receiver/tcp6/tcp} -m 10000 -M 0 -n mail.b.test -- /usr/bin/python3 $load/swallow.py
	CONF
	host_inetd b "$WORLD/inetd.conf"
	host_spawn b watch python3 "$load/letters.py" watch /var/mail/box/bob
	host_spawn b watch-crowd python3 "$load/letters.py" watch /var/mail/box/crowd
}

# What thousands of sessions at once need of a host, beyond its defaults (doc/TESTING.md). inetd's queue has 128
# places: with SYN cookies a client whose last ACK finds no room there believes that it is connected, and waits for a greeting
# that never comes; without them it is tried again.
load_room() {
	local host
	for host in b c; do
		nsenter -t "${host_pid[$host]}" -n sh -c 'echo 16384 >/proc/sys/net/core/somaxconn
			echo 16384 >/proc/sys/net/ipv4/tcp_max_syn_backlog
			echo 0 >/proc/sys/net/ipv4/tcp_syncookies; true' 2>/dev/null
	done
}

# As a host's first mail would go: from then on there is what is remembered, and each file that there ever will be. The name
# in the greeting is kept once the files that decide about it are older than the look at them.
load_warm() {
	host_run a sendmail-mta -Am -odi -i -f alice@a.test warm@b.test <<<"Subject: warm"
	wait_for 60 named || world_die "no name is kept on b"
	wait_for 60 nobody_left
}
named() {
	host_run a bash -c 'exec 3<>/dev/tcp/10.77.0.2/25 && read -r line <&3'
	test -e "$(host_root b)/run/blackpony/name"
}

# What could not be measured is "none", and holds no bound.
figure() { (IFS=$'\t'; set -- "$1" "$2" "${3:-none}" "${@:4}"; echo "$*") >&3; }

real_start() {
	part=$1 real_begin=$EPOCHREALTIME
	host_spawn a real python3 "$load/real.py" "$2" /run/ledger
}

arrived() {
	local words
	words=$(python3 "$load/letters.py" reckon "$1" "$2" "$3" "$4" "$5")
	# shellcheck disable=SC2034 # for the caller
	read -r count[accepted] count[delivered] count[lost] count[changed] count[doubled] count[p50] count[p99] \
		count[longest] <<<"$words"
}

real_arrived() {
	arrived real "$(host_root a)/run/ledger" "$(host_root b)/var/log/watch.out" "$real_begin" "$real_end"
	[ "${count[lost]}" -eq 0 ]
}

real_stop() {
	local bound=$1
	real_end=$EPOCHREALTIME
	host_kill a real
	wait_for 90 real_arrived
	figure "$part" "real mail, messages" "${count[accepted]}" "" min 1
	figure "$part" "real mail, lost" "${count[lost]}" "" is 0
	figure "$part" "real mail, changed" "${count[changed]}" "" is 0
	figure "$part" "real mail, doubled" "${count[doubled]}" "" is 0
	figure "$part" "real mail, not taken by its own sendmail" "$(said real a 'not taken')" "" is 0
	figure "$part" "real mail, hand-in to mailbox, p50" "${count[p50]}" ms
	figure "$part" "real mail, hand-in to mailbox, p99" "${count[p99]}" ms max "$((bound * ${BLACKPONY_PATIENCE:-1}))"
	figure "$part" "real mail, hand-in to mailbox, longest" "${count[longest]}" ms
}

memory_now() {
	local -n into=$1
	local name value
	into=()
	while read -r name value; do
		into[$name]=$value
	done < <(python3 "$load/memory.py" "a=${host_pid[a]}" "b=${host_pid[b]}")
}

said() { sed -n "s/.*\<$3 \([0-9.]*\).*/\1/p" "$(host_root "$2")/var/log/$1.out" | head -n 1; }

# ours HOST: how many processes of ours.
ours() { host_run "$1" sh -c "grep -lE '^blackpony-(maile|recei)' /proc/[0-9]*/comm 2>/dev/null | wc -l"; }
nobody_left() { [ "$(ours a)" -eq 0 ] && [ "$(ours b)" -eq 0 ]; }
slots() { host_run b /usr/libexec/blackpony/blackpony-receiver --check 2>&1 | sed -n 's/.*; now \([0-9]*\)$/\1/p'; }

# Kept sessions end by themselves, after 5 seconds: those there is no time for are ended before. (Their expiry: t/5d-kept.)
left_over() {
	[ "${keepers-}" != end ] ||
		host_run a sh -c 'kill $(grep -l "blackpony-mailer: keeping" /proc/[0-9]*/cmdline | cut -d/ -f3)' 2>/dev/null
	wait_for 120 nobody_left
	figure "$1" "processes left" "$(($(ours a) + $(ours b)))" "" is 0
	figure "$1" "slots taken" "$(slots)" "" is 0
}
