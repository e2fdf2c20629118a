#!/bin/bash
# 14-resolve - from a mail domain to the addresses to be tried: with a real name server (nsd), with
# one that lies (t/tools/liar.py), and with one that is not there (hostile network, row 19).
. "$abs_top_srcdir/t/lib/tap.sh"
. "$abs_top_srcdir/t/lib/world.sh"

show=$abs_top_builddir/t/tools/resolve-show
nsd=10.77.0.53 liar=10.77.0.54 nobody=10.77.0.55

# look ARGUMENT...: sets $out, one line a line of resolve-show, and $took (milliseconds).
look() {
	local begin=${EPOCHREALTIME/./}
	out=$(host_run client timeout 100 "$show" "$@" 2>"$WORLD/stderr")
	took=$(((${EPOCHREALTIME/./} - begin) / 1000))
}

# finds NAME WANTED ARGUMENT...: resolve-show says exactly that; "|" stands for a line's end.
finds() {
	local name=$1 wanted=$2
	shift 2
	look "$@"
	is "$(tr '\n' '|' <<<"$out")" "$wanted|" "$name"
}

# asks SERVER [LINE...]: the client's resolv.conf.
asks() {
	printf '%s\n' "nameserver $1" "${@:2}" | host_put client /etc/resolv.conf
}

world_start
world_box client client.test
host_ip4[client]=10.77.0.1 host_ip6[client]=fd77::1
host_plug client
host_put client /etc/own-names <<'END'
# names of ours
localhost

 ours.test   also-ours.test. # two in one line
MX.Third.Test
END

long=$(printf 'a%.0s' {1..63})
world_zone one.test <<'END'
@ IN MX 10 mail
mail IN A 192.0.2.1
mail IN AAAA 2001:db8::1
END
world_zone order.test <<'END'
@ IN MX 30 c
@ IN MX 10 a
@ IN MX 20 b
a IN A 192.0.2.10
b IN A 192.0.2.20
c IN A 192.0.2.30
equal IN MX 5 a
equal IN MX 5 b
equal IN MX 5 c
many IN A 192.0.2.41
many IN A 192.0.2.42
many IN AAAA 2001:db8::41
many IN AAAA 2001:db8::42
END
world_zone odd.test <<'END'
implicit IN A 192.0.2.3
implicit6 IN AAAA 2001:db8::3
txtonly IN TXT "no address"
null IN MX 0 .
alias IN CNAME one.test.
alias2 IN CNAME alias
circle IN CNAME circle2
circle2 IN CNAME circle
mxalias IN MX 10 mxcname
mxcname IN CNAME mail.one.test.
deadmx IN MX 10 gone
deadmx IN MX 20 txtonly
partdead IN MX 10 gone
partdead IN MX 20 mail.one.test.
circlemx IN MX 10 circle
under_score IN MX 10 mail.one.test.
END
world_zone own.test <<'END'
last IN MX 10 mail.one.test.
last IN MX 20 ours.test.
last IN MX 20 mx1.order.test.
last IN MX 30 c.order.test.
first IN MX 10 MX.third.test.
first IN MX 20 c.order.test.
byaddress IN MX 10 mail.one.test.
byaddress IN MX 20 me
byaddress IN MX 20 a.order.test.
byaddress IN MX 30 b.order.test.
byhostname IN MX 10 client.test.
loopback IN MX 10 lo
lo IN A 127.0.5.5
loopback6 IN MX 10 lo6
lo6 IN AAAA ::1
any IN MX 10 any4
any4 IN A 0.0.0.0
me IN A 10.77.0.1
me6 IN AAAA fd77::1
END
world_zone ours.test <<'END'
@ IN A 192.0.2.77
END
world_dns
asks $nsd

