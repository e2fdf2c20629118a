# relaying.sh: a stranger who wants mail relayed to a third host, and that he is refused. Sourced after tap.sh
# by the tests of row 17.

relay_third=somebody@third.test

# Ten tries: in three transactions, two of which end in a message; after RSET, EHLO and HELO.
# relay_tries SUBJECT: the commands, for t/tools/talk.py and the like.
relay_tries() {
	local n
	echo 'EHLO peer.example'
	for n in first second; do
		cat <<-END
			MAIL FROM:<x@c.test>
			RCPT TO:<$relay_third>
			RCPT TO:<bob@b.test>
			DATA
			Subject: $1, $n

			.
		END
	done
	cat <<-END
		MAIL FROM:<>
		RCPT TO:<$relay_third>
		RCPT TO:<somebody@[10.77.0.3]>
		RSET
		MAIL FROM:<root@b.test>
		RCPT TO:<$relay_third>
		RCPT TO:<@b.test:$relay_third>
		EHLO again.example
		MAIL FROM:<x@c.test>
		RCPT TO:<somebody%third.test@b.test>
		RCPT TO:<"$relay_third"@b.test>
		HELO mail.b.test
		MAIL FROM:<x@c.test>
		RCPT TO:<third.test!somebody>
		RCPT TO:<$relay_third>
		QUIT
	END
}

# relay_refused NAME SAID: nothing but the refusals and two deliveries.
relay_refused() {
	is "$(grep -c '^550 5\.7\.1 .*Relaying denied' <<<"$2")" 10 "$1: relaying denied, ten times" ||
		diag "$2"
	is "$(grep -c '^250 2\.1\.5' <<<"$2")" 2 "$1: the one recipient here is taken, twice" || diag "$2"
}
