"""report.py FIGURES RESULTS [FACT=VALUE ...] - the table and load/results.json of a run of load/, and whether its bounds
held. Called by load/run and t/88-load.

FIGURES has a line for each figure, of words with tabs between them: part, name, value, unit, and perhaps what is
asserted: "max" or "min" or "is", and the bound. A value that is no number breaks any bound. Prints a line for each
figure, those whose bound is broken beginning with FAULT; exit status 1 if there is one, or none was asserted.
"""
import json
import sys


def number(text):
    try:
        return float(text)
    except ValueError:
        return None


def holds(value, op, bound):
    if value is None or bound is None:
        return False
    return {"max": value <= bound, "min": value >= bound, "is": value == bound}[op]


def figures(path):
    with open(path, encoding="utf-8") as file:
        for line in file:
            part, name, text, unit, *asserted = line.rstrip("\n").split("\t")
            figure = {"part": part, "name": name, "value": number(text), "unit": unit}
            if asserted:
                figure.update(op=asserted[0], bound=number(asserted[1]),
                              holds=holds(figure["value"], asserted[0], number(asserted[1])))
            yield figure, text


def show(figure, text):
    asserted = ""
    if "op" in figure:
        words = {"max": "at most", "min": "at least", "is": "must be"}[figure["op"]]
        asserted = "(%s %g)" % (words, figure["bound"])
    print("%-5s %-9s %-52s %12s %-6s %s" % ("" if figure.get("holds", True) else "FAULT", figure["part"], figure["name"],
                                            text, figure["unit"], asserted))


def main():
    found = []
    for figure, text in figures(sys.argv[1]):
        show(figure, text)
        found.append(figure)
    with open(sys.argv[2], "w", encoding="utf-8") as file:
        json.dump({"facts": dict(fact.split("=", 1) for fact in sys.argv[3:]), "figures": found}, file, indent=1)
        file.write("\n")
    asserted = [figure["holds"] for figure in found if "op" in figure]
    print("%d figures, %d bounds, %d broken" % (len(found), len(asserted), asserted.count(False)))
    sys.exit(0 if asserted and all(asserted) else 1)


main()
