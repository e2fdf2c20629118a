#!/bin/bash
# 82-report-world - what blackpony-report makes of the log of real hosts: mail by XPONY, by STARTTLS and in
# clear, a key that changes, a host that cannot be reached; and the policy line that it proposes, in the
# policy file. Needs root (t/lib).
source=${abs_top_srcdir:-$(cd "$(dirname "$0")/.." && pwd)}
. "$source/t/lib/tap.sh"
. "$source/t/lib/world.sh"
. "$source/t/lib/mail.sh"

report=${BLACKPONY_BIN:-$world_build}/blackpony-report
python=${PYTHON3:-python3}

send() { # DOMAIN...
	local domain
	for domain; do
		printf 'Subject: x\nTo: friends:;\n\nSome words.\n' >"$WORLD/mail"
		mail_send a "$WORLD/mail" "bob@$domain"
	done
}

# of HOST EXPRESSION: what Python makes of the report on the host's own log, r.
of() {
	host_run "$1" "$report" --json | "$python" -c '
import json, sys
r = json.load(sys.stdin)
def n(ways): return "%d %d %d %d" % tuple(ways[k] for k in ("hybrid", "classical", "starttls", "clear"))
def peer(side, name): return next(n(p["messages"]) for p in r[side]["peers"] if p["name"] == name)
print(eval(sys.argv[1]))' "$2"
}

world_start
world_zone dead.test <<<'@ IN MX 10 mail.dead.test.
mail IN A 10.77.0.99'
host_start a 10.77.0.1 fd77::1 sendmail
host_start b 10.77.0.2 fd77::2 sendmail inetd
host_start c 10.77.0.3 fd77::3 sendmail
host_start d 10.77.0.4 fd77::4 sendmail tools
# shellcheck disable=SC2016 # sendmail's macros
pony_host a "$source/doc/sendmail.mc.example" '-DBLACKPONY_MAILER_ARGS=blackpony-mailer -v -K 0 -t 1 -i $i $h'
pony_host b
host_inetd b
host_tls d
for host in c d; do
	host_sendmail $host "$source/t/lib/plain.mc"
	host_daemon $host
done
is "$(host_run a "$report" 2>&1)" "$(host_run a "$report" /var/log/mail.log 2>&1)" "nothing yet: the log that there is"

send b.test b.test b.test c.test d.test d.test d.test dead.test
first=$(pony_fingerprint b)
host_run b sh -c 'rm "$1"' - "$(host_run b blackpony-keygen --help | sed -n 's/^Without -f the file is \(.*\)\.$/\1/p')"
host_run b blackpony-keygen -q
send b.test
wait_for 10 sh -c "grep -c 'blackpony-receiver.* suite=' '$(host_root b)/var/log/mail.log' | grep -qx 4"

is "$(of a 'n(r["sent"]["total"]["messages"])')" "4 0 3 1" "a has sent: 4 by XPONY, 3 by STARTTLS, 1 in clear"
is "$(of a 'peer("sent", "b.test"), peer("sent", "c.test"), peer("sent", "d.test")')" \
	"('4 0 0 0', '0 0 0 1', '0 0 3 0')" "to b, c and d"
is "$(of a 'r["sent"]["total"]["keys"]')" "{'new': 1, 'announced': 0, 'changed': 1}" "one key is new, one has changed"
is "$(of a '[(k["what"], k["relay"], k.get("from", ""), k["to"]) for k in r["keys"] if k["what"] == "changed"]')" \
	"[('changed', 'mail.b.test', '$first', '$(pony_fingerprint b)')]" "from the first to the second"
is "$(of a 'r["lines"]["unclear"], r["sent"]["total"]["idle"]')" "(0, 1)" \
	"every line is understood; the dead host got nothing"
like "$(host_run a "$report")" '^ +1  mail refused: 451 4\.4\.1$' "and is a failure"
is "$(of b 'n(r["received"]["total"]["messages"]), r["lines"]["unclear"]')" "('4 0 0 0', 0)" "b has received them"
like "$(of b 'r["received"]["peers"][0]["name"]')" '^(10\.77\.0\.1|fd77:.*:1)$' "from a"

host_run a "$report" | sed -n '/^Lines for/,$s/^  \([a-z]\)/\1/p' >"$WORLD/policy"
is "$(tr -s ' ' <"$WORLD/policy")" "b.test encrypt pq
d.test encrypt" "the lines for the policy file"
host_put a /etc/blackpony/policy <"$WORLD/policy"
send b.test d.test
is "$(of a 'n(r["sent"]["total"]["messages"])')" "5 0 4 1" "with them mail goes as before"
is "$(of a '[p["destination"] for p in r["policy"]]')" "[]" "and there are no more to be had"

# Without a log of syslog's it is the journal, for which a script stands here.
host_run a mv /var/log/mail.log /var/log/mail.log.1
is "$(of a 'n(r["sent"]["total"]["messages"])')" "5 0 4 1" "mail.log.1 is read too"
host_run a mv /var/log/mail.log.1 /var/log/mail.elsewhere
host_put a /usr/bin/journalctl 755 <<-'END'
	#!/bin/sh
	exec cat /var/log/mail.elsewhere
END
is "$(of a 'n(r["sent"]["total"]["messages"])')" "5 0 4 1" "without either it is the journal"
done_testing
