#!/bin/bash
# 58-peers - of whom encryption is demanded: what such a client is told in clear, with another key and
# with the right one, that sendmail never hears of what is refused, and that a faulty file shuts
# everybody out. Real inetd, sendmail and blackpony-mailer; needs root (t/lib).
source=${abs_top_srcdir:-$(cd "$(dirname "$0")/.." && pwd)}
. "$source/t/lib/tap.sh"
. "$source/t/lib/world.sh"
. "$source/t/lib/mail.sh"

receiver=/usr/libexec/blackpony/blackpony-receiver

# peers <LINES: the file.
peers() { host_put b "$conf/peers" "${1:-644}"; }

# A message in one session, which says who sends it.
mail() {
	printf '%s\n' 'EHLO peer.example' "MAIL FROM:<$1@a.test>" 'RCPT TO:<bob@b.test>' RSET QUIT
}

# in_clear NAME TALK-ARGUMENT...
in_clear() {
	local name=$1
	shift
	mail "$name" | host_run a python3 "$source/t/tools/talk.py" "$@" 2>&1
}

# by_tls NAME TALK-ARGUMENT...
by_tls() {
	local name=$1
	shift
	{
		printf '%s\n' 'EHLO peer.example' STARTTLS
		mail "$name"
	} | host_run a python3 "$source/t/tools/talk.py" "$@" 2>&1
}

# by_pony NAME ADDRESS: with a's host key and blackpony-mailer.
by_pony() {
	mail "$1" | host_run a python3 "$source/t/tools/talk.py" \
		/usr/libexec/blackpony/blackpony-mailer "[$2]" 2>&1
}

# by_stranger NAME ADDRESS [ARGUMENT...]: with a fresh key.
by_stranger() {
	local name=$1 address=$2
	shift 2
	mail "$name" | host_run a python3 "$source/t/lib/pony_peer.py" client "$address" 25 "$@" 2>&1
}

taken() { like "$2" '^250 2\.1\.5 <bob@b\.test>' "$1" || diag "$2"; }

# refused REPLY-ERE NAME SAID: that is the reply to MAIL and RCPT; none of it is taken.
refused() {
	is "$(grep -Ec -e "$1" <<<"$3")" 2 "$2" || diag "$3"
	unlike "$3" '^250 2\.1' "$2: nothing is taken"
}

either='^530 5\.7\.0 Must issue an XPONY or STARTTLS command first'
ours='^530 5\.7\.0 Must issue an XPONY command first'

encryption() {
	peers <<-END
		10.77.0.0/29	encrypt		# a is .1; its other address, .9, is not in it
		fd77::1		key=$(pony_fingerprint a)
		198.51.100.0/24	encrypt
	END
	taken "a client of whom nothing is demanded" "$(in_clear free -b 10.77.0.9 10.77.0.2)"
	refused "$either" "encrypt: in clear" "$(in_clear clear -b 10.77.0.1 10.77.0.2)"
	like "$(in_clear clear -b 10.77.0.1 10.77.0.2)" '^250-STARTTLS' "encrypt: STARTTLS is offered"
	taken "encrypt: STARTTLS" "$(by_tls tls -b 10.77.0.1 10.77.0.2)"
	taken "encrypt: XPONY" "$(by_pony pony 10.77.0.2)"
	taken "encrypt: XPONY with any key" "$(by_stranger stranger 10.77.0.2)"
	taken "encrypt: by the greeting's offer" "$(by_stranger hint 10.77.0.2 --by hint)"
	like "$(host_log b)" 'blackpony-receiver.*peer=\[10\.77\.0\.1\].*suite=none.*stat="530 5\.7\.0' \
		"the log has the refusal"
}

