"""86-bench-report - what bench/report.py makes of samples: medians, ratios pass by pass, goals, JSON and
plots, exactly; a faulty line is refused with its number. And bench/run: a row that fails does not stop the
others, and is told.
"""
import json
import os
import re
import shutil
import stat
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET

TOP = os.environ.get("abs_top_srcdir") or os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
SVG = "{http://www.w3.org/2000/svg}"

# In passes 1 and 2 the machine was busy, alike for both: the median of the ratios is not the ratio of medians.
SAMPLES = """\
wall time, RTT 0 ms|ms|blackpony hybrid|40
wall time, RTT 0 ms|ms|other <&>|80
wall time, RTT 0 ms|ms|blackpony hybrid|30
wall time, RTT 0 ms|ms|other <&>|40
wall time, RTT 0 ms|ms|blackpony hybrid|10
wall time, RTT 0 ms|ms|other <&>|30
queue run|/s|blackpony|50
queue run|/s|built in|100
queue run|/s|blackpony|-|it died
queue run|/s|built in|400
queue run|/s|blackpony|90
queue run|/s|built in|60
queue run|/s|absent|-|not installed
""".replace("|", "\t")
GOALS = """\
# a comment
wall time, RTT 0 ms|blackpony hybrid|<=|0.5|other <&>
wall time, RTT 0 ms|blackpony hybrid|<=|29|-
queue run|blackpony|>=|1|built in
queue run|blackpony|>=|0.5|absent
nowhere|blackpony|<=|1|-
""".replace("|", "\t")

run = failed = 0


def ok(holds, name, remark=""):
    global run, failed
    run += 1
    failed += not holds
    print("%sok %d - %s" % ("" if holds else "not ", run, name))
    if not holds and remark != "":
        print("# %s" % str(remark).replace("\n", "\n# "))
    sys.stdout.flush()


def is_(got, want, name):
    ok(got == want, name, "got %.900r, want %.900r" % (got, want))


def report(samples, goals, *facts):
    for name, text in (("samples", samples), ("goals", goals)):
        with open(name, "w", encoding="utf-8") as f:
            f.write(text)
    for name in ("results.json", "bench-wall.svg", "bench-ratios.svg"):
        if os.path.exists(name):
            os.remove(name)
    return subprocess.run([sys.executable, TOP + "/bench/report.py", "samples", "goals", "results.json", ".", *facts],
                          capture_output=True, text=True, check=False)


def figures():
    said = report(SAMPLES, GOALS, "cores=2", "CPU=x=y")
    is_((said.returncode, said.stderr), (1, ""), "what was not measured is in the exit status")
    with open("results.json", encoding="utf-8") as f:
        found = json.load(f)
    is_(found["machine"], {"cores": "2", "CPU": "x=y"}, "JSON: the machine")
    wall, queue = found["rows"]
    is_((wall["name"], wall["unit"], wall["better"], wall["passes"]), ("wall time, RTT 0 ms", "ms", "less", 3), "a row")
    is_(wall["ours"], {"blackpony hybrid": {"median": 30, "range": [10, 40], "passes": 3}}, "ours")
    is_(wall["peers"], {"other <&>": {"median": 40, "range": [30, 80], "passes": 3}}, "peers")
    is_(wall["ratios"], {"blackpony hybrid": {"other <&>": {"median": 0.5, "range": [1 / 3, 0.75], "passes": 3}}},
        "ratios are formed pass by pass: not 30 / 40")
    is_((queue["better"], queue["ours"]["blackpony"], queue["not measured"]),
        ("more", {"median": 70, "range": [50, 90], "passes": 2}, {"blackpony": "it died", "absent": "not installed"}),
        "a pass without a sample, and a peer without any")
    is_(queue["ratios"], {"blackpony": {"built in": {"median": 1, "range": [0.5, 1.5], "passes": 2}}},
        "the third pass stays the third")
    is_([(g["value"], g["met"]) for r in found["rows"] for g in r["goals"]],
        [(0.5, True), (30, False), (1, True), (None, None)], "goals")
    return said.stdout


def text(said):
    for line in ("wall time, RTT 0 ms: ms, less is better", "queue run: /s, more is better",
                 "  blackpony hybrid  30    10  40       3",
                 "  other <&>         40    30  80       3       0.50",
                 "  goal: blackpony hybrid / other <&> <= 0.500: 0.50, met",
                 "  goal: blackpony hybrid <= 29: 30, MISSED",
                 "  NOT MEASURED in each pass: blackpony: it died", "  NOT MEASURED: absent: not installed",
                 "NOT MEASURED: nowhere", "goals: 2 met, 1 missed, 2 not measured"):
        ok(line in said.splitlines(), "the table has: %s" % line.strip(), said)


