#!/bin/bash
# 1h-remembered - blackpony-keygen -L, -F, -R and --import: what a mailer remembers of other hosts, listed,
# found, forgotten and carried to another store; whose files they are afterwards; and what is refused.
. "$abs_top_srcdir/t/lib/tap.sh"

keygen=$BLACKPONY_BIN/blackpony-keygen
pin=$abs_top_builddir/t/tools/pin
dir=$(mktemp -d) || bail "no scratch directory"
trap 'rm -rf "$dir"' EXIT
cd "$dir" || bail "no scratch directory"
umask 022

key_a=SHA256:$(printf 'A%.0s' {1..42})A
key_b=SHA256:$(printf 'B%.0s' {1..42})A
key_c=SHA256:$(printf 'C%.0s' {1..42})A

# run ARGUMENT...: sets $out, $err and $status.
run() {
	timeout 20 "$keygen" "$@" >out 2>err </dev/null
	status=$?
	out=$(cat out) err=$(cat err)
}

# refused NAME STATUS ERE ARGUMENT...
refused() {
	local name=$1 wanted=$2 words=$3
	shift 3
	run "$@"
	is "$status" "$wanted" "$name: exit status" || diag "$err"
	like "$err" "^blackpony-keygen: $words" "$name: the error says so"
	is "$(wc -l <err) $out" "1 " "$name: in one line, and nothing else"
}

# --- listing and finding

refused "no store" 66 'none: No such file' -L -d none
mkdir pins && chmod 700 pins
run -L -d pins
is "$status $out$err" "0 " "an empty store lists nothing"
day=86400
printf 'a.test mx%d.a.test\n' 1 2 | "$pin" pins "$key_a" $((40 * day)) $((1 * day)) $((29 * day)) || bail "no pins"
"$pin" pins "$key_b" $((3 * day)) $((2 * day)) 0 <<<"b.test mx1.a.test" || bail "no pins"

moment='20[0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z'
run -L -d pins
is "$status" 0 "three are listed" || diag "$err"
is "$(wc -l <out)" 3 "in a line each"
like "$(sed -n 1p out)" \
	"^a\.test mx1\.a\.test $key_a pinned first=$moment last=$moment sessions=2 max-age=2592000 committed=$moment\$" \
	"with all that is known of the key"
like "$(sed -n 3p out)" "^b\.test mx1\.a\.test $key_b pinned first=$moment last=$moment sessions=2\$" \
	"and no more than is known"
like "$(sed -n 1p out)" "last=$(date -u -d '1 day ago' +%Y-%m-%d)T|last=$(date -u -d '1 day ago 5 minutes ago' +%Y-%m-%d)T" \
	"moments are in UTC"
run -F a.test -d pins
is "$status $(wc -l <out)" "0 2" "-F finds by domain"
run -F MX1.A.test -d pins
is "$status $(wc -l <out)" "0 2" "and by host, in any case"
refused "-F of a stranger" 1 'c\.test: nothing is known' -F c.test -d pins

run -L --json -d pins
ok "JSON is whole, and says the same" "$PYTHON3" - out "$key_a" <<'PY'
import datetime, json, sys
pins = json.load(open(sys.argv[1]))["pins"]
assert [(p["domain"], p["host"]) for p in pins] == \
    [("a.test", "mx1.a.test"), ("a.test", "mx2.a.test"), ("b.test", "mx1.a.test")], pins
key = pins[0]["keys"][0]
assert key["fingerprint"] == sys.argv[2] and key["state"] == "pinned" and key["sessions"] == 2
until = datetime.datetime.strptime(key["committed_until"], "%Y-%m-%dT%H:%M:%SZ")
late = until - datetime.datetime.utcnow() - datetime.timedelta(days=29)
assert abs(late) < datetime.timedelta(minutes=5), late
assert pins[2]["keys"][0]["committed_until"] is None and pins[2]["keys"][0]["max_age"] == 0
PY
mkdir empty && chmod 700 empty
run -L --json -d empty
is "$("$PYTHON3" -c 'import json; print(json.load(open("out")))')" "{'pins': []}" "JSON of an empty store"
run -l --json -f key
is "$status" 66 "-l --json without a key"
"$keygen" -q -f key -C 'host "a" 1'
run -l --json -f key
is "$("$PYTHON3" -c 'import json; k = json.load(open("out")); print(k["bits"], k["type"], k["comment"], k["fingerprint"])')" \
	"256 X25519 host \"a\" 1 $("$keygen" -l -f key | awk '{ print $2 }')" "-l --json"

# --- carrying them elsewhere

