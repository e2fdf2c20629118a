# sendmail.sh [M4-ARGUMENT...]: does what sendmail's install scripts and sendmailconfig do, with
# /etc/mail/sendmail.mc.  Runs on the host, from world.sh; may run again after a change.
set -e
cd /etc/mail
domain=$(cat /etc/mailname)

# The links, owners and modes of Debian's sendmail-bin.postinst and update_sys.
for name in sendmail sendmail-mta sendmail-msp; do
	ln -sf ../libexec/sendmail/sendmail /usr/sbin/$name
done
ln -sf ../libexec/sendmail/sendmail /usr/lib/sendmail
for name in mailq newaliases; do
	ln -sf ../libexec/sendmail/sendmail /usr/bin/$name
done
chown root:smmsp /usr/libexec/sendmail/sendmail
chmod 2755 /usr/libexec/sendmail/sendmail

mkdir -p smrsh
for name in /usr/bin/procmail /usr/libexec/sendmail/mail.local; do
	ln -sf $name smrsh/
done

own() { # own OWNER MODE DIRECTORY...
	who=$1 mode=$2
	shift 2
	mkdir -p "$@"
	chown "$who" "$@"
	chmod "$mode" "$@"
}
own smmta:smmsp 2755 /etc/mail /etc/mail/m4 /etc/mail/tls /run/sendmail/mta
own smmsp:smmsp 2775 /run/sendmail/msp
own smmta:smmsp 2751 /var/lib/sendmail
own smmta:smmsp 2750 /var/spool/mqueue
own smmsp:smmsp 2770 /var/spool/mqueue-client

# Tables that a test has not written itself.
keep() { [ -e "$1" ] || cat >"$1"; }
keep m4/dialup.m4 </dev/null
keep m4/provider.m4 </dev/null
keep local-host-names <<END
$domain
END
keep relay-domains </dev/null
keep trusted-users </dev/null
keep mailertable </dev/null
keep access <<END
Connect:localhost	RELAY
Connect:127.0.0.1	RELAY
Connect:IPv6:::1	RELAY
END
keep /etc/mail/aliases <<END
postmaster: root
MAILER-DAEMON: postmaster
root: carol
END
if grep -q '^DAEMON_OPTIONS.*Port=submission' sendmail.mc; then
	sed "s/\`25'/\`MSA'/" /usr/share/sendmail/cf/debian/submit.mc | keep submit.mc
else
	keep submit.mc </usr/share/sendmail/cf/debian/submit.mc
fi

tls=tls/tls.m4
[ -e $tls ] || tls=
m4 "$@" $tls sendmail.mc >sendmail.cf
m4 submit.mc >submit.cf
for map in access mailertable; do
	makemap hash $map <$map
done
sendmail-mta -Am -bi >/dev/null
