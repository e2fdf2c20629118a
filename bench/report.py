#!/usr/bin/env python3
"""report.py SAMPLES GOALS RESULTS PLOTS [NAME=VALUE...]: what bench/run measured, as a table on standard
output, as JSON into the file RESULTS and as plots (plot.py) into the directory PLOTS. NAME=VALUE is a fact
of the machine, told as it is. Called by bench/run; t/86-bench-report.py tests it.

SAMPLES has a line a sample, with tabs between its fields:

    ROW  UNIT  VARIANT  VALUE           measured
    ROW  UNIT  VARIANT  -  WHY          could not be measured

A variant whose name begins with "blackpony" is ours, the others are peers. A unit that ends in "/s" is
better when more, any other when less. The nth line of each variant belongs to pass n, measured in the same
minute as the nth of the others. So a ratio, ours divided by the peer's, is formed pass by pass, and told is
the median of those.

GOALS has a line a goal: ROW, VARIANT, "<=" or ">=", LIMIT, and the peer whose ratio is limited, or "-" where
the value itself is. Lines that begin with # are comments.
Exit status: 0, or 1 when something that GOALS names was not measured in all, 2 on a faulty file.
"""
import json
import math
import statistics
import sys

import plot


class Fault(Exception):
    """A line that is not what it should be."""


class Row:
    """All samples of one row: for each variant the value of each pass, None where there is none."""

    def __init__(self, name, unit):
        self.name, self.unit = name, unit
        self.samples, self.why = {}, {}
        self.more = unit.endswith("/s")

    def better(self):
        return "more" if self.more else "less"

    def values(self, variant):
        return [v for v in self.samples.get(variant, []) if v is not None]

    def measured(self, ours):
        return [v for v in self.samples if self.values(v) and is_ours(v) == ours]

    def ratios(self, ours, peer):
        pairs = zip(self.samples.get(ours, []), self.samples.get(peer, []))
        return [a / b for a, b in pairs if a is not None and b]

    def passes(self):
        return max(len(s) for s in self.samples.values())


def is_ours(variant):
    return variant.split()[0] == "blackpony"


def kind(name):
    return name.split(",")[0]


def fields(path):
    with open(path, encoding="utf-8") as f:
        for number, line in enumerate(f, 1):
            if line.strip() and not line.startswith("#"):
                yield "%s:%d" % (path, number), line.rstrip("\n").split("\t")


def number(text, where):
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value) or value < 0:
        raise Fault("%s: %r is no measured value" % (where, text))
    return value


def read_samples(path):
    rows = {}
    for where, words in fields(path):
        if len(words) < 4 or "" in (w.strip() for w in words[:4]):
            raise Fault("%s: row, unit, variant and value are wanted" % where)
        name, unit, variant, value = words[:4]
        if len(words) != (5 if value == "-" else 4):
            raise Fault("%s: %s" % (where, "why not?" if value == "-" else "too many fields"))
        row = rows.setdefault(name, Row(name, unit))
        if unit != row.unit:
            raise Fault("%s: %r was in %r before" % (where, name, row.unit))
        if value == "-":
            row.why[variant] = words[4]
        row.samples.setdefault(variant, []).append(None if value == "-" else number(value, where))
    return rows


def read_goals(path):
    goals = []
    for where, words in fields(path):
        if len(words) != 5 or words[2] not in ("<=", ">="):
            raise Fault("%s: row, variant, <= or >=, limit and peer are wanted" % where)
        name, variant, sign, limit, peer = words
        goals.append({"row": name, "ours": variant, "sign": sign, "limit": number(limit, where),
                      "peer": None if peer == "-" else peer})
    return goals


def judge(goal, rows):
    """The goal with the value reached, and whether that is enough; None where it was not measured."""
    row = rows.get(goal["row"])
    if row is None:
        values = []
    elif goal["peer"] is None:
        values = row.values(goal["ours"])
    else:
        values = row.ratios(goal["ours"], goal["peer"])
    value = statistics.median(values) if values else None
    met = None
    if value is not None:
        met = value <= goal["limit"] if goal["sign"] == "<=" else value >= goal["limit"]
    return dict(goal, value=value, met=met)


def summary(values):
    return {"median": statistics.median(values), "range": [min(values), max(values)], "passes": len(values)}


