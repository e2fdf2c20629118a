#!/bin/bash
# 31-processes - what the processes of a session hold, as /proc tells it, when there is no back end
# yet, with a plain one, once mail has begun, and behind an upgrade: users, privileges, root
# directory, descriptors, limits, filter, and whether the host key is in memory. The table in
# doc/DESIGN.md, "Who holds what", is this. Needs root (t/lib).
. "$abs_top_srcdir/t/lib/tap.sh"
. "$abs_top_srcdir/t/lib/world.sh"
. "$abs_top_srcdir/t/lib/mail.sh"

key=/etc/blackpony/hostkey empty=${BLACKPONY_EMPTY:-/usr/libexec/blackpony/empty}

on=a # the host that is looked at

# processes PROGRAM: its numbers of all processes of that program, oldest first.
processes() {
	# shellcheck disable=SC2016 # expanded on the host
	host_run "$on" sh -c 'for p in /proc/[0-9]*; do
		[ "$(cat $p/comm 2>/dev/null)" != "$0" ] || echo "${p#/proc/}"; done' "${1:0:15}" | sort -n
}

# status PID NAME...: those lines of its status, in one, blanks as they come.
status() {
	local pid=$1 name
	shift
	for name; do
		host_run "$on" sed -n "s/^$name:[[:space:]]*//p" "/proc/$pid/status" | tr '\t' ' '
	done | paste -sd' ' | sed 's/ *$//'
}

# id_of USER: four times its number, as status says it; id_of USER GROUP-FILE likewise.
id_of() { host_run "$on" awk -F: -v n="$1" '$1 == n { print $3, $3, $3, $3 }' "${2:-/etc/passwd}"; }

limit() { host_run "$on" awk -v name="$2" 'index($0, name) == 1 { print $(NF - 2) }' "/proc/$1/limits"; }
root_of() { host_run "$on" readlink "/proc/$1/root"; }

# descriptors PID: what each is, in order, without numbers of its own, and without the file of slots
# that limits keep open (none where none is set).
descriptors() {
	# shellcheck disable=SC2016 # expanded on the host
	host_run "$on" sh -c 'for f in $(ls "/proc/$0/fd" | sort -n); do readlink "/proc/$0/fd/$f"; done' "$1" |
		sed 's/:\[.*//; /\/slots$/d' | paste -sd' '
}

# has_key PID: is the secret, as its 32 octets, anywhere in the memory of that process: yes or no.
has_key() {
	host_run "$on" timeout 20 python3 - "$1" "$key" <<-'END'
		import base64, sys
		secret = base64.b64decode(open(sys.argv[2]).read().split()[3] + "=")
		pages, found = 0, False
		with open(f"/proc/{sys.argv[1]}/mem", "rb", 0) as memory:
		    for line in open(f"/proc/{sys.argv[1]}/maps"):
		        area = line.split()
		        begin, end = (int(x, 16) for x in area[0].split("-"))
		        for page in range(begin, end, 4096) if area[1][:2] == "rw" else ():
		            memory.seek(page)
		            found |= secret in memory.read(4096)
		            pages += 1
		print("nothing to look at" if pages < 20 else "yes" if found else "no")
	END
}

# walled PID NAME USER FILES DESCRIPTORS: everything that a process in the sandbox is.
walled() {
	local pid=$1 name=$2 user=$3 files=$4 group
	group=$(host_run "$on" awk -F: -v n="$user" '$1 == n { print $4, $4, $4, $4 }' /etc/passwd)
	is "$(status "$pid" Uid)" "$(id_of "$user")" "$name: is $user, for good"
	is "$(status "$pid" Gid Groups)" "$group" "$name: its group, and no other"
	is "$(status "$pid" NoNewPrivs Seccomp)" '1 2' "$name: no new privileges, a filter"
	is "$(status "$pid" CapInh CapPrm CapEff CapAmb | tr -d '0 ')" '' "$name: no capability"
	is "$(limit "$pid" 'Max open files')" "$files" "$name: $files descriptors at most"
	is "$(limit "$pid" 'Max processes')" 0 "$name: no process"
	is "$(limit "$pid" 'Max core file')" 0 "$name: no core file"
	is "$(limit "$pid" 'Max data size')" 67108864 "$name: 64 megabytes"
	is "$(host_run "$on" stat -c %U "/proc/$pid/mem")" root "$name: undumpable"
	is "$(descriptors "$pid")" "$5" "$name: descriptors: $5"
	is "$(has_key "$pid")" no "$name: the key is not in its memory"
}

# powerful PID NAME: a monitor that can still start a back end.
powerful() {
	is "$(status "$1" Uid NoNewPrivs Seccomp)" '0 0 0 0 0 0' "$2: root, and no filter"
	is "$(host_run "$on" stat -c %U "/proc/$1/mem")" root "$2: undumpable"
	is "$(descriptors "$1")" "$monitor_descriptors" "$2: descriptors"
}
null='/dev/null /dev/null'
monitor_descriptors="/dev/null $null socket socket"

