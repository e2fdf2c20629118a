#!/bin/bash
# 1b-dnskeys - the keys that DNS has for a mail host (PROTOCOL.md, "Keys in DNS"): a really signed zone
# behind a validating resolver (nsd, unbound), what is wrong in it, who is believed, and a server that
# lies (t/tools/liar.py).
. "$abs_top_srcdir/t/lib/tap.sh"
. "$abs_top_srcdir/t/lib/world.sh"

show=$abs_top_builddir/t/tools/resolve-show
self=10.77.0.1 nsd=10.77.0.53 liar=10.77.0.54 nobody=10.77.0.55

# fingerprint N: that of a key whose hash is 32 octets of N.
fingerprint() {
	local octet
	octet=$(printf '\\x%02x' "$1")
	# shellcheck disable=SC2059 # octets
	printf "SHA256:%s\n" "$(for _ in {1..32}; do printf "$octet"; done | base64 | tr -d '=\n')"
}
for n in {1..12}; do
	declare "f$n=$(fingerprint "$n")"
done

# keys NAME WANTED HOST...: resolve-show -k says exactly that; "|" stands for a line's end.
keys() {
	local name=$1 wanted=$2
	shift 2
	out=$(host_run client timeout 100 "$show" -k "$@" 2>"$WORLD/stderr")
	is "$(tr '\n' '|' <<<"$out")" "$wanted|" "$name"
}

# asks [LINE...]: the client's resolv.conf.
asks() {
	printf '%s\n' "$@" | host_put client /etc/resolv.conf
}

# sign DOMAIN: that zone, with a key of its own, and its trust anchor for unbound.
sign() {
	local zone=$1
	host_put client "/keys/$zone.zone" <"$WORLD/zones/zone.$zone."
	# shellcheck disable=SC2016 # expanded on the host
	host_run client sh -e -c 'cd /keys
		key=$(ldns-keygen -r /dev/urandom -a ECDSAP256SHA256 -k "$1")
		ldns-signzone -n -o "$1" "$1.zone" "$key"
		cat "$key.key" >>anchors' sh "$zone" >&2 || bail "$zone cannot be signed"
	cp "$(host_root client)/keys/$zone.zone.signed" "$WORLD/zones/zone.$zone."
}

world_start
world_box client client.test unbound ldns
host_ip4[client]=$self host_ip6[client]=fd77::1
host_plug client

long=$(printf 'x%.0s' {1..255})
world_zone signed.test <<END
@ IN MX 10 mx
mx IN A 192.0.2.1
_xpony.mx IN TXT "v=XPONY1; k=$f1"
_xpony.two IN TXT "v=XPONY1; k=$f1; k=$f2"
_xpony.records IN TXT "v=XPONY1; k=$f1"
_xpony.records IN TXT "v=XPONY1; k=$f2; k=$f1"
_xpony.strings IN TXT "v=XPONY1; k=${f1:0:20}" "${f1:20}; k=" "$f2"
_xpony.blanks IN TXT " v = XPONY1 ;; k =  $f1  ; "
_xpony.tags IN TXT "v=XPONY1; t=y; n=k=no; key=$f2; K=$f3; k=$f1; junk"
_xpony.bare IN TXT "v=XPONY1;k=$f1;"
_xpony.others IN TXT "v=spf1 -all"
_xpony.others IN TXT "v=XPONY2; k=$f2"
_xpony.others IN TXT "v=XPONY10; k=$f2"
_xpony.others IN TXT "k=$f2; v=XPONY1"
_xpony.others IN TXT "V=XPONY1; k=$f2"
_xpony.others IN TXT "$f2"
_xpony.mixed IN TXT "v=spf1 -all"
_xpony.mixed IN TXT "v=XPONY1; k=$f1"
_xpony.mixed IN TXT "v=XPONY1; k=${f2}A"
_xpony.bad1 IN TXT "v=XPONY1"
_xpony.bad2 IN TXT "v=XPONY1; k="
_xpony.bad3 IN TXT "v=XPONY1; k=${f1%?}"
_xpony.bad4 IN TXT "v=XPONY1; k=$f1; k=SHA1:abc"
_xpony.bad5 IN TXT "v=XPONY1; k=$f1 k=$f2"
_xpony.bad6 IN TXT "v=XPONY1; k=${f1%?}="
_xpony.garbage IN TXT "v=XPONY1; k=SHA256:\\000\\255\\001%n%s"
_xpony.garbage IN TXT "\\000\\001\\002\\255"
_xpony.garbage IN TXT ""
_xpony.most IN TXT "v=XPONY1; k=$f1; k=$f2; k=$f3; k=$f4" "; k=$f5; k=$f6; k=$f7; k=$f8"
_xpony.more IN TXT "v=XPONY1; k=$f1; k=$f2; k=$f3; k=$f4" "; k=$f5; k=$f6; k=$f7; k=$f8" "; k=$f9; k=$f10"
_xpony.large IN TXT "v=XPONY1; x=" $(printf '"%s" ' "$long"{,,,,,,,,,,}) "; k=$f1"
_xpony.oversize IN TXT "v=XPONY1; k=$f1; x=" $(printf '"%s" ' "$long"{,,,,,,,,,,,,,,,,,,,})
_xpony.alias IN CNAME _xpony.mx
_xpony.leaves IN CNAME _xpony.mx.unsigned.test.
_xpony.dangling IN CNAME _xpony.gone
_xpony.circle IN CNAME _xpony.circle2
_xpony.circle2 IN CNAME _xpony.circle
_xpony.address IN A 192.0.2.1
*.wild IN TXT "v=XPONY1; k=$f4"
END
world_zone unsigned.test <<END
@ IN MX 10 mx
mx IN A 192.0.2.2
_xpony.mx IN TXT "v=XPONY1; k=$f3"
_xpony.alias IN CNAME _xpony.mx.signed.test.
forged IN MX 10 mx.signed.test.
END
world_zone bogus.test <<END
@ IN MX 10 mx
mx IN A 192.0.2.3
_xpony.mx IN TXT "v=XPONY1; k=$f1"
_xpony.good IN TXT "v=XPONY1; k=$f1"
END
sign signed.test
sign bogus.test
# Somebody between name server and resolver puts in a key of his own.
sed -i "/^_xpony.mx.*TXT[[:space:]]*\"/s|$f1|$f2|" "$WORLD/zones/zone.bogus.test."
world_dns

