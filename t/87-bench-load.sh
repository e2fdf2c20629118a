#!/bin/bash
# 87-bench-load - what the benchmark's rows lean on: that the processor time of a side is that of all its processes and
# of no others (bench/cpu.sh), and that bench/client and bench/stub carry a whole message. Needs root.
. "$abs_top_srcdir/t/lib/tap.sh"
. "$abs_top_srcdir/t/lib/world.sh"
. "$abs_top_srcdir/bench/cpu.sh"

client=$abs_top_builddir/bench/client stub=$abs_top_builddir/bench/stub
scratch=$(mktemp -d) || bail "no room"
trap 'rm -rf "$scratch"' EXIT

# A child's child that works and is gone before its parent is.
work() { sh -c 'sh -c "i=0; while [ \$i -lt \$0 ]; do i=\$((i + 1)); done" "$0"; true' 300000; }

# near GOT WANTED NAME: within a tenth, and 20 ms.
near() {
	ok "$3" test "$1" -ge $(($2 * 9 / 10 - 20000)) -a "$1" -le $(($2 * 11 / 10 + 20000)) || diag "$1 us, not $2"
}

# In clear over two pipes: the stub is the mailer.
carries() {
	local said
	said=$("$client" -n 2 -s "$1" -m "$stub" "$scratch/bill")
	like "$said" '^[0-9]+\.[0-9]+ [0-9]+\.[0-9]+$' "two messages of $1 octets go from client to stub"
}

carries 1
carries 1000000
is "$(grep -c '^[0-9][0-9]*$' "$scratch/bill")" 4 "the stub writes down what each took"
printf 'HELP\r\nEHLO x\r\nDATA\r\n.\r\n..\r\nQUIT\r\n.\r\nQUIT\r\n' | "$stub" >"$scratch/said"
is "$(cut -c1-3 "$scratch/said" | tr -d '\n')" 220250250250250250354250221 "a body ends where SMTP has its end"
like "$("$client" -m /bin/echo 554 no 2>&1)" 'refused: 554 no' "the client fails when the host refuses"

if [ "$(id -u)" -ne 0 ] || ! cpu_start; then
	skip "needs root, and a machine that grants control groups" 5
	done_testing
	exit
fi
trap 'cpu_stop; rm -rf "$scratch"' EXIT
group=$cpu_root home=$(cpu_home)
cpu_in x true
cpu_in y true
is "$(cpu_home)" "$home" "the shell is back where it was"
before=$(cpu_used x) idle=$(cpu_used y)
TIMEFORMAT='%3U %3S'
took=$({ time cpu_in x work; } 2>&1 | awk '{ printf "%d\n", ($1 + $2) * 1000000 }')
cpu_rest x
near $(($(cpu_used x) - before)) "$took" "what a side's processes took is counted, though they are gone"
near $(($(cpu_used y) - idle)) 0 "and not for another side"
before=$(cpu_used x)
work
near $(($(cpu_used x) - before)) 0 "what others take is not"
cpu_stop
nok "no control group is left" test -e "$group"
done_testing
