#!/bin/bash
# 61-sendmail-bs-facts - what blackpony-receiver relies on in the `sendmail -bs` that it starts and
# in the inetd that starts it, one assertion a fact (doc/DESIGN.md), so that a new sendmail fails by
# name. Facts of program mailers are in 60-sendmail-facts. Needs root (t/lib).
source=${abs_top_srcdir:-$(cd "$(dirname "$0")/.." && pwd)}
. "$source/t/lib/tap.sh"
. "$source/t/lib/world.sh"

third=somebody@elsewhere.test # a recipient that is no business of this host
transaction="MAIL FROM:<>|RCPT TO:<$third>"
letter='MAIL FROM:<>|RCPT TO:<carol@b.test>|DATA|Subject: fact||body'

# early COMMANDS ARGUMENT...: sendmail -bs on a pipe, the commands sent before it has said a word.
early() {
	local commands=$1
	shift
	tr '|' '\n' <<<"$commands" | sed 's/$/\r/' | host_run b sendmail-mta -bs -Am "$@" 2>&1 | tr -d '\r'
}

# talk pipe|socketpair COMMANDS ARGUMENT...: the same, command by command.
talk() {
	local kind=$1 commands=$2
	shift 2
	tr '|' '\n' <<<"$commands" |
		host_run b python3 "$source/t/tools/stdio.py" "$kind" /usr/sbin/sendmail -bs -Am "$@" 2>&1
}

# paired CLIENT COMMANDS ARGUMENT...: sendmail -bs on a TCP pair, as blackpony-receiver has it.
paired() {
	local client=$1 commands=$2
	shift 2
	tr '|' '\n' <<<"$commands" | host_run b "$world_build/t/tools/behind" \
		"$client" 40001 10.77.0.2 25 /usr/sbin/sendmail -bs -Am "$@" 2>&1 | tr -d '\r'
}

# count TEXT ERE NUMBER NAME: so many lines match.
count() { is "$(grep -Ec "$2" <<<"$1")" "$3" "$4" || diag "$1"; }

queue_is_empty() { like "$(host_run b mailq)" 'Total requests: 0' "$1"; }

relaying() {
	local said
	like "$(talk pipe "EHLO x.test|$transaction|QUIT")" "^250 .*$third.*Recipient ok" \
		"on a pipe sendmail -bs relays for anybody"
	like "$(talk socketpair "EHLO x.test|QUIT")" '^250-.*Hello localhost \[\[UNIX: localhost\]\]' \
		"on a socketpair its client is localhost"
	said=$(talk pipe "EHLO x.test|$transaction|QUIT" '-M{client_addr}192.0.2.1' '-M{client_name}x.test')
	like "$said" '^550 .*Relaying denied' "-M{client_addr} makes it refuse"
	said=$(talk pipe "EHLO x.test|$transaction|RSET|$transaction|QUIT" \
		'-M{client_addr}192.0.2.1' '-M{client_name}x.test')
	like "$said" "^250 .*$third.*Recipient ok" "and relay again after RSET: no cure"
	said=$(paired 192.0.2.1 "EHLO x.test|$transaction|RSET|$transaction|EHLO y.test|$transaction|QUIT")
	count "$said" '^550 .*Relaying denied' 3 "on a TCP pair nobody relays, nor after RSET or EHLO"
}

true_client() {
	local said
	said=$(paired 192.0.2.8 "EHLO x.test|$transaction|RCPT TO:<carol@b.test>|QUIT")
	like "$said" '^220 ' "pair: access Connect: is not looked up at once"
	like "$said" '^550 .*carol@b\.test.*Access denied' "but at RCPT, with delay_checks"
	like "$(paired 192.0.2.8 "EHLO x.test|$letter|.|QUIT" -C/etc/mail/nodelay.cf)" \
		'^250 .*Message accepted' "and without delay_checks never"
	like "$(paired 192.0.2.7 "EHLO x.test|$letter|.|QUIT")" '^550 .*Listed' "pair: DNS block lists work"
	like "$(paired 192.0.2.9 "EHLO x.test|$letter|.|QUIT")" \
		'^250-.*Hello liar\.test \[192\.0\.2\.9\] \(may be forged\)' "pair: a forged PTR is seen"
	wait_for 10 mailbox_has 'from x\.test \(liar\.test \[192\.0\.2\.9\] \(may be forged\)\)'
	like "$(host_mailbox b carol)" 'from x\.test \(liar\.test \[192\.0\.2\.9\] \(may be forged\)\)' \
		"and stands in the Received header"
}
mailbox_has() { host_mailbox b carol | grep -Eq "$1"; }

