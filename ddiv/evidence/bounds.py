"""Confidence sequences: the centres that the e-processes of ``capital`` have not ruled out.

A centre m is ruled out from below once the bet that effects - m are positive has ever reached a
capital c. If m is the true centre this happens with probability at most 1/c over all seeds to come,
so the values not yet ruled out contain it at all times at once (Howard, Ramdas, McAuliffe and
Sekhon, Annals of Statistics 2021, "Time-uniform, nonparametric, nonasymptotic confidence
sequences"). The centre is the median for "sign" (whatever the distribution) and the centre of
symmetry for "signed-rank", which is the median and, where there is one, the mean.

`spread` is another kind of interval, for the eye: it holds at one number of seeds only.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from scipy.special import bdtr

from ddiv.common.arrays import Array
from ddiv.evidence.capital import MOST_SEEDS, Method, log_capital, sign_log_capital

# Centres tried at once: few, as most scans end soon.
CHUNK = 256

# What `spread` contains the median with, at least: as much as three seeds can.
SPREAD = 0.75


def lower_bound(effects: Array, log_threshold: float, method: Method) -> float:
    """Below this every centre of `effects` (n,) is ruled out; -infinity where the seeds are too few
    for a bound.

    log_threshold: the log of the capital at which a centre is ruled out.
    """
    if method == "sign":
        return _sign_bound(effects, log_threshold)
    if method == "exact":
        return _exact_bound(effects, log_threshold)
    return _scanned_bound(effects, log_threshold, method)


def upper_bound(effects: Array, log_threshold: float, method: Method) -> float:
    """Above this every centre of `effects` (n,) is ruled out; infinity where the seeds are too few
    for a bound.
    """
    return -lower_bound(-effects, log_threshold, method)


def _sign_bound(effects: Array, log_threshold: float) -> float:
    """The largest, over t, of the k-th largest of the first t effects; k is the fewest wins of t
    that rule out.
    """
    bound = -np.inf
    for seeds in range(1, len(effects) + 1):
        wins = _wins_needed(seeds, log_threshold)
        if wins <= seeds:
            bound = max(bound, float(np.sort(effects[:seeds])[seeds - wins]))
    return bound


def _exact_bound(effects: Array, log_threshold: float) -> float:
    """The k-th largest of all effects (n,), k the fewest wins of n that the sign test rules out
    by.
    """
    n = len(effects)
    p = bdtr(n - np.arange(n + 1), n, 0.5)
    wins = np.flatnonzero(-np.log(p) >= log_threshold)
    return float(np.sort(effects)[n - wins[0]]) if len(wins) else -np.inf


@lru_cache(maxsize=4 * MOST_SEEDS)
def _wins_needed(seeds: int, log_threshold: float) -> int:
    """The fewest positive effects of `seeds` whose capital reaches the threshold; seeds + 1 where
    none does.
    """
    reached = sign_log_capital(np.arange(seeds + 1), np.full(seeds + 1, seeds)) >= log_threshold
    return int(reached.argmax()) if reached.any() else seeds + 1


def _scanned_bound(effects: Array, log_threshold: float, method: Method) -> float:
    """The lower end of what is not ruled out, exact, for a capital that changes only at means of
    two effects.

    Seeds only ever rule out more, so the scan over twice the seeds starts where that over half of
    them ended.
    """
    bound, seeds = -np.inf, 0
    while seeds < len(effects):
        seeds = min(max(2 * seeds, 25), len(effects))
        bound = _scan(effects[:seeds], bound, log_threshold, method)
    return bound


def _scan(effects: Array, start: float, log_threshold: float, method: Method) -> float:
    """The first centre from `start` on that is not ruled out, or the lower end of a stretch of such
    centres.

    Signs of effects - m change at effects, and ranks of their sizes at means of two, so each mean
    and one centre between each two neighbours stand for all.
    """
    first, second = np.triu_indices(len(effects))
    means = np.unique((effects[first] + effects[second]) / 2)
    beyond = 1 + np.abs(means).max()
    means = means[means >= start]
    inner = np.concatenate([means[:-1] / 2 + means[1:] / 2, means[-1:] + beyond])
    points, ends = np.column_stack([means, inner]).ravel(), np.repeat(means, 2)
    if start == -np.inf:
        points, ends = np.append(means[0] - beyond, points), np.append(-np.inf, ends)
    for at in range(0, len(points), CHUNK):
        capital = log_capital(effects - points[at : at + CHUNK, None], method)
        held = (capital < log_threshold).all(axis=-1)
        if held.any():
            return float(ends[at + held.argmax()])
    raise AssertionError("a centre above all effects loses every bet, so it cannot be ruled out")


def spread(effects: Array) -> tuple[float, float, float]:
    """The order statistics around the median of `effects` (n,): low, high and their level.

    The k-th smallest and the k-th largest effect contain the median of the distribution with
    probability 1 - 2 P(B < k), B binomial (n, 1/2): exactly so if it is continuous, with more if
    not (David and Nagaraja 2003, "Order statistics", section 7.1). k is the largest at which that
    is SPREAD or more; two seeds or fewer give (-infinity, infinity, 1). It holds for a number of
    seeds that is fixed beforehand, so after a choice of when to stop it only describes.
    """
    n = len(effects)
    levels = 1 - 2 * bdtr(np.arange((n + 1) // 2), n, 0.5)
    rank = int((levels >= SPREAD).sum())
    if not rank:
        return -np.inf, np.inf, 1.0
    ordered = np.sort(effects)
    return float(ordered[rank - 1]), float(ordered[n - rank]), float(levels[rank - 1])
