"""The plots of findings as matplotlib figures, for files: the same data as the page's, in its
colours.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from ddiv.report.figures.words import GREY, word
from ddiv.report.schema import (
    BarsPlot,
    CurvesPlot,
    DosePlot,
    EstimatesPlot,
    FamilyCurves,
    LinesPlot,
    PairedPlot,
    Plot,
    RelationPlot,
    Series,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# As in plots.js.
CLAIMED, SPECIFIC, RATE, LENGTH, ARM = "#3a80c1", "#d3742a", "#7d6ab5", "#b5892a", "#1f8a70"
GROUPS = {
    "baseline": ("+", "#7b858e"),
    "dropout": ("s", CLAIMED),
    "dropout in one place": ("s", CLAIMED),
    "weight decay": ("D", SPECIFIC),
    "augmentation": ("^", ARM),
    "further augmentation": ("v", ARM),
    "synthetic": ("o", "#a268b4"),
    "very large dropout": ("*", CLAIMED),
    "combination": ("h", LENGTH),
    "control": ("x", "#7b858e"),
}
OTHERS = (("p", "#c2557a"), ("d", "#7b858e"), ("H", "#8a7a1f"), ("P", "#5a8f3c"), ("X", "#5b6fc4"))

SIZE = (5.2, 3.4)  # inches

# Text from outside is no formula; the same figure is the same file; fonts go into PDFs whole.
SETTINGS: Mapping[str, Any] = {
    "text.parse_math": False,
    "svg.hashsalt": "ddiv",
    "pdf.fonttype": 42,
    "font.size": 8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": GREY,
    "legend.frameon": False,
}


@contextmanager
def page(width: float = SIZE[0], height: float = SIZE[1]) -> Iterator[tuple[Figure, Axes]]:
    """A figure with one pair of axes, in inches; what is drawn inside has our settings."""
    import matplotlib
    from matplotlib.figure import Figure

    settings: Any = dict(SETTINGS)
    with matplotlib.rc_context(settings):
        figure = Figure(figsize=(width, height), layout="constrained")
        yield figure, figure.subplots()


def style(group: str) -> tuple[str, str]:
    """The marker and the colour of a group of arms."""
    return GROUPS.get(group) or OTHERS[sum(map(ord, group)) % len(OTHERS)]


def onto(axes: Axes, plot: Plot, curves: Sequence[FamilyCurves] = ()) -> None:
    """Draw a finding's plot; `curves` are those of its page."""
    axes.set_ylabel(wrapped(plot.ylabel))
    match plot:
        case DosePlot():
            _lines(axes, plot.series, *_places(axes, plot.x), zero=True)
            axes.set_xlabel(plot.xlabel)
        case PairedPlot():
            _lines(axes, plot.series, *_named(axes, plot.arms), zero=False)
            axes.set_xlabel(plot.xlabel or "")
        case BarsPlot():
            _bars(axes, plot)
        case LinesPlot():
            _panel(axes, plot)
        case RelationPlot():
            _relation(axes, plot)
        case EstimatesPlot():
            _estimates(axes, plot)
        case CurvesPlot():
            if plot.curves < len(curves):
                _curves(axes, plot, curves[plot.curves])
    if len(axes.get_legend_handles_labels()[1]) > 1:
        axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=3, fontsize=7)


def wrapped(text: str) -> str:
    """The name of an axis in lines that its length has room for."""
    return textwrap.fill(text, 44)


def cut(text: str) -> str:
    """A name of a tick, not longer than there is room for."""
    return text if len(text) <= 32 else f"{text[:31]}…"


def mean(values: Sequence[float | None]) -> float:
    """The mean of the numbers among the values; NaN where there is none."""
    known = [value for value in values if value is not None and math.isfinite(value)]
    return sum(known) / len(known) if known else math.nan


def number(value: float | None) -> float:
    """The value, or NaN in place of none."""
    return math.nan if value is None else value


def _named(axes: Axes, names: Sequence[str]) -> tuple[list[float], int]:
    places = [float(i) for i in range(len(names))]
    turned = sum(map(len, names)) > 60
    shown = list(map(cut, names))
    axes.set_xticks(places, shown, rotation=38 if turned else 0, ha="right" if turned else "center")
    return places, len(names)


