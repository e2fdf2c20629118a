# stock.sh: a host with sendmail as Debian's package leaves it. Sourced after world.sh.

# host_stock NAME [SED-SCRIPT]: Debian's own sendmail.mc and submit.mc, but that it takes mail from
# other hosts, and changed by the script; no blackpony, and sendmail's daemon started.
host_stock() {
	local cf
	cf=$(host_root "$1")/usr/share/sendmail/cf
	host_put "$1" /etc/mail/submit.mc <"$cf/debian/submit.mc"
	sed -e '/Name=MTA-v4/s/, Addr=127.0.0.1//' -e "${2-}" "$cf/debian/sendmail.mc" >"$WORLD/stock.mc"
	host_sendmail "$1" "$WORLD/stock.mc"
	host_run "$1" rm -rf /usr/share/blackpony /usr/share/sendmail/cf/mailer/blackpony.m4 \
		/usr/libexec/blackpony /etc/blackpony
	host_run "$1" userdel blackpony
	host_run "$1" userdel blackpony-net
	yes '' 2>/dev/null | host_run "$1" sendmailconfig --no-reload >/dev/null 2>&1
	host_run "$1" service sendmail start >/dev/null 2>&1
	wait_for 10 host_listens "$1" 25 || bail "$1: stock sendmail does not start"
}
