# port25.sh: who has port 25: sendmail's daemon, inetd, xinetd or systemd. Sourced by blackpony-setup.
# shellcheck shell=sh disable=SC2154 # work, pkgdatadir, pkglibexecdir: blackpony-setup's

inetd_conf=/etc/inetd.conf
xinetd_file=/etc/xinetd.d/blackpony

# service_do ACTION NAME: a maintainer script asks the policy of the host as well.
service_do() {
	if [ -n "${DPKG_MAINTSCRIPT_NAME-}" ]; then
		invoke-rc.d "$2" "$1"
	else
		service "$2" "$1"
	fi >>"$work/service" 2>&1 </dev/null 9>&-
}

# port_sockets: the inodes of the sockets that listen on port 25, of any address.
port_sockets() {
	cat /proc/net/tcp /proc/net/tcp6 2>/dev/null |
		awk '$2 ~ /:0019$/ && $4 == "0A" { print $10 }'
}

port_is_taken() { [ -n "$(port_sockets)" ]; }
port_is_free() { ! port_is_taken; }

# port_owner: the names of the programs that listen on port 25, one a line.
port_owner() {
	for port_inode in $(port_sockets); do
		find /proc/[0-9]*/fd -lname "socket:\[$port_inode\]" 2>/dev/null | while read -r port_fd; do
			cat "${port_fd%/fd/*}/comm" 2>/dev/null || true
		done
	done | sort -u
}

# wait_until SECONDS COMMAND...
wait_until() {
	wait_tenths=${1}0
	shift
	until "$@"; do
		wait_tenths=$((wait_tenths - 1))
		[ "$wait_tenths" -gt 0 ] || return 1
		sleep 0.1
	done
}

# super_default: which of the three starts the receiver when nobody says.
super_default() {
	if [ -d /run/systemd/system ]; then
		echo systemd
	elif command -v xinetd >/dev/null; then
		echo xinetd
	elif command -v inetd >/dev/null; then
		echo inetd
	fi
}

# super_missing WITH: why that one cannot be had; nothing if it can.
super_missing() {
	case $1 in
	systemd)
		if [ ! -d /run/systemd/system ]; then
			echo "systemd does not run here"
		elif ! systemctl cat blackpony.socket >/dev/null 2>&1; then
			echo "systemd has no blackpony.socket: copy it and blackpony@.service to /etc/systemd/system"
		fi
		;;
	'') echo "there is neither systemd, nor xinetd, nor inetd: install openbsd-inetd or xinetd" ;;
	*)
		command -v "$1" >/dev/null || echo "$1 is not installed"
		[ "$1" != inetd ] || [ -n "$(inetd_service)" ] || echo "inetd has no start script in /etc/init.d"
		;;
	esac
}

inetd_service() {
	for inetd_name in openbsd-inetd inetutils-inetd; do
		[ ! -e /etc/init.d/$inetd_name ] || { echo $inetd_name && break; }
	done
}

# super_file WITH: the file in which it is told; super_text WITH: that file, with our lines.
super_file() {
	case $1 in
	inetd) echo $inetd_conf ;;
	xinetd) echo $xinetd_file ;;
	esac
}

super_text() {
	case $1 in
	inetd)
		[ ! -e $inetd_conf ] || mc_strip $inetd_conf
		super_example=inetd.conf.example
		;;
	xinetd) super_example=xinetd.blackpony ;;
	esac
	echo "# blackpony begin"
	sed "s|/usr/libexec/blackpony|$pkglibexecdir|" "$pkgdatadir/setup/$super_example"
	echo "# blackpony end"
}

super_in_place() {
	case $1 in
	systemd) systemctl is-enabled --quiet blackpony.socket 2>/dev/null ;;
	*) mc_is_marked "$(super_file "$1")" ;;
	esac
}

# super_start WITH: it takes port 25. Its file is in place.
super_start() {
	case $1 in
	systemd) systemctl enable --now blackpony.socket >>"$work/service" 2>&1 </dev/null 9>&- ;;
	xinetd) super_reread xinetd /run/xinetd.pid ;;
	inetd) super_reread "$(inetd_service)" /run/inetd.pid ;;
	esac && wait_until 10 port_is_taken
}

# super_stop WITH: it gives port 25 up. Its file has our lines no more.
super_stop() {
	case $1 in
	systemd)
		[ ! -d /run/systemd/system ] ||
			systemctl disable --now blackpony.socket >>"$work/service" 2>&1 </dev/null 9>&-
		;;
	xinetd) super_reread xinetd /run/xinetd.pid ;;
	inetd) super_reread "$(inetd_service)" /run/inetd.pid ;;
	esac
}

# super_reread SERVICE PIDFILE: inetd may have had no service so far, and so not run.
super_reread() {
	if super_runs "$2"; then
		service_do reload "$1"
	else
		service_do start "$1"
	fi
}

super_runs() { [ -s "$1" ] && kill -0 "$(cat "$1")" 2>/dev/null; }

# daemon_pids: sendmail's, which keep the queue and the other ports.
daemon_pids() {
	for daemon_file in /run/sendmail/mta/sendmail.pid /run/sendmail/mta/queue.pid; do
		daemon_pid=$(head -n 1 "$daemon_file" 2>/dev/null) || continue
		[ -z "$daemon_pid" ] || ! kill -0 "$daemon_pid" 2>/dev/null || echo "$daemon_pid"
	done
}

daemon_runs() { [ -n "$(daemon_pids)" ]; }

# daemon_reread CONDITION...: the daemon reads its sendmail.cf anew, and the condition comes to
# hold. On SIGHUP it closes its ports at once, where its start script takes seconds.
daemon_reread() {
	for daemon_pid in $(daemon_pids); do
		kill -HUP "$daemon_pid"
	done
	wait_until 10 "$@" || { service_do restart sendmail && wait_until 10 "$@"; }
}
