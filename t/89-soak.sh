#!/bin/bash
# 89-soak - one short round of load/soak: mixed traffic while processes are killed, nothing lost, nothing left behind. That
# leaks are seen: t/8a-leaks. Needs root (t/lib).
source=${abs_top_srcdir:-$(cd "$(dirname "$0")/.." && pwd)}
. "$source/t/lib/tap.sh"
. "$source/t/lib/world.sh"

reason=$(world_reason)
[ -z "$reason" ] || skip_all "$reason"
out=$("${BASH:-bash}" "$source/load/soak" -t 1 -r 5 -c 0 2>&1)
status=$?
diag "$out"
is "$status" 0 "a round loses nothing and leaves nothing"
like "$out" '^ +soak +processes killed +[1-9]' "though processes were killed"
like "$out" '^ +soak +messages accepted +[1-9][0-9]' "amid mail"
like "$out" '^9 figures, 8 bounds, 0 broken$' "each bound held"
done_testing
