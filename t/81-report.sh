#!/bin/bash
# 81-report - blackpony-report on logs of every form: what it counts, as text, JSON and HTML; what
# strangers put into lines; the policy lines that it proposes; a million lines, and as many clients.
. "$abs_top_srcdir/t/lib/tap.sh"

report=$BLACKPONY_BIN/blackpony-report
python=${PYTHON3:-python3}
work=$(mktemp -d) && cd "$work" || bail "no directory"
trap 'rm -rf "$work"' EXIT
unset NO_COLOR

# Each is [queue-id: ]..., as the programs write it; the times come in front.
key1=SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU
key2=SHA256:n4bQgYhMfWWaL+qgxVrQFaO/TxsrC4Is0V1sFbDwCgg
to() { # DESTINATION SUITE MESSAGES [MORE]
	echo "mailer[7]: 6ALN01: relay=mx.$1 [192.0.2.1], suite=$2${4-}, messages=$3, octets=9, destination=$1, stat=\"250 2.0.0 ok, $1\", ms=3"
}
from() { # ADDRESS SUITE MESSAGES [MORE]
	echo "receiver[8]: peer=[$1], helo=x.test, suite=$2, messages=$3, octets=9${4-}, ms=3"
}
hybrid=mlkem768x25519-chachapoly classical=x25519-chachapoly
day1() {
	to always.test $hybrid 1 ", key=$key1, trust=new"
	to always.test $hybrid 1 ", key=$key1, trust=known"
	to Always.Test $hybrid 2 ", key=$key1, trust=known"
	to older.test $classical 1 ", key=$key2, trust=announced"
	to tls.test STARTTLS 0
	to tls.test STARTTLS 0
	to tls.test STARTTLS 0
	from 198.51.100.1 $hybrid 2 ", refused=1"
	from IPv6:2001:db8::1 none 1
	from 198.51.100.9 none 0 ', fault="connection ended without a close"'
}
day2() {
	echo "mailer[7]: 6ALN02: connected, relay=mx.older.test [192.0.2.1], destination=older.test, ms=5"
	echo "mailer[7]: 6ALN02: upgrade failed, relay=mx.half.test [192.0.2.1], destination=half.test, reason=\"454 4.7.0 Encryption failed\", next=retry"
	echo "mailer[7]: 6ALN02: host key, relay=mx.older.test [192.0.2.1], destination=older.test, reason=\"key changed from $key2 to $key1\""
	to older.test $classical 1 ", key=$key1, trust=changed"
	to older.test $classical 1 ", key=$key1, trust=known"
	to half.test $hybrid 1 ", key=$key1, trust=known"
	to half.test none 5
	to half.test none 1
	to plain.test none 1
	to plain.test ROT13 2
	to plain.test none 1
	echo 'mailer[7]: 6ALN03: suite=none, messages=0, octets=0, stat="451 4.4.1 dead.test: no host took the connection", ms=30000'
	echo 'mailer[7]: 6ALN03: host turned down, relay=mx.a.test [192.0.2.1], destination=a.test, reason="mx.a.test: its key has changed against its commitment"'
	echo 'mailer[7]: 6ALN03: host turned down, relay=mx.b.test [192.0.2.1], destination=b.test, reason="mx.b.test: its key has changed against its commitment"'
	from 198.51.100.1 STARTTLS 0
	echo 'receiver[8]: too many sessions, peer=[198.51.100.77], sessions=200, refused=40'
	from 198.51.100.1 later-suite 1
	echo 'receiver[8]: peer=[198.51.100.1], suite=none, suite=none, messages=1'
}
old_style() { day1 | sed 's/^/Nov 20 08:00:01 mail blackpony-/'; noise; day2 | sed 's/^/Nov 21 09:00:01 mail blackpony-/'; }
new_style() {
	day1 | sed 's/^/2026-11-20T08:00:01.123456+01:00 mail blackpony-/'
	day2 | sed 's/^/2026-11-21T09:00:01.123456+0100 mail blackpony-/'
}
noise() {
	echo 'Nov 20 08:00:01 mail sm-mta[9]: 6ALN01: to=<x@always.test>, relay=mx, suite=none, messages=3'
	echo 'Nov 20 08:00:01 mail imapd[9]: blackpony-mailer[7]: suite=none, messages=3'
	printf '\0\377 no line at all\n\n'
	head -c 600000 /dev/zero | tr '\0' x
	echo
}
old_style >old.log && touch -d '2026-11-21 10:00' old.log
new_style >new.log
gzip -k old.log && touch -d '2026-11-21 10:00' old.log.gz

