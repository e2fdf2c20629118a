# tap.sh: assertions for shell tests, printed as TAP.  Sourced by t/*.t; end with done_testing.

tap_run=0
tap_bad=0

pass() { echo "ok $((tap_run += 1)) - $*"; }

fail() {
	tap_bad=$((tap_bad + 1))
	echo "not ok $((tap_run += 1)) - $*"
	return 1
}

diag() { printf '%s\n' "$*" | sed 's/^/# /'; }

# ok NAME COMMAND...: the command succeeds.  What it says is shown only when it fails.
ok() {
	local name=$1 said
	shift
	if said=$("$@" 2>&1); then pass "$name"; else
		fail "$name"
		diag "failed: $*"
		diag "$said"
		return 1
	fi
}

# nok NAME COMMAND...: the command fails.
nok() {
	local name=$1 said
	shift
	if said=$("$@" 2>&1); then
		fail "$name"
		diag "succeeded: $*"
		diag "$said"
		return 1
	else pass "$name"; fi
}

# is GOT WANTED NAME
is() {
	if [ "$1" = "$2" ]; then pass "$3"; else
		fail "$3"
		diag "wanted: $2"
		diag "   got: $1"
		return 1
	fi
}

# like TEXT ERE NAME: a line of the text matches.
like() {
	if printf '%s\n' "$1" | grep -Eq -e "$2"; then pass "$3"; else
		fail "$3"
		diag "no line matches: $2"
		diag "$1"
		return 1
	fi
}

# unlike TEXT ERE NAME: no line of the text matches.
unlike() {
	if printf '%s\n' "$1" | grep -Eq -e "$2"; then
		fail "$3"
		diag "a line matches: $2"
		diag "$1"
		return 1
	else pass "$3"; fi
}

# skip REASON [COUNT]
skip() {
	local n
	for ((n = ${2:-1}; n > 0; n--)); do
		echo "ok $((tap_run += 1)) # SKIP $1"
	done
}

skip_all() {
	echo "1..0 # SKIP $*"
	exit 0
}

bail() {
	echo "Bail out! $*"
	exit 99
}

done_testing() {
	echo "1..$tap_run"
	[ "$tap_bad" -eq 0 ]
}