one_key() {
	local said
	refused "$ours" "key=: in clear" "$(in_clear keyclear -b fd77::1 fd77::2)"
	unlike "$(in_clear keyclear -b fd77::1 fd77::2)" '^250.STARTTLS' "key=: STARTTLS is not offered"
	said=$(printf '%s\n' 'EHLO peer.example' STARTTLS 'MAIL FROM:<keytls@a.test>' QUIT |
		host_run a python3 "$source/t/lib/pony_peer.py" client fd77::2 25 --by none 2>&1)
	refused "$ours" "key=: nor accepted" "$said"
	taken "key=: that key" "$(by_pony keypony IPv6:fd77::2)"
	for way in keyword hint; do
		said=$(by_stranger keystranger fd77::2 --by $way)
		like "$said" '^451 4\.7\.5 Not one of the keys for your address: SHA256:' \
			"key=: another key, $way: told inside, as the reply to EHLO"
		unlike "$said" '^250 2\.1' "key=: nothing is taken of it"
	done
	like "$(host_log b)" 'blackpony-receiver.*not one of the keys for this address, .*reason=SHA256:' \
		"the log names the key"
	like "$(host_log b)" 'suite=x25519.*fault="refused by policy".*stat="451 4\.7\.5' "and the refusal"
}

# Each MAIL that sendmail was given, in its own words.
never_reaches_sendmail() {
	local given
	given=$(host_log b | sed -n 's/.* sendmail.*: from=<\(.*\)@a.test>.*/\1/p' | sort -u | tr '\n' ' ')
	is "$given" "free hint keypony pony stranger tls " \
		"sendmail was given those that were to be taken, and no other"
}

# A real mailer that has another key keeps the mail in its queue.
deferred() {
	local else_key=key=SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA
	printf '%s %s\n' fd77::/16 $else_key 0.0.0.0/0 $else_key | peers
	printf 'Subject: later\nTo: friends:;\n\nx\n' >"$WORLD/later"
	mail_send a "$WORLD/later" later@b.test
	like "$(host_log a)" 'to=later@b\.test.*dsn=4\..*stat=Deferred' "blackpony-mailer with another key: deferred"
	like "$(host_queue a)" 'Deferred: 451 4\.7\.5 .*Not one of' \
		"and the queue says why"
	peers </dev/null
	host_flush a
	ok "it arrives when the demand is gone" mail_take b later "$WORLD/later.taken"
}

# shut_out NAME: everybody is, encrypted or not.
shut_out() {
	local said
	said=$(in_clear shutout -b 10.77.0.9 10.77.0.2)
	like "$said" '^421 4\.3\.5 mail\.b\.test System incorrectly configured' "$1: a client in clear gets 421"
	like "$(by_stranger shutout 10.77.0.2)" '^421 4\.3\.5' "$1: one that encrypts as well"
	unlike "$said" '^250' "$1: and nothing else"
}

faulty() {
	peers <<<$'198.51.100.0/24 encrypt\n198.51.100.0/24 encrpyt'
	shut_out "a faulty file"
	like "$(host_log b)" "blackpony-receiver.*no mail taken, .*/peers:2: 'encrpyt' is no demand" \
		"the log names file, line and word"
	like "$(host_run b $receiver --check 2>&1)" "^fault: .*/peers:2: 'encrpyt' is no demand" "--check too"
	host_run b $receiver --check >/dev/null 2>&1
	is $? 78 "with its exit status"
	peers 666 </dev/null
	shut_out "one that anybody may write"
	peers <<<'198.51.100.0/24 encrypt'
	like "$(host_run b $receiver --check 2>&1)" '^ok: .*/peers: networks of clients: 1$' "--check of a good one"
	taken "and it is over with a good one" "$(in_clear after -b 10.77.0.1 10.77.0.2)"
	host_run b rm "$conf/peers"
	taken "no file demands nothing" "$(in_clear after -b 10.77.0.1 10.77.0.2)"
}

world_start
host_start b 10.77.0.2 fd77::2 sendmail inetd tools
host_start a 10.77.0.1 fd77::1 sendmail tools
printf 'addr add 10.77.0.9/24 dev eth0\n' | world_ip a
host_tls b
pony_host b
pony_host a
mail_boxes b later
conf=$(host_run b blackpony-keygen --help | sed -n 's/^Without -f the file is \(.*\)\/hostkey\.$/\1/p')
host_inetd b
encryption
one_key
never_reaches_sendmail
deferred
faulty
done_testing