finds "MX, A and AAAA, IPv6 first" "one.test: found|10 mail.one.test 2001:db8::1|10 mail.one.test 192.0.2.1" one.test
finds "a trailing dot changes nothing" "one.test.: found|10 mail.one.test 2001:db8::1|10 mail.one.test 192.0.2.1" one.test.
finds "nor do capitals" "ONE.Test: found|10 mail.one.test 2001:db8::1|10 mail.one.test 192.0.2.1" ONE.Test
finds "-4" "one.test: found|10 mail.one.test 192.0.2.1" -4 one.test
finds "-6" "one.test: found|10 mail.one.test 2001:db8::1" -6 one.test
finds "-6 for a domain of IPv4 hosts" "order.test: unroutable order.test" -6 order.test
finds "without MX, as for [host]" "mail.one.test: found|0 mail.one.test 192.0.2.1 authentic" -4 -n mail.one.test
finds "[host] that does not exist" "gone.one.test: unknown gone.one.test" -n gone.one.test
finds "[host] without an address" "txtonly.odd.test: unroutable txtonly.odd.test" -n txtonly.odd.test
finds "preference order" \
	"order.test: found|10 a.order.test 192.0.2.10|20 b.order.test 192.0.2.20|30 c.order.test 192.0.2.30" order.test
finds "an underscore is taken" "under_score.odd.test: found|10 mail.one.test 192.0.2.1" -4 under_score.odd.test

# Each of the six orders of three equals comes up in 60 tries, but once in 9000 runs.
look $(printf 'equal.order.test %.0s' {1..60})
is "$(grep '^5' <<<"$out" | cut -c3 | paste -sd '  \n' | sort -u | wc -l)" 6 "equal preference: every order comes up"
look $(printf 'many.order.test %.0s' {1..40})
is "$(grep '^0' <<<"$out" | sed 's/.*::4/six /; s/.*2[.]4/four /' | paste -sd '   \n' | sort -u | tr '\n' '|')" \
	"six 1 four 1 six 2 four 2|six 1 four 2 six 2 four 1|six 2 four 1 six 1 four 2|six 2 four 2 six 1 four 1|" \
	"addresses of a host: families by turns, each in random order"

finds "implicit MX" "implicit.odd.test: found|0 implicit.odd.test 192.0.2.3" implicit.odd.test
finds "implicit MX, IPv6" "implicit6.odd.test: found|0 implicit6.odd.test 2001:db8::3" implicit6.odd.test
finds "a domain with neither MX nor address" "txtonly.odd.test: unroutable txtonly.odd.test" txtonly.odd.test
finds "a domain that does not exist" "gone.one.test: unknown gone.one.test" gone.one.test
finds "null MX" "null.odd.test: null-mx null.odd.test" null.odd.test
finds "CNAME to another zone, and its MX" "alias.odd.test: found|10 mail.one.test 192.0.2.1" -4 alias.odd.test
finds "CNAME to a CNAME" "alias2.odd.test: found|10 mail.one.test 192.0.2.1" -4 alias2.odd.test
finds "CNAMEs in a circle" "circle.odd.test: cname-loop circle.odd.test" circle.odd.test
finds "MX at a CNAME is tolerated" "mxalias.odd.test: found|10 mxcname.odd.test 192.0.2.1" -4 mxalias.odd.test
finds "MX at CNAMEs in a circle" "circlemx.odd.test: cname-loop circle.odd.test" circlemx.odd.test
finds "no MX host has an address" "deadmx.odd.test: unroutable deadmx.odd.test" deadmx.odd.test
finds "MX hosts without address are passed over" "partdead.odd.test: found|20 mail.one.test 192.0.2.1" -4 partdead.odd.test
for bad in '' . .a a..b 'a b' "$long$long.test" 'a;b' $'a\nb' -- "$(printf '\303\244').test"; do
	[ "$bad" != -- ] || continue
	finds "bad name '${bad//$'\n'/\\n}'" "${bad//$'\n'/|}: bad-name " -- "$bad"
done
finds "labels of 63 octets, 253 in all, are a name" "$long.$long.$long.${long:2}: unknown $long.$long.$long.${long:2}" \
	"$long.$long.$long.${long:2}"
