#!/bin/bash
# 59-mutual - relaying for keys: who has proved a key that is listed, and meant this host, may relay;
# nobody else may, and nobody by any other way (t/521-passed-on has the man in the middle). Real inetd,
# sendmail and blackpony-mailer, and the independent peer for what the mailer would not do; needs root (t/lib).
source=${abs_top_srcdir:-$(cd "$(dirname "$0")/.." && pwd)}
. "$source/t/lib/tap.sh"
. "$source/t/lib/world.sh"
. "$source/t/lib/mail.sh"

receiver=/usr/libexec/blackpony/blackpony-receiver
third=somebody@third.test
key=$(printf 'a5%.0s' {1..32}) # the peer's, of which b knows
other_key=$(printf 'a6%.0s' {1..32})

# print_of SECRET: the fingerprint of its public half.
print_of() {
	PYTHONPATH=$source/t/lib "${PYTHON3:-python3}" - "$1" <<-'END'
		import base64, hashlib, sys
		from pony_crypto import public_key
		octets = hashlib.sha256(public_key(bytes.fromhex(sys.argv[1]))).digest()
		print("SHA256:" + base64.b64encode(octets).decode().rstrip("="))
	END
}

# Three tries: the first transaction, another after RSET, another after a second EHLO.
tries() {
	cat <<-END
		EHLO peer.example
		MAIL FROM:<x@c.test>
		RCPT TO:<$third>
		RSET
		MAIL FROM:<>
		RCPT TO:<$third>
		EHLO again.example
		MAIL FROM:<x@c.test>
		RCPT TO:<$third>
		QUIT
	END
}

# as_peer PORT [PONY-PEER-ARGUMENT...]: those in an encrypted session, unless told otherwise.
as_peer() {
	local port=$1
	shift
	tries | host_run c python3 "$source/t/lib/pony_peer.py" client "${address:-10.77.0.2}" "$port" "$@" 2>&1
}

denied() {
	is "$(grep -c '^550 5\.7\.1 .*Relaying denied' <<<"$2")" 3 "$1: relaying denied, three times" || diag "$2"
	unlike "$2" '^250 2\.1\.5' "$1: and never granted"
}

granted() {
	is "$(grep -c '^250 2\.1\.5 .*third\.test>\.\.\. Recipient ok' <<<"$2")" 3 "$1: granted, three times" ||
		diag "$2"
}

# listed [MODE] <LINES: the relay-keys file.
listed() { host_put b "$conf/relay-keys" "${1:-644}"; }

configure_b() {
	{
		cat "$source/doc/sendmail.mc.example"
		echo "ifdef(\`NORULE',, \`include(\`/usr/share/blackpony/sendmail.relay.m4')')dnl"
	} >"$WORLD/b.mc"
	host_tls b
	pony_host b "$WORLD/b.mc"
	host_run b sh -c 'cd /etc/mail && m4 -DNORULE tls/tls.m4 sendmail.mc >norule.cf'
	conf=$(host_run b blackpony-keygen --help | sed -n 's/^Without -f the file is \(.*\)\/hostkey\.$/\1/p')
	{
		cat "$source/doc/inetd.conf.example"
		cat <<-END
			2501 stream tcp nowait root $receiver receiver -o gw.b.test,relay.b.test
			2502 stream tcp nowait root $receiver receiver -s ROT13
			2503 stream tcp nowait root $receiver receiver -- /usr/sbin/sendmail -bs -Am -C/etc/mail/norule.cf
			2504 stream tcp nowait root $receiver receiver -n mail
		END
	} >"$WORLD/inetd.conf"
	host_inetd b "$WORLD/inetd.conf"
}

by_default() {
	denied "no file" "$(as_peer 25 -k "$key" -n mail.b.test)"
	listed <<<"# $fingerprint"
	denied "an empty file" "$(as_peer 25 -k "$key" -n mail.b.test)"
	listed <<<"$(print_of "$other_key") another"
	denied "another key is listed" "$(as_peer 25 -k "$key" -n mail.b.test)"
}

the_grant() {
	local said
	listed <<-END
		$(print_of "$(printf '11%.0s' {1..32})")	somebody else
		$fingerprint	peer.example
	END
	said=$(as_peer 25 -k "$key" -n mail.b.test)
	granted "a listed key that meant mail.b.test" "$said"
	granted "in any case" "$(as_peer 25 -k "$key" -n MAIL.B.Test)"
	granted "taken from the greeting, with EHLO as early data" \
		"$(as_peer 25 -k "$key" -n mail.b.test --by hint --early)"
	address=fd77::2 granted "IPv6" "$(address=fd77::2 as_peer 25 -k "$key" -n mail.b.test)"
	granted "by a name of -o" "$(as_peer 2501 -k "$key" -n relay.b.test)"
	granted "which adds to the host's own" "$(as_peer 2501 -k "$key" -n mail.b.test)"
}

