#!/bin/bash
# 18-backend - receiver/backend, greeting and inspect with the real sendmail: what a back end is
# given, what sendmail makes of its true client and of the macros, and what the checks of --check
# find. Needs root and Debian's sendmail as a layer (t/lib).
source=${BLACKPONY_SOURCE:-$(cd "$(dirname "$0")/.." && pwd)}
. "$source/t/lib/tap.sh"
. "$source/t/lib/world.sh"

v4="192.0.2.1 40001 10.77.0.1 25"
v6="2001:db8::1 40001 fd77::1 25"
sendmail="/usr/sbin/sendmail -bs -Am"
third=b@elsewhere.example

# The C side of this test: the one that make built, or one built now.
behind_make() {
	local built=${BLACKPONY_BUILD:-$PWD}/t/tools/behind
	behind=$WORLD/share/behind
	if [ -x "$built" ]; then
		cp "$built" "$behind"
		return
	fi
	# shellcheck disable=SC2046 # flags are words
	"${CC:-cc}" -std=c11 -D_GNU_SOURCE -O1 -I"$source" $(pkg-config --cflags libbsd-overlay libsodium) \
		-o "$behind" "$source"/t/tools/behind.c \
		"$source"/receiver/{pair,netns,backend,greeting,inspect,peers,relaykeys}.c \
		"$source"/lib/{key,textfile,words}.c \
		"$source"/libxpony/{base64,err}.c $(pkg-config --libs libbsd-overlay libsodium) -lresolv
}

# ask ARGUMENT...: a dialogue on host a; the commands are on standard input.
# shellcheck disable=SC2086 # addresses and back ends are lists of words
ask() { host_run a "$behind" "$@" 2>&1 | tr -d '\r'; }

# given COMMAND...: what a back end that only looks around says.
given() {
	host_run a sh -c 'trap "" HUP PIPE CHLD; JUNK=1 LD_PRELOAD= TZ=$0 exec "$@" 7</etc/passwd' \
		"${zone:-Europe/Berlin}" "$behind" $v4 "$@" </dev/null 2>&1
}

surroundings() {
	local said
	said=$(given /bin/ls -l /proc/self/fd)
	is "$(grep -c -- '->' <<<"$said")" 4 "a back end has no descriptors but 0, 1, 2 (and ls's own)"
	is "$(grep -c -- '[01] -> socket:' <<<"$said")" 2 "0 and 1 are the pair"
	like "$said" ' 2 -> /dev/null' "2 is /dev/null, not the client"
	said=$(given /usr/bin/env)
	is "$(sort <<<"$said" | tr '\n' ' ')" \
		"PATH=/usr/sbin:/usr/bin:/sbin:/bin TZ=Europe/Berlin " "its environment is PATH and TZ"
	unlike "$(zone=../../tmp/x given /usr/bin/env)" TZ "a TZ that is a path is dropped"
	unlike "$(zone=:/tmp/x given /usr/bin/env)" TZ "a TZ that is a file is dropped"
	# 32 and 33, which no program can set, are ignored below a make that starts by posix_spawn().
	said=$(given /bin/grep -E '^(Sig(Blk|Ign)|NoNewPrivs)' /proc/self/status |
		sed 's/^\(SigIgn:.*\)0000000180000000$/\10000000000000000/' | tr '\t\n' '  ')
	is "$said" "SigBlk: 0000000000000000 SigIgn: 0000000000000000 NoNewPrivs: 0 " \
		"no signal is blocked or ignored, and set-group-id works"
	like "$(given /bin/nonesuch)" '/bin/nonesuch: exec: No such file' "a missing back end is told"
	like "$(given /etc/passwd)" '/etc/passwd: exec: Permission denied' "one without x bit too"
	like "$(host_run a "$behind" -u 'a b' 1 - $v4 $sendmail 2>&1)" 'arguments: Invalid argument' \
		"a macro value that sendmail would change is refused"
}