"$keygen" -L -d pins >all
mkdir other && chmod 700 other
run --import all -d other
is "$status $out" "0 3 hosts taken in, 0 known already and left as they are" "--import takes all in" || diag "$err"
is "$("$keygen" -L -d other)" "$(cat all)" "and they are the same there"
run --import all -d other
is "$out" "0 hosts taken in, 3 known already and left as they are" "twice changes nothing"
sed "s/^a\.test mx1\.a\.test $key_a/a.test mx1.a.test $key_c/" all >changed
run -q --import changed -d other
is "$status$out$err" 0 "-q says nothing"
is "$("$keygen" -L -d other)" "$(cat all)" "a known host's key is not replaced"
cat >by-hand <<HAND
# told by telephone
c.test mx.c.test $key_c pinned
c.test mx.c.test $key_a announced first=2026-01-02T03:04:05Z   # its next key
[192.0.2.1] 192.0.2.1 $key_b former
HAND
run --import - -d other
is "$status $out" "0 0 hosts taken in, 0 known already and left as they are" "nothing on standard input"
"$keygen" -q --import - -d other <by-hand
is "$("$keygen" -F c.test -d other)" "c.test mx.c.test $key_c pinned
c.test mx.c.test $key_a announced first=2026-01-02T03:04:05Z" "lines by hand, from standard input"
is "$("$keygen" -F 192.0.2.1 -d other)" "[192.0.2.1] 192.0.2.1 $key_b pinned" "the first key is the pinned one"

# bad NAME ERE LINE: printf's escapes are in the line.
bad() {
	printf '%b' "$3" >bad
	refused "$1" 65 "$2" --import bad -d other
}
bad "no host" "bad:1: '' is no host name" 'a.test\n'
bad "no fingerprint" "bad:2: 'SHA256:x' is no fingerprint" "\nd.test d.test SHA256:x pinned\n"
bad "no state" "bad:1: 'known' is none of pinned" "d.test d.test $key_a known\n"
bad "an unknown field" "bad:1: 'colour=red' is nothing" "d.test d.test $key_a pinned colour=red\n"
bad "no moment" "bad:1: 'last=today' is nothing" "d.test d.test $key_a pinned last=today\n"
bad "a moment and more" "bad:1: 'last=2026-01-02T03:04:05Zx' is" \
	"d.test d.test $key_a pinned last=2026-01-02T03:04:05Zx\n"
bad "no number" "bad:1: 'sessions=-1' is" "d.test d.test $key_a pinned sessions=-1\n"
bad "a control character" "bad:1: .* control character" "d.test d.test\\0033 $key_a pinned\n"
bad "a NUL" "bad:1: too long a line, or a NUL" "d.test\\0000 d.test $key_a pinned\nx\n"
bad "a name of other letters" "bad:1: 'd/test' is no host name" "d/test d.test $key_a pinned\n"
bad "a key twice" "bad:2: that key was there" "d.test d.test $key_a pinned\nd.test d.test $key_a former\n"
bad "too long a line" "bad:1: too long a line" "d.test d.test $key_a pinned $(printf 'x%.0s' {1..1100})\n"
for i in {1..9}; do
	printf 'd.test d.test SHA256:%s%dAA pinned\n' "$(printf 'D%.0s' {1..40})" "$i"
done >bad
refused "more keys than are kept" 65 'bad:9: more than 8 keys' --import bad -d other
refused "no such file" 66 'nothing: No such file' --import nothing -d other

# --- forgetting

run -R mx1.a.test -d pins
is "$status $out" "0 a.test mx1.a.test forgotten
b.test mx1.a.test forgotten" "-R forgets, by host"
is "$("$keygen" -L -d pins | cut -d' ' -f1,2)" "a.test mx2.a.test" "and nothing else"
refused "-R twice" 1 'mx1\.a\.test: nothing is known' -R mx1.a.test -d pins
run -q -R a.test -d pins
is "$status$out$err" 0 "-R by domain, quietly"
is "$("$keygen" -L -d pins)" "" "none is left"

# --- whose files they are

if [ "$(id -u)" -eq 0 ]; then
	mkdir owned && chown nobody: owned && chmod 700 owned && chmod 711 "$dir"
	"$keygen" -q --import by-hand -d owned
	is "$(test -s owned/data.mdb && find owned -not -user nobody)" "" \
		"root leaves no file of its own in another user's store"
	is "$("$keygen" -L -d owned | wc -l)" 3 "and lists it"
else
	skip "needs root" 2
fi

# --- usage

for words in '-L -q' '-L -F a' '-F a -q' '-R a --json' '--import' '--rotate' '-l -d pins' '-L -f key' \
	'-y --json' '--import x -C y' '-L x' '--rotate next -d pins' '-L -d'; do
	# Word splitting is meant.
	# shellcheck disable=SC2086
	run $words
	is "$status" 64 "wrong usage: $words"
done
run --rotate sideways
is "$status $err" "64 blackpony-keygen: --rotate: the step is next, switch or retire" "--rotate with another word"
done_testing
