#!/bin/bash
# 1e-rotate - blackpony-keygen --rotate, and what blackpony-receiver -c says of the files: each step,
# each step interrupted, and every moment of a switch as a program that reads the key sees it.
. "$abs_top_srcdir/t/lib/tap.sh"

keygen=$BLACKPONY_BIN/blackpony-keygen
receiver=$BLACKPONY_BIN/blackpony-receiver
dir=$(mktemp -d) || bail "no scratch directory"
trap 'rm -rf "$dir"' EXIT
cd "$dir" || bail "no scratch directory"
umask 022

# run ARGUMENT...: sets $out, $err and $status.
run() {
	timeout 20 "$keygen" "$@" >out 2>err </dev/null
	status=$?
	out=$(cat out) err=$(cat err)
}

# done_well NAME ARGUMENT...
done_well() {
	local name=$1
	shift
	run "$@"
	is "$status" 0 "$name" || diag "$err"
}

# refused NAME STATUS ERE ARGUMENT...
refused() {
	local name=$1 wanted=$2 words=$3
	shift 3
	run "$@"
	is "$status" "$wanted" "$name: exit status" || diag "$err"
	like "$err" "^blackpony-keygen: $words" "$name: the error says so"
}

print() { "$keygen" -l -f "$1" | grep -o 'SHA256:[^ ]*'; }
files() { echo *key*; }

# promises NAME ERE [ARGUMENT...]: what --check says of the commitment.
promises() {
	local name=$1 words=$2
	shift 2
	like "$("$receiver" -k "$dir/key" "$@" --check | grep -i commit)" "$words" "$name"
}

# --- next

refused "no host key" 66 'key: No such file.*make it first' --rotate next -f key
done_well "a host key" -q -f key -C now
promises "no -c, no commitment" '^$'
promises "-c without a next key" \
	'^fault: no commitment is sent: .*/key\.next: No such file or directory; make the next key with blackpony-keygen --rotate next$' -c 30d