# json EXPRESSION [ARGUMENT...]: what Python makes of it, r being the report.
json() {
	local expression=$1
	shift
	"$report" --policy '' --json "$@" >out.json && "$python" -c '
import json, sys
r = json.load(open("out.json", encoding="ascii"))
def n(ways): return "%d %d %d %d" % tuple(ways[k] for k in ("hybrid", "classical", "starttls", "clear"))
def peer(side, name): return next(n(p["messages"]) for p in r[side]["peers"] if p["name"] == name)
print(eval(sys.argv[1]))' "$expression"
}

# --- what it counts

is "$(json 'n(r["sent"]["total"]["messages"])' old.log)" "5 3 3 10" "messages sent: hybrid, classical, STARTTLS, clear"
is "$(json 'n(r["sent"]["total"]["sessions"])' old.log)" "4 3 3 5" "in so many sessions"
is "$(json 'r["sent"]["total"]["idle"]' old.log)" 1 "one without mail"
is "$(json 'n(r["received"]["total"]["messages"])' old.log)" "2 0 1 1" "messages received"
is "$(json 'r["received"]["total"]["refused"], r["received"]["total"]["idle"]' old.log)" "(1, 1)" "refused, without mail"
is "$(json '[(d["date"], n(d["messages"])) for d in r["sent"]["days"]]' old.log)" \
	"[('2026-11-20', '4 1 3 0'), ('2026-11-21', '1 2 0 10')]" "by day"
is "$(json 'peer("sent", "always.test"), peer("sent", "half.test"), peer("received", "2001:db8::1")' old.log)" \
	"('4 0 0 0', '1 0 0 6', '0 0 0 1')" "by destination, in any case, and by client"
is "$(json '[p["name"] for p in r["sent"]["peers"]][:3]' old.log)" "['half.test', 'always.test', 'plain.test']" \
	"most mail first"
is "$(json 'r["sent"]["total"]["keys"]' old.log)" "{'new': 1, 'announced': 1, 'changed': 1}" "keys"
is "$(json '[(k["time"], k["what"], k["destination"], k["relay"], k.get("from"), k["to"]) for k in r["keys"]][0]' old.log)" \
	"('2026-11-21T09:00', 'changed', 'older.test', 'mx.older.test', '$key2', '$key1')" "the latest of them"
is "$(json 'sorted((f["side"], f["what"], f["reason"], f["count"]) for f in r["failures"])' old.log | sed 's/), (/)\n(/g; s/[][]//g')" \
	"('received', 'session ended', 'connection ended without a close', 1)
('received', 'too many sessions', '', 40)
('sent', 'host turned down', 'its key has changed against its commitment', 2)
('sent', 'mail refused', '451 4.4.1', 1)
('sent', 'upgrade failed', '454 4.7.0 Encryption failed', 1)" "failures, by reason"
is "$(json 'r["lines"]["counted"], r["lines"]["unclear"], r["first"], r["last"], r["since"]' old.log)" \
	"(25, 2, '2026-11-20', '2026-11-21', None)" "lines: a step does not count; another suite, a key twice are unclear"

# --- where it reads

same() { # NAME ARGUMENT...: as from old.log, but for the number of lines read
	local name=$1
	shift
	is "$("$report" --policy '' --json "$@" | sed 's/"read": [0-9]*/"read": N/')" \
		"$("$report" --policy '' --json old.log | sed 's/"read": [0-9]*/"read": N/')" "$name"
}
same "RFC 3339 times, of rsyslog and of journalctl" new.log
same "gzipped" old.log.gz
same "standard input" - <old.log
same "standard input, gzipped" - <old.log.gz
cat new.log >piped && same "a pipe" - < <(cat piped)
head -n 10 new.log >first.log && tail -n +11 new.log >second.log
same "two files, the later one first" second.log first.log
printf %s "$(cat new.log)" >unended.log
same "a last line without an end" unended.log

is "$(json 'n(r["sent"]["total"]["messages"]), r["lines"]["early"], r["since"]' --since 2026-11-21 old.log)" \
	"('1 2 0 10', 10, '2026-11-21')" "--since a day"
