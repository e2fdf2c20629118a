#!/bin/bash
# 6b-probe - blackpony-mailer --probe: what it says of hosts that encrypt, that do not, that are dead or do not
# exist, of keys that are new, known, changed, or wrong by policy; over a line that takes 50 ms each way; as
# text and as JSON; that it sends no mail and writes nothing down. Needs root (t/lib).
source=${abs_top_srcdir:-$(cd "$(dirname "$0")/.." && pwd)}
. "$source/t/lib/tap.sh"
. "$source/t/lib/world.sh"
. "$source/t/lib/mail.sh"

# probe NAME STATUS ARGUMENT...: sets $said; $WORLD/stderr has the rest.
probe() {
	local name=$1 wanted=$2 status
	shift 2
	said=$(host_run a /usr/libexec/blackpony/blackpony-mailer --probe "$@" 2>"$WORLD/stderr")
	status=$?
	is "$status" "$wanted" "$name: status" || { diag "$said"; diag "$(cat "$WORLD/stderr")"; }
}

# json EXPRESSION: of the object j, and of its first host h.
json() { "$PYTHON3" -c 'import json, sys; j = json.loads(sys.argv[1]); h = j["hosts"][0]; print(eval(sys.argv[2]))' "$said" "$1"; }

policy() { host_put a /etc/blackpony/policy; }

hybrid=mlkem768x25519-chachapoly
world_start
host_start a 10.77.0.1 fd77::1 sendmail
host_start b 10.77.0.2 fd77::2 sendmail inetd
host_start c 10.77.0.3 fd77::3 sendmail
world_zone own.test <<<'@ IN MX 10 mail.c.test.'
world_zone null.test <<<'@ IN MX 0 .'
world_zone both.test <<END
@ IN MX 10 dead
@ IN MX 20 mail.b.test.
dead IN A 10.77.0.200
END
world_dns
pony_host a
pony_host b
host_run b blackpony-keygen --rotate next -q >/dev/null || bail "no next key"
sed 's/blackpony-receiver$/& -c 30d/' "$source/doc/inetd.conf.example" >"$WORLD/inetd.conf"
host_inetd b "$WORLD/inetd.conf"
host_tls c
host_sendmail c "$source/t/lib/plain.mc"
host_daemon c
wire_delay a b 50 tun0
key=$(pony_fingerprint b)

# --- a host that encrypts

probe "a host never seen before" 0 -4 b.test
like "$said" '^mail\.b\.test \[10\.77\.0\.2\], preference 10$' "its name and address"
like "$said" "^    XPONY       $hybrid, offered in its greeting\$" "the suite"
like "$said" "^    key         ${key//+/[+]}\$" "its key"
like "$said" '^    promise     to keep to its keys for 30 days; 1 more announced$' "its commitment"
like "$said" '^    EHLO        .*8BITMIME' "its keywords"
like "$said" '^    policy      may \(no line\)$' "the policy"
like "$said" '^    mail        encrypted, hybrid, key new$' "what would become of mail"
is "$(tail -n 1 <<<"$said")" "b.test: mail would go to mail.b.test, encrypted, hybrid, key new" "the verdict, in a line"
like "$said" '^    time        connected 1[0-9]{2} ms, key proved [2-9][0-9]{2} ms, QUIT answered [0-9]+ ms: [3-9]\.[0-9] round trips of 1[0-9]{2}\.[0-9] ms$' \
	"times and round trips"
is "$(cat "$WORLD/stderr")" "" "nothing on standard error, and no progress where no terminal is"
unlike "$said" $'\033' "and no colour"
is "$(host_run a blackpony-keygen -L)" "" "nothing is remembered of it"
unlike "$(host_log b)" 'sm-mta.*from=' "no mail was sent"
ok "the host has it in its log as any other" wait_for 10 \
	grep -Eq "blackpony-receiver.*peer=.*suite=$hybrid.*messages=0" "$(host_root b)/var/log/mail.log"

probe "both families" 0 b.test
is "$(grep -c '^mail\.b\.test \[' <<<"$said")" 2 "each address by itself"
probe "by address" 0 '[10.77.0.2]'
like "$said" '^\[10\.77\.0\.2\]$' "its address"
probe "the classical suite" 0 -s x25519-chachapoly '[10.77.0.2]'
like "$said" 'mail would go to \[10\.77\.0\.2\], encrypted, x25519-chachapoly, key new$' "is named"

# --- what is remembered of it

