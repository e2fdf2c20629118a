# postfix.sh: does what postfix's install script does for an "Internet Site".  Runs on the host,
# from world.sh.
set -e
cd /etc/postfix
domain=$(cat /etc/mailname)
sed -E 's/^([a-z]\S*\s+\S+\s+\S+\s+\S+\s+)y\s/\1n /' /usr/share/postfix/master.cf.dist >master.cf
cat >main.cf <<END
compatibility_level = 3.6
myhostname = $(cat /etc/hostname)
myorigin = $domain
mydestination = $domain, \$myhostname, localhost
mynetworks = 127.0.0.0/8 [::1]/128
inet_interfaces = all
alias_maps =
alias_database =
END
: >dynamicmaps.cf
install -d -o postfix -g postfix /var/lib/postfix
install -d -o postfix -g postdrop -m 1730 /var/spool/postfix/maildrop
install -d -o postfix -g postdrop -m 2710 /var/spool/postfix/public
chgrp postdrop /usr/sbin/postdrop /usr/sbin/postqueue
chmod 2755 /usr/sbin/postdrop /usr/sbin/postqueue
postfix start 2>/dev/null
