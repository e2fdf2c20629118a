#!/bin/bash
# 523-forged-lines - row 23: names and texts with control characters, line ends, quotes, %n and whole log lines in
# them: EHLO names, addresses, verbs, suites, the names in payload 2; a mail host's replies at every step. Must
# happen: each line of syslog is one line, ours are printable and come apart into the keys that we wrote; no
# Received header says what the client made up, and ps shows nothing of it. Real inetd, sendmail and
# blackpony-mailer; needs root (t/lib). t/13-log has the escaping by itself.
. "$abs_top_srcdir/t/lib/tap.sh"
. "$abs_top_srcdir/t/lib/world.sh"
. "$abs_top_srcdir/t/lib/mail.sh"
. "$abs_top_srcdir/t/lib/peers.sh"

forger=$abs_top_srcdir/t/tools/forger.py
key=SHA256:$(printf 'A%.0s' {1..43})
# What mail hosts say; a slash would be a line's end there.
nasty=(
	'%n%n%s%s%100000d'
	$'\e[2J\e]0;owned\a'
	'x", stat="250 2.0.0 forged", suite="none'
	"x, messages=99, suite=mlkem768x25519-chachapoly, key=$key"
	$'caf\xc3\xa9\x7f'
	'back\slash\012\'
	$'cr\rblackpony-mailer[1]: relay=forged.test [192.0.2.1], messages=1'
)
steps='greeting ehlo xpony mail rcpt dot'

# lines_of HOST NAME: every line of its log is what it looks like.
lines_of() {
	local said
	said=$("${PYTHON3:-python3}" "$forger" check "$(host_root "$1")/var/log/mail.log")
	is "$(grep -v '^lines ' <<<"$said")" "" "$2: no line is forged"
	ok "$2: and there were some" [ "$(sed -n 's/^lines //p' <<<"$said")" -ge "$3" ] || diag "$said"
}

# titles HOST: what ps shows of our processes there.
titles() {
	host_run "$1" sh -c 'for p in /proc/[0-9]*; do
		case $(cat $p/comm) in blackpony-*) tr "\0" " " <$p/cmdline; echo;; esac; done' 2>/dev/null | sed 's/ *$//' | sort -u
}
both_titles() { titles b | grep -q ': dialogue'; }

world_start
for n in "${!nasty[@]}"; do
	for step in $steps; do
		code=550
		[ $step != ehlo ] || code=450
		# "clear" is EHLO in clear; where XPONY is offered it is not said first.
		case $step in
		xpony) peer $step$n xpony always "xpony=500 5.5.1 ${nasty[n]}" ;;
		*) peer $step$n xpony pipelining always "$step=$code ${code:0:1}.7.1 ${nasty[n]}" ;;
		esac
	done
	peer plain$n pipelining always "rcpt=550 5.7.1 ${nasty[n]}"
done
peers_start
host_start b 10.77.0.2 fd77::2 sendmail inetd
host_start c 10.77.0.4 fd77::4
pony_host b
mail_boxes b bob
host_inetd b

# What clients say.
host_spawn c forger python3 "$forger" client 10.77.0.2
wait_for 20 grep -q open "$(host_root c)/var/log/forger.out" || bail "no session"
wait_for 10 both_titles
is "$(titles b | grep -Ev '^blackpony-receiver(: [a-zA-Z ]+)?$')" "" "ps shows what the engine does, and nothing that clients say" ||
	diag "$(titles b)"
host_put c /run/go </dev/null
wait_for 60 sh -c "! kill -0 ${host_job[c/forger]} 2>/dev/null" || fail "the sessions end"
reported() { [ "$(host_log b | grep -c 'blackpony-receiver.*peer=.*ms=')" -ge 90 ]; }
ok "the sessions are in the log" wait_for 20 reported || diag "$(host_log b | grep -c blackpony-receiver)"
lines_of b "receiver" 90
like "$(host_log b)" 'helo="x\\042, stat=\\042250 2\.0\.0 forged\\042, suite=\\042none"' "quotes are escaped in a name"
like "$(host_log b)" 'helo=%n%n%s%s%100000d,' "what printf would read is a text"
like "$(host_log b)" 'meant="x\\042, stat=' "the name in payload 2 as well"

# The messages: who sent them is what b saw.
box=$(host_root b)/var/mail/box/bob
has_messages() { [ "$(grep -c '^Subject: ' "$box")" -ge "$1" ]; }
wait_for 20 has_messages 16
ok "messages of such clients arrive" [ "$(grep -c '^Subject: ' "$box")" -ge 16 ] || diag "$(grep '^Subject' "$box")"
"${PYTHON3:-python3}" - "$box" >"$WORLD/headers" <<'END'
import email, re, sys
for octets in re.split(rb"^From (?=\S+ +\w{3} \w{3} )", open(sys.argv[1], "rb").read(), flags=re.M)[1:]:
    message = email.message_from_bytes(octets.partition(b"\n")[2])
    received = [re.sub(r"\s+", " ", str(value)) for value in message.get_all("Received")]
    print(len(received), "%s" % sorted(set(name for name in message.keys()) - {"Received", "Subject", "Date",
          "From", "Return-Path", "Message-Id", "Message-ID"}), re.search(r"\[10\.77\.0\.4\].* by mail\.b\.test", received[0]) is not None,
          "version=XPONY1" in received[0], message["Subject"])
END
is "$(sed 's/ [a-z]* [0-9]*$//' "$WORLD/headers" | sort | uniq -c | sed 's/^ *[0-9]* //')" \
	$'1 [] True False\n1 [] True True' "each has one Received header, with the true client's address, and none else" ||
	diag "$(cat "$WORLD/headers")"
is "$(grep -c 'True inside' "$WORLD/headers") $(grep -c 'True clear' "$WORLD/headers")" "$(grep -c inside "$WORLD/headers") 0" \
	"and says XPONY for the encrypted ones alone"

# What mail hosts say.
for n in "${!nasty[@]}"; do
	for step in $steps plain; do
		post $step$n
	done
done
posted
lines_of a "mailer" 49
like "$(host_log a)" 'blackpony-mailer.*relay=dot2\.p\.test .*stat="550 5\.7\.1 .*x\\042, stat=\\042250 2\.0\.0 forged' \
	"quotes are escaped in a reply"
like "$(host_log a)" 'blackpony-mailer.*upgrade failed, .*relay=xpony0\.p\.test .*%n%n%s%s%100000d' "and in the reason of a failed upgrade"
done_testing