# The header X-Pony of the message that came with this value of {pony_suite}.
header() {
	wait_for 10 mailbox_has "^X-Pony: $1 "
	host_mailbox b carol | sed -n "s/^X-Pony: $1 <\(.*\)>\$/\1/p"
}

macros() {
	local value
	value=$(printf '%b' "$(printf '\\x%02x' {33..126})")
	talk pipe "EHLO x.test|$letter|.|QUIT" "-M{pony_value}$value" '-M{pony_suite}all' >/dev/null
	is "$(header all)" "$value" "a -M value is taken as it is, all that can be printed"
	paired 192.0.2.1 "EHLO x.test|$letter|.|RSET|$letter|.|HELO x.test|$letter|.|QUIT" \
		'-M{pony_value}stays' '-M{pony_suite}three' '-M{tls_version}XPONY1' '-M{cipher}c' \
		'-M{cipher_bits}256' '-M{verify}NO' >/dev/null
	wait_for 10 three_there
	count "$(host_mailbox b carol)" '^X-Pony: three <stays>$' 3 "private macros outlast RSET and HELO"
	count "$(host_mailbox b carol)" '\(version=XPONY1 cipher=c bits=256 verify=NO\)' 3 \
		"so do {tls_version}, {cipher}, {cipher_bits}, {verify}, which Received shows"
}
three_there() { [ "$(host_mailbox b carol | grep -c '^X-Pony: three')" -ge 3 ]; }

greetings() {
	local said
	said=$(talk pipe QUIT -O HostStatusDirectory=/nonexistent)
	like "$(head -n 1 <<<"$said")" '^Warning: Cannot use HostStatusDirectory' \
		"a warning may come before the 220"
	like "$said" '^220 ' "which comes all the same"
	host_run b mv /etc/mail/access.db /etc/mail/access.away
	said=$(talk pipe QUIT)
	host_run b mv /etc/mail/access.away /etc/mail/access.db
	like "$(head -n 1 <<<"$said")" '^451 4\.0\.0 hash map "access"' \
		"so may what looks like a reply: 451 for a missing map"
	like "$said" '^220 ' "and it is none"
	said=$(early "EHLO x.test|QUIT" -C/etc/mail/pause.cf)
	like "$(head -n 1 <<<"$said")" '^554 ' "greet_pause: who speaks before the 220 is greeted with 554"
	like "$(early "EHLO x.test|MAIL FROM:<>|QUIT")" '^554 5\.5\.0 SMTP protocol error' \
		"who says more behind EHLO before its reply is refused as well"
}

bodies() {
	like "$(talk pipe "EHLO x.test|${letter/body/bo\\ndy}|.|QUIT")" '^421 .*Bare linefeed' \
		"a bare LF gets 421"
	like "$(talk pipe "EHLO x.test|${letter/body/bo\\rdy}|.|QUIT")" '^421 .*Bare carriage return' \
		"a bare CR gets 421"
	wait_for 10 queue_empty
	talk pipe "EHLO x.test|$letter" >/dev/null
	queue_is_empty "EOF in the message: nothing is queued"
	talk pipe "EHLO x.test|$letter|!TERM" >/dev/null
	queue_is_empty "SIGTERM in the message: nothing is queued"
	talk pipe "EHLO x.test|$letter|.|!KILL" -odq >/dev/null
	like "$(host_run b mailq)" 'Total requests: 1' "SIGKILL after the reply to the dot: it is queued"
	host_run b sendmail-mta -Am -v -q >/dev/null 2>&1
}
queue_empty() { host_run b mailq | grep -q 'Total requests: 0'; }

