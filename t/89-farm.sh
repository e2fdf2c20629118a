#!/bin/bash
# 89-farm - three mail hosts under one name with one key, two senders that hold them to it, and mail
# without a pause: the key is replaced host by host and nothing waits, nothing goes in clear, nobody
# wonders at a key; then one host dies amid mail, and nothing is lost. In each of the three ways to have
# many hosts: behind HAProxy, one name with three addresses, three MX records of one preference. Keys go
# out by doc/farm/farm-push. Needs root (t/lib).
. "$abs_top_srcdir/t/lib/tap.sh"
. "$abs_top_srcdir/t/lib/world.sh"
. "$abs_top_srcdir/t/lib/mail.sh"
. "$abs_top_srcdir/t/lib/farm.sh"

mailer=/usr/libexec/blackpony/blackpony-mailer

# One name with all addresses; a name for each host; and HAProxy.
zones() {
	world_zone farm.test <<-END
		@ IN MX 10 mx
		mx IN A 10.77.0.1
		mx IN A 10.77.0.2
		mx IN A 10.77.0.3
		mx IN AAAA fd77::1
		mx IN AAAA fd77::2
		mx IN AAAA fd77::3
	END
	world_zone names.test <<-END
		@ IN MX 10 mx1
		@ IN MX 10 mx2
		@ IN MX 10 mx3
		mx1 IN A 10.77.0.1
		mx2 IN A 10.77.0.2
		mx3 IN A 10.77.0.3
	END
	world_zone balanced.test <<-END
		@ IN MX 10 mx
		mx IN A 10.77.0.25
		mx IN AAAA fd77::25
	END
	world_zone third.test <<-END
		@ IN MX 10 mx3.names.test.
		@ IN MX 20 mx1.names.test.
	END
}

# Nobody complained: of all that a sender's log can have against a key or a host. (A store whose turn did not come in
# ten seconds is "not remembered", which a slow disk is enough for.)
no_complaint() {
	is "$(farm_count 'blackpony-mailer.*(key changed|host turned down|upgrade failed|trust=changed)')" 0 \
		"$1: no complaint about a key or a host"
	is "$(farm_count 'stat=Deferred|dsn=[45]')" 0 "$1: none was deferred"
	is "$(farm_log | grep 'blackpony-mailer.* messages=1' | grep -vc ' suite=mlkem768x25519-chachapoly, ')" 0 \
		"$1: each was encrypted"
}

# mx3 comes with a key that the others do not know.
was_away() {
	local shown
	host_run mx3 sh -c 'mkdir -p -m 700 /etc/blackpony/farm && blackpony-keygen -q -f /etc/blackpony/farm/hostkey'
	farm_in mx1 mx2
	ok "farm-push announce" farm_push announce
	nok "nothing is shown by a host that is not in the list" farm_push show mail.mx1.test mail.mx3.test
	nok "nor by any beside it" host_run mx1 test -e /etc/blackpony/farm/hostkey
	ok "farm-push show: the first key need not wait" farm_push show mail.mx1.test mail.mx2.test
	farm_in $farm_hosts
	shown=$(farm_push announce 2>&1)
	like "$shown" "mail\.mx3\.test .*shows a key that is no longer here" "nothing is announced beside a stranger's key"
	host_run mx3 rm /etc/blackpony/farm/hostkey
	ok "a host that was away: without its old key it is announced to" farm_push announce
	ok "and shows the key of the others" farm_push show mail.mx3.test
}

first_keys() {
	farm_keygen
	nok "without a next key nothing is given out" farm_push announce
	farm_keygen --rotate next
	nok "nor is a key shown that is not announced" farm_push show mail.mx1.test
	was_away
	for name in $farm_hosts; do
		host_inetd "$name" "$WORLD/$name.inetd"
		ok "$name: --check" host_run "$name" /usr/libexec/blackpony/blackpony-receiver $farm_args --check
	done
	first=$(farm_key hostkey) second=$(farm_key hostkey.next)
}

# The senders were told of the hosts and their key, and hold them to it.
learn() {
	local name
	for name in $farm_senders; do
		ok "$name is told of the hosts" import "$name"
	done
	host_put s1 /etc/blackpony/policy <<<"* pinned pq"
	host_put s2 /etc/blackpony/policy <<<"* encrypt"
}
import() {
	printf '%s.test %s.test SHA256:%s pinned\n' farm mx.farm "$1" names mx1.names "$1" names mx2.names "$1" names mx3.names "$1" \
		balanced mx.balanced "$1" | sed "s|SHA256:$1|$first|" | host_run "$1" blackpony-keygen --import - -q
}

