# lib.sh: what the rows of the benchmark share. Sourced by bench/row-*.sh, which bench/run starts; brings the
# test world (t/lib) along. The world of most rows is two hosts: a sends, with sendmail or with Postfix, whose
# files are on p, which has a's network; b takes, on an address for each way that mail can take, with sendmail
# or with Postfix, which is on q.
#
#   sample ROW UNIT VARIANT VALUE     a sample of this pass
#   cannot ROW UNIT VARIANT WHY       there is none
#   ways_start                        the hosts and all that listens
#   mailer NAME OPTION...             a mailer of a's that is blackpony's with these options
#   nothing_mailer                    the one that does nothing (nothing-mailer.c)
#   rtt MILLISECONDS                  from now on between a and b; rtt_lines MILLISECONDS... first
#   forgotten                         a knows nothing of other hosts any more
#   letter DOMAIN                     a message of 1 KB
#   post WAY                          sends one, from the system that the way asks for; returns when b has it
source=${abs_top_srcdir:?}
. "$source/t/lib/world.sh"
. "$source/t/lib/mail.sh"

passes=${BENCH_PASSES:?} mode=${BENCH_MODE:?}
classical=x25519-chachapoly
kept_seconds=3 # before a kept session ends

# What is formed as a difference may come out below zero when other things run: that is no figure.
sample() {
	case $4 in
	'' | *[!0-9.]*) cannot "$1" "$2" "$3" "measured as '$4'" ;;
	*) printf '%s\t%s\t%s\t%s\n' "$@" >&3 ;;
	esac
}
cannot() {
	echo "NOT MEASURED: $1, $3: $4"
	printf '%s\t%s\t%s\t-\t%s\n' "$@" >&3
}

# Where each way's mail goes: an address of b's, all in a range of their own that can be routed over a delay.
# The sender's side differs in mailertable, sendmail.cf or transport; see ways_sender and ways_postfix.
declare -A way_address=(
	[hybrid]=10.77.0.16 [classical]=10.77.0.16 [kept]=10.77.0.16 # blackpony-receiver, inetd, sendmail -bs
	[bs]=10.77.0.17 [bare]=10.77.0.17 [nothing]=10.77.0.17       # inetd, sendmail -bs
	[starttls]=10.77.0.18                                        # sendmail's daemon, with STARTTLS
	[plain]=10.77.0.19 [acked]=10.77.0.19                        # and without
	[stunnel]=10.77.0.20 [spiped]=10.77.0.21                     # in front of Postfix without
	[postfix-plain]=10.77.0.22 [postfix-starttls]=10.77.0.23     # Postfix, without and with
)
declare -A way_name=(
	[hybrid]='blackpony hybrid' [classical]='blackpony classical' [kept]='blackpony kept'
	[bs]='sendmail plain, same back end' [bare]='plain by our mailer, same back end'
	[nothing]='pipe mailer that does nothing'
	[starttls]='sendmail STARTTLS' [postfix-starttls]='Postfix STARTTLS'
	[plain]='sendmail plain' [postfix-plain]='Postfix plain'
	[stunnel]='Postfix through stunnel' [spiped]='Postfix through spiped'
)

# Whether the mailer can keep sessions.
has_kept() { "${BLACKPONY_BIN:?}/blackpony-mailer" --help 2>&1 | grep -q -- '-K '; }

ways_start() {
	local way
	world_start
	for way in "${!way_address[@]}"; do
		world_zone "$way.test" <<-END
			@ IN MX 10 mail
			mail IN A ${way_address[$way]}
		END
	done
	host_start a 10.77.0.1 fd77::1 sendmail tools stunnel spiped
	host_start b 10.77.0.2 fd77::2 sendmail inetd tools stunnel spiped
	host_start p 10.77.0.3 fd77::3 postfix
	host_start q 10.77.0.4 fd77::4 postfix
	printf 'addr add %s/24 dev eth0\n' 10.77.0.{16..23} | world_ip b
	unlearned a && unlearned b
	ways_backends
	ways_sender
	ways_tunnels
	ways_postfix
}

# unlearned HOST: its TCP keeps nothing of a connection for the next one.
unlearned() { nsenter -t "${host_pid[$1]}" -n sh -c 'echo 1 >/proc/sys/net/ipv4/tcp_no_metrics_save'; }

