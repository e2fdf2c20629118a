#!/bin/bash
# 5g-redirected - Postfix and Exim as senders, their connections turned over to blackpony-mailer -r, as
# doc/OTHER-MTAS.md has it, word for word: to real hosts with XPONY, with STARTTLS, in clear, and to hosts that refuse,
# defer, die or are not there. Each recipient has his own reply, the next host is tried, mail waits and comes once, and
# nothing goes past the mailer or against policy. Needs root (t/lib).
source=${abs_top_srcdir:-$(cd "$(dirname "$0")/.." && pwd)}
. "$source/t/lib/tap.sh"
. "$source/t/lib/world.sh"
. "$source/t/lib/mail.sh"
. "$source/t/lib/peers.sh"

mailer=/usr/libexec/blackpony/blackpony-mailer

# block NAME: that piece of the document.
block() {
	awk -v mark="<!-- $1 -->" '$0 == mark { found = 1 } found && /^```/ { if (inside) exit; inside = 1; next } inside' \
		"$source/doc/OTHER-MTAS.md"
}

# redirect HOST USER: rule and service, where USER is who connects.
redirect() {
	host_pony "$1"
	host_run "$1" mkdir -p /etc/blackpony
	host_run "$1" blackpony-keygen -q -g blackpony
	host_run "$1" install -d -o blackpony -g blackpony -m 700 /var/lib/blackpony
	block 'sender policy' | host_put "$1" /etc/blackpony/policy.addresses
	block 'sender nftables.conf' | sed "s/skuid postfix/skuid $2/" | host_put "$1" /etc/nftables.conf
	host_run "$1" nft -f /etc/nftables.conf || bail "no redirection"
	block 'sender inetd.conf' | host_put "$1" /etc/inetd.conf
	inetd_on "$1"
}
inetd_on() {
	host_spawn "$1" inetd inetd -d -i
	wait_for 10 host_listens "$1" 2525 || bail "inetd does not listen"
}

# What the two have in common: post HOST FILE SENDER RECIPIENT..., flush, queue.
post_from() {
	local host=$1 file=$2
	shift 2
	host_run "$host" /usr/sbin/sendmail -i -f alice@"$host".test -- "$@" <"$file"
}
flush() {
	case $1 in
	f) host_run f postqueue -f ;;
	e) host_run e exim4 -qff ;;
	esac
}
queue() {
	case $1 in
	f) host_run f postqueue -p ;;
	e) host_run e exim4 -bp; host_run e sh -c 'cat /var/spool/exim4/msglog/* 2>/dev/null' ;;
	esac
}
waits() { queue "$1" | grep -q "$2"; }
logged() { host_log "$1" | grep -Eq "$2"; }

# letter SUBJECT: a small message.
letter() {
	printf 'Subject: %s\nFrom: alice@%s.test\nTo: friends:;\n\na word\n' "$1" "$mta" >"$WORLD/letter"
	echo "$WORLD/letter"
}
post_letter() { post_from "$mta" "$(letter "$@")" "${@:2}"; }

far_log() { cat "$(host_root far)/var/log/peers"; }
taken_by() { far_log | grep -c "^taken $1\.p\.test $2 $3"; } # NAME xpony|plain SUBJECT
died_and_taken() { [ "$(taken_by "$@")" = 2 ]; }
is_taken() { [ "$(taken_by "$@")" = 1 ]; }

# takes NAME xpony|plain SUBJECT WHAT
takes() { ok "$mta: $4" wait_for 30 is_taken "$1" "$2" "$3" || diag "$(host_log "$mta" | tail -n 5)" "$(far_log | tail -n 5)"; }
defers() { ok "$mta: $3" wait_for 30 logged "$mta" "to=<$1>.*$2|$1 .*$2" || diag "$(host_log "$mta" | tail -n 5)"; }

address_of() { sed -n "s/^$1 IN A //p" <<<"$zone_lines"; }
has_mail() { grep -q "$2" "$(host_root "$mta")/var/mail/$1" 2>/dev/null; }
box() { echo "$(host_root "$1")/var/mail/box/$2"; }