host_put client /etc/unbound/test.conf <<END
server:
	username: ""
	chroot: ""
	directory: ""
	pidfile: ""
	use-syslog: no
	interface: 127.0.0.1
	interface: ::1
	interface: $self
	access-control: 0.0.0.0/0 allow
	module-config: "validator iterator"
	trust-anchor-file: /keys/anchors
	local-zone: "test." nodefault
remote-control:
	control-enable: no
stub-zone:
	name: "."
	stub-addr: $nsd
END
host_spawn client unbound unbound -d -c /etc/unbound/test.conf
wait_for 10 host_listens client 53 || bail "no unbound: $(cat "$(host_root client)/var/log/unbound.out")"

asks 'nameserver 127.0.0.1'
keys "a signed key" "mx.signed.test: authentic 0|$f1" mx.signed.test
keys "in capitals, with a dot at the end" "MX.Signed.TEST.: authentic 0|$f1" MX.Signed.TEST.
keys "two keys in a record" "two.signed.test: authentic 0|$f1|$f2" two.signed.test
keys "two records, one key in both" "records.signed.test: authentic 0|$f1|$f2" records.signed.test
keys "strings are joined" "strings.signed.test: authentic 0|$f1|$f2" strings.signed.test
keys "blanks and empty tags" "blanks.signed.test: authentic 0|$f1" blanks.signed.test
keys "no blanks" "bare.signed.test: authentic 0|$f1" bare.signed.test
keys "unknown tags are skipped" "tags.signed.test: authentic 0|$f1" tags.signed.test
keys "records of others are not there" "others.signed.test: denied 0" others.signed.test
keys "others, a good one, a bad one" "mixed.signed.test: authentic 1|$f1" mixed.signed.test
for i in 1 2 3 4 5 6; do
	keys "a bad record ($i) is as not there, and counted" "bad$i.signed.test: denied 1" bad$i.signed.test
done
keys "garbage" "garbage.signed.test: denied 1" garbage.signed.test
keys "eight keys" "most.signed.test: authentic 0|$f1|$f2|$f3|$f4|$f5|$f6|$f7|$f8" most.signed.test
keys "of ten keys eight" "more.signed.test: authentic 2|$f1|$f2|$f3|$f4|$f5|$f6|$f7|$f8" more.signed.test
keys "a record of 2900 octets, by TCP" "large.signed.test: authentic 0|$f1" large.signed.test
keys "a record too large" "oversize.signed.test: denied 1" oversize.signed.test
keys "a wildcard" "_xpony.any.wild.signed.test: authentic 0|$f4" _xpony.any.wild.signed.test
keys "CNAME within what is signed" "alias.signed.test: authentic 0|$f1" alias.signed.test
keys "CNAME that leaves it" "leaves.signed.test: unauthentic 0|$f3" leaves.signed.test
keys "CNAME into it" "alias.unsigned.test: unauthentic 0|$f1" alias.unsigned.test
keys "CNAME to nothing" "dangling.signed.test: denied 0" dangling.signed.test
host_run client "$show" -k circle.signed.test >"$WORLD/circle" 2>/dev/null
like "$(cat "$WORLD/circle")" '^circle[.]signed[.]test: (denied|none|temporary) 0$' "CNAMEs in a circle"
keys "NXDOMAIN, signed" "gone.signed.test: denied 0" gone.signed.test
keys "no TXT, signed" "address.signed.test: denied 0" address.signed.test
keys "no signatures" "mx.unsigned.test: unauthentic 0|$f3" mx.unsigned.test
keys "NXDOMAIN, unsigned" "gone.unsigned.test: none 0" gone.unsigned.test
keys "a signature that does not fit" "mx.bogus.test: temporary 0" mx.bogus.test
keys "its neighbour, whole" "good.bogus.test: authentic 0|$f1" good.bogus.test
keys "no name has them" "a..b: none 0|[192.0.2.1]: none 0|: none 0" a..b '[192.0.2.1]' ''
name=$(printf 'y%.0s' {1..61}).
keys "a name with no room for _xpony" "$name$name$name$name: none 0" "$name$name$name$name"