# A client of which nobody knows anything asks for a third host, again and again.
relaying() {
	local said name=$1
	shift
	said=$(ask "$@" $sendmail <<-END
		EHLO client.example
		MAIL FROM:<>
		RCPT TO:<$third>
		RSET
		MAIL FROM:<>
		RCPT TO:<$third>
		EHLO again.example
		MAIL FROM:<>
		RCPT TO:<$third>
		QUIT
	END
	)
	is "$(grep -c '^550 5.7.1 .*Relaying denied' <<<"$said")" 3 \
		"$name: no relaying, also after RSET and a second EHLO" || diag "$said"
	unlike "$said" "elsewhere.*Recipient ok" "$name: never once"
}

pipe_relays() {
	local line
	like "$(for line in '' 'EHLO client.example' 'MAIL FROM:<>' "RCPT TO:<$third>" QUIT; do
		if [ "$line" ]; then
			printf '%s\r\n' "$line"
			sleep 0.5
		else
			sleep 2 # greet_pause
		fi
	done | host_run a $sendmail 2>&1)" "$third.*Recipient ok" \
		"the same sendmail relays for a client behind a pipe, which is why there is a pair"
}

# messages ARGUMENT...: three messages to carol, in three ways to begin a transaction.
messages() {
	ask "$@" $sendmail <<-END
		EHLO client.example
		MAIL FROM:<>
		RCPT TO:<carol@a.test>
		DATA
		Subject: one

		.
		RSET
		MAIL FROM:<>
		RCPT TO:<carol@a.test>
		DATA
		Subject: two

		.
		HELO client.example
		MAIL FROM:<>
		RCPT TO:<carol@a.test>
		DATA
		Subject: three

		.
		MAIL FROM:<>
		RCPT TO:<show@a.test>
		QUIT
	END
}

mailbox_has() { [ "$(host_mailbox a carol | grep -c '^Subject: ')" -ge "$1" ]; }

macros() {
	local said box pony=256 key=AbC+/dEf
	said=$(messages -u x25519-chachapoly $pony SHA256:$key $v6)
	wait_for 20 mailbox_has 3
	box=$(host_mailbox a carol)
	is "$(grep -c '(version=XPONY1 cipher=x25519-chachapoly bits=256 verify=NO)' <<<"$box")" 3 \
		"upgraded: the Received header shows it, in all three transactions" || diag "$box"
	is "$(grep -c 'from client.example (\[IPv6:2001:db8:0:0:0:0:0:1\])' <<<"$box")" 3 \
		"and the true client"
	is "$(grep -c "^X-Pony: blackpony x25519-chachapoly $key 40001\$" <<<"$box")" 3 \
		"{daemon_name}, {pony_suite}, {pony_key} and {client_port} are there for each"
	like "$said" "^550 .*suite x25519-chachapoly key ${key/+/[+]}" "a ruleset sees the private macros"
	like "$(host_log a)" 'daemon=blackpony' "sendmail's log names us"

	host_run a truncate -c -s 0 /var/mail/carol
	said=$(messages $v4)
	wait_for 20 mailbox_has 3
	box=$(host_mailbox a carol)
	unlike "$box" 'version=|XPONY' "plain: no header speaks of encryption"
	is "$(grep -c '^X-Pony: blackpony   40001$' <<<"$box")" 3 "only {daemon_name} is set"
	is "$(grep -c 'from client.example (\[192.0.2.1\])' <<<"$box")" 3 "and the true client"
}

# same_name HOSTNAME HOSTS-LINES [CF-LINE]: our greeting name is the one in sendmail's 220.
same_name() {
	local ours theirs
	printf '127.0.0.1 localhost\n%b\n' "$2" | host_put a /etc/hosts
	host_run a hostname "$1"
	host_run a cp /etc/mail/sendmail.cf /tmp/cf
	[ -z "${3-}" ] || host_run a sh -c 'echo "$0" >>/etc/mail/sendmail.cf' "$3"
	ours=$(host_run a "$behind" -n)
	theirs=$(ask $v4 $sendmail <<<QUIT | sed -n 's/^220 \([^ ]*\) .*/\1/p')
	host_run a cp /tmp/cf /etc/mail/sendmail.cf
	is "$ours" "$theirs" "greets as sendmail does: $ours (${1}${2:+, $2}${3:+, $3})"
}

