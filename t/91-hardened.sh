#!/bin/bash
# 91-hardened - the programs are built as configure says: position-independent, with all
# relocations read-only before main, no executable stack, stack protector and fortify.
. "$abs_top_srcdir/t/lib/tap.sh"

command -v readelf >/dev/null || skip_all "needs readelf (Debian: binutils)"
cd "$abs_top_builddir" || bail "no build"
grep -q '^HARDEN_CFLAGS = .*-fPIE' Makefile || skip_all "configured with --disable-hardening"
sanitized() {
	grep -q '^#define BLACKPONY_SANITIZERS' config.h
}

for program in blackpony-keygen blackpony-mailer blackpony-receiver blackpony-report; do
	headers=$(readelf --wide --file-header --program-headers --dynamic "$program")
	symbols=$(readelf --wide --dyn-syms "$program")
	like "$headers" 'Type: +DYN ' "$program: position-independent"
	like "$headers" 'GNU_RELRO' "$program: relocations become read-only"
	like "$headers" 'FLAGS.* (BIND_)?NOW' "$program: all of them, before main"
	unlike "$headers" 'GNU_STACK.* RWE' "$program: no executable stack"
	unlike "$headers" '\((RPATH|RUNPATH|TEXTREL)\)' "$program: no library path, no text relocation"
	like "$symbols" '__stack_chk_fail' "$program: stack protector"
	if sanitized; then
		pass "$program: sanitizers in place of fortify"
	else
		like "$symbols" '__[a-z]+_chk' "$program: fortify"
	fi
done
done_testing
