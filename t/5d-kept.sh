#!/bin/bash
# 5d-kept - sessions that are kept for the next mail (blackpony-mailer -K), where all goes well: what
# passes through one, that it is one connection, when it ends, and the two round trips of a mail. What
# may go wrong is t/522-kept.sh. Real sendmail and inetd; needs root (t/lib).
. "$abs_top_srcdir/t/lib/tap.sh"
. "$abs_top_srcdir/t/lib/world.sh"
. "$abs_top_srcdir/t/lib/mail.sh"
. "$abs_top_srcdir/t/lib/kept.sh"

rtt=100     # milliseconds
attempts=12 # a busy machine may be late, never early: the best one counts

two_mails() {
	mailed first bob@b.test
	like "$(last_session)" 'suite=mlkem768x25519-chachapoly, key=.*messages=1' "the first mail has a handshake"
	unlike "$(last_session)" 'kept=' "and no kept session"
	ok "its session is kept" wait_for 5 kept_is 1
	mailed second bob@b.test
	like "$(last_session)" 'suite=mlkem768x25519-chachapoly, key=.* trust=known, kept=1, messages=1, ' \
		"the second goes through it"
	mailed third bob@b.test
	like "$(last_session)" ' kept=2, messages=1, ' "the third too"
	like "$(host_log a)" 'to=bob@b\.test,.*stat=Sent \(mail\.b\.test \[.*\] mlkem768x25519-chachapoly: ' \
		"sendmail is told host and suite, as ever"
	is "$(sessions b)" 0 "the host is still in that session"
	kept_end -TERM
	ok "it ends with the keeper" wait_for 5 eval '[ "$(sessions b)" -eq 1 ]'
	like "$(host_log b)" 'blackpony-receiver.* messages=3, .*stat="250 ' "one session had three mails"
	unlike "$(host_log b)" 'blackpony-receiver.* fault=' "and a proper end"
	ok "all three are there" wait_for 20 eval 'has first 1 && has second 1 && has third 1'
	is "$(host_run b grep -c 'version=XPONY1' /var/mail/box/bob)" 3 \
		"each says how it came"
}

same() { cmp <(mail_body "$1") <(mail_body "$2" | sed '$ { /^$/d }'); }

# Messages come out as they went in, those that sendmail itself does not change.
all_kinds() {
	local kind
	mail_files "$WORLD/kinds"
	mail_boxes b bob small eight dots big
	for kind in small eight dots big; do
		mail_send a "$WORLD/kinds/$kind" "$kind@b.test"
		mail_take b "$kind" "$WORLD/came.$kind"
		ok "$kind: as it was" same "$WORLD/kinds/$kind" "$WORLD/came.$kind"
	done
	is "$(host_log a | grep -c 'blackpony-mailer.* kept=.*messages=1')" 5 "all but the first through a kept session"
	kept_end
}

expiry() {
	local before
	before=$(sessions b)
	kept_seconds 1
	mailed expires bob@b.test
	ok "-K 1: after a second it is over" wait_for 10 eval "[ \"\$(sessions b)\" -eq $((before + 1)) ]"
	unlike "$(host_log b)" 'blackpony-receiver.* fault=' "with QUIT and a proper end"
	ok "and nobody is left" wait_for 10 kept_none
	mailed later bob@b.test
	unlike "$(last_session)" 'kept=' "what it leaves behind misleads nobody"
	kept_end
	kept_seconds 0
	mailed unkept bob@b.test
	ok "-K 0: nothing is kept" wait_for 10 kept_none
	unlike "$(last_session)" 'kept=' "nor used"
	like "$(mailer -K 61 b.test)" '^451 4\.3\.5 .*-K 61: not a number of seconds from 0 to 60' "-K 61: refused"
	like "$(mailer -K five b.test)" '^451 4\.3\.5 .*-K five: not a number' "-K five: refused"
	kept_seconds 30
}

# mailer ARGUMENT...: a transaction by hand, as the user whom sendmail would take.
mailer() {
	printf '%s\n' 'EHLO mail.a.test' 'MAIL FROM:<alice@a.test>' 'RCPT TO:<bob@b.test>' QUIT |
		host_run a setpriv --reuid blackpony --regid blackpony --clear-groups \
			python3 "$abs_top_srcdir/t/tools/talk.py" /usr/libexec/blackpony/blackpony-mailer "$@" 2>&1
}

