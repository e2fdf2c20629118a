#!/bin/bash
# 93-style - those of STYLE's rules that a script can judge: a comment at the top of each file, short
# functions, no function of the C library that has a safe sister, no note of what is yet to be done,
# no secret that is compared by memcmp().
. "$abs_top_srcdir/t/lib/tap.sh"
cd "$abs_top_srcdir" || bail "no sources"

programs='compat fuzz keygen lib libxpony mailer receiver report'
# shellcheck disable=SC2086 # words
mapfile -t sources < <(find $programs t bench -name '*.[ch]' | LC_ALL=C sort)
mapfile -t scripts < <(find t bench load fuzz setup check quickstart autogen.sh .ci -path fuzz/corpus -prune -o -type f -print 2>/dev/null | LC_ALL=C sort |
	while read -r file; do
		case $(head -c 2 "$file" | tr -d '\0') in '#!') echo "$file" ;; esac
	done)

# Each prints what is wrong, a line each.
without_comment() { awk 'FNR == 1 && !/^\/\*/ { print FILENAME } { nextfile }' "$@"; }
scripts_without() { awk 'FNR == 2 && !/^(# |""")/ { print FILENAME } FNR > 2 { nextfile }' "$@"; }

# A function's body stands between braces at the left edge.
long_functions() {
	awk '/^\{$/ { start = FNR }
		/^\}$/ && start { if (FNR - start > 60) print FILENAME ":" start ": " FNR - start - 1; start = 0 }
		FNR == 1 { start = 0 }' "$@"
}

# The names are called: as a whole word, not behind "->", "." or a declaration of another.
forbidden_calls() {
	grep -nE '(^|[^A-Za-z0-9_>.])(strcpy|strcat|strncpy|strncat|stpcpy|sprintf|vsprintf|strtok|system|popen|rand|srand|mktemp|tmpnam|tempnam|alloca|asprintf|atol|bcmp|bcopy|bzero)\(' "$@" |
		grep -vE ':[0-9]+:( \*|/\*|	*//)'
}

yet_to_do() { grep -rnHwE 'TODO|FIXME|XXX|HACK' --include='*.[ch18]' --include='*.sh' --include='*.py' --include='*.md' "$@"; }

# By what secrets are called in this code. Public keys, fingerprints and names may be compared so.
secret_comparisons() {
	grep -nHwE 'memcmp\(.*(secret|dh|psk|ck|dk|seed|shared|rejected|cipher|chaining|e_secret|password|pass)' "$@"
}

# First that each can find something.
bait=$(mktemp -d) && trap 'rm -rf "$bait"' EXIT || bail "no room"
{
	echo 'int main(void)'
	echo '{'
	for ((i = 0; i < 60; i++)); do echo '	strcpy(a, b);'; done
	echo '	return memcmp(hs->psk, other->psk, 32);'
	echo '}'
	echo "/* TO""DO */"
} >"$bait/bait.c"
like "$(without_comment "$bait/bait.c")" bait "a file without a comment is told"
like "$(scripts_without "$bait/bait.c")" bait "and a script"
like "$(long_functions "$bait/bait.c")" ':2: 61' "so is a long function"
like "$(forbidden_calls "$bait/bait.c" "$bait/bait.c")" 'strcpy' "so is strcpy()"
like "$(yet_to_do "$bait/bait.c")" 'bait' "so is a note of what is to be done"
like "$(secret_comparisons "$bait/bait.c")" 'psk' "so is memcmp() of a secret"

# shellcheck disable=SC2086 # words
mapfile -t ours < <(find $programs -name '*.[ch]' | LC_ALL=C sort)
ok "sources are there (${#ours[@]}, and ${#scripts[@]} scripts)" test "${#ours[@]}" -gt 100 -a "${#scripts[@]}" -gt 50
is "$(without_comment "${sources[@]}" && scripts_without "${scripts[@]}")" "" "each file says at its top what it is"
is "$(long_functions "${sources[@]}")" "" "functions are of 60 lines at most"
is "$(forbidden_calls "${ours[@]}" | sed 's/[ 	].*//')" "" "no call that STYLE forbids"
# shellcheck disable=SC2086 # words
is "$(yet_to_do $programs t bench doc README.md | grep -v '^t/93-style')" "" "nothing is marked as yet to be done"
is "$(secret_comparisons "${ours[@]}" | grep -v '^fuzz/')" "" "no secret is compared by memcmp()"
done_testing
