"""Weight matrices in, one row of measurements a matrix out.

The eigenvalues are computed once; everything else is read off them by the pure functions of
``metrics``, ``powerlaw``, ``alternatives``, ``mp`` and ``phase``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING

import numpy as np

from ddiv.spectra import alternatives, metrics, mp, phase, powerlaw
from ddiv.spectra import bootstrap as resampling

if TYPE_CHECKING:
    from ddiv.spectra.matrices import WeightMatrix

Progress = Callable[[int, int, str], None]


@dataclass(frozen=True, eq=False)
class Layer:
    """One matrix, measured. N >= M are its sides, count its slices (1 but for pooled convolutions).

    evals: ascending eigenvalues of W^T W, all slices together; random: the same of the matrix with
    its elements permuted; metrics: what `metrics.summarise` and `metrics.log_norms` give. The
    optional parts are None where they were not asked for.
    """

    name: str
    kind: str
    parameter: str
    N: int
    M: int
    count: int
    evals: np.ndarray
    metrics: dict[str, float]
    fit: powerlaw.PowerLawFit
    mp: mp.MPFit | None = None
    phase: phase.Phase | None = None
    random: np.ndarray | None = None
    random_mp: mp.MPFit | None = None
    alpha_interval: tuple[float, float] | None = None
    comparison: alternatives.Comparison | None = None


@dataclass(frozen=True, eq=False)
class Analysis:
    """The layers of a model, what was left out and why, (parameter or matrix, reason), and with
    what it was measured.
    """

    layers: tuple[Layer, ...]
    skipped: tuple[tuple[str, str], ...]
    settings: dict[str, object]


def analyse(
    matrices: Sequence[WeightMatrix],
    skipped: Sequence[tuple[str, str]] = (),
    *,
    mp_definition: str | None = "bulk",
    fit_method: str = "ks",
    randomise: bool = False,
    compare: bool = False,
    bootstrap: int = 0,
    seed: int = 0,
    method: str = "gram",
    device: str = "auto",
    progress: Progress | None = None,
) -> Analysis:
    """Measure matrices (see `matrices.weight_matrices`); `skipped` is passed on, with what cannot
    be measured added.

    mp_definition: one of mp.DEFINITIONS, or None for no Marchenko-Pastur fits; phases are told by
    "bulk" only. fit_method: one of powerlaw.METHODS. randomise: also the spectrum of each matrix
    with permuted elements, and its MP fit. compare: likelihood ratios of the power law against its
    alternatives. bootstrap: so many resamples for alpha's 95 % interval (0: none). seed: of
    permutations and resamples. method, device: see `eigen.eigenvalues`. A matrix with NaN or
    infinity is left out with that reason and leaves the others alone.
    """
    # Here, since reports draw layers from stored eigenvalues and need no torch, which takes seconds
    # to load.
    from ddiv.spectra.eigen import eigenvalues, is_finite
    from ddiv.spectra.matrices import shapes

    bad = {m.name for m in matrices if not is_finite(m.tensor)}
    left_out = [
        *skipped,
        *((m.name, "holds NaN or infinity: it has no spectrum") for m in matrices if m.name in bad),
    ]
    matrices = [m for m in matrices if m.name not in bad]
    rounds = 1 + randomise + (bootstrap > 0)

    def tell(offset: int) -> Progress | None:
        return progress and (
            lambda done, total, name: progress(offset * total + done, rounds * total, name)
        )

    spectra = eigenvalues(matrices, method=method, device=device, progress=tell(0))
    randoms = {}
    if randomise:
        randoms = eigenvalues(
            matrices, method=method, device=device, permute=seed, progress=tell(1)
        )
    sides, fits = shapes(matrices), fit_all(spectra, fit_method)
    layers = []
    for m in matrices:
        evals, fit, (N, M, count) = spectra[m.name], fits[m.name], sides[m.name]

        def marchenko_pastur(of: np.ndarray) -> mp.MPFit:
            return mp.fit(of, N, M, count, definition=mp_definition)

        found = phase.phase(evals, N, M, count) if mp_definition == "bulk" else None
        interval = None
        if bootstrap:
            interval = tuple(
                resampling.alpha_interval(evals, replicates=bootstrap, seed=seed, method=fit_method)
            )
            if progress:
                progress(
                    (rounds - 1) * len(matrices) + len(layers) + 1, rounds * len(matrices), m.name
                )
        layers.append(
            Layer(
                m.name,
                m.kind,
                m.parameter,
                N,
                M,
                count,
                evals,
                measures(evals, N, fit),
                fit,
                alpha_interval=interval,
                mp=(found and found.bulk) or (marchenko_pastur(evals) if mp_definition else None),
                phase=found,
                random=randoms.get(m.name),
                random_mp=marchenko_pastur(randoms[m.name])
                if randomise and mp_definition
                else None,
                comparison=alternatives.compare(evals, fit) if compare else None,
            )
        )
    settings = {
        "backend": "ddiv",
        "eigenvalues": method,
        "device": device,
        "fit": fit_method,
        "mp": mp_definition,
        "bootstrap": bootstrap,
        "seed": seed,
        **{name: version(name) for name in ("ddiv", "torch", "numpy", "scipy")},
    }
    return Analysis(tuple(layers), tuple(left_out), settings)


def fit_all(spectra: dict[str, np.ndarray], method: str = "ks") -> dict[str, powerlaw.PowerLawFit]:
    """The power-law fit of every spectrum, those of one length in one call."""
    by_length: dict[int, list[str]] = {}
    for name, evals in spectra.items():
        by_length.setdefault(len(evals), []).append(name)
    fits = {}
    for names in by_length.values():
        batch = powerlaw.fit_batch(np.stack([spectra[name] for name in names]), method=method)
        fits.update((name, batch[i]) for i, name in enumerate(names))
    return {name: fits[name] for name in spectra}


def measures(evals: np.ndarray, N: int, fit: powerlaw.PowerLawFit) -> dict[str, float]:
    """Every metric of a spectrum (M,) whose longer side is N, with those that need the exponent of
    its fit.
    """
    found = {**metrics.summarise(evals, n_rows=N), **metrics.log_norms(evals, fit.alpha)}
    return {name: float(value) for name, value in found.items()}


def columns(analysis: Analysis) -> dict[str, list]:
    """The analysis as a flat table: column -> one value a layer, None where a value was not asked
    for.
    """
    rows = [_row(layer) for layer in analysis.layers]
    names = list(dict.fromkeys(name for row in rows for name in row))
    return {name: [row.get(name) for row in rows] for name in names}


def _row(layer: Layer) -> dict[str, object]:
    row = {name: getattr(layer, name) for name in ("name", "kind", "parameter", "N", "M", "count")}
    fit = layer.fit
    row |= {
        name: getattr(fit, name)
        for name in (
            "alpha",
            "xmin",
            "D",
            "sigma",
            "tail_size",
            "num_pl_spikes",
            "num_evals",
            "reliable",
        )
    }
    row["reasons"] = "; ".join(fit.reasons)
    row |= layer.metrics
    for prefix, found in (("", layer.mp), ("random_", layer.random_mp)):
        if found is not None:
            row |= {
                f"{prefix}{name}": getattr(found, of)
                for name, of in (
                    ("mp_sigma", "sigma"),
                    ("mp_bulk_min", "bulk_min"),
                    ("mp_bulk_max", "bulk_max"),
                    ("mp_soft_rank", "soft_rank"),
                    ("num_spikes", "num_spikes"),
                    ("mp_ks", "ks"),
                    ("mp_accepted", "accepted"),
                )
            }
    if layer.random is not None:
        row["random_spectral_norm"] = float(np.sqrt(layer.random[-1]))
    if layer.phase is not None:
        row["phase"] = layer.phase.name
    if layer.alpha_interval is not None:
        row["alpha_low"], row["alpha_high"] = layer.alpha_interval
    if layer.comparison is not None:
        row["best_tail"] = layer.comparison.best
    return row
