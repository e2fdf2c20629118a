#!/bin/bash
# 63-postfix - Postfix, which has no blackpony, as the other side: it sends and receives, in clear
# and with STARTTLS, and is served as by sendmail alone; smtp-source, smtp-sink and posttls-finger.
# Needs root (t/lib).
source=${abs_top_srcdir:-$(cd "$(dirname "$0")/.." && pwd)}
. "$source/t/lib/tap.sh"
. "$source/t/lib/world.sh"
. "$source/t/lib/mail.sh"

alone=2525 # port of sendmail -bs on a, started by inetd, without blackpony
kinds="small empty eight long dots from"

# postfix_sends FILE RECIPIENT
postfix_sends() { host_run p /usr/sbin/sendmail -i -f alice@a.test -- "$2" <"$1"; }

# box HOST NAME: the file of that name's mail.
box() { echo "$(host_root "$1")/var/mail/box/$2"; }

# as_alone HOST PREFIX BASE: mails of all kinds have arrived, like those that came without blackpony.
as_alone() {
	local kind
	for kind in $kinds; do
		wait_for 20 test -s "$(box "$1" "$3-$kind")"
		ok "$2: $kind is what comes without blackpony" wait_for 20 same_mail "$1" "$2-$kind" "$3-$kind"
	done
}
same_mail() { cmp -s <(mail_plain "$(box "$1" "$2")") <(mail_plain "$(box "$1" "$3")"); }

# received HOST PREFIX PATTERN: the one Received header of that host matches in each.
received() {
	local kind headers
	headers=$(for kind in $kinds; do
		mail_received "$(box "$1" "$2-$kind")" "mail.$1.test"
	done)
	is "$(grep -cE "$3" <<<"$headers")/$(grep -c . <<<"$headers")" 6/6 "$2: Received $3" || diag "$headers"
}

# queue_of_postfix: what still waits there.
queue_of_postfix() { host_run p postqueue -p; }

postfix_start() {
	local name
	host_run p install -d -m 1777 /var/mail/box
	for name; do
		echo "$name /var/mail/box/$name"
	done | host_put p /etc/postfix/boxes
	host_tls p
	host_postfix p
	host_put p /etc/postfix/clear <<<"${host_ip4[a]} starttls"
	host_run p postconf -e 'mydestination = p4.test, p6.test, p.test' \
		'alias_maps = texthash:/etc/postfix/boxes' \
		'smtp_tls_security_level = may' 'smtpd_tls_security_level = may' 'smtpd_tls_received_header = yes' \
		'smtpd_tls_cert_file = /etc/mail/tls/cert.pem' 'smtpd_tls_key_file = /etc/mail/tls/key.pem' \
		'smtpd_discard_ehlo_keyword_address_maps = cidr:/etc/postfix/clear' \
		"transport_maps = inline:{ alone.test=smtp:[mail.a.test]:$alone }"
	host_run p postfix reload
}

sources() { [ "$(grep -c "^Subject: $subject" "$(box a source)")" -eq "$1" ]; }
# What has not come, and why.
untaken() {
	diag "$(grep -c "^Subject: $subject" "$(box a source)")" "$(host_queue a)" "$(host_log a | grep -v 'stat=Sent\|stat="250' | tail -n 40)"
}

# sink NAME OPTION...: sends a mail to smtp-sink with these options.
sink() {
	local name=$1 said
	shift
	host_run p install -o postfix /dev/null /tmp/sink
	HOST_NETWORK=sink host_spawn p sink smtp-sink -u postfix -D /tmp/sink "$@" :25 10
	wait_for 5 host_listens sink 25
	mail_send a "$WORLD/mail/dots" somebody@sink.test
	host_kill p sink
	like "$(host_log a | grep 'to=somebody@sink.test' | tail -n 1)" \
		'mailer=blackpony, .*stat=Sent \((2\.0\.0 )?mail\.sink\.test \[' "smtp-sink, $name: takes a mail"
	is "$(sed -n '/^Date:/,$p' "$(host_root p)/tmp/sink" | sed '1,/^$/d; s/\r$//' | sed '$d')" \
		"$(mail_body "$WORLD/mail/dots")" "smtp-sink, $name: as it is"
}