finds "254 are not" "$long.$long.$long.${long:1}: bad-name " "$long.$long.$long.${long:1}"

finds "our name cuts the list there, equals included" "last.own.test: found|10 mail.one.test 192.0.2.1" \
	-4 -w /etc/own-names last.own.test
finds "our name is the best" "first.own.test: ourselves first.own.test" -w /etc/own-names first.own.test
finds "our hostname is ours" "byhostname.own.test: ourselves byhostname.own.test" byhostname.own.test
finds "a name of ours without MX" "ours.test: ourselves ours.test" -w /etc/own-names ours.test
finds "[host] is never cut" "me.own.test: found|0 me.own.test 10.77.0.1 authentic" -a -n me.own.test
# Which of two equals comes first is chance: twelve times.
look -4 -a $(printf 'byaddress.own.test %.0s' {1..12})
is "$(sort -u <<<"$out" | tr '\n' '|')" "10 mail.one.test 192.0.2.1|byaddress.own.test: found|" \
	"our address cuts too, equals included"
for own in loopback loopback6 any me me6; do
	finds "$own is ourselves" "$own.own.test: ourselves $own.own.test" -a $own.own.test
done
finds "on another port our address is no loop" "me.own.test: found|0 me.own.test 10.77.0.1" me.own.test
look -w /etc/nothing one.test
is "$out $(cat "$WORLD/stderr")" " resolve-show: /etc/nothing: No such file or directory" "no file of own names"
look -w /etc one.test
is "$out $(cat "$WORLD/stderr")" " resolve-show: /etc: Is a directory" "a directory for it"

# sendmail's own client asks the system's resolver for "[host]": /etc/hosts first.
host_put client /etc/hosts <<'END'
127.0.0.1 localhost
192.0.2.201 Filed.Example filed mail.one.test
192.0.2.202 filed.example
2001:db8::201 filed.example
END
if grep -q 'define HAVE___NSS_CONFIGURE_LOOKUP 1' "$abs_top_builddir/config.h"; then
	look -n filed.example
	is "$(sort <<<"$out" | tr '\n' '|')" \
		"0 filed.example 192.0.2.201 authentic|0 filed.example 192.0.2.202 authentic|0 filed.example 2001:db8::201 authentic|filed.example: found|" \
		"[host] by /etc/hosts, both families"
	is "$(sed -n 2p <<<"$out")" "0 filed.example 2001:db8::201 authentic" "IPv6 first"
	finds "-6 by /etc/hosts" "FILED.example.: found|0 filed.example 2001:db8::201 authentic" -6 -n FILED.example.
	finds "another name on the line, a single label" "filed: found|0 filed 192.0.2.201 authentic" -n filed
	finds "/etc/hosts goes before DNS, for both families" \
		"mail.one.test: found|0 mail.one.test 192.0.2.201 authentic" -n mail.one.test
	finds "nothing in the family wanted: DNS is asked" \
		"mail.one.test: found|0 mail.one.test 2001:db8::1 authentic" -6 -n mail.one.test
else
	skip "this C library cannot be told to read /etc/hosts alone" 6
fi
finds "a domain is never looked for in /etc/hosts" "filed.example: unknown filed.example" filed.example
finds "nor is an MX host" "one.test: found|10 mail.one.test 192.0.2.1" -4 one.test
finds "[host] that is not there is asked of DNS" "a.order.test: found|0 a.order.test 192.0.2.10 authentic" \
	-4 -n a.order.test
host_run client rm /etc/hosts
finds "so is every one without that file" "mail.one.test: found|0 mail.one.test 192.0.2.1 authentic" \
	-4 -n mail.one.test

