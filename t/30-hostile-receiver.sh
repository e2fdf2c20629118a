#!/bin/bash
# 30-hostile-receiver - what an engine of the receiver gets that was taken over: the true main,
# monitor and sandbox, with an engine that does what it is told (t/tools/hostile-engine.c). Each
# attempt also without the sandbox, where it succeeds. Needs root (t/lib).
. "$abs_top_srcdir/t/lib/tap.sh"
. "$abs_top_srcdir/t/lib/world.sh"
. "$abs_top_srcdir/t/lib/taken.sh"

talk=$abs_top_srcdir/t/tools/talk.py tools=$abs_top_builddir/t/tools
orders() { replies host_run a python3 "$talk" -p 2501 10.77.0.1; }
open_orders() { replies host_run a python3 "$talk" -p 2502 10.77.0.1; }

world_start
host_start a 10.77.0.1 fd77::1 inetd
host_pony a
host_run a mkdir -p /etc/blackpony
host_run a blackpony-keygen -q -f /etc/blackpony/hostkey || bail "no key"
host_put a /etc/inetd.conf <<END
10.77.0.1:2501 stream tcp nowait.1000 root $tools/hostile-receiver hostile-receiver -M 0 -n mail.a.test -- /bin/cat
10.77.0.1:2502 stream tcp nowait.1000 root $tools/open-receiver open-receiver -M 0 -n mail.a.test -- /bin/cat
END
host_spawn a inetd inetd -i
wait_for 5 host_listens a 2501 || bail "no inetd"

# The machine.
attempts 'open /etc/blackpony/hostkey|EPERM|done
open /|EPERM|done
open /proc/self/mem|EPERM|done
create /etc/blackpony/more|EPERM|done
mkdir /etc/blackpony/some|EPERM|done
chmod /etc/hostname|EPERM|done
inet-socket|EPERM|done
unix-socket|EPERM|done
fork|EPERM|done
root|EPERM|done
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
chroot /nothing|closed|ENOENT
unshare|closed|done
namespace|closed|EBADF
mount /nothing|closed|ENOENT
bpf|closed|EINVAL
ring|closed|EINVAL
keyring|closed|EINVAL
32-bits|closed|done'
is "$(orders <<<connect)" "connect EPERM" "connect: EPERM"
is "$(open_orders <<<connect)" closed "connect: without the sandbox, the connection is loosened"

# The monitor, whose order is peer, Diffie-Hellman, back end.
plain='ask backend' key='ask peer key=7' dh='ask dh key=9'
upgraded='ask backend upgraded=1 suite=x25519-chachapoly'
sequence "a plain back end" 'granted with a descriptor ' '' "$plain"
sequence "the honest order" 'granted with a descriptor ' '' "$key" "$dh" "$upgraded"
sequence "both back ends" 'granted with a descriptor ' '' "$plain" "$key" "$dh" "$upgraded"
sequence "no Diffie-Hellman before there is a peer" closed Diffie-Hellman "$dh"
sequence "nor a second one" closed Diffie-Hellman "$key" "$dh" 'ask dh key=10'
sequence "a point of low order is refused" 'refused .*' '' "$key" 'ask dh key=0'
sequence "nor another try after it" closed Diffie-Hellman "$key" 'ask dh key=0' "$dh"
sequence "no second peer" closed peer "$key" 'ask peer key=8'
sequence "nor one after the Diffie-Hellman" closed peer "$key" "$dh" 'ask peer key=8'
sequence "no upgraded back end without a handshake" closed 'back end' "$upgraded"
sequence "nor with half of one" closed 'back end' "$key" "$upgraded"
sequence "nor with a suite that was not on offer" closed 'back end' "$key" "$dh" 'ask backend upgraded=1 suite=none'
sequence "no plain back end after a peer" closed 'back end' "$key" "$plain"
sequence "no second plain back end" closed 'back end' "$plain" "$plain"
mark
mapfile -t thousand < <(yes "$plain" | head -n 1000)
is "$(printf '%s\n' "${thousand[@]}" | orders | grep -c granted)" 1 "of 1000 back ends one is had"
sequence "nothing is settled before the first" closed settled 'ask settled' "$plain"
# From here on the monitor is nobody: it cannot end the engine, and hears it no more.
sequence "no back end behind the upgraded one" 'monitor gone' 'back end' "$key" "$dh" "$upgraded" "$upgraded"
sequence "no peer after it" 'monitor gone' peer "$key" "$dh" "$upgraded" "$key"
sequence "no Diffie-Hellman after it" 'monitor gone' Diffie-Hellman "$key" "$dh" "$upgraded" "$dh"
sequence "nothing once all is settled" 'monitor gone' peer "$plain" 'ask settled' "$key"
sequence "a host is not the receiver's to give" closed request 'ask hop'
sequence "nor leave to send in clear" closed request 'ask clear'
no_requests
lies "$plain"
lies "$key" "$dh" "$upgraded"
unlike "$(host_log a)" '^blackpony-receiver|forged="' "nobody has forged a line"

none_left() { ! host_run a sh -c 'cat /proc/[0-9]*/comm' 2>/dev/null | grep -q -e hostile -e open-rec; }
ok "no process is left" wait_for 10 none_left
sequence "and the next client is served" 'granted with a descriptor ' '' "$plain"
done_testing
