# load.sh: what the rows share that measure single processes: host a has bench/client and the sending ends of
# tunnels, host b takes, with bench/stub in the place of a mail server. Sourced by rows after lib.sh and cpu.sh.
#
#   load_start                the hosts, with control groups (cpu.sh)
#   load_inetd LINE...        inetd on b. $receiver begins a line of blackpony-receiver's; $stub is the program;
#                             $floor begins a line of what is left of the receiver without its work (floor.c)
#   load_static               b has the receiver of a build with --enable-static-deps as well; $static_receiver
#                             begins its line. In a quick run there is none: $has_static is empty
#   load_tunnels              a:1465 leads to b:2500 through stunnel, a:8025 through spiped
#   load_postfix              host q, Postfix, which takes mail for b.test on port 25 and discards it
#   load_starttls ADDRESS     a:2525 leads to that mail host, in STARTTLS, which stunnel speaks; a:2526 likewise
#                             with sessions resumed
#   load_pin CORE HOST...     all that these hosts run, and will start, stays on that core
#   client OPTION...          bench/client on a: sets $took and $own, its seconds and its processor seconds

stub=/usr/libexec/blackpony/stub
# No limits: one client has all sessions here. And no look-up of its name, of which there is nothing to learn.
receiver='/usr/libexec/blackpony/blackpony-receiver blackpony-receiver -m 0 -M 0 -L 0 -n mail.b.test'
static_receiver=${receiver/blackpony-receiver/static-receiver} has_static=
floor="/usr/libexec/blackpony/floor floor /usr/libexec/blackpony/empty /run/blackpony/net"
client_on=() # a command before the client's

load_start() {
	world_start
	cpu_start || { echo "no control groups"; exit 1; }
	host_start a 10.77.0.1 fd77::1 sendmail tools stunnel spiped
	host_start b 10.77.0.2 fd77::2 sendmail inetd tools stunnel spiped
	pony_host a
	pony_host b
	host_put b "$stub" 755 <"$world_build/bench/stub"
	host_put b "${floor%% *}" 755 <"$world_build/bench/floor"
}

client() {
	local said
	said=$(host_run a "${client_on[@]}" "$world_build/bench/client" "$@") && read -r took own <<<"$said"
}

load_inetd() {
	printf '%s\n' "$@" | sed 's/stream tcp nowait/&.1000000 root/' >"$WORLD/inetd.conf"
	host_inetd b "$WORLD/inetd.conf"
}

load_static() {
	local dir=$world_build/bench.d/static options
	[ "$mode" = full ] || return 0
	if [ ! -e "$dir/blackpony-receiver" ]; then
		mkdir -p "$dir" && options=$("$world_build/config.status" --config) &&
			(cd "$dir" && eval "\"$source/configure\" -q $options --enable-static-deps" && make -j2 blackpony-receiver) ||
			world_die "no static build"
	fi
	host_put b "${static_receiver%% *}" 755 <"$dir/blackpony-receiver"
	has_static=yes
}

load_certificate() {
	host_run "$1" sh -e -c 'mkdir -p /etc/bench && cd /etc/bench
		openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 \
			-subj "/CN=$(hostname)" -keyout key.pem -out cert.pem' >/dev/null 2>&1
}

# load_stunnel HOST LABEL LINE...: stunnel there, with these lines for its one service.
load_stunnel() {
	local host=$1 label=$2
	shift 2
	printf '%s\n' 'foreground = yes' 'pid =' 'syslog = no' 'debug = 4' '[smtp]' "$@" |
		host_put "$host" "/etc/stunnel/$label.conf"
	host_spawn "$host" "$label" stunnel4 "/etc/stunnel/$label.conf"
}

# listens HOST PORT
listens() { wait_for 10 host_listens "$1" "$2" || world_die "$1: nothing listens on $2"; }

load_tunnels() {
	local key=$WORLD/share/key
	load_certificate b
	head -c 32 /dev/urandom >"$key"
	load_stunnel b stunnel 'accept = 10.77.0.2:465' 'connect = 10.77.0.2:2500' 'sessionResume = no' \
		'cert = /etc/bench/cert.pem' 'key = /etc/bench/key.pem'
	load_stunnel a stunnel 'accept = 10.77.0.1:1465' 'connect = 10.77.0.2:465' 'client = yes' 'sessionResume = no'
	host_spawn b spiped spiped -d -F -s '[10.77.0.2]:8025' -t '[10.77.0.2]:2500' -k "$key"
	host_spawn a spiped spiped -e -F -s '[10.77.0.1]:8025' -t '[10.77.0.2]:8025' -k "$key"
	listens b 465
	listens a 1465
	listens b 8025
	listens a 8025
}

load_postfix() {
	host_start q 10.77.0.4 fd77::4 postfix tools
	load_certificate q
	host_postfix q
	host_run q postconf -e 'mydestination = b.test' 'local_transport = discard:' 'local_recipient_maps =' \
		'smtpd_client_connection_rate_limit = 0' 'smtpd_tls_security_level = may' \
		'smtpd_tls_cert_file = /etc/bench/cert.pem' 'smtpd_tls_key_file = /etc/bench/key.pem'
	host_run q postfix reload
}

load_starttls() {
	local starttls=("connect = $1:25" 'client = yes' 'protocol = smtp')
	load_stunnel a starttls 'accept = 10.77.0.1:2525' "${starttls[@]}" 'sessionResume = no'
	load_stunnel a resumed 'accept = 10.77.0.1:2526' "${starttls[@]}"
	listens a 2525
	listens a 2526
}

load_pin() {
	local core=$1 host proc
	shift
	for host; do
		for proc in $(cpu_processes "$host"); do
			taskset -pc "$core" "$proc" >/dev/null
		done
	done
}
