#!/bin/bash
# 8b-figures - the tables and the drawing of doc/FARM.md are what doc/farm/figures.py makes of its figures, and
# those of them that are from bench/results.json are not far from what it has; and a change of any is noticed.
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
sed "s/| of that, blackpony's own | [0-9.]*/| of that, blackpony's own | 4.99/" FARM.md >figure.md
like "$(figures --check figure.md adoption.svg results.json)" '^figure\.md: its tables are others' \
	"another figure to reckon with: the tables that were reckoned by the old one are told of"
sed "s/| of that, blackpony's own |/| of this, blackpony's own |/" FARM.md >without.md
like "$(figures --check without.md adoption.svg results.json 2>&1)" '^of that.*: the page has no figure' "a figure that is gone: told"
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
like "$(figures --check FARM.md adoption.svg slower.json)" '^receive: [0-9.]+ ms of a core here, measured ' "a measurement that has left the page behind: told"
ok "it writes what it checks" figures other.md other.svg
ok "the same octets" eval 'cmp other.md FARM.md && cmp other.svg adoption.svg'
cp FARM.md slower.md
figures slower.md other.svg slower.json
ok "a page of new measurements: its tables go by them" figures --check slower.md other.svg slower.json
unlike "$(cat slower.md)" "$(grep -o '| cores to receive | [0-9]* |' FARM.md | sed 's/|/[|]/g')" "and are others"
ok "the drawing is XML" python3 -I -c 'import xml.etree.ElementTree as e; e.parse("adoption.svg")'
done_testing
