#!/bin/bash
# 518-backend-dies - row 18: the sendmail behind blackpony-receiver is killed, at each phase of a session, or
# never starts, or refuses. The client is told 421 (or what sendmail said), nothing is accepted, and a real
# sendmail on the other side keeps the message in its queue until it is delivered, once. Real inetd and
# sendmail on either side; needs root (t/lib).
source=${abs_top_srcdir:-$(cd "$(dirname "$0")/.." && pwd)}
. "$source/t/lib/tap.sh"
. "$source/t/lib/world.sh"
. "$source/t/lib/mail.sh"

receiver=/usr/libexec/blackpony/blackpony-receiver
mailer=/usr/libexec/blackpony/blackpony-mailer
phases='connect helo mail rcpt data body dot'
faults='missing closed format exits talks'

# talk ARGUMENT...: the script on standard input, from host c.
talk() { host_run c python3 "$source/t/tools/talk.py" "$@" 2>&1; }

# codes SAID: the codes of its replies, one after another.
codes() { sed -n 's/^\([0-9][0-9][0-9]\) .*/\1/p; s/^closed/&/p' <<<"$1" | paste -sd' '; }

session() {
	printf '%s\n' 'EHLO peer.example' 'MAIL FROM:<x@c.test>' 'RCPT TO:<bob@b.test>' DATA "Subject: $1" ''
	seq -f 'line %g of the message, which is to be long enough for a queue file of more than one part' 1 20000
	printf '%s\n' . QUIT
}

# configure_b: sendmail.cf asks the milter that kills; down.cf one that is not there and refuse.cf one that refuses.
configure_b() {
	{
		sed '/^FEATURE(.delay_checks/q' "$source/doc/sendmail.mc.example"
		cat <<-'MC'
			ifdef(`DOWN', `INPUT_MAIL_FILTER(`x', `S=inet:8892@127.0.0.1, F=4')')dnl
			ifdef(`REFUSE', `INPUT_MAIL_FILTER(`x', `S=inet:8891@127.0.0.1, F=T')')dnl
			ifdef(`DOWN',, `ifdef(`REFUSE',, `INPUT_MAIL_FILTER(`x', `S=local:/run/killer, F=T')')')dnl
		MC
		sed '1,/^FEATURE(.delay_checks/d' "$source/doc/sendmail.mc.example"
	} >"$WORLD/b.mc"
	pony_host b "$WORLD/b.mc"
	host_run b sh -c 'cd /etc/mail && m4 -DREFUSE sendmail.mc >refuse.cf && m4 -DDOWN sendmail.mc >down.cf'
	# shellcheck disable=SC2086 # words
	mail_boxes b $phases $faults again
	host_spawn b killer python3 "$source/t/tools/killer.py" /run/killer /run/phase /var/spool/mqueue
	host_spawn b milter python3 "$source/t/tools/milter.py" 8891 /var/log/milter /run/verdict
	host_put b /run/verdict <<<r
	wait_for 10 host_listens b 8891 || bail "no milter"
	wait_for 10 test -S "$(host_root b)/run/killer" || bail "no killer"
	# The back end of port 25, which can be replaced: by its name it is sendmail.
	good_backend
	host_put b /usr/local/bin/traced 755 <<-'END'
		#!/bin/sh
		echo started >>/var/log/traced
		exec /usr/sbin/sendmail -bs -Am
	END
	{
		sed 's/blackpony-receiver$/& -- \/usr\/local\/bin\/sendmail -bs -Am/' "$source/doc/inetd.conf.example"
		cat <<-END
			2501 stream tcp nowait root $receiver receiver -- /usr/local/bin/traced
			2502 stream tcp nowait root /usr/bin/setpriv setpriv --bounding-set=-sys_admin $receiver -- /usr/local/bin/traced
			2504 stream tcp nowait root $receiver receiver -- /usr/sbin/sendmail -bs -Am -C/etc/mail/refuse.cf
			2505 stream tcp nowait root $receiver receiver -- /usr/sbin/sendmail -bs -Am -C/etc/mail/down.cf
		END
	} >"$WORLD/inetd.conf"
	host_inetd b "$WORLD/inetd.conf"
}

backend() { host_put b /usr/local/bin/sendmail "${1:-755}"; }
good_backend() { printf '#!/bin/sh\nexec /usr/sbin/sendmail "$@"\n' | backend; }

# send NAME: a's sendmail has tried when this returns.
send() {
	session "$1" | sed '/^Subject/,/^\.$/!d; /^\.$/d' >"$WORLD/message"
	mail_send a "$WORLD/message" "$1@b.test" -OQueueLA=999
}

# waits NAME: ... and it is in its queue.
waits() {
	local name=$1
	send "$name"
	like "$(host_log a | grep "to=$name@b\.test")" 'mailer=blackpony.* dsn=4\.[0-9.]*, .*stat=Deferred' "$name: mail waits"
	like "$(host_queue a)" "$name@b\.test" "$name: in the queue"
	nok "$name: nothing of it is delivered" test -s "$(host_root b)/var/mail/box/$name"
}

killed() {
	local phase said before
	declare -A wanted=([connect]="220 421 closed" [helo]="220 421 closed" [mail]="220 250 421 closed"
		[rcpt]="220 250 250 421 closed" [data]="220 250 250 250 421 closed"
		[body]="220 250 250 250 354 421 closed" [dot]="220 250 250 250 354 421 closed")
	for phase in $phases; do
		host_put b /run/phase <<<"$phase"
		said=$(session "clear $phase" | talk 10.77.0.2)
		is "$(codes "$said")" "${wanted[$phase]}" "killed at $phase: a client in clear is told 421" || diag "$said"
		waits "$phase"
	done
	host_run b rm /run/phase
	is "$(host_log a | grep -c 'blackpony-mailer.*relay=.*suite=none')" 0 "none of it made the sender go on in clear" ||
		diag "$(host_log a | grep 'blackpony-mailer')"
	# One death is one session's: the next one is served.
	send again
	ok "and then mail is taken again" mail_take b again "$WORLD/again.taken"
}

never_starts() {
	local fault said
	for fault in $faults; do
		case $fault in
		missing) host_run b rm /usr/local/bin/sendmail ;;
		closed) backend 644 </dev/null ;;
		format) backend <<<'no program' ;;
		exits) backend <<<$'#!/bin/sh\nexit 0' ;;
		talks) backend <<<$'#!/bin/sh\necho Hello; echo "450 4.3.2 not now"' ;;
		esac
		said=$(session "clear $fault" | talk fd77::2)
		is "$(codes "$said")" "220 421 closed" "$fault: a client in clear is told 421" || diag "$said"
		waits "$fault"
	done
	like "$(host_log b)" 'blackpony-receiver.*no back end, .*local/bin/sendmail: exec: No such file' "the log: missing"
	like "$(host_log b)" 'blackpony-receiver.*no back end, .*local/bin/sendmail: exec: Permission denied' "closed"
	like "$(host_log b)" 'blackpony-receiver.*no back end, .*local/bin/sendmail: exec: Exec format error' "format"
	good_backend
}