names() {
	host_put a /etc/nsswitch.conf <<<'hosts: files dns'
	same_name mail.a.test ''
	same_name mail '10.77.0.1 mail.a.test mail'
	same_name mail '10.77.0.1 mail mail.a.test'
	same_name mail.a.test '10.77.0.1 other.example mail.a.test'
	same_name mail.a.test '10.77.0.1 mail mail.a.test'
	same_name mail.a.test '10.77.0.1 four.example mail.a.test\nfd77::1 six.example mail.a.test'
	same_name mail.a.test '' 'Djmail.example.com'
	same_name mail.a.test '' 'Djx-$w.$m'
	same_name alias.a.test ''
	printf 'search a.test\nnameserver 10.77.0.53\n' | host_put a /etc/resolv.conf
	same_name mail '10.77.0.1 mail'
	same_name mail ''
	host_run a hostname mail.a.test
}

# finds NAME STATUS ERE [CF [BACKEND]]
finds() {
	local said status
	said=$(host_run a "$behind" -c "$key_file" "${4:-/etc/mail/sendmail.cf}" \
		"${5:-/usr/sbin/sendmail}" 2>&1)
	status=$?
	is "$status" "$2" "check: $1: exit status $2" || diag "$said"
	like "$said" "$3" "check: $1: says so"
}

checks() {
	local key_file=/tmp/hostkey
	printf 'blackpony-host-key 1\nx25519 %s\n' AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE |
		host_put a $key_file 600
	host_put a /etc/hosts <<<'10.77.0.1 mail.a.test mail'
	finds "all is well" 0 '^ok: IPv6 connections reach'
	finds "the key" 0 '^ok: host key .* SHA256:'
	host_run a chmod 644 $key_file
	finds "a key that all can read" 78 "^fault: .*$key_file"
	host_run a rm $key_file
	finds "no key" 78 "^fault: $key_file: no host key"
	printf 'blackpony-host-key 1\nx25519 %s\n' AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE |
		host_put a $key_file 600
	host_run a sh -c 'cd /etc/mail && sed "/delay_checks/d; /nodelay/d" sendmail.mc | m4 - >/tmp/nodelay.cf'
	finds "no delay_checks" 78 '^fault: /tmp/nodelay.cf: no delay_checks' /tmp/nodelay.cf
	host_run a sh -c 'sed "s/^O TrustedUser=.*/O TrustedUser=nonesuch/" /etc/mail/sendmail.cf >/tmp/who.cf'
	finds "an unknown TrustedUser" 78 '^fault: .*TrustedUser nonesuch' /tmp/who.cf
	finds "no sendmail.cf" 78 '^fault: /tmp/none.cf: No such file' /tmp/none.cf
	finds "no back end" 78 '^fault: back end /usr/sbin/sendmail-none: No such' '' /usr/sbin/sendmail-none
	host_run a hostname mail
	host_put a /etc/hosts <<<'10.77.0.1 mail'
	host_put a /etc/resolv.conf </dev/null
	finds "a short host name" 78 '^fault: host name mail is not fully qualified'
}

world_start
host_start a 10.77.0.1 fd77::1 sendmail
behind_make || bail "cannot build t/tools/behind"
world_zone a.test <<-END
	@ IN MX 10 mail
	mail IN A 10.77.0.1
	mail IN AAAA fd77::1
	alias IN CNAME mail
END

surroundings

# Debian's own configuration as it is, greet_pause included.
host_sendmail a "$(host_root a)/usr/share/sendmail/cf/debian/sendmail.mc"
relaying "plain, IPv4" $v4
relaying "plain, IPv6" $v6
relaying "upgraded, IPv4" -u x25519-chachapoly 256 SHA256:abc $v4
relaying "upgraded, IPv6, no key" -u ROT13 0 - $v6
pipe_relays

# The same with a header and a ruleset that show what sendmail knows.
{
	sed 's/^FEATURE(.greet_pause.*//' "$(host_root a)/usr/share/sendmail/cf/debian/sendmail.mc"
	cat <<-'END'
		LOCAL_CONFIG
		HX-Pony: ${daemon_name} ${pony_suite} ${pony_key} ${client_port}
		LOCAL_RULESETS
		SLocal_check_rcpt
		R$*			$: $>CanonAddr $1
		Rshow < @ $* >	$#error $@ 5.7.1 $: "550 suite " $&{pony_suite} " key " $&{pony_key}
	END
} >"$WORLD/show.mc"
host_sendmail a "$WORLD/show.mc"
macros
names
checks

done_testing
