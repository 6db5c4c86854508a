"""The spectra of one model's layers as one self-contained HTML page: :func:`render`.

Curves are computed here and thinned to what a screen can show (some 5 kB a layer, however many
eigenvalues it has); the page only draws them. Text reaches it as in ``render``: escaped, or as JSON
that is never executed.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np

from ddiv.common.arrays import Array
from ddiv.report.document import as_json, clean, document, short
from ddiv.report.schema import Curves
from ddiv.spectra import mp
from ddiv.spectra.analysis import Analysis, Layer, columns
from ddiv.spectra.table import medians, size

BINS = (20, 72)  # least and most of the linear histogram

LOG_BINS = 40  # most of the logarithmic one

CURVE = 90  # points of the Marchenko-Pastur law

STEPS = 110  # most points of the complementary distribution function

TICKS = 60  # most spikes

# Relative to the largest eigenvalue; what lies below is not shown on a logarithmic axis.
ROUND_OFF = 1e-13

# Of the table: head, column of the analysis, decimals (None: three significant digits), meaning.
NUMBERS: tuple[tuple[str, str, int | None, str], ...] = (
    (
        "alpha",
        "alpha",
        2,
        "exponent of the density above xmin, with its standard error; † cannot be relied on",
    ),
    ("D", "D", 3, "Kolmogorov-Smirnov distance of the power-law fit"),
    ("tail", "tail_size", 0, "eigenvalues in the fitted tail"),
    ("stable rank", "stable_rank", 1, "sum of the eigenvalues over the largest"),
    ("‖W‖₂", "spectral_norm", None, "spectral norm"),
    ("entropy", "entropy_normalised", 3, "entropy of the eigenvalues over its maximum"),
    (
        "soft rank",
        "mp_soft_rank",
        3,
        "top of the Marchenko-Pastur bulk over the largest eigenvalue; * the fit is not accepted",
    ),
    ("spikes", "num_spikes", 0, "eigenvalues above the bulk"),
)


def render(
    analysis: Analysis,
    *,
    title: str,
    source: str = "",
    settings: Mapping[str, Any] | None = None,
    note: str = "",
) -> str:
    """The page: a sortable table of the layers and for each its spectrum, linear and logarithmic,
    with its fits.

    title, source, note: plain text above the table; settings: shown below, before those of the
    analysis. ValueError if nothing was analysed.
    """
    if not analysis.layers:
        raise ValueError(
            "no layer was analysed, so there is nothing to show; see what was skipped and why"
        )
    table = columns(analysis)
    numbers = [number for number in NUMBERS if number[1] in table]
    layers = [
        clean(_layer(layer, {name: values[i] for name, values in table.items()}))
        for i, layer in enumerate(analysis.layers)
    ]
    reasons = Counter(reason for _, reason in analysis.skipped).most_common()
    skipped = [
        (reason, n, [name for name, why in analysis.skipped if why == reason])
        for reason, n in reasons
    ]
    shown = clean({**(settings or {}), **analysis.settings})
    return document(
        "spectra",
        styles=("page.css", "spectra.css"),
        scripts=("esd.js", "spectra.js"),
        data=as_json({"layers": layers, "numbers": [[head, key] for head, key, *_ in numbers]}),
        title=clean(title),
        source=clean(source),
        note=clean(note),
        layers=layers,
        numbers=numbers,
        summary=medians(analysis.layers),
        kinds=list(dict.fromkeys(layer["kind"] for layer in layers)),
        phases=Counter(layer["phase"] for layer in layers if "phase" in layer).most_common(),
        unreliable=Counter(r for layer in analysis.layers for r in layer.fit.reasons).most_common(),
        skipped=clean(skipped),
        settings=list(shown.items()),
    )


def _layer(layer: Layer, row: dict[str, Any]) -> dict[str, Any]:
    """What the page knows of a layer; ``row`` is its line of the flat table."""
    row = {key: short(value) for key, value in row.items()}
    unreliable = list(layer.fit.reasons)
    notes = [f"alpha cannot be relied on: {reason}" for reason in unreliable]
    if layer.mp is not None:
        notes += [f"Marchenko-Pastur: {reason}" for reason in layer.mp.reasons]
    if layer.phase is not None:
        notes += [f"phase: {reason}" for reason in layer.phase.reasons]
    return {
        **row,
        "size": size(layer),
        "notes": notes,
        "told": unreliable,
        "figure": figure(layer),
        "facts": [
            (key, value)
            for key, value in row.items()
            if key not in ("name", "kind", "reasons", "reliable") and value is not None
        ],
    }


# --- curves ---------------------------------------------------------------------------------------


def figure(layer: Layer) -> Curves:
    """The curves of one spectrum, densities and shares relative to all its eigenvalues.

    linear: histogram of the frame from `start` in steps of `width`, which leaves out what lies far
    above the bulk (`beyond` of them); spikes: the largest eigenvalues at their places; mp: the
    fitted law and its edges; log: density in steps of equal ratio; ccdf: share of eigenvalues at
    least x; fit: the power law from xmin; random: the same curves of the permuted weights.
    """
    evals = layer.evals
    low, high = _frame(layer)
    edges = np.linspace(low, high, int(np.clip(2 * math.sqrt(len(evals)), *BINS)) + 1)
    made: dict[str, Any] = {
        "linear": {"start": low, "width": edges[1] - edges[0], "y": _density(evals, edges)},
        "beyond": int((evals > high).sum()),
        "largest": evals[-1],
        "n": len(evals),
        "zeros": len(evals) - len(_above_round_off(evals)),
        **_logarithmic(evals),
    }
    if layer.mp is not None and math.isfinite(layer.mp.sigma):
        made["mp"] = _law(layer.mp, len(evals))
        made["spikes"] = evals[len(evals) - min(layer.mp.num_spikes, TICKS) :]
    fit = layer.fit
    if math.isfinite(fit.alpha):
        share = fit.num_pl_spikes / len(evals)
        made["fit"] = {"alpha": fit.alpha, "xmin": fit.xmin, "share": share}
    if layer.random is not None:
        made["random"] = {"linear": _density(layer.random, edges), **_logarithmic(layer.random)}
    curves: Curves = short(made)
    return curves


def _frame(layer: Layer) -> tuple[float, float]:
    """From where to where the linear plot goes: the bulk, and what is near it."""
    evals = layer.evals
    bulk = layer.mp.bulk_max if layer.mp is not None and math.isfinite(layer.mp.bulk_max) else 0.0
    high = min(evals[-1] * 1.02, max(1.6 * bulk, 1.1 * np.quantile(evals, 0.97))) or 1.0
    return (float(evals[0]) * 0.98 if evals[0] > 0.25 * high else 0.0), float(high)


def _density(evals: Array, edges: Array, of: int | None = None) -> Array:
    """The density between edges of some of `of` eigenvalues, by default of all that there are."""
    count = len(evals) if of is None else of
    density: Array = np.histogram(evals, edges)[0] / (count * np.diff(edges))
    return density


def _above_round_off(evals: Array) -> Array:
    """Those of ascending eigenvalues that are more than round-off of the largest."""
    above: Array = evals[evals > ROUND_OFF * evals[-1]]
    return above


def _logarithmic(evals: Array) -> dict[str, Any]:
    """Density and complementary distribution function for logarithmic axes, without what is
    round-off.
    """
    shown = _above_round_off(evals)
    if len(shown) < 2 or shown[0] == shown[-1]:
        return {"log": {"x": [], "y": []}, "ccdf": {"x": shown[:1], "y": np.ones(len(shown[:1]))}}
    bins = min(LOG_BINS, max(8, len(shown) // 4))
    edges = np.geomspace(shown[0], shown[-1] * (1 + 1e-9), bins + 1)
    edges[0] = shown[0]  # geomspace may round it up
    y = _density(shown, edges, of=len(evals))
    above = np.unique(np.geomspace(1, len(shown), STEPS).round().astype(int))  # dense in the tail
    return {
        "log": {"x": np.sqrt(edges[1:] * edges[:-1]), "y": [v or None for v in y]},
        "ccdf": {"x": shown[len(shown) - above][::-1], "y": (above / len(evals))[::-1]},
    }


def _law(fit: mp.MPFit, n: int) -> dict[str, Any]:
    """The Marchenko-Pastur law of the bulk of `n` eigenvalues.

    Averaged over steps, since its density may be infinite at 0.
    """
    at = np.linspace(fit.bulk_min, fit.bulk_max, CURVE + 1)
    share = 1 - fit.num_spikes / n
    y = share * np.diff(mp.cdf(at, fit.N, fit.M, fit.sigma)) / np.diff(at)
    return {
        "x": (at[1:] + at[:-1]) / 2,
        "y": y,
        "edges": [fit.bulk_min, fit.bulk_max],
        "accepted": fit.accepted,
    }
