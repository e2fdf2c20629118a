#!/bin/bash
# 80-debian-12 - the package, on whole Debian systems (t/lib/roots.sh): it is built, lintian finds no
# error, it is installed on a host without systemd and on one that systemd runs, and two commands
# later mail between them is encrypted. Mail to and from a third, stock, flows. Upgrade, disable,
# removal and purge. Also the RPM spec and the AppArmor profile, as far as this machine can tell.
# t/81-debian-13 is the same on Debian 13. Needs root, debootstrap, and the network once.
suite=${suite:-bookworm}
source=${abs_top_srcdir:-$(cd "$(dirname "$0")/.." && pwd)}
. "$source/t/lib/tap.sh"
. "$source/t/lib/world.sh"
. "$source/t/lib/mail.sh"
. "$source/t/lib/roots.sh"

version=$(sed -n 's/^VERSION = //p' "$world_build/Makefile")
made=blackpony-$version # what make dist makes

# build: the package (BLACKPONY_DEB_OPTIONS= with the unit tests), by a user who is not root, of what make dist would put into the archive.
build() {
	env -u MAKEFLAGS -u MAKELEVEL make -s -C "$world_build" distdir distdir="$WORLD/share/$made" \
		>"$WORLD/distdir" 2>&1 || bail "$(cat "$WORLD/distdir")"
	chmod -R u+w "$WORLD/share/$made"
	is "$(sed -n 's/^blackpony (\(.*\)) .*/\1/p' "$source/debian/changelog" | head -n 1) $(
		sed -n 's/^Version: *//p' "$source/blackpony.spec")" "$version $version" "debian/changelog and the spec have this version"
	root_host builder 10.77.0.9 fd77::9 "$build_tree"
	host_run builder sh -c 'cp -a "$1" /tmp/ && chown -R alice "/tmp/${1##*/}"' sh "$WORLD/share/$made"
	ok "dpkg-buildpackage -b" host_as builder alice sh -c \
		'cd "/tmp/$1" && DEB_BUILD_OPTIONS="parallel=2 $2" dpkg-buildpackage -us -uc -b >/tmp/build.log 2>&1' \
		sh "$made" "${BLACKPONY_DEB_OPTIONS-nocheck}" || bail "$(host_run builder tail -n 30 /tmp/build.log)"
	host_run builder sh -c 'cp /tmp/blackpony_*.deb "$1"' sh "$WORLD/share/"
	deb=$(echo "$WORLD"/share/blackpony_*.deb)
	said=$(host_as builder alice sh -c 'cd /tmp && lintian --fail-on error blackpony_*.changes 2>&1')
	is $? 0 "lintian finds no error"
	diag "$said"
}

# The tools are there on Debian 12 only.
others() {
	like "$(host_run builder apparmor_parser -Q -S "$source/doc/blackpony.apparmor" | head -c 20 | od -c | head -n 1)" \
		'v *e *r *s *i *o *n' "apparmor_parser takes the profile"
	if [ -d /sys/kernel/security/apparmor ]; then
		diag "this kernel has AppArmor: load doc/blackpony.apparmor and look, this test does not"
	else
		diag "this kernel has no AppArmor: the profile was parsed, and not tried"
	fi
	ok "rpmbuild -bb" host_run builder sh -c '
		mkdir -p /tmp/rpm/SOURCES /tmp/rpm/x && cp -a "$1/$2" /tmp/rpm/x/ &&
		tar -C /tmp/rpm/x -cJf "/tmp/rpm/SOURCES/$2.tar.xz" "$2" &&
		rpmbuild -bb --nodeps --define "_topdir /tmp/rpm" "/tmp/rpm/x/$2/blackpony.spec"' sh "$WORLD/share" "$made"
	like "$(host_run builder sh -c 'rpm -qlp /tmp/rpm/RPMS/*/blackpony-*.rpm')" '/blackpony-setup$' "and the files are in it"
}