# The name is what a man in the middle cannot change: the client's handshake is for another host.
wrong_name() {
	denied "handshake meant for another host" "$(as_peer 25 -k "$key" -n mail.elsewhere.test)"
	like "$(host_log b)" 'blackpony-receiver.*no relaying, .*listed, but it meant mail\.elsewhere\.test' \
		"and the log says so"
	denied "no name at all" "$(as_peer 25 -k "$key")"
	denied "a name of -o where there is no -o" "$(as_peer 25 -k "$key" -n relay.b.test)"
	denied "a part of the name" "$(as_peer 25 -k "$key" -n b.test)"
	denied "an address" "$(as_peer 25 -k "$key" -n '[10.77.0.2]')"
	denied "a host without a full name grants nothing" "$(as_peer 2504 -k "$key" -n mail)"
}

wrong_session() {
	local said
	denied "another key" "$(as_peer 25 -k "$other_key" -n mail.b.test)"
	denied "a fresh key" "$(as_peer 25 -n mail.b.test)"
	denied "in clear" "$(as_peer 25 -k "$key" --by none)"
	denied "ROT13" "$(as_peer 2502 -k "$key" -n mail.b.test)"
	said=$({
		printf '%s\n' 'EHLO peer.example' STARTTLS
		tries
	} | host_run c python3 "$source/t/tools/talk.py" 10.77.0.2 2>&1)
	like "$said" '^TLS ' "TLS"
	denied "STARTTLS" "$said"
	denied "a sendmail.cf without the rule" "$(as_peer 2503 -k "$key" -n mail.b.test)"
}

faulty() {
	listed <<<"$fingerprint"$'\nnonsense'
	denied "a faulty file" "$(as_peer 25 -k "$key" -n mail.b.test)"
	like "$(host_log b)" "blackpony-receiver.*nobody may relay by key, .*relay-keys:2: 'nonsense' is no key" \
		"and the log names file, line and word"
	like "$(host_run b $receiver --check 2>&1)" "^fault: .*relay-keys:2: 'nonsense'" "--check too"
	listed 666 <<<"$fingerprint"
	denied "one that anybody may write" "$(as_peer 25 -k "$key" -n mail.b.test)"
	listed <<<"$fingerprint"
	like "$(host_run b $receiver --check 2>&1)" '^ok: .*relay-keys: keys that may relay: 1$' \
		"--check of a good one"
	host_run b sh -c 'cp /etc/mail/sendmail.cf /tmp/cf && cp /etc/mail/norule.cf /etc/mail/sendmail.cf'
	like "$(host_run b $receiver --check 2>&1)" '^fault: .*relay-keys has keys, but .*sendmail\.cf no rule' \
		"--check without the rule"
	host_run b cp /tmp/cf /etc/mail/sendmail.cf
}

# deliver NAME DOMAIN: a's sendmail gives it to its mailer, for a host by mailertable.
deliver() {
	printf 'Subject: %s\nTo: friends:;\n\nby way of b\n' "$1" >"$WORLD/$1"
	mail_send a "$WORLD/$1" "$1@$2"
}

# Two real hosts: a sends by way of b to c.
end_to_end() {
	deliver early third.test
	like "$(host_log a)" 'to=early@third\.test.*Relaying denied' "a's mail for c: b does not relay for a"
	listed <<<"$(host_run a blackpony-keygen -y)"
	deliver late third.test
	ok "a's key is listed as keygen -y shows it: b relays, c has the mail" mail_take c late "$WORLD/late.taken"
	like "$(mail_received "$WORLD/late.taken" mail.b.test)" \
		'from mail\.a\.test.*\(version=XPONY1 cipher=[^ ]* bits=256 verify=NO\)' \
		"its header says verify=NO as ever"
	deliver home b.test
	ok "mail for b itself is taken from a as ever" mail_take b home "$WORLD/home.taken"
}

world_start
world_zone third.test <<<'@ IN MX 10 mail.c.test.'
host_start a 10.77.0.1 fd77::1 sendmail
host_start b 10.77.0.2 fd77::2 sendmail inetd tools
host_start c 10.77.0.3 fd77::3 sendmail tools
host_put a /etc/mail/mailertable <<-'END'
	third.test	blackpony:mail.b.test
END
pony_host a
host_put c /etc/mail/local-host-names <<<$'c.test\nthird.test'
host_sendmail c "$source/t/lib/plain.mc"
host_daemon c
configure_b
mail_boxes b home
mail_boxes c early late
fingerprint=$(print_of "$key")

by_default
the_grant
wrong_name
wrong_session
faulty
end_to_end
done_testing
