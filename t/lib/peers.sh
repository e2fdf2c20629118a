# peers.sh: a sendmail host with blackpony, many scripted mail hosts (t/tools/peers.py), and what
# becomes of mail to them. Sourced after world.sh and mail.sh by the tests of verdicts.
#
#   peer NAME WORD...        NAME.p.test is a mail host that does that (see peers.py)
#   zone_line LINE           a record more in zone p.test
#   peers_start              all of them, and the sendmail host a
#   post NAME [OCTETS [RECIPIENT...]]    sends u@NAME.p.test a message, Subject NAME, in the
#                            background; posted waits for all
#   bounced NAME STATUS ERE  ... came back so to the sender; deferred likewise, is queued
#   taken NAME COUNT         the hosts have taken it so often

peer_count=0
peer_table=
zone_lines=
p=p.test

zone_line() { zone_lines+=$1$'\n'; }

peer() {
	local name=$1 address=10.77.0.$((100 + peer_count++)) words=
	shift
	[ "$peer_count" -le 150 ] || world_die "too many peers"
	(($# == 0)) || words=$(printf '\t%s' "$@")
	peer_table+=$address$'\t'$name.$p$words$'\n'
	zone_line "$name IN A $address"
}

# Enough time for a loaded machine, and little to wait at a black hole.
# shellcheck disable=SC2016 # sendmail's macros
peers_args='blackpony-mailer -t 3 -i $i $h'

peers_start() {
	peers_hosts
	# shellcheck disable=SC2086 # words
	host_start a 10.77.0.1 fd77::1 sendmail ${peers_layers-}
	pony_host a "${peers_mc:-$world_src/doc/sendmail.mc.example}" \
		"-DBLACKPONY_MAILER_ARGS=$peers_args" "$@"
}

# peers_hosts: the hosts alone, in the zone served from the next host_start or world_dns on.
peers_hosts() {
	world_box far far.test
	host_ip4[far]=10.77.0.3 host_ip6[far]=fd77::3
	host_plug far
	printf '%s' "$peer_table" | cut -f1 | sed 's,.*,addr add &/24 dev eth0,' | world_ip far
	printf '%s' "$peer_table" | host_put far /etc/peers
	host_spawn far peers python3 "$world_src/t/tools/peers.py" /etc/peers /var/log/peers
	printf '%s' "$zone_lines" | world_zone $p
	wait_for 10 grep -q ready "$(host_root far)/var/log/peers.out" || world_die "no peers"
}

# post_now SENDER NAME OCTETS RECIPIENT...: returns when sendmail has tried.
post_now() {
	local from=$1@a.test name=$2 octets=$3
	shift 3
	{
		printf 'Subject: %s\nFrom: %s\nTo: friends:;\n\n' "$name" "$from"
		yes 'a line of a message that must neither get lost nor come twice' | head -c "$octets"
		echo
	} | host_run a sendmail-mta -Am -odi -oem -OQueueLA=999 -i -f "$from" "$@"
}

post() {
	local name=$1 octets=${2:-100}
	shift $(($# < 2 ? $# : 2))
	[ $# -gt 0 ] || set -- "u@$name.$p"
	((${#posts[@]} < 3)) || wait "${posts[-3]}"
	post_now "${senders[${#posts[@]} % 3]}" "$name" "$octets" "$@" &
	posts+=($!)
}
# Three at a time, each with a mailbox of its own for the bounces: procmail waits 8 seconds for a lock.
senders=(alice bob carol)
posts=()

posted() {
	[ ${#posts[@]} -eq 0 ] || wait "${posts[@]}"
	posts=()
	cat "$(host_root a)"/var/mail/{alice,bob,carol} 2>/dev/null | python3 "$world_src/t/tools/bounces.py" >"$WORLD/bounces"
	peers_log=$(host_log a)
}

# flush: a queue run to its end.
flush() {
	host_run a sendmail-mta -Am -OQueueLA=999 -qf
	posted
}

# log_of RECIPIENT: what sendmail logged of it last.
log_of() { grep -E "to=([^ ]*,)?<?$1>?,[^ ]* " <<<"$peers_log" | tail -n 1; }

# bounced NAME STATUS ERE [RECIPIENT]
bounced() {
	local name=$1 status=$2 regex=$3 to=${4:-u@$1.$p} found
	found=$(grep -i "^$to	" "$WORLD/bounces")
	if [ "$(cut -f2,3 <<<"$found")" = "failed	$status" ] && cut -f4 <<<"$found" | grep -Eq "$regex"; then
		pass "$name: bounced, $status"
	else
		fail "$name: bounced, $status"
		diag "wanted: $regex" "found: $found" "$(log_of "$to")"
	fi
}

# deferred NAME STATUS ERE [RECIPIENT]: the log says so, and nothing came back.
deferred() {
	local name=$1 status=$2 regex=$3 to=${4:-u@$1.$p} found
	found=$(log_of "$to")
	if grep -Eq ", dsn=${status//./\\.}, " <<<"$found" && grep -Eq "stat=.*$regex" <<<"$found" &&
		! grep -qi "^$to	" "$WORLD/bounces"; then
		pass "$name: queued, $status"
	else
		fail "$name: queued, $status"
		diag "wanted: $regex" "$found" "$(grep -i "^$to	" "$WORLD/bounces")"
	fi
}

# sent NAME ERE [RECIPIENT]: delivered, with that in the log.
sent() {
	local name=$1 regex=$2 to=${3:-u@$1.$p}
	like "$(log_of "$to")" "dsn=2.*stat=Sent .*$regex" "$name: sent"
}

# taken NAME COUNT [KIND [RECIPIENT]]: so many hosts, or times, have taken that recipient's copy.
taken() {
	is "$(grep "^taken [^ ]* ${3:-.*} $1 .*${4:-u@}" "$(host_root far)/var/log/peers" | wc -l)" "$2" \
		"$1: taken ${3:+by $3 }$2 times"
}

