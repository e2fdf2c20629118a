#!/bin/bash
# 56-phases - a mail host that refuses, for now or for good, or dies, at each step of the dialogue: in
# clear without and with PIPELINING, and encrypted. What the sender is told, that nothing is lost, and
# that nothing comes twice but where RFC 5321 section 4.5.4.2 has no other way.
. "$abs_top_srcdir/t/lib/tap.sh"
. "$abs_top_srcdir/t/lib/world.sh"
. "$abs_top_srcdir/t/lib/mail.sh"
. "$abs_top_srcdir/t/lib/peers.sh"

# The ways to speak, and what a host has to be told for each.
ways='plain pipe pony'
offer_plain= offer_pipe=pipelining offer_pony='pipelining xpony'

# step NAME STATUS WORD...: a case, in each way; how it ends is said by STATUS: 5.x.y a bounce, 4.x.y
# a delivery that a later queue run completes.
cases=()
step() {
	local name=$1 status=$2 way
	shift 2
	for way in $ways; do
		# shellcheck disable=SC2086 # words
		local offer=offer_$way
		peer $name-$way ${!offer} "$@"
		cases+=("$name-$way $status")
	done
}

world_start
step ehlo4 4.3.9 'ehlo=451 4.3.9 Not now'
step helo4 4.5.0 'ehlo=502 5.5.1 What?' 'helo=451 4.3.9 Not now'
step helo5 5.5.0 'ehlo=502 5.5.1 What?' 'helo=550 5.7.9 Not you'
step ehlodie 4.4.2 ehlo=die
step mail4 4.1.8 'mail=451 4.1.8 Sender unknown today'
step mail5 5.1.8 'mail=553 5.1.8 Sender unknown'
step mail421 4.3.2 'mail=421 4.3.2 Going down'
step maildie 4.4.2 mail=die
step rcpt4 4.2.2 'rcpt=452 4.2.2 Mailbox full'
step rcpt5 5.1.1 'rcpt=550 5.1.1 No such user'
step rcpt421 4.3.2 'rcpt=421 4.3.2 Going down'
step rcptdie 4.4.2 rcpt=die
# Of a reply to DATA or HELO sendmail takes the class for the status, and the text: from [IPC] too.
step data4 4.0.0 'data=452 4.3.1 Disk full'
step data5 5.5.0 'data=554 5.6.0 No mail today'
step data421 4.0.0 'data=421 4.3.2 Going down'
step datadie 4.0.0 data=die
step body421 4.[34].2 'body=421 4.3.2 Going down'
step bodydie 4.4.2 body=die
peer data5-ipc 'data=554 5.6.0 No mail today'
step dot4 4.2.1 'dot=451 4.2.1 Greylisted after all'
step dot5 5.7.1 'dot=554 5.7.1 Spam/and again'
step dot421 4.3.2 'dot=421 4.3.2 Going down'
step dotdie 4.4.2 dot=die
ways='plain pony'
step greet4 4.3.9 'greeting=450 4.3.9 Not now'
step greet5 5.7.9 'greeting=554 5.7.9 Not you'
step greetdie 4.4.2 greeting=die
ways=pony
step halfmail 4.4.2 rcpt=half
step halfdata 4.0.0 data=half
step halfdot 4.4.2 dot=half
# RFC 5321 section 3.2: who knows no EHLO is greeted with HELO.
peer old-plain 'ehlo=502 5.5.1 What?'
peer old-pony xpony 'ehlo=502 5.5.1 What?'
peer some-plain 'rcpt:bad=550 5.1.1 No such user' 'rcpt:full=452 4.2.2 Mailbox full'
peer some-pipe pipelining 'rcpt:bad=550 5.1.1 No such user' 'rcpt:full=452 4.2.2 Mailbox full'
peer some-pony pipelining xpony 'rcpt:bad=550 5.1.1 No such user' 'rcpt:full=452 4.2.2 Mailbox full'
# The upgrade fails once, and for good.
for way in hint keyword; do
	words=xpony
	[ $way = hint ] || words=keyword
	for fault in 4 5 die 421; do
		case $fault in
		4) mood='454 4.7.0 No' ;;
		5) mood='504 5.5.4 No' ;;
		421) mood='421 4.3.2 Going down' ;;
		die) mood=die ;;
		esac
		peer up$fault-$way pipelining $words "xpony=$mood"
		peer down$fault-$way pipelining always $words "xpony=$mood"
	done
