"""plot.py: draws what was measured as SVG, from the standard library alone. Called by report.py.

    bench-wall.svg     a panel for each "wall time, RTT n ms": a bar for each variant
    bench-ratios.svg   for all other rows, a line for each peer, with a mark for each of ours

Ours are green and peers grey; a thin line spans all passes. The colours follow the reader's light or dark
scheme, on no background. Nothing is drawn that was not measured, and no file where nothing was.
"""
import math
import os
import re
from xml.sax.saxutils import escape

STYLE = """<style>
text { font: 13px sans-serif; fill: #1f2328 } .title { font-weight: bold } .small { font-size: 11px }
.end { text-anchor: end } .middle { text-anchor: middle }
.ours { fill: #1a7f52 } .ring { fill: none; stroke: #1a7f52; stroke-width: 2 } .peer { fill: #9aa4af } .line { stroke: #59636e } .grid { stroke: #d1d9e0 }
.one { stroke: #59636e; stroke-width: 1.5 } .goal { stroke: #bc4c00; stroke-width: 2 }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3 } .ours { fill: #3fb27f } .ring { stroke: #3fb27f } .peer { fill: #6e7681 } .line { stroke: #c9d1d9 }
.grid { stroke: #3d444d } .one { stroke: #9198a1 } .goal { stroke: #f0883e }
}
</style>"""
LABELS, STEP = 235, 22  # the column of names; the height of a line


MARKS = {"blackpony classical": "ring", "blackpony kept": "square"}  # others have a dot


class Canvas:
    """An SVG that grows downwards."""

    def __init__(self, width):
        self.width, self.y, self.parts = width, 10, []

    def text(self, x, y, words, kind=""):
        self.parts.append('<text x="%.1f" y="%.1f" class="%s">%s</text>' % (x, y, kind, escape(words)))

    def bar(self, x, y, width, kind):
        self.parts.append('<rect x="%.1f" y="%.1f" width="%.1f" height="12" class="%s"/>' % (x, y, width, kind))

    def mark(self, x, y, kind):
        if kind == "square":
            self.parts.append('<rect x="%.1f" y="%.1f" width="8" height="8" class="ours"/>' % (x - 4, y - 4))
        else:
            self.parts.append('<circle cx="%.1f" cy="%.1f" r="4.5" class="%s"/>' % (x, y, kind))

    def line(self, x1, y1, x2, y2, kind):
        self.parts.append('<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" class="%s"/>' % (x1, y1, x2, y2, kind))

    def write(self, path, title):
        with open(path, "w", encoding="utf-8") as f:
            f.write('<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" role="img">\n'
                    % (self.width, self.y, self.width, self.y))
            f.write("<title>%s</title>\n%s\n%s\n</svg>\n" % (escape(title), STYLE, "\n".join(self.parts)))


def rounded(value):
    return "%.0f" % value if value >= 100 else "%.1f" % value if value >= 10 else "%.2f" % value


def everything(row):
    return {**row["ours"], **row["peers"]}


def panel(canvas, row, variants, x, top, width):
    """The bars of one round trip time, each in the line of its variant."""
    measured = everything(row)
    scale = (width - 60) / max(m["range"][1] for m in measured.values())
    canvas.text(x, top - 10, "RTT %s" % row["name"].rsplit("RTT ", 1)[1], "title")
    canvas.line(x, top - 4, x, top + STEP * len(variants), "line")
    for i, variant in enumerate(variants):
        y = top + i * STEP
        if variant not in measured:
            canvas.text(x + 4, y + 11, "not measured", "small")
            continue
        m = measured[variant]
        low, high = (x + v * scale for v in m["range"])
        canvas.bar(x, y, m["median"] * scale, "ours" if variant in row["ours"] else "peer")
        canvas.line(low, y + 6, high, y + 6, "line")
        canvas.text(high + 4, y + 11, rounded(m["median"]), "small")


