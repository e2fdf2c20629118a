#!/bin/bash
# 92-pages - the manual pages are clean mdoc, and say of the options what --help says.
. "$abs_top_srcdir/t/lib/tap.sh"

command -v mandoc >/dev/null || skip_all "needs mandoc (Debian: mandoc)"
for page in "$abs_top_srcdir"/doc/*.[1-8]; do
	name=${page##*/}
	# A page of another package, or of ours and not yet installed, may be referred to.
	said=$(mandoc -T lint "$page" 2>/dev/null | grep -v 'referenced manual not found')
	is "$said" "" "$name: clean"
	program=${name%.*}
	help=$("$BLACKPONY_BIN/$program" --help 2>&1)
	for option in $(grep -oE '[[ ]-[A-Za-z0-9]\b' <<<"$help" | tr -d ' [' | sort -u); do
		like "$(cat "$page")" "^\.It Fl ${option#-}( |\$)" "$name: tells of $option"
	done
done
done_testing
