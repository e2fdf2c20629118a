#!/bin/bash
# 11-keygen - blackpony-keygen: what it writes, what it refuses to write or read, and in which words.
# Some points need root (another owner, a full disk, a chroot, another group) and skip without.
. "$abs_top_srcdir/t/lib/tap.sh"

keygen=$BLACKPONY_BIN/blackpony-keygen
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

# refused NAME STATUS ERE ARGUMENT...: it ends with that status and one line to standard error that
# matches; nothing goes to standard output.
refused() {
	local name=$1 wanted=$2 words=$3
	shift 3
	run "$@"
	is "$status" "$wanted" "$name: exit status" || diag "$err"
	like "$err" "^blackpony-keygen: $words" "$name: the error says so"
	is "$(wc -l <err) $out" "1 " "$name: in one line, and nothing else"
}

mode() {
	stat -c '%a %G' "$1"
}

is_root() {
	[ "$(id -u)" -eq 0 ]
}

# --- making

group=$(id -gn)
run -f key -C 'mx.example.org 2026'
is "$status" 0 "a key is made" || diag "$err"
like "$out" '^256 SHA256:[A-Za-z0-9+/]{43} mx\.example\.org 2026 \(X25519\)$' "its fingerprint is shown"
is "$(mode key)" "600 $group" "mode 0600"
is "$(sed -n 1p key)" "blackpony-host-key 1" "line 1"
like "$(sed -n 2p key)" '^x25519 [A-Za-z0-9+/]{43} mx\.example\.org 2026$' "line 2"
is "$(wc -l <key)" 2 "two lines"
secret=$(awk 'NR == 2 { print $2 }' key)
unlike "$out$err" "$(printf %s "$secret" | sed 's/[+]/\\+/g')" "the secret is not shown"

umask 0
run -q -f key-umask
is "$(mode key-umask)" "600 $group" "mode 0600 with umask 0"
umask 0777
run -q -f key-umask7
is "$(mode key-umask7)" "600 $group" "mode 0600 with umask 0777"
umask 022
is "$out$err" "" "-q says nothing"
like "$(sed -n 2p key-umask)" "^x25519 [^ ]{43} $(uname -n | sed 's/\./\\./g')\$" \
	"the comment is the host's name"
nok "two keys differ" cmp -s key-umask key-umask7

before=$(cat key)
refused "an existing key" 73 'key: exists and is not overwritten' -f key
is "$(cat key)" "$before" "an existing key stays"
ln -s nowhere dangling
refused "a dangling link in the key's place" 73 'dangling: exists' -f dangling
nok "nothing is made behind the link" test -e nowhere
refused "no directory" 73 'none/key: its directory does not exist; make it first' -f none/key
refused "a directory that is a file" 73 'key/x: its directory: Not a directory' -f key/x
refused "a name that is a directory" 73 './: ' -f ./
run -f "$(printf 'a%.0s' {1..300})"
is "$status" 73 "a name too long"
run -q -f -dash
ok "a name with a dash" test -s ./-dash

refused "a comment with a newline" 64 '-C: at most 255 printable' -C $'a\nb' -f bad-comment
refused "a comment too long" 64 '-C: at most 255 printable' -C "$(printf '%0256d' 0)" -f bad-comment
nok "no key with a bad comment" test -e bad-comment
run -q -C "$(printf '%0255d' 0)" -f longest
run -l -f longest
is "$status" 0 "the longest comment"
run -q -C '' -f bare
is "$(wc -c <bare)" "$((21 + 7 + 43 + 1))" "no comment, no trailing space"
run -l -f bare
like "$out" ' no comment \(X25519\)$' "-l says that there is no comment"

refused "an unknown group" 67 '-g no-such-group: no such group' -g no-such-group -f grouped
nok "no key with an unknown group" test -e grouped
run -q -g "$(id -g)" -f grouped
is "$(mode grouped)" "640 $group" "-g with a number: mode 0640"
if is_root; then
	run -q -g daemon -f grouped2
	is "$(mode grouped2)" "640 daemon" "-g with a name: mode 0640 and that group"
	run -l -f grouped2
	is "$status" 0 "a group's key is accepted"
else
	skip "another group needs root" 2
fi

# --- showing

