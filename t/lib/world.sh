# world.sh: real mail hosts for the tests and ./quickstart.  Sourced by bash; README has the API.
#
# A world is one wire (a bridge, with the name server and the wiretap) and the hosts plugged
# into it.  Everything lives in namespaces that have no name and no file: they are reached by
# process id, and vanish with the processes, which end when this shell ends (mailhost.c).
# Functions that start something must run in the main shell, not in $(...) or a pipeline.

world_lib=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
world_src=$(cd "$world_lib/../.." && pwd)
world_build=${abs_top_builddir:-$PWD}

# shellcheck source=t/lib/layers.sh
. "$world_lib/layers.sh"

WORLD=
world_box_options=() # of mailhost; roots.sh has hosts that are another system
declare -A host_pid host_parent host_name host_ip4 host_ip6

world_reason() {
	local tool
	[ "${BLACKPONY_WORLDS:-yes}" = yes ] || { echo "BLACKPONY_WORLDS=$BLACKPONY_WORLDS"; return; }
	[ "${BLACKPONY_WORLDS-}" != no ] || { echo "BLACKPONY_WORLDS=no"; return; }
	[ "$(id -u)" -eq 0 ] || { echo "needs root, for namespaces"; return; }
	for tool in ip nsenter apt-get dpkg tar flock; do
		command -v "$tool" >/dev/null || { echo "needs $tool"; return; }
	done
	unshare -mnp true 2>/dev/null || echo "this machine grants no namespaces"
}

world_die() {
	echo "world: $*" >&2
	exit 99
}

# world_start: an empty world with a name server.  Where it cannot exist, the test is skipped.
world_start() {
	local reason
	reason=$(world_reason)
	[ -z "$reason" ] || { echo "1..0 # SKIP $reason"; exit 0; }
	WORLD=$(mktemp -d "/tmp/blackpony.$$.XXXXXX") || world_die "no scratch directory"
	world_sweep
	trap world_stop EXIT
	trap 'exit 129' HUP
	trap 'exit 130' INT
	trap 'exit 143' TERM
	mkdir "$WORLD/zones" "$WORLD/share"
	world_tool mailhost
	world_box wire wire.test nsd tools
	# Without an address of its own a bridge has the lowest of its ports', and a host that is plugged in
	# later may change it: the name server would be silent until the others' neighbour entries are stale.
	host_run wire ip -batch - <<-END || world_die "no bridge"
		link set lo up
		link add br0 address 02:00:00:00:00:53 type bridge mcast_snooping 0
		link set br0 up
		addr add 10.77.0.53/24 dev br0
		addr add fd77::53/64 dev br0 nodad
	END
	host_ip4[wire]=10.77.0.53 host_ip6[wire]=fd77::53
	world_zone . <<<'ns.test. IN A 10.77.0.53'
	world_reverse
	world_dns
}

