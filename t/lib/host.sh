# host.sh FQDN IP4 IP6: gives a new host its own names and users.  Runs on the host, from world.sh.
set -e
fqdn=$1 ip4=$2 ip6=$3 domain=${1#*.}

echo "$fqdn" >/etc/hostname
echo "$domain" >/etc/mailname
cat >/etc/hosts <<END
127.0.0.1 localhost
::1 localhost ip6-localhost
$ip4 $fqdn ${fqdn%%.*}
$ip6 $fqdn ${fqdn%%.*}
END
rm -rf /etc/blackpony /var/lib/blackpony # where the machine itself has a blackpony
rm -f /etc/resolv.conf # it may be a link into a directory that is not here
echo 'nameserver 10.77.0.53' >/etc/resolv.conf
cat >/etc/nsswitch.conf <<END
passwd: files
group: files
shadow: files
hosts: files dns
services: files
protocols: files
END

# Users and groups of the packages, whose install scripts did not run, ours, and three people.
number=64000
add() { # add NAME HOME SHELL [GROUP]
	number=$((number + 1))
	sed -i "/^$1:/d" /etc/passwd /etc/group
	gid=$number
	if [ "${4-}" ]; then gid=$(sed -n "s/^$4:[^:]*:\([0-9]*\):.*/\1/p" /etc/group)
	else echo "$1:x:$number:" >>/etc/group; fi
	echo "$1:x:$number:$gid:$1:$2:$3" >>/etc/passwd
}
for name in smmta smmsp blackpony blackpony-net postfix postdrop Debian-exim unbound opensmtpd opensmtpq; do
	add "$name" /nonexistent /usr/sbin/nologin
done
for name in alice bob carol; do
	add "$name" "/home/$name" /bin/sh users
	mkdir -p "/home/$name"
	chown "$name:users" "/home/$name"
	chmod 750 "/home/$name"
done
chgrp mail /var/mail