# sends FROM TO SUBJECT [USER]: alice there writes to bob here.
sends() {
	printf 'To: bob@%s.test\nSubject: %s\n\ntext of %s\n' "$2" "$3" "$3" | host_as "$1" alice sendmail -i -t
	ok "$3: mail arrives" wait_for 30 grep -qs "^text of $3" "$(host_root "$2")/var/mail/bob" ||
		diag "$(root_log "$1" | tail -n 8; root_log "$2" | tail -n 8)"
}

# received HOST SUBJECT: the Received header that this host put into that message.
received() {
	host_mailbox "$1" bob | awk -v subject="Subject: $2" '
		/^From / { text = "" }
		{ text = text $0 "\n" }
		$0 == subject { printf "%s\n", text }' >"$WORLD/message"
	mail_received "$WORLD/message" "mail.$1.test"
}

is_files() { # HOST WANTED NAME
	local now
	now=$(root_files "$1")
	if [ "$now" = "$2" ]; then pass "$3"; else
		fail "$3"
		diag "$(diff <(echo "$2") <(echo "$now"))"
	fi
}

modes() { local host=$1; shift; host_run "$host" stat -c '%a %U:%G %n' "$@"; }
owner() { host_run "$1" sh -c '. /usr/share/blackpony/setup/port25.sh; port_owner'; }

# Stock sendmail on c, open to other hosts; on a and b as it was installed.
start_hosts() {
	root_host a 10.77.0.1 fd77::1 "$mail_tree"
	root_host b 10.77.0.2 fd77::2 "$mail_tree" /lib/systemd/systemd
	root_host c 10.77.0.3 fd77::3 "$mail_tree"
	host_run c sed -i '/Name=MTA-v4/s/, Addr=127.0.0.1//' /etc/mail/sendmail.mc
	yes '' 2>/dev/null | host_run c sendmailconfig --no-reload >/dev/null 2>&1
	for host in a b c; do
		host_run $host sh -c "grep -qx $host.test /etc/mail/local-host-names || echo $host.test >>/etc/mail/local-host-names"
		host_run $host service sendmail restart >/dev/null 2>&1
		wait_for 30 host_listens $host 25 || bail "$host: stock sendmail does not start"
	done
}

installed() {
	local host=$1 before=$2 now changed
	now=$(root_files "$host")
	changed=$(diff <(echo "$before") <(echo "$now") | grep '^[<>]')
	unlike "$changed" '^<' "$host: no file that was there has changed, and none is gone"
	is "$(grep -v blackpony <<<"$changed" | cut -d' ' -f2)" "" "$host: what is new is blackpony's"
	is "$(modes "$host" /etc/blackpony{,/hostkey} /var/lib/blackpony | tr '\n' ' ')" \
		"755 root:root /etc/blackpony 640 root:blackpony /etc/blackpony/hostkey 700 blackpony:blackpony /var/lib/blackpony " \
		"$host: key and directories"
	like "$(host_run "$host" getent passwd blackpony-net)" ':/nonexistent:/usr/sbin/nologin$' "$host: users"
	is "$(owner "$host")" sendmail-mta "$host: port 25 is sendmail's"
}

world_start
command -v debootstrap >/dev/null || skip_all "needs debootstrap"
build_tree=$(root_tree $suite-build) && mail_tree=$(root_tree $suite-mail) || bail "no Debian $suite"
build
[ $suite != bookworm ] || others
host_stop builder
start_hosts

# shellcheck disable=SC2034 # by name
before_a=$(root_files a) before_b=$(root_files b)
for host in a b; do
	ok "$host: dpkg -i" host_run $host dpkg -i "$deb"
	eval "installed $host \"\$before_$host\""
done
is "$(host_run b systemctl is-enabled blackpony.socket)" disabled "b: the socket is not enabled"
stock_a=$(root_files a)
for host in a b; do
	ok "$host: blackpony-setup enable" host_run $host blackpony-setup enable
done
is "$(owner a) $(owner b)" "inetd systemd" "inetd and systemd have port 25"
for host in a b; do
	ok "$host: port 587 is still sendmail's" host_listens $host 587
	ok "$host: status" host_run $host blackpony-setup status
