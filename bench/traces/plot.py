"""Draws what larder_bench_traces --json wrote: plot.py JSON PREFIX

PREFIX-hit-ratio.svg and PREFIX-cost-saved.svg: a panel for each trace, with the ratio against the capacity, for larder
and for other policies. Only the standard library is needed.
"""
import json
import math
import sys
from xml.sax.saxutils import escape

# Policy as the JSON calls it, its name in the legend, color. The best of each cell is a circle, the others are lines.
OURS = ("two-gate", "larder (Two-Gate)", "#000")
BEST = ("best", "best practical policy of each cell", "#777")
OTHERS = [
    ("lru", "LRU", "#56b4e9"),
    ("s3fifo", "S3-FIFO", "#e69f00"),
    ("wtinylfu", "W-TinyLFU", "#0072b2"),
    ("arc", "ARC", "#009e73"),
    ("lirs", "LIRS", "#cc79a7"),
    ("gdsf", "GDSF", "#d55e00"),
]

COLUMNS = 5
WIDTH, HEIGHT = 200, 130  # of a panel's plot
LEFT, TOP, RIGHT, BOTTOM = 40, 26, 14, 40  # around it
HEADING = 78
PER_MILLE = [1, 10, 50, 100, 200, 400]
COST_SAVED = 2  # of the three figures of a policy


def figure(cell, policy):
    """What the policy saved there; None if that is not known."""
    if policy == OURS[0]:
        return cell["measured"][policy][COST_SAVED]
    ratios = cell["references"].get(cell["best"] if policy == BEST[0] else policy)
    return ratios and ratios[COST_SAVED]


def step(most):
    """Between two ticks of an axis from 0 to `most`, so that it has three to six."""
    return next(s for s in (0.01, 0.02, 0.05, 0.1, 0.2, 0.25) if most / s <= 5 or s == 0.25)


def text(x, y, what, anchor="middle", size=10, color="#444", extra=""):
    where = f'x="{x:g}" y="{y:g}" text-anchor="{anchor}"'
    return f'<text {where} font-size="{size}" fill="{color}"{extra}>{escape(what)}</text>'


def circle(x, y):
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="none" stroke="{BEST[2]}"/>'


def polyline(points, policy):
    drawn = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    width = 2.4 if policy == OURS else 1.3
    return f'<polyline points="{drawn}" fill="none" stroke="{policy[2]}" stroke-width="{width}"/>'


def line(x1, y1, x2, y2, color, width=1.0):
    return f'<line x1="{x1:g}" y1="{y1:g}" x2="{x2:g}" y2="{y2:g}" stroke="{color}" stroke-width="{width:g}"/>'


def panel(trace, cells, series):
    """A group whose origin is the upper left corner of the plot."""
    most = max(figure(cell, policy[0]) or 0 for cell in cells for policy in series)
    tick = step(most)
    top = tick * max(1, math.ceil(most / tick))

    def x_of(per_mille):
        span = math.log(PER_MILLE[-1] / PER_MILLE[0])
        return WIDTH * math.log(per_mille / PER_MILLE[0]) / span

    def y_of(ratio):
        return HEIGHT * (1 - ratio / top)

    out = [text(WIDTH / 2, -8, trace, size=12, color="#000", extra=' font-weight="bold"')]
    for i in range(round(top / tick) + 1):
        out.append(line(0, y_of(i * tick), WIDTH, y_of(i * tick), "#e5e5e5"))
        out.append(text(-5, y_of(i * tick) + 3.5, f"{i * tick:.2f}", "end"))
    for per_mille in PER_MILLE:
        out.append(line(x_of(per_mille), HEIGHT, x_of(per_mille), HEIGHT + 4, "#888"))
        out.append(text(x_of(per_mille), HEIGHT + 15, f"{per_mille / 10:g}"))
    out.append(f'<rect width="{WIDTH}" height="{HEIGHT}" fill="none" stroke="#888"/>')
    for policy in series:
        ratios = [(cell["per_mille"], figure(cell, policy[0])) for cell in cells]
        points = [(x_of(per_mille), y_of(ratio)) for per_mille, ratio in ratios if ratio is not None]
        if policy == BEST:
            out += [circle(x, y) for x, y in points]
        elif points:
            out.append(polyline(points, policy))
    return out


def draw(report, model, title, y_name):
    by_trace = {}
    for cell in report["cells"]:
        if cell["model"] == model and cell["per_mille"]:
            by_trace.setdefault(cell["trace"], []).append(cell)
    all_cells = [cell for cells in by_trace.values() for cell in cells]
    known = [policy for policy in OTHERS if any(policy[0] in cell["references"] for cell in all_cells)]
    series = [*known, OURS, BEST]

    full_width, full_height = LEFT + WIDTH + RIGHT, TOP + HEIGHT + BOTTOM
    width = COLUMNS * full_width + 20
    height = HEADING + math.ceil(len(by_trace) / COLUMNS) * full_height
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        'font-family="sans-serif">',
        f'<rect width="{width}" height="{height}" fill="#fff"/>',
        text(width / 2, 24, title, size=16, color="#000"),
        text(width / 2, 42, f"{y_name}, against the capacity in % of the bytes of all values of the trace; larder at "
             f"commit {report['environment']['commit']}", size=11),
    ]
    x = 40
    for policy in series:
        out.append(circle(x + 12, 60) if policy == BEST else polyline([(x, 60), (x + 24, 60)], policy))
        out.append(text(x + 30, 64, policy[1], "start", 11, "#000"))
        x += 56 + 6.4 * len(policy[1])
    for i, (trace, cells) in enumerate(by_trace.items()):
        cells.sort(key=lambda cell: cell["capacity"])
        at = f"{10 + i % COLUMNS * full_width + LEFT},{HEADING + i // COLUMNS * full_height + TOP}"
        out += [f'<g transform="translate({at})">', *panel(trace, cells, series)]
        if i + COLUMNS >= len(by_trace):
            out.append(text(WIDTH / 2, HEIGHT + 31, "capacity, %"))
        out.append("</g>")
    return "\n".join([*out, "</svg>", ""])


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__.strip())
    with open(sys.argv[1], encoding="utf-8") as file:
        report = json.load(file)
    for name, model, title, y_name in [
        ("hit-ratio", "unit", "Hit ratio: every value costs the same", "hits ÷ requests"),
        ("cost-saved", "logn", "Cost saved: log-normal costs, independent of sizes", "costs of hits ÷ costs of all"),
    ]:
        with open(f"{sys.argv[2]}-{name}.svg", "w", encoding="utf-8") as file:
            file.write(draw(report, model, title, y_name))


if __name__ == "__main__":
    main()