day() { date -d "$1" '+%Y-%m-%dT12:00:00Z mail blackpony-'; }
{ to a.test none 1 | sed "s/^/$(day '8 days ago')/"; to a.test none 1 | sed "s/^/$(day '7 days ago')/"
	to a.test none 1 | sed "s/^/$(day today)/"; } >days.log
is "$(json 'n(r["sent"]["total"]["messages"])' --since 7d days.log)" "0 0 0 2" "--since 7d"
is "$(json 'n(r["sent"]["total"]["messages"])' --since 0d days.log)" "0 0 0 1" "--since 0d"

mkdir bin
cat >bin/journalctl <<'END'
#!/bin/sh
echo "$*" >arguments
test ! -e fail && cat new.log
END
chmod 755 bin/journalctl
PATH=$work/bin:$PATH same "--journal" --journal
is "$(cat arguments)" "-q --no-pager -o short-iso-precise -t blackpony-mailer -t blackpony-receiver" "what journalctl is asked"
PATH=$work/bin:$PATH "$report" --since 2026-11-21 --journal >/dev/null
like "$(cat arguments)" ' --since=2026-11-21$' "with --since"

# --- text

text=$("$report" --policy '' old.log)
like "$text" '^11 of 21 messages sent were encrypted: 52%\.$' "text: the sentence"
like "$text" '^  2026-11-20 +8 100%  #+=+\++$' "a day with its bar"
like "$text" '^  half\.test +7  14%  #+\.+$' "a destination with its bar"
like "$text" "^ +was ${key2//+/[+]}\$" "a changed key"
like "$text" '^ +40  too many sessions$' "a failure that stands for many"
is "$(LC_ALL=C grep -c '[^ -~]' <<<"$text")" 0 "ASCII, without colour, where it is no terminal"
is "$(awk 'length > 80' <<<"$text")" "" "80 columns"
on_terminal() { # COLUMNS: what a terminal of that width gets
	"$python" -c '
import fcntl, os, pty, struct, sys, termios
pid, fd = pty.fork()
if pid == 0:
    os.execv(sys.argv[2], sys.argv[2:])
out = b""
try:
    while True:
        out += os.read(fd, 65536)
except OSError:
    pass
os.waitpid(pid, 0)
sys.stdout.buffer.write(out.replace(b"\r", b""))' "$@"
}
wide() { on_terminal x /bin/sh -c "stty cols $1; exec \"\$0\" --policy '' old.log" "$report"; }
text=$(LC_ALL=C.UTF-8 TERM=xterm wide 120)
like "$text" $'\033\\[32m' "a terminal gets colour"
like "$text" $'\342\226\210' "and blocks"
is "$(sed $'s/\033[^m]*m//g' <<<"$text" | "$python" -c 'import sys; print(max(len(l.decode().rstrip("\n")) for l in sys.stdin.buffer))')" 120 "as wide as it is"
unlike "$(LC_ALL=C TERM=xterm wide 120)" $'\342' "no blocks where there is no UTF-8"
unlike "$(NO_COLOR=1 TERM=xterm wide 120)" $'\033' "NO_COLOR"
unlike "$(TERM=dumb wide 120)" $'\033' "TERM=dumb"
like "$("$report" --policy '' /dev/null)" '^Nothing of blackpony' "an empty log"

# --- policy

"$report" --policy none old.log >advised
sed -n '/^Lines for none/,$p' advised >advice
like "$(cat advice)" '^  always\.test +pinned pq$' "always hybrid, its key known: pinned pq"
like "$(cat advice)" '^  older\.test +encrypt$' "its key has changed: encrypt"
like "$(cat advice)" '^  tls\.test +encrypt$' "always STARTTLS: encrypt"
like "$(cat advice)" '^  # half\.test +encrypt$' "partly in clear: not yet"
is "$(sed -n 's/^  \(# \)*\([a-z]*\.test\).*/\2/p' advice | xargs)" "always.test older.test tls.test half.test plain.test" \
	"ready ones first, each by messages"
grep '^  [a-z]' advice >policy && chmod 644 policy
is "$("$report" --json --policy policy old.log | "$python" -c 'import json, sys; print([p["destination"] for p in json.load(sys.stdin)["policy"]])')" \
	"['half.test', 'plain.test']" "what the policy file has is not proposed again"
