#!/bin/bash
# 6a-setup - blackpony-setup on a host with Debian's own sendmail: what it would do, does, and takes
# back; what it refuses; what it does when a step fails, or when somebody has edited a file since.
# Needs root (t/lib). t/80-debian-12 has whole Debian systems.
source=${abs_top_srcdir:-$(cd "$(dirname "$0")/.." && pwd)}
. "$source/t/lib/tap.sh"
. "$source/t/lib/world.sh"
. "$source/t/lib/stock.sh"

# setup ARGUMENT...: sets said and status.
setup() {
	said=$(host_run a blackpony-setup "$@" 2>&1)
	status=$?
}

# files: every file below /etc: its sum, and its mode and owner.
files() {
	host_run a sh -c 'cd / && find etc ! -type d -printf "%p %m %u:%g %l\n" && find etc -type f -exec sha256sum {} +' |
		grep -Ev '(^| )etc/(passwd|group|shadow|gshadow|subuid|subgid|mtab)-?($| )' | LC_ALL=C sort
}

# is_files WANTED NAME: they are as they were.
is_files() {
	local now
	now=$(files)
	if [ "$now" = "$1" ]; then pass "$2"; else
		fail "$2"
		diag "$(diff <(echo "$1") <(echo "$now"))"
	fi
}

owner() { host_run a sh -c '. /usr/share/blackpony/setup/port25.sh; port_owner'; }
configure() { yes '' 2>/dev/null | host_run a sendmailconfig --no-reload >/dev/null 2>&1; }
mc() { host_run a cat /etc/mail/sendmail.mc; }
edit_mc() { host_run a sed -i "$@" /etc/mail/sendmail.mc; }
ports() { host_run a grep '^O DaemonPortOptions' /etc/mail/sendmail.cf; }

world_start
host_start a 10.77.0.1 fd77::1 sendmail inetd
host_stock a '/^FEATURE(`no_default_msa/a\
DAEMON_OPTIONS(`Name=TLS, Port=465,\
	M=s'\'')dnl\