processes() { host_run b sh -c 'grep -lx blackpony-recei /proc/[0-9]*/comm' 2>/dev/null | wc -l; }
no_processes() { [ "$(processes)" = 0 ]; }

# One that never greets: nothing is taken meanwhile. (The engine waits five minutes for it.)
hangs() {
	backend <<<$'#!/bin/sh\nexec sleep 1000'
	host_spawn c hanging python3 -c '
import socket
sock = socket.create_connection(("10.77.0.2", 25), 20)
file = sock.makefile("rwb", 0)
print(file.readline().decode()[:3], flush=True)
file.write(b"EHLO x\r\nMAIL FROM:<x@c.test>\r\n")
sock.settimeout(5)
try: print("told", file.readline(), flush=True)
except OSError: print("nothing", flush=True)'
	ok "a back end that never greets: the client is told nothing" wait_for 20 \
		grep -q nothing "$(host_root c)/var/log/hanging.out"
	host_run b sh -c 'kill $(grep -lx sleep /proc/[0-9]*/comm | cut -d/ -f3)'
	ok "when its back end has ended, so has the receiver" wait_for 20 no_processes || diag "$(processes)"
	good_backend
}

# A back end that greets with a refusal: it is the reply to the first command, and then the end.
refuses() {
	local said
	said=$(printf '%s\n' 'EHLO x' 'MAIL FROM:<>' | talk -p 2504 10.77.0.2)
	is "$(codes "$said")" "220 554 closed" "one that greets with 554: the reply to EHLO, and the end" || diag "$said"
	said=$(printf '%s\n' 'EHLO x' | talk $mailer -p 2504 '[10.77.0.2]')
	like "$said" '^554 ' "the same for an encrypted session" || diag "$said"
	said=$(printf '%s\n' 'HELO x' 'MAIL FROM:<>' | talk -p 2505 10.77.0.2)
	is "$(codes "$said")" "220 421 closed" "one that greets with 421" || diag "$said"
}

# Where sendmail could not see the true client nothing is accepted.
no_pair() {
	local said traces way
	traces=$(host_root b)/var/log/traced
	like "$(printf '%s\n' 'EHLO x' QUIT | talk -p 2501 10.77.0.2)" '^221 ' "with its capabilities"
	is "$(cat "$traces")" started "control: the back end leaves a trace"
	rm "$traces"
	for way in "talk -p 2502 10.77.0.2" "talk $mailer -p 2502 [10.77.0.2]"; do
		said=$(printf '%s\n' 'EHLO x' 'MAIL FROM:<x@c.test>' 'RCPT TO:<bob@b.test>' QUIT | $way)
		unlike "$said" '^250 2\.1\.5' "without CAP_SYS_ADMIN nobody is taken: ${way##* }"
		like "$said" '421 4\.3\.0|4[0-9][0-9] .*(said|Service)' "but told to come again" || diag "$said"
	done
	is "$(codes "$(printf '%s\n' 'EHLO x' 'MAIL FROM:<>' | talk -p 2502 10.77.0.2)")" "220 421 closed" \
		"the client gets 421 and the end"
	like "$(host_log b)" 'blackpony-receiver.*no back end, .*peer=\[10\.77\.0\.3\], .*reason=' "logged"
	nok "and no back end was ever started" test -e "$traces"
}

delivered_once() {
	local name
	host_run a sendmail-mta -Am -OQueueLA=999 -qf
	for name in $phases $faults; do
		ok "$name: delivered in the end" wait_for 20 mail_there b "$name"
		is "$(grep -c '^Subject: ' "$(host_root b)/var/mail/box/$name")" 1 "$name: once"
		is "$(tail -n 2 "$(host_root b)/var/mail/box/$name" | head -n 1 | cut -d' ' -f1-2)" "line 20000" "$name: whole"
	done
	like "$(host_queue a)" 'is empty' "the queue is empty"
	unlike "$(host_log b)" 'to=[^ ]*bob.*stat=Sent' "of the sessions in clear nothing was delivered"
	nok "and nothing bounced" test -s "$(host_root a)/var/mail/alice"
}

world_start
host_start a 10.77.0.1 fd77::1 sendmail
host_start b 10.77.0.2 fd77::2 sendmail inetd tools
host_start c 10.77.0.3 fd77::3 tools
pony_host a "" "$mail_unkept"
host_pony c
configure_b
killed
never_starts
hangs
refuses
no_pair
delivered_once
done_testing
