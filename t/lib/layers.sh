# layers.sh: Debian packages as tar files, for the hosts of a test world.  Sourced by world.sh.
#
# A layer is unpacked into one host's own root: nothing is installed on the machine, no service
# started, no file of its replaced, and mail servers that exclude each other live side by side.
# Layers are kept in $BLACKPONY_CACHE (/var/cache/blackpony-test); after the first run no network
# is needed.  Remove the directory to fetch newer packages.

layer_cache=${BLACKPONY_CACHE:-/var/cache/blackpony-test}

# Packages that exclude each other are fetched in groups of their own, one a line.
layer_packages() {
	case $1 in
	sendmail) echo sendmail-bin sendmail-base sendmail-cf sensible-mda procmail m4 netbase ;;
	inetd) printf '%s\n' 'openbsd-inetd netbase' xinetd ;;
	systemd) echo systemd ;;
	postfix) echo postfix netbase ;;
	opensmtpd) echo opensmtpd libevent-2.1-7 libdb5.3 netbase ;;
	exim-heavy) echo exim4-daemon-heavy exim4-base exim4-config netbase ;;
	exim) echo exim4-daemon-light exim4-base exim4-config netbase ;;
	nsd) echo nsd ;;
	nft) echo nftables ;;
	unbound) echo unbound dns-root-data ;;
	dig) echo bind9-dnsutils ;;
	faketime) echo libfaketime ;;
	fail2ban) echo fail2ban ;;
	haproxy) echo haproxy liblua5.3-0 libopentracing-c-wrapper0 libopentracing1 ;;
	ldns) echo ldnsutils ;;
	tools) echo tcpdump swaks iputils-ping openssl python3 ;;
	swaks) echo swaks libnet-ssleay-perl libio-socket-inet6-perl ;;
	stunnel) echo stunnel4 libwrap0 libsystemd0 ;;
	spiped) echo spiped ;;
	ssh) echo openssh-server openssh-client openssh-sftp-server libwrap0 libsystemd0 ;;
	sasl) echo sasl2-bin libsasl2-modules libsasl2-modules-db ;;
	*) return 1 ;;
	esac
}

# layer NAME: prints the path of its tar file, made now if need be.
layer() (
	tar=$layer_cache/$1.tar
	packages=$(layer_packages "$1") || { echo "no layer is called $1" >&2; exit 1; }
	if [ ! -s "$tar" ]; then
		mkdir -p "$layer_cache" && exec 9>"$layer_cache/lock" && flock 9 || exit 1
		[ -s "$tar" ] || layer_make "$1" "$packages" >&2 || exit 1
	fi
	echo "$tar"
)

layer_make() (
	debs=$layer_cache/$1.debs root=$layer_cache/$1.root tar=$layer_cache/$1.tar
	rm -rf "$debs" "$root"
	mkdir -p "$debs/partial" "$root" || exit 1
	printf '%s\n' "$2" | while read -r group; do
		echo "# fetching $group"
		layer_fetch "$debs" "$group" </dev/null && continue
		apt-get -qq update && layer_fetch "$debs" "$group" </dev/null || exit 1
	done || exit 1
	for deb in "$debs"/*.deb; do
		dpkg -x "$deb" "$root" || exit 1
	done
	rm -rf "$root"/usr/share/{doc,man,locale}
	tar -C "$root" -cf "$tar.new" . && mv "$tar.new" "$tar" && rm -rf "$debs" "$root"
)

layer_fetch() {
	# shellcheck disable=SC2086 # the packages are words
	DEBIAN_FRONTEND=noninteractive apt-get -qq -y -d --reinstall --no-install-recommends \
		-o Dir::Cache::archives="$1" -o DPkg::Lock::Timeout=120 -o APT::Sandbox::User=root \
		install $2
}
