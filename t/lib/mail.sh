# mail.sh: hosts with blackpony, mail between them, and what became of it.  Sourced after world.sh
# by the tests that deliver.

# An M4-ARGUMENT for pony_host: no session is kept, so that each mail meets the host as it is then.
# shellcheck disable=SC2016 # sendmail's macros
mail_unkept='-DBLACKPONY_MAILER_ARGS=blackpony-mailer -K 0 -i $i $h'

# pony_host NAME [MC [M4-ARGUMENT...]]: programs, a host key that the mailer can read, sendmail.
pony_host() {
	local file
	host_pony "$1"
	file=$(host_run "$1" blackpony-keygen --help | sed -n 's/^Without -f the file is \(.*\)\.$/\1/p')
	host_run "$1" mkdir -p "${file%/*}"
	host_run "$1" blackpony-keygen -q -g blackpony || world_die "$1: no host key"
	host_run "$1" install -d -o blackpony -g blackpony -m 700 /var/lib/blackpony
	host_sendmail "$1" "${2:-$world_src/doc/sendmail.mc.example}" "${@:3}"
}

pony_fingerprint() { host_run "$1" blackpony-keygen -l | grep -o 'SHA256:[^ ]*'; }

mail_kinds="small empty eight long dots from big"

# mail_files DIRECTORY: a message of each kind, named after what is special in its body.  Each
# line differs from all others, to be looked for on the wire.
mail_files() {
	local kind
	mkdir -p "$1"
	seq -f 'line %g of one kilobyte, of which nobody on the way may read a word' 1 15 >"$1/small"
	: >"$1/empty"
	LC_ALL=C awk 'BEGIN { for (i = 128; i < 256; i++) printf "octet %d: %c%c\n", i, i, i }' \
		>"$1/eight"
	awk 'function put(n, i) {
			for (i = 10; i <= n - 10; i += 10) printf "%04d/%04d ", n % 10000, i
			for (i -= 10; i < n; i++) printf "-"
			print ""
		}
		BEGIN {
			for (n = 988; n <= 1000; n++) put(n)
			put(2047); put(2048); put(4096); put(70000)
		}' >"$1/long"
	printf '%s\n' . .. ... '.one dot' '..two dots' . . >"$1/dots"
	printf 'From the very start\n>From quoted once\ntrailing blanks  \t \nwith no line end' >"$1/from"
	seq -f 'message of ten megabytes, line %015g, to be compared octet for octet' 1 148000 >"$1/big"
	for kind in $mail_kinds; do
		{
			printf 'Subject: a secret of kind %s\nFrom: alice@a.test\nTo: friends:;\n' "$kind"
			printf 'Date: Fri, 21 Nov 2025 20:00:00 +0000\nMIME-Version: 1.0\n'
			printf 'Content-Type: text/plain; charset=iso-8859-1\nContent-Transfer-Encoding: 8bit\n\n'
			cat "$1/$kind"
		} >"$1/new"
		mv "$1/new" "$1/$kind"
	done
}

# mail_boxes HOST NAME...: mail for these goes each to a file of its own on the host. The files are made here:
# of two sendmails that deliver to a file that is not there, one may bounce its mail with "Can't create output".
mail_boxes() {
	local host=$1 name aliases
	shift
	aliases=$(
		for name; do
			echo "$name: /var/mail/box/$name"
		done
		cat "$(host_root "$host")/etc/mail/aliases"
	)
	host_run "$host" install -d -m 1777 /var/mail/box
	# shellcheck disable=SC2016 # expanded on the host
	host_run "$host" sh -c 'cd /var/mail/box && touch "$@" && chown mail:mail "$@" && chmod 640 "$@"' sh "$@" ||
		world_die "$host: no mailboxes"
	host_put "$host" /etc/mail/aliases <<<"$aliases"
	host_run "$host" sendmail-mta -Am -bi >/dev/null
}

# mail_send HOST FILE RECIPIENT [SENDMAIL-ARGUMENT...]: from alice; has been sent, or failed, when
# this returns.
mail_send() {
	local host=$1 file=$2 to=$3
	shift 3
	host_run "$host" sendmail-mta -Am -odi -oem -i -f alice@a.test "$@" -- "$to" <"$file"
}

# mail_take HOST NAME FILE: waits until a message for that name is there, and copies it.
mail_take() {
	wait_for 20 mail_there "$1" "$2" && cp "$(host_root "$1")/var/mail/box/$2" "$3"
}

mail_there() { host_log "$1" | grep -q ": to=/var/mail/box/$2, .*stat=Sent"; }

# mail_plain FILE: the message without what each hop adds.
mail_plain() {
	LC_ALL=C awk '
		body { print; next }
		/^$/ { body = 1 }
		/^[ \t]/ { if (!drop) print; next }
		{ drop = /^(From |Received:|Return-Path:|Message-Id:|X-Original-To:|Delivered-To:)/ }
		!drop' "$1"
}

mail_body() { sed '1,/^$/d' "$1"; }

# mail_received FILE HOST: the Received headers that this host put in, each in one line.
mail_received() {
	awk '/^$/ { exit } /^[ \t]/ { sub(/^[ \t]+/, " "); line = line $0; next }
		{ print line; line = $0 } END { print line }' "$1" | grep "^Received:.* by $2 "
}
