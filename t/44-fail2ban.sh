#!/bin/bash
# 44-fail2ban - doc/fail2ban with Debian's fail2ban-regex, on lines that real sessions have logged: abuse
# matches, with the address of who did it; honest mail does not; and no client can write a line that looks
# like another's. Real inetd and sendmail; needs root (t/lib).
source=${abs_top_srcdir:-$(cd "$(dirname "$0")/.." && pwd)}
. "$source/t/lib/tap.sh"
. "$source/t/lib/world.sh"
. "$source/t/lib/mail.sh"

receiver=/usr/libexec/blackpony/blackpony-receiver

hosts() {
	host_start a 10.77.0.1 fd77::1 sendmail
	host_start b 10.77.0.2 fd77::2 sendmail inetd fail2ban
	host_start c 10.77.0.3 fd77::3 tools
	pony_host a
	pony_host b
	cat >"$WORLD/inetd.conf" <<-CONF
		smtp stream tcp nowait root $receiver receiver
		smtp stream tcp6 nowait root $receiver receiver
		2502 stream tcp nowait root $receiver receiver -M 1
		2504 stream tcp nowait root $receiver receiver -g 1000 -t 2
	CONF
	host_inetd b "$WORLD/inetd.conf"
	host_run b cp -r "$source/doc/fail2ban/filter.d" "$source/doc/fail2ban/jail.d" /etc/fail2ban/
	mail_boxes b honest plain
}

# matched FILE: the addresses of lines that match, sorted, with how often.
matched() {
	host_run b env PYTHONPATH=/usr/lib/python3/dist-packages /usr/bin/python3 -W ignore \
		/usr/bin/fail2ban-regex -o '<ip>' "$1" blackpony 2>&1 | sort | uniq -c | awk '{ print $1, $2 }' | paste -sd ';'
}

# logs WHAT ADDRESSES: what happened since `here` matches so often.
here() { mark=$(($(host_log b | wc -l) + 1)); }
logs() {
	host_log b | tail -n +"$mark" >"$WORLD/lines"
	host_put b /tmp/lines <"$WORLD/lines"
	is "$(matched /tmp/lines)" "$2" "$1" || diag "$(cat "$WORLD/lines")"
}

talk() { host_run c python3 "$source/t/tools/talk.py" "$@" >/dev/null 2>&1; }
ended() { [ "$(host_log b | tail -n +"$mark" | grep -c "$1")" -ge "${2:-1}" ]; }
session_ends() { wait_for 20 ended 'blackpony-receiver.*peer=.* ms=' "${1:-1}" || diag "no log line"; }

abuse() {
	here
	host_spawn c crowd python3 "$source/t/tools/crowd.py" 2502 3 10.77.0.2
	wait_for 10 ended 'too many sessions of' 2
	logs "too many sessions" '2 10.77.0.3'
	host_kill c crowd

	here
	HOST_ENV=(CROWD_SAYS='EHLO x\r\n')
	host_spawn c early python3 "$source/t/tools/crowd.py" 2504 1 10.77.0.2
	HOST_ENV=()
	wait_for 10 ended 'spoke before'
	logs "early talkers" '1 10.77.0.3'
	host_kill c early

	here
	talk fd77::2 <<<'GET / HTTP/1.1'
	session_ends
	logs "another protocol, over IPv6" '1 fd77::3'

	here
	talk 10.77.0.2 <<<$'EHLO x\nXPONY 1 x25519-chachapoly AAAA'
	talk 10.77.0.2 <<<$'EHLO x\nXPONY 1 rot26 AAAA'
	talk 10.77.0.2 <<<$'EHLO x\nXPONY nonsense'
	talk 10.77.0.2 <<<"EHLO $(printf '%020000d' 0)"
	session_ends 4
	logs "upgrades that are none, endless lines" '4 10.77.0.3'
}

honest() {
	here
	printf 'Subject: honest\nTo: friends:;\n\nHonest mail.\n' >"$WORLD/honest"
	mail_send a "$WORLD/honest" honest@b.test
	ok "encrypted mail arrives" mail_take b honest "$WORLD/taken"
	talk 10.77.0.2 <<<$'EHLO c.test\nMAIL FROM:<x@c.test>\nRCPT TO:<plain@b.test>\nDATA\nSubject: x\n\nx\n.\nQUIT'
	talk 10.77.0.2 <<<$'EHLO c.test\nMAIL FROM:<x@c.test>\nRCPT TO:<nobody-there@b.test>\nQUIT'
	talk 10.77.0.2 <<<$'EHLO c.test\nQUIT'
	talk 10.77.0.2 <<<''
	talk -p 2504 10.77.0.2 <<<'?'
	session_ends 6
	logs "mail, refusals, silence and timeouts are no abuse" ''
}

# As the log would have to look to ban 192.0.2.66.
forged() {
	local line='blackpony-receiver[1]: spoke before the greeting, peer=[192.0.2.66], octets=1'
	local fault='fault="limit exceeded", peer=[192.0.2.66], ms=1' text
	here
	for text in "x $line" "x, $fault" "x\", $fault" "x\\042, $fault" $'x\x01\r'"$line" "]: $line" \
		"x], ms=1 $line" ", stat=\"554 5.5.1 This is an SMTP server\""; do
		{
			printf 'EHLO %s\n' "$text"
			printf 'MAIL FROM:<"%s"@c.test>\n' "${text//\"/}"
			printf 'RCPT TO:<"%s"@third.test>\n' "${text//\"/}"
			printf 'Nov 22 00:00:00 b %s\n' "$line"
			echo QUIT
		} | talk 10.77.0.2
	done
	session_ends 8
	logs "nothing that a client says bans anybody" ''
	ok "though it is all in the log" grep -q '192\.0\.2\.66' "$WORLD/lines"

	# The patterns on lines made by hand, the first as a check of the check.
	printf 'Nov 22 00:00:00 b %s\n' "$line" \
		"blackpony-receiver[1]: peer=[10.77.0.3], helo=\"x, peer=[192.0.2.66]\", suite=none, fault=\"limit exceeded\", ms=1" \
		"sendmail[2]: x: from=$line" \
		"blackpony-receiver[1]: peer=[10.77.0.3], helo=\", $fault\", ms=1" \
		"blackpony-receiver[1]: no back end, peer=[10.77.0.3], reason=\"$fault\"" | host_put b /tmp/lines
	is "$(matched /tmp/lines)" '1 10.77.0.3;1 192.0.2.66' "the anchor is the program's name, and the peer that stands first"
}

world_start
hosts
abuse
honest
forged
host_run b touch /var/log/auth.log # of the jail that Debian has by default
host_run b env PYTHONPATH=/usr/lib/python3/dist-packages /usr/bin/python3 -W ignore /usr/bin/fail2ban-client -t \
	>"$WORLD/said" 2>&1
like "$(cat "$WORLD/said")" '^OK: configuration test is successful' "fail2ban takes filter and jail" || diag "$(cat "$WORLD/said")"
done_testing
