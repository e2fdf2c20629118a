#!/usr/bin/env python3
"""figures.py - the arithmetic in doc/FARM.md: a large site, and how much mail is encrypted when some
hosts encrypt. Standard library only.

    figures.py FARM.md adoption.svg [RESULTS.json]
                                                 writes the tables between their marks, and the drawing
    figures.py --check FARM.md adoption.svg RESULTS.json
                                                 says what is not as it would be written, and which figure
                                                 is far from what was measured

RESULTS.json is bench/results.json. The figures of BENCH are those that the page's first table has, until
the page is written with RESULTS.json, which gives it new ones. A machine measures a little else each
time, so the check allows a factor. t/8b-figures runs it.
"""
import json
import math
import re
import sys

FACTOR = 1.5  # between a figure of the page and the one in bench/results.json

# What it is, its unit, its row and column in bench/results.json, and the column to be taken away from that.
BENCH = {
    "receive": ("CPU to receive a message of 1 KB, sendmail and all", "ms of a core", "CPU, receiving side", "blackpony hybrid", None),
    "session": ("of that, blackpony's own", "ms of a core", "CPU of a session, receiving end", "blackpony", "stub"),
    "send": ("CPU to send one", "ms of a core", "CPU, sending side", "blackpony hybrid", None),
    "pss": ("memory of a session, blackpony", "kB", "PSS of an idle session", "blackpony", None),
    "backend": ("its `sendmail -bs`", "kB", "PSS of an idle session", "sendmail -bs, plain", None),
    "wall": ("one delivery over a round trip of 100 ms", "ms", "wall time, RTT 100 ms", "blackpony hybrid", None),
}

# What it is, the figure, its unit, and where it is from. Nothing compares these.
ELSEWHERE = {
    "kernel": ("memory of a session, the kernel's share", 390, "kB", "doc/TESTING.md"),
    "pin": ("pin store, a host", 232, "octets", "`blackpony-keygen --import` of 100,000 hosts with two keys each"),
    "keypair": ("ML-KEM-768, a key pair", 37, "us", "`t/72-kem-speed`"),
    "encaps": ("ML-KEM-768, encapsulation", 39, "us", "`t/72-kem-speed`"),
    "decaps": ("ML-KEM-768, decapsulation", 48, "us", "`t/72-kem-speed`"),
    "x25519": ("X25519, one operation", 41, "us", "libsodium, one core"),
    "dns_out": ("DNS, for a message sent to a host with one name", 3, "questions", "MX, AAAA, A; recorded between the test's hosts"),
    "dns_in": ("DNS, for a session received", 5, "questions", "sendmail's own: PTR, the name back, the sender's domain; recorded likewise"),
    "commits": ("pin store, writes", 1000, "a second", "pins written, each a wait for the disk; the same import"),
}

# What we suppose, and you should not.
DAY, PEAK = 100e6, 3.0  # messages; the busiest second to the mean
CORES, BUSY, MEMORY = 16, 0.6, 64e6  # of a host; how busy it may be at the peak; kB
KEPT = 5.0  # seconds: what a sender keeps a session for the next message
PARTNERS = 2e6  # pairs of domain and mail host that the site sends to within its memory

NET = 100_000  # hosts in the model of adoption
SHARES = (0.0001, 0.001, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9, 1.0)

STYLE = """<style>
text { font: 13px sans-serif; fill: #1f2328 } .title { font-weight: bold } .small { font-size: 11px }
.end { text-anchor: end } .middle { text-anchor: middle } .grid { stroke: #d1d9e0 }
.curve { fill: none; stroke-width: 2.5 } .largest { stroke: #1a7f52 } .even { stroke: #59636e } .last { stroke: #bc4c00 }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3 } .grid { stroke: #3d444d } .largest { stroke: #3fb27f } .even { stroke: #9198a1 } .last { stroke: #f0883e }
}
</style>"""


def number(value):
    """Three figures at most, and commas."""
    if value <= 0:
        return "0"
    digits = 2 - int(math.floor(math.log10(value)))
    value = round(value, digits)
    return "{:,.{}f}".format(value, max(0, digits) if value < 10 else 0)


def percent(value):
    if value >= 0.9995:
        return "100 %"
    return "%.0f %%" % (value * 100) if value >= 0.1 else "%.1f %%" % (value * 100) if value >= 0.01 else "%.2g %%" % (value * 100)


def table(head, rows):
    lines = [head, ["---"] * len(head)] + rows
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def benched(path):
    """What bench/results.json has of each figure."""
    with open(path, encoding="utf-8") as f:
        rows = {row["name"]: {**row["ours"], **row["peers"]} for row in json.load(f)["rows"]}
    return {key: rows[row][column]["median"] - (rows[row][less]["median"] if less else 0)
            for key, (_, _, row, column, less) in BENCH.items()}


