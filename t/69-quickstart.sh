#!/bin/bash
# 69-quickstart - ./quickstart ends well, shows what it promises on a screen a part, and leaves
# nothing; where it cannot work it says why. Needs root (t/lib).
source=${abs_top_srcdir:-$(cd "$(dirname "$0")/.." && pwd)}
. "$source/t/lib/tap.sh"

[ "$(id -u)" -eq 0 ] || skip_all "needs root, for namespaces"
[ "${BLACKPONY_WORLDS:-yes}" = yes ] || skip_all "BLACKPONY_WORLDS=$BLACKPONY_WORLDS"
[ -w "$source" ] || skip_all "builds in the source tree, which is read-only"
unshare -mnp true 2>/dev/null || skip_all "this machine grants no namespaces"

scratch=$(mktemp -d) || bail "no scratch directory"
trap 'rm -rf "$scratch"' EXIT

# descendants PID: it and all below it.
descendants() {
	local child
	echo "$1"
	for child in $(cat "/proc/$1/task/$1/children" 2>/dev/null); do
		descendants "$child"
	done
}

# identity STAT-FILE...: numbers of processes are used again, but not with the same time of start.
identity() { sed -s 's/ (.*) / /' "$@" 2>/dev/null | cut -d ' ' -f 1,21; }

# watch PID: the processes and the network namespaces that it has at one time or another.
watch() {
	local pid own
	own=$(readlink /proc/self/ns/net)
	while kill -0 "$1" 2>/dev/null; do
		for pid in $(descendants "$1"); do
			identity "/proc/$pid/stat"
			readlink "/proc/$pid/ns/net"
		done
		sleep 0.1
	done 2>/dev/null | grep -vFx -e "$own" | sort -u
}

remains() {
	{
		identity /proc/[0-9]*/stat
		readlink /proc/[0-9]*/ns/net
	} 2>/dev/null | sort -u | grep -Fx -f "$1"
}

etc_mail() { find /etc/mail -exec stat -c '%n %Y %s' {} + 2>/dev/null | sort; }

before=$(etc_mail) begin=$SECONDS
"$source/quickstart" >"$scratch/out" 2>"$scratch/err" </dev/null &
pid=$!
watch $pid >"$scratch/seen"
wait $pid
is $? 0 "it succeeds" || diag "$(cat "$scratch/out" "$scratch/err")"
took=$((SECONDS - begin))
ok "within three minutes" test $took -lt 180
diag "$took s"
out=$(cat "$scratch/out")
is "$(cat "$scratch/err")" '' "it complains of nothing"
unlike "$out" $'\e' "no terminal's colours in a file"
like "$out" '\(version=XPONY1 cipher=mlkem768x25519-chachapoly bits=256 ' "a Received header names the suite"
like "$out" '^  \| Burn this letter\.' "the letter is shown"
like "$out" '^none is there' "the wiretap did not read it"
like "$out" 'all [0-9]+ lines and addresses are there' "but that of the host without blackpony"
like "$out" 'final dot: 5 round trips' "5 round trips"
like "$out" 'make -C build-quickstart install' "what to do next"
is "$(awk '/^==/ { n = 0 } ++n > 45 { long = 1 } length > 88 { long = 1 } END { print long + 0 }' <<<"$out")" \
	0 "about a screen a part"

ok "the watch saw its hosts" test "$(grep -c '^net:' "$scratch/seen")" -ge 4
is "$(remains "$scratch/seen")" '' "no process, no namespace is left"
is "$(ls -d /tmp/blackpony.$pid.* 2>/dev/null)" '' "no file in /tmp"
unlike "$(cat /proc/mounts)" "/blackpony\.$pid\." "no mount"
is "$(etc_mail)" "$before" "nothing of /etc/mail has changed"

refuses() { # refuses NAME ERE COMMAND...
	local name=$1 word=$2 said
	shift 2
	nok "$name: fails" "$@"
	said=$("$@" 2>&1)
	like "$said" "^quickstart: .*$word" "and says why"
}
chmod 755 "$scratch"
cp "$source/quickstart" "$scratch" # where nobody can read it
refuses "without root" 'needs root' setpriv --reuid nobody --clear-groups "$scratch/quickstart"
refuses "with an argument" usage "$source/quickstart" please
done_testing
