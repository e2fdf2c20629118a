# mitm.sh: two real mail hosts, a and b, and a man in the middle (t/tools/mitm.py) to whom all mail
# hosts of b's domains lead. Sourced after tap.sh, world.sh and mail.sh by t/5*.sh, which may set before
# mitm_set, the set of attacks (t/tools/mitm_attacks.py), and mitm_lines, how long a message is.
#
# Attack ATTACK on mail for a policy WORD is made on ATTACK.WORD.test, whose mail host is
# mx.ATTACK.WORD.test, an address of the man in the middle, one for each attack.
#
#   mitm_start WORD...       the world, its zones, and in a's policy file "policy" (set by the
#                            test, lines of the file). mitm_layers: more layers for a
#   mitm_strangers_and_friends [WORD...]   mitm_start for eight words: policies none, may, encrypt, pq and key
#                            of a host that was never met; one that is pinned, one that is known, at may, and
#                            one bound by its promise; and for more words, for which policy is may
#   mitm_classical           from now on b offers the classical suite alone
#   quiet, attack            whether he does anything
#   try WORD [ATTACK...]     a message to each, in the background; all of them without ATTACK. Its
#                            Subject is ATTACK.WORD, and so each line of it
#   tried                    waits for all of them; from then on outcome has what became of them
#   again                    a queue run, to its end
#   expect WORD <TABLE       lines "ATTACK OUTCOME [ERE]"
#   expect_each "ATTACK..." <TABLE       lines "WORD OUTCOME [ERE]"
#   logged NAME TEXT         a's blackpony-mailer says that of the host of NAME (ATTACK.WORD)
#   steps NAME               what it did after each failed upgrade
#   remember WORD FIRST LAST UNTIL   b's key, in a's pins (t/tools/pin.c)
#
# Outcomes: hybrid, classical (delivered by XPONY in such a suite), tls, clear (delivered so),
# refused (deferred with 451 4.7.5), lost (deferred with 451 4.4.2). ERE: of the reason.

mitm_first=10.77.0.100
mitm=$world_src/t/tools/mitm.py
mitm_set=${mitm_set:-policy}
attacks=$(python3 "$mitm" list "$mitm_set")
mitm_key=$(python3 "$mitm" fingerprint)

mitm_zone() {
	local word=$1 name n=0
	for name in $attacks; do
		echo "$name IN MX 0 mx.$name"
		echo "mx.$name IN A ${mitm_first%.*}.$((${mitm_first##*.} + n++))"
		echo "$name.$word.test" >>"$WORLD/names"
	done | world_zone "$word.test"
}

mitm_start() {
	local word n=0
	# shellcheck disable=SC2086 # words
	host_start a 10.77.0.1 fd77::1 sendmail ${mitm_layers-}
	host_start b 10.77.0.2 fd77::2 sendmail inetd tools
	host_start m 10.77.0.3 fd77::3
	for word; do
		mitm_zone "$word"
	done
	world_dns
	pony_host a "" "$mail_unkept" # each mail goes through an attack of its own
	host_put a /etc/blackpony/policy <<<"$policy"
	{ echo b.test && cat "$WORLD/names"; } | host_put b /etc/mail/local-host-names
	host_tls b
	pony_host b
	mail_boxes b bob
	# All come from one address: his.
	sed 's/blackpony-receiver$/& -M 0/' "$world_src/doc/inetd.conf.example" >"$WORLD/inetd.conf"
	host_inetd b "$WORLD/inetd.conf"
	b_key=$(pony_fingerprint b)
	for _ in $attacks; do
		echo "addr add ${mitm_first%.*}.$((${mitm_first##*.} + n++))/24 dev eth0"
	done | world_ip m
	host_spawn m mitm python3 "$mitm" "$mitm_first" 10.77.0.2 /run/quiet "$mitm_set"
	wait_for 10 grep -q ready "$(host_root m)/var/log/mitm.out" || world_die "nobody in the middle"
}

# Two weeks ago each of the last three had shown its key, and one has promised, last week, to keep it for
# 30 days.
mitm_strangers_and_friends() {
	local day=86400
	policy='.none.test none
.may.test may
.encrypt.test encrypt
.pq.test pq
.pinned.test pinned'
	# shellcheck disable=SC2086 # words
	mitm_start $mitm_words "$@"
	host_put a /etc/blackpony/policy <<<"$policy
.key.test key=$b_key"
	remember pinned $((14 * day)) $((7 * day)) 0
	remember known $((14 * day)) $((7 * day)) 0
	remember bound $((14 * day)) $((7 * day)) $((7 * day))
}
mitm_words="none may encrypt pq key pinned known bound"

mitm_classical() {
	host_kill b inetd
	sed 's/ -M 0$/& -s x25519-chachapoly/' "$WORLD/inetd.conf" >"$WORLD/classical"
	host_inetd b "$WORLD/classical"
}

# Why mail is deferred.
# shellcheck disable=SC2034 # for the tests
{
	failed='upgrade failed, and policy or a commitment demands it'
	no_offer='policy demands XPONY, and the host did not upgrade'
	no_way='policy encrypt, and the host has neither XPONY nor STARTTLS'
	broken='its commitment runs, and the host did not upgrade'
	missed='it spoke XPONY before and does not now; trying once more later'
}