def printed(text):
    """What the page has of each figure."""
    out = {}
    for key, (words, unit, *_) in BENCH.items():
        found = re.search(r"^\| %s \| ([0-9.,]+) %s \|" % (re.escape(words), re.escape(unit)), text, re.MULTILINE)
        if not found:
            sys.exit("%s: the page has no figure in %s" % (words, unit))
        out[key] = float(found.group(1).replace(",", ""))
    return out


def measured_table(figures):
    rows = [[words, "%s %s" % (number(figures[key]), unit), "`bench/results.json`: %s, %s%s" % (row, column, " less " + less if less else "")]
            for key, (words, unit, row, column, less) in BENCH.items()]
    rows += [[words, "%s %s" % (number(value), unit), where] for words, value, unit, where in ELSEWHERE.values()]
    return table(["what", "figure", "from"], rows)


def site(figures):
    m = {**figures, **{key: value for key, (_, value, _, _) in ELSEWHERE.items()}}
    mean = DAY / 86400
    peak = mean * PEAK
    cores_in, cores_out = (peak * m[k] / 1000 / BUSY for k in ("receive", "send"))
    hosts_in, hosts_out = (math.ceil(c / CORES) + 1 for c in (cores_in, cores_out))
    each = peak / (hosts_in - 1)
    short, kept = peak * m["wall"] / 1000, peak * (m["wall"] / 1000 + KEPT)
    session = m["pss"] + m["backend"] + m["kernel"]
    x25519, server, client = 4 * m["x25519"] / 1e6, m["encaps"] / 1e6, (m["keypair"] + m["decaps"]) / 1e6
    return [
        ("messages a second, mean", number(mean), "%s / 86,400" % number(DAY)),
        ("at the peak", number(peak), "times %g" % PEAK),
        ("cores to receive", number(cores_in), "peak * %g ms / %g" % (m["receive"], BUSY)),
        ("of these for blackpony", number(peak * m["session"] / 1000 / BUSY), "peak * %g ms / %g" % (m["session"], BUSY)),
        ("hosts to receive, one to spare", "%d" % hosts_in, "of %d cores" % CORES),
        ("cores to send", number(cores_out), "peak * %g ms / %g" % (m["send"], BUSY)),
        ("hosts to send, one to spare", "%d" % hosts_out, "of %d cores" % CORES),
        ("sessions a second and host, one host down", number(each), "peak / %d" % (hosts_in - 1)),
        ("sessions at a time, none kept", number(short), "peak * %s ms" % number(m["wall"])),
        ("all kept for %g s" % KEPT, number(kept), "peak * (%s ms + %g s); the worst case, so HAProxy's `maxconn` in `global` above it" % (number(m["wall"]), KEPT)),
        ("a host's share of these, one host down", number(kept / (hosts_in - 1)), "so HAProxy's `maxconn` of a server above it, and `-m` above that"),
        ("memory for them, a host", "%s GB" % number(kept / (hosts_in - 1) * session / 1e6), "%s kB each, of %s GB" % (number(session), number(MEMORY / 1e6))),
        ("X25519 operations a second, in each direction", number(peak * 4), "4 a session; %s cores" % number(peak * x25519)),
        ("encapsulations a second, receiving", number(peak), "1 a session; %s cores" % number(peak * server)),
        ("ML-KEM key pairs a second, and as many decapsulations, sending", number(peak), "1 of each a session; %s cores" % number(peak * client)),
        ("cores for all of these, both directions", number(peak * (2 * x25519 + server + client) / BUSY), "their sum / %g" % BUSY),
        ("pins, for %s pairs of domain and host" % number(PARTNERS), "%s GB" % number(PARTNERS * m["pin"] / 1e9), "%d octets each, on every sending host" % m["pin"]),
        ("pins written a second and sending host", number(peak / (hosts_out - 1)), "one for each new session; a disk does %s" % number(m["commits"])),
        ("DNS questions a second, sending", number(peak * m["dns_out"]), "peak * %d; a cache answers most" % m["dns_out"]),
        ("DNS questions a second, receiving", number(peak * m["dns_in"]), "peak * %d; sendmail asks as many without blackpony" % m["dns_in"]),
    ]


def zipf(n):
    weights = [1 / k for k in range(1, n + 1)]
    total = sum(weights)
    return [w / total for w in weights]


