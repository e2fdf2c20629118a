#!/bin/bash
# 64-exim - Exim, which has no blackpony, as the other side: it sends and receives, in clear and
# with STARTTLS. Needs root (t/lib).
source=${abs_top_srcdir:-$(cd "$(dirname "$0")/.." && pwd)}
. "$source/t/lib/tap.sh"
. "$source/t/lib/world.sh"
. "$source/t/lib/mail.sh"

# One kind for each user of the Exim host.
kinds="small:alice eight:bob dots:carol"

# exim_box USER: a mailbox of the Exim host.
exim_box() { echo "$(host_root e)/var/mail/$1"; }

# exim_has FILE USER: that mail, and nothing else, is in the user's mailbox.
exim_has() { cmp -s <(cat "$1"; echo) <(mail_plain "$(exim_box "$2")"); }

# to_exim WAY PATTERN: mails to e, whose Received header has to match.
to_exim() {
	local way=$1 pattern=$2 kind user
	for kind in $kinds; do
		user=${kind#*:} kind=${kind%:*}
		host_run e rm -f "/var/mail/$user"
		mail_send a "$WORLD/mail/$kind" "$user@e.test"
		ok "to Exim, $way: $kind arrives as it is" wait_for 20 exim_has "$WORLD/mail/$kind" "$user"
		like "$(mail_received "$(exim_box "$user")" mail.e.test)" "$pattern" "to Exim, $way: $kind, Received"
	done
}

# from_exim WAY DOMAIN PATTERN: mails to a, likewise.
from_exim() {
	local way=$1 domain=$2 pattern=$3 kind got
	for kind in $kinds; do
		kind=${kind%:*} got=$WORLD/got-$kind
		host_as e alice exim4 -i -f alice@a.test "$way-$kind@$domain" <"$WORLD/mail/$kind"
		mail_take a "$way-$kind" "$got" || fail "from Exim, $way: $kind arrives"
		is "$(mail_body "$got")" "$(mail_body "$WORLD/mail/$kind")" "from Exim, $way: $kind arrives as it is"
		like "$(mail_received "$got" mail.a.test)" "$pattern" "from Exim, $way: $kind, Received"
	done
}

offers_tls() {
	printf 'EHLO mail.a.test\nQUIT\n' |
		host_run a "${PYTHON3:-python3}" "$source/t/tools/talk.py" mail.e.test | grep -q STARTTLS
}

log_of() { host_log "$1" | grep " $2\[" | tail -n 1; }

world_start
host_start a 10.77.0.1 fd77::1 sendmail inetd tools
host_start e 10.77.0.7 fd77::7 exim tools
world_zone a4.test <<-END
	@ IN MX 10 mail
	mail IN A 10.77.0.1
END
world_zone a6.test <<-END
	@ IN MX 10 mail
	mail IN AAAA fd77::1
END
world_dns
mail_files "$WORLD/mail"
host_tls a
host_tls e
printf '%s\n' a.test a4.test a6.test | host_put a /etc/mail/local-host-names
host_put a /etc/mail/access <<<"Srv_Features:${host_ip4[e]}	S"
pony_host a
mail_boxes a {clear,tls}-{small,eight,dots}
host_inetd a
host_exim e

to_exim clear 'from \[fd77::1\] \(helo=mail\.a\.test\) by mail\.e\.test with esmtp '
like "$(log_of a blackpony-mailer)" 'relay=mail\.e\.test \[.*\], suite=none, messages=1, ' "the mailer logs it"
from_exim clear a4.test 'from mail\.e\.test \(mail\.e\.test \[10\.77\.0\.7\]\) by .* with ESMTP id [0-9A-Za-z]+ for '
like "$(log_of a blackpony-receiver)" 'peer=\[10\.77\.0\.7\], .*suite=none, messages=1, ' "the receiver logs it"

host_run e sed -i 's,^tls_advertise_hosts =.*,tls_advertise_hosts = *\
tls_certificate = /etc/mail/tls/cert.pem\
tls_privatekey = /etc/mail/tls/key.pem,' /etc/exim4/exim4.conf
host_run e chown -R Debian-exim /etc/mail/tls
host_run e sh -c 'kill -HUP $(cat /run/exim4/exim.pid)'
wait_for 10 offers_tls
to_exim TLS 'from \[fd77::1\] \(helo=mail\.a\.test\) by mail\.e\.test with esmtps +\(TLS1\.3\)'
like "$(log_of a blackpony-mailer)" 'relay=mail\.e\.test \[.*\], suite=STARTTLS, ' "the mailer logs it"
from_exim tls a6.test 'from mail\.e\.test \(mail\.e\.test \[IPv6:fd77.*:7\]\) by .* \(version=TLSv1\.3 '
like "$(log_of a blackpony-receiver)" 'peer=\[IPv6:fd77::7\], .*suite=STARTTLS, ' "the receiver logs it"
is "$(host_run e exim4 -bpc)" 0 "nothing is left on Exim's queue"
like "$(host_queue a)" 'is empty' "and on sendmail's"
done_testing
