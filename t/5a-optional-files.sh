#!/bin/bash
# 5a-optional-files - each file that need not be there, missing, empty, unreadable, broken and too open,
# on either side: mail flows, or waits with the file's name in the queue or the log, as the pages of
# manual section 8 say; nothing is lost. The host key has t/54. Real inetd and sendmail; needs root (t/lib).
. "$abs_top_srcdir/t/lib/tap.sh"
. "$abs_top_srcdir/t/lib/world.sh"
. "$abs_top_srcdir/t/lib/mail.sh"

conf=/etc/blackpony
pins=/var/lib/blackpony

log_mark() { mark_a=$(host_log a | wc -l) mark_b=$(host_log b | wc -l); }
log_since() {
	case $1 in
	a) host_log a | sed "1,${mark_a}d" ;;
	b) host_log b | sed "1,${mark_b}d" ;;
	esac
}
said() { log_since "$1" | grep -Eq -e "$2"; }
says() { ok "$3" wait_for 5 said "$1" "$2" || diag "$(log_since "$1")"; }

subjects() { sed -n 's/^Subject: //p' "$(host_root b)/var/mail/box/bob" 2>/dev/null; }
there() { subjects | grep -qx "$1"; }

# send NAME: one message, done when this returns.
sent=0
send() {
	log_mark
	sent=$((sent + 1))
	printf 'Subject: %s\nTo: friends:;\n\nSome words.\n' "$1" >"$WORLD/message"
	mail_send a "$WORLD/message" bob@b.test -OQueueLA=999
}

