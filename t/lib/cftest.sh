#!/bin/bash
# cftest.sh: sendmail.cf.m4 with the real m4 and sendmail -bv: who gets which mailer, what may be
# overridden, what is warned of.  Needs no blackpony but the file.
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=t/lib/tap.sh
. "$here/tap.sh"
# shellcheck source=t/lib/world.sh
. "$here/world.sh"

world_start
host_start a 10.77.0.1 fd77::1 sendmail
host_sendmail a
example=$(host_root a)/etc/mail/sendmail.mc
include="include(\`/usr/share/blackpony/sendmail.cf.m4')dnl"

# make_cf SED-SCRIPT: sendmail.cf of the example so changed; sets $said to m4's warnings.
make_cf() {
	sed "$1" "$example" | host_put a /etc/mail/try.mc
	said=$(host_run a sh -c 'cd /etc/mail && m4 try.mc >try.cf' 2>&1)
}

# mailer ADDRESS: what it resolves to.
mailer() {
	host_run a sendmail-mta -C /etc/mail/try.cf -bv "$1" |
		sed -n 's/.*deliverable: mailer \([^,]*\), \(host [^,]*, \)\?user.*/\1 \2/p' | sed 's/, $//'
}

# line: the M line, in one.
line() { sed -n '/^Mblackpony/,/A=/p' "$(host_root a)/etc/mail/try.cf" | tr -s '\n\t ' ' '; }

# builtin: the M lines of sendmail's own SMTP mailers.
builtin() { sed -n '/^M\(smtp\|esmtp\|smtp8\|dsmtp\|relay\),/,/A=/p' "$(host_root a)/etc/mail/try.cf"; }

make_cf "\\,^include.*blackpony,d"
plain=$(builtin)
make_cf ''
is "$said" "" "the example makes no complaint"
is "$(builtin)" "$plain" "smtp, esmtp, smtp8, dsmtp and relay stay byte for byte what they were"
is "$(mailer user@b.test)" "blackpony host b.test." "mail for others goes to blackpony"
is "$(mailer 'user@[10.77.0.2]')" "blackpony host [10.77.0.2]" "to an address literal as well"
is "$(mailer alice)" "local " "and local mail does not"
like "$(line)" ' P=/usr/libexec/blackpony/blackpony-mailer, F=mDFMuXaS, .* U=blackpony:blackpony, W=2m, .* A=blackpony-mailer -i \$i \$h' \
	"path, flags, user, wait and arguments are the documented ones"

host_put a /etc/mail/mailertable <<'END'
sts.test	esmtp:sts.test
pony.test	blackpony:[gw.pony.test]
END
host_run a sh -c 'cd /etc/mail && makemap hash mailertable <mailertable'
is "$(mailer user@sts.test)" "esmtp host sts.test" "a mailertable line keeps a domain on esmtp"
make_cf "s/^VERSIONID.*/&\ndefine(\`SMART_HOST', \`gw.test')dnl/"
is "$(mailer user@b.test)" "blackpony host gw.test" "SMART_HOST without a mailer goes to blackpony"
make_cf "s/^VERSIONID.*/&\ndefine(\`SMART_HOST', \`relay:gw.test')dnl/"
is "$(mailer user@b.test)" "relay host gw.test" "SMART_HOST with relay: does not"

make_cf "s,^$include,MAILER(\`blackpony')dnl,"
is "$(mailer user@b.test)$said" "blackpony host b.test." "MAILER(blackpony) does the same"
make_cf "s/^VERSIONID.*/&\ndefine(\`BLACKPONY_ON_REQUEST')dnl/"
is "$(mailer user@b.test)" "esmtp host b.test." "on request: others go to esmtp"
is "$(mailer user@pony.test)" "blackpony host [gw.pony.test]" "on request: mailertable leads to it"

make_cf "s;^VERSIONID.*;&\ndefine(\`BLACKPONY_MAILER_PATH', \`/opt/bp')dnl\n\
define(\`BLACKPONY_MAILER_ARGS', \`bp -v \$h')define(\`BLACKPONY_MAILER_FLAGS', \`8')dnl\n\
define(\`BLACKPONY_MAILER_MAXRCPTS', \`7')define(\`BLACKPONY_MAILER_WAIT', \`9m')dnl\n\
define(\`BLACKPONY_MAILER_USER', \`mail:mail')define(\`BLACKPONY_MAILER_MAX', \`99')dnl;"
like "$(line)" ' P=/opt/bp, F=mDFMuXaS8, .* M=99, r=7, U=mail:mail, W=9m, .* A=bp -v \$h' \
	"each part can be overridden"
like "$(host_run a sendmail-mta -C /etc/mail/try.cf -bt <<<'=M')" ' \(blackpony\): P=/opt/bp .* M=99 U=8:8 .* r=7 A=bp -v \$h' \
	"and sendmail reads it so"

make_cf '/delay_checks/d'
like "$said" 'WARNING: blackpony: FEATURE\(delay_checks\) is missing' "missing delay_checks is told"
make_cf "s/^FEATURE(.mailertable.*/&\nFEATURE(\`sts')dnl/"
like "$said" 'WARNING: blackpony: FEATURE\(sts\)' "MTA-STS is told"
make_cf "s,^$include,&\n&,"
like "$said" 'ERROR: blackpony is included twice' "twice is told"
make_cf "/^MAILER(.smtp/d"
like "$said" 'ERROR: blackpony must come after MAILER\(smtp\)' "before MAILER(smtp) is told"
make_cf "s;^VERSIONID.*;&\ndefine(\`BLACKPONY_MAILER_ARGS', \`bp \$u')dnl;"
like "$said" 'ERROR: .*must not contain \$u' "and \$u in the arguments"
done_testing