printf '%s\n' 'half.test none' '* verify' >policy
is "$("$report" --policy policy old.log | grep -c '^Lines for')" 0 "nor where it demands more, or says no"
echo 'half.test nonsense' >policy
like "$("$report" --policy policy old.log 2>&1 >/dev/null)" "policy:1: .*nonsense" "a faulty policy file is named"
for i in 1 2 3; do
	day2 | grep 'to.*plain' || to 'x\040none' none 1
	to '#' none 1; to '[192.0.2.7]' $classical 1 ", key=$key1, trust=dns"
done | sed 's/^/Nov 21 09:00:01 mail blackpony-/' >odd.log
is "$("$report" --policy '' odd.log | sed -n 's/^  \(# \)*\([^ ]* *[a-z]*\)$/\2/p' | tr -s ' ')" "[192.0.2.7] verify" \
	"a line for what can be a destination only; keys in DNS: verify"

# --- HTML

cat >page.py <<'END'
"""Is this a page that needs nothing from elsewhere, its elements closed in order? Prints its text."""
import html.parser, sys

class Page(html.parser.HTMLParser):
    def __init__(self):
        super().__init__()
        self.open, self.text, self.seen = [], [], set()
    def handle_starttag(self, tag, attributes):
        assert tag not in ("script", "link", "img", "iframe", "object", "base", "a"), tag
        for name, value in attributes:
            assert not name.startswith("on") and name not in ("src", "href", "style"), name
        self.seen.add(tag)
        self.open.append(tag)
    def handle_startendtag(self, tag, attributes):
        self.seen.add(tag)
    def handle_endtag(self, tag):
        assert self.open.pop() == tag, tag
    def handle_data(self, data):
        self.text.append(data)

page = Page()
page.feed(open(sys.argv[1], encoding="utf-8").read())
page.close()
assert page.open == [], page.open
assert {"title", "svg", "table", "caption", "th", "main", "style"} <= page.seen, page.seen
print("|".join(t for t in page.text if t.strip()))
END
ok "--html" "$report" --policy none --html page.html old.log
ok "well-formed, and needs nothing from elsewhere" "$python" page.py page.html
page=$("$python" page.py page.html | tr '\n' ' ')
like "$page" 'How much mail is encrypted\?.*2026-11-20 to 2026-11-21' "its title"
like "$page" '2026-11-20: 4 XPONY, hybrid' "each part of a plot has its text"
like "$page" 'half\.test\|7\|14%\|1\|0\|0\|6' "and its row in a table"
like "$page" 'always\.test +pinned pq' "and the policy lines"
like "$(cat page.html)" "default-src 'none'; style-src 'unsafe-inline'" "forbids itself the rest"
like "$(cat page.html)" 'prefers-color-scheme: dark' "light and dark"
is "$(stat -c %a page.html)" "$(printf '%o' $((0644 & ~$(umask))))" "its mode"

# --- what strangers say

{
	for name in '<script>alert(1)</script>' '&amp;"quoted' "'><img" '\\042' '{"a":1}' '%s%n'; do
		to "$name" none 1
		echo "mailer[7]: upgrade failed, relay=$name [192.0.2.1], destination=$name, reason=\"<b>$name</b>\", next=retry" |
			sed 's/"quoted/\\042quoted/g'
		echo "receiver[8]: peer=[$name], suite=none, messages=1"
	done
	echo "mailer[7]: host key, destination=x, reason=\"key changed from <i> to \"" | sed 's/ to "/ to <u>"/'
	to x none 99999999999999999999
	echo "mailer[7]: $(printf 'x%.0s' {1..5000}), reason=x"
	printf 'receiver[8]: peer=[\033[2J\302\200], suite=none, messages=1\n'
} | sed 's/^/Nov 21 09:00:01 mail blackpony-/' >hostile.log
touch -d '2026-11-21 10:00' hostile.log
is "$(json 'r["lines"]["unclear"] > 0 and "<script>alert(1)</script>" in [p["name"] for p in r["sent"]["peers"]]' hostile.log)" \
	True "hostile lines: JSON that parses"
