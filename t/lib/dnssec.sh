# dnssec.sh: signed zones and a validating resolver on host a. Sourced after mitm.sh; a needs the layers
# unbound and ldns.
#
#   sign DOMAIN                  that zone, with a key of its own; its trust anchor is unbound's
#   key_in_dns WORD FINGERPRINT  that key for each of WORD.test's hosts (mitm.sh), before it is signed
#   resolver_start [ADDRESS]     unbound on 127.0.0.1, and there too; a asks it from now on

sign() {
	local zone=$1
	host_put a "/keys/$zone.zone" <"$WORLD/zones/zone.$zone."
	# shellcheck disable=SC2016 # expanded on the host
	host_run a sh -e -c 'cd /keys
		key=$(ldns-keygen -r /dev/urandom -a ECDSAP256SHA256 -k "$1")
		ldns-signzone -n -o "$1" "$1.zone" "$key"
		cat "$key.key" >>anchors' sh "$zone" >&2 || bail "$zone cannot be signed"
	cp "$(host_root a)/keys/$zone.zone.signed" "$WORLD/zones/zone.$zone."
}

key_in_dns() {
	sed -n "s/^\([a-z]*\)\.$1\.test$/_xpony.mx.\1 IN TXT \"v=XPONY1; k=${2//\//\\/}\"/p" "$WORLD/names" \
		>>"$WORLD/zones/zone.$1.test."
}

resolver_start() {
	host_put a /etc/unbound/test.conf <<-END
		server:
			username: ""
			chroot: ""
			directory: ""
			pidfile: ""
			use-syslog: no
			interface: 127.0.0.1
			${1:+interface: $1}
			access-control: 0.0.0.0/0 allow
			module-config: "validator iterator"
			trust-anchor-file: /keys/anchors
			local-zone: "test." nodefault
		remote-control:
			control-enable: no
		stub-zone:
			name: "."
			stub-addr: 10.77.0.53
	END
	host_spawn a unbound unbound -d -c /etc/unbound/test.conf
	wait_for 10 host_listens a 53 || bail "no unbound: $(cat "$(host_root a)/var/log/unbound.out")"
	host_put a /etc/resolv.conf <<<'nameserver 127.0.0.1'
}
