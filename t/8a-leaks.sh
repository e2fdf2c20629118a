#!/bin/bash
# 8a-leaks - that what load/soak looks for would be found (load/census.py): a session that is kept, a reader left in the pin
# store, a namespace, a mount, a socket, a file, a process, files open. Each is left on purpose, and told, and gone again.
# Needs root (t/lib).
source=${abs_top_srcdir:-$(cd "$(dirname "$0")/.." && pwd)}
. "$source/t/lib/tap.sh"
. "$source/t/lib/world.sh"
. "$source/t/lib/mail.sh"
. "$source/load/lib.sh"
. "$source/load/leaks.sh"
patience=60

# told NAME ERE...: a line of what differs for each.
told() {
	local name=$1 found regex
	shift
	found=$(leaks)
	for regex; do
		like "$found" "$regex" "$name: $regex"
	done
}
cleared() { ok "$1: and gone again" leaks_none 30; }

kept_session() {
	printf '%s\n' 'EHLO mail.a.test' 'MAIL FROM:<alice@a.test>' 'RCPT TO:<warm@b.test>' DATA 'Subject: kept' '' . QUIT |
		host_run a setpriv --reuid blackpony --regid blackpony --clear-groups \
			python3 "$source/t/tools/talk.py" /usr/libexec/blackpony/blackpony-mailer -K 60 b.test >"$WORLD/said"
	wait_for 20 listened || diag "$(cat "$WORLD/said")"
	told "a kept session" '^a > processes, blackpony-maile keeping: 1' '^a > processes, blackpony-maile kept: 1' \
		'^a > kept sessions listened at: 1' '^b > processes, blackpony-recei' '^b > slots taken: 1'
	leaks_most
	ok "its open files are counted" test "$most_files" -ge 3 -a "$most_files" -le 16
	host_run a sh -c 'kill $(grep -l "^blackpony-maile" /proc/[0-9]*/comm | cut -d/ -f3)'
	cleared "a kept session"
}
listened() { grep -q /kept/ "/proc/${host_pid[a]}/net/unix"; }

# A process that reads on and on. (One that has died is none: LMDB forgets it when nobody else has the store open.)
reader() {
	host_spawn a reader setpriv --reuid blackpony --regid blackpony --clear-groups python3 -uc '
import ctypes, time
lmdb, env, txn = ctypes.CDLL("liblmdb.so.0"), ctypes.c_void_p(), ctypes.c_void_p()
lmdb.mdb_env_create(ctypes.byref(env))
if lmdb.mdb_env_open(env, b"/var/lib/blackpony", 0, 0o600) == 0 and lmdb.mdb_txn_begin(env, None, 0x20000, ctypes.byref(txn)) == 0:
    print("reads")
    time.sleep(600)'
	wait_for 10 grep -q reads "$(host_root a)/var/log/reader.out" || diag "no reader"
	told "a reader of the pin store" '^a > pin store, readers: 1'
	host_kill a reader KILL 2>/dev/null
	cleared "a reader of the pin store"
}

spaces() {
	host_spawn b space unshare -n sleep 600
	told "a namespace" '^b > network namespaces: [0-9]'
	host_kill b space KILL 2>/dev/null
	cleared "a namespace"
	host_run b sh -c 'touch /run/blackpony/other && unshare --net=/run/blackpony/other true'
	told "one that a mount keeps" '^b > network namespaces: [0-9]' '^b > mounts: [0-9]' '^b > file /run/blackpony/other: 1'
	host_run b sh -c 'umount /run/blackpony/other && rm /run/blackpony/other'
	cleared "one that a mount keeps"
}

# A process by one of our names, and as many open files as would be too many.
files_open() {
	host_run a cp /bin/sleep /tmp/blackpony-mailer
	host_spawn a many bash -c 'for i in {10..40}; do eval "exec $i</dev/null"; done; exec /tmp/blackpony-mailer 600'
	wait_for 10 eval '[ "$(ours a)" -gt 0 ]'
	leaks_most
	ok "files open: $most_files in $most_whose" test "$most_files" -gt 24
	told "a process" '^a > processes, blackpony-maile: 1'
	host_kill a many KILL 2>/dev/null
	cleared "a process"
}

load_hosts 1000000
load_warm
leaks_begin a b
ok "nothing is left of mail that went" leaks_none 30
like "${leaks_census[a]}" '^pin store, entries: [1-9]' "the pin store is looked into"
like "${leaks_census[b]}" '^file /run/blackpony/slots: 1' "so are the files of the receiver"
kept_session
reader
spaces
files_open
done_testing
