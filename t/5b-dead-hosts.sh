#!/bin/bash
# 5b-dead-hosts - a queue run of 200 messages for a black hole, a mail host that drops SYNs, and of 10 for
# a live one: sendmail's own client, which remembers dead hosts (HostStatusDirectory), and
# blackpony-mailer, which has to remember them itself, on the same queue. Not more than 1.2 times as long.
# Needs root (t/lib).
. "$abs_top_srcdir/t/lib/tap.sh"
. "$abs_top_srcdir/t/lib/world.sh"
. "$abs_top_srcdir/t/lib/mail.sh"

hole=10.77.0.200
dead=200
live=10
seconds=${BLACKPONY_DEAD_SECONDS:-30} # for a connect, on both sides; 30 is what blackpony-mailer has by itself

# queued COUNT DOMAIN: so many messages wait, of which nothing was tried yet.
queued() {
	local n
	printf 'Subject: waits\nTo: friends:;\n\nSome words.\n' >"$WORLD/message"
	for ((n = 1; n <= $1; n++)); do
		mail_send a "$WORLD/message" "bob@$2" -odq
	done
}

# queue_run NAME CF: all of it, with that configuration; its time is left in $ms.
queue_run() {
	local begin before
	host_run a sh -c 'rm -rf /var/spool/mqueue && cp -a /saved /var/spool/mqueue'
	before=$(accepted)
	begin=${EPOCHREALTIME/./}
	host_run a sendmail-mta -Am -C "$2" -OQueueLA=999 -OQueueSortOrder=random -qf
	ms=$(((${EPOCHREALTIME/./} - begin) / 1000))
	is "$(($(accepted) - before))" "$live" "$1: the live host has all of its mail"
	is "$(host_queue a | grep -c 'bob@hole\.test')" "$dead" "$1: that for the dead one waits"
}
accepted() { host_log b | grep -c 'from=<alice@a\.test>'; }

world_start
world_zone hole.test <<END
@ IN MX 0 mx
mx IN A $hole
END
host_start a 10.77.0.1 fd77::1 sendmail
host_start b 10.77.0.2 fd77::2 sendmail inetd
# Nobody has this address, and a host that knew so would not wait for it.
world_ip a <<<"neigh add $hole lladdr 02:00:00:00:00:99 dev eth0 nud permanent"
pony_host b
host_inetd b
sed '/confHOST_STATUS_DIRECTORY/d' "$abs_top_srcdir/t/lib/plain.mc" >"$WORLD/plain.mc"
cat >>"$WORLD/plain.mc" <<END
define(\`confHOST_STATUS_DIRECTORY', \`/var/lib/hoststat')dnl
define(\`confTO_ICONNECT', \`${seconds}s')dnl
define(\`confTO_CONNECT', \`${seconds}s')dnl
END
host_run a install -d -m 700 /var/lib/hoststat
host_sendmail a "$WORLD/plain.mc"
host_run a cp /etc/mail/sendmail.cf /etc/mail/plain.cf
# shellcheck disable=SC2016 # sendmail's macros
pony_host a "$abs_top_srcdir/doc/sendmail.mc.example" \
	"-DBLACKPONY_MAILER_ARGS=blackpony-mailer -t $seconds -i \$i \$h"
queued $dead hole.test
queued $live b.test
host_run a cp -a /var/spool/mqueue /saved

queue_run '[IPC]' /etc/mail/plain.cf
ipc=$ms
queue_run blackpony /etc/mail/sendmail.cf
pony=$ms
diag "[IPC] $ipc ms, blackpony $pony ms: $((pony * 100 / ipc)) %"
ok "blackpony takes at most 1.2 times the time of [IPC]" test "$((pony * 10))" -le "$((ipc * 12))"
log=$(host_log a)
is "$(grep -c 'to=bob@hole\.test.*mailer=blackpony.*dsn=4\.4\.1.*stat=Deferred: 451 4\.4\.1 ' <<<"$log")" "$dead" \
	"each is told 451 4.4.1"

# All of it once more, with the host remembered.
queue_run '[IPC], again' /etc/mail/plain.cf
ipc=$ms
queue_run 'blackpony, again' /etc/mail/sendmail.cf
diag "again: [IPC] $ipc ms, blackpony $ms ms"
ok "while it is remembered nobody waits for it" test "$ms" -lt "$((pony - seconds * 500))"
done_testing