mail_boxes b bob
printf 'Subject: one\n\nSome words.\n' >"$WORLD/one"
mail_send a "$WORLD/one" bob@b.test
ok "a letter makes it known" wait_for 20 mail_there b bob
before=$(host_run a blackpony-keygen -L)
probe "a host that is known" 0 -4 b.test
like "$said" "^    remembered  ${key//+/[+]}\$" "its key is remembered"
like "$said" '^                since 20[0-9-]+, 1 sessions' "since when"
like "$said" 'encrypted, hybrid, key known$' "and known"
host_run b sh -c 'cd /etc/blackpony && mkdir aside && mv hostkey* aside && blackpony-keygen -q -g blackpony'
probe "its key has changed" 0 -4 b.test
like "$said" 'encrypted, hybrid, key changed$' "is said"
policy <<<'b.test pinned'
probe "and policy says pinned" 2 -4 b.test
like "$said" '^    policy      pinned$' "the policy"
like "$said" '^    mail        not now: mail\.b\.test: policy pinned, and its key has changed$' "why not"
is "$(tail -n 1 <<<"$said")" "b.test: mail would not go now" "the verdict"
policy <<<'b.test none'
probe "policy none" 1 -4 b.test
like "$said" 'clear, though it has XPONY: policy none$' "mail would go in clear"
policy <<<'b.test nonsense'
probe "a fault in the policy file" 2 -4 b.test
like "$said" "policy:1: 'nonsense'" "is named"
host_run a rm /etc/blackpony/policy
is "$(host_run a blackpony-keygen -L)" "$before" "all that has left no trace in what is remembered"

# --- hosts without it

probe "a host with STARTTLS" 1 -4 own.test
like "$said" '^    EHLO        .*STARTTLS' "its keywords"
is "$(tail -n 1 <<<"$said")" "own.test: mail would go to mail.c.test, starttls" "the verdict"
policy <<<'own.test verify'
probe "and policy verify" 2 -4 own.test
like "$said" 'not now: mail\.c\.test: policy demands XPONY, and the host did not upgrade$' "why not"
host_run a rm /etc/blackpony/policy
probe "a dead host first" 0 -4 -t 2 both.test
like "$said" '^dead\.both\.test \[10\.77\.0\.200\], preference 10$' "it is named"
like "$said" '^    mail        not now: .*10\.77\.0\.200' "and its fault"
like "$said" 'both\.test: mail would go to mail\.b\.test, encrypted' "and mail goes to the other"
probe "no such domain" 2 nowhere.test
like "$said" '^nowhere\.test: this domain does not exist$' "is said"
probe "a domain that takes no mail" 2 null.test
like "$said" 'takes no mail \(null MX\)' "is said"

# --- JSON

probe "JSON" 0 -4 --json b.test
is "$(json '[h["host"], h["address"], h["suite"], h["xpony"], h["trust"], h["mail"], j["mail"], j["status"]]')" \
	"['mail.b.test', '10.77.0.2', '$hybrid', True, 'changed', 'encrypted', 'encrypted', 0]" "says the same"
is "$(json 'h["remembered"][0] == "'"$key"'" and h["key"] != "'"$key"'"')" True "keys"
is "$(json '100 <= h["connect_ms"] < h["proved_ms"] <= h["total_ms"] and h["rtt_ms"] >= 100')" True "and times"
probe "JSON of a fault" 2 --json nowhere.test
is "$(json 'h["fault"]')" "nowhere.test: this domain does not exist" "says so"

# --- on a terminal

# terminal COMMAND...: its output and errors to a terminal, shown as cat -v does.
terminal() {
	local slave
	mkfifo "$WORLD/slave"
	"$PYTHON3" -u -c 'if True:
		import os, sys
		master, slave = os.openpty()
		with open(sys.argv[1], "w") as f: f.write(os.ttyname(slave))
		said = b""
		while b"END" not in said: said += os.read(master, 4096)
		sys.stdout.buffer.write(said)' "$WORLD/slave" >"$WORLD/terminal" &
	read -r slave <"$WORLD/slave"
	rm "$WORLD/slave"
	"$@" >"$slave" 2>&1
	echo END >"$slave"
	wait $!
	said=$(cat -v "$WORLD/terminal")
}
terminal host_run a /usr/libexec/blackpony/blackpony-mailer --probe -4 b.test
like "$said" '\^\[\[32mencrypted\^\[\[0m' "in colour on a terminal"
like "$said" '\^Mmail\.b\.test \[10\.77\.0\.2\] \.\.\.|\^M\^\[\[Kmail\.b\.test \[10\.77\.0\.2\] \.\.\.\^M\^\[\[K' "with progress, which goes away"
terminal host_run a env NO_COLOR=1 /usr/libexec/blackpony/blackpony-mailer --probe -4 b.test
unlike "$said" '\[32m' "but NO_COLOR"

# --- usage

probe "no host" 64
like "$(cat "$WORLD/stderr")" '^blackpony-mailer: .*exactly one host is wanted' "is said"
probe "no destination" 64 'a b'
said=$(printf '%s\r\n' 'EHLO a.test' 'MAIL FROM:<>' 'RCPT TO:<bob@b.test>' QUIT |
	host_run a /usr/libexec/blackpony/blackpony-mailer --json b.test 2>/dev/null)
like "$said" '^451 4\.3\.5 blackpony-mailer: --json goes with --probe' "--json alone is a fault of the command line"
done_testing
