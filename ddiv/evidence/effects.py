"""Per-seed effects of questions about several arms, for ``verdicts`` to judge."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def trend(doses: Sequence[float], values: Sequence[float]) -> float:
    """The least-squares slope of values over the RANK of their dose: the mean change a step of the ladder.

    Ranks, because doses are spaced by factors and a claim says no more than "rises with the dose". Raises
    ValueError where fewer than two doses are given.
    """
    if len(doses) < 2 or len(doses) != len(values):
        raise ValueError(f"a trend needs two or more doses with a value each, got {len(doses)} and {len(values)}")
    ranks = np.argsort(np.argsort(doses)).astype(float)
    centred = ranks - ranks.mean()
    return float(centred @ np.asarray(values, dtype=float) / (centred @ centred))


def steps(arms: np.ndarray) -> np.ndarray:
    """From each arm to the next, seed by seed: (k, n) outcomes in the claimed order, lowest first, to (k - 1, n).

    The order holds where `every` step is positive. Raises ValueError on fewer than two arms.
    """
    arms = np.asarray(arms, dtype=float)
    if arms.ndim != 2 or len(arms) < 2:
        raise ValueError(f"an order needs the outcomes of two or more arms, (k, n), got {arms.shape}")
    return np.diff(arms, axis=0)


def rank_correlations(first: np.ndarray, second: np.ndarray, bar: float = 0.0) -> np.ndarray:
    """Spearman's correlation over arms at each seed, less a bar: two outcomes (n, arms) to effects (n,).

    Judged as any effect, "positive" says that the median over seeds of the correlation over THESE arms exceeds the
    bar: seeds are the sample, arms are fixed and share their seed, so they need not be independent of each other.
    With bar 0 the effects are symmetric if one outcome's arms are exchangeable given the other. With few arms there
    are few values and many ties (4 arms: steps of .2). Raises ValueError on fewer than three arms, on unequal shapes,
    on values that are not finite, on a bar outside (-1, 1) and on an outcome that is equal in all arms of a seed,
    which has no correlation.
    """
    from scipy.stats import rankdata  # half a second, and nobody else here needs it

    pair = [np.asarray(outcome, dtype=float) for outcome in (first, second)]
    if pair[0].shape != pair[1].shape or pair[0].ndim != 2 or pair[0].shape[1] < 3:
        raise ValueError("two outcomes (seeds, arms) of three or more arms are needed, "
                         f"got {pair[0].shape} and {pair[1].shape}")
    if not all(np.isfinite(outcome).all() for outcome in pair):
        raise ValueError("an outcome is not finite: leave out seeds without a measurement")
    if not -1 < bar < 1:
        raise ValueError(f"a correlation's bar is between -1 and 1, got {bar}")
    ranks = [rankdata(outcome, axis=1) - (outcome.shape[1] + 1) / 2 for outcome in pair]
    norms = [np.sqrt((centred**2).sum(axis=1)) for centred in ranks]
    if not all(norm.all() for norm in norms):
        raise ValueError("an outcome is equal in all arms of a seed, so it has no correlation: leave that seed out")
    correlations = (ranks[0] * ranks[1]).sum(axis=1) / (norms[0] * norms[1])
    # A correlation that equals the bar but for round-off is a tie, at every seed where it comes up.
    return np.round(correlations - bar, 12)

