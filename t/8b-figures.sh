#!/bin/bash
# 8b-figures - the tables and the drawing of doc/FARM.md are what doc/farm/figures.py makes of its figures, and
# these are not far from what bench/results.json has; and a change of any is noticed.
. "$abs_top_srcdir/t/lib/tap.sh"

scratch=$(mktemp -d) && trap 'rm -rf "$scratch"' EXIT || bail "no room"
cp "$abs_top_srcdir"/doc/{FARM.md,adoption.svg} "$abs_top_srcdir/bench/results.json" "$scratch"
cd "$scratch" || bail "no room"
figures() { python3 -I "$abs_top_srcdir/doc/farm/figures.py" "$@"; }

ok "page and drawing are as the script makes them, and near what was measured" \
	figures --check FARM.md adoption.svg results.json
sed 's/| messages a second, mean | 1,160 |/| messages a second, mean | 1,170 |/' FARM.md >other.md
like "$(figures --check other.md adoption.svg results.json)" '^other\.md: its tables are others' "another figure in the page: told"
sed 's/points="60/points="61/' adoption.svg >other.svg
like "$(figures --check FARM.md other.svg results.json)" '^other\.svg: another drawing' "another drawing: told"
python3 -I - <<-'END'
	import json
	with open("results.json") as f:
	    results = json.load(f)
	for row in results["rows"]:
	    if row["name"] == "CPU, receiving side":
	        row["ours"]["blackpony hybrid"]["median"] *= 3
	with open("slower.json", "w") as f:
	    json.dump(results, f)
END
like "$(figures --check FARM.md adoption.svg slower.json)" '^receive: 21' "a measurement that has left the page behind: told"
ok "it writes what it checks" figures other.md other.svg
ok "the same octets" eval 'cmp other.md FARM.md && cmp other.svg adoption.svg'
ok "the drawing is XML" python3 -I -c 'import xml.etree.ElementTree as e; e.parse("adoption.svg")'
done_testing