# greets_alike HOSTNAME HOSTS-LINE [CF-LINE]: the name in blackpony-receiver's greeting, from inetd,
# is the one in sendmail's, which is its $j.
# shellcheck disable=SC2016 # expanded on the host
greets_alike() {
	local ours theirs
	host_run b hostname "$1"
	printf '127.0.0.1 localhost\n%s\n' "$2" | host_put b /etc/hosts
	host_run b cp /etc/mail/sendmail.cf /etc/mail/kept.cf
	[ -z "${3-}" ] || host_run b sh -c 'echo "$0" >>/etc/mail/sendmail.cf' "$3"
	ours=$(greeting 25)
	theirs=$(talk pipe QUIT)
	host_run b mv /etc/mail/kept.cf /etc/mail/sendmail.cf
	is "$(cut -d' ' -f2 <<<"$ours")" "$(sed -n 's/^220 \([^ ]*\) .*/\1/p' <<<"$theirs")" \
		"blackpony-receiver greets with sendmail's \$j: hostname $1${2:+, $2}${3:+, $3}"
}

# greeting PORT: the first line that a service of inetd says.
# shellcheck disable=SC2016
greeting() {
	host_run b bash -c 'exec 3<>/dev/tcp/127.0.0.1/$0; read -r -t 20 line <&3; echo "$line"' "$1" | tr -d '\r'
}

# shellcheck disable=SC2016 # expanded by sendmail
names() {
	greets_alike mail.b.test '10.77.0.2 mail.b.test mail'
	greets_alike mail '10.77.0.2 mail.b.test mail'
	greets_alike mail '10.77.0.2 mail mail.b.test'
	greets_alike mail.b.test '10.77.0.2 other.example mail.b.test'
	greets_alike mail.b.test ''
	greets_alike alias.b.test ''
	greets_alike mail.b.test '' 'Djmail.example.com'
	greets_alike mail.b.test '' 'Dj$w.example.org'
}

internet_daemon() {
	local said
	said=$(greeting 2525)
	like "$said" '^(socket:\[[0-9]+\]) \1 \1 ' "inetd: descriptors 0, 1 and 2 are the one socket"
	like "$said" ' JUNK=left ' "inetd: its environment is passed on"
}

world_start
host_start b 10.77.0.2 fd77::2 sendmail inetd tools
world_zone b.test <<-END
	@ IN MX 10 mail
	mail IN A 10.77.0.2
	mail IN AAAA fd77::2
	alias IN CNAME mail
END
world_zone 2.0.192.in-addr.arpa <<<'9 IN PTR liar.test.'
world_zone liar.test <<<'@ IN A 10.77.0.9'
world_zone bl.test <<<'7.2.0.192 IN A 127.0.0.2'
world_dns
host_put b /etc/mail/access <<-'END'
	Connect:localhost	RELAY
	Connect:127.0.0.1	RELAY
	Connect:192.0.2.8	REJECT
END
{
	sed '/^MAILER_DEFINITIONS/,$d' "$source/t/lib/plain.mc"
	cat <<-'END'
		FEATURE(`enhdnsbl', `bl.test', `"550 5.7.1 Listed"', , `127.0.0.2.')dnl
		ifdef(`PAUSE', `FEATURE(`greet_pause', `700')')dnl
		MAILER_DEFINITIONS
		MAILER(`local')dnl
		MAILER(`smtp')dnl
		LOCAL_CONFIG
		HX-Pony: ${pony_suite} <${pony_value}>
	END
} >"$WORLD/facts.mc"
host_sendmail b "$WORLD/facts.mc"
host_run b sh -c 'cd /etc/mail && m4 -DPAUSE sendmail.mc >pause.cf &&
	sed /delay_checks/d sendmail.mc | m4 - >nodelay.cf'
host_put b /usr/local/bin/surroundings 755 <<-'END'
	#!/bin/sh
	echo $(readlink /proc/$$/fd/0 /proc/$$/fd/1 /proc/$$/fd/2) $(env) end
END
host_pony b
{
	cat "$source/doc/inetd.conf.example"
	echo '2525 stream tcp nowait root /usr/local/bin/surroundings surroundings'
} >"$WORLD/inetd.conf"

relaying
true_client
macros
greetings
bodies
HOST_ENV=(JUNK=left)
host_inetd b "$WORLD/inetd.conf"
HOST_ENV=()
internet_daemon
names
done_testing
