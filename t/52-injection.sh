#!/bin/bash
# 52-injection - hostile mail hosts against the blackpony-mailer that sendmail starts: one whose greeting and EHLO
# reply differ in the offer (row 13), one that offers ROTn (row 15). Needs root (t/lib).
. "$abs_top_srcdir/t/lib/tap.sh"
. "$abs_top_srcdir/t/lib/world.sh"
. "$abs_top_srcdir/t/lib/mail.sh"
. "$abs_top_srcdir/t/lib/hostile.sh"

world_start
host_start a 10.77.0.1 fd77::1 sendmail
host_start c 10.77.0.3 fd77::3 tools
pony_host a
hosts_start 13
send two-offers
meets two-offers "gone 0,gone 0,plain 1"
like "$(host_log a)" "upgrade failed, .*relay=mx\.two-offers\..*offer differs from the EHLO" "logged"
host_kill c hosts
hosts_start 15
send rot-offered
meets rot-offered "plain 1"
like "$(host_log a)" "relay=mx\.rot-offered\..* suite=none, .*messages=1" "logged: not encrypted"
done_testing