def curve(weights):
    """For each k: the mail between k hosts, the first ones, as a share of all mail between different hosts,
    and of what these k send to others. A host's mail goes to the others by their weights."""
    mass = squares = 0.0
    all_squares = sum(w * w for w in weights)
    of_all, of_theirs = [0.0], [0.0]
    for w in weights:
        mass, squares = mass + w, squares + w * w
        of_all.append((mass * mass - squares) / (1 - all_squares))
        of_theirs.append((mass * mass - squares) / (mass - squares))
    return of_all, of_theirs


def adoption():
    weights = zipf(NET)
    largest, own = curve(weights)
    return {
        "even": [((p * NET) * (p * NET - 1)) / (NET * (NET - 1)) for p in (k / NET for k in range(NET + 1))],
        "largest": largest,
        "last": curve(weights[::-1])[0],
        "own": own,
    }


def adoption_table(curves):
    rows = []
    for p in SHARES:
        k = round(p * NET)
        rows.append([percent(p), number(k)] + [percent(max(curves[c][k], 0)) for c in ("even", "largest", "last", "own")])
    return table(["p", "hosts", "all alike, or chosen by chance", "largest first", "largest last", "largest first: of an adopter's own mail"], rows)


def drawing(curves):
    left, top, width, height = 60, 40, 560, 320
    first = math.log10(1 / NET)
    parts = ['<text x="%d" y="22" class="title">Mail that is encrypted when a share p of the hosts does</text>' % left]
    for i in range(0, 11, 2):
        y = top + height * (1 - i / 10)
        parts.append('<line x1="%d" y1="%.1f" x2="%d" y2="%.1f" class="grid"/>' % (left, y, left + width, y))
        parts.append('<text x="%d" y="%.1f" class="small end">%d %%</text>' % (left - 6, y + 4, i * 10))
    for e in range(int(first), 1):
        x = left + width * (1 - e / first)
        parts.append('<line x1="%.1f" y1="%d" x2="%.1f" y2="%d" class="grid"/>' % (x, top, x, top + height))
        parts.append('<text x="%.1f" y="%d" class="small middle">%g %%</text>' % (x, top + height + 16, 100 * 10.0 ** e))
    for name in ("even", "last", "largest"):
        points = []
        for i in range(101):
            k = max(1, round(NET ** (i / 100)))
            points.append("%.1f,%.1f" % (left + width * i / 100, top + height * (1 - max(curves[name][k], 0))))
        parts.append('<polyline class="curve %s" points="%s"/>' % (name, " ".join(points)))
    for i, (name, words) in enumerate((("largest", "largest hosts first"), ("even", "all hosts alike, or chosen by chance: p squared"), ("last", "largest hosts last"))):
        y = top + height + 42 + 18 * i
        parts.append('<line x1="%d" y1="%d" x2="%d" y2="%d" class="curve %s"/>' % (left, y - 4, left + 30, y - 4, name))
        parts.append('<text x="%d" y="%d">%s</text>' % (left + 38, y, words))
    return ('<svg xmlns="http://www.w3.org/2000/svg" width="640" height="460" viewBox="0 0 640 460" role="img">\n'
            "<title>Adoption: mail between %s hosts</title>\n%s\n%s\n</svg>\n" % (number(NET), STYLE, "\n".join(parts)))


def filled(text, tables):
    for name, made in tables.items():
        begin, end = "<!-- %s -->\n" % name, "\n<!-- end -->"
        start = text.index(begin) + len(begin)
        text = text[:start] + made + text[text.index(end, start):]
    return text


def far_off(figures, now):
    """The figures that a new measurement has left behind."""
    for key, value in figures.items():
        if not value / FACTOR <= now[key] <= value * FACTOR:
            yield "%s: %s %s here, measured %s" % (key, number(value), BENCH[key][1], number(now[key]))


def main(argv):
    check = argv[1:2] == ["--check"]
    document, svg, *results = argv[2:] if check else argv[1:]
    with open(document, encoding="utf-8") as f:
        text = f.read()
    # The other tables go by what this one has in print, not by digits that nobody sees.
    given = filled(text, {"measured": measured_table(benched(results[0]))}) if results and not check else text
    figures, curves = printed(given), adoption()
    made = filled(text, {"measured": measured_table(figures), "adoption": adoption_table(curves),
                         "site": table(["", "figure", "how"], [list(r) for r in site(figures)])})
    drawn = drawing(curves)
    if not check:
        for path, words in ((document, made), (svg, drawn)):
            with open(path, "w", encoding="utf-8") as f:
                f.write(words)
        return 0
    faults = list(far_off(figures, benched(results[0])))
    faults += ["%s: its tables are others" % document] if made != text else []
    with open(svg, encoding="utf-8") as f:
        faults += ["%s: another drawing" % svg] if f.read() != drawn else []
    for fault in faults:
        print(fault)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
