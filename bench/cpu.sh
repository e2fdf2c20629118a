# cpu.sh: the processor time of one side of a measurement: of all its processes, also those that have
# ended meanwhile. Sourced by rows after lib.sh.
#
# A side is a control group (version 2, or cpuacct of version 1), for what a process starts stays in its group.
# What the kernel does in threads of its own is nobody's: cpu_kernel has that, for the whole machine.
#
#   cpu_start                 after world_start; fails where the machine grants no groups
#   cpu_host SIDE HOST...     all processes that these hosts have now, and what they start, are of that side
#   cpu_in SIDE COMMAND...    so is what this command starts
#   cpu_used SIDE             microseconds so far
#   cpu_rest SIDE             returns when the side has nothing more to do
#   cpu_kernel                microseconds of the kernel's threads so far

cpu_root=

cpu_start() {
	local root
	for root in /sys/fs/cgroup /sys/fs/cgroup/unified /sys/fs/cgroup/cpuacct; do
		[ -e "$root/cgroup.procs" ] || continue
		mkdir "$root/blackpony-bench-$$" 2>/dev/null || continue
		cpu_root=$root/blackpony-bench-$$
		trap 'world_stop; cpu_stop' EXIT
		[ ! -e "$cpu_root/cpu.stat" ] && [ ! -e "$cpu_root/cpuacct.usage" ] || return 0
		cpu_stop
	done
	return 1
}

cpu_stop() {
	local group
	[ -n "$cpu_root" ] || return 0
	for group in "$cpu_root"/*/; do
		[ ! -d "$group" ] || wait_for 10 rmdir "$group"
	done
	rmdir "$cpu_root"
	cpu_root=
}

cpu_side() { [ -d "$cpu_root/$1" ] || mkdir "$cpu_root/$1"; }

# cpu_processes HOST
cpu_processes() {
	local space proc
	space=$(readlink "/proc/${host_pid[$1]}/ns/pid")
	for proc in /proc/[0-9]*; do
		[ "$(readlink "$proc/ns/pid" 2>/dev/null)" != "$space" ] || echo "${proc#/proc/}"
	done
}

cpu_host() {
	local side=$1 host proc
	shift
	cpu_side "$side"
	for host; do
		for proc in $(cpu_processes "$host"); do
			echo "$proc" >"$cpu_root/$side/cgroup.procs"
		done
	done
}

cpu_in() {
	local home side=$1 status
	home=$(cpu_home)
	shift
	cpu_side "$side"
	echo "$BASHPID" >"$cpu_root/$side/cgroup.procs"
	"$@"
	status=$?
	echo "$BASHPID" >"$home/cgroup.procs"
	return $status
}

# The group that this shell is in, of the same hierarchy.
cpu_home() {
	local hierarchy='^0::'
	case $cpu_root in
	*/cpuacct/*) hierarchy='^[0-9]*:[^:]*cpuacct[^:]*:' ;;
	esac
	echo "${cpu_root%/*}$(sed -n "s/$hierarchy//p" /proc/self/cgroup)"
}

cpu_used() {
	if [ -e "$cpu_root/$1/cpu.stat" ]; then
		awk '$1 == "usage_usec" { print $2 }' "$cpu_root/$1/cpu.stat"
	else
		echo $(($(cat "$cpu_root/$1/cpuacct.usage") / 1000))
	fi
}

# Less than a millisecond in a fifth of a second is a daemon that looks at its clock.
cpu_rest() {
	local before now
	now=$(cpu_used "$1")
	until before=$now; sleep 0.2; now=$(cpu_used "$1"); [ $((now - before)) -lt 1000 ]; do :; done
}

# Children of kthreadd, process 2.
cpu_kernel() {
	cat /proc/[0-9]*/stat 2>/dev/null | awk '$(NF - 48) == 2 { print "/proc/" $1 "/schedstat" }' |
		xargs cat 2>/dev/null | awk '{ sum += $1 } END { printf "%d\n", sum / 1000 }'
}

# per COUNT MICROSECONDS: milliseconds for each, with three digits.
per() { awk -v n="$1" -v us="$2" 'BEGIN { printf "%.3f\n", us / n / 1000 }'; }
