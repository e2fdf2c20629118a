# exim.sh: a small Exim that sends by MX and delivers to /var/mail.  Runs on the host, from world.sh.
set -e
cat >/etc/exim4/exim4.conf <<END
primary_hostname = $(cat /etc/hostname)
domainlist local_domains = $(cat /etc/mailname) : $(cat /etc/hostname) : localhost
hostlist relay_from_hosts = <; 127.0.0.1 ; ::1
qualify_domain = $(cat /etc/mailname)
acl_smtp_rcpt = check_rcpt
log_file_path = syslog
syslog_duplication = false
keep_environment =
rfc1413_query_timeout = 0s
tls_advertise_hosts =
never_users =

begin acl
check_rcpt:
  accept hosts = : +relay_from_hosts
  accept domains = +local_domains
         verify = recipient
  deny message = relay not permitted

begin routers
far:
  driver = dnslookup
  domains = ! +local_domains
  transport = smtp
  no_more
near:
  driver = accept
  check_local_user
  transport = mailbox

begin transports
smtp:
  driver = smtp
mailbox:
  driver = appendfile
  file = /var/mail/\$local_part_data
  user = \$local_part_data
  group = mail
  mode = 0660

begin retry
* * F,2h,1m
END
install -d -o Debian-exim -g Debian-exim -m 750 /var/spool/exim4 /var/log/exim4 /run/exim4
chmod 4755 /usr/sbin/exim4
exim4 -bd -q1h ${EXIM_PORT:+-oX "$EXIM_PORT"} 2>/dev/null