# world_sweep: removes the scratch directories of shells that were killed.
world_sweep() {
	local old owner
	for old in /tmp/blackpony.*.??????; do
		owner=${old#/tmp/blackpony.}
		kill -0 "${owner%.*}" 2>/dev/null || rm -rf "$old"
	done
}

# world_stop: ends every host and removes what was left on disk.  Runs by itself on exit.
world_stop() {
	local name
	trap - EXIT
	for name in "${!host_pid[@]}"; do
		host_stop "$name"
	done
	[ -z "$WORLD" ] || rm -rf "$WORLD"
	WORLD=
}

# world_tool NAME: builds t/tools/NAME.c into the world unless make has done it.
world_tool() {
	local made=$world_build/t/tools/$1
	if [ -x "$made" ] && [ "$made" -nt "$world_src/t/tools/$1.c" ]; then
		ln -s "$made" "$WORLD/$1"
	else
		"${CC:-cc}" -std=c11 -D_GNU_SOURCE -O1 -o "$WORLD/$1" "$world_src/t/tools/$1.c"
	fi || world_die "cannot build $1"
}

# world_box NAME FQDN LAYER...: the namespaces and the root of a host, not yet plugged in.
world_box() {
	local name=$1 fqdn=$2 pid= layer tar
	shift 2
	mkdir "$WORLD/$name" && mkfifo "$WORLD/$name.ready" || world_die "two hosts called $name"
	"$WORLD/mailhost" "${world_box_options[@]}" "$fqdn" "$WORLD/$name" "$WORLD/share" "$world_src" \
		"$world_build" \
		>"$WORLD/$name.ready" &
	host_parent[$name]=$!
	read -r pid <"$WORLD/$name.ready" || world_die "$name does not start"
	host_pid[$name]=$pid host_name[$name]=$fqdn
	for layer; do
		tar=$(layer "$layer") || world_die "no layer $layer"
		host_run "$name" tar -C / -xpf - --keep-directory-symlink --no-overwrite-dir <"$tar" ||
			world_die "cannot unpack $layer"
	done
}

# world_zone ORIGIN: the records on standard input become that zone; NS and SOA come by
# themselves.  Served from the next world_dns or host_start on.
world_zone() {
	local origin=${1%.}.
	{
		echo "\$ORIGIN $origin"
		echo "\$TTL 60"
		echo "@ IN SOA ns.test. hostmaster.test. 1 60 60 60 1"
		echo "@ IN NS ns.test."
		cat
	} >"$WORLD/zones/zone.$origin"
}

# world_dns: (re)starts the name server with all zones.
world_dns() {
	local etc zone
	etc=$(host_root wire)/etc/nsd
	mkdir -p "$etc/zones"
	cp "$WORLD"/zones/* "$etc/zones/"
	cat >"$etc/nsd.conf" <<-END
		server:
			server-count: 1
			ip-address: 10.77.0.53
			ip-address: fd77::53
			username: root
			chroot: ""
			zonesdir: /etc/nsd/zones
			database: ""
			pidfile: /run/nsd.pid
			xfrdfile: /run/nsd.xfrd
			zonelistfile: /run/nsd.zones
			logfile: /var/log/nsd.log
			rrl-ratelimit: 0
		remote-control:
			control-enable: no
	END
	for zone in "$WORLD"/zones/*; do
		zone=${zone##*/zone.}
		printf 'zone:\n\tname: "%s"\n\tzonefile: "zone.%s"\n' "$zone" "$zone"
	done >>"$etc/nsd.conf"
	[ -z "${world_dns_runs-}" ] || host_kill wire nsd
	host_spawn wire nsd nsd -d -c /etc/nsd/nsd.conf
	wait_for 5 host_listens wire 53 || { host_run wire cat /var/log/nsd.log >&2; world_die "no name server"; }
	world_dns_runs=yes
}

# The reverse zones of 10.77.0.0/24 and fd77::0 to fd77::ffff, one line an address.
world_reverse() {
	local name n zeros
	zeros=$(printf '0.%.0s' {1..23})0
	for name in "${!host_ip4[@]}"; do
		echo "${host_ip4[$name]##*.} IN PTR ${host_name[$name]}."
	done | world_zone 0.77.10.in-addr.arpa
	for name in "${!host_ip6[@]}"; do
		n=$(printf %04x "0x${host_ip6[$name]##*:}")
		echo "${n:3:1}.${n:2:1}.${n:1:1}.${n:0:1}.$zeros IN PTR ${host_name[$name]}."
	done | world_zone 7.7.d.f.ip6.arpa
}

# host_start NAME IP4 IP6 LAYER...: a host on the wire.  NAME is a full host name, or one word,
# which stands for mail.WORD.test, the MX of WORD.test; that zone is made unless there is one.
host_start() {
	local name=$1 ip4=$2 ip6=$3 fqdn=$1
	shift 3
	case $name in
	*.*) ;;
	*) fqdn=mail.$name.test ;;
	esac
	world_box "$name" "$fqdn" "$@"
	host_ip4[$name]=$ip4 host_ip6[$name]=$ip6
	host_plug "$name"
	host_run "$name" sh -s "$fqdn" "$ip4" "$ip6" <"$world_lib/host.sh" || world_die "$name: no /etc"
	if [ "$fqdn" != "$name" ] && [ ! -e "$WORLD/zones/zone.$name.test." ]; then
		world_zone "$name.test" <<-END
			@ IN MX 10 mail
			mail IN A $ip4
			mail IN AAAA $ip6
		END
	fi
	world_reverse
	world_dns
}

