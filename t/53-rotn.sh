#!/bin/bash
# 53-rotn - ROT1 to ROT25, the cipher that a person can do in the head: between two hosts that were
# started with it, with a person at a telnet prompt, and with hosts that know better.
# Real inetd and sendmail on either side; needs root (t/lib).
source=${abs_top_srcdir:-$(cd "$(dirname "$0")/.." && pwd)}
. "$source/t/lib/tap.sh"
. "$source/t/lib/world.sh"
. "$source/t/lib/mail.sh"

receiver=/usr/libexec/blackpony/blackpony-receiver

# rot N: what it reads, its letters N places on.
rot() {
	local abc=abcdefghijklmnopqrstuvwxyz ABC=ABCDEFGHIJKLMNOPQRSTUVWXYZ
	tr "$abc$ABC" "${abc:$1}${abc:0:$1}${ABC:$1}${ABC:0:$1}"
}

# talk ARGUMENT...: the script on standard input, from host a.
talk() { host_run a python3 "$source/t/tools/talk.py" "$@" 2>&1; }

# send NAME DOMAIN: a message from host a, done when this returns.
send() {
	printf 'Subject: %s\nTo: friends:;\n\nThe quick brown fox, sent as %s.\n' "$1" "$1" >"$WORLD/$1"
	mail_send a "$WORLD/$1" "$1@$2"
}

arrives() {
	ok "$1: the mail arrives" mail_take b "$1" "$WORLD/$1.taken"
	is "$(mail_body "$WORLD/$1.taken")" "The quick brown fox, sent as $1." "$1: and reads as it was written"
}

header_of() { mail_received "$WORLD/$1.taken" mail.b.test; }

# plain_header MESSAGE NAME
plain_header() {
	like "$(header_of "$1")" "by mail\.b\.test.*for <$1@" "$2"
	unlike "$(header_of "$1")" 'XPONY|ROT' "$2, and its header says nothing else"
}

