#!/bin/bash
# 68-install - README.md's installation, its commands taken from there as they stand and run on a
# host with Debian's own sendmail: build, users, key, sendmail.mc, inetd, and the way back. Mail
# flows, encrypted, in both directions. Needs root (t/lib).
source=${abs_top_srcdir:-$(cd "$(dirname "$0")/.." && pwd)}
. "$source/t/lib/tap.sh"
. "$source/t/lib/world.sh"
. "$source/t/lib/mail.sh"
. "$source/t/lib/stock.sh"

readme=$source/README.md

# block TITLE: the indented lines of README.md below the line that begins with **TITLE.
block() {
	awk -v title="**$1" '
		index($0, title) == 1 { on = 1; next }
		/^\*\*|^---/ { on = 0 }
		on && /^    / { print substr($0, 5) }' "$readme"
}

# follow HOST TITLE DIRECTORY: runs that block there. Packages are there by layers; whatever is
# asked is answered with the default; the build tree, which does not vary, is not made on the host.
follow() {
	local said commands
	commands=$(block "$2" | grep -v '^apt-get ')
	[ -n "$commands" ] || { fail "README.md has a step \"$2\""; return; }
	said=$(yes '' 2>/dev/null | host_run "$1" bash -c 'cd "$1" && set -e && eval "$2"' follow "$3" "$commands" 2>&1)
	is $? 0 "$2: done on $1" || diag "$said"
	steps+=$said$'\n'
}

# modes HOST PATH...: "mode owner:group path", a line each.
modes() { local host=$1; shift; host_run "$host" stat -c '%a %U:%G %n' "$@"; }

# sends FROM TO SUBJECT: alice there writes to bob here.
sends() {
	printf 'To: bob@%s.test\nSubject: %s\n\ntext of %s\n' "$2" "$3" "$3" | host_as "$1" alice sendmail -i -t
	ok "$3: mail arrives" wait_for 20 grep -qs "^text of $3" "$(host_root "$2")/var/mail/bob" ||
		diag "$(host_log "$1" | tail -n 6; host_log "$2" | tail -n 4)"
}

# received HOST SUBJECT: the Received header that this host put into that message.
received() {
	host_mailbox "$1" bob | awk -v subject="Subject: $2" '
		/^From / { text = "" }
		{ text = text $0 "\n" }
		$0 == subject { printf "%s\n", text }' >"$WORLD/message"
	mail_received "$WORLD/message" "mail.$1.test"
}

# The build, out of tree as README.md has it, where both hosts see it.
world_start
built=$WORLD/share/build
like "$(block '1. Programs')" '^\.\./configure --prefix=/usr --sysconfdir=/etc --localstatedir=/var$' "README.md configures so"
mkdir "$built"
ok "configure, make" bash -c 'cd "$1" && "$2/configure" --prefix=/usr --sysconfdir=/etc --localstatedir=/var && make -j2' \
	build "$built" "$source" || bail "no programs"
BLACKPONY_BIN=$built

host_start a 10.77.0.1 fd77::1 sendmail inetd
host_start b 10.77.0.2 fd77::2 sendmail inetd
host_stock a
pony_host b
host_daemon b
host_inetd b
sends a b before
unlike "$(received b before)" 'XPONY' "in clear"

ok "make install" host_run a bash -c 'umask 077; make -C "$1" install' install "$built"
is "$(modes a /etc/blackpony /usr/libexec/blackpony /usr/libexec/blackpony/blackpony-{mailer,receiver} \
	/usr/bin/blackpony-keygen /usr/share/blackpony{,/sendmail.{cf,relay,require}.m4} /usr/share/doc/blackpony{,/examples})" \
	"755 root:root /etc/blackpony
755 root:root /usr/libexec/blackpony
755 root:root /usr/libexec/blackpony/blackpony-mailer
755 root:root /usr/libexec/blackpony/blackpony-receiver
755 root:root /usr/bin/blackpony-keygen
755 root:root /usr/share/blackpony
644 root:root /usr/share/blackpony/sendmail.cf.m4
644 root:root /usr/share/blackpony/sendmail.relay.m4
644 root:root /usr/share/blackpony/sendmail.require.m4
755 root:root /usr/share/doc/blackpony
755 root:root /usr/share/doc/blackpony/examples" "what is installed where, with which mode, whatever the umask"
for page in man1/blackpony-keygen.1 man1/blackpony-report.1 man8/blackpony-mailer.8 man8/blackpony-receiver.8; do
	ok "$page is installed" test -s "$(host_root a)/usr/share/man/$page"
done
installed=$(host_run a ls /usr/share/doc/blackpony /usr/share/doc/blackpony/examples)
for file in README.md DESIGN.md PARITY.md inetd.conf.example sendmail.mc.example xinetd.blackpony \
	blackpony.socket blackpony@.service; do
	like "$installed" "^$file\$" "$file is installed"
done

steps=
for step in '2. Users' '3. Host key' '4. sendmail' '5. Look' '6. Port 25'; do
	follow a "$step" /
done
ok "inetd has port 25" wait_for 10 host_listens a 25
unlike "$steps" '^fault' "--check finds no fault"
unlike "$steps" '\*\*\*.*blackpony' "m4 has no warning"
is "$(modes a /etc/blackpony/hostkey)" "640 root:blackpony /etc/blackpony/hostkey" "the key's mode"
is "$(host_run a grep -c '^O DaemonPortOptions' /etc/mail/sendmail.cf)" 1 "sendmail keeps one port, 587"
like "$(host_run a cat /etc/mail/sendmail.cf)" '^O Timeout.ident=0' "and asks nobody's ident"

sends a b there
sends b a back
like "$(received b there)" 'from mail\.a\.test .*version=XPONY1 cipher=mlkem768x25519-chachapoly ' "encrypted"
like "$(received a back)" 'from mail\.b\.test .*version=XPONY1 cipher=mlkem768x25519-chachapoly ' "encrypted"
ok "b knows a by the key that was made" grep -qF "key=$(pony_fingerprint a)," <<<"$(host_log b)"
unlike "$(host_log a)$(host_log b)" 'own-key=' "no fresh key was needed"

follow a 'To go back' /
sends a b afterwards
unlike "$(received b afterwards)" 'XPONY' "in clear again"
# b, which knew a by its key, keeps the mail back once: somebody might stand between.
mail_as_before=$(host_log b | grep -c 'it spoke XPONY before')
sends_held() {
	printf 'Subject: farewell\n\ntext of farewell\n' | host_as b alice sendmail -i bob@a.test
	wait_for 20 eval "[ \$(host_log b | grep -c 'it spoke XPONY before') -gt $mail_as_before ]"
}
ok "kept back once" sends_held
host_flush b
ok "farewell: mail arrives" wait_for 20 grep -qs '^text of farewell' "$(host_root a)/var/mail/bob"
unlike "$(received a farewell)" 'XPONY' "in clear"
ok "make uninstall" host_run a make -C "$built" uninstall
is "$(host_run a sh -c 'find /usr /etc -path "*blackpony*" ! -type d')" /etc/blackpony/hostkey \
	"only the key is left"
done_testing