# say COMMAND: to the dialogue that is open; its reply is waited for.
say() {
	local line
	[ -z "$1" ] || printf '%s\r\n' "$1" >&"$to"
	while read -r -t 20 line <&"$from"; do
		[[ $line != [0-9][0-9][0-9]-* ]] && break
	done
	last=${line%$'\r'}
}

# dialogue COMMAND...: opens one; hang_up ends it.
dialogue() {
	local -a enter
	host_enter "$on"
	coproc DIALOGUE { exec "${enter[@]}" "$@"; }
	from=${DIALOGUE[0]} to=${DIALOGUE[1]}
	say ''
}
hang_up() {
	say QUIT
	exec {to}>&-
	wait_for 10 nobody_left || diag "processes are left"
	{ kill "$DIALOGUE_PID"; wait "$DIALOGUE_PID"; } 2>/dev/null
}
nobody_left() { [ -z "$(on=a processes blackpony-receiver; on=b processes blackpony-mailer)" ]; }
two() { [ "$(processes blackpony-receiver | wc -l)" -eq 2 ]; }
two_walled() {
	local pid
	[ "$(processes blackpony-mailer | wc -l)" -eq 2 ] || return 1
	for pid in $(processes blackpony-mailer); do
		[ "$(status "$pid" Seccomp)" = 2 ] || return 1
	done
}
receivers() {
	wait_for 10 two || diag "there are not two processes"
	mapfile -t pids < <(processes blackpony-receiver)
	monitor=${pids[0]} engine=${pids[1]}
}

