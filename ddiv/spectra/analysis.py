"""Weight matrices in, one row of measurements a matrix out.

The eigenvalues are computed once; everything else is read off them by the pure functions of
``metrics``, ``powerlaw``, ``alternatives``, ``mp`` and ``phase``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from ddiv.spectra import alternatives, metrics, mp, phase, powerlaw
from ddiv.spectra import bootstrap as resampling
from ddiv.spectra.mp import MPFit
from ddiv.spectra.phase import Phase
from ddiv.spectra.powerlaw import PowerLawFit

if TYPE_CHECKING:
    from ddiv.spectra.matrices import Shape, WeightMatrix

Progress = Callable[[int, int, str], None]

Key = TypeVar("Key")

# Fields of a power-law fit that have a column of their name, and columns of a Marchenko-Pastur fit
# with the field that each shows.
_FIT_COLUMNS = (
    "alpha",
    "xmin",
    "D",
    "sigma",
    "tail_size",
    "num_pl_spikes",
    "num_evals",
    "reliable",
)

_MP_COLUMNS = {
    "mp_sigma": "sigma",
    "mp_bulk_min": "bulk_min",
    "mp_bulk_max": "bulk_max",
    "mp_soft_rank": "soft_rank",
    "num_spikes": "num_spikes",
    "mp_ks": "ks",
    "mp_accepted": "accepted",
}


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
    fit: PowerLawFit
    mp: MPFit | None = None
    phase: Phase | None = None
    random: np.ndarray | None = None
    random_mp: MPFit | None = None
    alpha_interval: tuple[float, float] | None = None
    comparison: alternatives.Comparison | None = None


@dataclass(frozen=True, eq=False)
class Analysis:
    """The layers of a model, measured.

    skipped: what was left out, (parameter or matrix, reason); settings: what was asked for, and the
    versions of the packages that computed it.
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
    """Measure matrices (see `matrices.weight_matrices`).

    skipped: what was left out before; what cannot be measured is added to it. mp_definition: one of
    mp.DEFINITIONS, or None for no Marchenko-Pastur fits; phases are told by "bulk" only.
    fit_method: one of powerlaw.METHODS. randomise: also the spectrum of each matrix with permuted
    elements, and its MP fit. compare: likelihood ratios of the power law against its alternatives.
    bootstrap: the number of resamples for alpha's 95 % interval (0: no interval). seed: of
    permutations and resamples. method, device: see `eigen.eigenvalues`. A matrix with NaN or
    infinity is left out with that reason and leaves the others alone.
    """
    # Imported here because they load torch, which takes seconds: reports draw layers from stored
    # eigenvalues and need none.
    from ddiv.spectra.eigen import eigenvalues, is_finite
    from ddiv.spectra.matrices import shapes

    bad = {m.name for m in matrices if not is_finite(m.tensor)}
    reason = "holds NaN or infinity: it has no spectrum"
    left_out = [*skipped, *((m.name, reason) for m in matrices if m.name in bad)]
    matrices = [m for m in matrices if m.name not in bad]
    rounds = 1 + randomise + (bootstrap > 0)

    def tell(offset: int) -> Progress | None:
        return progress and (
            lambda done, total, name: progress(offset * total + done, rounds * total, name)
        )

    spectra = eigenvalues(matrices, method=method, device=device, progress=tell(0))
    randoms: dict[str, np.ndarray] = {}
    if randomise:
        randoms = eigenvalues(
            matrices, method=method, device=device, permute=seed, progress=tell(1)
        )
    sides, fits = shapes(matrices), fit_all(spectra, fit_method)
    told = tell(rounds - 1) if bootstrap else None
    layers: list[Layer] = []
    for m in matrices:
        layer = _measured(
            m,
            sides[m.name],
            spectra[m.name],
            fits[m.name],
            randoms.get(m.name),
            mp_definition=mp_definition,
            compare=compare,
            bootstrap=bootstrap,
            seed=seed,
        )
        layers.append(layer)
        if told:
            told(len(layers), len(matrices), m.name)
    settings: dict[str, object] = {
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


def _measured(
    m: WeightMatrix,
    shape: Shape,
    evals: np.ndarray,
    fit: PowerLawFit,
    random: np.ndarray | None,
    *,
    mp_definition: str | None,
    compare: bool,
    bootstrap: int,
    seed: int,
) -> Layer:
    """One matrix, from its eigenvalues, those of its permuted elements and its fit (`analyse`)."""
    N, M, count = shape
    law, named, random_law, interval = None, None, None, None
    if mp_definition == "bulk":
        named = phase.phase(evals, N, M, count)
        law = named.bulk
    elif mp_definition:
        law = mp.fit(evals, N, M, count, definition=mp_definition)
    if mp_definition and random is not None:
        random_law = mp.fit(random, N, M, count, definition=mp_definition)
    if bootstrap:
        low, high = resampling.alpha_interval(
            evals, replicates=bootstrap, seed=seed, method=fit.method
        )
        interval = low, high
    return Layer(
        m.name,
        m.kind,
        m.parameter,
        N,
        M,
        count,
        evals,
        measures(evals, N, fit),
        fit,
        mp=law,
        phase=named,
        random=random,
        random_mp=random_law,
        alpha_interval=interval,
        comparison=alternatives.compare(evals, fit) if compare else None,
    )


def fit_all(spectra: Mapping[Key, np.ndarray], method: str = "ks") -> dict[Key, PowerLawFit]:
    """The power-law fit of every spectrum, those of one length in one call."""
    by_length: dict[int, list[Key]] = {}
    for key, evals in spectra.items():
        by_length.setdefault(len(evals), []).append(key)
    fits: dict[Key, PowerLawFit] = {}
    for keys in by_length.values():
        batch = powerlaw.fit_batch(np.stack([spectra[key] for key in keys]), method=method)
        fits.update((key, batch[i]) for i, key in enumerate(keys))
    return {key: fits[key] for key in spectra}


def measures(evals: np.ndarray, N: int, fit: PowerLawFit) -> dict[str, float]:
    """Every metric of a spectrum (M,), also those of its fit's exponent; N: the longer side."""
    values = {**metrics.summarise(evals, n_rows=N), **metrics.log_norms(evals, fit.alpha)}
    return {name: float(value) for name, value in values.items()}


def columns(analysis: Analysis) -> dict[str, list[Any]]:
    """The analysis as a flat table: column -> one value a layer, None where none was asked for."""
    rows = [_row(layer) for layer in analysis.layers]
    names = list(dict.fromkeys(name for row in rows for name in row))
    return {name: [row.get(name) for row in rows] for name in names}


def _row(layer: Layer) -> dict[str, object]:
    row: dict[str, object] = {
        name: getattr(layer, name) for name in ("name", "kind", "parameter", "N", "M", "count")
    }
    row |= {name: getattr(layer.fit, name) for name in _FIT_COLUMNS}
    row["reasons"] = "; ".join(layer.fit.reasons)
    row |= layer.metrics
    for prefix, law in (("", layer.mp), ("random_", layer.random_mp)):
        if law is not None:
            row |= {prefix + name: getattr(law, field) for name, field in _MP_COLUMNS.items()}
    if layer.random is not None:
        row["random_spectral_norm"] = float(np.sqrt(layer.random[-1]))
    if layer.phase is not None:
        row["phase"] = layer.phase.name
    if layer.alpha_interval is not None:
        row["alpha_low"], row["alpha_high"] = layer.alpha_interval
    if layer.comparison is not None:
        row["best_tail"] = layer.comparison.best
    return row
