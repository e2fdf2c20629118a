#!/bin/bash
# 55-verdicts - what becomes of mail when no host can be had, or not the first: verdicts of the name
# service and of connects, backup hosts, and faults of our own installation, with a real sendmail on
# our side. t/56-phases has hosts that refuse or die later.
. "$abs_top_srcdir/t/lib/tap.sh"
. "$abs_top_srcdir/t/lib/world.sh"
. "$abs_top_srcdir/t/lib/mail.sh"
. "$abs_top_srcdir/t/lib/peers.sh"

world_start
peer good pipelining
peer xgood xpony pipelining

# Backup hosts: each first one fails in its way before it has been told anything.
peer greets4 always 'greeting=450 4.3.2 Come back later'
peer greets421 always 'greeting=421 4.3.2 Too busy'
peer greets5 always 'greeting=554 5.7.1 Not you'
peer mute always greeting=die
peer ehlo4 always 'ehlo=451 4.3.0 Not now'
peer ehlo421 always 'ehlo=421 4.3.0 Going down'
peer ehlodie always ehlo=die
peer xdies always xpony xpony=die clear=die
firsts='greets4 greets421 mute ehlo4 ehlo421 ehlodie xdies refuses blackhole unreachable nowhere'
zone_line 'refuses IN A 10.77.0.53'
zone_line 'blackhole IN A 10.77.0.98'
zone_line 'unreachable IN A 203.0.113.1'
for first in $firsts greets5; do
	zone_line "to-$first IN MX 10 $first"
	zone_line "to-$first IN MX 20 good"
done
zone_line 'both IN A 10.77.0.53' # refuses; then a good one
zone_line 'both IN A 10.77.0.100'
zone_line 'alldown IN MX 10 refuses'
zone_line 'alldown IN MX 20 unreachable'
zone_line 'allbusy IN MX 10 greets421'
zone_line 'allbusy IN MX 20 refuses'
zone_line 'allquiet IN MX 10 blackhole'
zone_line 'alldie IN MX 10 ehlodie'
zone_line 'null IN MX 0 .'
zone_line 'noaddress IN TXT "neither MX nor address"'
zone_line 'ourname IN MX 10 mail.a.test.'
zone_line 'ourname IN MX 20 good'
zone_line 'ourclass IN MX 10 other.name.test.'
zone_line 'ouraddress IN MX 10 alias'
zone_line 'alias IN A 10.77.0.1'
zone_line 'cut IN MX 10 good'
zone_line 'cut IN MX 20 mail.a.test.'
zone_line 'lame IN MX 10 mail.lame.test.'
zone_line 'halflame IN MX 10 mail.lame.test.'
zone_line 'halflame IN MX 20 good'
world_zone lame.test <<<'this is no record (' # nsd answers SERVFAIL

