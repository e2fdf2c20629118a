# mc.sh: sendmail.mc and the sendmail.cf that is made from it: our marked lines, and what is lost.
# Sourced by blackpony-setup.
# shellcheck shell=sh disable=SC2154 # work, pkgdatadir: blackpony-setup's

mc=/etc/mail/sendmail.mc
cf=/etc/mail/sendmail.cf
mc_off='dnl # blackpony off: '

# on_25(OPTIONS): whether a daemon with these options, of sendmail.mc or sendmail.cf, has port 25.
# Sendmail looks at a key's first letter only; without a port it is 25.
mc_on_25='
	function on_25(options, n, i, field, port) {
		port = "smtp"
		n = split(options, field, ",")
		for (i = 1; i <= n; i++) {
			gsub(/[ \t\n`]/, "", field[i])
			if (field[i] ~ /^[Ff][A-Za-z]*=(local|unix)/) return 0
			if (field[i] !~ /^[Pp][A-Za-z]*=/) continue
			port = field[i]
			sub(/^[^=]*=/, "", port)
			sub(/[^A-Za-z0-9].*/, "", port)
		}
		return port == "25" || tolower(port) == "smtp"
	}'

# mc_mark FILE [LINE]: the file as blackpony needs it: no daemon on port 25, no pause before each
# greeting (every session would wait), no ident, and our mailer. LINE comes before the mailer.
mc_mark() {
	awk -v off="$mc_off" "$mc_on_25"'
		# Parentheses that a line leaves open.
		function depth(s, open) {
			sub(/dnl.*/, "", s)
			open = gsub(/\(/, "", s)
			return open - gsub(/\)/, "", s)
		}
		function goes(s) {
			if (s ~ /^[ \t]*FEATURE\(`?greet_pause/) return 1
			return sub(/^[ \t]*DAEMON_OPTIONS\(/, "", s) && on_25(s)
		}
		function put(mark, i) {
			for (i = 1; i <= lines; i++) print mark line[i]
			lines = level = 0
			statement = ""
		}
		lines == 0 && !/^[ \t]*(DAEMON_OPTIONS|FEATURE)\(/ { print; next }
		{
			line[++lines] = $0
			statement = statement $0 "\n"
			level += depth($0)
			if (level <= 0) put(goes(statement) ? off : "")
		}
		END { put("") }' "$1"
	cat <<-END
		dnl # blackpony begin
		dnl # These lines, and those with "blackpony off", are blackpony-setup's; it can take them out.
		define(\`confTO_IDENT', \`0')dnl
		${2:+$2
		}include(\`$pkgdatadir/sendmail.cf.m4')dnl
		dnl # blackpony end
	END
}

# mc_strip FILE: the file without our marks. It serves inetd.conf as well.
mc_strip() {
	sed -e '/^\(dnl \)\{0,1\}# blackpony begin/,/^\(dnl \)\{0,1\}# blackpony end/d' -e "s/^$mc_off//" "$1"
}

mc_is_marked() { grep -Eqs '^(dnl )?# blackpony (begin|off: )' "$1"; }

# mc_build FILE: a sendmail.cf from it, as /etc/mail/Makefile makes one. What m4 says goes to
# $work/m4.
mc_build() {
	(cd /etc/mail && m4 "$1" 2>"$work/m4") || return
	echo "### $mc ###"
	sed 's/^/# /' "$1"
}

# mc_ports_25 CF: its daemons on port 25, a line each.
mc_ports_25() {
	awk "$mc_on_25"'
		sub(/^O DaemonPortOptions=/, "") && on_25($0)' "$1"
}

# mc_has FILE: what it defines of the things below, a word each, whatever file it includes for it.
mc_has() {
	cat "$1" - >"$work/probe.mc" <<-'END'
		divert(-1)
		errprint(`
		blackpony:'ifdef(`_DELAY_CHECKS_', `` delay_checks'')`'ifdef(`_MTA_STS_', `` sts'')`'dnl
		ifdef(`_AUTHINFO_TABLE_', `` authinfo'')`'ifdef(`_REQUIRE_RDNS_', `` require_rdns'')`'dnl
		ifdef(`confFALLBACK_MX', `` confFALLBACK_MX'')`'dnl
		ifdef(`confFALLBACK_SMARTHOST', `` confFALLBACK_SMARTHOST'')`'dnl
		ifdef(`confSINGLE_THREAD_DELIVERY', `` confSINGLE_THREAD_DELIVERY'')`'dnl
		ifdef(`confDANE', `` confDANE'')`'ifelse(defn(`_CPO_'), `',, `` CLIENT_OPTIONS'')
		)
	END
	(cd /etc/mail && m4 "$work/probe.mc" 2>&1 >/dev/null) | sed -n 's/^blackpony: *//p'
}

# mc_lost: what this host's sendmail does now and would not do with blackpony, a line each.
# doc/PARITY.md has the whole story.
mc_lost() {
	for mc_word in $(mc_has "$mc"); do
		case $mc_word in
		sts) echo "FEATURE(sts): mail for an MTA-STS destination waits; its host names are not looked at" ;;
		authinfo) echo "FEATURE(authinfo): no SMTP AUTH towards other hosts, such as a provider's relay" ;;
		require_rdns) echo "FEATURE(require_rdns): does not see how a client's name was resolved" ;;
		confFALLBACK_*) echo "$mc_word: acts on sendmail's own client only" ;;
		confSINGLE_THREAD_DELIVERY | confDANE) echo "$mc_word: acts on sendmail's own client only" ;;
		CLIENT_OPTIONS) echo "CLIENT_OPTIONS: acts on sendmail's own client only; blackpony-mailer has -b, -4 and -6" ;;
		esac
	done
	mc_access=$(sed -n 's/^Kaccess .*[ >]\(\/[^ ]*\)$/\1/p' "$cf" 2>/dev/null | head -n 1)
	awk '
		BEGIN {
			why["authinfo:"] = "no SMTP AUTH towards other hosts, such as a provider\047s relay"
			why["tls_srv:"] = "entries by host name do not match"
			why["try_tls:"] = why["tls_srv:"]
			why["tls_rcpt:"] = "XPONY counts as no encryption for it, so mail waits"
		}
		match($1, /^[A-Za-z_]+:/) && (key = tolower(substr($1, 1, RLENGTH))) in why {
			print FILENAME ": " $1 ": " why[key]
		}' "${mc_access:-/etc/mail/access}" 2>/dev/null
}
