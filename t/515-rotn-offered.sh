#!/bin/bash
# 515-rotn-offered - row 15: a man in the middle of two real mail hosts offers ROT13 in the place of the host's
# offer, and a client asks a real host for it. Must happen: it is unreachable unless both were started with it;
# such an offer is none, and what policy demands is kept. And where both were started with it, it is no
# encryption for any policy. t/53-rotn has ROTn as it is meant. Needs root (t/lib).
. "$abs_top_srcdir/t/lib/tap.sh"
. "$abs_top_srcdir/t/lib/world.sh"
. "$abs_top_srcdir/t/lib/mail.sh"
mitm_set=rot
. "$abs_top_srcdir/t/lib/mitm.sh"

receiver=/usr/libexec/blackpony/blackpony-receiver

# asks [-p PORT] [ARGUMENT...]: the script on standard input, from host m.
asks() { host_run m python3 "$abs_top_srcdir/t/tools/talk.py" "$@" 10.77.0.2 2>&1; }

clients() {
	local n said
	for n in 1 13 25; do
		said=$(printf '%s\n' 'EHLO x' "XPONY 1 ROT$n" '?' | asks)
		is "$(tail -n 2 <<<"$said")" $'504 5.5.4 Cipher suite not available\nclosed' "a client asks for ROT$n: 504, and closed"
		is "$(printf '%s\n' "XPONY 1 ROT$n" '?' | asks | tail -n 2)" $'504 5.5.4 Cipher suite not available\nclosed' \
			"in its first command as well"
	done
	for n in 0 26 013 1x; do
		is "$(printf '%s\n' "XPONY 1 ROT$n" '?' | asks | tail -n 2)" $'501 5.5.4 Malformed command or argument\nclosed' \
			"ROT$n: 501, and closed"
	done
	said=$(printf '%s\n' 'XPONY 1 ROT13' QUIT | host_run m python3 "$abs_top_srcdir/t/lib/pony_peer.py" client 10.77.0.2 25 2>&1)
	like "$said" '^503 5\.5\.1 Bad sequence of commands' "inside an upgraded session: 503"
	unlike "$(host_log b)" 'suite=ROT' "no session of this host was under ROTn"
}

offers() {
	local word
	for word in $mitm_words; do
		try "$word"
	done
	tried
	heard=$(overheard)
	# An unknown suite's name in the place of ours breaks the prologue.
	expect_each suite <<-END
		may clear
		encrypt refused $no_way
		pq refused $no_offer
		key refused $failed
		pinned refused $failed
		known refused $missed
		bound refused $failed
	END
	expect_each "rot keyword greeting" <<-END
		none clear
		may clear
		encrypt refused $no_way
		pq refused $no_offer
		key refused $no_offer
		pinned refused $no_offer
		known refused $missed
		bound refused $broken
	END
	expect_each pass <<<"may hybrid"
	unlike "$(cat "$WORLD/heard")" '^XPONY 1 ROT' "nobody asked for ROT13"
	unlike "$mitm_log" 'suite=ROT|upgrade failed, .*relay=mx\.(rot|keyword|greeting)\.' "no upgrade was tried with it"
	is "$(grep -vE '\.(none|may)$' <<<"$heard")" "" "not a line in clear but of none and may"
}

# Both started with it.
no_encryption() {
	local said
	{
		cat "$abs_top_srcdir/doc/sendmail.mc.example"
		cat <<-'MAILER'
			Mrot13, P=/usr/libexec/blackpony/blackpony-mailer, F=mDFMuXaS, U=blackpony:blackpony,
			 S=EnvFromSMTP/HdrFromSMTP, R=EnvToSMTP, E=\r\n, L=990, T=DNS/RFC822/SMTP,
			 A=blackpony-mailer -i $i -s ROT13 -p 2513 $h
		MAILER
	} >"$WORLD/rot.mc"
	host_put a /etc/mail/mailertable <<<$'turned.test\trot13:[10.77.0.2]\nheld.test\trot13:[10.77.0.2]'
	host_sendmail a "$WORLD/rot.mc"
	host_run a sh -c 'cd /etc/mail && makemap hash mailertable <mailertable'
	host_put a /etc/blackpony/policy <<<$'[10.77.0.2] may'
	echo "2513 stream tcp nowait root $receiver receiver -s ROT13" >>"$WORLD/inetd.conf"
	host_kill b inetd
	host_inetd b "$WORLD/inetd.conf"
	wait_for 5 host_listens b 2513 || bail "no port 2513"
	{ cat "$WORLD/names"; echo turned.test; echo held.test; } | host_put b /etc/mail/local-host-names
	try_now turned
	tried
	like "$mitm_log" 'to=bob@turned\.test.* stat=Sent \(\[10\.77\.0\.2\] ROT13: ' "control: both with -s ROT13"
	for word in encrypt pq pinned; do
		host_put a /etc/blackpony/policy <<<"[10.77.0.2] $word"
		try_now held
		tried
		like "$(grep 'bob@held\.test' <<<"$mitm_log" | tail -n 1)" 'stat=Deferred: 451 4\.7\.5' "policy $word: ROT13 is none: 451 4.7.5"
		host_run a sh -c 'rm -f /var/spool/mqueue/*'
	done
	host_put b /etc/blackpony/peers <<<'10.77.0.0/24 encrypt'
	said=$({
		printf '%s\n' 'EHLO x' 'XPONY 1 ROT13'
		printf '%s\n' 'EHLO x' 'MAIL FROM:<x@a.test>' QUIT | tr A-Za-z N-ZA-Mn-za-m
	} | asks -p 2513)
	like "$(sed '1,/^220 2.0.0 ROT13/d' <<<"$said" | tr A-Za-z N-ZA-Mn-za-m)" '^(454|530) .*(demanded|Must issue)' \
		"peers demands encryption: MAIL under ROT13 is refused" || diag "$said"
	is "$(grep -c '^held$' <<<"$taken")" 0 "nothing was delivered so"
}

world_start
mitm_strangers_and_friends
wiretap_start
offers
clients
no_encryption
done_testing
