"""Evidence: paired effects over seeds in, a verdict out. Pure functions.

An effect is one number a seed: the difference of an outcome between two arms, or the trend of such
differences over doses. The test is the exact sign test (Conover 1999, Practical Nonparametric Statistics,
section 3.4), one-sided each way: it assumes only that seeds are independent and that, were the claim's
direction wrong or the treatment without effect, an effect would have the claimed sign with probability at
most 1/2. With n seeds the smallest p is 2^-n, so five seeds are the least that can decide at .05, and then
they must all agree.

The number of seeds is fixed beforehand. (Evidence that may be looked at after every seed is to take the
place of `judge`; nothing else need change.)
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import msgspec
import numpy as np

Verdict = Literal["supported", "contradicted", "inconclusive"]

RISES = 1
FALLS = -1


class Evidence(msgspec.Struct, frozen=True):
    """A verdict and what it rests on.

    `effect` is the median over seeds in the outcome's unit; `interval` covers the population median with
    probability `level` whatever the distribution (order statistics of the effects); `standardised` is the
    mean effect over the seed-to-seed deviation (Cohen's d of paired data), None where all effects are equal.
    `p_for` and `p_against` are the one-sided exact p-values for and against the claimed direction.
    """

    verdict: Verdict
    effect: float
    interval: tuple[float, float]
    level: float
    standardised: float | None
    p_for: float
    p_against: float
    effects: tuple[float, ...]
    seeds: tuple[int, ...]


def judge(effects: Sequence[float], direction: int, alpha: float = 0.05,
          seeds: Sequence[int] | None = None) -> Evidence:
    """Test paired effects (n,) against a claimed direction (RISES or FALLS) at level `alpha` each way.

    A zero effect speaks neither for nor against but counts as a seed, so ties can only make the test more
    cautious. Raises ValueError on effects that are not finite, on an empty sequence and on another direction.
    """
    if direction not in (RISES, FALLS):
        raise ValueError(f"a direction is RISES or FALLS, got {direction!r}")
    values = np.asarray(effects, dtype=float)
    if values.ndim != 1 or not len(values):
        raise ValueError("evidence needs at least one effect")
    if not np.isfinite(values).all():
        raise ValueError(f"an effect is not finite: {values.tolist()}")
    signed = values * direction
    p_for, p_against = sign_test(signed), sign_test(-signed)
    verdict: Verdict = ("supported" if p_for <= alpha else
                        "contradicted" if p_against <= alpha else "inconclusive")
    low, high, level = median_interval(values, 1 - 2 * alpha)
    spread = float(values.std(ddof=1)) if len(values) > 1 else 0.0
    return Evidence(
        verdict=verdict, effect=float(np.median(values)), interval=(low, high), level=level,
        standardised=float(values.mean() / spread) if spread else None, p_for=p_for, p_against=p_against,
        effects=tuple(values.tolist()), seeds=tuple(seeds) if seeds is not None else tuple(range(len(values))))


def sign_test(signed: np.ndarray) -> float:
    """P(at least as many positive values | each positive with probability 1/2), exact."""
    n, positive = len(signed), int((signed > 0).sum())
    return sum(math.comb(n, k) for k in range(positive, n + 1)) / 2**n


def median_interval(values: np.ndarray, level: float) -> tuple[float, float, float]:
    """Distribution-free interval for the median: (low, high, its actual level).

    The narrowest pair of order statistics [x_(k), x_(n+1-k)] whose coverage 1 - 2 P(Bin(n, 1/2) < k) reaches
    `level`; where none does (few values), the whole range with the level that it has (Conover 1999, 3.2).
    """
    ordered, n = np.sort(values), len(values)

    def coverage(k: int) -> float:
        return 1 - 2 * sum(math.comb(n, i) for i in range(k)) / 2**n

    k = max((k for k in range(1, (n + 1) // 2 + 1) if coverage(k) >= level), default=1)
    return float(ordered[k - 1]), float(ordered[n - k]), coverage(k)


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