run -y -f key
public=$out
like "$public" '^xpony-x25519 [A-Za-z0-9+/]{43} mx\.example\.org 2026$' "-y prints the public key"
run -l -f key
fingerprint=$out
wanted=$("${PYTHON3:-python3}" -c 'import base64, hashlib, sys
point = base64.b64decode(sys.argv[1] + "=")
print("SHA256:" + base64.b64encode(hashlib.sha256(point).digest()).decode().rstrip("="))' \
	"$(awk '{ print $2 }' <<<"$public")")
is "$fingerprint" "256 $wanted mx.example.org 2026 (X25519)" "-l prints SHA-256 of the public key"
echo "$public" >key.pub
run -l -f key.pub
is "$out" "$fingerprint" "-l takes a public key too"
run -y -f key.pub
is "$out" "$public" "-y takes a public key too"
# the record for DNS (what the mailer makes of it is in 1b-dnskeys)
for name in mx.example.org mx.example.org. MX_1.Example.Org localhost; do
	run -r "$name" -f key
	is "$status $out" "0 _xpony.${name%.}. IN TXT \"v=XPONY1; k=$wanted\"" "-r $name prints the DNS record"
done
run -f key.pub -r mx.example.org
is "$out" "_xpony.mx.example.org. IN TXT \"v=XPONY1; k=$wanted\"" "-r takes a public key too"
label=$(printf 'a%.0s' {1..61}).
run -r "$label$label$label${label%??}" -f key.pub
is "$status" 0 "-r takes the longest name"
for name in '' . a..b 'a b' 'a"b' '*.example.org' 192.0.2.1 192.0.2.1. '[192.0.2.1]' 2001:db8::1 $'b\303\274cher.example' \
	"$label$label$label${label%?}" "$label$label$label$label"; do
	refused "-r '$name'" 64 "-r: a host's full name in ASCII is wanted" -r "$name" -f key
done
refused "-r without a key" 66 'none: No such file or directory; make it with' -r mx.example.org -f none

echo "${public/x25519 /x25519 A}" >bad.pub
refused "a damaged public key" 65 'bad.pub: damaged public key' -l -f bad.pub
printf '%s\033[2J\n' "$public" >bad.pub
refused "a public key with an escape sequence" 65 'bad.pub: damaged public key' -l -f bad.pub

# RFC 7748 section 6.1: Alice's secret and public key.
{
	echo blackpony-host-key 1
	echo "x25519 dwdtCnMYpX08FsFyUbJmRd9ML4frwJkqsXf7pR25LCo alice"
} >alice
chmod 600 alice
run -y -f alice
is "$out" "xpony-x25519 hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo alice" \
	"the public key of RFC 7748's secret"

# --- what is no key

refused "no file" 66 'none: No such file or directory; make it with' -l -f none
for m in 620 604 602 601 660 610 777 644; do
	cp alice open && chmod "$m" open
	refused "mode 0$m" 65 "open: mode 0$m is too open .*chmod 0600" -l -f open
done
chmod 640 open
run -l -f open
is "$status" 0 "mode 0640 is accepted"
chmod 400 open
run -l -f open
is "$status" 0 "mode 0400 is accepted"
ln -s alice link
refused "a symbolic link" 65 'link: is a symbolic link' -l -f link
refused "a directory" 65 '\.: not a regular file' -l -f .
mkfifo -m 600 fifo
refused "a FIFO" 65 'fifo: not a regular file' -l -f fifo
refused "a device" 65 '/dev/zero: not a regular file' -l -f /dev/zero

# damaged NAME ERE: standard input in a key file's place.
damaged() {
	rm -f damaged && cat >damaged && chmod 600 damaged
	refused "$1" 65 "damaged: $2" -l -f damaged
	unlike "$err" 'dwdtCnMYpX' "$1: no secret in the error"
}

damaged "an empty file" 'not a host key: line 1' </dev/null
damaged "noise" 'not a host key' < <(head -c 500 /dev/urandom)
damaged "a NUL" 'not a host key: a NUL' < <(sed 's/alice/\x00/' alice)
damaged "another version" 'not a host key: line 1' < <(sed 's/key 1/key 2/' alice)
damaged "line ends of DOS" 'not a host key: line 1' < <(sed 's/$/\r/' alice)
damaged "another type" 'line 2: the key is not of type x25519' < <(sed 's/x25519/x448/' alice)
damaged "one line" 'damaged host key: line 2 is cut off' < <(head -n 1 alice)
damaged "no last newline" 'damaged host key: line 2 is cut off' < <(head -c -1 alice)
damaged "a secret cut short" 'damaged host key: line 2 must hold' < <(sed 's/Co alice//' alice)
damaged "padded base64" 'damaged host key: line 2 must hold' < <(sed 's/ alice/=/' alice)
damaged "trailing bits in the base64" 'damaged host key: line 2 must hold' < <(sed 's/LCo/LCp/' alice)
damaged "no base64" 'damaged host key: line 2 must hold' < <(sed 's/dw/d-/' alice)
damaged "a third line" 'damaged host key: more than two' < <(cat alice && echo more)
damaged "a comment with a bell" 'line 2: comment' < <(sed 's/alice/\a/' alice)
damaged "a huge file" 'not a host key: longer than 1024 octets' < <(cat alice && head -c 1M /dev/zero)

if is_root; then
	cp alice foreign && chown daemon foreign && chmod 600 foreign
	refused "another owner" 65 "foreign: belongs to uid $(id -u daemon); must belong to root" -l -f foreign
	cp "$keygen" other-keygen && chmod 711 . && chmod 755 other-keygen
	chown 0 alice && chmod 600 alice
	said=$(setpriv --reuid daemon --regid daemon --clear-groups ./other-keygen -l -f alice 2>&1)
	is "$?" 65 "an unreadable key: exit status"
	like "$said" 'alice: Permission denied' "an unreadable key: the error says so"
else
	skip "another owner needs root" 5
fi

# --- where there is little to stand on

# A file system that has room for a name and for no octet.
full_disk() {
	mkdir full && mount -t tmpfs -o size=4k,mode=700 none full || return
	head -c 4096 /dev/zero >full/ballast
	timeout 20 "$keygen" -f full/key
	printf 'status %s, left: %s\n' "$?" "$(ls full | tr '\n' ' ')"
}
if is_root && unshare --mount true 2>/dev/null; then
	export -f full_disk
	said=$(keygen=$keygen unshare --mount bash -c full_disk 2>&1)
	like "$said" '^blackpony-keygen: full/key: No space left on device; nothing was written$' \
		"a full disk: the error says so"
	like "$said" '^status 73, left: ballast $' "a full disk: nothing stays"
else
	skip "a full disk needs root and a mount namespace" 2
fi

run -f /dev/full/key
is "$status" 73 "a device in the directory's place"
"$keygen" -l -f alice >/dev/full 2>err
is "$?" 74 "standard output full: exit status"
like "$(cat err)" 'standard output: No space left' "standard output full: the error says so"

# Nothing but the program and its libraries: no /dev, no /etc, no /proc.
if is_root; then
	real=$abs_top_builddir/blackpony-keygen
	mkdir jail
	ldd "$real" | grep -o '/[^ ]*' | while read -r library; do
		mkdir -p "jail/${library%/*}" && cp -L "$library" "jail/$library"
	done
	cp "$real" jail/keygen
	first=$(chroot jail /keygen -f /one 2>&1)
	is "$?" 0 "a chroot without /dev: a key is made" || diag "$first"
	chroot jail /keygen -q -f /two
	nok "a chroot without /dev: keys differ" cmp -s jail/one jail/two
	nok "a chroot without /dev: it had none" test -e jail/dev
else
	skip "a chroot needs root" 3
fi

# --- usage

for words in '-x' 'operand' '-l -y' '-l -C x' '-y -g 0' '-q -l' '-r' '-r a.test -l' '-y -r a.test' '-r a.test -q' '-f' '-f key operand'; do
	# shellcheck disable=SC2086
	run $words
	is "$status" 64 "usage error: $words" || diag "$err"
	like "$err" '^usage: blackpony-keygen' "usage shown: $words"
done
run -f ''
is "$status" 64 "usage error: an empty name"
run --help
like "$status $out" '^0 usage: blackpony-keygen' "--help"
run --version
like "$status $out" '^0 blackpony-keygen [0-9]+\.[0-9]' "--version"
run -l
if [ -e "$(sed -n 's/^Without -f the file is \(.*\)\.$/\1/p' < <("$keygen" --help))" ]; then
	skip "this machine has a host key" 1
else
	like "$err" '/blackpony/hostkey: No such file' "without -f it is the default file"
fi

done_testing