# b speaks ROT13 on port 25, ROT3 on 2503, and XPONY on 2500. a has a mailer for each.
hosts() {
	host_start a 10.77.0.1 fd77::1 sendmail tools
	host_start b 10.77.0.2 fd77::2 sendmail inetd
	{
		cat "$source/doc/sendmail.mc.example"
		for mailer in 'rot13 -s ROT13' 'rot13far -s ROT13 -p 2500' 'rot3far -s ROT3' 'rot3 -s ROT3 -p 2503'; do
			cat <<-MAILER
				M${mailer%% *}, P=/usr/libexec/blackpony/blackpony-mailer, F=mDFMuXaS, U=blackpony:blackpony,
				 S=EnvFromSMTP/HdrFromSMTP, R=EnvToSMTP, E=\r\n, L=990, T=DNS/RFC822/SMTP,
				 A=blackpony-mailer -i \$i ${mailer#* } \$h
			MAILER
		done
	} >"$WORLD/a.mc"
	host_put a /etc/mail/mailertable <<-'MAP'
		rot13.test	rot13:[10.77.0.2]
		rot13far.test	rot13far:[10.77.0.2]
		rot3far.test	rot3far:[10.77.0.2]
		rot3.test	rot3:[10.77.0.2]
	MAP
	pony_host a "$WORLD/a.mc"
	host_put b /etc/mail/local-host-names <<<$'b.test\nrot13.test\nrot13far.test\nrot3far.test\nrot3.test'
	pony_host b
	cat >"$WORLD/inetd.conf" <<-CONF
		smtp stream tcp nowait root $receiver receiver -s ROT13
		2500 stream tcp nowait root $receiver receiver
		2503 stream tcp nowait root $receiver receiver -s ROT3
	CONF
	mail_boxes b both13 both3 person plain normal rot-to-xpony rot-to-rot
	host_inetd b "$WORLD/inetd.conf"
}

# Both with the same ROTn.
both() {
	local pcap=$WORLD/pcap fox
	fox=$(echo "The quick brown fox, sent as both13" | rot 13)
	wiretap_start
	send both13 rot13.test
	send both3 rot3.test
	wiretap_stop "$pcap"
	arrives both13
	arrives both3
	ok "the wire has the letters 13 places on" grep -aq "^$fox" "$pcap"
	ok "and those of the envelope" grep -aqi "$(echo 'RCPT To:<both13@' | rot 13)" "$pcap"
	ok "ROT3 turns one way out and the other way home" \
		grep -aq "$(echo 'The quick brown fox, sent as both3' | rot 3)" "$pcap"
	nok "and none as they were written" grep -aqE 'quick brown|RCPT' "$pcap"
	ok "but for the upgrade itself" grep -aq 'XPONY 1 ROT13' "$pcap"
	like "$(header_of both13)" 'version=XPONY1 cipher=ROT13 bits=0' \
		"the Received header says ROT13, and that it is worth nothing"
	like "$(host_log a)" 'blackpony-mailer.* suite=ROT13, .*messages=1' "so does the mailer's log"
	like "$(host_log b)" 'blackpony-receiver.* suite=ROT13, .*messages=1' "and the receiver's"
	unlike "$(host_log a; host_log b)" 'suite=ROT.* key=' "no host key had a part in it"
	like "$(host_log a)" 'to=<?both13@rot13\.test.*stat=Sent \(\[10\.77\.0\.2\].*ROT13' \
		"sendmail's own log names it as well"
}

# What a person types is turned here by tr; what comes back is turned home.
person() {
	local said rotated
	said=$({
		echo 'EHLO person.example'
		echo 'XPONY 1 ROT13'
		rot 13 <<-'TYPED'
			EHLO person.example
			MAIL FROM:<alice@a.test>
			RCPT TO:<person@b.test>
			DATA
			Subject: person

			The quick brown fox, sent as person.
			.
			STARTTLS
			QUIT
		TYPED
	} | talk 10.77.0.2)
	rotated=$(sed '1,/^220 .*ROT13$/d' <<<"$(sed 1d <<<"$said")" | rot 13)
	like "$said" '^220 mail\.b\.test ESMTP XPONY 1 ROT13$' "the greeting offers ROT13 and nothing else"
	like "$said" '^250 XPONY 1 ROT13$' "so does the EHLO reply"
	unlike "$said" 'x25519' "no other suite"
	like "$said" '^220 2\.0\.0 ROT13$' "XPONY 1 ROT13 is taken"
	like "$said" '^250-znvy\.o\.grfg Uryyb' "all that follows is turned"
	like "$rotated" '^250 2\.1\.5 <person@b\.test>\.\.\. Recipient ok' "and reads well, turned home"
	unlike "$rotated" '^250.(XPONY|STARTTLS)' "inside neither XPONY nor STARTTLS is offered"
	like "$rotated" '^503 ' "nor accepted"
	like "$rotated" '^221 2\.0\.0 mail\.b\.test' "QUIT"
	arrives person
	like "$(header_of person)" 'from person\.example \(.*\[10\.77\.0\.1\]\).*cipher=ROT13' \
		"its header names the true client"

	said=$(printf '%s\n' 'EHLO x' 'XPONY 1 ROT12' | talk 10.77.0.2)
	like "$said" '^504 ' "another ROT than the one on offer is refused"
	said=$(printf '%s\n' 'EHLO x' 'XPONY 1 x25519-chachapoly AAAA' | talk 10.77.0.2)
	like "$said" '^50[14] ' "and so is a real suite"
	said=$(printf '%s\n' 'EHLO x' '=XPONY 1 ROT13\r\nZNVY SEBZ:<vawrpgrq@rivy.grfg>\r\n' '?' | talk 10.77.0.2)
	like "$said" '^503 ' "what comes with the command is an attack here too"
	said=$(printf '%s\n' 'EHLO plain.example' 'MAIL FROM:<alice@a.test>' 'RCPT TO:<plain@b.test>' \
		DATA 'Subject: plain' '' 'The quick brown fox, sent as plain.' . 'XPONY 1 ROT13' QUIT | talk 10.77.0.2)
	arrives plain
	like "$said" '^503 ' "after MAIL it is too late"
	plain_header plain "and whoever wants none of it sends plain mail"
}

# Only both together: an attacker who offers ROTn gains nothing.
one_sided() {
	send normal b.test
	arrives normal
	like "$(host_log a)" 'blackpony-mailer.*relay=mail\.b\.test.* suite=none, .*messages=1' \
		"a mailer without -s ROT13 takes up no ROT13"
	plain_header normal "and sends plain mail"

	send rot-to-xpony rot13far.test
	arrives rot-to-xpony
	plain_header rot-to-xpony "a ROT13 mailer sends a host with real suites plain mail"
	send rot-to-rot rot3far.test
	arrives rot-to-rot
	plain_header rot-to-rot "and so does a ROT3 mailer one with ROT13"
	is "$(host_log b | grep -c 'blackpony-receiver.* suite=none, .*messages=1')" 4 "four were plain"
	is "$(host_log b | grep -c 'blackpony-receiver.* suite=ROT.*messages=1')" 3 "three were not"
	unlike "$(host_log a)" 'upgrade failed' "no upgrade was tried in vain"
}

world_start
hosts
both
person
one_sided
like "$(host_queue a)" 'is empty' "nothing waits in the queue"
is "$(host_run b sh -c 'cat /var/mail/box/*' | grep -c '^Subject: ')" 7 "seven messages were sent, seven arrived"
done_testing