before=$(print key)
done_well "--rotate next" --rotate next -f key -C 'the next'
next=$(print key.next)
next_re=${next//+/[+]}
like "$out" "^256 $next_re the next \(X25519\)\$" "its fingerprint is shown"
is "$(files)" "key key.next key.next.pub" "files"
is "$(stat -c %a key.next) $(stat -c %a key.next.pub)" "600 644" "modes"
is "$(cat key.next.pub)" "$("$keygen" -y -f key.next)" "the public half"
is "$(print key)" "$before" "the host key is as it was"
ok "the two keys differ" test "$before" != "$next"
refused "--rotate next twice" 73 'key\.next: exists and is not overwritten' --rotate next -f key
is "$(print key.next)" "$next" "nothing has changed"
rm key.next.pub
promises "no public half" '^fault: no commitment is sent: .*key\.next\.pub: No such file' -c 30d
done_well "--rotate next makes a lost public half anew" --rotate next -f key
is "$(print key.next.pub)" "$next" "of the same key"

# --- what the receiver promises

promises "a commitment" "^ok: commits for 2592000 seconds to the host key, the next key $next_re and 0 siblings\$" -c 30d
promises "hours" "^ok: commits for 43200 seconds" -c 12h
promises "seconds" "^ok: commits for 90 seconds" -c 90
promises "taken back" '^ok: an earlier commitment is taken back$' -c 0
for age in '' x 30x 30dd -1 1.5h 99999999999 49711d; do
	nok "-c '$age' is refused" "$receiver" -c "$age" --check
done
for n in 1 2 3 4 5; do
	"$keygen" -q -f "sibling$n" -C "sibling $n"
done
{
	echo '# all of us'
	"$keygen" -y -f key
	"$keygen" -y -f sibling1
	echo "$(print sibling2) in words"
	"$keygen" -y -f sibling1
	"$keygen" -y -f key.next
} >siblings
promises "siblings, each once" "the next key $next_re and 2 siblings\$" -c 30d -S siblings
for n in 3 4 5; do
	print "sibling$n" >>siblings
done
promises "as many as a client can remember" "the next key $next_re and 5 siblings\$" -c 30d -S siblings
"$keygen" -q -f one-more
print one-more >>siblings
promises "one too many" '^fault: no commitment is sent: siblings: too many keys; .* room for 6' -c 30d -S siblings
echo SHA256:short >siblings
promises "a line that is none" "^fault: no commitment is sent: siblings:1: 'SHA256:short' is no key" -c 30d -S siblings
promises "a file that is not there" '^fault: no commitment is sent: none: No such file' -c 30d -S none
: >siblings && chmod 666 siblings
promises "a file that anybody can write" '^fault: no commitment is sent: siblings: ' -c 30d -S siblings
"$keygen" -y -f sibling1 >key.next.pub
promises "another key's public half" '^fault: the commitment cannot be kept: .*key\.next\.pub tells another key than' -c 30d
refused "--rotate switch with another key's public half" 65 'key\.next\.pub is not the public half of key\.next' --rotate switch -f key
"$keygen" -y -f key >key.next.pub
promises "the host key's" '^fault: no commitment is sent: .*does not hold one key other than the host key' -c 30d
rm key.next.pub && "$keygen" -q --rotate next -f key

# --- switch

refused "--rotate switch at once" 75 'key\.next\.pub was made 0 days ago.*until it is 30 days old' --rotate switch -f key
touch -d '7 days ago' key.next.pub
refused "--rotate switch after 7 days" 75 'key\.next\.pub was made 7 days ago' --rotate switch -f key
refused "-a of more days" 75 'key.* until it is 8 days old' --rotate switch -a 8d -f key
refused "-a that is no time" 64 '-a: a time is wanted' --rotate switch -a soon -f key
is "$(files)" "key key.next key.next.pub" "nothing was touched"
done_well "--rotate switch -a 7d" --rotate switch -a 7d -f key
like "$out" "^256 $next_re " "the new host key is shown"
is "$(print key) $(print key.old)" "$next $before" "the keys have changed places"
is "$(files)" "key key.old" "files"
refused "--rotate switch without a next key" 66 'key\.next: No such file.*make it with blackpony-keygen --rotate next' --rotate switch -a 0 -f key
"$keygen" -q --rotate next -f key
touch -d '31 days ago' key.next.pub
refused "--rotate switch before the old key is retired" 73 'key\.old exists; retire it first' --rotate switch -f key
third=$(print key.next)

# --- retire

old=$(awk 'NR == 2 { print $2 }' key.old)
ln key.old other-name
refused "--rotate retire of a key with another name" 65 'key\.old has another name' --rotate retire -f key
rm other-name
exec 5<key.old
done_well "--rotate retire" --rotate retire -f key
is "$(files)" "key key.next key.next.pub" "the old key is gone"
unlike "$(tr '\0' 0 <&5)" "${old//+/[+]}" "and was overwritten"
exec 5<&-
refused "--rotate retire twice" 66 'key\.old: No such file.*nothing to retire' --rotate retire -f key

# --- interrupted

ln key key.old # as --rotate switch leaves it when the power goes
refused "--rotate retire of the key in use" 65 'key\.old is still the host key' --rotate retire -f key
ok "the host key is still there" test "$(print key)" = "$next"
done_well "--rotate switch goes on where it was interrupted" -q --rotate switch -f key
is "$out" "" "-q says nothing"
is "$(print key) $(print key.old)" "$third $next" "to the end"
"$keygen" -y -f key >key.next.pub # as it is between the renaming and the end
promises "with the public half left over, nothing is promised" '^fault: no commitment is sent: .*key\.next: No such file' -c 30d
done_well "--rotate next goes on from there" -q --rotate next -f key
ok "with a new key" test "$(print key.next.pub)" = "$(print key.next)" -a "$(print key.next)" != "$third"
"$keygen" -q --rotate retire -f key

# --- whoever reads the key at any moment gets one

chmod 640 key
rm key.next key.next.pub && "$keygen" -q --rotate next -f key
(
	for _ in 1 2 3 4 5 6 7 8; do
		"$keygen" -q --rotate switch -a 0 -f key && "$keygen" -q --rotate retire -f key && "$keygen" -q --rotate next -f key || echo failed
	done >rotations 2>&1
	: >over
) &
rotator=$!
reads=0
bad=
until [ -e over ]; do
	"$keygen" -l -f key >/dev/null 2>>bad || bad+=.
	reads=$((reads + 1))
done
wait "$rotator"
is "$bad" "" "readers got a key every time ($reads times)" || diag "$(cat bad)"
is "$(cat rotations)" "" "through 8 rotations"
is "$(stat -c %a key)" 640 "the mode stays what the host key had"

for words in '--rotate next -g 0' '--rotate next -a 1' '--rotate switch -C x' '--rotate switch -g 0' \
	'--rotate retire -a 1' '--rotate retire -C x' '--rotate next --rotate switch' \
	'--rotate switch --rotate retire' '-l --rotate next' '-a 1'; do
	# shellcheck disable=SC2086
	run $words -f key
	is "$status" 64 "usage error: $words"
done
done_testing
