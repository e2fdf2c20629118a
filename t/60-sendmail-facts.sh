#!/bin/bash
# 60-sendmail-facts - what blackpony-mailer relies on in the sendmail that starts it, one assertion
# a fact (doc/DESIGN.md), so that a new sendmail fails by name. The mailer here is
# t/tools/scripted.py, in place of blackpony-mailer. Facts of `sendmail -bs` are in
# 61-sendmail-bs-facts. Needs root (t/lib).
source=${abs_top_srcdir:-$(cd "$(dirname "$0")/.." && pwd)}
. "$source/t/lib/tap.sh"
. "$source/t/lib/world.sh"

# mailer NAME FLAGS EQUATES ARGUMENTS: an M line. Flags as sendmail.cf.m4 has them, and these.
mailer() {
	printf 'M%s,\tP=/usr/bin/scripted, F=mDFMuXa%s, S=EnvFromSMTP/HdrFromSMTP, ' "$1" "$2"
	printf 'R=EnvToSMTP, E=\\r\\n, L=990,\n\t\tT=DNS/RFC822/SMTP, %sA=scripted %s\n' "$3" "$4"
}

# shellcheck disable=SC2016 # what m4 and sendmail expand
configuration() {
	cat "$source/t/lib/plain.mc"
	printf 'define(`confSMTP_MAILER'\'', `script'\'')dnl\nMAILER_DEFINITIONS\n'
	mailer script S 'U=blackpony:blackpony, ' '-i $i $h'
	mailer script-k Sk 'U=blackpony:blackpony, ' '$h'
	mailer script-n '' 'U=blackpony:blackpony, ' '$h'
	mailer script-u S 'U=blackpony:blackpony, ' '$u $h'
	mailer script-w S 'U=blackpony:blackpony, W=1s, ' '$h'
}

# send OPTION... ADDRESS...: alice writes, and sendmail delivers at once. Sets took, in ms.
send() {
	local begin=${EPOCHREALTIME/./}
	printf 'Subject: fact\n\n%s\n' "${text:-body}" |
		host_run a sendmail-mta -Am -odi -oem -i -f alice@a.test "$@" >/dev/null 2>&1
	took=$(((${EPOCHREALTIME/./} - begin) / 1000))
}

# told ADDRESS: what the log says became of that recipient, at last.
told() {
	wait_for 5 logged "$1"
	host_log a | sed -n "s/.* to=[^ ]*$1[^ ]*, .*\(mailer=.*\)/\1/p" | tail -n 1
}
logged() { host_log a | grep -q " to=[^ ]*$1[^ ]*, .*stat="; }

# noted SCRIPT [WORD]: what all processes of this script noted, in the order in which they began;
# only what follows WORD, if there is one.
noted() {
	# shellcheck disable=SC2016 # expanded on the host
	host_run a sh -c 'cat $(ls -tr /tmp/scripted/"$0".*)' "$1" 2>/dev/null |
		if [ "${2-}" ]; then sed -n "s/^$2 //p"; else cat; fi
}

# fate SCRIPT DSN STAT NAME: what becomes of a mail to such a host.
fate() {
	send "bob@$1.fact.test"
	like "$(told "bob@$1.fact.test")" "dsn=$2,.* stat=$3\$" "$4"
}

surroundings() {
	local said
	send bob@good.fact.test
	said=$(noted good)
	like "$said" '^argv .*scripted -i [0-9A-Za-z]+ good\.fact\.test\.$' \
		"\$i is the queue id, \$h the canonical name with a dot at its end"
	like "$said" '^user 0 [1-9]' "flag S and U=: effective user that of U=, real user root"
	like "$said" "^groups $(id_of blackpony -g) $(id_of blackpony -g) $(id_of smmsp -g)\$" \
		"group that of U=; sendmail's own stays among the others"
	is "$(noted good cwd)" /var/spool/mqueue "started in the queue directory"
	is "$(noted good environment)" AGENT "the environment is AGENT"
	is "$(grep -c '^descriptor [0-2] pipe' <<<"$said")" 3 "descriptors 0, 1, 2 are pipes"
	is "$(grep '^descriptor' <<<"$said" | grep -vc ' /tmp/scripted/')" 3 "there are no others"
	is "$(sed -n 's/^descriptor 1 //p' <<<"$said")" "$(sed -n 's/^descriptor 2 //p' <<<"$said")" \
		"standard error is standard output"
	is "$(noted good ignored | tr '\n' ' ')" "SIGHUP SIGINT " "HUP and INT are ignored"
	is "$(noted good umask)" 022 "umask is 022"
	send bob@errors.fact.test
	like "$(told bob@errors)" 'stat=Sent' "replies on standard error count as well"
	send bob@sender.test
	is "$(noted sender user)" "$(id_of alice -u) $(id_of alice -u)" \
		"without flag S a mailer runs as the local user who wrote, U= or not"
}
id_of() { host_run a id "$2" "$1"; }

dialogue() {
	local said
	said=$(noted good read)
	is "$(head -n 1 <<<"$said")" "'EHLO mail.a.test\\r\\n'" "we greet; sendmail says EHLO \$j"
	like "$said" "^'MAIL From:<alice@a\.test> SIZE=[0-9]+.r.n'" "MAIL has the SIZE"
	is "$(noted good alone)" yes "MAIL is never pipelined"
	like "$said" "^'RCPT To:<bob@good\.fact\.test>.r.nDATA.r.n'\$" "RCPT and DATA are one write"
	like "$said" "^'QUIT.r.n'\$" "it ends with QUIT"
	like "$(told bob@good)" 'relay=good\.fact\.test\., .*stat=Sent \(far\.example \[192\.0\.2\.7\] took it\)' \
		"relay= is \$h, our text after the dot is in stat=Sent (...)"
	send bob@user.test
	nok "with \$u in A= there is no SMTP at all" grep EHLO <<<"$(noted named-user)"
	send bob@chunking.fact.test
	unlike "$(noted chunking read)" 'BDAT|SMTPUTF8' "no CHUNKING, no SMTPUTF8"
	text=$'\xc3\xa9t\xc3\xa9' send -B8BITMIME -V id7 -R hdrs -N success,failure bob@dsn.fact.test
	said=$(noted dsn read)
	like "$said" 'MAIL .* BODY=8BITMIME' "BODY=8BITMIME is passed"
	like "$said" 'MAIL .* ENVID=id7 RET=HDRS' "RET and ENVID are passed"
	like "$said" 'RCPT .* NOTIFY=SUCCESS,FAILURE' "NOTIFY is passed"
	send bob@self.fact.test
	like "$(told bob@self.fact)" 'dsn=5\.3\.5, stat=Local configuration error' \
		"our EHLO reply with sendmail's own name bounces the mail"
	send bob@self-k.test
	like "$(told bob@self-k.test)" 'stat=Sent' "unless the mailer has flag k"
}

# After refusing all recipients a host has to be polite about DATA.
refused() {
	local said box
	send 550=5.1.2@mixed.fact.test 556=5.1.10@mixed.fact.test 451=4.4.1@mixed.fact.test \
		451=4.7.5@mixed.fact.test bob@mixed.fact.test
	like "$(told 550=5.1.2@mixed)" 'dsn=5\.1\.2, reply=550 5\.1\.2 as asked' "RCPT 550 5.1.2: exact"
	like "$(told 556=5.1.10@mixed)" 'dsn=5\.1\.10, reply=556 5\.1\.10 as asked' "RCPT 556 5.1.10: exact"
	like "$(told 451=4.4.1@mixed)" 'dsn=4\.4\.1, .*stat=Deferred: 451' "RCPT 451 4.4.1: exact"
	like "$(told 451=4.7.5@mixed)" 'dsn=4\.7\.5, .*stat=Deferred: 451' "RCPT 451 4.7.5: exact"
	like "$(told bob@mixed)" 'stat=Sent' "the recipient among them that was not refused has it"
	is "$(noted mixed argv | wc -l)" 1 "five recipients share a session"
	wait_for 5 mailbox_has 'Status: 5\.1\.10$'
	box=$(host_mailbox a alice)
	like "$box" '^Status: 5\.1\.2$' "the bounce has each Status"
	like "$box" '^Diagnostic-Code: SMTP; 556 5\.1\.10 as asked$' "and each Diagnostic-Code"

	send 550=5.1.2@none.fact.test 556=5.1.10@none.fact.test
	said=$(noted none read | tail -n 2 | tr '\n' ' ')
	is "$said" "'.\\r\\n' 'QUIT\\r\\n' " "all refused but 354 to DATA: an empty message, at once"
	like "$(told 550=5.1.2@none)" 'dsn=5\.1\.2,' "and the verdicts stay what they were"
	like "$(told 556=5.1.10@none)" 'dsn=5\.1\.10,' "all of them"
}
mailbox_has() { host_mailbox a alice | grep -Eq "$1"; }

verdicts() {
	fate say-greet-451 4.5.0 'Deferred: 451 4.7.1 said at greet' "greeting 451: deferred 4.5.0"
	fate say-greet-554 5.5.0 'Service unavailable' "greeting 554: bounced 5.5.0"
	fate say-ehlo-451 4.5.0 'Deferred: 451 4.7.1 said at ehlo' "EHLO 451: deferred 4.5.0"
	fate say-ehlo-554 2.0.0 'Sent .*' "EHLO 554: HELO is tried"
	is "$(noted say-ehlo-554 read | sed -n 2p)" "'HELO mail.a.test\\r\\n'" "in the same session"
	fate say-mail-550 5.7.1 'Service unavailable' "MAIL 550 with enhanced code: exact"
	fate say-data-451 4.0.0 'Deferred: .*' "DATA 451: enhanced code lost, 4.0.0"
	fate say-data-554 5.0.0 'Service unavailable' "DATA 554: enhanced code lost, 5.0.0"
	fate say-dot-451 4.7.1 'Deferred: 451 4.7.1 said at dot' "final dot 451: exact"
	fate say-dot-554 5.7.1 'Service unavailable' "final dot 554: exact"
	fate say-dot-421 4.7.1 'Deferred: 421 4.7.1 said at dot' "final dot 421: exact"
	fate say-rcpt-421 4.7.1 'Deferred: 421 4.7.1 said at rcpt' "RCPT 421: exact"
	for place in greet ehlo mail rcpt data dot; do
		fate die-$place 4.4.2 'Deferred.*' "an end at $place without an answer: deferred 4.4.2"
	done
	like "$(told bob@die-data)" 'Connection reset by mail\.a\.test' "and the log names this host"
	fate die-quit 2.0.0 'Sent .*' "QUIT need not be answered"
	fate exit-75 2.0.0 'Sent .*' "the exit status counts for nothing: 75"
	fate exit-1 2.0.0 'Sent .*' "nor does 1"
}

destinations() {
	send 'bob@[192.0.2.1]' 'bob@[IPv6:2001:db8::1]'
	like "$(noted '[192' argv)" ' \[192\.0\.2\.1\]$' "\$h can be [192.0.2.1]"
	like "$(noted '[ipv6' argv)" ' \[ipv6:2001:db8::1\]$' "\$h can be [ipv6:2001:db8::1]"
	send bob@several.test
	like "$(noted '[192' argv)" ' \[192\.0\.2\.1\]:other\.fact\.test$' "\$h can be host:host"
	send carol@several.test 'carol@[192.0.2.1]'
	is "$(noted '[192' argv | wc -l)" 3 "destinations whose lists begin with the same host share a session"
	like "$(noted good argv)" ' good\.fact\.test\.$' "\$h is the domain: its MX record is ours to find"
	send bob@nodns.invalid
	like "$(noted nodns argv)" ' nodns\.invalid$' "without a dot at its end where DNS does not know it"
	send -O FallbackMXhost=fallback.fact.test bob@say-greet-452.fact.test
	is "$(noted fallback)" "" "FallbackMXhost is not for us"
	host_run a mkdir /tmp/hoststat
	send -O HostStatusDirectory=/tmp/hoststat bob@say-greet-450.fact.test
	is "$(host_run a find /tmp/hoststat -type f)" "" "no host status is kept"
	send -O HostStatusDirectory=/tmp/hoststat bob@direct.test
	is "$(host_run a find /tmp/hoststat -type f | wc -l)" 1 "as it is for sendmail's own client"
}

# queue_run PART: for recipients with this in their address. Without -v it goes on by itself.
queue_run() { host_run a sendmail-mta -Am -v -qR"$1" </dev/null >/dev/null 2>&1; }

sessions() {
	send -odq one@pair.fact.test
	send -odq two@pair.fact.test
	queue_run pair.fact.test
	is "$(noted pair argv | wc -l)" 2 "two messages of a queue run are two processes"
	# shellcheck disable=SC2046 # words
	send $(seq -f 'u%g@crowd.fact.test' 101)
	is "$(noted crowd read | grep -o 'RCPT' | wc -l)" 101 "101 recipients all come"
	is "$(noted crowd argv | wc -l)" 2 "in two sessions: 100 is the limit without r="
	like "$(noted crowd read)" "RCPT.*RCPT.*RCPT.*RCPT.*DATA" "many RCPT and DATA in one write"
}

patience() {
	send bob@lag-quit.fact.test
	ok "sendmail waits for the mailer's end" test $took -ge 2000
	like "$(noted lag-quit)" '^end' "which is left in peace"
	send bob@impatient.test
	ok "W= ends the wait, once the mailer has let go of the pipes" test $took -lt 9000
	send -O Timeout.mail=1s bob@hang-mail.fact.test
	like "$(told bob@hang-mail)" 'dsn=4\.4\.2, stat=Deferred: Connection timed out' \
		"Timeout.mail applies to the pipe"
	is "$(noted hang-mail | tail -n 2 | tr -d '\n')" "eof end " "the mailer then sees EOF, no signal"
	ok "and sendmail waits for its end" test $took -ge 3000
}

world_start
host_start a 10.77.0.1 fd77::1 sendmail tools
host_put a /usr/bin/scripted 755 <"$source/t/tools/scripted.py"
host_run a mkdir -m 1777 /tmp/scripted
world_zone fact.test <<<'* IN MX 10 mail.elsewhere.test.'
world_zone elsewhere.test <<<'mail IN A 10.77.0.9'
world_dns
host_put a /etc/mail/mailertable <<-'END'
	self-k.test	script-k:self.fact.test
	user.test	script-u:named-user
	sender.test	script-n:sender
	direct.test	esmtp:[10.77.0.1]
	several.test	script:[192.0.2.1]:other.fact.test
	impatient.test	script-w:linger-quit
END
configuration >"$WORLD/script.mc"
host_sendmail a "$WORLD/script.mc"

surroundings
dialogue
refused
verdicts
destinations
sessions
patience
done_testing
