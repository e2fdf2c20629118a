#!/bin/bash
# 509-records - row 9: a man in the middle of two real mail hosts flips, mislabels, leaves out, repeats, swaps,
# sends back and cuts records, says an old one in the place of a new one, or ends the connection between
# two of them: the client's records and the server's, in both suites. Must happen: both sides stop; no part
# of a message is ever delivered, also where the final dot is in the record that is lost; not a line is in
# clear; the mail waits in the queue and comes whole when the attack is over; an end that is cut is no end. Needs
# root (t/lib).
. "$abs_top_srcdir/t/lib/tap.sh"
. "$abs_top_srcdir/t/lib/world.sh"
. "$abs_top_srcdir/t/lib/mail.sh"
mitm_set=records
mitm_lines=1600
. "$abs_top_srcdir/t/lib/mitm.sh"

operations="flip longer drop repeat swap reflect old cut end"

# on PLACE...: the attacks on those records.
on() {
	local place operation
	for place; do
		for operation in $operations; do
			echo "$operation$place"
		done
	done
}

# whole: the subjects of the messages in bob's mailbox that are there to the last line.
whole() {
	awk -v lines=$mitm_lines '
		function end() { if (subject != "" && n == lines) print subject }
		/^From / { end(); subject = ""; n = 0 }
		/^Subject: / && subject == "" { subject = $2 }
		subject != "" && $0 == "line " n + 1 " of " subject ", of which nobody in the middle may read a word" { n++ }
		END { end() }' "$(host_root b)/var/mail/box/bob"
}

# last_record_twice WORD NAME SUITE: the client's record 4 ends the message. Its first copy is sound, so sendmail
# may have the message, and its reply may even be on the way, before the second copy ends the session.
last_record_twice() {
	local word=$1 name=$2 suite=$3
	case $(grep -cx "$name.$word" <<<"$taken"),$(outcome "$name.$word") in
	0,lost | 1,"$suite") pass "$word, $name: lost, or delivered" ;;
	1,lost)
		pass "$word, $name: delivered, and its reply is lost"
		twice+=("$name.$word")
		;;
	*) fail "$word, $name: $(grep -cx "$name.$word" <<<"$taken") delivered, $(outcome "$name.$word")" ;;
	esac
}

# ended WORD SUITE PLACE...: each attack on these records of that word's messages has ended as it must.
ended() {
	local word=$1 suite=$2 place name
	shift 2
	for place; do
		for name in $(on "$place"); do
			case $name in
			oldc0 | olds0) expect "$word" <<<"$name $suite" ;; # it is the first one
			repeatc4) last_record_twice "$word" "$name" "$suite" ;;
			*c[0-4] | *s[01]) expect "$word" <<<"$name lost" ;;
			repeats2) expect "$word" <<<"$name $suite" ;; # the mailer has gone when it comes again
			*s2)
				# RFC 5321 section 4.5.3.2.6: only the server knows that it has the message.
				like "$(grep -F "bob@$name.$word.test" <<<"$mitm_log" | tail -n 1)" \
					'stat=Deferred: 451 4\.4\.2 .*lost after the final dot, perhaps delivered' "$word, $name: perhaps delivered"
				is "$(grep -cx "$name.$word" <<<"$taken")" 1 "$word, $name: it was"
				;;
			*) expect "$word" <<<"$name $suite" ;;
			esac
		done
	done
}

# unended WORD PLACE: the record is QUIT and the client's end in one. Its message has arrived all the same; but that
# the end did not, is in the receiver's log.
unended() {
	local name
	for name in $(on "$2"); do
		[ "$name" != "repeat$2" ] || continue # whether the second copy comes in time is chance
		ok "$1, $name: the receiver has noticed" wait_for 10 noticed "$name.$1"
	done
}
noticed() {
	host_log b | grep -Eq "blackpony-receiver.* meant=mx\.$1\.test,.* fault=\"(connection ended without a close|cryptographic failure)\""
}

world_start
twice=() # delivered, without the mailer's knowledge
policy='* may'
mitm_start may old
wiretap_start
try may
tried
expect may <<<"pass hybrid"
ended may hybrid c0 c1 c2 c4 c5 s0 s1 s2 s3
unended may c5
mitm_classical
# shellcheck disable=SC2046 # words
try old pass $(on c1 c4 s1 s2)
tried
expect old <<<"pass classical"
ended old classical c1 c4 s1 s2

is "$(overheard)" "" "not a line was in clear"
is "$(whole | sort)" "$(sort <<<"$taken")" "what was delivered was delivered whole"
is "$(host_run b sendmail-mta -Am -bp | grep -c '@')" 0 "and no sendmail keeps a part"
is "$(host_queue a | grep -c 'bob@.*\.test')" "$(grep -F 'stat=' <<<"$mitm_log" | grep -c 'dsn=4.4.2')" \
	"what was not waits in the queue"
doubled=$({ on s2 | grep -v '^repeat' | sed 's/.*/&.may\n&.old/'; printf '%s\n' "${twice[@]}"; } | grep .)
quiet
again
is "$(host_queue a | grep -c 'bob@.*\.test')" 0 "and goes when the attack is over"
is "$(sort <<<"$taken" | uniq -d)" "$(sort <<<"$doubled")" \
	"twice comes that to whose dot the reply was lost, and that alone"
is "$(whole | sort)" "$(sort <<<"$taken")" "all of it whole"
is "$(sort -u <<<"$taken" | wc -l)" "$(($(wc -w <<<"$attacks") + 37))" "and nothing is lost"
done_testing
