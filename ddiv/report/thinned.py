"""The numbers of plots, as fine as a plot shows them.

A page is as large as its numbers have digits: what no plot can show is not written into it. The
numbers of texts and tables are not among these.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np

from ddiv.report.document import short
from ddiv.report.schema import Changes, Curves, Densities, Material, Rows

# Steps from the tenth to the ninetieth percentile of a metric: of a plot of few arms these may be
# the whole width, some 500 pixels.
STEPS = 1000

# Least steps from the lowest to the highest value of a finding's plot.
HEIGHT = 500

PLOT = 4  # most significant digits of the plots of findings

DENSITY = 3  # and of spectra, whose axes are logarithmic or begin at 0

TAIL = 2  # of the points of a complementary distribution function, one in so many


def drawn(material: Material) -> dict[str, Any]:
    """The parts of a study's material that the script draws; the template shows the others."""
    return {
        "changes": material.changes and changes(material.changes),
        "diversity": material.diversity,
        "densities": material.densities and densities(material.densities),
    }


def plots(plots: Sequence[msgspec.Struct]) -> Any:
    """The plots of findings."""
    return [_seen(short(msgspec.to_builtins(plot), PLOT)) for plot in plots]


def _seen(plot: dict[str, Any]) -> dict[str, Any]:
    """A plot whose series have no more decimals than its height can show."""
    if "series" not in plot:
        return plot
    known = _numbers(plot["series"])
    span = max(known, default=0.0) - min(known, default=0.0)
    if not span:
        return plot
    decimals = math.ceil(-math.log10(span / HEIGHT))
    return plot | {"series": _rounded(plot["series"], decimals)}


def _numbers(value: Any) -> list[float]:
    """The floats of nested lists and objects."""
    if isinstance(value, dict | list):
        inner = value.values() if isinstance(value, dict) else value
        return [number for one in inner for number in _numbers(one)]
    return [value] if isinstance(value, float) else []


def _rounded(value: Any, decimals: int) -> Any:
    if isinstance(value, dict):
        return {key: _rounded(one, decimals) for key, one in value.items()}
    if isinstance(value, list):
        return [_rounded(one, decimals) for one in value]
    return round(value, decimals) if isinstance(value, float) else value


def changes(table: Changes) -> dict[str, Any]:
    """A table of changes, each metric of a group of layers in whole steps of its own.

    The script makes numbers of them again: see `whole_numbers` in pictures.js. Of a group whose
    numbers are all those of an earlier one, such as layers of one kind, there is that one's name.
    """
    values: dict[str, Any] = {}
    for layers, of_layers in table.values.items():
        same = next((name for name in values if table.values[name] == of_layers), None)
        values[layers] = same or {metric: stepped(rows) for metric, rows in of_layers.items()}
    plain: dict[str, Any] = msgspec.to_builtins(table)
    return plain | {"values": values}


def stepped(rows: Rows) -> dict[str, Any]:
    """Rows as multiples of a step: those of the first row, and of the others the distance from the
    first row in the same column, where both are known.
    """
    values = np.array(rows, dtype=float)
    known = values[~np.isnan(values)]
    low, high = np.quantile(known, (0.1, 0.9)) if len(known) else (0.0, 0.0)
    span = float(high - low) or float(np.abs(known).max(initial=0.0)) or 1.0
    step = float(f"{span / STEPS:.1g}")
    whole = np.round(values / step)
    whole[1:] -= np.nan_to_num(whole[0])
    return {"step": step, "rows": [[None if np.isnan(v) else int(v) for v in row] for row in whole]}


def densities(of: Densities) -> dict[str, Any]:
    """The spectra of layers."""
    plain: dict[str, Any] = msgspec.to_builtins(of)
    for layer in plain["layers"]:
        for state in ("after", "before"):
            layer[state] = curves(layer[state])
    return plain


def curves(of: Curves) -> dict[str, Any]:
    """One spectrum: its curves in few digits, and of places in steps of equal ratio the ends."""
    made: dict[str, Any] = {**of}
    for name in ("linear", "log", "ccdf"):
        made[name] = few(made[name])
    made["ccdf"] = {axis: list(reversed(v[::-1][::TAIL])) for axis, v in made["ccdf"].items()}
    x = of["log"]["x"]
    if len(x) > 2:
        made["log"]["x"] = {"from": x[0], "to": x[-1], "n": len(x)}
    return made


def few(points: Mapping[str, Any]) -> dict[str, Any]:
    """The lists among some values in few digits, the others as they are."""
    return {
        name: short(value, DENSITY) if isinstance(value, list) else value
        for name, value in points.items()
    }