def results(rows, goals, facts):
    """What goes into the JSON file; rows in the order of their goals, those together that begin alike."""
    out, order = [], {kind(g["row"]): i for i, g in reversed(list(enumerate(goals)))}
    for row in sorted(rows.values(), key=lambda r: order.get(kind(r.name), len(goals))):
        ours, peers = row.measured(True), row.measured(False)
        ratios = {o: {p: summary(row.ratios(o, p)) for p in peers if row.ratios(o, p)} for o in ours}
        out.append({
            "name": row.name, "unit": row.unit, "better": row.better(), "passes": row.passes(),
            "ours": {v: summary(row.values(v)) for v in ours},
            "peers": {v: summary(row.values(v)) for v in peers},
            "ratios": ratios,
            "goals": [{k: v for k, v in g.items() if k != "row"} for g in goals if g["row"] == row.name],
            "not measured": row.why,
        })
    return {"machine": facts, "rows": out}


def digits(value):
    """Four digits that count, never an exponent."""
    if value is None:
        return "-"
    whole = len(str(int(value)))
    return "%.*f" % (max(0, 4 - whole) if value < 1000 and value != int(value) else 0, value)


def aligned(lines):
    """Columns, the first to the left, numbers to the right."""
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    for line in lines:
        cells = [line[0].ljust(widths[0])] + [c.rjust(w) for c, w in zip(line[1:], widths[1:])]
        yield "  " + "  ".join(cells).rstrip()


def row_table(row):
    """One row: its variants, each with the ratio of each of ours to it."""
    ours = row["ours"]
    short = {o: o.replace("blackpony", "").strip() or "ours" for o in ours}
    lines = [["", row["unit"], "from", "to", "passes"] + ["%s/it" % short[o] for o in ours]]
    for variant, s in list(ours.items()) + list(row["peers"].items()):
        ratios = [row["ratios"][o].get(variant) for o in ours]
        lines.append([variant, digits(s["median"]), digits(s["range"][0]), digits(s["range"][1]), str(s["passes"])]
                     + ["%.2f" % r["median"] if r else "" for r in ratios])
    yield "%s: %s, %s is better" % (row["name"], row["unit"], row["better"])
    yield from aligned(lines)
    for variant, why in row["not measured"].items():
        yield "  NOT MEASURED%s: %s: %s" % (" in each pass" if variant in ours or variant in row["peers"] else "",
                                            variant, why)


def goal_line(goal):
    what = "%s / %s" % (goal["ours"], goal["peer"]) if goal["peer"] else goal["ours"]
    verdict = {True: "met", False: "MISSED", None: "NOT MEASURED"}[goal["met"]]
    reached = "" if goal["value"] is None else "%.2f, " % goal["value"] if goal["peer"] else digits(goal["value"]) + ", "
    return "  goal: %s %s %s: %s%s" % (what, goal["sign"], digits(goal["limit"]), reached, verdict)


def table(found, goals):
    """All of it, a line at a time."""
    if found["machine"]:
        yield ", ".join("%s %s" % fact for fact in found["machine"].items())
        yield ""
    for row in found["rows"]:
        yield from row_table(row)
        yield from (goal_line(g) for g in goals if g["row"] == row["name"])
        yield ""
    measured = {row["name"] for row in found["rows"]}
    for goal in goals:
        if goal["row"] not in measured:
            yield "NOT MEASURED: %s" % goal["row"]
            yield goal_line(goal)
    count = [sum(1 for g in goals if g["met"] is met) for met in (True, False, None)]
    yield "goals: %d met, %d missed, %d not measured" % tuple(count)


def main(samples, goals, results_file, plots, *facts):
    try:
        rows = read_samples(samples)
        judged = [judge(g, rows) for g in read_goals(goals)]
        facts = dict(f.split("=", 1) for f in facts)
    except (Fault, OSError, ValueError) as fault:
        print("report.py: %s" % fault, file=sys.stderr)
        return 2
    found = results(rows, judged, facts)
    for line in table(found, judged):
        print(line)
    with open(results_file, "w", encoding="utf-8") as f:
        json.dump(found, f, indent=1, ensure_ascii=False)
        f.write("\n")
    plot.draw(found, plots)
    return 1 if any(r.why for r in rows.values()) or any(g["met"] is None for g in judged) else 0


if __name__ == "__main__":
    if len(sys.argv) < 5:
        sys.exit("usage: report.py SAMPLES GOALS RESULTS PLOTS [NAME=VALUE...]")
    sys.exit(main(*sys.argv[1:]))