# The name of the host is another matter: an MX record that nobody signed may be a lie.
found() {
	host_run client timeout 60 "$show" -4 "$1" 2>/dev/null | tail -n 1
}
is "$(found signed.test)" "10 mx.signed.test 192.0.2.1 authentic" "a signed MX"
is "$(found unsigned.test)" "10 mx.unsigned.test 192.0.2.2" "an unsigned one"
is "$(found forged.unsigned.test)" "10 mx.signed.test 192.0.2.1" "an unsigned one to a host whose key is signed"

# Who is believed.
asks 'nameserver ::1'
keys "::1 is loopback" "mx.signed.test: authentic 0|$f1" mx.signed.test
asks '# nothing'
keys "no name server means 127.0.0.1" "mx.signed.test: authentic 0|$f1" mx.signed.test
asks "nameserver $self"
keys "a server elsewhere is not believed" "mx.signed.test: unauthentic 0|$f1" mx.signed.test
keys "nor its denial" "gone.signed.test: none 0" gone.signed.test
is "$(found signed.test)" "10 mx.signed.test 192.0.2.1" "nor its MX"
asks "nameserver $self" 'options trust-ad'
keys "unless resolv.conf says so" "mx.signed.test: authentic 0|$f1" mx.signed.test
asks 'nameserver 127.0.0.1' "nameserver $self"
keys "one elsewhere beside loopback spoils it" "mx.signed.test: unauthentic 0|$f1" mx.signed.test
asks 'nameserver ::1' 'nameserver 127.0.0.1'
keys "both on loopback" "mx.signed.test: authentic 0|$f1" mx.signed.test
asks "nameserver $nsd" 'options trust-ad'
keys "who does not validate sets no AD" "mx.signed.test: unauthentic 0|$f1" mx.signed.test

# Lies.
world_ip wire <<<"addr add $liar/24 dev br0"
host_spawn wire liar python3 "$abs_top_srcdir/t/tools/liar.py" $liar
# Port 53 alone would be nsd's, which is there all along.
wait_for 10 grep -q ': 36004D0A:0035 ' "/proc/${host_pid[wire]}/net/tcp" || bail "no liar"
asks "nameserver $liar"
keys "AD unasked, from elsewhere" "ad.liar.test: unauthentic 0|$f1" ad.liar.test
keys "NXDOMAIN with AD, from elsewhere" "gone-ad.liar.test: none 0" gone-ad.liar.test
asks "nameserver $liar" 'options trust-ad'
keys "AD" "ad.liar.test: authentic 0|$f1" ad.liar.test
keys "no AD" "plain.liar.test: unauthentic 0|$f1" plain.liar.test
keys "an alias with AD, its end without" "chain.liar.test: unauthentic 0|$f1" chain.liar.test
keys "no records, with AD" "denied.liar.test: denied 0" denied.liar.test
keys "NXDOMAIN with AD" "gone-ad.liar.test: denied 0" gone-ad.liar.test
keys "a string longer than its record" "overrun.liar.test: authentic 2|$f1" overrun.liar.test
keys "empty records" "empty.liar.test: denied 0" empty.liar.test
keys "keys of strangers, types and classes" "strangers.liar.test: temporary 0" strangers.liar.test
keys "60000 octets" "huge.liar.test: authentic 1|$f1" huge.liar.test
out=$(host_run client "$show" -k many.liar.test 2>/dev/null)
is "$(head -n 1 <<<"$out") $(grep -c SHA256 <<<"$out")" "many.liar.test: authentic 240 8" \
	"600 records: 256 are looked at, eight of their 200 keys are kept"
for _ in 1 2 3 4 5 6; do
	like "$(host_run client "$show" -k noise.liar.test 2>/dev/null)" '^noise[.]liar[.]test: (denied|temporary) [0-9]+$' "noise"
done
asks "nameserver $liar" 'options timeout:1 attempts:1 trust-ad' # most of them are not worth a long wait
for lie in servfail refused silent wrongid wrongquestion babble stump pointer countlie \
	lame truncated cut; do
	keys "$lie" "$lie.liar.test: temporary 0" $lie.liar.test
done

asks "nameserver $nobody" 'options timeout:1 attempts:1'
keys "no name server" "mx.signed.test: temporary 0" -t 4 mx.signed.test
done_testing
