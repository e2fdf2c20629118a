#!/bin/bash
# 71-kem-constant-time - compat/'s ML-KEM-768 and libxpony/kem.c under valgrind, with all that is
# secret marked undefined: no branch and no index depends on it, whichever compiler there is has made
# it. With BLACKPONY_ALL at more levels of optimization.
source=${abs_top_srcdir:-$(cd "$(dirname "$0")/.." && pwd)}
. "$source/t/lib/tap.sh"

command -v valgrind >/dev/null || skip_all "needs valgrind (Debian: valgrind)"
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT

# compile COMPILER LEVEL
compile() {
	# shellcheck disable=SC2046 # flags are words
	"$1" "$2" -std=c11 -D_GNU_SOURCE -fstack-protector-strong -I"$source" \
		-iquote "$source/libxpony" $(pkg-config --cflags libsodium) -o "$work/secrets" \
		"$source"/t/tools/kem-secrets.c "$source"/compat/*.c "$source/libxpony/kem.c" \
		$(pkg-config --libs libsodium) >"$work/said" 2>&1 || { diag "$(cat "$work/said")"; false; }
}

# secrets [ARGUMENT]: 99 is valgrind's word for a secret that showed.
secrets() {
	valgrind --quiet --error-exitcode=99 --suppressions="$source/t/tools/kem-secrets.supp" \
		"$work/secrets" "$@" >"$work/said" 2>&1
	status=$?
	[ $status -eq 0 ] || [ $# -gt 0 ] || diag "$(cat "$work/said")"
	return $status
}

levels='-O2 -O3'
[ -z "${BLACKPONY_ALL:-}" ] || levels='-O0 -O1 -O2 -O3 -Os'
compilers=${CC:-cc}
for compiler in gcc clang; do
	[ "$(readlink -f "$(command -v "$compiler")")" = "$(readlink -f "$(command -v "${CC:-cc}")")" ] ||
		! command -v "$compiler" >/dev/null || compilers+=" $compiler"
done
for compiler in $compilers; do
	for level in $levels; do
		ok "$compiler $level: compiles" compile "$compiler" "$level" || continue
		ok "$compiler $level: nothing shows of a secret" secrets
	done
done
secrets branch
is $? 99 "a branch on a secret would be seen"
secrets index
is $? 99 "so would an index"
done_testing