def plots():
    wall, ratios = (ET.parse(name).getroot() for name in ("bench-wall.svg", "bench-ratios.svg"))
    words = [t.text for t in wall.iter(SVG + "text")]
    ok({"blackpony hybrid", "other <&>", "30.0", "40.0", "RTT 0 ms"} <= set(words), "plot of times: names, figures", words)
    widths = [float(r.get("width")) for r in wall.iter(SVG + "rect")]
    is_(round(widths[0] / widths[1], 2), 0.75, "bars are as long as the medians")
    words = [t.text for t in ratios.iter(SVG + "text")]
    ok("built in" in words and not any("absent" in w for w in words),
       "plot of ratios: what was measured and nothing else", words)
    is_(len(list(ratios.iter(SVG + "circle"))), 2, "a dot for each ratio, and one in the legend")
    ok(all("prefers-color-scheme" in s.text for svg in (wall, ratios) for s in svg.iter(SVG + "style")), "dark too")
    said = report("a\tms\tblackpony\t-\twhy\n", "")
    ok(said.returncode == 1 and not os.path.exists("bench-wall.svg") and not os.path.exists("bench-ratios.svg"),
       "nothing measured: no plot", said)
    said = report("a\tms\tblackpony\t1\n", "")
    is_(said.returncode, 0, "all measured: exit status 0")


def faults():
    good = SAMPLES.splitlines(keepends=True)[0]
    for what, line in (("too few fields", "a\tms\tblackpony\n"), ("an empty one", "a\tms\t\t1\n"),
                       ("no number", "a\tms\tblackpony\tfast\n"), ("infinite", "a\tms\tblackpony\tinf\n"),
                       ("less than nothing", "a\tms\tblackpony\t-1\n"), ("no reason", "a\tms\tblackpony\t-\n"),
                       ("too many fields", "a\tms\tblackpony\t1\t2\n"),
                       ("another unit", "wall time, RTT 0 ms\ts\tblackpony\t1\n")):
        said = report(good + line + good, "")
        ok(said.returncode == 2 and said.stderr.startswith("report.py: samples:2: ") and said.stdout == ""
           and not os.path.exists("results.json"), "sample with %s: refused, with its line" % what, said)
    said = report(good, "a\tblackpony\t=\t1\t-\n")
    ok(said.returncode == 2 and said.stderr.startswith("report.py: goals:1: "), "a faulty goal likewise", said)


def driver():
    """bench/run with rows of our own, never a whole run, which would write into the tree."""
    shutil.copytree(TOP + "/bench", "bench", ignore=shutil.ignore_patterns("row-*", "__pycache__"))
    for name, script in (("good", 'printf "one\\tms\\tblackpony\\t%s\\n" "$BENCH_PASSES" >&3; echo noise'),
                         ("dies", 'printf "two\\tms\\tblackpony\\t7\\n" >&3; echo the reason >&2; exit 3'),
                         ("faulty", 'printf "three\\tms\\tblackpony\\t7\\nthree\\tms\\tblack" >&3'),
                         ("silent", "exit 0")):
        with open("bench/row-%s.sh" % name, "w", encoding="utf-8") as f:
            f.write("#!/bin/bash\n%s\n" % script)
    os.chmod("bench/run", stat.S_IRWXU)

    def bench(*rows):
        env = dict(os.environ, abs_top_srcdir=TOP, abs_top_builddir=os.getcwd())
        return subprocess.run(["bench/run", "--quick", *rows], capture_output=True, text=True, check=False, env=env)

    said = bench()
    is_(said.returncode, 1, "bench/run: rows that failed are in the exit status")
    ok("one: ms" in said.stdout and "two: ms" in said.stdout and "noise" not in said.stdout,
       "and did not stop the others", said)
    ok("dies FAILED" in said.stderr and "the reason" in said.stderr, "what they said is shown", said.stderr)
    ok(re.search(r"^cores .*, seconds of the run \d+$", said.stdout, re.M), "the head of the table says how long it took",
       said.stdout)
    with open("bench.d/results.json", encoding="utf-8") as f:
        ok(json.load(f)["machine"].get("seconds of the run", "").isdigit(), "and so does the JSON")
    ok("silent measured nothing" in said.stderr, "no sample is a failure too", said.stderr)
    ok("2:three\tms\tblack" in said.stderr and "three: ms" not in said.stdout, "a line cut off: none of its row", said)
    said = bench("good")
    ok(said.returncode == 0 and "blackpony   2" in said.stdout and "two" not in said.stdout, "one row alone", said)


def main():
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        text(figures())
        report(SAMPLES, GOALS)
        plots()
        faults()
        if os.geteuid() == 0:
            driver()
        else:
            ok(True, "# SKIP bench/run wants root")
        os.chdir("/")
    print("1..%d" % run)
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
