#!/bin/bash
# 503-state-gone - row 3: what was said in clear before the upgrade counts for nothing inside: the EHLO name, a
# HELO, the host's keywords, AUTH (which leaves no upgrade at all); in both suites. Must happen: the receiver
# gives the client a sendmail that never heard anything but what was said inside, and its Received header
# has that EHLO name; blackpony-mailer shows sendmail the inner keywords alone. Needs root (t/lib).
. "$abs_top_srcdir/t/lib/tap.sh"
. "$abs_top_srcdir/t/lib/world.sh"
. "$abs_top_srcdir/t/lib/mail.sh"
. "$abs_top_srcdir/t/lib/hostile.sh"

received() { host_mailbox b bob | grep -B20 "^Subject: $1\$" | sed -n 's/^Received: //p' | tail -n 1; }
arrived() { host_mailbox b bob | grep -qx "Subject: $1"; }

# sessions: for each sendmail what it was told, in one line.
sessions() {
	sed -nE 's/\r$//; s/^([0-9]+) <<< ((EHLO|HELO|VRFY|MAIL|RCPT|DATA|QUIT)\b( [a-z0-9.]*)?).*/\1 \2/p' \
		"$(host_root b)/var/log/traffic" |
		awk '{ pid = $1; $1 = ""; all[pid] = all[pid] $0 } END { for (pid in all) print all[pid] }' | sort
}

# asked NAME: with what sendmail's MAIL and RCPT came to that host.
asked() {
	sed -nE "s/\r\$//; s/=[A-Z0-9,]*/=/g; s/^$1 (MAIL|RCPT) [^>]*>/\1/p" "$(host_root c)/var/log/notes.said" | paste -sd,
}

world_start
host_start a 10.77.0.1 fd77::1 sendmail
host_start b 10.77.0.2 fd77::2 sendmail inetd sasl
host_start c 10.77.0.3 fd77::3 tools
pony_host a
host_tls b
pony_host b
overheard_inetd b

clients c 3
answered "state from before" "503 \| 503 \| 503 \| 250 \| 503 \| 250 \| 250 \| 354 \| 250 \| 221"
answered "early EHLO" "250 \| 250 \| 354 \| 250 \| 221"
answered keywords "STARTTLS,XPONY \| none"
for suite in classical hybrid; do
	wait_for 10 arrived "after, $suite" && wait_for 10 arrived "early, $suite"
	is "$(received "after, $suite")" "from after.example (mail.c.test [10.77.0.3])" "$suite: Received has the EHLO said inside"
	is "$(received "early, $suite")" "from early.example (mail.c.test [10.77.0.3])" "$suite: or sent with the handshake"
done
is "$(sessions)" " EHLO after.example
 EHLO after.example
 EHLO before.example QUIT
 EHLO before.example QUIT
 EHLO before.example QUIT
 EHLO before.example QUIT
 EHLO before.example VRFY bob HELO before2.example QUIT
 EHLO before.example VRFY bob HELO before2.example QUIT
 EHLO early.example MAIL RCPT DATA QUIT
 EHLO early.example MAIL RCPT DATA QUIT
 MAIL RCPT DATA EHLO after.example RCPT MAIL RCPT DATA QUIT
 MAIL RCPT DATA EHLO after.example RCPT MAIL RCPT DATA QUIT" "each sendmail was told what was said in clear, or inside, never both"
hosts_start 3
for name in $names; do
	host_run a sendmail-mta -Am -odi -i -N success,delay -B8BITMIME -f alice@a.test "bob@$name.evil.test" <<<"Subject: $name"
	meets "$name" "xpony 1"
done
is "$(asked before)" "MAIL,RCPT" "what the host has offered in clear is not used inside"
is "$(asked inside)" "MAIL SIZE= BODY=,RCPT NOTIFY=" "what it offers inside is"
is "$(asked hint)" "MAIL,RCPT" "where nothing is offered, nothing is used"
done_testing