# host_plug NAME: its eth0 and the wire's end of it.
host_plug() {
	local port=port${host_pid[$1]}
	world_ip wire <<-END
		link add $port type veth peer name eth0 netns ${host_pid[$1]}
		link set $port master br0 up
	END
	world_ip "$1" <<-END
		link set lo up
		addr add ${host_ip4[$1]}/24 dev eth0
		addr add ${host_ip6[$1]}/64 dev eth0 nodad
		link set eth0 up
	END
}

# world_ip NAME: ip(8) commands on standard input, in that host's network.  Numbers of processes
# are the machine's.
world_ip() {
	nsenter -t "${host_pid[$1]}" -n ip -batch - || world_die "$1: ip failed"
}

# host_stop NAME: the power cord.
host_stop() {
	local job
	{ # without the shell's remarks on what was killed
		kill -KILL "${host_pid[$1]}"
		wait "${host_parent[$1]}"
		for job in "${!host_job[@]}"; do
			[ "${job%%/*}" = "$1" ] || continue
			kill -KILL "${host_job[$job]}"
			wait "${host_job[$job]}"
			unset "host_job[$job]"
		done
	} 2>/dev/null
	unset "host_pid[$1]" "host_parent[$1]"
	rm -rf "${WORLD:?}/$1" "$WORLD/$1.ready"
}

# host_root NAME: where the host's files are, seen from here.
host_root() { echo "/proc/${host_pid[$1]}/root"; }

# host_run NAME COMMAND...: as root on the host, with standard input and output from here.
host_run() {
	local -a enter
	host_enter "$1"
	shift
	"${enter[@]}" "$@"
}
HOST_ENV=()   # more NAME=VALUE for every command, such as ASAN_OPTIONS
HOST_NETWORK= # the host whose network it has, if not its own

# host_enter NAME: sets the caller's array enter to the words that put a command on the host.
host_enter() {
	local pid=${host_pid[$1]-} network=${host_pid[${HOST_NETWORK:-$1}]-}
	[ -n "$pid" ] || world_die "no host is called $1"
	enter=(nsenter -t "$pid" -m -u -p -i --net="/proc/$network/ns/net"
		env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C "${HOST_ENV[@]}")
}

# host_as NAME USER COMMAND...
host_as() {
	local name=$1 user=$2
	shift 2
	host_run "$name" setpriv --reuid "$user" --regid users --init-groups \
		env HOME="/home/$user" USER="$user" LOGNAME="$user" "$@"
}

# host_spawn NAME LABEL COMMAND...: the same, left running.  Its output is in /var/log/LABEL.out.
host_spawn() {
	local name=$1 label=$2
	local -a enter
	shift 2
	host_enter "$name"
	# shellcheck disable=SC2016 # expanded on the host
	"${enter[@]}" sh -c 'echo $$ >"/run/$0.spawned"; exec "$@" >"/var/log/$0.out" 2>&1' \
		"$label" "$@" </dev/null &
	host_job[$name/$label]=$!
	wait_for 5 test -s "$(host_root "$name")/run/$label.spawned" ||
		world_die "$name: $label does not start"
}
declare -A host_job

# host_kill NAME LABEL [SIGNAL]: ends what host_spawn started, and waits for it.
host_kill() {
	# The shell's own: kill(1) is in a package that a small machine lacks.
	# shellcheck disable=SC2016 # expanded on the host
	host_run "$1" sh -c 'kill -"$0" "$1"' "${3:-TERM}" "$(cat "$(host_root "$1")/run/$2.spawned")"
	{ wait "${host_job[$1/$2]}"; } 2>/dev/null
	unset "host_job[$1/$2]"
	rm -f "$(host_root "$1")/run/$2.spawned"
}

