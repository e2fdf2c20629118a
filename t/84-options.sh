#!/bin/bash
# 84-options - options of blackpony-mailer and blackpony-receiver that no other test has a use for: other
# files, IPv6 only, and the log of each step. Real inetd and sendmail; needs root (t/lib).
source=${abs_top_srcdir:-$(cd "$(dirname "$0")/.." && pwd)}
. "$source/t/lib/tap.sh"
. "$source/t/lib/world.sh"
. "$source/t/lib/mail.sh"

# mailer ARGUMENT...: a transaction with b, as the user whom sendmail would take.
mailer() {
	printf '%s\n' 'EHLO mail.a.test' 'MAIL FROM:<alice@a.test>' 'RCPT TO:<bob@b.test>' QUIT |
		host_run a setpriv --reuid blackpony --regid blackpony --clear-groups \
			python3 "$source/t/tools/talk.py" /usr/libexec/blackpony/blackpony-mailer "$@" 2>&1
}
taken() { like "$2" '^250 2\.1\.5 <bob@b\.test>' "$1: goes" || diag "$2"; }
logs() { ok "$1: the log of $2 has it" wait_for 10 logged "$2" "$3" || diag "$(host_log "$2")"; }
logged() { host_log "$1" | grep -Eq "$2"; }

# Without an option first: what follows must be the option's doing.
by_default() {
	taken "no option" "$(mailer b.test)"
	logs "no option" b "blackpony-receiver.* key=$(pony_fingerprint a | sed 's/[+]/[+]/g')"
	like "$(host_run a blackpony-keygen -L)" 'mail\.b\.test' "no option: the key is remembered"
	unlike "$(host_log a)" 'connected|host has proved its key' "no option: no steps in the log"
	unlike "$(host_log b)" 'back end started|has proved its key' "no option: nor in the receiver's"
}

other_files() {
	local print said
	host_run a blackpony-keygen -q -g blackpony -f /etc/blackpony/other
	print=$(host_run a blackpony-keygen -l -f /etc/blackpony/other | grep -o 'SHA256:[^ ]*')
	host_run a install -d -o blackpony -g blackpony -m 700 /run/otherpins
	taken "-k" "$(mailer -k /etc/blackpony/other b.test)"
	logs "-k" b "blackpony-receiver.* key=${print//[+]/[+]}"
	is "$(host_run a blackpony-keygen -L -d /run/otherpins 2>&1 | grep -c 'mail\.b\.test')" 0 "-d: nothing there yet"
	taken "-d" "$(mailer -d /run/otherpins b.test)"
	like "$(host_run a blackpony-keygen -L -d /run/otherpins)" 'mail\.b\.test' "-d: the key is remembered there"
	host_put a /etc/blackpony/strict <<<'b.test verify key=SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA'
	like "$(mailer -P /etc/blackpony/strict b.test)" '^451 4\.7\.5 ' "-P: what that policy demands is not met"
	host_put a /etc/mail/names <<<'mail.b.test'
	said=$(mailer -w /etc/mail/names b.test)
	like "$said" '^553 5\.3\.5 .*loops back to this host' "-w: that is a name of our own"
}

six_only() {
	taken "-6" "$(mailer -6 b.test)"
	logs "-6" b 'blackpony-receiver.* peer=\[IPv6:fd77'
	taken "-4" "$(mailer -4 b.test)"
	like "$(mailer -6 '[10.77.0.2]')" '^[45]' "-6: an IPv4 address is none"
}

each_step() {
	taken "-v" "$(mailer -v b.test)"
	logs "-v" a 'blackpony-mailer.* connected'
	logs "-v" a 'blackpony-mailer.* host has proved its key'
	taken "receiver -v" "$(mailer -p 2502 b.test)"
	logs "receiver -v" b 'blackpony-receiver.* peer has proved its key'
	logs "receiver -v" b 'blackpony-receiver.* back end started'
}

# The network namespace and the back end are made while the peer's answer to the handshake is on its way: here
# it has not said a word.
while_the_peer_is_silent() {
	local before peer
	before=$(host_log b | grep -c 'back end started')
	mkfifo "$WORLD/silence"
	host_run a python3 "$source/t/lib/pony_peer.py" client 10.77.0.2 2502 <"$WORLD/silence" >"$WORLD/heard" 2>&1 &
	peer=$!
	exec 4>"$WORLD/silence"
	ok "a silent peer: it has upgraded" wait_for 10 grep -q '^220 .*[A-Za-z0-9+/]\{40\}' "$WORLD/heard"
	ok "a silent peer: its back end is there" wait_for 10 started_since "$before"
	echo QUIT >&4
	exec 4>&-
	wait $peer
	is $? 0 "a silent peer: then it speaks"
}
started_since() { [ "$(host_log b | grep -c 'back end started')" -gt "$1" ]; }

kept_namespace() { host_run b mountpoint -q /run/blackpony/net; }
prepared() {
	ok "sessions keep a namespace" kept_namespace
	host_run b umount /run/blackpony/net
	ok "--prepare" host_run b /usr/libexec/blackpony/blackpony-receiver --prepare
	ok "--prepare: a namespace is kept" kept_namespace
	ok "--prepare: again" host_run b /usr/libexec/blackpony/blackpony-receiver --prepare
	host_run b umount /run/blackpony/net
	nok "--prepare: it was made once" kept_namespace
}

world_start
host_start b 10.77.0.2 fd77::2 sendmail inetd tools
host_start a 10.77.0.1 fd77::1 sendmail tools
pony_host a
pony_host b
{
	cat "$source/doc/inetd.conf.example" - <<-'END'
		2502 stream tcp nowait root /usr/libexec/blackpony/blackpony-receiver receiver -v
	END
} >"$WORLD/inetd.conf"
host_inetd b "$WORLD/inetd.conf"
by_default
other_files
six_only
each_step
while_the_peer_is_silent
prepared
done_testing