def draw_wall(rows, path):
    canvas, variants = Canvas(860), list(dict.fromkeys(v for row in rows for v in everything(row)))
    width = (canvas.width - LABELS) / len(rows)
    canvas.text(10, 22, "1 KB message over a new connection, ms from the SYN to the reply to the final dot", "title")
    if "blackpony kept" in variants:
        canvas.text(10, 38, "blackpony kept: over the session of the message before, from its first octet on", "small")
    top = 72
    for i, variant in enumerate(variants):
        canvas.text(LABELS - 8, top + i * STEP + 11, variant, "end")
    for i, row in enumerate(rows):
        panel(canvas, row, variants, LABELS + i * width, top, width)
    canvas.y = top + STEP * len(variants) + 10
    canvas.write(path, "Time to deliver a message")


def comparisons(row):
    """{peer: [(ours, ratio, lowest, highest, limit)]}, all so that less is better."""
    limits = {(g["ours"], g["peer"]): g["limit"] for g in row["goals"]}
    found = {}
    for ours, peers in row["ratios"].items():
        for peer, r in peers.items():
            values, limit = [r["median"], *r["range"]], limits.get((ours, peer))
            if min(values) <= 0 or limit == 0:
                continue
            if row["better"] == "more":
                values, limit = [1 / v for v in (values[0], values[2], values[1])], limit and 1 / limit
            found.setdefault(peer, []).append((ours, *values, limit))
    return found


def draw_line(canvas, at, peer, marks):
    """Ours against one peer."""
    y = canvas.y + 6
    canvas.text(LABELS + 20, y + 5, peer, "end")
    for ours, ratio, least, most, limit in marks:
        canvas.line(at(least), y, at(most), y, "line")
        canvas.mark(at(ratio), y, MARKS.get(ours, "ours"))
        if limit:
            canvas.line(at(limit), y - 8, at(limit), y + 8, "goal")
    canvas.text(canvas.width - 8, y + 5, "  ".join(rounded(m[1]) for m in marks), "end small")
    canvas.y += STEP


def draw_legend(canvas, x, names):
    canvas.text(x, canvas.y + 12, "median:", "small")
    x += 52
    for name in names:
        canvas.mark(x, canvas.y + 8, MARKS.get(name, "ours"))
        canvas.text(x + 9, canvas.y + 12, name, "small")
        x += 130
    canvas.text(LABELS + 40, canvas.y + 28, "thin line: all passes; orange: the goal", "small")
    canvas.y += 38


def draw_ratios(rows, path):
    groups = [(row, comparisons(row)) for row in rows]
    marks = [m for _, lines in groups for line in lines.values() for m in line]
    every = [v for m in marks for v in m[1:] if v]
    low, high = math.log(min([*every, 0.5]) / 1.2), math.log(max([*every, 2]) * 1.2)
    canvas, left = Canvas(860), LABELS + 40
    width = canvas.width - left - 120

    def at(ratio):
        return left + (math.log(ratio) - low) / (high - low) * width

    canvas.text(10, 22, "blackpony divided by others: left of 1 it takes less, or does more in the same time", "title")
    canvas.y = top = 60
    for row, lines in groups:
        canvas.text(10, canvas.y + 11, row["name"], "title")
        canvas.y += STEP
        for peer, line in lines.items():
            draw_line(canvas, at, peer, line)
        canvas.y += 6
    for tick in (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50):
        if low <= math.log(tick) <= high:
            canvas.text(at(tick), top - 10, "%g" % tick, "middle small")
            canvas.parts.insert(0, '<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" class="%s"/>'
                                % (at(tick), top - 4, at(tick), canvas.y, "one" if tick == 1 else "grid"))
    names = dict.fromkeys("blackpony, hybrid" if MARKS.get(m[0]) is None else m[0] for m in marks)
    draw_legend(canvas, left, names)
    canvas.write(path, "Ratios")


def draw(found, directory):
    wall = [r for r in found["rows"] if re.fullmatch(r"wall time, RTT \d+ ms", r["name"]) and everything(r)]
    wall.sort(key=lambda r: int(r["name"].split()[3]))
    others = [r for r in found["rows"] if r not in wall and any(r["ratios"].values())]
    if wall:
        draw_wall(wall, os.path.join(directory, "bench-wall.svg"))
    if others:
        draw_ratios(others, os.path.join(directory, "bench-ratios.svg"))
