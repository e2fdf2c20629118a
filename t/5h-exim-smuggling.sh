#!/bin/bash
# 5h-exim-smuggling - row 11 with Exim behind blackpony-receiver: all that somebody might take for the end of a
# message, in clear and inside, both suites, in one segment and octet by octet. A client reads what Exim says to it
# without, and one message in is one message out. Needs root (t/lib).
source=${abs_top_srcdir:-$(cd "$(dirname "$0")/.." && pwd)}
. "$source/t/lib/tap.sh"
. "$source/t/lib/world.sh"
. "$source/t/lib/mail.sh"
. "$source/t/lib/backends.sh"

box() { echo "$(host_root b)/var/mail/bob"; }
settled() { [ "$(host_run b exim4 -bpc)" = 0 ] && [ "$(backends_ways "$(box)" direct)" = "$(backends_ways "$(box)" hybrid)" ]; }

world_start
host_start b 10.77.0.2 fd77::2 exim inetd
host_start c 10.77.0.3 fd77::3 tools
host_pony b
host_exim b 2500
sed 's,blackpony-receiver$,& -- /usr/sbin/exim4 -bs,' "$source/doc/inetd.conf.example" >"$WORLD/inetd.conf"
host_inetd b "$WORLD/inetd.conf"
backends_smuggling 10.77.0.2 37 exim
wait_for 20 settled
like "$(backends_ways "$(box)" direct)" '^NEL' "messages came without blackpony"
backends_one_is_one "$(box)" '^(CRLF\.CRLF|CRCRLF\.CRLF|envelope|empty message|dot alone)'
done_testing
