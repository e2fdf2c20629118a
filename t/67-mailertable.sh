#!/bin/bash
# 67-mailertable - sendmail.cf.m4 on a host that sends: what stays on sendmail's own mailers, with a
# real delivery of each kind for which doc/PARITY.md says so (AUTH, TLS_Srv:, TLS_Rcpt:, MTA-STS), and
# what the same destination loses on blackpony. t/lib/cftest.sh has who gets which mailer, and m4's warnings.
. "$abs_top_srcdir/t/lib/tap.sh"
. "$abs_top_srcdir/t/lib/world.sh"
. "$abs_top_srcdir/t/lib/mail.sh"
. "$abs_top_srcdir/t/lib/peers.sh"

world_start
peer pony xpony pipelining
peer keep xpony pipelining
peer smart xpony pipelining
peer auth auth
peer auth2 auth
peer notls
peer notls2
peer rcptnotls
peer rcptesmtp
peer rcptpony xpony pipelining
peer stsnotls
peer stsnotls2
zone_line "tls IN MX 10 mail.b.test."
zone_line "rcpt IN MX 10 mail.b.test."
zone_line "rcptkeep IN MX 10 mail.b.test."
zone_line "sts IN MX 10 mail.b.test."
zone_line "othersts IN MX 10 mail.b.test."
zone_line "sts2 IN MX 10 mail.b.test."
zone_line "othersts2 IN MX 10 mail.b.test."
zone_line "ever IN A 10.77.0.53"