"$report" --policy '' --html hostile.html hostile.log
page=$("$python" page.py hostile.html | tr '\n' ' ')
like "$page" '\|<script>alert\(1\)</script>\|1\|0%\|' "the page shows them as text"
like "$page" '<b><script>' "reasons too"
like "$page" 'was <i>' "and what calls itself a key"
"$report" --policy '' hostile.log >out
is "$(LC_ALL=C grep -c '[^ -~]' out)" 0 "the text is ASCII"
head -c 3000000 /dev/urandom >random.log
ok "any octets" "$report" --policy '' random.log

# --- what can go wrong

status() { "$@" >/dev/null 2>err; echo $?; }
is "$(status "$report" --nonsense)" 64 "64: an option that is none"
is "$(status "$report" --since yesterday old.log)" 64 "64: a date that is none"
like "$(cat err)" 'since yesterday: a day is wanted' "which is said"
is "$(status "$report" --since 2026-02-30 old.log)" 64 "64: nor is this"
is "$(status "$report" --journal old.log)" 64 "64: the journal and a file"
is "$(status "$report" missing.log old.log)" 66 "66: a log that is missing"
like "$(cat err)" 'missing\.log: No such file' "which is named"
head -c 400 old.log.gz >cut.log.gz
is "$(status "$report" cut.log.gz)" 65 "65: a gzipped log that is cut off"
{ head -c 200 old.log.gz; head -c 500 /dev/urandom; } >damaged.log.gz
is "$(status "$report" damaged.log.gz)" 65 "65: a damaged one"
is "$("$report" --policy '' --json missing.log cut.log.gz old.log 2>/dev/null | grep -c '"first": "2026-11-20"')" 1 \
	"what can be read is reported"
is "$(status "$report" --html nowhere/page.html old.log)" 73 "73: the page cannot be written"
is "$(status "$report" .)" 74 "74: a directory is no log"
touch fail
PATH=$work/bin:$PATH is "$(PATH=$work/bin:$PATH status "$report" --journal)" 69 "69: journalctl fails"
is "$(PATH=$work status "$report" --journal)" 69 "69: there is none"
[ ! -e /dev/full ] || is "$("$report" old.log 2>/dev/null >/dev/full; echo $?)" 74 "74: the disk is full"

# --- many

cat >measured.py <<'END'
"""Runs a command; its seconds and its largest size in megabytes, on standard error."""
import resource, subprocess, sys, time
start = time.monotonic()
status = subprocess.call(sys.argv[1:])
print("%.1f %d" % (time.monotonic() - start, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024), file=sys.stderr)
sys.exit(status)
END
"$python" "$abs_top_srcdir/t/tools/logs.py" 100000 30 >some.log
for i in {1..10}; do cat some.log; done >million.log
"$python" measured.py "$report" --json --policy '' million.log >out.json 2>err
read -r seconds megabytes <err
diag "a million lines, half of them of blackpony: $seconds seconds, $megabytes megabytes"
ok "a million lines in less than 15 seconds" test "${seconds%.*}" -lt 15
is "$("$python" -c 'import json
r = json.load(open("out.json"))
print(r["lines"]["read"], r["lines"]["counted"], len(r["sent"]["days"]))')" "1000000 500000 30" "and all counted"
rm million.log
awk 'BEGIN { for (i = 0; i < 500000; i++) {
	printf "Nov 21 09:00:01 mail blackpony-receiver[8]: peer=[IPv6:2001:db8::%x:%x], suite=none, messages=%d\n", i / 65536, i % 65536, i % 2
	if (i % 50 == 0) print "Nov 21 09:00:01 mail blackpony-receiver[8]: peer=[192.0.2.1], suite=none, messages=1" } }' >flood.log
"$python" measured.py "$report" --json --policy '' flood.log >out.json 2>err
read -r seconds megabytes <err
diag "half a million clients: $seconds seconds, $megabytes megabytes"
grep -q '^#define BLACKPONY_SANITIZERS' "$abs_top_builddir/config.h" || ok "in less than 64 megabytes" test "$megabytes" -lt 64
is "$("$python" -c 'import json
r = json.load(open("out.json"))["received"]
print(r["peers"][0]["name"], r["peers"][0]["messages"]["clear"], r["total"]["messages"]["clear"],
	sum(p["messages"]["clear"] for p in r["peers"]) + r["others"]["messages"]["clear"])')" \
	"192.0.2.1 10000 260000 260000" "the one that counts is found, and nothing lost"
done_testing