# Octets both ways between standard input and port 25 of host a.
smtp=(python3 -c 'import socket, os, select
s = socket.create_connection(("10.77.0.1", 25))
while True:
    for end in select.select([0, s], [], [])[0]:
        octets = os.read(0, 9999) if end == 0 else s.recv(9999)
        if not octets: os._exit(0)
        s.sendall(octets) if end == 0 else os.write(1, octets)')

world_start
host_start a 10.77.0.1 fd77::1 sendmail inetd
host_start b 10.77.0.2 fd77::2 sendmail
pony_host a
{
	cat "$abs_top_srcdir/doc/inetd.conf.example"
	echo "2501 stream tcp nowait root /usr/libexec/blackpony/blackpony-receiver receiver -F /etc/balancers"
} >"$WORLD/inetd.conf"
host_put a /etc/balancers <<<10.77.0.2
host_inetd a "$WORLD/inetd.conf"
pony_host b
engine_descriptors="socket $null socket"

dialogue "${smtp[@]}"
receivers
like "$last" '^220 .* XPONY 1 ' "greeted, with an offer"
powerful "$monitor" "receiver's monitor, fresh"
is "$(has_key "$monitor")" yes "receiver's monitor, fresh: holds the key"
is "$(root_of "$engine")" "$empty" "receiver's engine, fresh: locked into the empty directory"
is "$(host_run a find "$empty")" "$empty" "which is empty"
walled "$engine" "receiver's engine, fresh" blackpony-net 5 "$engine_descriptors"
say 'EHLO client.test'
powerful "$monitor" "receiver's monitor, plain back end"
is "$(has_key "$monitor")" yes "receiver's monitor, plain back end: holds the key, for an upgrade may come"
walled "$engine" "receiver's engine, plain back end" blackpony-net 5 "$engine_descriptors socket"
say 'MAIL FROM:<>'
is "${last:0:3}" 250 "mail begins"
wait_for 5 eval "[ \"\$(status $monitor Seccomp)\" = 2 ]"
walled "$monitor" "receiver's monitor, settled" nobody 16 "$monitor_descriptors"
is "$(root_of "$monitor")" / "receiver's monitor, settled: the log's socket is in reach"
say 'XPONY 1 x25519-chachapoly AAAA'
is "${last:0:3}" 503 "an upgrade comes too late now"
hang_up
like "$(host_log a)" "blackpony-receiver\\[$monitor\\].*helo=client.test, suite=none" "and nobody logs the session"

# What reads a balancer's header has 5 seconds: it is looked at while time stands still for it.
silent() {
	host_spawn b silent python3 -c '
import socket, time
s = socket.create_connection(("10.77.0.1", 2501))
time.sleep(60)'
	wait_for 4 reader_is_walled && host_run a kill -STOP "$monitor" "$engine"
}
reader_is_walled() {
	mapfile -t pids < <(processes blackpony-receiver)
	monitor=${pids[0]} engine=${pids[1]-}
	[ -n "$engine" ] && [ "$(status "$engine" Seccomp)" = 2 ]
}
silent || { host_kill b silent; silent; } || diag "nobody reads the header"
is "$(root_of "$engine")" "$empty" "what reads a balancer's header: locked into the empty directory"
walled "$engine" "what reads a balancer's header" blackpony-net 5 "socket pipe"
is "$(has_key "$monitor")" no "its monitor has not read the key yet"
host_run a kill -CONT "$monitor" "$engine"
host_kill b silent
wait_for 10 nobody_left || diag "processes are left"

# No key, no offer: nothing to wait for.
host_run a mv "$key" "$key.away"
host_put a "$key" 644 <<<nonsense
dialogue "${smtp[@]}"
receivers
say 'EHLO client.test'
host_run a mv "$key.away" "$key"
is "$(wait_for 5 eval "[ \"\$(status $monitor Seccomp)\" = 2 ]"; status "$monitor" Uid)" "$(id_of nobody)" \
	"where nothing is offered, the plain back end is the last"
hang_up

# Both programs, with an upgrade between them.
on=b
dialogue setpriv --reuid blackpony --regid blackpony --clear-groups /usr/libexec/blackpony/blackpony-mailer '[mail.a.test]'
say 'EHLO mail.b.test'
on=a
receivers
wait_for 5 eval "[ \"\$(status $monitor Seccomp)\" = 2 ]"
is "$(status "$monitor" Uid)" "$(id_of nobody)" "receiver's monitor, upgraded: nobody"
is "$(has_key "$monitor")" no "receiver's monitor, upgraded: the key is not in its memory"
walled "$engine" "receiver's engine, upgraded" blackpony-net 5 "$engine_descriptors socket"
on=b
mapfile -t pids < <(processes blackpony-mailer)
monitor=${pids[0]} resolver=${pids[1]} engine=${pids[2]}
is "${#pids[@]}" 3 "mailer: monitor, resolver, engine"
is "$(status "$monitor" Uid NoNewPrivs)" "$(id_of blackpony) 0" "mailer's monitor: blackpony"
is "$(host_run b stat -c %U "/proc/$monitor/mem")" root "mailer's monitor: undumpable"
is "$(has_key "$monitor")" yes "mailer's monitor: holds the key"
walled "$engine" "mailer's engine" blackpony 5 "pipe pipe /dev/null socket socket"
walled "$resolver" "mailer's resolver" blackpony 8 socket
hang_up

dialogue setpriv --reuid blackpony --regid blackpony --clear-groups /usr/libexec/blackpony/blackpony-mailer '[10.77.0.1]'
say 'EHLO mail.b.test'
is "$(processes blackpony-mailer | wc -l)" 2 "mailer to an address: no resolver"
hang_up

# A session that is kept: the engine that was there, and the keeper in the monitor's place.
dialogue setpriv --reuid blackpony --regid blackpony --clear-groups /usr/libexec/blackpony/blackpony-mailer -K 30 '[10.77.0.1]'
say 'EHLO mail.b.test'
say 'MAIL FROM:<alice@b.test>'
say 'RCPT TO:<bob@a.test>'
say DATA
say $'some words\r\n.'
say QUIT
wait_for 10 two_walled || diag "there are not two processes"
mapfile -t pids < <(processes blackpony-mailer)
engine=${pids[0]} keeper=${pids[1]}
walled "$engine" "mailer's engine, kept" blackpony 5 "/dev/null socket socket"
walled "$keeper" "keeper" blackpony 8 "/dev/null $null socket socket"
is "$(status "$keeper" NSsid)" "$(status "$keeper" NSpid)" "keeper: a session of its own"
host_run b kill "$keeper"
exec {to}>&-
wait_for 10 nobody_left || diag "processes are left"
{ kill "$DIALOGUE_PID"; wait "$DIALOGUE_PID"; } 2>/dev/null
on=a

# Walls that are not there are no reason to go without.
refused() {
	local name=$1 why=$2 said
	said=$(host_run a python3 "$abs_top_srcdir/t/tools/talk.py" 10.77.0.1 </dev/null)
	like "$said" '^421 4\.3\.5 mail\.a\.test System incorrectly configured' "$name: 421"
	like "$(host_log a | tail -n 3)" "blackpony-receiver.*no sandbox, reason=\"$empty: $why" "$name: the log says so"
	like "$(host_run a /usr/libexec/blackpony/blackpony-receiver --check)" "^fault: $empty: $why.*421" \
		"$name: so does --check"
}
check() { host_run a /usr/libexec/blackpony/blackpony-receiver --check; }
like "$(check)" "^ok: what reads the network is user blackpony-net, locked into $empty\$" "--check tries the sandbox"
host_run a touch "$empty/file"
refused "something in the directory" 'is not empty'
host_run a rm "$empty/file"
host_run a chmod 775 "$empty"
refused "others may write there" 'others than root may write'
host_run a chmod 555 "$empty"
host_run a chown alice "$empty"
refused "somebody else's directory" 'does not belong to root'
host_run a rmdir "$empty"
refused "no directory" 'No such file'
host_run a ln -s /run "$empty"
refused "a link" 'Not a directory|Too many'
host_run a rm "$empty"
host_run a install -d -m 555 "$empty"
host_run a sed -i /blackpony-net/d /etc/passwd
like "$(check)" '^fault: no user blackpony-net' "--check: without blackpony-net it is nobody"
dialogue "${smtp[@]}"
receivers
is "$(status "$engine" Uid)" "$(id_of nobody)" "... and it is"
hang_up
done_testing
