#!/bin/bash
# 505-mutated-octets - row 5: each octet of the offer, of the XPONY line and of the reply changed, one at a time,
# in both suites, between the real programs. Must happen: no handshake comes about. The receiver says 454 4.7.0
# in the same words to whatever is wrong with a well-formed line (501 and 504 are for what anybody can see of
# it), ends, and starts no sendmail; blackpony-mailer, told to encrypt, gives 451 4.7.5 and sends no envelope in
# clear. Needs root (t/lib).
#
# Octets of long messages are taken in steps; with BLACKPONY_ALL=1 there is none left out.
. "$abs_top_srcdir/t/lib/tap.sh"
. "$abs_top_srcdir/t/lib/world.sh"
. "$abs_top_srcdir/t/lib/mail.sh"
. "$abs_top_srcdir/t/lib/hostile.sh"

step=16
[ -z "${BLACKPONY_ALL-}" ] || step=1

octets() { said=$(host_run b python3 "$world_src/t/tools/every_octet.py" "$1" 10.77.0.2 $step 2>&1) || diag "$said"; }

# all PART MINIMUM OUTCOME: at least so many, each with that outcome and no other.
all() {
	local found
	found=$(sed -n "s/^$1: //p" <<<"$said")
	is "${found#* }" "$3" "$1: $3"
	ok "$1: ${found%% *} times" test "${found%% *}" -ge "$2"
}

world_start
host_start b 10.77.0.2 fd77::2 sendmail inetd
host_start c 10.77.0.3 fd77::3 tools
pony_host b
mail_boxes b bob
overheard_inetd b
octets receiver
all "classical, honest" 1 220
all "hybrid, honest" 1 220
crypto_text='454 4.7.0 Encryption failed'
all "classical, offer" 5 "$crypto_text"
all "hybrid, offer" 95 "$crypto_text"
all "classical, message 2" 127 "$crypto_text"
all "hybrid, message 2" 100 "$crypto_text"
is "$(sed -n 's/^classical, suite: [0-9]* //p' <<<"$said" | cut -d' ' -f1 | paste -sd' ')" "501 504" "another suite's name: 501 or 504"
is "$(sed -n 's/^hybrid, suite: [0-9]* //p' <<<"$said" | cut -d' ' -f1 | paste -sd' ')" "501 504" "that of the hybrid one too"

# The whole line: what anybody can see to be wrong with it, and what is wrong behind that.
clients c 5
for name in "base64 padded" "base64 not canonical" "base64 of another alphabet" "base64 with a blank" \
	"base64 none" "line end bare" "line with a NUL" "line with a CR" "line too long" "version" \
	"suite in capitals"; do
	answered "$name" "$malformed"
done
for name in "suite unknown" "suite ROT" "another suite"; do
	answered "$name" "$no_suite"
done
for name in "message 2: key flipped" "message 2: static flipped" "message 2: tag flipped" "message 2: cut" \
	"message 2: one octet" "message 2: longer" "another offer" "offer without a suite" \
	"payload 2: two lines" "payload 2: empty EHLO" "payload 2: twice" "payload 2: critical" "payload 2: cut"; do
	answered "$name" "$crypto"
done
is "$(told b)" "" "no sendmail was told anything"

octets mailer
for word in classical hybrid; do
	all "$word, honest" 2 "250 2.1.5"
	all "$word, offer" 20 "451 4.7.5"
	all "$word, reply" 5 "451 4.7.5"
done
done_testing
