#!/bin/sh
# libxpony/ is pure: bytes in, bytes out (STYLE, "Shape"). Whatever its objects call is their own, of
# libsodium, or one of the few C functions below, none of which reaches a descriptor, the clock, the log,
# the environment or a stream. Compiles nothing: reads the objects of the build.
#
# builddir says where the build is (default: here).

objects=${builddir:-.}/libxpony

# Shell patterns. A fortified build calls __memcpy_chk and the like; a sanitized one its runtime.
# randombytes_* is missing on purpose: randomness comes from the caller.
is_pure() {
	case $1 in
	crypto_* | sodium_*) ;;
	mem[a-z]* | str[a-z]* | snprintf | vsnprintf | explicit_bzero) ;;
	malloc | calloc | realloc | reallocarray | free | abort) ;;
	__mem*_chk | __str*_chk | __snprintf_chk | __vsnprintf_chk | __explicit_bzero_chk) ;;
	__stack_chk_fail | _GLOBAL_OFFSET_TABLE_ | __asan_* | __ubsan_*) ;;
	*) return 1 ;;
	esac
	case $1 in # what reads the clock, the locale or a stream under such a name
	strftime* | strptime* | strerror* | strsignal* | memfd_*) return 1 ;;
	esac
}

# What each name on stdin is that is neither pure nor in the list of own names.
impure() { # own names, one a line
	while read -r name; do
		name=${name%%@*}
		is_pure "$name" || printf '%s\n' "$1" | grep -qxF -e "$name" || echo "$name"
	done
}

undefined() { nm -u "$1" | awk 'NF == 2 { print $2 }'; }

run=0
failed=0
result() { # ok or "not ok", name
	run=$((run + 1))
	[ "$1" = ok ] || failed=$((failed + 1))
	echo "$1 $run - $2"
}

if ! command -v nm >/dev/null 2>&1; then
	echo '1..0 # SKIP nm (binutils) is not installed'
	exit 0
fi

# First that the check can fail: some of the names that must never pass.
names='read write __read_chk poll ppoll open open64 openat socket send recv sendmsg connect syslog
__syslog_chk time __time64 clock_gettime gettimeofday getenv secure_getenv environ fork execve waitpid
printf __printf_chk fprintf puts putchar fputc fwrite stderr stdout perror exit _exit signal getpid rand
randombytes_buf getrandom strftime strerror memfd_create'
# shellcheck disable=SC2086 # split on purpose
want=$(printf '%s\n' $names)
# shellcheck disable=SC2086
if [ "$(printf '%s\n' $names memcpy session_new | impure session_new)" = "$want" ]; then
	result ok 'system calls, clock, log, environment, streams are told from what is pure'
else
	result 'not ok' 'system calls, clock, log, environment, streams are told from what is pure'
fi

set -- "$objects"/*.o
if [ -f "$1" ]; then
	result ok "there are objects in $objects ($#)"
else
	result 'not ok' "there are objects in $objects"
	set --
fi

own=
[ $# -eq 0 ] || own=$(nm --defined-only -g "$@" | awk 'NF == 3 { print $3 }')
for o; do
	bad=$(undefined "$o" | impure "$own")
	if ! nm "$o" >/dev/null 2>&1; then
		result 'not ok' "${o##*/} can be read"
	elif [ -z "$bad" ]; then
		result ok "${o##*/} is pure"
	else
		result 'not ok' "${o##*/} is pure"
		printf '%s\n' "$bad" | sed 's/^/# calls /'
	fi
done
echo "1..$run"
[ $failed -eq 0 ]