DAEMON_OPTIONS(`Family=inet6,\
	Addr=::1, Name=second'\'')dnl'
env -u MAKEFLAGS -u MAKELEVEL make -s -C "$world_build" install DESTDIR="$WORLD/share/tree" >"$WORLD/install" 2>&1 || bail "$(cat "$WORLD/install")"
host_run a cp -a "$WORLD/share/tree/." /
is "$(host_run a blackpony-setup --version)" "blackpony-setup $(sed -n 's/^VERSION = //p' "$world_build/Makefile")" "--version"

setup
is $status 64 "no command: usage"
setup --with cron enable
is $status 64 "--with: one of three"
setup --dry-run status
is $status 64 "status has no --dry-run"
said=$(host_as a alice blackpony-setup status 2>&1)
is $? 77 "for root only"
setup status
is $status 69 "status: not enabled"
setup disable
is "$status $said" "0 blackpony is not enabled" "disable: nothing to do"
setup enable
is $status 78 "no users, no key: refused"
like "$said" 'no user blackpony' "and said"
for user in blackpony blackpony-net; do
	host_run a useradd --system --user-group --no-create-home --shell /usr/sbin/nologin $user
done
host_run a install -d -o blackpony -g blackpony -m 700 /var/lib/blackpony
host_run a blackpony-keygen -q -g blackpony

# What would be lost, and what is required.
stock=$(files)
cp "$(host_root a)/etc/mail/sendmail.mc" "$WORLD/mc"
cp "$(host_root a)/etc/mail/access" "$WORLD/access"
printf '%s\n' 'AuthInfo:relay.test "U:x"' 'TLS_Srv:b.test ENCR:112' 'TLS_Rcpt:b.test ENCR:112' \
	'Try_TLS:b.test NO' '# Try_TLS:c.test NO' >>"$(host_root a)/etc/mail/access"
edit_mc -e "/^FEATURE(.delay_checks/a FEATURE(\`sts')dnl\\
FEATURE(\`authinfo')dnl\\
FEATURE(\`require_rdns')dnl\\
define(\`confFALLBACK_MX', \`fall.test')dnl"
changed=$(files)
setup enable
is $status 78 "settings that would be lost: refused"
for word in 'FEATURE\(sts\)' 'FEATURE\(authinfo\)' 'FEATURE\(require_rdns\)' confFALLBACK_MX \
	'access: AuthInfo:relay\.test' 'access: TLS_Srv:b' 'access: TLS_Rcpt:b' 'access: Try_TLS:b'; do
	like "$said" "^  .*$word.*: " "and told: $word"
done
unlike "$said" 'c\.test' "but not what is a comment"
is_files "$changed" "nothing was changed"
edit_mc -e "/^FEATURE(.sts/d"
setup --anyway --with xinetd enable
is $status 0 "--anyway" || diag "$said"
setup disable
is $status 0 "and back" || diag "$said"
host_put a /etc/mail/access <"$WORLD/access"
edit_mc -e "/^FEATURE(.delay_checks/d; /^FEATURE(.authinfo/d; /^FEATURE(.require_rdns/d; /confFALLBACK_MX/d"
setup --anyway enable
is $status 78 "no delay_checks: refused, even with --anyway"
like "$said" 'delay_checks' "and said"
cp "$WORLD/mc" "$(host_root a)/etc/mail/sendmail.mc"
configure

# What it would do, and does.
stock=$(files)
setup --dry-run --with inetd enable
is $status 0 "--dry-run"
is "$(grep -c '^--- /etc/' <<<"$said")" 3 "three files" || diag "$said"
like "$said" '^\+smtp.*blackpony-receiver' "inetd.conf"
like "$said" '^\+Mblackpony' "sendmail.cf"
is_files "$stock" "nothing was changed"
is "$(owner)" sendmail-mta "nor who has port 25"
planned=$(awk '/^--- / { n++ } n == 1' <<<"$said")

setup enable
is $status 0 "enable" || diag "$said"
is "$(owner)" xinetd "xinetd, which is there, has port 25"
is "$(mc | diff -u --label /etc/mail/sendmail.mc --label /etc/mail/sendmail.mc "$WORLD/mc" -)" "$planned" \
	"sendmail.mc is as --dry-run said"
is "$(ports | grep -c .)" 2 "two daemons are left" || diag "$(ports)"
like "$(ports)" 'Name=TLS, Port=465,' "the one over two lines"
like "$(ports)" 'Name=MSP-v4, Port=submission' "and 587"
unlike "$(mc)" '^FEATURE.*greet_pause' "no pause before the greeting"
enabled=$(files)
setup enable
is "$status $said" "0 blackpony is enabled already, with xinetd" "again: nothing to do"
setup --with inetd enable
is $status 78 "with another one: disable it first"
is_files "$enabled" "nothing was changed"
setup status
is $status 0 "status" || diag "$said"
like "$said" '^ok: an encrypted letter to this host: arrived \(version=XPONY1 cipher=mlkem768x25519-chachapoly ' "encrypted"
like "$said" '^ok: a letter from a program of this host: arrived' "by submit.cf and port 25"
is "$(tail -n 1 <<<"$said")" "blackpony works" "the verdict is the last line"
nok "the letters are gone" test -e "$(host_root a)/var/mail/blackpony"
host_run a mv /etc/blackpony/hostkey /etc/blackpony/hostkey.away
setup status
is $status 78 "status without a key"
like "$said" '^blackpony does not work: faults: 1$' "the verdict"
host_run a mv /etc/blackpony/hostkey.away /etc/blackpony/hostkey

setup --dry-run disable
is $status 0 "disable --dry-run"
like "$said" '^-Mblackpony' "shows sendmail.cf"
is_files "$enabled" "nothing was changed"
setup disable
is "$status $said" "0 blackpony is disabled: port 25 is sendmail's" "disable"
is_files "$stock" "every file is as it was"
is "$(owner)" sendmail-mta "port 25 too"

# Edited since.
setup --with inetd enable
is $status 0 "enable with inetd" || diag "$said"
is "$(owner)" inetd "inetd has port 25"
edit_mc "/^DOMAIN/a define(\`confMAX_HOP', \`17')dnl"
host_run a sh -c 'echo "# mine" >>/etc/inetd.conf'
setup disable
is $status 0 "edited since: disable"
like "$said" '^/etc/mail/sendmail\.mc was edited since' "and said of sendmail.mc"
like "$said" '^/etc/inetd\.conf was edited since' "of inetd.conf"
is "$(mc)" "$(sed "/^DOMAIN/a define(\`confMAX_HOP', \`17')dnl" "$WORLD/mc")" "sendmail.mc has the edit, and nothing of ours"
is "$(host_run a tail -n 1 /etc/inetd.conf)" '# mine' "so has inetd.conf"
nok "nothing of ours there" host_run a grep -q blackpony /etc/inetd.conf /etc/mail/sendmail.cf
like "$(host_run a cat /etc/mail/sendmail.cf)" '^O MaxHopCount=17' "sendmail.cf has the edit"

# A step fails: everything becomes as it was. Here nobody greets on port 25.
before=$(files)
example=$(host_root a)/usr/share/blackpony/setup/inetd.conf.example
cp "$example" "$WORLD/example"
sed -i 's|/usr/libexec/.*|/bin/false false|' "$example"
setup --with inetd enable
is $status 69 "port 25 does not answer: failed" || diag "$said"
like "$said" '^blackpony-setup: a session with port 25: failed; everything is made as it was' "and said"
is_files "$before" "every file is as it was"
ok "port 25 is sendmail's again" wait_for 10 eval '[ "$(owner)" = sendmail-mta ]'
nok "no copies are left" test -e "$(host_root a)/var/backups/blackpony"
cp "$WORLD/example" "$example"

# The machine dies before enabling has noted that it is done.
setup --with inetd enable
host_run a mv /var/backups/blackpony/with /var/backups/blackpony/begun
setup disable
like "$said" '^blackpony-setup: the last enable, which was cut off: failed; everything is made as it was' \
	"an enable that was cut off is undone by the next command"
is_files "$before" "every file is as it was"
ok "port 25 is sendmail's again" wait_for 10 eval '[ "$(owner)" = sendmail-mta ]'

# A sendmail.mc without any daemon: sendmail would have port 25 by itself.
edit_mc -e '/^DAEMON_OPTIONS(.*inet6,$/,/dnl$/d; /^DAEMON_OPTIONS(.*465,$/,/dnl$/d; /^DAEMON_OPTIONS/d; /^FEATURE(.no_default_msa/d'
configure
setup --with inetd enable
is $status 0 "without DAEMON_OPTIONS" || diag "$said"
is "$(ports)" 'O DaemonPortOptions=Name=MSA, Port=587, M=E' "port 587 stays, as by default"
setup disable
like "$(ports)" '^O DaemonPortOptions=Name=MTA$' "and back"
done_testing