# flows NAME HOST COMMAND [ERE]: after that on the host mail arrives, encrypted, and its log says that.
flows() {
	local name=$1
	host_run "$2" sh -c "$3" || bail "$name: $3"
	send "$name"
	ok "$name: delivered" wait_for 20 there "$name" || diag "$(log_since a)" "$(log_since b)"
	says a 'blackpony-mailer.* suite=mlkem768x25519-chachapoly, .*messages=1' "$name: encrypted"
	if [ $# -gt 3 ]; then
		says "$2" "blackpony-.*$4" "$name: the log names it"
	else
		unlike "$(log_since a; log_since b)" "blackpony-[a-z]*\[[0-9]*\]: .*($conf|$pins|own-key|no pins|no commitment)" \
			"$name: nobody complains"
	fi
}

# waits NAME HOST COMMAND STATUS ERE: it is deferred with that status, and the log of the host names
# the file; when the file is gone it goes.
waits() {
	local name=$1
	host_run "$2" sh -c "$3" || bail "$name: $3"
	send "$name"
	says a "to=bob@b\.test.*dsn=$4, .*stat=Deferred" "$name: deferred, $4"
	says "$2" "blackpony-.*$5" "$name: the log names it"
	like "$(host_queue a)" "Deferred: 451 .*${4//./\\.}" "$name: mailq says so" # and more, cut short
	nok "$name: and not delivered" there "$name"
}

# mended HOST COMMAND NAME...: what waits goes.
mended() {
	local name
	host_run "$1" sh -c "$2"
	shift 2
	host_run a sendmail-mta -Am -OQueueLA=999 -qf
	for name; do
		ok "$name: delivered, now" wait_for 20 there "$name"
	done
	is "$(host_queue a | grep -c 'bob@b')" 0 "the queue is empty"
}

policy() {
	local file=$conf/policy
	flows policy-missing a "rm -f $file"
	flows policy-empty a ": >$file"
	flows policy-comment a "echo '# nothing' >$file"
	waits policy-unreadable a "chmod 600 $file" 4.3.5 "$file: Permission denied"
	waits policy-broken a "echo 'b.test encrypt encrpt' >$file; chmod 644 $file" 4.3.5 "$file:1: .*encrpt"
	waits policy-other a "printf '* may\nother.test no-such-word\n' >$file" 4.3.5 "$file:2: .*no-such-word"
	waits policy-open a "echo '* may' >$file; chmod 666 $file" 4.3.5 "$file: .*writ"
	waits policy-foreign a "chmod 644 $file; chown alice $file" 4.3.5 "$file: .*(belongs|owned)"
	waits policy-directory a "rm $file; mkdir $file" 4.3.5 "$file: .*not a regular file"
	waits policy-dangling a "rmdir $file; ln -s nowhere $file" 4.3.5 "$file: "
	mended a "rm $file" policy-{unreadable,broken,other,open,foreign,directory,dangling}
}

own_names() {
	local file=/etc/mail/local-host-names
	flows names-empty a ": >$file"
	waits names-unreadable a "chmod 600 $file" 4.3.5 "$file: Permission denied"
	mended a "echo a.test >$file; chmod 644 $file" names-unreadable
}

# A store that cannot be used is never in the way, and what cannot be known is not taken for known.
pins() {
	local fresh="rm -rf $pins; install -d -o blackpony -g blackpony -m 700 $pins"
	flows pins-fresh a "$fresh"
	says a 'trust=new' "pins-fresh: a key never seen"
	flows pins-known a true
	says a 'trust=known' "pins-known: seen before"
	flows pins-missing a "rm -rf $pins" "no pins, reason=.*$pins"
	flows pins-unreadable a "install -d -o root -m 700 $pins" "no pins, reason=.*$pins"
	flows pins-file a "rm -rf $pins; : >$pins" "no pins, reason=.*$pins"
	flows pins-open a "$fresh; chmod 777 $pins" "no pins, reason=.*$pins"
	flows pins-broken a "$fresh; head -c 65536 /dev/urandom >$pins/data.mdb
		chown blackpony: $pins/data.mdb; chmod 600 $pins/data.mdb" "no pins, reason=.*$pins/data.mdb"
	echo 'b.test pinned' | host_put a $conf/policy
	waits pins-needed a "rm -rf $pins" 4.7.5 'no pins, reason='
	like "$(host_queue a)" 'Deferred: 451 4\.7\.5 mail\.b\.test: policy pinned' \
		"pins-needed: pinned mail waits while nothing is known"
	host_run a rm $conf/policy
	flows pins-again a "$fresh"
	mended a true pins-needed
}

peers() {
	local file=$conf/peers
	flows peers-missing b "rm -f $file"
	flows peers-empty b ": >$file"
	waits peers-broken b "echo '10.77.0.0/24 encrpt' >$file" 4.3.5 "$file:1: .*encrpt"
	waits peers-open b "echo '10.77.0.0/24 may' >$file; chmod 666 $file" 4.3.5 "$file: .*writ"
	waits peers-directory b "rm $file; mkdir $file" 4.3.5 "$file: .*not a regular file"
	mended b "rmdir $file" peers-{broken,open,directory}
}

relay_keys() {
	local file=$conf/relay-keys
	flows relay-missing b "rm -f $file"
	flows relay-empty b ": >$file"
	flows relay-broken b "echo nonsense >$file" "nobody may relay by key, .*$file:1: .*nonsense"
	flows relay-open b "chmod 666 $file" "nobody may relay by key, .*$file: .*writ"
	flows relay-directory b "rm $file; mkdir $file" "nobody may relay by key, .*$file: "
	host_run b rmdir $file
}

# With -c: a promise needs its files, and mail does not need the promise.
commitment() {
	local next=$conf/hostkey.next file=$conf/siblings
	sed 's/blackpony-receiver$/& -c 30d/' "$abs_top_srcdir/doc/inetd.conf.example" | host_put b /etc/inetd.conf
	host_run b sh -c 'kill -HUP "$(cat /run/inetd.pid)"'
	flows next-missing b true "no commitment sent, reason=.*$next"
	host_run b blackpony-keygen --rotate next -q >/dev/null || bail "no next key"
	flows next-there b true
	flows siblings-missing b "rm -f $file"
	flows siblings-empty b ": >$file"
	flows siblings-broken b "echo nonsense >$file" "no commitment sent, reason=.*$file:1: .*nonsense"
	flows siblings-open b "chmod 666 $file" "no commitment sent, reason=.*$file: .*writ"
	flows siblings-directory b "rm $file; mkdir $file" "no commitment sent, reason=.*$file: "
	flows next-broken b "rmdir $file; echo nonsense >$next.pub" "no commitment sent, reason=.*$next\.pub"
	flows next-empty b ": >$next.pub" "no commitment sent, reason=.*$next\.pub"
	flows next-half b "rm $next.pub" "no commitment sent, reason=.*$next\.pub"
}

world_start
host_start a 10.77.0.1 fd77::1 sendmail
host_start b 10.77.0.2 fd77::2 sendmail inetd
pony_host a "" "$mail_unkept"
pony_host b
mail_boxes b bob
host_inetd b
policy
own_names
pins
peers
relay_keys
commitment
is "$(subjects | wc -l)" "$sent" "all $sent messages have come"
is "$(subjects | sort | uniq -d)" "" "and none twice"
done_testing
