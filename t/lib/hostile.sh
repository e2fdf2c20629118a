# hostile.sh: hostile clients of blackpony-receiver (t/tools/bad_clients.py) and hostile mail hosts for the
# blackpony-mailer that sendmail starts (t/tools/bad_servers.py). Sourced after tap.sh, world.sh and
# mail.sh by t/5*.sh.
#
#   overheard_inetd HOST [OPTION...]   blackpony-receiver, with those options, under inetd, in front of a
#                            sendmail that writes down all that it is told
#   told HOST                what sendmail was told up to now, one command a line
#   clients HOST NAME        each hostile client of row NAME, from that host against 10.77.0.2; what
#                            they read is in $clients
#   answered NAME ERE        what that client read, all of it, in both suites
#
#   hosts_start NAME         on host $hosts_on, with addresses from 10.77.0.$hosts_first on; each is
#                            NAME.evil.test. names: all of them
#   send NAME                a's message to that host; has been tried when this returns
#   meets NAME CONNECTIONS   what its host saw until now, such as "xpony 0,plain 1" (bad_servers.py)

overheard_inetd() {
	local host=$1
	shift
	sed "s|blackpony-receiver\$|& $* -- /usr/sbin/sendmail -bs -Am -X /var/log/traffic|; s|nowait\.1000|nowait.100000|" \
		"$world_src/doc/inetd.conf.example" >"$WORLD/inetd.conf"
	host_inetd "$host" "$WORLD/inetd.conf"
}

told() { sed -n 's/\r$//; s/^[0-9]* <<< //p' "$(host_root "$1")/var/log/traffic" 2>/dev/null | grep -vxF '[EOF]'; }

clients() { clients=$(host_run "$1" python3 "$world_src/t/tools/bad_clients.py" 10.77.0.2 "$2" 2>&1); }

answered() {
	local suite
	for suite in classical hybrid; do
		like "$(sed -n "s/^$suite, $1: //p" <<<"$clients")" "^$2\$" "client, $suite, $1"
	done
}

# shellcheck disable=SC2034 # replies, for the tests
{
	closed=' \| closed'
	sequence="503 5\\.5\\.1 Bad sequence of commands"
	malformed="501 5\\.5\\.4 Malformed command or argument$closed"
	no_suite="504 5\\.5\\.4 Cipher suite not available$closed"
	crypto="454 4\\.7\\.0 Encryption failed$closed"
}

hosts_on=c
hosts_first=100

hosts_start() {
	local name n=$hosts_first zone=
	names=$(python3 "$world_src/t/tools/bad_servers.py" list "$1")
	for name in $names; do
		zone+="$name IN MX 0 mx.$name"$'\n'"mx.$name IN A 10.77.0.$n"$'\n'
		world_ip "$hosts_on" <<<"addr replace 10.77.0.$n/24 dev eth0"
		n=$((n + 1))
	done
	world_zone evil.test <<<"$zone"
	world_dns
	host_spawn "$hosts_on" hosts python3 "$world_src/t/tools/bad_servers.py" "$1" "10.77.0.$hosts_first" /var/log/notes
	wait_for 10 grep -q ready "$(host_root "$hosts_on")/var/log/hosts.out" || bail "the hostile hosts do not listen"
}

send() {
	printf 'Subject: %s\nTo: bob@%s.evil.test\n\nA secret.\n' "$1" "$1" |
		host_run a sendmail-mta -Am -odi -i -f alice@a.test "bob@$1.evil.test"
}

# met NAME: its connections, in order, as its host saw them.
met() { sed -n "s/^$1 //p" "$(host_root "$hosts_on")/var/log/notes" 2>/dev/null | paste -sd,; }
has_met() { [ "$(met "$1")" = "$2" ]; }

meets() {
	wait_for 5 has_met "$1" "$2"
	is "$(met "$1")" "$2" "host, $1: $2"
}
