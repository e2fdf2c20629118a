#!/bin/bash
# 511-smuggling - row 11: bare CR, bare LF, NUL and everything that somebody might take for the end of a message,
# with a second message behind it; the same in commands; BDAT; in clear and inside, both suites, in one
# segment and octet by octet. Must happen: octets pass verbatim; a client reads from blackpony-receiver
# exactly what sendmail says to it without; and one message in is one message out: blackpony-mailer hands on
# octet for octet what sendmail has written. Needs root (t/lib).
. "$abs_top_srcdir/t/lib/tap.sh"
. "$abs_top_srcdir/t/lib/world.sh"
. "$abs_top_srcdir/t/lib/mail.sh"

smuggle=$world_src/t/tools/smuggle.py

world_start
host_start a 10.77.0.1 fd77::1 sendmail
host_start b 10.77.0.2 fd77::2 sendmail inetd
host_start c 10.77.0.3 fd77::3 tools
pony_host b
mail_boxes b bob
host_inetd b
host_run b /usr/sbin/sendmail-mta -Am -bd -ODaemonPortOptions=Port=2500,Family=inet -OPidFile=/run/direct.pid </dev/null
wait_for 10 host_listens b 2500 || bail "no sendmail without blackpony"

# Clients.
host_run c python3 "$smuggle" client 10.77.0.2 >"$WORLD/said" 2>&1
while IFS= read -r line; do
	name=${line%%: *}
	like "$line" "^[^:]*: same: " "$name: what the client reads is sendmail's"
done <"$WORLD/said"
is "$(grep -c . "$WORLD/said")" 37 "those were all"

# One message in is one message out: of each case as many came by each way.
box=$(host_root b)/var/mail/box/bob
ways() { sed -n "s/^Subject: \(.*\), $1\$/\1/p" "$box" | sort; }
settled() { [ "$(host_run b sendmail-mta -Am -bp | grep -c '@')" = 0 ] && [ "$(ways direct)" = "$(ways hybrid)" ]; }
wait_for 20 settled
like "$(ways direct)" "^NEL" "messages came without blackpony"
for way in clear classical hybrid; do
	is "$(ways "$way")" "$(ways direct)" "$way: the same messages, and none twice"
done
for way in clear hybrid; do
	is "$(ways "$way drip")" "$(ways direct | grep -v '^CRLF\.CRLF')" "$way: also octet by octet"
done
is "$(grep -c '^From smuggled@' "$box")" 0 "no smuggled message is among them"

# blackpony-mailer between sendmail and three hosts that keep what they read; what it is given is kept as well.
folder=$WORLD/share
chmod 1777 "$folder"
host_put a /usr/local/libexec/tee-mailer 755 <<END
#!/usr/bin/python3
import os, subprocess, sys
child = subprocess.Popen(["/usr/libexec/blackpony/blackpony-mailer"] + sys.argv[1:], stdin=subprocess.PIPE)
with open("$folder/wrote.%s.%d" % (sys.argv[-1].split(".")[0], os.getpid()), "wb") as file:
    while octets := os.read(0, 65536):
        file.write(octets)
        child.stdin.write(octets)
        child.stdin.flush()
child.stdin.close()
sys.exit(child.wait())
END
pony_host a "$world_src/doc/sendmail.mc.example" -DBLACKPONY_MAILER_PATH=/usr/local/libexec/tee-mailer \
	"$mail_unkept" # a message a connection, to compare
ways="clear classical hybrid"
n=100
for way in $ways; do
	echo "$way IN A 10.77.0.$((n++))"
done | world_zone far.test
for n in 100 101 102; do
	world_ip c <<<"addr replace 10.77.0.$n/24 dev eth0"
done
world_dns
host_spawn c far python3 "$smuggle" server 10.77.0.100 "$folder"
wait_for 10 grep -q ready "$(host_root c)/var/log/far.out" || bail "no far hosts"
mkdir "$WORLD/messages"
python3 "$smuggle" messages "$WORLD/messages"
for file in "$WORLD"/messages/*; do
	host_run a sendmail-mta -Am -odi -i -f alice@a.test bob@clear.far.test bob@classical.far.test bob@hybrid.far.test <"$file"
done
python3 "$smuggle" compare "$folder" >"$WORLD/compared"
for way in $ways; do
	# Of the twelve sendmail itself turns down the two that have a NUL.
	is "$(grep "^$way: " "$WORLD/compared")" "$way: 10, same" \
		"$way: one message in is one message out, and octet for octet what sendmail has written"
done
done_testing