asks $nsd 'search odd.test one.test'
finds "a single label is searched for" "implicit: found|0 implicit.odd.test 192.0.2.3" implicit
finds "in each domain of the list" "mail: found|0 mail.one.test 192.0.2.1" -4 mail
finds "a dot at the end ends that" "mail.: unknown mail" mail.
finds "a name with dots in it is not searched for" "mail.one: unknown mail.one" mail.one

# Routes: destinations one after the other, and the verdict when none is left.
verdict() { # NAME WANTED ARGUMENT...
	local name=$1 wanted=$2
	shift 2
	look -c 4 "$@"
	is "$(tail -n 1 <<<"$out")" "$wanted" "$name"
}
asks $nsd
verdict "verdict: unknown" "550 5.1.2 gone.one.test: this domain does not exist" gone.one.test
verdict "verdict: null MX" "556 5.1.10 null.odd.test: this domain takes no mail (null MX)" null.odd.test
verdict "verdict: no address" "550 5.4.4 deadmx.odd.test: no mail host of it has an address" deadmx.odd.test
verdict "verdict: no address for -6" "550 5.4.4 order.test: no mail host of it has an IPv6 address" -6 order.test
verdict "verdict: loops back" "553 5.3.5 first.own.test: mail for it loops back to this host" -w /etc/own-names first.own.test
verdict "verdict: CNAME loop" "554 5.4.6 circle.odd.test: CNAME records in a loop at circle.odd.test" circle.odd.test
verdict "verdict: bad destination" '501 5.1.2 bad destination "a..b": it is no host name (an address needs brackets)' a..b
verdict "verdict: refused" "451 4.4.1 me.own.test [10.77.0.1] port 4: Connection refused" me.own.test
verdict "verdict: refused, IPv6" "451 4.4.1 me6.own.test [IPv6:fd77::1] port 4: Connection refused" me6.own.test
verdict "verdict: the first permanent one" "556 5.1.10 null.odd.test: this domain takes no mail (null MX)" \
	null.odd.test:gone.one.test
verdict "verdict: temporary before permanent" "451 4.4.1 me.own.test [10.77.0.1] port 4: Connection refused" \
	gone.one.test:me.own.test:null.odd.test
host_spawn client sink python3 -c '
import socket
s = socket.create_server(("10.77.0.1", 4))
while True: s.accept()[0].close()'
wait_for 5 host_listens client 4
look -c 4 gone.one.test:me.own.test.:[10.77.0.1]:[me.own.test]
is "$(tr '\n' '|' <<<"$out")" \
	"me.own.test: connected me.own.test 10.77.0.1 4|[10.77.0.1]: connected [10.77.0.1] 10.77.0.1 4 authentic|me.own.test: connected me.own.test 10.77.0.1 4 authentic|451 4.4.2 me.own.test [10.77.0.1]: it took a connection, and no mail|" \
	"each destination in its turn, past the one that does not exist"
look -c 4 -b 10.77.0.9 me.own.test
is "$out" "451 4.4.1 me.own.test [10.77.0.1] port 4: source address: Cannot assign requested address" "a source address that is not ours"

# Lies.
world_ip wire <<<"addr add $liar/24 dev br0"
host_spawn wire liar python3 "$abs_top_srcdir/t/tools/liar.py" $liar
# Port 53 alone would be nsd's, which is there all along.
wait_for 10 grep -q ': 36004D0A:0035 ' "/proc/${host_pid[wire]}/net/tcp" || bail "no liar"
asks $liar 'options timeout:1 attempts:1'
temporary() { finds "$1: temporary" "$1.liar.test: temporary $1.liar.test" "$1.liar.test"; }
for lie in servfail refused silent wrongid wrongquestion babble stump pointer overrun countlie \
	lame onlystrangers truncated cut; do
	temporary $lie