done
peers_start
host_put a /etc/mail/mailertable <<<"data5-ipc.$p	esmtp:data5-ipc.$p"
host_run a makemap hash /etc/mail/mailertable <"$(host_root a)/etc/mail/mailertable"

for case in "${cases[@]}"; do
	name=${case% *} octets=100
	[[ $name != body* ]] || octets=400000
	post $name $octets
done
post data5-ipc
post old-plain
post old-pony
for way in plain pipe pony; do
	post some-$way 100 {u,bad,full,v}@some-$way.$p
done
for way in hint keyword; do
	for fault in 4 5 die 421; do
		post up$fault-$way
		post down$fault-$way
	done
done
posted

boxes=$(cat "$(host_root a)"/var/mail/{alice,bob,carol})
bounced data5-ipc 5.5.0 ''
# said NAME: how the host is named, and what it said.
said() {
	local host="${1//./\\.}\\.p\\.test \\[10\\.77\\.0\\.[0-9]+\\]"
	case $1 in
	*die-* | half*) echo "$host: " ;;
	body*) echo "$host( said)?: " ;; # it may have been heard before the dot or after it
	*) echo "$host said: " ;;
	esac
}
for case in "${cases[@]}"; do
	name=${case% *} status=${case#* }
	case $name,$status in
	data5-*)
		is "$(grep "^u@$name" "$WORLD/bounces" | cut -f2-)" "$(grep '^u@data5-ipc' "$WORLD/bounces" | cut -f2-)" \
			"$name: bounced, as [IPC] would have it"
		like "$boxes" "^<<< 554 5\.6\.0 $(said $name)No mail today" "$name: the bounce has the host's words"
		;;
	*,5*) bounced $name "$status" "^5[0-9][0-9][- ]([0-9.]+ )?$(said $name)" ;;
	*) deferred $name "$status" "4[0-9][0-9] [0-9.]+ $(said $name)" ;;
	esac
	case $name in
	dotdie-* | halfdot-*)
		deferred $name 4.4.2 'lost after the final dot, perhaps delivered'
		taken $name 1
		;;
	*) taken $name 0 ;;
	esac
done
sent old-plain 'old-plain\.p\.test'
taken old-plain 1 plain
sent old-pony 'old-pony\.p\.test'
taken old-pony 1 xpony
for way in plain pipe pony; do
	bounced some-$way 5.1.1 "^550 5\\.1\\.1 some-$way\\.p\\.test \\[.* said: No such user" "bad@some-$way.$p"
	deferred some-$way 4.2.2 "452 4\\.2\\.2 some-$way\\.p\\.test \\[.* said: Mailbox full" "full@some-$way.$p"
	sent some-$way "some-$way\\.$p" "u@some-$way.$p"
	sent some-$way "some-$way\\.$p" "v@some-$way.$p"
done
for way in hint keyword; do
	for fault in 4 5 die 421; do
		sent up$fault-$way "x25519-chachapoly: Taken"
		taken up$fault-$way 1 xpony
		sent down$fault-$way "\\[[0-9.]*\\]: Taken"
		taken down$fault-$way 1 plain
	done
done

# What is queued goes at the next run: once, but where the host had died with it. Hosts that did not
# greet would be left alone for half an hour, were they not forgotten.
host_run a find /var/lib/blackpony -type f -delete
flush
for case in "${cases[@]}"; do
	name=${case% *}
	case $name,$case in
	dotdie-* | halfdot-*) taken $name 2 ;;
	*' 5'*) taken $name 0 ;;
	*) taken $name 1 ;;
	esac
done
for way in plain pipe pony; do
	taken some-$way 1 '' "full@some-$way"
	taken some-$way 1 '' "u@some-$way"
	taken some-$way 0 '' "bad@some-$way"
done
like "$(host_run a sendmail-mta -Am -bp)" 'is empty' "and nothing is left"
is "$(grep -c ^fault "$(host_root far)/var/log/peers")" 0 "no host has seen the protocol broken" ||
	diag "$(grep ^fault "$(host_root far)/var/log/peers")"
done_testing