to_real_hosts() {
	local kind
	for kind in small eight dots; do
		post_from "$mta" "$WORLD/mail/$kind" "$mta-$kind@b.test"
		ok "$mta, XPONY: $kind arrives" mail_take b "$mta-$kind" "$WORLD/got" || diag "$(host_log "$mta" | tail -n 4)"
		is "$(mail_body "$WORLD/got")" "$(mail_body "$WORLD/mail/$kind")" "$mta, XPONY: $kind as it is"
	done
	like "$(mail_received "$WORLD/got" mail.b.test)" \
		"from mail\.$mta\.test \(mail\.$mta\.test \[.*\]\) .*version=XPONY1 cipher=mlkem768x25519-chachapoly" \
		"$mta, XPONY: Received"
	like "$(host_log "$mta" | grep 'blackpony-mailer' | head -n 1)" \
		'relay=.*\[(IPv6:fd77::2|10\.77\.0\.2)\], suite=mlkem768x25519-chachapoly, key=SHA256:.* messages=1, .*destination=\[' \
		"$mta, XPONY: logged"
	post_from "$mta" "$WORLD/mail/dots" "$mta-tls@t.test"
	ok "$mta, STARTTLS: a mail arrives" mail_take t "$mta-tls" "$WORLD/got"
	is "$(mail_body "$WORLD/got")" "$(mail_body "$WORLD/mail/dots")" "$mta, STARTTLS: as it is"
	like "$(mail_received "$WORLD/got" mail.t.test)" 'with ESMTPS .*version=TLSv1\.3' "$mta, STARTTLS: Received"
	post_letter "$mta-clear" u@clear.$p
	takes clear plain "$mta-clear" "a host with neither: in clear, as ever"
}

recipients() {
	post_letter "$mta-two" good@refuse.$p nobody@refuse.$p
	takes refuse xpony "$mta-two good" "two recipients, one refused: the other has his mail"
	ok "$mta: the bounce has the host's own words" wait_for 30 has_mail alice '550 5\.1\.1 Never heard of him'
	like "$(cat "$(host_root "$mta")/var/mail/alice")" 'nobody@refuse\.p\.test' "$mta: and is about the right one"
	unlike "$(cat "$(host_root "$mta")/var/mail/alice")" '^.*good@refuse\.p\.test.*' "$mta: and about no other"
	post_letter "$mta-later" u@defer-$mta.$p
	defers "u@defer-$mta.$p" '451 4\.2\.1 Mailbox is full' "deferred in the host's own words"
	ok "$mta: and queued" waits "$mta" "u@defer-$mta.$p"
	flush "$mta"
	takes "defer-$mta" xpony "$mta-later" "and taken the next time"
}

next_host() {
	post_letter "$mta-fall" u@fall.test
	takes xp xpony "$mta-fall" "the first host is dead, the second busy, the third ends in EHLO: the fourth takes it"
	post_letter "$mta-busy" u@full.$p
	defers "u@full.$p" '421 4\.[0-9.]* .*Busy' "a busy host: deferred with what it said"
	post_letter "$mta-dies" u@dies-$mta.$p
	defers "u@dies-$mta.$p" '(421|lost|perhaps delivered|Connection)' "a host that dies after the dot: deferred"
	flush "$mta"
	ok "$mta: and taken the next time" wait_for 30 died_and_taken "dies-$mta" xpony "$mta-dies"
}

# The mailer remembers no dead hosts for an MTA, which has a memory and times of its own.
comes_back() {
	local address
	address=$(address_of "back-$mta")
	host_run far ip addr del "$address/24" dev eth0
	post_letter "$mta-back" "u@back-$mta.$p"
	defers "u@back-$mta.$p" '421 4\.4\.1' "a host that is down: deferred"
	host_run far ip addr add "$address/24" dev eth0
	flush "$mta"
	takes "back-$mta" xpony "$mta-back" "and asked again at the next try, when it is back"
}

# says SUBJECT: what an MTA hears of the host.
says() {
	printf '%s\n' 'EHLO mail.'"$mta"'.test' "MAIL FROM:<alice@$mta.test>" "RCPT TO:<u@twice.$p>" DATA "Subject: $1" '' . QUIT |
		host_as "$mta" "$user" python3 "$source/t/tools/talk.py" "$(address_of twice)"
}

# Long enough for this machine, however busy.
kept() {
	local first second
	host_kill "$mta" inetd
	block 'sender inetd.conf' | sed 's/mailer -r/mailer -K 60 -r/' | host_put "$mta" /etc/inetd.conf
	inetd_on "$mta"
	first=$(says "$mta-one")
	second=$(says "$mta-two")
	ok "$mta: a kept session carries the next mail" wait_for 10 logged "$mta" "blackpony-mailer.*\\[$(address_of twice)\\].* kept=1, messages=1"
	like "$first" '^250 2\.0\.0 ' "$mta: the one is taken"
	is "$second" "$first" "$mta: the MTA hears the same of the other"
	takes twice xpony "$mta-two" "which is taken, too"
}

# Last of all, what the page warns of: in clear, to a host that would upgrade.
without_rule() {
	host_run "$mta" nft delete table inet blackpony
	post_letter "$mta-past" u@xp.$p
	takes xp plain "$mta-past" "without the rule mail goes past the mailer"
}