# change [SED-SCRIPT] <LINES: the example so changed, with the lines before its MAILERs.
change() {
	cat >"$WORLD/lines"
	sed -e "/^MAILER_DEFINITIONS/{
		e cat '$WORLD/lines'
	}" -e "${1-}" "$world_src/doc/sendmail.mc.example"
}
trust="define(\`confCACERT', \`$WORLD/share/b.pem')dnl
define(\`confCACERT_PATH', \`/etc/ssl/certs')dnl"

change >"$WORLD/try.mc" <<END
FEATURE(\`authinfo')dnl
define(\`confAUTH_MECHANISMS', \`PLAIN')dnl
$trust
END
peers_layers=sasl peers_mc=$WORLD/try.mc peers_start # its plugins are not in the package of sendmail

# b: a stock Debian host with STARTTLS, whose certificate a trusts.
host_start b 10.77.0.2 fd77::2 sendmail tools
host_tls b
host_run b openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=mail.b.test \
	-addext subjectAltName=DNS:mail.b.test -keyout /etc/mail/tls/key.pem -out /etc/mail/tls/cert.pem 2>/dev/null
cp "$(host_root b)/etc/mail/tls/cert.pem" "$WORLD/share/b.pem"
host_put b /etc/mail/local-host-names <<<$"b.test
tls.$p
rcpt.$p
rcptkeep.$p
sts.$p
sts2.$p
othersts2.$p
othersts.$p"
host_sendmail b "$world_lib/plain.mc"
host_daemon b

# table FILE: standard input becomes that map of a's.
table() {
	host_put a "/etc/mail/$1" 600
	host_run a sh -c "makemap hash /etc/mail/$1 </etc/mail/$1"
}
table mailertable <<END
keep.$p	esmtp:keep.$p
auth.$p	esmtp:auth.$p
tls.$p	esmtp:tls.$p
notls.$p	esmtp:notls.$p
rcptkeep.$p	esmtp:rcptkeep.$p
rcptesmtp.$p	esmtp:rcptesmtp.$p
sts.$p	esmtp:sts.$p
othersts.$p	esmtp:othersts.$p
stsnotls.$p	esmtp:stsnotls.$p
END
table authinfo <<END
AuthInfo:auth.$p "U:alice" "I:alice" "P:secret" "M:PLAIN"
AuthInfo:auth2.$p "U:alice" "I:alice" "P:secret" "M:PLAIN"
END
table access <<END
TLS_Srv:mail.b.test	VERIFY:112
TLS_Srv:notls.$p	ENCR:112
TLS_Srv:notls2.$p	ENCR:112
TLS_Rcpt:rcptnotls.$p	ENCR:112
TLS_Rcpt:rcptesmtp.$p	ENCR:112
TLS_Rcpt:rcptpony.$p	ENCR:112
TLS_Rcpt:bob@rcpt.$p	VERIFY:112
TLS_Rcpt:carol@rcpt.$p	VERIFY:112+CN
TLS_Rcpt:alice@rcpt.$p	VERIFY:112+CN:mail.b.test
TLS_Rcpt:carol@rcptkeep.$p	VERIFY:112+CN
END

# cf NAME [SED-SCRIPT] <LINES: such a sendmail.cf beside the first.
cf() {
	change "${2-}" | host_put a "/etc/mail/$1.mc"
	host_run a sh -c "cd /etc/mail && m4 $1.mc >$1.cf" 2>"$WORLD/$1.said"
}
cf smart <<<"define(\`SMART_HOST', \`relay:smart.$p')dnl"
cf installed "s,^include.*blackpony.*,MAILER(\`blackpony')dnl," </dev/null
cf sts <<END
FEATURE(\`sts')dnl
$trust
END

# A resolver of MTA-STS policies, as sendmail asks one.
host_spawn a policies python3 -c '
import socket, threading
policies = {"sts": "mail.b.test", "sts2": "mail.b.test", "othersts": "mail.other.test", "othersts2": "mail.other.test"}
def serve(sock):
    file = sock.makefile("rwb")
    while n := file.read(1):
        while not n.endswith(b":"):
            n += file.read(1)
        name = file.read(int(n[:-1]) + 1).decode().rstrip(",").split()[1].split(".")[0]
        answer = "OK secure match=%s servername=hostname" % policies.get(name, "x.test") if "sts" in name \
            else "NOTFOUND "
        file.write(b"%d:%s," % (len(answer), answer.encode()))
        file.flush()
listener = socket.create_server(("127.0.0.1", 5461))
while True:
    threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()'
wait_for 5 host_listens a 5461

for name in pony keep auth auth2 notls notls2 rcptesmtp rcptnotls rcptpony; do
	post $name
done
post tls 100 "alice@tls.$p"
post rcpt 100 "bob@rcpt.$p"
post rcpt-name 100 "alice@rcpt.$p"
post rcpt-cn 100 "carol@rcpt.$p"
post rcptkeep 100 "carol@rcptkeep.$p"
post smart 100 -C/etc/mail/smart.cf "smart@ever.$p"
post installed 100 -C/etc/mail/installed.cf "installed@pony.$p"
for to in bob@sts carol@sts2 bob@othersts alice@othersts2 bob@stsnotls bob@stsnotls2; do
	post ${to#*@} 100 -C/etc/mail/sts.cf "$to.$p"
done
posted
heard=$(cat "$(host_root far)/var/log/peers")

# by NAME MAILER [RECIPIENT]
by() { like "$(log_of "${3:-u@$1.$p}")" ", mailer=$2, " "$1: through $2"; }

by pony blackpony
taken pony 1 xpony
by keep esmtp
taken keep 1 plain
unlike "$(grep '^said keep' <<<"$heard")" XPONY "keep: sendmail's own client takes no offer up"
by smart relay "smart@ever.$p"
taken smart 1 plain smart@
by installed blackpony "installed@pony.$p"
taken installed 1 xpony installed@

# SMTP AUTH as a client.
by auth esmtp
credentials=$(printf 'alice\0alice\0secret' | base64)
like "$heard" "^said auth\\.$p AUTH PLAIN $credentials\$" "auth: sendmail authenticates"
taken auth 1
by auth2 blackpony
unlike "$heard" "^said auth2\\.$p AUTH" "auth2: through blackpony it does not, but delivers"
taken auth2 1

# TLS_Srv: entries by host name.
by tls esmtp "alice@tls.$p"
sent tls '' "alice@tls.$p"
like "$peers_log" 'STARTTLS=client, relay=mail\.b\.test\., .*verify=OK' "tls: with a verified certificate"
by notls esmtp
deferred notls 4.7.0 'encryption too weak'
taken notls 0
by notls2 blackpony
taken notls2 1

# TLS_Rcpt: entries, by recipient, act on either mailer. Of XPONY they know nothing.

# held NAME MAILER REASON [RECIPIENT]
held() {
	by $1 $2 "${4-}"
	deferred $1 4.2.0 Deferred "${4-}"
	like "$peers_log" "ruleset=tls_rcpt, arg1=${4:-u@$1.$p}, .* reject=454 4\.7\.0 $3\$" "$1: $3"
	taken $1 0
}
held rcptesmtp esmtp 'encryption too weak 0 less than 112'
held rcptnotls blackpony 'encryption too weak 0 less than 112'
held rcptpony blackpony 'encryption too weak 0 less than 112'
by rcpt blackpony "bob@rcpt.$p"
sent rcpt '' "bob@rcpt.$p"
sent rcpt-name '' "alice@rcpt.$p"
by rcptkeep esmtp "carol@rcptkeep.$p"
sent rcptkeep '' "carol@rcptkeep.$p"
held rcpt-cn blackpony 'CN mail\.b\.test does not match blackpony' "carol@rcpt.$p" # the mailer's name

# MTA-STS.
by sts esmtp "bob@sts.$p"
sent sts '' "bob@sts.$p"
by stsnotls esmtp "bob@stsnotls.$p"
deferred stsnotls 4.7.0 'does not support STARTTLS' "bob@stsnotls.$p"
deferred othersts 4.2.0 Deferred "bob@othersts.$p"
like "$peers_log" 'mail\.b\.test not found in mail\.other\.test' "othersts: for that host is not in the policy"
by sts2 blackpony "carol@sts2.$p"
sent sts2 '' "carol@sts2.$p"
by othersts2 blackpony "alice@othersts2.$p"
sent othersts2 '' "alice@othersts2.$p" # TLS there must be, but the policy's hosts are not looked at
by stsnotls2 blackpony "bob@stsnotls2.$p"
deferred stsnotls2 4.7.0 'does not support STARTTLS' "bob@stsnotls2.$p"
like "$(cat "$WORLD/sts.said")" 'WARNING: blackpony: FEATURE\(sts\)' "which m4 has warned of"
is "$(cat "$WORLD/smart.said" "$WORLD/installed.said")" "" "else it says nothing"

# subjects: what the users of b have; seven is what was sent.
subjects() { cat "$(host_root b)"/var/mail/* | sed -n 's/^Subject: //p' | sort | tr '\n' ' '; }
has_all() { [ "$(subjects | wc -w)" -ge 7 ]; }
wait_for 30 has_all
is "$(subjects)" "othersts2 rcpt rcpt-name rcptkeep sts sts2 tls " "what was sent is there, once"

# The mailers as sendmail has read them. That AUTH, TLS and STS work above is their being as they were.
mailers() { host_run a sendmail-mta -C"/etc/mail/$1.cf" -bt <<<'=M' | sed 's/^> *//; s/^mailer [0-9]*/mailer/'; }
cf without '/^include.*blackpony/d' </dev/null
cf with </dev/null
is "$(mailers with | grep -v blackpony)" "$(mailers without | grep -v '^>')" "smtp, esmtp, smtp8, dsmtp, relay: as they were"
is "$(mailers with | grep -c '(blackpony)')" 1 "and blackpony beside them"
cf names <<'END'
define(`confQUEUE_FILE_MODE', `0600')dnl
QUEUE_GROUP(`pony', `P=/var/spool/mqueue')dnl
define(`BLACKPONY_MAILER_QGRP', `pony')dnl
define(`BLACKPONY_MAILER_MAX', `4711')dnl
MODIFY_MAILER_FLAGS(`BLACKPONY', `+8')dnl
FEATURE(`allmasquerade')dnl
END
like "$(mailers names)" '\(blackpony\): .*M=4711 .*F=[^ ]*8' "octets and flags from sendmail.mc"
like "$(grep -A3 ^Mblackpony "$(host_root a)/etc/mail/names.cf")" 'R=EnvToSMTP/HdrFromSMTP' "masquerading as for esmtp"
like "$(grep -A3 ^Mblackpony "$(host_root a)/etc/mail/names.cf")" 'Q=pony' "a queue group"
post group 100 -C/etc/mail/names.cf "group@pony.$p"
posted
taken group 1 xpony group@
done_testing
