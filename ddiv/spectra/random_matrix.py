"""Random matrix theory's numbers of a spectrum: its distance from noise, phase and law of the tail.

They take a few tenths of a millisecond a spectrum (group "mp") or about one (group "tail"), so they
are computed when a state of a network is first asked for them (`ddiv.outcome`).

Group "mp", against the Marchenko-Pastur (MP) law of independent entries (`ddiv.spectra.mp`,
`ddiv.spectra.phase`):

- mp_ks: Kolmogorov-Smirnov (KS) distance between the whole spectrum and the law whose variance is
  that of all entries, divided by the distance that Gaussian noise of this shape exceeds in one of a
  hundred cases (`mp.ks_critical`): above 1, it is no noise;
- mp_bulk_ks: the same of the bulk, without the eigenvalues that stand out of it: whether noise is
  left below them;
- mp_departs: 1 where mp_ks is above 1, else 0, so that its mean over layers is the share of layers
  that are no noise;
- mp_soft_rank: upper edge of the bulk over the largest eigenvalue (about 1 for noise);
- phase: place among the 5+1 phases, from 0 (random-like) to 4 (heavy-tailed), and 5 (rank
  collapse); NaN where undetermined;
- regularised: 1 in a phase with structure (bleeding-out to heavy-tailed), 0 for random-like and
  rank collapse; NaN as phase.

Group "tail", of the eigenvalues from the power-law fit's xmin on (`ddiv.spectra.alternatives`): the
log-likelihood ratio of the power law against an alternative over its standard error, positive where
the power law is better (Vuong 1989).

- llr_exponential;
- llr_lognormal: never above 0, as the power law is a limit of the log-normal, so it is compared
  with `NOT_WORSE`.

A number that a spectrum does not have is NaN: too few eigenvalues (a side below `mp.SMALLEST`, a
spectrum below `phase.Criteria.min_evals`, a tail below `powerlaw.MIN_TAIL`), or a zero matrix.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Literal, get_args

import numpy as np

from ddiv.spectra.metrics import checked_evals

# `ddiv.spectra`'s fits are imported where they are used: they load scipy.stats and scipy.optimize,
# which takes most of a second, and a process that finds its tables in the store needs neither.

# Raise when one of these numbers comes to mean something else.
MEANING = 1

MarchenkoPasturMetric = Literal[
    "mp_ks", "mp_bulk_ks", "mp_departs", "mp_soft_rank", "phase", "regularised"
]

TailMetric = Literal["llr_exponential", "llr_lognormal"]

GROUPS: Mapping[str, tuple[str, ...]] = {
    "mp": get_args(MarchenkoPasturMetric),
    "tail": get_args(TailMetric),
}

GROUP_OF = {metric: group for group, metrics in GROUPS.items() for metric in metrics}

# The normalised log-likelihood ratio below which an alternative fits significantly better, at
# `alternatives.LEVEL`.
NOT_WORSE = -1.96


def table(group: str, spectra: Iterable[tuple[np.ndarray, Sequence[int]]]) -> dict[str, np.ndarray]:
    """Every metric of a group, name -> (layers,).

    spectra: of each layer (eigenvalues, (N, M) or (N, M, count)). Shapes and errors are those of
    `mp.fit`.
    """
    rows = [_MEASURES[group](evals, *shape) for evals, shape in spectra]
    columns = zip(GROUPS[group], zip(*rows))
    return {name: np.array(column, dtype=np.float64) for name, column in columns}


def _marchenko_pastur(evals: np.ndarray, N: int, M: int, count: int = 1) -> tuple[float, ...]:
    from ddiv.spectra import mp, phase

    structured = phase.BLEEDING_OUT, phase.BULK_SPIKES, phase.BULK_DECAY, phase.HEAVY_TAILED
    told = phase.phase(evals, N, M, count)
    bulk = told.bulk
    whole = bulk_ks = departs = soft_rank = place = regularised = np.nan
    if M >= mp.SMALLEST and np.isfinite(bulk.sigma):
        whole = whole_ks(evals, N, M, count) / mp.ks_critical(M, count)
        bulk_ks, departs, soft_rank = bulk.ks / bulk.ks_critical, float(whole > 1), bulk.soft_rank
    if told.name != phase.UNDETERMINED:
        place, regularised = phase.PHASES.index(told.name), float(told.name in structured)
    return whole, bulk_ks, departs, soft_rank, place, regularised


def whole_ks(evals: np.ndarray, N: int, M: int, count: int = 1) -> float:
    """KS distance of a spectrum from the MP law of N x M entries of the same mean square.

    evals: (count * M,) eigenvalues in any order.
    """
    from ddiv.spectra import mp

    x = np.sort(checked_evals(evals))
    law = mp.cdf(x, N, M, float(np.sqrt(x.sum() / (N * M * count))))
    steps = np.arange(len(x) + 1) / len(x)
    return float(max((law - steps[:-1]).max(), (steps[1:] - law).max()))


def _tail(evals: np.ndarray, *shape: int) -> tuple[float, float]:
    from ddiv.spectra import alternatives, powerlaw

    comparison = alternatives.compare(evals, powerlaw.fit(evals))
    return comparison.exponential.normalised, comparison.log_normal.normalised


_MEASURES: Mapping[str, Callable[..., tuple[float, ...]]] = {"mp": _marchenko_pastur, "tail": _tail}
