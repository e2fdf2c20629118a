#!/bin/bash
# 6c-static-deps - configure --enable-static-deps: the programs need no library but the C library's own,
# are as hardened as the others, and carry mail encrypted; a library that there is no archive of is
# named by configure with its package. The objects are those of this build, only linked anew.
source=${abs_top_srcdir:-$(cd "$(dirname "$0")/.." && pwd)}
. "$source/t/lib/tap.sh"
. "$source/t/lib/world.sh"
. "$source/t/lib/mail.sh"

from=${abs_top_builddir:-$PWD}
command -v readelf >/dev/null || skip_all "needs readelf (Debian: binutils)"
grep -q '^#define BLACKPONY_SANITIZERS' "$from/config.h" && skip_all "sanitizers need their own libraries"
room=$(mktemp -d) || bail "no room"
trap 'rm -rf "$room"' EXIT
unset MAKEFLAGS MFLAGS MAKELEVEL

# configured ARGUMENT...: in the room, otherwise as this build was.
configured() {
	(cd "$room/build" && eval "set -- $(cd "$from" && ./config.status --config) $(printf "'%s' " "$@")" &&
		"$source/configure" "$@") >"$room/configure.out" 2>&1
}
needed() { readelf -d "$room/build/$1" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' | paste -sd' '; }

mkdir "$room/build"
ok "configure --enable-static-deps" configured --enable-static-deps || bail "$(tail -n 3 "$room/configure.out")"
like "$(cat "$room/configure.out")" '^  static +yes' "and says so at its end"
# What was compiled is the same; newer than config.h, so that make only links.
(cd "$from" && find . -name '*.[oa]' ! -path './t/*' ! -path './fuzz/*' | tar -cmf - -T - 2>/dev/null) |
	tar -C "$room/build" -xmf - || bail "no objects"
make -s -C "$room/build" blackpony-keygen blackpony-mailer blackpony-receiver blackpony-report \
	>"$room/make.out" 2>&1 || bail "$(tail -n 5 "$room/make.out")"

is "$(needed blackpony-receiver)" 'libc.so.6' "blackpony-receiver needs the C library alone"
unlike "$(needed blackpony-mailer; needed blackpony-keygen; needed blackpony-report)" 'sodium|bsd|md\.|lmdb|libz' \
	"nor do the others need one of those"
hardened=$(abs_top_builddir=$room/build bash "$source/t/91-hardened.sh" 2>&1)
like "$hardened" '^1\.\.[1-9]' "t/91-hardened comes to its end"
unlike "$hardened" '^not ok' "and finds them as hardened as the others" || diag "$(grep '^not ok' <<<"$hardened")"

# A compiler that finds no archive of libmd.
cat >"$room/cc" <<-END
	#!/bin/sh
	case " \$* " in *' -lmd '*) exit 1 ;; esac
	exec cc "\$@"
END
chmod +x "$room/cc"
nok "without an archive configure stops" configured --enable-static-deps "CC=$room/cc"
like "$(cat "$room/configure.out")" 'no static library of bsd md \(Debian: apt-get install libbsd-dev libmd-dev\)' \
	"and names the package"

export BLACKPONY_BIN=$room/build
world_start
trap 'world_stop; rm -rf "$room"' EXIT
host_start a 10.77.0.1 fd77::1 sendmail inetd
host_start b 10.77.0.2 fd77::2 sendmail inetd
for host in a b; do
	pony_host "$host" && host_daemon "$host" && host_inetd "$host" || bail "host $host"
done
mail_boxes b bob
printf 'Subject: static\nTo: friends:;\n\nBuilt in one piece.\n' >"$WORLD/message"
mail_send a "$WORLD/message" bob@b.test
ok "mail arrives" mail_take b bob "$WORLD/taken"
is "$(mail_body "$WORLD/taken")" "Built in one piece." "as it was written"
like "$(mail_received "$WORLD/taken" mail.b.test)" 'XPONY1' "and it was encrypted"
done_testing