policies() {
	local before
	printf '* encrypt\n' | host_put "$mta" /etc/blackpony/policy.addresses
	before=$(far_log | grep -c '^said clear')
	post_letter "$mta-forbidden" u@clear.$p
	defers "u@clear.$p" '421 4\.7\.5' "policy encrypt: to a host in clear it waits"
	unlike "$(far_log | grep '^said clear' | tail -n +"$((before + 1))")" 'MAIL|RCPT' "$mta: nothing of it is said there"
	post_from "$mta" "$WORLD/mail/dots" "$mta-must@t.test"
	ok "$mta: policy encrypt: STARTTLS will do" mail_take t "$mta-must" "$WORLD/got"
	post_letter "$mta-broken" u@broken.$p
	defers "u@broken.$p" '421 4\.7\.[0-9]' "policy encrypt: an upgrade that fails is no reason for clear text"
	nok "$mta: nothing of it is taken" is_taken broken plain "$mta-broken"
	printf 'example.org encrypt\n' | host_put "$mta" /etc/blackpony/policy.addresses
	post_letter "$mta-names" u@xp.$p
	defers "u@xp.$p" '421 4\.3\.5 .*policy\.addresses: has lines for names' "a policy for names: all mail waits, and says why"
	block 'sender policy' | host_put "$mta" /etc/blackpony/policy.addresses
	flush "$mta"
	takes clear plain "$mta-forbidden" "when policy lets it, it goes"
	takes xp xpony "$mta-names" "and so does what waited for the file"
	takes broken plain "$mta-broken" "and what could not be upgraded"
}

nothing_beside() {
	local talk=$source/t/tools/talk.py
	like "$(host_as "$mta" alice python3 "$talk" -p 2525 127.0.0.1 </dev/null)" '^421 4\.3\.5 .*not redirected' \
		"$mta: who connects to the service himself gets nothing"
	like "$(host_as "$mta" alice python3 "$talk" -p 2525 ::1 </dev/null)" '^421 4\.3\.5 ' "$mta: nor by IPv6"
	like "$(host_run "$mta" python3 "$talk" $mailer -r <<<QUIT)" '^421 4\.3\.5 .*standard input is no connection' \
		"$mta: nor who starts it"
	like "$(host_run "$mta" python3 "$talk" $mailer -r xp.$p <<<QUIT)" '^421 4\.3\.5 .*-r goes without a host' \
		"$mta: and it takes no host"
	nok "$mta: and from other hosts it cannot be reached" host_run far python3 "$talk" -p 2525 "${host_ip4[$mta]}" </dev/null
	host_kill "$mta" inetd
	post_letter "$mta-alone" u@xp.$p
	defers "u@xp.$p" '[Cc]onnection refused' "without the service nothing goes past it"
	inetd_on "$mta"
	flush "$mta"
	takes xp xpony "$mta-alone" "and all goes again when it is back"
}

peer xp pipelining xpony always
peer clear pipelining always
peer refuse pipelining xpony 'rcpt:nobody=550 5.1.1 Never heard of him' always
peer defer-f pipelining xpony 'rcpt=451 4.2.1 Mailbox is full'
peer defer-e pipelining xpony 'rcpt=451 4.2.1 Mailbox is full'
peer busy 'greeting=421 4.3.2 Busy' always
peer full 'greeting=421 4.3.2 Busy' always
peer dies-f pipelining xpony dot=die
peer dies-e pipelining xpony dot=die
peer leaves ehlo=die always
peer twice pipelining xpony always
peer back-f pipelining xpony always
peer back-e pipelining xpony always
peer broken pipelining xpony 'xpony=454 4.7.0 No' always
zone_line 'dead IN A 10.77.0.99'

world_start
peers_hosts
world_zone fall.test <<-'END'
	@ IN MX 10 dead.p.test.
	@ IN MX 20 busy.p.test.
	@ IN MX 30 leaves.p.test.
	@ IN MX 40 xp.p.test.
END
host_start b 10.77.0.2 fd77::2 sendmail inetd
host_start t 10.77.0.4 fd77::4 sendmail tools
host_start f 10.77.0.5 fd77::5 postfix inetd nft tools
host_start e 10.77.0.7 fd77::7 exim inetd nft tools
world_dns
mail_files "$WORLD/mail"
pony_host b
host_inetd b
host_tls t
host_sendmail t "$source/t/lib/plain.mc"
host_daemon t
mail_boxes b {f,e}-{small,eight,dots}
mail_boxes t {f,e}-{tls,must}

host_postfix f
redirect f postfix
block 'sender main.cf' | host_run f sh -c 'cat >>/etc/postfix/main.cf && postfix reload' 2>/dev/null
host_run f postconf -e minimal_backoff_time=1s queue_run_delay=300s maximal_backoff_time=1s
host_run f postfix reload 2>/dev/null
host_exim e
redirect e Debian-exim

for mta in f e; do
	user=postfix
	[ $mta = f ] || user=Debian-exim
	to_real_hosts
	recipients
	next_host
	comes_back
	policies
	nothing_beside
	kept
	without_rule
	is "$(queue $mta | grep -o '[a-z-]*@[a-z]*\.p\.test' | sort -u)" "u@full.$p" \
		"$mta: nothing is left in the queue but what the busy host was to have"
done
done_testing
