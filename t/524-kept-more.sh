#!/bin/bash
# 524-kept-more - more mail that a kept session is not for (t/522-kept has the rest of row 22): its suite, host, address
# or port is another one than this mail's, its key is not the one that the host has shown since; and a host that does not
# wait as long as -K. Such mail has a connection of its own, and arrives once. Real sendmail and inetd; needs root (t/lib).
. "$abs_top_srcdir/t/lib/tap.sh"
. "$abs_top_srcdir/t/lib/world.sh"
. "$abs_top_srcdir/t/lib/mail.sh"
. "$abs_top_srcdir/t/lib/kept.sh"

# receiver [ARGUMENT...]: from now on host b's receiver, on ports 25 and 2525, has these.
receiver() {
	[ -z "${receives-}" ] || host_kill b inetd
	sed -n "/^smtp/ { s/\$/ $*/p; s/^smtp/2525/p; }" "$abs_top_srcdir/doc/inetd.conf.example" >"$WORLD/inetd.conf"
	host_inetd b "$WORLD/inetd.conf"
	receives=yes
}

# mx HOST ADDRESS: from now on that is all that DNS says of b.test.
mx() {
	printf '%s\n' "@ IN MX 10 $1" "$1 IN A $2" | world_zone b.test
	world_dns
}

# letter SUBJECT ARGUMENT...: a message by hand, through a mailer with these arguments.
letter() {
	printf '%s\n' 'EHLO mail.a.test' 'MAIL FROM:<alice@a.test>' 'RCPT TO:<bob@b.test>' DATA "Subject: $1" '' words . QUIT |
		host_run a "${as_pony[@]}" python3 "$abs_top_srcdir/t/tools/talk.py" "$program" -v -K 30 "${@:2}" >/dev/null 2>&1
}

policy() { host_put a /etc/blackpony/policy 644 <<<"$1"; }

# A mail through the session that is kept, so that what follows has another reason.
control() {
	mailed "control-$1" bob@b.test
	uses "$1: until then it is used"
}

classical() {
	receiver -s x25519-chachapoly
	one_kept
	control classical
	like "$(last_session)" 'suite=x25519-chachapoly, ' "classical: with that suite"
	policy 'b.test pq'
	mailed hybrid bob@b.test
	not_used "classical, and policy pq since: not through it"
	like "$(host_queue a)" '451 4\.7\.5 .*policy' "nor at all"
	is "$(boxes hybrid)" 0 "it waits"
	policy '# nothing'
	kept_end
	receiver
	host_flush a >/dev/null 2>&1
	arrives "classical: a host with the hybrid suite" hybrid
	kept_end
}

# Each place is known before, so that it is the session's identity that counts, and not the news.
places() {
	local name
	mx other 10.77.0.2
	mailed known-name bob@b.test
	kept_end
	mx mail 10.77.0.2
	one_kept
	control name
	mx other 10.77.0.2
	mailed other-name bob@b.test
	not_used "another MX host at the same address: not through it"
	like "$(last_session)" 'relay=other\.b\.test .* trust=known' "but through a connection for that name"
	mx mail 10.77.0.3
	mailed other-address bob@b.test
	not_used "another address of the same host: not through it"
	like "$(last_session)" 'relay=mail\.b\.test \[10\.77\.0\.3\].* trust=known' "but through a connection to it"
	kept_end
	mx mail 10.77.0.2
	one_kept
	control port
	letter other-port -p 2525 b.test
	not_used "another -p: not through it"
	letter same-port -p 25 b.test
	uses "the same: through it"
	for name in other-name other-address other-port same-port; do
		arrives "$name" "$name"
	done
	kept_end
}

# The session is with whom it was, until the mailer has seen the new key.
changed_key() {
	policy 'b.test pinned'
	one_kept
	control key
	host_run b rm "$key_file"
	host_run b blackpony-keygen -q -g blackpony
	mailed unseen bob@b.test
	uses "another host key that nobody has seen yet: the session is still with the pinned one's owner"
	policy '# nothing'
	letter seen -p 2525 b.test
	like "$(host_log a)" "key changed from .* to $(pony_fingerprint b | sed 's/[+]/[+]/g')" "seen by another connection"
	policy 'b.test pinned'
	mailed judged bob@b.test
	not_used "pinned is the new key: not through it"
	like "$(last_session)" "key=$(pony_fingerprint b | sed 's/[+]/[+]/g'), .*trust=known" "but a connection shows that key"
	arrives "judged by the new key" judged
	policy '# nothing'
	kept_end
}

impatient() {
	receiver -t 5
	one_kept
	ok "-K 30, and a host that waits 5 seconds: over by then" wait_for 20 kept_none
	mailed later bob@b.test
	not_used "the next mail: through a new connection"
	arrives "the next mail" later
	is "$(boxes later)" 1 "once"
	kept_end
}

world_start
host_start a 10.77.0.1 fd77::1 sendmail
host_start b 10.77.0.2 fd77::2 sendmail inetd
host_run b ip addr add 10.77.0.3/32 dev lo
mx mail 10.77.0.2
kept_host
pony_host b
mail_boxes b bob
key_file=$(host_run b blackpony-keygen --help | sed -n 's/^Without -f the file is \(.*\)\.$/\1/p')
classical
places
changed_key
impatient
done_testing
