#!/bin/bash
# 85-chaos - fifty messages, sessions being kept, while processes are killed and connections broken; each is accounted for. With
# BLACKPONY_ALL five hundred, and faults of all kinds. 85b-chaos is the same without kept sessions. chaos/run does it; needs
# root (t/lib).
source=${abs_top_srcdir:-$(cd "$(dirname "$0")/.." && pwd)}
. "$source/t/lib/tap.sh"
. "$source/t/lib/world.sh"
keep=${keep-5}

reason=$(world_reason)
[ -z "$reason" ] || skip_all "$reason"
arguments=(-n 50 -p 0.1 -f 'kill,term,hup,stop,reset,end,half,stall,flip,insert,cut,repeat')
[ -z "${BLACKPONY_ALL-}" ] || arguments=(-n 500)
said=$("$BASH" "$source/chaos/run" -k "$keep" "${arguments[@]}" 2>&1)
status=$?
diag "$said"
is $status 0 "each message is there once and whole, or queued, or in a bounce, and none was in clear"
like "$said" '^accepted [1-9]' "and there were some"
like "$said" ' ([1-9][0-9]* faults on hosts, |[1-9][0-9]* on connections)' "and faults"
done_testing