def _places(axes: Axes, doses: Sequence[float]) -> tuple[list[float], int]:
    """Where doses lie: evenly where they span decades, as 0, 1e-5, ..., 5e-3 do."""
    positive = [dose for dose in doses if dose > 0]
    if positive and max(positive) > 20 * min(positive):
        return _named(axes, [f"{dose:g}" for dose in doses])
    axes.set_xticks(list(doses), [f"{dose:g}" for dose in doses])
    return list(doses), len(doses)


def _lines(
    axes: Axes, series: Sequence[Series], places: Sequence[float], width: int, zero: bool
) -> None:
    """A thin line a seed and a thick one of their mean, as claimed and specific."""
    if zero:
        axes.axhline(0, color=GREY, lw=0.8)
    kinds = (("as claimed", CLAIMED, "-", "o"), ("specific", SPECIFIC, "--", "D"))
    for label, color, dash, symbol in kinds:
        found = [row.y if label == "as claimed" else row.specific or () for row in series]
        rows = [row[:width] for row in found if any(value is not None for value in row)]
        for row in rows:
            axes.plot(places, list(map(number, row)), dash, color=color, lw=0.7, alpha=0.42)
        if rows:
            seeds = f"{label} (mean, {len(rows)} seed{'s' * (len(rows) > 1)})"
            means = [mean(column) for column in zip(*rows)]
            axes.plot(places, means, dash, marker=symbol, ms=4, color=color, lw=1.8, label=seeds)


def _bars(axes: Axes, plot: BarsPlot) -> None:
    means = [mean([row.y[i] for row in plot.series]) for i in range(len(plot.x))]
    lying = sum(map(len, plot.x)) > 70  # long names read better from left to right
    places = list(range(len(plot.x)))
    draw = axes.barh if lying else axes.bar
    draw(places, means, 0.62, color=CLAIMED, alpha=0.45, label="mean")
    for k, row in enumerate(plot.series):
        beside = [i + 0.36 * ((k + 0.5) / len(plot.series) - 0.5) for i in places]
        values = list(map(number, row.y))
        across, up = (values, beside) if lying else (beside, values)
        axes.plot(across, up, ".", color=CLAIMED, ms=4, label=None if k else "one seed")
    if lying:
        axes.set_yticks(places, list(map(cut, plot.x)))
        axes.invert_yaxis()
        axes.set_xlabel(axes.get_ylabel())
        axes.set_ylabel("")
        axes.axvline(0, color=GREY, lw=0.8)
    else:
        _named(axes, plot.x)
        axes.axhline(0, color=GREY, lw=0.8)


def _relation(axes: Axes, plot: RelationPlot) -> None:
    axes.set_xlabel(plot.xlabel)
    points = [p for p in plot.points if p.x is not None and p.y is not None]
    for group in dict.fromkeys(point.group for point in points):
        symbol, color = style(group)
        mine = [p for p in points if p.group == group]
        xs, ys = ([number(getattr(p, axis)) for p in mine] for axis in "xy")
        path = {"ls": "-", "lw": 1.0} if plot.joined else {"ls": "none"}
        axes.plot(xs, ys, marker=symbol, color=color, ms=5, label=group, **path)
        for point in mine if group != "synthetic" else ():
            word(axes, point.label, number(point.x), number(point.y))


def _panel(axes: Axes, plot: LinesPlot) -> None:
    """Named curves: a thin line a seed, and a thick one of their mean."""
    numbers = [x for x in plot.x if not isinstance(x, str)]
    whole = len(numbers) == len(plot.x)
    places = _places(axes, numbers)[0] if whole else _named(axes, list(map(str, plot.x)))[0]
    axes.set_xlabel(plot.xlabel)
    colors = (CLAIMED, SPECIFIC, ARM, RATE, LENGTH, "#c2557a", "#7b858e")
    for k, (name, rows) in enumerate(zip(plot.names, plot.series)):
        color = colors[k % len(colors)]
        for row in rows:
            axes.plot(places, list(map(number, row.y)), color=color, lw=0.7, alpha=0.35)
        means = [mean([row.y[i] for row in rows]) for i in range(len(places))]
        axes.plot(places, means, marker="oDs^"[k % 4], ms=4, color=color, lw=1.8, label=name)


