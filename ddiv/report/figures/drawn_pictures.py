"""The paper's pictures as matplotlib figures, for files: what the page shows at first, of every
study of the run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from statistics import median
from typing import TYPE_CHECKING

from ddiv.report.figures.changes import NAMES
from ddiv.report.figures.drawn import CLAIMED, SPECIFIC, cut, mean, number, style
from ddiv.report.figures.words import GREY, word
from ddiv.report.schema import (
    Changes,
    Curves,
    DenseLayer,
    Diversity,
    LayerChanges,
    Material,
    Picture,
    Points,
    PowerLaw,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# A figure's name, and what draws it.
Named = tuple[str, Callable[["Axes"], None]]

PLACES = {"id": "in domain", "ood": "mean out of domain"}


def figures(picture: Picture, materials: Sequence[Material]) -> Iterator[Named]:
    """The panels of a picture, study by study; none of tables."""
    for material in materials:
        if material.study in picture.studies:
            for name, draw in _panels(picture, material):
                yield f"{picture.id} {material.study} {name}", draw


def _panels(picture: Picture, material: Material) -> Iterator[Named]:
    if picture.kind == "scale-shape" and material.changes:
        yield from _shapes(picture, material.changes)
    elif picture.kind == "diversity" and material.diversity:
        for space in _spaces(material.diversity):
            yield space, _vendi(material.diversity, space)
    elif picture.kind == "relation" and material.diversity:
        for place, called in PLACES.items():
            for space in _spaces(material.diversity):
                yield f"{place} {space}", _relation(material.diversity, space, place, called)
    elif picture.kind == "density" and material.densities:
        layers = material.densities.layers
        if layers:
            shown = next((one for one in reversed(layers) if one.kind == "mlp"), layers[0])
            yield from _densities(shown)
    elif picture.kind == "layers" and material.changes:
        yield "alpha", _depth(material.changes.layers, "alpha")


def called(metric: str) -> str:
    """A metric as the page names it."""
    return NAMES.get(metric, metric)


# --- two changes of every arm -------------------------------------------------------------------


def _shapes(picture: Picture, changes: Changes) -> Iterator[Named]:
    view = next(
        (v for v in (picture.view, "classifier", *changes.views) if v in changes.views), None
    )
    if view is None:
        return
    for x, y in picture.pairs if picture.by == "pair" else picture.pairs[:1]:
        if {x, y} <= changes.values[view].keys():
            yield f"{x} {y}", _shape(changes, view, x, y, picture.groups)


def _shape(
    changes: Changes, view: str, x: str, y: str, groups: Sequence[str]
) -> Callable[[Axes], None]:
    points = [
        (arm, *place)
        for i, arm in enumerate(changes.arms)
        if (arm.group == "baseline" or arm.group in groups)
        and (place := (_at(changes, view, x, i), _at(changes, view, y, i)))
        and None not in place
    ]

    def draw(axes: Axes) -> None:
        axes.set_xlabel(f"Δ {called(x)}")
        axes.set_ylabel(f"Δ {called(y)}")
        for group in dict.fromkeys(arm.group for arm, *_ in points):
            symbol, color = style(group)
            mine = [(number(a), number(b)) for arm, a, b in points if arm.group == group]
            axes.plot(*zip(*mine), symbol, color=color, ms=5, label=group)
        for arm, a, b in points:
            if arm.group == "baseline":
                axes.axvline(number(a), color=GREY, lw=0.8, ls="--")
                axes.axhline(number(b), color=GREY, lw=0.8, ls="--")
            else:
                word(axes, arm.label, number(a), number(b))

    return draw


def _at(changes: Changes, view: str, metric: str, arm: int) -> float | None:
    """The baseline at its median, another arm at its median distance from it at equal seeds."""
    rows = changes.values[view][metric]
    base = next((i for i, one in enumerate(changes.arms) if one.group == "baseline"), None)
    if base is None or not (known := [v for v in rows[base] if v is not None]):
        return None
    apart = [a - b for a, b in zip(rows[arm], rows[base]) if a is not None and b is not None]
    return median(known) + median(apart) if apart else None


# --- diversity ----------------------------------------------------------------------------------


def _spaces(diversity: Diversity) -> list[str]:
    """The spaces that the plain data have a score in; texts have no pixels."""
    return [space for space in ("pixel", "embedding") if getattr(diversity.arms[0], space)]


def _vendi(diversity: Diversity, space: str) -> Callable[[Axes], None]:
    first, *others = diversity.arms
    arms = [first, *sorted(others, key=lambda arm: mean(getattr(arm, space) or ()))]

    def draw(axes: Axes) -> None:
        axes.set_ylabel(f"Vendi Score ({space})")
        axes.axhline(mean(getattr(first, space)), color=GREY, lw=0.8, ls="--")
        for i, arm in enumerate(arms):
            symbol, color = style(arm.group)
            values = getattr(arm, space) or ()
            axes.plot([i] * len(values), values, ".", color=color, ms=3, alpha=0.45)
            axes.plot(i, mean(values), symbol, color=color, ms=5)
        labels = [cut(arm.label) for arm in arms]
        axes.set_xticks(range(len(arms)), labels, rotation=60, ha="right", fontsize=6)

    return draw


def _relation(diversity: Diversity, space: str, place: str, where: str) -> Callable[[Axes], None]:
    told = diversity.correlations.get(f"{space}/{place}")

    def draw(axes: Axes) -> None:
        axes.set_xlabel(f"Vendi Score ({space})")
        axes.set_ylabel(f"accuracy, {where}")
        if told:
            axes.set_title(f"r {told.pearson:+.2f}, ρ {told.spearman:+.2f}", fontsize=8)
        labelled: set[str] = set()
        for arm in diversity.arms:
            value, scores = getattr(arm, place), getattr(arm, space)
            if value is not None and scores:
                symbol, color = style(arm.group)
                label = None if arm.group in labelled else arm.group
                labelled.add(arm.group)
                axes.plot(mean(scores), value, symbol, color=color, ms=5, label=label)
                word(axes, arm.label, mean(scores), value)

    return draw


# --- spectra ------------------------------------------------------------------------------------


def _densities(layer: DenseLayer) -> Iterator[Named]:
    curves = layer.after
    yield "bulk", lambda axes: _bulk(axes, curves)
    if curves.get("log"):
        yield "density", lambda axes: _logarithmic(axes, curves, curves["log"], "density", False)
        label = "share of eigenvalues at least as large"
        yield "share", lambda axes: _logarithmic(axes, curves, curves["ccdf"], label, True)


def _bulk(axes: Axes, curves: Curves) -> None:
    bars = curves["linear"]
    at = [bars["start"] + (i + 0.5) * bars["width"] for i in range(len(bars["y"]))]
    axes.bar(at, bars["y"], bars["width"], color=CLAIMED, alpha=0.55, label="eigenvalues")
    if random := curves.get("random"):
        axes.step(at, random["linear"], where="mid", color=GREY, lw=1, label="in random order")
    if law := curves.get("mp"):
        dash = "-" if law["accepted"] else "--"
        axes.plot(law["x"], law["y"], dash, color=SPECIFIC, lw=1.5, label="Marchenko-Pastur")
    axes.set_xlabel("eigenvalue")
    axes.set_ylabel("density")
    axes.set_ylim(0, 2.2 * max(bars["y"], default=1.0))


def _logarithmic(axes: Axes, curves: Curves, points: Points, label: str, above: bool) -> None:
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel("eigenvalue")
    axes.set_ylabel(label)
    axes.plot(points["x"], list(map(number, points["y"])), ".", color=CLAIMED, label="eigenvalues")
    if fit := curves.get("fit"):
        ends = [fit["xmin"], max(curves["largest"], fit["xmin"])]
        law = f"power law, alpha {fit['alpha']:.2f}"
        axes.plot(ends, [_law(fit, x, above) for x in ends], color=SPECIFIC, label=law)


def _law(fit: PowerLaw, x: float, above: bool) -> float:
    """The fitted law at x: the share of eigenvalues above it, or their density."""
    ratio = x / fit["xmin"]
    if above:
        return float(fit["share"] * ratio ** (1 - fit["alpha"]))
    return float(fit["share"] * (fit["alpha"] - 1) / fit["xmin"] * ratio ** -fit["alpha"])


def _depth(layers: LayerChanges, metric: str) -> Callable[[Axes], None]:
    def draw(axes: Axes) -> None:
        axes.set_ylabel(f"Δ {called(metric)}")
        axes.axhline(0, color=GREY, lw=0.8)
        for group, values in layers.values.get(metric, {}).items():
            symbol, color = style(group)
            places = range(len(values))
            axes.plot(places, list(map(number, values)), marker=symbol, color=color, label=group)
        names = [
            cut(name.removeprefix("encoder.").removesuffix(".pooled")) for name in layers.names
        ]
        axes.set_xticks(range(len(names)), names, rotation=60, ha="right", fontsize=5)

    return draw
