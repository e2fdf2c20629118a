#!/bin/bash
# 30-hostile-mailer - the same as 30-hostile-receiver for the mailer, whose engine has its monitor's
# user: what keeps it from the monitor's memory, and from the key, is the sandbox alone. Needs root
# (t/lib).
. "$abs_top_srcdir/t/lib/tap.sh"
. "$abs_top_srcdir/t/lib/world.sh"
. "$abs_top_srcdir/t/lib/taken.sh"

talk=$abs_top_srcdir/t/tools/talk.py tools=$abs_top_builddir/t/tools
mailer() {
	replies host_run a setpriv --reuid blackpony --regid blackpony --clear-groups \
		python3 "$talk" "$tools/$1" "${@:2}" -p 2500 '[10.77.0.1]'
}
orders() { mailer hostile-mailer; }
open_orders() { mailer open-mailer; }

world_start
host_start a 10.77.0.1 fd77::1
host_pony a
host_run a mkdir -p /etc/blackpony
host_run a blackpony-keygen -q -g blackpony -f /etc/blackpony/hostkey || bail "no key"
host_run a install -d -o blackpony -g blackpony -m 700 /var/lib/blackpony
# A host that takes connections and says nothing.
host_spawn a mute python3 -c 'import signal, socket
s = socket.create_server(("10.77.0.1", 2500), backlog=1000)
signal.pause()'
wait_for 5 host_listens a 2500 || bail "no host"

attempts 'open /etc/blackpony/hostkey|EPERM|done
open /|EPERM|done
create /var/lib/blackpony/x|EPERM|done
mkdir /var/lib/blackpony/y|EPERM|done
chmod /var/lib/blackpony/x|EPERM|done
inet-socket|EPERM|done
unix-socket|EPERM|done
connect|EPERM|done
fork|EPERM|done
executable|EPERM|done
memory|ENOMEM|done
descriptors|EPERM|done
dumpable|EPERM|done
limit|EPERM|done
owner|EPERM|done
ptrace|closed|done
read-memory|closed|done
write-memory|closed|done
kill|closed|done
thread-kill|closed|done
process|closed|done
exec /nothing|closed|ENOENT
unshare|closed|done
namespace|closed|EBADF
ring|closed|EINVAL
keyring|closed|EINVAL
32-bits|closed|done'

hop='ask hop' key='ask peer key=7' dh='ask dh key=9' failed='ask hop reason=2 fault=3'
host='granted with a descriptor \[10\.77\.0\.1\]'
sequence "a host" "$host" '' "$hop"
sequence "the honest order" 'granted .*' '' "$hop" "$dh" "$key"
sequence "no Diffie-Hellman before there is a host" closed Diffie-Hellman "$dh"
sequence "nor a second one with the same host" closed Diffie-Hellman "$hop" "$dh" 'ask dh key=10'
sequence "a point of low order is refused" 'refused .*' '' "$hop" 'ask dh key=0'
sequence "no peer without a host" closed peer "$key"
sequence "nor without a Diffie-Hellman" closed peer "$hop" "$key"
sequence "nor a second one" closed peer "$hop" "$dh" "$key" 'ask peer key=8'
sequence "no leave to send in clear without a host" closed clear 'ask clear'
sequence "nor after a peer" closed clear "$hop" "$dh" "$key" 'ask clear'
mapfile -t clears < <(yes 'ask clear' | head -n 17)
sequence "nor without end" closed clear "$hop" "${clears[@]}"
sequence "a failed upgrade is tried again" "$host" '' "$hop" "$failed"
sequence "then in clear" "$host" '' "$hop" "$failed" "$failed"
sequence "and then there is none that could fail" closed host "$hop" "$failed" "$failed" "$failed"
sequence "in clear there is no Diffie-Hellman" closed Diffie-Hellman "$hop" "$failed" "$failed" "$dh"
sequence "no other host: the verdict" 'refused 451 .*' '' "$hop" 'ask hop reason=1'
sequence "which is given once" closed host "$hop" 'ask hop reason=1' 'ask hop reason=1'
mark
mapfile -t thousand < <(yes "$hop" | head -n 1000)
is "$(printf '%s\n' "${thousand[@]}" | orders | grep -c granted)" 1 "1000 hosts are one connection to each"
sequence "a back end is not the mailer's to give" closed request 'ask backend'
sequence "and nothing is ever settled" closed request 'ask settled' "$hop"
orders() { mailer hostile-mailer -K 0; }
sequence "no other mail, where none is kept" closed mail "$hop" "$dh" "$key" 'ask mail'
sequence "no kept session, of which one could be lost" closed host "$hop" 'ask hop reason=3'
orders() { mailer hostile-mailer -K 1; }
sequence "-K: no other mail before there is a peer" closed mail "$hop" "$dh" 'ask mail'
sequence "-K: none came" 'refused *' '' "$hop" "$dh" "$key" 'ask mail'
sequence "-K: and the keeper is gone" 'monitor gone' '' "$hop" "$dh" "$key" 'ask mail' 'ask mail'
sequence "-K: which gives no host" 'monitor gone' '' "$hop" "$dh" "$key" 'ask mail' "$hop"
orders() { mailer hostile-mailer; }
no_requests
lies "$hop"

none_left() { ! host_run a sh -c 'cat /proc/[0-9]*/comm' 2>/dev/null | grep -q -e hostile -e open-mail; }
ok "no process is left" wait_for 10 none_left
done_testing
