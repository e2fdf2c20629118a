#!/bin/bash
# 54-key-files - what becomes of mail when the host key file is missing, too open, somebody else's,
# damaged or unreadable, on either side. Real inetd and sendmail; needs root (t/lib).
source=${abs_top_srcdir:-$(cd "$(dirname "$0")/.." && pwd)}
. "$source/t/lib/tap.sh"
. "$source/t/lib/world.sh"
. "$source/t/lib/mail.sh"

# key HOST COMMAND: what is done to the host's key file, which is put back first.
key() {
	# shellcheck disable=SC2016 # expanded on the host
	host_run "$1" sh -c 'cd "${0%/*}" && rm -rf hostkey && cp -p saved hostkey && '"$2" "$file"
}

# send NAME: one message, done when this returns.
send() {
	printf 'Subject: %s\nTo: friends:;\n\nSome words.\n' "$1" >"$WORLD/$1"
	mail_send a "$WORLD/$1" "$1@b.test"
}

# log_since HOST: what was logged since log_mark.
declare -A mark
log_mark() { mark=([a]=$(host_log a | wc -l) [b]=$(host_log b | wc -l)); }
log_since() { host_log "$1" | sed "1,${mark[$1]}d"; }

said() { log_since "$1" | grep -Eq -e "$2"; }

# says HOST ERE NAME: its log, now or very soon.
says() { ok "$3" wait_for 5 said "$1" "$2" || diag "$(log_since "$1")"; }

delivered() { ok "$1: delivered" wait_for 20 mail_there b "$1"; }

# encrypted NAME: sends; arrives encrypted.
encrypted() {
	log_mark
	send "$1"
	delivered "$1"
	says a 'blackpony-mailer.* suite=mlkem768x25519-chachapoly, .*messages=1' "$1: encrypted"
}

own_keys() { log_since b | sed -n 's/.*blackpony-receiver.* key=\([^,]*\).*/\1/p'; }

missing() {
	local first second saved
	encrypted both-keys
	is "$(own_keys)" "$(pony_fingerprint a)" "the receiver logs the sender's key"
	unlike "$(log_since a; log_since b)" 'own-key' "and nobody speaks of a missing one"

	key a 'rm hostkey'
	encrypted no-key-of-sender
	says a 'blackpony-mailer.* own-key="none, fresh one used"' "the log says that a fresh one was used"
	first=$(own_keys)
	like "$first" '^SHA256:' "the receiver sees one"
	encrypted no-key-again
	second=$(own_keys)
	like "$second" '^SHA256:' "and another one"
	unlike "$second" "^${first//+/[+]}\$" "in the next session"
	nok "no file was made" host_run a test -e "$file"

	key a true
	saved=$(pony_fingerprint b)
	saved=${saved//+/[+]}
	key b 'rm hostkey'
	encrypted no-key-of-receiver
	says b 'blackpony-receiver.* own-key="none, fresh one used"' "logged there"
	like "$(log_since a)" 'suite=mlkem768x25519-chachapoly, key=SHA256:' "the sender saw a key"
	nok "not the one that is gone" said a "key=$saved"
	key b true
	encrypted key-back
	ok "the sender sees it again" said a "key=$saved"
}

# refused_sender NAME COMMAND REASON: deferred, naming the file, and sent when it is mended.
refused_sender() {
	key a "$2"
	log_mark
	send "$1"
	says a "blackpony-mailer.*$file: $3" "$1: named in the log"
	like "$(log_since a)" "to=<?$1@b\.test.*dsn=4\.3\.5, .*stat=Deferred.*$file: $3" \
		"$1: deferred, and sendmail's log names it"
	unlike "$(log_since b)" blackpony "$1: the far host was not even asked"
}

# The queue, when the key is mended.
mended() {
	local name
	is "$(host_queue a | grep -c 'sender-.*@b\.test')" "$#" "all of it is in the queue"
	like "$(host_queue a)" "Deferred: 451 4\.3\.5 blackpony-mailer: ${file:0:12}" "and mailq says why"
	key a true
	host_flush a
	for name; do
		delivered "sender-$name"
	done
	like "$(host_queue a)" 'is empty' "the queue is empty"
}

# refused_receiver NAME COMMAND REASON: offers nothing; mail comes in plain.
refused_receiver() {
	key b "$2"
	log_mark
	send "$1"
	delivered "$1"
	says b "blackpony-receiver.*no upgrade offered, reason=\"$file: $3" \
		"$1: no upgrade offered, and the log says why"
	says a 'blackpony-mailer.* suite=none, .*messages=1' "$1: it came in plain"
	unlike "$(host_run a python3 "$source/t/tools/talk.py" 10.77.0.2 <<<$'EHLO x\nQUIT')" XPONY \
		"$1: neither greeting nor EHLO reply has an offer"
}

world_start
host_start a 10.77.0.1 fd77::1 sendmail tools
host_start b 10.77.0.2 fd77::2 sendmail inetd
for host in a b; do
	pony_host $host "" "$mail_unkept"
	file=$(host_run $host blackpony-keygen --help | sed -n 's/^Without -f the file is \(.*\)\.$/\1/p')
	host_run $host cp -p "$file" "${file%/*}/saved"
done
mail_boxes b missed both-keys no-key-of-sender no-key-again no-key-of-receiver key-back all-mended \
	sender-{open,stranger,unreadable,damaged,cut,link,directory} receiver-{open,stranger,damaged,link}
host_inetd b

missing
refused_sender sender-open 'chmod 644 hostkey' 'mode 0644 is too open'
refused_sender sender-stranger 'chown alice hostkey' 'belongs to uid'
refused_sender sender-unreadable 'chmod 600 hostkey' 'Permission denied'
refused_sender sender-damaged 'echo x >hostkey' 'not a host key'
refused_sender sender-cut 'head -c 40 saved >hostkey' 'damaged host key'
refused_sender sender-link 'mv hostkey elsewhere && ln -s elsewhere hostkey' 'is a symbolic link'
refused_sender sender-directory 'rm hostkey && mkdir hostkey' 'not a regular file'
mended open stranger unreadable damaged cut link directory
# a, which knows b to encrypt, keeps its mail back once; from then on it goes in clear.
held() { host_log a | grep -q 'it spoke XPONY before and does not now'; }
key b 'chmod 604 hostkey'
send missed
ok "missed: kept back once" wait_for 20 held
host_flush a
delivered missed
refused_receiver receiver-open 'chmod 604 hostkey' 'mode 0604 is too open'
refused_receiver receiver-stranger 'chown alice hostkey' 'belongs to uid'
refused_receiver receiver-damaged 'echo x >hostkey' 'not a host key'
refused_receiver receiver-link 'mv hostkey elsewhere && ln -s elsewhere hostkey' 'is a symbolic link'
key b true
encrypted all-mended
done_testing