rotation() {
	local name
	farm_keygen --rotate switch -a 0
	nok "too early to show it: the key behind it is not announced" farm_push show mail.mx1.test
	farm_keygen --rotate next
	third=$(farm_key hostkey.next)
	ok "the new keys are announced" farm_push announce
	like "$(farm_push show mail.mx1.test 2>&1)" 'announced this key for 30 days' "the one to be shown not for 30 days: refused"
	like "$(farm_push -a 29 show mail.mx1.test 2>&1)" 'announced this key for 29 days' "nor for 29"
	for name in $farm_hosts; do
		if [ "$name" = mx1 ]; then
			ok "-a 0 does not wait: mx1 shows it" farm_push -a 0 show mail.mx1.test
		else
			ok "$name shows the new key" farm_push show "mail.$name.test"
		fi
		[ "$name" != mx1 ] || both_keys
		[ "$name" != mx1 ] || farm_month
		[ "$name" != mx2 ] || [ -z "${BLACKPONY_ALL-}" ] || there_and_back
		farm_more 2
	done
	farm_keygen --rotate retire
	ok "the old key is gone from the announcement" farm_push announce
	farm_more 2
}

# The old key comes back on two hosts, and goes again.
there_and_back() {
	local turn
	for turn in back forth; do
		host_run keys sh -e -c 'cd /root/farm; mv hostkey x; mv hostkey.old hostkey; mv x hostkey.old'
		ok "$turn: announced" farm_push announce
		ok "$turn: shown" farm_push show mail.mx1.test mail.mx2.test
		farm_more 5
	done
}

both_keys() {
	ok "who keeps no session sees the new key, and then the old one again" wait_for 60 came_back s1
}

rotated() {
	no_complaint "a key replaced on three hosts, one after another"
	is "$(farm_log | grep -o 'blackpony-mailer.*key=SHA256:[^,]*' | sed 's/.*key=//' | sort -u | xargs)" \
		"$(printf '%s\n' "$first" "$second" | sort | xargs)" "the senders have seen two keys, and no other"
	ok "as announced" test "$(farm_count "key=${second//+/[+]}, .*trust=announced")" -ge 1
	for name in $farm_hosts; do
		like "$(host_log "$name")" 'blackpony-receiver.* via=\[10\.77\.0\.25\].* messages=' "$name had some by HAProxy"
		ok "$name had some of the mail" had_mail "$name"
		like "$(host_run "$name" /usr/libexec/blackpony/blackpony-receiver $farm_args --check)" \
			"^ok: commits .* next key ${third//+/[+]}" "$name announces the key after that"
	done
	unlike "$(for name in $farm_hosts; do host_log "$name"; done)" 'no commitment sent|own-key|no upgrade offered' \
		"every session had the farm's key, and a commitment"
}
had_mail() { [ "$(grep -c '^Subject: ' "$(host_root "$1")/var/mail/box/bob")" -ge 3 ]; }
came_back() { host_log "$1" | grep -o 'key=SHA256:[^,]*' | uniq | grep -A1 -F "$second" | grep -qF "$first"; }

# power_cut NAME: its init is killed amid mail. What its disk has goes to $WORLD/disk.
power_cut() {
	local box queue
	exec {box}<"$(host_root "$1")/var/mail/box" {queue}<"$(host_root "$1")/var/spool/mqueue"
	host_stop "$1"
	cat "/proc/self/fd/$box/bob" >"$WORLD/disk"
	# What is in the box already would be in the queue no longer in a moment.
	sed -n 's/^H.*\(Subject: .*\|Message-Id: .*\)/\1/p' "/proc/self/fd/$queue"/qf* 2>/dev/null |
		grep -vxF -f "$WORLD/disk" >"$WORLD/queued"
	cat "$WORLD/queued" >>"$WORLD/disk"
	exec {box}<&- {queue}<&-
}

# amid_body NAME: as soon as a part of a large message is there, all that sendmail does there stands still.
amid_body() {
	# shellcheck disable=SC2016 # Perl's
	host_spawn "$1" watch nice -n -20 perl -e 'for (;;) {
		last if grep { -s $_ > 1e6 } glob "/var/spool/mqueue/df*";
		select undef, undef, undef, 0.005;
	}
	for (glob "/proc/[0-9]*") {
		open my $f, "$_/comm" or next;
		kill "STOP", substr $_, 6 if <$f> =~ /^sendmail/;
	}
	print "amid\n";'
}

# The queue ids of what came twice without ever having been deferred.
twice() {
	local id
	for id in $(farm_ids "$WORLD/disk" | uniq -d); do
		farm_log | grep -q " $id: .*stat=Deferred" || echo "$id"
	done
}
deferred() { host_log s2 | grep -q 'to=bob@third\.test, .*stat=Deferred'; }
no_queue() { ! { host_queue s1; host_queue s2; } | grep -q 'bob@'; }