# host_put NAME PATH [MODE]: standard input becomes that file on the host.
host_put() {
	local path
	path=$(host_root "$1")$2
	mkdir -p "${path%/*}" && cat >"$path" && chmod "${3:-644}" "$path"
}

# host_listens NAME PORT: somebody listens there (TCP, IPv4 or IPv6).
host_listens() {
	local port
	port=$(printf %04X "$2")
	grep -q ": [0-9A-F]*:$port [0-9A-F]*:0000 0A" "/proc/${host_pid[$1]}/net/tcp" \
		"/proc/${host_pid[$1]}/net/tcp6"
}

# host_pony NAME: the programs under test, from the build directory.
host_pony() {
	local root program
	root=$(host_root "$1")
	mkdir -p "$root/usr/libexec/blackpony"
	install -d -m 555 "$root${BLACKPONY_EMPTY:-/usr/libexec/blackpony/empty}"
	for program in blackpony-mailer blackpony-receiver blackpony-keygen; do
		install -m 755 "${BLACKPONY_BIN:-$world_build}/$program" "$root/usr/libexec/blackpony/" ||
			world_die "build $program first"
	done
	ln -sf ../libexec/blackpony/blackpony-keygen "$root/usr/bin/"
}

# host_sendmail NAME [MC [M4-ARGUMENT...]]: configures sendmail from an .mc file (default: the
# documented example); starts nothing.  submit.cf comes from the file's submit.mc neighbour.
host_sendmail() {
	local name=$1 mc=${2:-$world_src/doc/sendmail.mc.example}
	shift $(($# < 2 ? $# : 2))
	host_put "$name" /usr/share/blackpony/sendmail.cf.m4 <"$world_src/sendmail.cf.m4"
	host_put "$name" /usr/share/blackpony/sendmail.relay.m4 <"$world_src/sendmail.relay.m4"
	host_put "$name" /usr/share/sendmail/cf/mailer/blackpony.m4 <"$world_src/sendmail.cf.m4"
	host_put "$name" /etc/mail/sendmail.mc <"$mc"
	host_run "$name" sh -s -- "$@" <"$world_lib/sendmail.sh" || world_die "$name: sendmail.cf"
}

# host_tls NAME: a certificate of its own, with which the next host_sendmail offers STARTTLS.
host_tls() {
	host_run "$1" sh -e -c 'mkdir -p /etc/mail/tls && cd /etc/mail/tls
		openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 \
			-subj "/CN=$(hostname)" -keyout key.pem -out cert.pem
		chmod 600 key.pem' >/dev/null 2>&1 || world_die "$1: no certificate"
	host_put "$1" /etc/mail/tls/tls.m4 <<-'END'
		define(`confSERVER_CERT', `/etc/mail/tls/cert.pem')dnl
		define(`confSERVER_KEY', `/etc/mail/tls/key.pem')dnl
		define(`confCACERT', `/etc/mail/tls/cert.pem')dnl
		define(`confCACERT_PATH', `/etc/mail/tls')dnl
	END
}

# host_daemon NAME: the sendmail daemon, with the ports of its sendmail.mc.
host_daemon() {
	host_run "$1" /usr/sbin/sendmail-mta -Am -L sm-mta -bd -q1h </dev/null ||
		world_die "$1: sendmail does not start"
	wait_for 10 test -s "$(host_root "$1")/run/sendmail/mta/sendmail.pid" ||
		world_die "$1: sendmail does not start"
}

# host_inetd NAME [FILE], host_xinetd NAME [FILE]: default: the documented example.
host_inetd() {
	host_put "$1" /etc/inetd.conf <"${2:-$world_src/doc/inetd.conf.example}"
	host_spawn "$1" inetd inetd -i
	wait_for 5 host_listens "$1" 25 || world_die "$1: inetd does not listen on 25"
}

host_xinetd() {
	host_put "$1" /etc/xinetd.d/blackpony <"${2:-$world_src/doc/xinetd.blackpony}"
	host_put "$1" /etc/xinetd.conf <<<'include /etc/xinetd.d/blackpony'
	host_spawn "$1" xinetd xinetd -dontfork -syslog mail
	wait_for 5 host_listens "$1" 25 || world_die "$1: xinetd does not listen on 25"
}

# host_postfix NAME: Postfix, for this host's domain, on port 25; delivers to /var/mail.
host_postfix() {
	host_run "$1" sh -s <"$world_lib/postfix.sh" || world_die "$1: postfix does not start"
	wait_for 10 host_listens "$1" 25 || world_die "$1: postfix does not listen"
}

# host_exim NAME [PORT]: the same with Exim.
host_exim() {
	host_run "$1" env EXIM_PORT="${2-}" sh -s <"$world_lib/exim.sh" || world_die "$1: exim does not start"
	wait_for 10 host_listens "$1" "${2:-25}" || world_die "$1: exim does not listen"
}

host_log() { cat "$(host_root "$1")/var/log/mail.log"; }

# host_mailbox NAME USER: all delivered messages, in mbox form; nothing when there is none.
host_mailbox() { cat "$(host_root "$1")/var/mail/$2" 2>/dev/null; }

# host_queue NAME: mailq of both queues.  host_flush NAME: tries both again, now.
host_queue() {
	host_run "$1" /usr/sbin/sendmail-mta -Am -bp
	host_run "$1" /usr/sbin/sendmail-mta -Ac -bp
}

host_flush() {
	host_run "$1" /usr/sbin/sendmail-mta -Ac -q
	host_run "$1" /usr/sbin/sendmail-mta -Am -q
}

# wiretap_start [NAME [INTERFACE]]: records the whole wire, or what one host sees.
wiretap_start() {
	local HOST_NETWORK=${1:-wire} interface=${2:-eth0}
	[ "$HOST_NETWORK" != wire ] || interface=br0
	host_spawn wire wiretap tcpdump -B 32768 -i "$interface" -U --immediate-mode -s 0 -Z root -w /tmp/wiretap
	wait_for 5 grep -q 'listening on' "$(host_root wire)/var/log/wiretap.out" ||
		world_die "tcpdump does not start"
}

# wiretap_stop FILE: ends the recording and leaves it there, as a pcap file.
wiretap_stop() {
	sleep 0.1 # what is on its way
	host_kill wire wiretap INT
	cp "$(host_root wire)/tmp/wiretap" "$1"
}

# wire_delay NAME NAME MILLISECONDS [LABEL]: from now on all that the two send each other takes
# so long, each way.  Their names for the line are LABEL (tun0) on both sides.
wire_delay() {
	local label=${4:-tun0}
	[ -e "$WORLD/delayline" ] || world_tool delayline
	"$WORLD/delayline" "${host_pid[$1]}" "$label" "${host_pid[$2]}" "$label" "$3" &
	host_job[$1/$label]=$!
	wait_for 5 grep -q "$label:" "/proc/${host_pid[$2]}/net/dev" || world_die "no delay line"
	wire_delay_route "$1" "$2" "$label"
	wire_delay_route "$2" "$1" "$label"
}

wire_delay_route() {
	world_ip "$1" <<-END
		link set $3 up
		route add ${host_ip4[$2]} dev $3 src ${host_ip4[$1]}
		route add ${host_ip6[$2]} dev $3 src ${host_ip6[$1]}
	END
}

# wait_for SECONDS COMMAND...: until it succeeds; fails when the time is over.
wait_for() {
	local end=$((${EPOCHREALTIME/./} + $1 * ${BLACKPONY_PATIENCE:-1} * 1000000))
	shift
	until "$@" 2>/dev/null; do
		[ "${EPOCHREALTIME/./}" -lt "$end" ] || return 1
		sleep 0.02
	done
}
