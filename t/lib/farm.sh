# farm.sh: mail hosts that share a name and a key, senders, and mail without a pause between them, for
# t/89-farm. Sourced after mail.sh.

farm_hosts="mx1 mx2 mx3"
farm_senders="s1 s2"
farm_args="-c 30d -k /etc/blackpony/farm/hostkey -S /etc/blackpony/farm/siblings -o mx.farm.test -F /etc/blackpony/balancers"

# farm_receiver NAME N [RECEIVER-ARGUMENT...]: a host of the farm, with a key of its own for the mail that it sends.
farm_receiver() {
	local name=$1 n=$2
	shift 2
	host_start "$name" "10.77.0.$n" "fd77::$n" sendmail inetd ssh
	host_put "$name" /etc/mail/local-host-names <<<$'farm.test\nnames.test\nthird.test\nbalanced.test'
	pony_host "$name"
	mail_boxes "$name" bob
	host_put "$name" /etc/blackpony/balancers <<<10.77.0.25
	farm_sshd "$name"
	sed "s|blackpony-receiver\$|& $farm_args $*|" "$abs_top_srcdir/doc/inetd.conf.example" >"$WORLD/$name.inetd"
}

# farm_balancer: HAProxy before all of them, with doc/haproxy.cfg but for addresses and a user of its own; and by
# turns, for hosts that are nearly idle all have the fewest sessions.
farm_balancer() {
	host_start lb 10.77.0.25 fd77::25 haproxy
	sed -E '/^	(user|group|chroot) /d; s/leastconn/roundrobin/; s/192\.0\.2\.25/10.77.0.25/; s/2001:db8::25/fd77::25/
		s/^(	server mx[12]) 192\.0\.2\.1([12]):25$/\1 10.77.0.\2:25/; $a\	server mx3 10.77.0.3:25' \
		"$abs_top_srcdir/doc/haproxy.cfg" | host_put lb /etc/haproxy/haproxy.cfg
	host_spawn lb haproxy haproxy -db -f /etc/haproxy/haproxy.cfg
	wait_for 10 host_listens lb 25 || bail "HAProxy does not listen"
}

# farm_sshd NAME: root may come in from the host keys.
farm_sshd() {
	host_put "$1" /etc/ssh/farm <<-'END'
		HostKey /etc/ssh/farm.key
		PermitRootLogin prohibit-password
		AuthorizedKeysFile /etc/ssh/farm.users
		UsePAM no
		PidFile none
		MaxStartups 100
		Subsystem sftp internal-sftp
	END
	host_put "$1" /etc/ssh/farm.users <"$(host_root keys)/root/.ssh/id_ed25519.pub"
	host_run "$1" sh -e -c '
		sed -i "s/^root:[^:]*:/root:*:/" /etc/shadow
		grep -q ^sshd: /etc/passwd || echo sshd:x:64900:64900::/run/sshd:/usr/sbin/nologin >>/etc/passwd
		mkdir -p -m 755 /run/sshd
		ssh-keygen -q -t ed25519 -N "" -f /etc/ssh/farm.key' || world_die "$1: no ssh"
	host_spawn "$1" sshd /usr/sbin/sshd -D -e -f /etc/ssh/farm
	echo "$1.test,mail.$1.test $(cut -d ' ' -f 1,2 <"$(host_root "$1")/etc/ssh/farm.key.pub")" \
		>>"$(host_root keys)/root/.ssh/known_hosts"
}

# farm_keys: the machine on which the farm's keys are made and from which they are given out.
farm_keys() {
	host_start keys 10.77.0.9 fd77::9 ssh
	host_pony keys
	host_run keys sh -e -c 'mkdir -p -m 700 /root/.ssh /root/farm
		ssh-keygen -q -t ed25519 -N "" -f /root/.ssh/id_ed25519'
	# One connection to each host for all that is pushed, or the test is about ssh.
	host_put keys /root/.ssh/config <<-'END'
		ControlMaster auto
		ControlPath /root/.ssh/%h
		ControlPersist 60
	END
	farm_in $farm_hosts
	host_put keys /usr/local/bin/farm-push 755 <"$abs_top_srcdir/doc/farm/farm-push"
}

# farm_in NAME...: these hosts are in the farm.
farm_in() { printf 'mail.%s.test\n' "$@" | host_put keys /root/farm/hosts; }

