#!/bin/bash
# 522-kept - who may use a kept session: not other users, at its socket, in its place or in place of its
# directory; not mail whose own policy, domain, address, user or key is another. Such mail has a connection
# of its own. Real sendmail and inetd; needs root (t/lib).
. "$abs_top_srcdir/t/lib/tap.sh"
. "$abs_top_srcdir/t/lib/world.sh"
. "$abs_top_srcdir/t/lib/mail.sh"
. "$abs_top_srcdir/t/lib/kept.sh"

kept_name() { host_run a ls "$place"; }

# mailer ARGUMENT...: a transaction by hand, with one recipient and no message.
mailer() {
	printf '%s\n' 'EHLO mail.a.test' 'MAIL FROM:<alice@a.test>' 'RCPT TO:<bob@b.test>' QUIT |
		host_run a "${as[@]}" python3 "$abs_top_srcdir/t/tools/talk.py" "$program" "$@" 2>&1
}
as=("${as_pony[@]}")

# Who gets in.
other_users() {
	local said
	one_kept
	said=$(host_as a alice python3 -c 'import socket, sys
s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1])' "$place/$(kept_name)" 2>&1)
	like "$said" 'PermissionError' "another user cannot reach the socket"
	is "$(host_run a stat -c '%U %a' "$place" "$place/$(kept_name)" | paste -sd' ')" 'blackpony 700 blackpony 600' \
		"it and its directory are the user's alone"
	said=$(host_run a python3 -c 'import socket, sys
s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); s.settimeout(10)
print(len(s.recv(9999)), "octets")' "$place/$(kept_name)" 2>&1)
	is "$said" '0 octets' "who gets there all the same, and is another user, is told nothing"
	mailed after-callers bob@b.test
	uses "and has spoilt nothing"
}

planted() {
	local name
	name=$(kept_name)
	host_run a "${as_pony[@]}" python3 -c 'import socket, sys
s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1])
sys.stdout.buffer.write(s.recv(65536))' "$place/$name" >"$WORLD/share/record"
	ok "a keeper's record, which only its user is told" test -s "$WORLD/share/record"
	kept_end
	host_run a rm "$place/$name"
	host_run a chmod 777 "$place"
	host_run a chmod 711 "${place%/*}"
	host_spawn a planted setpriv --reuid alice --clear-groups python3 -c 'import os, socket, sys
os.umask(0); s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); s.listen(5)
record = open(sys.argv[2], "rb").read()
while True:
    c, _ = s.accept()
    print("called", flush=True)
    try:
        c.send(record)
        heard = c.recv(99)
    except OSError: heard = b""
    print("heard", heard, flush=True)' "$place/$name" "$WORLD/share/record"
	ok "another user plants a socket, while the directory is open to him" \
		wait_for 10 host_run a test -S "$place/$name"
	mailed open-directory bob@b.test
	not_used "a directory that others may enter: none is looked for"
	like "$(host_log a)" "session not kept, reason=\"$place: is not this user's alone" "nor kept; the log says why"
	unlike "$(host_run a cat /var/log/planted.out)" 'called' "and nobody has called there"
	host_run a chmod 700 "$place" "${place%/*}"
	mailed planted bob@b.test
	not_used "a planted socket that says the same: its owner is another user"
	is "$(host_run a head -n 2 /var/log/planted.out | paste -sd' ')" "called heard b''" "who was called, and heard nothing"
	arrives "a planted socket" planted
	ok "its place is taken" wait_for 10 kept_is 1
	mailed unplanted bob@b.test
	uses "by a keeper"
	host_kill a planted
	kept_end
}

symlinked() {
	host_run a mv "$place" /var/lib/blackpony/elsewhere
	host_run a ln -s elsewhere "$place"
	host_run a chown -h blackpony "$place"
	mailed by-link bob@b.test
	like "$(host_log a | tail -n 5)" "session not kept, reason=\"$place: " "a symbolic link for a directory: not kept"
	ok "and nobody stays" wait_for 10 kept_none
	host_run a rm "$place"
	host_run a mv /var/lib/blackpony/elsewhere "$place"
}

# What another mail demands.
policy() { host_put a /etc/blackpony/policy 644 <<<"$1"; }
own_policy() {
	local key
	key=$(pony_fingerprint b)
	one_kept
	policy 'b.test none'
	mailed in-clear bob@b.test
	not_used "policy none since: not through it"
	like "$(last_session)" 'suite=none' "but in clear"
	policy 'b.test verify'
	mailed unverified bob@b.test
	unlike "$(host_log a | grep 'blackpony-mailer.* messages=' | tail -n 1)" ' kept=' "policy verify since: not through it"
	like "$(host_queue a)" '451 4\.7\.5 .*policy verify' "nor at all"
	policy 'b.test verify key=SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA'
	mailed other-key bob@b.test
	not_used "another key listed since: not through it"
	unlike "$(host_log b)" 'size=.*unverified' "nor at all"
	policy "b.test verify key=$key"
	mailed listed bob@b.test
	kept_end
	policy 'b.test pinned pq'
	one_kept
	mailed demanding bob@b.test
	uses "pinned and pq, which it meets: through it"
	policy "b.test verify key=$key"
	mailed this-key bob@b.test
	uses "this key listed since: through it"
	like "$(last_session)" ' trust=listed, ' "for that reason"
	policy '# nothing'
	host_run a blackpony-keygen -R b.test >/dev/null
	mailed forgotten bob@b.test
	not_used "nothing remembered of the host: not through it"
	like "$(last_session)" ' trust=new, ' "a new connection shows and remembers its key"
	host_flush a >/dev/null 2>&1
	arrives "what waited" unverified
	is "$(boxes other-key)" 1 "once"
	kept_end
}

own_identity() {
	mailed known-domain bob@c.test
	kept_end
	one_kept
	mailed other-domain bob@c.test
	not_used "another domain on the same host: not through it"
	like "$(last_session)" 'relay=mail\.b\.test .*destination=c\.test' "but on a connection to the same host"
	mailer -K 30 b.test >/dev/null
	uses "by hand, the same: through it"
	kept_end
	one_kept
	mailer -K 30 -b 10.77.0.1 b.test >/dev/null
	not_used "-b: not through it"
	mailer -K 30 -s mlkem768x25519-chachapoly b.test >/dev/null
	not_used "-s: not through it"
	host_run a blackpony-keygen -q -g blackpony -f /etc/blackpony/other
	mailer -K 30 -k /etc/blackpony/other b.test >/dev/null
	not_used "another host key: not through it"
	mailer -K 0 b.test >/dev/null
	not_used "-K 0: not through it"
	as=(setpriv --reuid alice --clear-groups)
	mailer -K 30 b.test >/dev/null
	as=("${as_pony[@]}")
	not_used "another user: not through it"
	printf '%s\n' 'EHLO other.a.test' 'MAIL FROM:<alice@a.test>' 'RCPT TO:<bob@b.test>' QUIT |
		host_run a "${as[@]}" python3 "$abs_top_srcdir/t/tools/talk.py" "$program" -v -K 30 b.test >/dev/null 2>&1
	not_used "another name in EHLO: not through it, after all"
	ok "which ends it" wait_for 10 kept_none
}

world_start
host_start a 10.77.0.1 fd77::1 sendmail
host_start b 10.77.0.2 fd77::2 sendmail inetd
world_zone c.test <<<'@ IN MX 10 mail.b.test.'
world_dns
printf '%s\n' b.test c.test | host_put b /etc/mail/local-host-names
kept_host
kept_receiver
other_users
planted
symlinked
own_policy
own_identity
done_testing
