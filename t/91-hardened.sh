#!/bin/bash
# 91-hardened - the programs that make install puts into place are built as configure says:
# position-independent, with all relocations read-only before main, nothing both writable and
# executable, stack protector, fortify, control-flow enforcement where the compiler has it; each
# needs the libraries that are listed here and no other; nothing is setuid.
. "$abs_top_srcdir/t/lib/tap.sh"

command -v readelf >/dev/null || skip_all "needs readelf (Debian: binutils)"
cd "$abs_top_builddir" || bail "no build"
grep -q '^HARDEN_CFLAGS = .*-fPIE' Makefile || skip_all "configured with --disable-hardening"
top=$(mktemp -d) && trap 'rm -rf "$top"' EXIT || bail "no room"
env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL make -s install DESTDIR="$top" >"$top.out" 2>&1 || {
	diag "$(tail -n 5 "$top.out")"
	bail "make install"
}
rm -f "$top.out"

sanitized() {
	grep -q '^#define BLACKPONY_SANITIZERS' config.h
}

# The libraries of a program, besides the C library's own.
libraries_of() {
	case $1 in
	blackpony-keygen) echo 'libsodium|libbsd|liblmdb|libresolv' ;;
	blackpony-mailer) echo 'libsodium|libbsd|liblmdb|libresolv' ;;
	blackpony-receiver) echo 'libsodium|libbsd' ;; # no resolver and no database
	blackpony-report) echo 'libsodium|libbsd|libresolv|libz' ;;
	esac
}

# What a file has of control-flow enforcement: "IBT, SHSTK", or nothing.
enforcement_of() { readelf --wide --notes "$1" 2>/dev/null | sed -n 's/.*x86 feature: \([A-Z, ]*\).*/\1/p'; }

# Whether it reaches the programs is up to the C library's start files: as much as in a program that
# does nothing, and in all of our own objects.
enforcement() {
	local compiler flags possible
	compiler=$(sed -n 's/^CC = //p' Makefile) flags=$(sed -n 's/^HARDEN_CFLAGS = //p' Makefile)
	echo 'int main(void) { return 0; }' >"$top/none.c"
	# shellcheck disable=SC2086 # words
	$compiler $flags -c -o "$top/none.o" "$top/none.c" && $compiler $flags -pie -o "$top/none" "$top/none.o" ||
		bail "$compiler compiles nothing"
	possible=$(enforcement_of "$top/none")
	for program; do
		is "$(enforcement_of "$program")" "$possible" "${program##*/}: control-flow enforcement${possible:+ ($possible)}"
	done
	possible=$(enforcement_of "$top/none.o")
	for object in compat/*.o keygen/*.o lib/*.o libxpony/*.o mailer/*.o receiver/*.o; do
		[ "$(enforcement_of "$object")" = "$possible" ] || echo "$object"
	done >"$top/without"
	is "$(cat "$top/without")" "" "all objects: ${possible:-the compiler has none}"
}

mapfile -t programs < <(find "$top" -type f -perm /111 -exec sh -c \
	'head -c 4 "$1" | grep -q ELF' - {} \; -print | sort)
is "$(printf '%s\n' "${programs[@]##*/}" | sort | tr '\n' ' ')" \
	"blackpony-keygen blackpony-mailer blackpony-receiver blackpony-report " "the programs are installed"
for path in "${programs[@]}"; do
	program=${path##*/}
	headers=$(readelf --wide --file-header --program-headers --dynamic "$path")
	symbols=$(readelf --wide --dyn-syms "$path")
	like "$headers" 'Type: +DYN ' "$program: position-independent"
	like "$headers" 'Flags:.* PIE' "$program: and a program"
	like "$headers" '^ *GNU_RELRO' "$program: relocations become read-only"
	like "$headers" 'FLAGS.* (BIND_)?NOW' "$program: all of them, before main"
	unlike "$headers" '^ *[A-Z_]+ +(0x[0-9a-f]+ +){5}RWE' "$program: no segment is writable and executable"
	like "$headers" '^ *GNU_STACK +(0x[0-9a-f]+ +){5}RW ' "$program: no executable stack"
	unlike "$headers" '\((RPATH|RUNPATH)\)' "$program: no library path"
	unlike "$headers" '\(TEXTREL\)' "$program: no text relocation"
	like "$symbols" '__stack_chk_fail' "$program: stack protector"
	if sanitized; then
		pass "$program: sanitizers in place of fortify"
		pass "$program: with their libraries"
	else
		like "$symbols" '__[a-z]+_chk' "$program: fortify"
		is "$(sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' <<<"$headers" |
			grep -vE "^($(libraries_of "$program")|libc|ld-linux-[-a-z0-9_]*)\.so\.[0-9]+$")" "" \
			"$program: no other library than it should have"
	fi
done
enforcement "${programs[@]}"
is "$(find "$top" -perm /6000)" "" "nothing is setuid or setgid"
is "$(find "$top" ! -type l -perm /022)" "" "nothing may be written by others"
done_testing
