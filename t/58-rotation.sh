#!/bin/bash
# 58-rotation - two hosts over a simulated month and a half: one commits to its key and replaces it twice,
# and no message waits; then its key is another one that nobody announced, and mail waits, for as long as
# the commitment runs and no longer. Real inetd and sendmail; the sender's blackpony-mailer alone lives in
# the future (libfaketime). Needs root (t/lib).
source=${abs_top_srcdir:-$(cd "$(dirname "$0")/.." && pwd)}
. "$source/t/lib/tap.sh"
. "$source/t/lib/world.sh"
. "$source/t/lib/mail.sh"

# The mailer in the future. It drops root first, as the mailer would: while real and effective user
# differ, the loader preloads nothing.
future_mailer() {
	host_put a /usr/libexec/blackpony/later 755 <<-'END'
		#!/usr/bin/python3 -I
		import glob, os, sys
		user, group = os.geteuid(), os.getegid()
		os.seteuid(0)
		os.setgroups([group])
		os.setresgid(group, group, group)
		os.setresuid(user, user, user)
		with open("/run/days") as days:
		    os.environ["FAKETIME"] = "+" + days.read().strip() + "d"
		for name in "FAKETIME_DISABLE_SHM", "FAKETIME_DONT_FAKE_MONOTONIC", "NO_FAKE_STAT":
		    os.environ[name] = "1"
		os.environ["ASAN_OPTIONS"] = "verify_asan_link_order=0"
		os.environ["LD_PRELOAD"] = glob.glob("/usr/lib/*/faketime/libfaketime.so.1")[0]
		os.execv("/usr/libexec/blackpony/blackpony-mailer", sys.argv)
	END
}

day() { host_put a /run/days <<<"$1"; }

# keygen_b ARGUMENT...: blackpony-keygen on b.
keygen_b() { ok "day $today: blackpony-keygen $*" host_run b blackpony-keygen -q "$@"; }

# send NAME: one message, which has been tried when this returns.
send() {
	printf 'Subject: %s\nTo: friends:;\n\nSome words.\n' "$1" >"$WORLD/$1"
	mail_send a "$WORLD/$1" "$1@b.test"
}

# days FIRST LAST: a message every day, which must arrive.
days() {
	for ((today = $1; today <= $2; today++)); do
		day "$today"
		send "day$today"
	done
	for ((today = $1; today <= $2; today++)); do
		wait_for 20 mail_there b "day$today" || lost+=" $today"
	done
	today=$(($2 + 1))
	day "$today"
}
lost=

trust_of() { host_log a | grep -o "blackpony-mailer.* trust=$1" | wc -l; }

says() { ok "$2" wait_for 5 grep -Eq -e "$1" "$(host_root a)/var/log/mail.log" || diag "$(host_log a | tail)"; }

a_month() {
	local first second third
	first=$(pony_fingerprint b)
	day 0
	send day0
	ok "day 0: mail arrives" wait_for 20 mail_there b day0
	ok "without a next key the receiver commits to nothing, and says so" wait_for 5 \
		grep -q 'blackpony-receiver.*no commitment sent, reason=.*hostkey\.next: No such file.*keygen --rotate next' \
		"$(host_root b)/var/log/mail.log"

	today=0
	keygen_b --rotate next
	days 1 11
	nok "too early a switch is refused" host_run b blackpony-keygen -q --rotate switch
	keygen_b --rotate switch -a 0
	second=$(pony_fingerprint b)
	days 12 12
	keygen_b --rotate next
	days 13 14
	keygen_b --rotate retire
	days 15 19
	keygen_b --rotate switch -a 0
	keygen_b --rotate next
	keygen_b --rotate retire
	third=$(pony_fingerprint b)
	days 20 30
	is "$lost" "" "a message every day: all arrived"
	unlike "$(host_log a)" 'stat=Deferred|dsn=4' "none was deferred"
	is "$(host_log a | grep -c 'blackpony-mailer.* suite=mlkem768x25519-chachapoly, .*messages=1')" 31 \
		"each was encrypted"
	is "$(printf '%s\n' "$first" "$second" "$third" | sort -u | wc -l)" 3 "with three keys, one after another"
	is "$(host_log a | grep -o 'key=SHA256:[^,]*' | uniq | sed 's/key=//' | xargs)" "$first $second $third" \
		"these"
	is "$(trust_of announced) $(trust_of changed)" "2 0" "two of them announced, none of them a surprise"
}

# Somebody else's key in the same place, which commits as well.
a_stranger() {
	local true_key strange_key
	true_key=$(pony_fingerprint b)
	host_run b sh -c 'cd "$0" && mkdir aside && mv hostkey* aside' "$conf"
	keygen_b -g blackpony
	keygen_b --rotate next
	strange_key=$(pony_fingerprint b)
	send stranger
	says "blackpony-mailer.*host key, .*reason=\"key changed from ${true_key//+/[+]} to ${strange_key//+/[+]}\"" \
		"another key: both fingerprints are in the log"
	says 'to=<?stranger@b\.test.*dsn=4\.7\.5, .*stat=Deferred.*4\.7\.5' "451 4.7.5"
	like "$(host_log a)" 'stranger@b\.test.*its key has changed against its commitment' "and why"
	day 39
	host_flush a
	nok "the commitment runs for as long as the key had been known" mail_there b stranger
	like "$(host_queue a)" 'stranger@b\.test' "the mail waits"

	host_run b sh -c 'cd "$0" && mkdir strange && mv hostkey* strange && cp -p aside/* .' "$conf"
	host_flush a
	ok "the true key is back: the mail goes" wait_for 20 mail_there b stranger

	host_run b sh -c 'cd "$0" && rm hostkey* && cp -p strange/* .' "$conf"
	day 57
	send later
	like "$(host_queue a)" 'later@b\.test' "the true key was shown on day 39, at the age of 19: until day 58 mail waits"
	day 59
	host_flush a
	ok "then it goes" wait_for 20 mail_there b later
	is "$(trust_of changed)" 1 "and the log says that the key has changed"
}

world_start
host_start a 10.77.0.1 fd77::1 sendmail tools faketime
host_start b 10.77.0.2 fd77::2 sendmail inetd
future_mailer
# shellcheck disable=SC2016 # sendmail's macros
pony_host a "$source/doc/sendmail.mc.example" -DBLACKPONY_MAILER_PATH=/usr/libexec/blackpony/later \
	'-DBLACKPONY_MAILER_ARGS=blackpony-mailer -K 0 -d /var/lib/pins -i $i $h'
host_run a install -d -o blackpony -g blackpony -m 700 /var/lib/pins
pony_host b
conf=$(host_run b blackpony-keygen --help | sed -n 's/^Without -f the file is \(.*\)\/hostkey\.$/\1/p')
mail_boxes b day{0..30} stranger later
sed 's/blackpony-receiver$/& -c 30d/' "$source/doc/inetd.conf.example" >"$WORLD/inetd.conf"
host_inetd b "$WORLD/inetd.conf"

a_month
a_stranger
done_testing
