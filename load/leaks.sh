# leaks.sh: whether anything is left behind, on the hosts of a test world. Sourced after load/lib.sh by load/soak and
# t/89-soak.
#
#   leaks_begin HOST...      what there is now is what there should be, then
#   leaks_none SECONDS       waits until all of it is so again; fails when it is not, and prints what differs
#   leaks_most               sets most_processes, most_files, most_whose: census.py most, of all the hosts

declare -A leaks_census
leaks_hosts=()

census() { host_run "$1" env PYTHONDONTWRITEBYTECODE=1 python3 "$load/census.py" "${@:2}"; }

# At rest: twice the same, a second apart.
leaks_begin() {
	leaks_hosts=("$@")
	wait_for 60 rests || world_die "the hosts do not come to rest"
}
rests() {
	local host
	for host in "${leaks_hosts[@]}"; do
		leaks_census[$host]=$(census "$host")
	done
	sleep 1
	leaks_gone
}

# leaks: what differs from the beginning: < is what there was, > what there is.
leaks() {
	local host
	for host in "${leaks_hosts[@]}"; do
		diff <(echo "${leaks_census[$host]}") <(census "$host") | sed -n "s/^[<>] /$host &/p"
	done
}
leaks_gone() { [ -z "$(leaks)" ]; }

leaks_none() {
	wait_for "$1" leaks_gone && return
	leaks
	return 1
}

leaks_most() {
	local host line
	most_processes=0 most_files=0 most_whose=-
	for host in "${leaks_hosts[@]}"; do
		read -r -a line < <(census "$host" most)
		most_processes=$((most_processes + line[0]))
		if [ "${line[1]}" -gt "$most_files" ]; then
			most_files=${line[1]} most_whose=${line[*]:2}
		fi
	done
}