queue_run() {
	local n before begin
	before=$(sessions b)
	for ((n = 1; n <= 20; n++)); do
		mailed "queued-$n" bob@b.test -odq
	done
	begin=${EPOCHREALTIME/./}
	host_run a sendmail-mta -Am -OQueueLA=999 -qf
	diag "a queue run of 20: $(((${EPOCHREALTIME/./} - begin) / 1000)) ms"
	is "$(host_queue a | grep -c 'bob@b\.test')" 0 "a queue run of 20 leaves nothing"
	kept_end
	ok "and made one connection" wait_for 10 eval "[ \"\$(sessions b)\" -eq $((before + 1)) ]"
	like "$(host_log b | grep 'blackpony-receiver.*messages=' | tail -n 1)" ' messages=20, ' "for all of them"
}

# trips PCAP: flights of the client, and milliseconds from the first to the last reply.
trips() {
	host_run wire tcpdump -Z root -n -tt -r - 'tcp port 25' <"$1" 2>/dev/null | awk '
		{ octets = match($0, /length [0-9]+/) ? substr($0, RSTART + 7, RLENGTH - 7) + 0 : 0 }
		octets == 0 { next }
		{ now = $5 ~ /\.25:$/ ? ">" : "<" }
		begin == "" { begin = $1 }
		now == ">" && way != ">" { flights++ }
		now == "<" { last = $1 }
		{ way = now }
		END { printf "%d %d\n", flights, (last - begin) * 1000 }'
}

# A host that has many domains lets one client have some sessions at a time.
one_address() {
	local n
	for n in 1 2 3; do
		mailed "host-$n" "bob@host$n.test"
	done
	ok "three domains at one address: two sessions are kept" wait_for 10 kept_is 2
	mailed again bob@host1.test
	uses "the first one's"
	mailed again bob@host3.test
	not_used "the third has a connection of its own"
	ok "and all arrive" wait_for 20 eval 'has host-1 1 && has host-2 1 && has host-3 1 && has again 2'
	kept_end
}

# Without -K, as the example has it.
by_default() {
	host_sendmail a "$abs_top_srcdir/doc/sendmail.mc.example"
	mailed default-1 bob@b.test
	mailed default-2 bob@b.test
	uses "no -K: a session is kept"
	ok "no -K: for 5 seconds" wait_for 10 kept_none
}

round_trips() {
	local n said best=9999 count=0 flights wall begin
	wire_delay a b $((rtt / 2)) tun0
	begin=${EPOCHREALTIME/./}
	mailed far bob@b.test
	diag "over $rtt ms, with a connection: $(((${EPOCHREALTIME/./} - begin) / 1000)) ms for sendmail"
	unlike "$(last_session)" 'kept=' "over $rtt ms: the first mail makes a session"
	for ((n = 1; n <= attempts && best >= rtt * 26 / 10; n++)); do
		wiretap_start a tun0
		begin=${EPOCHREALTIME/./}
		mailed "near-$n" bob@b.test
		begin=$(((${EPOCHREALTIME/./} - begin) / 1000))
		wiretap_stop "$WORLD/pcap"
		said=$(trips "$WORLD/pcap")
		read -r flights wall <<<"$said"
		diag "kept: $flights round trips in $wall ms, $begin ms for sendmail"
		if [ "$wall" -lt "$best" ]; then
			best=$wall count=$flights
		fi
	done
	like "$(last_session)" ' kept=' "the others use it"
	is "$count" 2 "two round trips: the envelope, and the message"
	ok "and no time but theirs" test "$((rtt * 19 / 10))" -le "$best" -a "$best" -le "$((rtt * 30 / 10))"
	kept_end
}

world_start
host_start a 10.77.0.1 fd77::1 sendmail
host_start b 10.77.0.2 fd77::2 sendmail inetd
for n in 1 2 3; do
	world_zone host$n.test <<<"@ IN MX 0 mail.b.test."
done
world_dns
kept_host
kept_receiver
printf 'host%d.test\n' 1 2 3 | host_run b tee -a /etc/mail/local-host-names >/dev/null
two_mails
all_kinds
expiry
queue_run
one_address
round_trips
by_default
done_testing
