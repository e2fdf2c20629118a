#!/bin/bash
# 92-pages - the manual pages are clean mdoc, and say of the options what --help says; each option is used
# by a test; a person who mistypes one is told by the exit status.
. "$abs_top_srcdir/t/lib/tap.sh"

command -v mandoc >/dev/null || skip_all "needs mandoc (Debian: mandoc)"
# options_of_help PROGRAM: those that --help shows, a line each: -4, -b, --check.
options_of_help() {
	local word
	"$BLACKPONY_BIN/$1" --help 2>&1 | grep -oE '(^|[[ ])(--[a-z][a-z-]*|-[A-Za-z0-9]+)' | tr -d ' [' | while read -r word; do
		case $word in
		--*) echo "$word" ;;
		*) grep -o . <<<"${word#-}" | sed 's/^/-/' ;; # -46v is -4, -6 and -v
		esac
	done
	printf '%s\n' --help --version
}

# options_of_page FILE: those that it explains.
options_of_page() { sed -n 's/^\.It Fl \(-\?[A-Za-z0-9][a-z-]*\).*/-\1/p' "$1"; }

for page in "$abs_top_srcdir"/doc/*.[1-8]; do
	name=${page##*/}
	program=${name%.*}
	# A page of another package, or of ours and not yet installed, may be referred to.
	said=$(mandoc -T lint "$page" 2>/dev/null | grep -v 'referenced manual not found')
	is "$said" "" "$name: clean"
	case $name in *.[57]) continue ;; esac # of a file, and of the whole
	is "$(options_of_page "$page" | LC_ALL=C sort -u)" "$(options_of_help "$program" | LC_ALL=C sort -u)" \
		"$name: explains the options that there are"
	for option in --help --version; do
		ok "$program $option" "$BLACKPONY_BIN/$program" $option
	done
	like "$("$BLACKPONY_BIN/$program" --version)" "^$program [0-9]" "$program --version: name and number"
	# shellcheck disable=SC2046 # words
	is "$("$PYTHON3" "$abs_top_srcdir/t/lib/options.py" "$abs_top_srcdir" "${program#blackpony-}" \
		$(options_of_page "$page" | grep -Evx -e '--(help|version)'))" "" "$program: each option is used by a test"
	words=--nonsense
	[ "$program" != blackpony-mailer ] || words='--probe --nonsense' # to sendmail it speaks SMTP
	# shellcheck disable=SC2086 # words
	"$BLACKPONY_BIN/$program" $words >/dev/null 2>&1
	is $? 64 "$program $words: EX_USAGE"
done
done_testing
