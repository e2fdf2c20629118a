#!/bin/bash
# 65-inetd-rate - 600 connections within a minute leave the inetd service up, as
# doc/inetd.conf.example has it; with inetd's own limit they do not. Needs root (t/lib).
source=${abs_top_srcdir:-$(cd "$(dirname "$0")/.." && pwd)}
. "$source/t/lib/tap.sh"
. "$source/t/lib/world.sh"
. "$source/t/lib/mail.sh"

wanted=600
python=${PYTHON3:-python3}

# connects COUNT: so many connections from c to b, one after the other over IPv4, each with a
# greeting, QUIT and its reply; sets served and seconds.
connects() {
	local begin=$SECONDS
	served=$(host_run c "$python" - "$1" <<-'END'
		import socket, sys
		served = 0
		for i in range(int(sys.argv[1])):
		    try:
		        with socket.create_connection(("10.77.0.2", 25), 10) as s:
		            f = s.makefile("rb")
		            if not f.readline().startswith(b"220 "):
		                break
		            s.sendall(b"QUIT\r\n")
		            if not f.readline().startswith(b"221 "):
		                break
		    except OSError:
		        break
		    served += 1
		print(served)
	END
	)
	seconds=$((SECONDS - begin))
}

all_logged() {
	[ "$(host_log b | grep -c 'blackpony-receiver.*peer=.*messages=0')" -eq $((wanted + 1)) ]
}

world_start
host_start b 10.77.0.2 fd77::2 sendmail inetd
host_start c 10.77.0.3 fd77::3
pony_host b

host_inetd b
connects $wanted
is "$served" $wanted "$wanted connections, one after the other, are all served"
ok "within a minute ($seconds s), so that the limit counts" test "$seconds" -lt 60
connects 1
is "$served" 1 "and the next one too"
unlike "$(host_log b)" 'server failing \(looping\)' "inetd has no complaint"
ok "each has left its line in the log" wait_for 10 all_logged
host_kill b inetd

sed 's/nowait\.1000/nowait/' "$source/doc/inetd.conf.example" >"$WORLD/inetd.conf"
host_inetd b "$WORLD/inetd.conf"
connects $wanted
ok "without nowait.1000 inetd stops the service after $served" test "$served" -lt 300
like "$(host_log b)" 'smtp/tcp server failing \(looping\)' "as its log says"
connects 1
is "$served" 0 "and nobody is served any more"
done_testing