done

wiretap_start
sends a b there
sends b a back
wiretap_stop "$WORLD/pcap"
cipher='version=XPONY1 cipher=mlkem768x25519-chachapoly '
like "$(received b there)" "from mail\.a\.test \(mail\.a\.test \[.*$cipher" "a to b: encrypted"
like "$(received a back)" "from mail\.b\.test \(mail\.b\.test \[.*$cipher" "b to a: encrypted"
nok "nothing of them on the wire" grep -aqE 'text of (there|back)|alice|RCPT|MAIL FROM' "$WORLD/pcap"
sends c a from-c-to-a
sends c b from-c-to-b
sends a c from-a-to-c
sends b c from-b-to-c
unlike "$(received a from-c-to-a)$(received b from-c-to-b)$(received c from-a-to-c)" XPONY "in clear"
sends a a to-itself
for host in a b; do
	# shellcheck disable=SC2016 # expanded there
	said=$(host_run c timeout 30 bash -c 'exec 3<>/dev/tcp/$0/25 && read -r greeting <&3 &&
		printf "EHLO c\r\nMAIL FROM:<x@c.test>\r\nRCPT TO:<bob@c.test>\r\nQUIT\r\n" >&3; cat <&3' "${host_ip4[$host]}")
	like "$said" '^550 5\.7\.1 .*Relaying denied' "$host relays for nobody"
done
unlike "$(root_log b)" 'blackpony@.*(Failed|status=[1-9])' "b: the hardened service does its work"
diag "$(host_run b systemd-analyze security --no-pager blackpony@x.service 2>/dev/null | tail -n 1)"

# Again over itself, as an upgrade is.
key_a=$(pony_fingerprint a) pins_a=$(host_run a sh -c 'ls -l /var/lib/blackpony; cat /var/lib/blackpony/data.mdb | sha256sum')
ok "a: dpkg -i again" host_run a dpkg -i "$deb"
is "$(pony_fingerprint a)" "$key_a" "the key is the same"
is "$(host_run a sh -c 'ls -l /var/lib/blackpony; cat /var/lib/blackpony/data.mdb | sha256sum')" "$pins_a" "so are the pins"
ok "b: dpkg -i again" host_run b dpkg -i "$deb"
is "$(owner a) $(owner b)" "inetd systemd" "both are enabled still"
sends b a after-upgrade
like "$(received a after-upgrade)" "$cipher" "encrypted"

ok "a: disable" host_run a blackpony-setup disable
is "$(diff <(grep '^etc/' <<<"$stock_a") <(root_files a | grep '^etc/'))" "" "a: every file is as it was"
is "$(owner a)" sendmail-mta "a: sendmail has port 25"

# Removed while it is enabled; then purged.
key_b=$(pony_fingerprint b)
ok "b: dpkg -r" host_run b dpkg -r blackpony
is "$(host_run b cat /etc/mail/sendmail.mc | sha256sum)" "$(host_run a cat /etc/mail/sendmail.mc | sha256sum)" "b: sendmail.mc is as it was"
ok "b: sendmail has port 25" wait_for 20 host_listens b 25
nok "b: sendmail.cf has nothing of ours" host_run b grep -q blackpony /etc/mail/sendmail.cf
ok "b: the key is kept" host_run b test -s /etc/blackpony/hostkey
ok "b: dpkg -i" host_run b dpkg -i "$deb"
is "$(pony_fingerprint b)" "$key_b" "b: and is the same"
for host in a b; do
	ok "$host: dpkg -P" host_run $host dpkg -P blackpony
	host_run $host sh -c 'rm -rf /var/mail/* /var/spool/mqueue/* /var/spool/mqueue-client/*'
	eval "is_files $host \"\$before_$host\" \"$host: purge leaves nothing\""
	is "$(host_run $host grep blackpony /etc/passwd /etc/group)" "" "$host: nor a user"
done
done_testing