done
finds "NXDOMAIN" "gone.liar.test: unknown gone.liar.test" gone.liar.test
finds "NXDOMAIN at the end of a CNAME" "dangling.liar.test: unknown dangling.liar.test" dangling.liar.test
finds "a circle in one answer" "loop.liar.test: cname-loop loop.liar.test" loop.liar.test
finds "an endless chain, a link at a time" "chain-on-0.liar.test: cname-loop chain-on-0.liar.test" chain-on-0.liar.test
finds "a chain of ten is followed" "chain-stop-10.liar.test: found|10 mx1.liar.test 192.0.2.1" -4 chain-stop-10.liar.test
finds "one of eleven is not" "chain-stop-11.liar.test: cname-loop chain-stop-11.liar.test" chain-stop-11.liar.test
look hundred.liar.test
is "$(grep -c '192[.]0' <<<"$out") $(sed -n 2,3p <<<"$out" | tr '\n' '|')" \
	"16 1 mx1.liar.test 2001:db8::1|1 mx1.liar.test 192.0.2.1|" "100 MX hosts: the best 16"
look -4 equal.liar.test
is "$(grep -c '^5' <<<"$out")" 16 "100 of equal preference: 16 of them"
look -4 thousands.liar.test
is "$(grep -c '^0 mx' <<<"$out")" 16 "1200 MX records, by TCP: 16 of them"
finds "records of strangers are passed over" "strangers.liar.test: found|10 mx2.liar.test 192.0.2.2" strangers.liar.test
finds "host names that are none are passed over" "badnames.liar.test: found|5 mx2.liar.test 192.0.2.2" badnames.liar.test
finds "so are records of a wrong length" "badlengths.liar.test: found|10 badaddress.liar.test 192.0.2.7" badlengths.liar.test
finds "and IPv4 addresses in an AAAA record" "mapped.liar.test: found|10 mapped.liar.test 2001:db8::66" mapped.liar.test
look crowd.liar.test
is "$(grep -c 198.51.100 <<<"$out")" 8 "a host of 200 addresses: 8 of them"
finds "an answer in one family, failure in the other" "half.liar.test: found|10 half.liar.test 192.0.2.9" half.liar.test
finds "one MX host fails, the other is found" "mixed-servfail-mx2.liar.test: found|20 mx2.liar.test 192.0.2.2" mixed-servfail-mx2.liar.test
finds "one fails, one does not exist: temporary" "mixed-servfail-gone.liar.test: temporary servfail.liar.test" mixed-servfail-gone.liar.test
finds "none exists: permanent" "mixed-gone-gone.liar.test: unroutable mixed-gone-gone.liar.test" mixed-gone-gone.liar.test
verdict "verdict: temporary" "451 4.4.3 servfail.liar.test: no good answer from the name servers for servfail.liar.test" servfail.liar.test
verdict "verdict: temporary before null MX" "451 4.4.3 servfail.liar.test: no good answer from the name servers for servfail.liar.test" \
	servfail.liar.test:gone.liar.test

finds "AD is not believed unasked" "pushy.liar.test: found|10 mx2.liar.test 192.0.2.2" pushy.liar.test
asks $liar 'options trust-ad'
finds "AD is believed where resolv.conf says so" "signed.liar.test: found|10 mx2.liar.test 192.0.2.2 authentic" signed.liar.test
finds "and only where it is set" "strangers.liar.test: found|10 mx2.liar.test 192.0.2.2" strangers.liar.test
asks $liar 'search liar.test' 'options trust-ad'
finds "and where no search list was needed" "signed: found|10 mx2.liar.test 192.0.2.2" signed

# Nobody there.
asks $nobody
look -t 9 one.test mail.one.test
like "$out" "^one.test: temporary one.test$" "no name server: temporary"
ok "within the time given" [ "$took" -lt 19000 ]

asks $nsd
first=$(for i in {1..20}; do host_run client "$show" one.test 2>&1 >/dev/null; done | sort -n | sed -n 10p)
later=$(host_run client "$show" $(printf 'one.test %.0s' {1..50}) 2>&1 >/dev/null | sort -n | sed -n 25p)
diag "MX, AAAA and A of one host, medians: the child's start included $first, without it $later"
done_testing