# farm_push [-a DAYS] WORD [HOST...], and farm_keygen ARGUMENT...: on that machine.
farm_push() {
	local age=()
	[ "$1" != -a ] || age=("${@:1:2}")
	shift ${#age[@]}
	host_run keys /usr/local/bin/farm-push "${age[@]}" "$1" /root/farm "${@:2}"
}
# farm_month: what was announced, was announced a month earlier.
farm_month() {
	# shellcheck disable=SC2016 # awk's
	host_run keys sh -e -c 'cd /root/farm; awk "{ print \$1, \$2 - 30 * 86400 }" announced >x; mv x announced'
}
farm_keygen() { host_run keys blackpony-keygen -q -f /root/farm/hostkey "$@"; }
farm_key() { host_run keys blackpony-keygen -l -f "/root/farm/$1" | grep -o 'SHA256:[^ ]*'; }

# farm_sender NAME N [MAILER-ARGUMENT...]: a host that sends.
farm_sender() {
	host_start "$1" "10.77.0.$2" "fd77::$2" sendmail
	# shellcheck disable=SC2016 # sendmail's macros
	pony_host "$1" "$abs_top_srcdir/doc/sendmail.mc.example" \
		"-DBLACKPONY_MAILER_ARGS=blackpony-mailer ${*:3} -i \$i \$h"
}

# farm_traffic NAME DOMAIN...: from now on mail from there, one message after another, to bob at each
# domain in turn. Their subjects are NAME-1, NAME-2 and so on.
farm_traffic() {
	local name=$1
	shift
	host_put "$name" /root/traffic 755 <<-'END'
		#!/bin/bash
		name=$1 n=0
		shift
		while [ ! -e /run/stop ]; do
			domain=${@:n % $# + 1:1}
			n=$((n + 1))
			printf 'Subject: %s-%d\nTo: friends:;\n\nnobody on the way may read this\n' "$name" $n |
				sendmail-mta -Am -odi -oem -i -f "alice@$name.test" -- "bob@$domain"
			sleep 0.05
			echo $n >/run/sent.new
			mv /run/sent.new /run/sent
			sleep 0.1
		done
	END
	host_run "$name" sh -c 'rm -f /run/stop; echo 0 >/run/sent'
	host_spawn "$name" traffic /root/traffic "$name" "$@"
}

# farm_more N: until each sender has sent so many messages more.
farm_more() {
	local name
	local -A want
	for name in $farm_senders; do
		want[$name]=$(($(farm_sent "$name") + $1))
	done
	for name in $farm_senders; do
		wait_for 60 eval "[ \"\$(farm_sent $name)\" -ge ${want[$name]} ]" || diag "$name sends no more"
	done
}
farm_sent() { cat "$(host_root "$1")/run/sent"; }

# farm_stop: no more mail; what was begun is through.
farm_stop() {
	local name
	for name in $farm_senders; do
		host_run "$name" touch /run/stop
	done
	for name in $farm_senders; do
		{ wait "${host_job[$name/traffic]}"; } 2>/dev/null
		unset "host_job[$name/traffic]"
	done
}

# Of what is in the boxes, and in these files, each as often as it came: farm_came [FILE...] the subjects,
# farm_ids [FILE...] the queue ids at the senders, which these put into Message-Id.
farm_boxes() {
	local name
	for name in $farm_hosts; do
		[ -z "${host_pid[$name]-}" ] || cat "$(host_root "$name")/var/mail/box/bob" 2>/dev/null
	done | cat - "$@"
}
farm_came() { farm_boxes "$@" | sed -n 's/^Subject: \(s[12]-[0-9]*\)$/\1/p' | sort; }
farm_ids() { farm_boxes "$@" | sed -n 's/^Message-Id: <[0-9]*\.\([^@]*\)@mail\.s[12]\.test>$/\1/p' | sort; }

# farm_all: what should have come.
farm_all() {
	local name
	for name in $farm_senders; do
		seq -f "$name-%g" 1 "$(farm_sent "$name")"
	done | sort
}
farm_missing() { comm -23 <(farm_all) <(farm_came "$@" | uniq); }
farm_complete() { [ -z "$(farm_missing "$@")" ]; }

# farm_log: what the mailers of all senders have said.
farm_log() {
	local name
	for name in $farm_senders; do
		host_log "$name"
	done
}
farm_count() { farm_log | grep -Ec -e "$1"; }