def _estimates(axes: Axes, plot: EstimatesPlot) -> None:
    """Lines over named places, with the ends of their intervals."""
    if plot.ratio:
        axes.set_yscale("log")
    axes.axhline(1 if plot.ratio else 0, color=GREY, lw=0.8)
    axes.set_xlabel(plot.xlabel)
    # Of a layer's path the end tells most.
    ends = [name if len(name) <= 22 else f"…{name[-21:]}" for name in plot.x]
    places, _ = _named(axes, ends)
    for k, line in enumerate(plot.lines):
        at = [place + 0.16 * (k - (len(plot.lines) - 1) / 2) for place in places]
        color = (CLAIMED, SPECIFIC, RATE, LENGTH)[k % 4]
        axes.plot(at, list(map(number, line.y)), "-o", ms=3.5, color=color, lw=1, label=line.label)
        axes.vlines(at, list(map(number, line.low)), list(map(number, line.high)), color, lw=1)


def _curves(axes: Axes, plot: CurvesPlot, of: FamilyCurves) -> None:
    """An outcome's change over the clean loss: the optimiser's two curves, and the arms."""
    rows = [k for k, seed in enumerate(of.seeds) if seed in plot.seeds]
    axes.axhline(0, color=GREY, lw=0.8)
    axes.set_xscale("log")
    axes.set_xlabel("clean training loss, relative to the baseline’s")
    means = []
    kinds = (("learning rate", of.rates, RATE, "o"), ("length", of.lengths, LENGTH, "D"))
    for label, members, color, symbol in kinds if rows else ():
        for k in rows:
            pairs = [_point(of.x[k][m], of.y[k][m]) for m in members]
            axes.plot(*zip(*pairs), color=color, lw=0.7, alpha=0.28)
        middle = [
            _point(mean([of.x[k][m] for k in rows]), mean([of.y[k][m] for k in rows]))
            for m in members
        ]
        axes.plot(*zip(*middle), marker=symbol, ms=4, color=color, lw=1.8, label=label)
        means.append(middle)
    if len(means) == len(kinds):
        _band(axes, means, of.margin)
    for point in plot.points:
        for x, y in point.by_seed:
            axes.plot(*_point(x, y), "s", color=ARM, ms=2.5, alpha=0.5)
        x, y = _point(point.x, point.y)
        axes.plot(x, y, "s", color=ARM, ms=5)
        word(axes, point.label, x, y)
    axes.xaxis.set_major_formatter(lambda value, _: f"× {value:g}")
    axes.xaxis.set_minor_formatter(lambda value, _: f"× {value:g}" if _is_round(value) else "")


def _is_round(value: float) -> bool:
    return round(value / 10 ** math.floor(math.log10(value)), 6) in (2, 5)


def _point(log_loss: float | None, y: float | None) -> tuple[float, float]:
    """The loss relative to the baseline's, and the outcome's change; NaN where one is missing."""
    if log_loss is None or y is None or math.isnan(log_loss) or math.isnan(y):
        return math.nan, math.nan
    return math.exp(log_loss), y


def _band(axes: Axes, curves: Sequence[Sequence[tuple[float, float]]], margin: float) -> None:
    """What lies between and about both curves, where both reach: it is not specific."""
    known = [[(math.log(x), y) for x, y in curve if x == x] for curve in curves]
    if not all(known):
        return
    low = max(min(x for x, _ in curve) for curve in known)
    high = min(max(x for x, _ in curve) for curve in known)
    if low >= high:
        return
    xs = [low + (high - low) * i / 40 for i in range(41)]
    heights = [[y for curve in known for y in _heights(curve, x)] for x in xs]
    places = [(math.exp(x), ys) for x, ys in zip(xs, heights) if ys]
    axes.fill_between(
        [x for x, _ in places],
        [min(ys) - margin for _, ys in places],
        [max(ys) + margin for _, ys in places],
        color=GREY,
        alpha=0.18,
        lw=0,
        label="not specific",
    )


def _heights(curve: Sequence[tuple[float, float]], x: float) -> Iterator[float]:
    """The heights of a curve at x, on each of its segments that reach there."""
    for (x0, y0), (x1, y1) in pairwise(curve):
        if (x0 - x) * (x1 - x) <= 0:
            yield y1 if x0 == x1 else y0 + (y1 - y0) * (x - x0) / (x1 - x0)