peers_start
host_put a /etc/mail/local-host-names <<<$'a.test\nother.name.test'
host_put a /etc/mail/mailertable <<END
two.$p	blackpony:nothere.$p:refuses.$p:good.$p
dots.$p	blackpony:a..b
bracket.$p	blackpony:[10.77.0.100
literal.$p	blackpony:[10.77.0.53]
literal6.$p	blackpony:[IPv6:fd77::53]
taker.$p	blackpony:[10.77.0.100]
filed.$p	blackpony:[gateway.inside]
lamemx.$p	blackpony:lame.test
END
echo '10.77.0.100 gateway.inside' >>"$(host_root a)/etc/hosts"
host_run a sh -c 'cd /etc/mail && makemap hash mailertable <mailertable'
world_ip a <<<'neigh add 10.77.0.98 lladdr 02:00:00:00:00:98 dev eth0 nud permanent'

for name in gone null noaddress ourname ourclass ouraddress cut lame halflame lamemx both alldown allbusy \
	allquiet alldie to-greets5 two dots bracket literal literal6 taker filed good xgood; do
	post $name
done
for first in $firsts; do
	post to-$first
done
posted

bounced gone 5.1.2 '^550 5\.1\.2 gone\.p\.test: this domain does not exist'
bounced null 5.1.10 '^556 5\.1\.10 null\.p\.test: this domain takes no mail \(null MX\)'
bounced noaddress 5.4.4 '^550 5\.4\.4 noaddress\.p\.test: no mail host of it has an address'
bounced ourname 5.3.5 '^553 5\.3\.5 ourname\.p\.test: mail for it loops back to this host'
bounced ourclass 5.3.5 '^553 5\.3\.5 ourclass\.p\.test'
bounced ouraddress 5.3.5 '^553 5\.3\.5 ouraddress\.p\.test'
sent cut 'good\.p\.test \[10\.77\.0\.100\]'
taken cut 1

deferred lame 4.4.3 '451 4\.4\.3 lame\.p\.test: no good answer from the name servers for mail\.lame\.test'
deferred lamemx 4.4.3 '451 4\.4\.3 lame\.test: no good answer from the name servers for lame\.test'
sent halflame 'good\.p\.test'

deferred alldown 4.4.1 '451 4\.4\.1 unreachable\.p\.test \[203\.0\.113\.1\] port 25: Network is unreachable'
deferred allquiet 4.4.1 '451 4\.4\.1 blackhole\.p\.test \[10\.77\.0\.98\] port 25: Connection timed out'
deferred allbusy 4.3.2 '451 4\.3\.2 greets421\.p\.test \[10\.77\.0\.[0-9]*\] said: Too busy'
deferred alldie 4.4.2 '451 4\.4\.2 ehlodie\.p\.test \[10\.77\.0\.[0-9]*\]: connection closed'
# Others have been there before it, perhaps.
deferred literal 4.4.1 '451 4\.4\.1 \[10\.77\.0\.53\]( port 25: Connection refused|: none of its hosts answered)'
deferred literal6 4.4.1 '451 4\.4\.1 \[ipv6:fd77::53\]( port 25: Connection refused|: none of its hosts answered)'
bounced to-greets5 5.7.1 '^554 5\.7\.1 greets5\.p\.test \[10\.77\.0\.[0-9]*\] said: Not you'
taken to-greets5 0

for first in $firsts; do
	sent to-$first '\(good\.p\.test \[10\.77\.0\.100\]: '
	taken to-$first 1
done
sent both '\(both\.p\.test \[10\.77\.0\.100\]: '
taken both 1
sent good 'good\.p\.test \[10\.77\.0\.100\]: Taken'
taken good 1 plain
sent xgood 'xgood\.p\.test \[10\.77\.0\.101\] x25519-chachapoly: Taken'
taken xgood 1 xpony

sent two 'good\.p\.test'
taken two 1
sent taker '\(\[10\.77\.0\.100\]: ' # named once
sent filed '\(gateway\.inside \[10\.77\.0\.100\]: '
bounced dots 5.1.2 '^501 5\.1\.2 bad destination "a\.\.b": it is no host name'
bounced bracket 5.1.2 '^501 5\.1\.2 bad destination "\[10\.77\.0\.100": the bracket is not closed'
# Faults of our own installation: nothing leaves, nothing comes back, and the log has the reason.

# broken NAME SED-SCRIPT: posts good.p.test's user NAME a message with sendmail.cf so changed.
broken() {
	host_run a sed "$2" /etc/mail/sendmail.cf | host_put a /etc/mail/$1.cf
	post $1 100 -C/etc/mail/$1.cf "$1@good.$p"
}

# told NAME FAULT: it is queued, with the fault in stat= and in a log line of the mailer's own.
told() {
	deferred $1 4.3.5 "451 4\.3\.5 blackpony-mailer: $2" "$1@good.$p"
	like "$(grep -v to= <<<"$peers_log")" "blackpony-mailer\[[0-9]*\]: ([^ ]+: )?$2" "$1: the log names the fault"
	taken $1 0 '' "$1@"
}
args() { echo "s,A=blackpony-mailer .*,A=blackpony-mailer $1,"; }

host_run a sh -c 'blackpony-keygen -q -f /etc/mail/openkey && chmod 644 /etc/mail/openkey'
broken missing 's,P=/usr/libexec/blackpony/,&not-,'
broken plainfile 's,P=/usr/libexec/blackpony/blackpony-mailer,P=/etc/passwd,'
broken port "$(args '-p 99999 \$h')"
broken seconds "$(args '-t ten \$h')"
broken source "$(args '-b nowhere \$h')"
broken suites "$(args '-s x25519-chachapony \$h')"
broken letter "$(args '-z \$h')"
broken nohost "$(args '-v')"
broken twohosts "$(args 'one \$h')"
broken names "$(args '-w /etc/mail/nonesuch \$h')"
broken openkey "$(args '-k /etc/mail/openkey \$h')"
broken nokey "$(args '-k /etc/mail/nokey \$h')"
posted
deferred missing 4.4.2 'Deferred' "missing@good.$p"
like "$peers_log" 'Cannot exec .*/not-blackpony-mailer: No such file' "missing: sendmail's log says why"
deferred plainfile 4.4.2 'Deferred' "plainfile@good.$p"
like "$peers_log" 'Cannot exec /etc/passwd: Permission denied' "plainfile: sendmail's log says why"
told port '-p 99999: not a port from 1 to 65535'
told seconds '-t ten: not a number of seconds from 1 to 240'
told source '-b nowhere: not an IP address'
told suites '-s x25519-chachapony: not a list of known suites'
told letter 'an option is unknown or lacks its value'
told nohost 'exactly one host is wanted'
told twohosts 'exactly one host is wanted'
told names '/etc/mail/nonesuch: No such file or directory'
told openkey '/etc/mail/openkey: '
sent nokey "good\.$p" "nokey@good.$p"

# sendmail's own file of names, which nobody named in the M line.
chmod 600 "$(host_root a)/etc/mail/local-host-names"
broken unreadable ''
posted
told unreadable '/etc/mail/local-host-names: Permission denied'
rm "$(host_root a)/etc/mail/local-host-names"
broken nofile '/^Fw/d'
posted
sent nofile "good\.$p" "nofile@good.$p"

# The one mistake mended, all that waited goes, once.
host_put a /etc/mail/local-host-names <<<a.test
flush
for name in missing plainfile port seconds source suites letter nohost twohosts names openkey nokey \
	unreadable nofile; do
	taken $name 1 '' "$name@"
done
done_testing
