# status.sh: does it work? Sourced by blackpony-setup.
# shellcheck shell=sh disable=SC2154 # work, cf, keydir, pinsdir, pkglibexecdir: blackpony-setup's

status_faults=0
status_mailbox=/var/mail/blackpony

status_ok() { echo "ok: $*"; }

status_fault() {
	status_faults=$((status_faults + 1))
	echo "fault: $*"
}

# The receiver looks at the TCP pair, the key, the host's name and sendmail.cf.
status_receiver() {
	"$pkglibexecdir/blackpony-receiver" --check >"$work/check" 2>&1 || true
	cat "$work/check"
	status_faults=$((status_faults + $(grep -vc '^ok: ' "$work/check" || true)))
}

status_users() {
	for status_user in blackpony blackpony-net; do
		if id "$status_user" >/dev/null 2>&1; then
			status_ok "user $status_user"
		else
			status_fault "there is no user $status_user; see README.md, \"Users\""
		fi
	done
	if [ "$(stat -c %U:%a "$pinsdir" 2>/dev/null)" = blackpony:700 ]; then
		status_ok "$pinsdir, where keys of hosts are remembered"
	else
		status_fault "$pinsdir: must be a directory of the user blackpony, with mode 700"
	fi
}

status_sendmail() {
	if grep -qs '^Mblackpony,' "$cf"; then
		status_ok "$cf sends through blackpony-mailer"
	else
		status_fault "$cf has no mailer blackpony"
	fi
	status_daemon=$(mc_ports_25 "$cf" 2>/dev/null | head -n 1)
	[ -z "$status_daemon" ] || status_fault "$cf has a daemon on port 25: $status_daemon"
	if daemon_runs; then
		status_ok "sendmail's daemon runs"
	else
		status_fault "sendmail's daemon does not run, so nobody tries the queue: service sendmail start"
	fi
}

status_port() {
	status_owner=$(port_owner | tr '\n' ' ')
	case ${status_owner% } in
	inetd | xinetd | systemd) status_ok "port 25 is ${status_owner% }'s" ;;
	'') status_fault "nobody listens on port 25" ;;
	*) status_fault "port 25 is ${status_owner% }'s" ;;
	esac
}

# hear CODE: a whole reply from the mailer, which must be of that code.
hear() {
	while read -r reply <&4; do
		case $reply in
		???-*) ;;
		*) break ;;
		esac
	done
	case $reply in
	"$1"*) ;;
	*) return 1 ;;
	esac
}

ask() {
	printf '%s\r\n' "$1" >&3 2>/dev/null && hear "$2"
}

# letter_text SUBJECT
letter_text() {
	printf '%s\r\n' "From: blackpony-setup <root@localhost>" "To: blackpony@localhost" "Subject: $1" '' \
		"Is blackpony at work? This letter is taken out of the mailbox again."
}

# session COMMAND...: what the command says, in a session with port 25 as another host that has
# blackpony would have it, with a key of its own: this host's own is not taken from somebody else.
session() {
	[ -p "$work/to" ] || mkfifo "$work/to" "$work/from"
	install -d -o blackpony -m 700 "$work/pins"
	: >"$work/policy"
	chmod 755 "$work"
	timeout 60 runuser -u blackpony -- "$pkglibexecdir/blackpony-mailer" -k "$work/no-key" \
		-d "$work/pins" -P "$work/policy" '[127.0.0.1]' <"$work/to" >"$work/from" 2>/dev/null 9>&- &
	exec 3>"$work/to" 4<"$work/from"
	reply=''
	hear 220 && ask 'EHLO localhost' 250 && "$@"
	session_status=$?
	printf 'QUIT\r\n' >&3
	exec 3>&- 4<&-
	[ $session_status -eq 0 ] || echo "port 25: $(printf %s "$reply" | tr -d '\r')"
	return $session_status
}

# session_recipient: nothing is sent. blackpony-mailer says what became of its connection as the
# reply to RCPT.
session_recipient() { ask 'MAIL FROM:<>' 250 && ask 'RCPT TO:<blackpony@localhost> NOTIFY=NEVER' 250; }

session_letter() { session_recipient && ask DATA 354 && ask "$(letter_text "$1"; echo .)" 250; }

letter_encrypted() { session session_letter "$1" >/dev/null; }

# letter_local SUBJECT: goes the way of what this host's programs send: submit.cf, port 25.
letter_local() {
	letter_text "$1" | tr -d '\r' | timeout 60 /usr/sbin/sendmail -i -N never blackpony@localhost
}

# letter_received SUBJECT: the first Received header of that letter, when it has come.
letter_received() {
	[ -e $status_mailbox ] || return 0
	tr -d '\r' <$status_mailbox | awk -v subject="Subject: $1" '
		/^From / { header = received = ""; n = 0 }
		/^Received:/ { n++ }
		/^[^ \t]/ { header = $0 }
		header ~ /^Received:/ && n == 1 { received = received " " $0 }
		/^[ \t]/ && header !~ /^Received:/ { next }
		$0 == subject { print received }' | tr -s ' \t' ' '
}

letter_has_come() { [ -n "$(letter_received "$1")" ]; }

# letters_remove: the mailbox, if nobody else has written into it.
letters_remove() {
	[ -e $status_mailbox ] || return 0
	[ "$(grep -c '^From ' $status_mailbox)" != "$(grep -c '^Subject: blackpony-setup test ' $status_mailbox)" ] ||
		rm -f $status_mailbox
}

# status_letter WORDS COMMAND PATTERN: a letter by that command arrives, with a Received header that
# matches.
status_letter() {
	reply=''
	status_subject="blackpony-setup test $2 $$ $(date +%s)"
	if ! $2 "$status_subject"; then
		status_fault "$1: not taken${reply:+: $(printf %s "$reply" | tr -d '\r')}"
	elif ! wait_until 30 letter_has_come "$status_subject"; then
		status_fault "$1: taken, but not in $status_mailbox after 30 seconds; see mailq and the log"
	elif ! letter_received "$status_subject" | grep -Eq "$3"; then
		status_fault "$1: arrived, with$(letter_received "$status_subject")"
	else
		status_ok "$1: arrived$(letter_received "$status_subject" | grep -o ' (version=.*)' | sed 's/).*/)/')"
	fi
}

status_letters() {
	status_letter "an encrypted letter to this host" letter_encrypted '\(version=XPONY1 cipher='
	status_letter "a letter from a program of this host" letter_local '\[127\.0\.0\.1\]'
	letters_remove
}

# status_all: the lines, and the verdict as the last; whether it works.
status_all() {
	status_receiver
	status_users
	status_sendmail
	status_port
	[ "$status_faults" -gt 0 ] || status_letters
	if [ "$status_faults" -eq 0 ]; then
		echo "blackpony works"
	else
		echo "blackpony does not work: faults: $status_faults"
		return 1
	fi
}