world_start
host_start a 10.77.0.1 fd77::1 sendmail inetd tools
host_start p 10.77.0.5 fd77::5 postfix tools
host_start sink 10.77.0.6 fd77::6
for host in a p; do
	world_zone ${host}4.test <<-END
		@ IN MX 10 mail
		mail IN A ${host_ip4[$host]}
	END
	world_zone ${host}6.test <<-END
		@ IN MX 10 mail
		mail IN AAAA ${host_ip6[$host]}
	END
done
world_dns
mail_files "$WORLD/mail"
host_tls a
printf '%s\n' a.test a4.test a6.test alone.test | host_put a /etc/mail/local-host-names
host_put a /etc/mail/access <<<"Srv_Features:${host_ip4[p]}	S"
host_put a /etc/mail/mailertable <<<'p.test	esmtp:p.test'
pony_host a
mail_boxes a source $(for kind in $kinds; do echo {p-alone,p-a4,p-a6}-$kind; done)
{
	# Of six sessions at a time some more are ending, and all are of one address.
	sed 's/blackpony-receiver$/& -M 0/' "$source/doc/inetd.conf.example"
	echo "$alone stream tcp6 nowait root /usr/sbin/sendmail-mta sendmail -bs -Am"
} >"$WORLD/inetd.conf"
host_inetd a "$WORLD/inetd.conf"
postfix_start $(for kind in $kinds; do echo {a-alone,a-p4,a-p6}-$kind; done)

for kind in $kinds; do
	postfix_sends "$WORLD/mail/$kind" p-alone-$kind@alone.test
	postfix_sends "$WORLD/mail/$kind" p-a4-$kind@a4.test
	postfix_sends "$WORLD/mail/$kind" p-a6-$kind@a6.test
	mail_send a "$WORLD/mail/$kind" a-alone-$kind@p.test
	mail_send a "$WORLD/mail/$kind" a-p4-$kind@p4.test
	mail_send a "$WORLD/mail/$kind" a-p6-$kind@p6.test
done
as_alone a p-a4 p-alone
as_alone a p-a6 p-alone
as_alone p a-p4 a-alone
as_alone p a-p6 a-alone
id='id [0-9A-Za-z]+' tls='version=TLSv1\.3 cipher=TLS_AES_256_GCM_SHA384'
received a p-a4 "from mail\.p\.test \(mail\.p\.test \[10\.77\.0\.5\]\) by mail.a.test \([^ ]+\) with ESMTP $id for "
received a p-a6 "from mail\.p\.test \(mail\.p\.test \[IPv6:fd77.*:5\]\) by .* with ESMTPS $id \($tls .*verify="
received p a-p4 "from mail\.a\.test \(mail\.a\.test \[10\.77\.0\.1\]\) by mail.p.test \(Postfix\) with ESMTP $id "
received p a-p6 "from mail\.a\.test \(mail\.a\.test \[IPv6:fd77::1\]\) \(using TLSv1\.3 with cipher TLS_AES_256_GCM_SHA384 .*with ESMTPS $id "
unlike "$(host_log p)" 'postfix/smtpd?\[.*(warning|error|fatal|improper|lost connection|timeout)' \
	"Postfix has no complaint"
like "$(queue_of_postfix)" 'is empty' "and nothing left to send"

said=$(host_run p posttls-finger -c -l may -o inet_protocols=ipv6 a.test 2>&1)
is $? 0 "posttls-finger: is content" || diag "$said"
like "$said" 'TLS connection established to mail\.a\.test\[fd77::1\]:25: TLSv1\.3' "posttls-finger: TLS"

subject='from smtp-source'
host_run p smtp-source -s 6 -m 60 -l 5000 -S "$subject" -f alice@p.test -t source@a4.test mail.a4.test:25
ok "smtp-source: 60 mails, 6 sessions at a time" wait_for 30 sources 60 || untaken
host_run p smtp-source -d -s 3 -m 30 -S "$subject" -f alice@p.test -t source@a6.test mail.a6.test:25
ok "smtp-source: 30 mails in 3 sessions" wait_for 30 sources 90 || untaken
is "$(host_log a | sed -n 's/.*blackpony-receiver.*messages=\([0-9]*\),.*/\1/p' | tail -n 3 | awk '{ n += $1 } END { print n }')" \
	30 "smtp-source: each session's mails are counted"

sink default
sink "no PIPELINING" -p
sink "no ESMTP" -e
sink slow -w 1
done_testing
