# kept.sh: sessions that blackpony-mailer -K keeps on host a, for t/522-kept, t/5d-kept and
# t/5e-kept-moments. Sourced after mail.sh.

place=/var/lib/blackpony/kept
program=/usr/libexec/blackpony/blackpony-mailer
as_pony=(setpriv --reuid blackpony --regid blackpony --clear-groups)

# kept_seconds N: from now on sendmail on host a starts the mailer with -K N.
kept_seconds() { host_run a sed -i "s/ -K [0-9]* / -K $1 /" /etc/mail/sendmail.cf; }

# kept_host: host a, with -K 30.
kept_host() {
	# shellcheck disable=SC2016 # sendmail's macros
	pony_host a "$abs_top_srcdir/doc/sendmail.mc.example" \
		"-DBLACKPONY_MAILER_ARGS=blackpony-mailer -v -K 30 -i \$i \$h"
}

# kept_processes TITLE: process ids on host a of those that ps shows so: keeping, kept.
kept_processes() {
	# shellcheck disable=SC2016 # expanded on the host
	host_run a sh -c 'for p in /proc/[0-9]*; do
		tr "\0" " " <$p/cmdline 2>/dev/null | grep -q "^blackpony-mailer: $0" && echo "${p#/proc/}"
	done; true' "$1"
}

kept_is() { [ "$(kept_processes keeping | wc -l)" -eq "$1" ] && [ "$(kept_processes kept | wc -l)" -eq "$1" ]; }
kept_none() { [ -z "$(kept_processes '')" ]; }

# kept_end: kills the keepers, so that the sessions end, and waits for that.
kept_end() {
	local pid
	for pid in $(kept_processes keeping); do
		host_run a kill "${1:--KILL}" "$pid" 2>/dev/null
	done
	wait_for 15 kept_none || diag "not over: $(host_run a ps axf)"
}

# mailed SUBJECT TO [SENDMAIL-ARGUMENT...]: a message from alice; sent, or failed, when this returns.
mailed() {
	printf 'Subject: %s\nTo: friends:;\n\nsome words\n' "$1" |
		host_run a sendmail-mta -Am -odi -oem -i -f alice@a.test "${@:3}" -- "$2"
}

# kept_receiver: host b, where bob's mail goes to a file, for procmail would wait seconds for a lock.
kept_receiver() {
	pony_host b
	mail_boxes b bob
	host_inetd b
}

# boxes SUBJECT [HOST]: how many messages of that subject bob has.
boxes() { grep -c "^Subject: $1\$" "$(host_root "${2:-b}")/var/mail/box/bob" 2>/dev/null; }
has() { [ "$(boxes "$1" "${3:-b}")" = "$2" ]; }

# last_session: the last line of the mailer about a session.
last_session() { host_log a | grep 'blackpony-mailer.* messages=' | tail -n 1; }
# sessions HOST: lines of the receiver there.
sessions() { host_log "$1" | grep -c 'blackpony-receiver.* messages='; }

# one_kept: there is one kept session, of a mail to b.test.
one_kept() {
	mailed "setup-$RANDOM" bob@b.test
	wait_for 10 kept_is 1 || diag "no kept session: $(host_log a | tail -n 3)"
}

# uses NAME, and not_used NAME: the last mail went through a kept session, or had its own.
uses() { like "$(last_session)" ' kept=[0-9]+, ' "$1"; }
not_used() { unlike "$(last_session)" ' kept=' "$1"; }
arrives() { ok "$1: it arrives" wait_for 20 has "$2" 1; }

# signal NAME TITLE: to those processes of host a.
signal() {
	local pid
	for pid in $(kept_processes "$2"); do
		host_run a kill "-$1" "$pid"
	done
}