quiet() { host_put m /run/quiet </dev/null; }
attack() { host_run m rm -f /run/quiet; }

remember() {
	local word=$1 key=$b_key
	shift
	sed -n "s/^\(.*\.$word\.test\)$/\1 mx.\1/p" "$WORLD/names" |
		host_run a setpriv --reuid blackpony --regid blackpony --clear-groups \
			"$abs_top_builddir/t/tools/pin" /var/lib/blackpony "$key" "$@" ||
		world_die "pins cannot be written"
}

try_now() {
	{
		printf 'Subject: %s\nFrom: alice@a.test\nTo: friends:;\n\n' "$1"
		seq -f "line %g of $1, of which nobody in the middle may read a word" 1 "${mitm_lines:-30}"
	} | host_run a sendmail-mta -Am -odi -oem -OQueueLA=999 -ORefuseLA=999 -i -f alice@a.test "bob@$1.test"
}

try() {
	local word=$1 name
	shift
	for name in ${*:-$attacks}; do
		((${#tries[@]} < 4)) || wait "${tries[-4]}"
		try_now "$name.$word" &
		tries+=($!)
	done
}
tries=()

tried() {
	[ ${#tries[@]} -eq 0 ] || wait "${tries[@]}"
	tries=()
	wait_for 10 no_mailer || diag "a mailer lives on"
	mitm_log=$(host_log a)
	wait_for 20 all_there || diag "b has more mail accepted than delivered"
	taken=$(subjects)
}

# A mailer writes its line when sendmail has its reply already.
no_mailer() {
	# shellcheck disable=SC2016 # expanded on the host
	host_run a sh -c '! grep -qs "^blackpony-maile" /proc/[0-9]*/comm'
}

# b delivers after it has accepted.
all_there() { [ "$(subjects | wc -l)" -ge "$(grep -c 'mailer=blackpony.* stat=Sent' <<<"$mitm_log")" ]; }
subjects() { sed -n 's/^Subject: //p' "$(host_root b)/var/mail/box/bob" 2>/dev/null; }

again() {
	host_run a sendmail-mta -Am -OQueueLA=999 -qf
	tried
}

# overheard: what has crossed the wire in clear, of messages and of envelopes, as ATTACK.WORD.
overheard() {
	wiretap_stop "$WORLD/pcap"
	python3 "$world_src/t/tools/heard.py" "$WORLD/pcap" >"$WORLD/heard"
	LC_ALL=C sed -nE -e 's/^line [0-9]+ of ([a-z0-9]+\.[a-z]+),.*/\1/p' -e 's/^Subject: ([a-z0-9]+\.[a-z]+)\r$/\1/p' \
		-e 's/^RCPT TO:<bob@([a-z0-9]+\.[a-z]+)\.test>.*/\1/Ip' "$WORLD/heard" | sort -u
}

# outcome NAME
outcome() {
	local last
	last=$(grep -E "to=<?bob@${1//./\\.}\.test>?, .* stat=" <<<"$mitm_log" | tail -n 1)
	case $last in
	*'dsn=4.7.5, '*) echo refused ;;
	*'dsn=4.4.2, '*) echo lost ;;
	*'stat=Sent'*)
		case "$(grep -cx "$1" <<<"$taken"),$last" in
		1,*mlkem768x25519-chachapoly:*) echo hybrid ;;
		1,*x25519-chachapoly:*) echo classical ;;
		1,*) grep -qx "$1" <<<"$heard" && echo clear || echo tls ;;
		*) echo "sent, and taken not just once" ;;
		esac
		;;
	*) echo "neither" ;;
	esac
}

# expect WORD
expect() {
	local word=$1 name wanted reason
	while read -r name wanted reason; do
		is "$(outcome "$name.$word")" "$wanted" "$word, $name: $wanted" ||
			diag "$(grep -F "$name.$word.test" <<<"$mitm_log" | tail -n 6)"
		[ -z "$reason" ] || like "$(grep -F "bob@$name.$word.test" <<<"$mitm_log" | tail -n 1)" \
			"stat=Deferred: 451 4\.[47]\.[25] mx\.$name\.$word\.test.*: $reason" "$word, $name: says why"
		case $wanted in
		refused | lost) is "$(grep -cx "$name.$word" <<<"$taken")" 0 "$word, $name: nothing was delivered" ;;
		esac
	done
}

expect_each() {
	local name word wanted
	while read -r word wanted; do
		for name in $1; do
			expect "$word" <<<"$name $wanted"
		done
	done
}

of_host() { grep -F "relay=mx.$1.test [" <<<"$mitm_log"; }

logged() {
	if of_host "$1" | grep -qF -e "$2"; then
		pass "$1: logged, $2"
	else
		fail "$1: logged, $2"
		diag "$(of_host "$1")"
	fi
}

steps() { of_host "$1" | sed -n 's/.*: upgrade failed, .* next=//p' | paste -sd,; }