death() {
	local name
	{
		printf 'Subject: large\nTo: friends:;\n\n'
		seq -f 'line %020g, and twenty megabytes of its like' 1 350000
	} | host_put s2 /root/large
	amid_body mx3
	host_spawn s2 large sh -c 'exec sendmail-mta -Am -odi -oem -i -f alice@s2.test -- bob@third.test </root/large'
	ok "a large message is on its way to mx3" wait_for 60 grep -q amid "$(host_root mx3)/var/log/watch.out"
	power_cut mx3
	farm_more 3
	farm_stop
	ok "mx3 dies amid a message, which waits" wait_for 30 deferred
	for name in $farm_senders; do
		host_flush "$name"
	done
	ok "it comes by another host" wait_for 60 grep -q '^Subject: large' "$(host_root mx1)/var/mail/box/bob"
	ok "all else has come" wait_for 30 farm_complete "$WORLD/disk" || diag "missing: $(farm_missing "$WORLD/disk")"
	ok "no queue has any" wait_for 10 no_queue
	is "$(farm_ids "$WORLD/disk" | uniq | wc -l)" $(($(farm_came "$WORLD/disk" | uniq | wc -l) + 1)) \
		"each is known by its sender's queue id, the large one too"
	is "$(twice)" "" "nothing came twice but what was itself deferred"
	is "$(farm_count 'trust=changed|key changed')" 0 "and still no complaint about a key" ||
		diag "$(farm_log | grep -E 'trust=changed|key changed')"
	is "$(farm_log | grep 'blackpony-mailer.* messages=1' | grep -vc ' suite=mlkem768x25519-chachapoly, ')" 0 \
		"nothing went in clear"
}

# What FARM.md has somebody look at.
monitoring() {
	local domain known name said
	for domain in farm.test names.test balanced.test; do
		ok "--probe: mail for $domain would be encrypted" host_run s1 $mailer -t 4 --probe --json "$domain"
		is "$(host_run s1 $mailer -t 4 --probe --json "$domain" | grep -o '"key": *"[^"]*"' | sort -u | grep -o 'SHA256:[^"]*')" \
			"$second" "with the key of the farm, and no other"
	done
	for name in mx1 mx2; do
		said=$(host_run s2 $mailer -t 4 --probe --json "[10.77.0.${name#mx}]")
		is $? 0 "$name by its address: mail would be encrypted" || diag "$said"
		like "$said" "\"key\": *\"${second//+/[+]}\"" "with the key of the farm"
	done
	ok "a host of the farm encrypts to the farm too, for its own key is another" host_run mx1 $mailer -t 4 --probe balanced.test
	known=$(host_run s2 blackpony-keygen -L)
	host_run s1 blackpony-keygen -L | host_run s2 blackpony-keygen --import - >/dev/null
	is "$(host_run s2 blackpony-keygen -L)" "$known" "pins carried from one sender to another change none that it has"
	like "$({
		host_log mx1
		host_log mx2
	} | "${BLACKPONY_BIN:-$world_build}/blackpony-report" --json - | tr -d ' \n')" '"received":.*"messages":\{"hybrid":[1-9][0-9]*,"classical":0,"starttls":0,"clear":0\}' \
		"one report of all hosts: all of it encrypted"
}

# For a moment HAProxy has nobody: that is no dead host, which would be left alone for half an hour.
none_left() {
	host_kill mx1 inetd
	host_kill mx2 inetd
	ok "HAProxy notices that no host is left" wait_for 30 grep -q 'has no server available' "$(host_root lb)/var/log/haproxy.out"
	printf 'Subject: patient\n\n' | host_run s1 sendmail-mta -Am -odi -i -f alice@s1.test -- bob@balanced.test
	like "$(host_log s1 | grep 'to=bob@balanced' | tail -n 1)" 'stat=Deferred: 451 4\.4\.2 ' "no host is left: mail waits"
	host_inetd mx1 "$WORLD/mx1.inetd"
	ok "one is back" wait_for 30 grep -q 'mx1 is UP' "$(host_root lb)/var/log/haproxy.out"
	host_flush s1
	ok "and mail goes at once" wait_for 20 grep -q 'Subject: patient' "$(host_root mx1)/var/mail/box/bob" ||
		diag "$(host_log s1 | tail -n 3)"
}

# What the counts above would show if a host had a key of its own.
stranger() {
	host_run mx1 sh -c 'cd /etc/blackpony/farm && rm hostkey && blackpony-keygen -q -f hostkey'
	printf 'Subject: strange\n\n' | host_run s1 sendmail-mta -Am -odi -i -f alice@s1.test -- bob@names.test bob@farm.test
	printf 'Subject: strange\n\n' | host_run s2 sendmail-mta -Am -odi -i -f alice@s2.test -- bob@names.test
	for ((n = 0; n < 20 && $(farm_count 'host key.*key changed') == 0; n++)); do
		printf 'Subject: strange\n\n' | host_run s1 sendmail-mta -Am -odi -i -f alice@s1.test -- bob@names.test
	done
	like "$(farm_log)" 'host key.*key changed from' "a host with a key of its own is noticed"
}

world_start
zones
farm_keys
n=0
for name in $farm_hosts; do
	farm_receiver "$name" $((n += 1)) -M 0
done
farm_sender s1 4 -t 4 -K 0 # a host that is dead is not waited for as long as ever
farm_sender s2 5 -t 4
first_keys
farm_balancer
learn
wiretap_start
for name in $farm_senders; do
	farm_traffic "$name" balanced.test farm.test names.test
done
farm_more 4
rotation
rotated
death
wiretap_stop "$WORLD/pcap"
ok "the wiretap has the words by which they agree to encrypt" grep -q XPONY "$WORLD/pcap"
nok "and none of the mail" grep -q 'nobody on the way may read this' "$WORLD/pcap"
monitoring
none_left
stranger
done_testing