# On b nothing is delivered further than to /dev/null. The sendmail that inetd starts has no certificate to
# read at each start; the daemon has one. Neither asks DNS for the names of the many addresses.
ways_backends() {
	local unprobed=-DconfDONT_PROBE_INTERFACES=True
	host_tls b
	printf '%s\n' b.test "${!way_address[@]}" | sed '2,$s/$/.test/' | host_put b /etc/mail/local-host-names
	host_put b /etc/mail/aliases <<<'bob: /dev/null'
	sed 's/^DAEMON_OPTIONS.*/DAEMON_OPTIONS(`Name=tls, Addr=10.77.0.18, Port=smtp'\'')dnl\
DAEMON_OPTIONS(`Name=plain, Addr=10.77.0.19, Port=smtp, M=S'\'')dnl/' \
		"$source/t/lib/plain.mc" >"$WORLD/daemon.mc"
	host_sendmail b "$WORLD/daemon.mc" "$unprobed"
	host_daemon b
	host_run b rm /etc/mail/tls/tls.m4
	pony_host b "$source/doc/sendmail.mc.example" "$unprobed"
	cat >"$WORLD/inetd.conf" <<-'END'
		10.77.0.16:smtp stream tcp nowait.60000 root /usr/libexec/blackpony/blackpony-receiver blackpony-receiver
		10.77.0.17:smtp stream tcp nowait.60000 root /usr/sbin/sendmail-mta sendmail -bs -Am
	END
	host_inetd b "$WORLD/inetd.conf"
}

# On a the way is found by mailertable. Only the sendmail that is to speak STARTTLS knows certificates: it
# reads them at each start, needed or not.
ways_sender() {
	host_tls a
	host_put a /etc/mail/mailertable <<-'END'
		hybrid.test	blackpony:hybrid.test
		classical.test	classical:classical.test
		kept.test	kept:kept.test
		nothing.test	nothing:nothing.test
		bs.test	esmtp:bs.test
		bare.test	blackpony:bare.test
		plain.test	esmtp:plain.test
		acked.test	esmtp:acked.test
		starttls.test	esmtp:starttls.test
	END
	pony_host a
	host_run a cp /etc/mail/sendmail.cf /etc/mail/tls.cf
	host_run a rm /etc/mail/tls/tls.m4
	host_sendmail a
	mailer classical -s $classical
	! has_kept || mailer kept -K "$kept_seconds"
}

mailer() {
	local name=$1 cf=/etc/mail/sendmail.cf
	shift
	host_run a sed -n "/^Mblackpony,/,/A=/{ s/^Mblackpony/M$name/; s/A=blackpony-mailer/& $*/; p }" $cf >"$WORLD/mailer"
	host_run a tee -a $cf <"$WORLD/mailer" >/dev/null
}

nothing_mailer() {
	host_put a /usr/libexec/blackpony/nothing-mailer 755 <"$abs_top_builddir/bench/nothing-mailer"
	mailer nothing
	host_run a sed -i '/^Mnothing,/,/A=/s|blackpony/blackpony-mailer|blackpony/nothing-mailer|' /etc/mail/sendmail.cf
}

# No session is resumed, as between hosts that never met.
ways_tunnels() {
	head -c 32 /dev/urandom >"$WORLD/share/key"
	host_put b /etc/stunnel.conf <<-'END'
		foreground = yes
		pid =
		cert = /etc/mail/tls/cert.pem
		key = /etc/mail/tls/key.pem
		sessionResume = no
		[smtp]
		accept = 10.77.0.20:465
		connect = 10.77.0.22:25
	END
	host_put a /etc/stunnel.conf <<-'END'
		foreground = yes
		pid =
		client = yes
		sessionResume = no
		[smtp]
		accept = 127.0.0.1:1465
		connect = 10.77.0.20:465
	END
	host_spawn b stunnel stunnel4 /etc/stunnel.conf
	host_spawn a stunnel stunnel4 /etc/stunnel.conf
	host_spawn b spiped spiped -d -F -s '[10.77.0.21]:8025' -t '[10.77.0.22]:25' -k "$WORLD/share/key"
	host_spawn a spiped spiped -e -F -s '[127.0.0.1]:8025' -t '[10.77.0.21]:8025' -k "$WORLD/share/key"
	wait_for 10 host_listens b 465 && wait_for 10 host_listens a 1465 || echo "stunnel does not listen"
	wait_for 10 host_listens b 8025 && wait_for 10 host_listens a 8025 || echo "spiped does not listen"
}

ways_postfix() {
	postfix_files p 'myhostname = mail.a.test' 'mydestination =' 'smtp_tls_security_level = may' 'smtp_connection_cache_on_demand = no' \
		'transport_maps = inline:{ stunnel.test=smtp:[127.0.0.1]:1465, spiped.test=smtp:[127.0.0.1]:8025 }'
	host_put q /etc/mail/tls/cert.pem <"$(host_root b)/etc/mail/tls/cert.pem"
	host_put q /etc/mail/tls/key.pem 600 <"$(host_root b)/etc/mail/tls/key.pem"
	postfix_files q 'myhostname = mail.b.test' \
		'mydestination = postfix-plain.test, postfix-starttls.test, stunnel.test, spiped.test' \
		'local_transport = discard:' 'local_recipient_maps =' 'smtpd_tls_cert_file = /etc/mail/tls/cert.pem' \
		'smtpd_tls_key_file = /etc/mail/tls/key.pem'
	host_run q postconf -M '10.77.0.22:smtp/inet=10.77.0.22:smtp inet n - n - - smtpd' \
		'10.77.0.23:smtp/inet=10.77.0.23:smtp inet n - n - - smtpd -o smtpd_tls_security_level=may'
	HOST_NETWORK=a host_run p postfix start && HOST_NETWORK=b host_run q postfix start ||
		world_die "Postfix does not start"
	wait_for 10 host_listens b 25
}

# postfix_files HOST SETTING...: of a Postfix that has no port of its own and does not run yet.
postfix_files() {
	host_postfix "$1"
	host_run "$1" postfix stop
	host_run "$1" postconf -e "${@:2}"
	host_run "$1" postconf -MX smtp/inet
}

# rtt_lines MILLISECONDS...: a delay line for each but 0, which is the wire. Which of them is used, rtt says.
rtt_lines() {
	local ms
	for ms; do
		[ "$ms" -gt 0 ] || continue
		wire_delay a b $((ms / 2)) "rtt$ms"
		printf 'route del %s\n' 10.77.0.2 fd77::2 | world_ip a
		printf 'route del %s\n' 10.77.0.1 fd77::1 | world_ip b
	done
}

rtt() {
	device=eth0
	[ "$1" -eq 0 ] || device=rtt$1
	world_ip a <<<"route replace 10.77.0.16/28 dev $device src 10.77.0.1"
	world_ip b <<<"route replace 10.77.0.1 dev $device"
}

letter() {
	printf 'Subject: benchmark\nFrom: alice@a.test\nTo: bob@%s\n\n' "$1"
	yes 'Nobody on the wire can tell this line from any other, or so we hope.' | head -n 15 | head -c 940
	echo
}

# sent WAY: how many of its messages the sender's log calls sent.
sent() {
	case $1 in
	postfix-* | stunnel | spiped) host_log p | grep -c "to=<bob@$1.test>, .*status=sent" ;;
	*) host_log a | grep -Ec "to=<?bob@$1\.test>?, .*stat=Sent" ;;
	esac
}
sent_more() { [ "$(sent "$1")" -gt "$2" ]; }

# sendmail_of WAY: sets the words that start the sender's sendmail.
sendmail_of() {
	sendmail=(sendmail-mta -Am)
	[ "$1" != starttls ] || sendmail+=(-C/etc/mail/tls.cf)
}

post() {
	local way=$1 before sendmail
	before=$(sent "$way")
	sendmail_of "$way"
	case $way in
	postfix-* | stunnel | spiped)
		letter "$way.test" | HOST_NETWORK=a host_run p /usr/sbin/sendmail -i -f alice@a.test "bob@$way.test" ;;
	*) letter "$way.test" | host_run a "${sendmail[@]}" -odi -i -f alice@a.test "bob@$way.test" ;;
	esac
	wait_for 20 sent_more "$way" "$before"
}

# forgotten: blackpony's hosts never met. Sockets of kept sessions, which are no files, stay.
forgotten() { host_run a find /var/lib/blackpony -type f -delete; }
