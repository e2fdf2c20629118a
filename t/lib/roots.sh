# roots.sh: whole Debian systems, as debootstrap and apt-get leave them, for hosts that have packages
# installed. Sourced after world.sh by t/80-debian-12 and t/81-debian-13.
#
# A system is a tree in $BLACKPONY_CACHE, made at the first use (minutes, and 400 to 900 MB), and seen
# by its hosts through an overlay. Nothing is installed on the machine.

# The machine's own; BLACKPONY_MIRROR names another.
root_mirror=${BLACKPONY_MIRROR:-$(apt-get indextargets --format '$(SITE) $(LABEL)' 'Created-By: Packages' |
	sed -n 's/ Debian$//p' | head -n 1)}

# root_packages NAME: what is installed in the tree SUITE-mail or SUITE-build.
root_packages() {
	case $1 in
	*-mail) echo sendmail openbsd-inetd systemd-sysv adduser libbsd0 liblmdb0 libsodium23 zlib1g ;;
	*-build)
		echo build-essential iproute2 lintian rpm apparmor
		sed -n '/^Build-Depends:/,/^[A-Z]/s/^ debhelper.*/debhelper/p; /^Build-Depends:/,/^[A-Z]/s/^ \([a-z0-9-]*\).*/\1/p' \
			"$world_src/debian/control"
		;;
	esac | tr '\n' ' '
}

# root_tree NAME: prints the tree's path; it is made if there is none with these packages.
root_tree() (
	packages=$(root_packages "$1")
	tree=$layer_cache/debian-$1-$(cksum <<<"$packages" | cut -d' ' -f1)
	mkdir -p "$layer_cache" && exec 9>"$layer_cache/lock-roots" && flock 9 || exit 1
	[ -d "$tree" ] || root_make "${1%-*}" "$tree.new" "$packages" >"$tree.log" 2>&1 9>&- && mv "$tree.new" "$tree" 2>/dev/null
	[ -d "$tree" ] || { tail -n 20 "$tree.log" >&2 && exit 1; }
	rm -f "$tree.log"
	echo "$tree"
)

# Services are not started there (policy-rc.d), and the host has a full name.
root_make() {
	rm -rf "$2"
	debootstrap --variant=minbase "$1" "$2" "$root_mirror" || return
	printf '#!/bin/sh\nexit 101\n' >"$2/usr/sbin/policy-rc.d" && chmod 755 "$2/usr/sbin/policy-rc.d"
	cp /etc/resolv.conf "$2/etc/resolv.conf"
	echo '127.0.0.1 localhost new.root.test new' >"$2/etc/hosts"
	# shellcheck disable=SC2016 # expanded there
	unshare -mpfu --kill-child sh -ec '
		hostname new.root.test
		mount -t proc proc "$1/proc"
		exec chroot "$1" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive LC_ALL=C sh -ec "
			apt-get -qq update
			apt-get -qq -y -o Dpkg::Use-Pty=0 --no-install-recommends install $2
			apt-get clean; rm -rf /var/lib/apt/lists/*"' root "$2" "$3" </dev/null || return
	rm "$2/usr/sbin/policy-rc.d"
}

# root_host NAME IP4 IP6 TREE [INIT]: a host like host_start's, mail.NAME.test, that is this system; its
# init may be systemd. People: alice and bob.
root_host() {
	local name=$1 fqdn=mail.$1.test
	world_box_options=(-r "$4" ${5:+-i "$5"})
	world_box "$name" "$fqdn"
	world_box_options=()
	host_ip4[$name]=$2 host_ip6[$name]=$3
	host_plug "$name"
	[ -z "${5-}" ] || wait_for 120 root_booted "$name" || world_die "$name: $5 does not come up"
	host_run "$name" hostname "$fqdn"
	host_put "$name" /etc/hosts <<<"127.0.0.1 localhost
::1 localhost
$2 $fqdn mail
$3 $fqdn mail"
	host_run "$name" rm -f /etc/resolv.conf
	host_put "$name" /etc/resolv.conf <<<'nameserver 10.77.0.53'
	host_put "$name" /etc/hostname <<<"$fqdn"
	host_put "$name" /etc/mailname <<<"$name.test"
	host_run "$name" sh -c 'for user in alice bob; do useradd -m -s /bin/sh -g users $user || exit; done' ||
		world_die "$name: no users"
	world_zone "$name.test" <<-END
		@ IN MX 10 mail
		mail IN A $2
		mail IN AAAA $3
	END
	world_reverse
	world_dns
}

root_booted() { host_run "$1" systemctl is-system-running | grep -Eq 'running|degraded'; }

# root_log NAME: the mail log, wherever it is.
root_log() {
	host_run "$1" sh -c 'if [ -d /run/systemd/system ]; then journalctl -o short --no-pager; else cat /var/log/mail.log; fi'
}

# root_files NAME: every file and directory of the host, a line "path type mode owner" each, and one
# "path sum" for a file; but for what changes by itself and what dpkg notes.
root_files() {
	host_run "$1" sh -c 'cd / && set -- etc usr var opt root home boot srv -xdev \
			\( -path var/lib/dpkg -o -path var/log -o -path var/cache -o -path var/lib/systemd -o -path var/tmp \) -prune
		find "$@" -o -printf "%p %y %m %u:%g %l\n"
		find "$@" -o -type f -exec sha256sum {} + | sed "s/^\([^ ]*\)  \(.*\)/\2 \1/"' |
		grep -Ev '^etc/(passwd|group|shadow|gshadow|subuid|subgid|ld\.so\.cache|machine-id|mtab|\.pwd\.lock)-? ' |
		grep -Ev '^(var/lib/sendmail/.*\.st|var/lib/private) ' | LC_ALL=C sort
}
