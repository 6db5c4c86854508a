"""Verdicts on patterns of paired effects: two that oppose or agree, a curve with a peak inside.

Their hypotheses have several parts, any of which may be the false one. A bet that follows one part
after the other, as the seeds before suggest, is fair if it is on an event that each part it can
follow makes no likelier than 1/2.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from ddiv.common.arrays import Array
from ddiv.common.ties import less
from ddiv.evidence.bounds import lower_bound, upper_bound
from ddiv.evidence.capital import Method, log_capital
from ddiv.evidence.verdicts import (
    Comparisons,
    Evidence,
    PerSeed,
    any_of,
    checked_alpha,
    evidence_of,
    first_reached,
    interval_of,
    log_bar,
    table_of,
)


def opposed(
    first: PerSeed, second: PerSeed, *, alpha: float = 0.05, method: Method = "sign"
) -> Evidence:
    """The claim that of two paired effects (n,) one rises and the other falls.

    It does not say which of them rises. Each half of the capital is shared by two orientations, in
    which both comparisons must hold as in `every`. Contradicted once both are known to go the same
    way. `effect`, `standardised`, `interval` and `effects` are of minus the product of the two as a
    signed root, which has their unit: positive where they oppose. Errors as `judge`.
    """
    checked_alpha(alpha)
    a, b = table_of([first, second])
    apart, together = _apart(a, b, method), _apart(a, -b, method)
    root = _root(a, b)
    return evidence_of(
        apart,
        together,
        first_reached(apart >= log_bar(alpha)),
        first_reached(together >= log_bar(alpha)),
        root,
        interval_of(root[None], alpha, method),
        alpha,
        method,
    )


def alike(
    first: PerSeed, second: PerSeed, *, alpha: float = 0.05, method: Method = "sign"
) -> Evidence:
    """The claim that two paired effects (n,) both rise or both fall.

    It is the claim that the first and minus the second are `opposed`.

    Each has to be known to go that way by itself, so noise that they share does not make them
    alike. The effect shown is the signed root of their product, positive where they agree.
    """
    return opposed(first, -np.asarray(second, dtype=float), alpha=alpha, method=method)


def somewhere_opposed(
    first: Comparisons, second: Comparisons, *, alpha: float = 0.05, method: Method = "sign"
) -> Evidence:
    """The claim that at least one of k pairs of paired effects, (k, n) and (k, n), opposes in sign.

    Supported by a bet, at every seed, that the pair which opposed most often at the seeds before
    opposes again (of several the one that did so most steadily: pairs have units of their own, so
    their sizes say nothing): where no pair opposes at more than half of the seeds, no such choice
    gains on average. Nothing is staked at the first seed. Contradicted once each pair is known to
    go the same way, as in `opposed`. The effect shown is the signed root of minus the product of
    the pair that opposes most. Errors as `judge`.
    """
    checked_alpha(alpha)
    first, second = table_of(first), table_of(second)
    if first.shape != second.shape:
        shapes = f"{first.shape} and {second.shape}"
        raise ValueError(f"pairs of effects (k, n) are needed, got {shapes}")
    roots = _root(first, second)
    log_for = np.zeros(1)
    if method == "exact":
        log_for = any_of(log_capital(roots, method))
    elif roots.shape[1] > 1:
        bets = log_capital(_followed(roots, _steadiness), method)
        log_for = np.concatenate([log_for, bets])
    same = np.array([_apart(a, -b, method) for a, b in zip(first, second)])
    at_against = first_reached(np.maximum.accumulate(same, axis=1).min(axis=0) >= log_bar(alpha))
    most = roots[_leader(roots, _steadiness)]
    return evidence_of(
        log_for,
        same.min(axis=0),
        first_reached(log_for >= log_bar(alpha)),
        at_against,
        most,
        interval_of(most[None], alpha, method),
        alpha,
        method,
    )


def peaked(curves: Comparisons, *, alpha: float = 0.05, method: Method = "sign") -> Evidence:
    """The claim that a curve over k rungs, (k, n), is higher at some rung inside than at both of
    its ends.

    A rung's height at a seed is its lead over the higher end. Supported by a bet, at every seed,
    that the rung which was highest at the seeds before is above both ends again: if no rung's
    height has a positive median, no such choice gains on average, where the peak of the seed itself
    would. Nothing is staked at the first seed. Contradicted by a bet that no rung is above both
    ends: if some rung's height has a positive median that happens at half of the seeds at most.
    `effects` are the heights that were bet on, at the first seed that of its own peak; the
    interval's lower end is from them, its upper one from the heights of each seed's own peak.
    Errors as `judge`, and on fewer than 3 rungs.
    """
    checked_alpha(alpha)
    values = table_of(curves)
    if len(values) < 3:
        raise ValueError(f"a peak inside needs curves of 3 rungs or more, got {len(values)}")
    heights = less(values[1:-1], np.maximum(values[0], values[-1]))
    own, bet_on, bar = heights.max(axis=0), _followed(heights, _size), log_bar(alpha)
    log_for = np.concatenate([[0.0], log_capital(bet_on, method) if len(bet_on) else []])
    log_against = log_capital(-own, method)
    shown = np.concatenate([own[:1], bet_on])
    if method == "exact":
        log_for, shown = any_of(log_capital(heights, method)), heights[_leader(heights, _size)]
        bet_on = shown
    low = lower_bound(bet_on, bar, method) if len(bet_on) else -math.inf
    high = upper_bound(own, bar, method)
    return evidence_of(
        log_for,
        log_against,
        first_reached(log_for >= bar),
        first_reached(log_against >= bar),
        shown,
        (min(low, high), max(low, high)),
        alpha,
        method,
    )


def _apart(first: Array, second: Array, method: Method) -> Array:
    """The log of the capital (n,) on the two going opposite ways, a half on each orientation."""
    up, down = (log_capital(np.stack([sign * first, sign * second]), method) for sign in (1, -1))
    ways = np.minimum(up[0], down[1]), np.minimum(down[0], up[1])
    if method == "exact":
        return any_of(np.stack(ways))
    either = np.logaddexp(*ways)
    half: Array = either - math.log(2)
    return half


def _root(first: Array, second: Array) -> Array:
    """Minus the product of two effects as a signed root: positive where they oppose."""
    product = -first * second
    root: Array = np.sign(product) * np.sqrt(np.abs(product))
    return root


def _followed(values: Array, among_equals: Callable[[Array], Array]) -> Array:
    """At every seed but the first, the value in the row of (k, n) that led before it."""
    return np.array(
        [
            values[_leader(values[:, :seed], among_equals), seed]
            for seed in range(1, values.shape[1])
        ]
    )


def _leader(values: Array, among_equals: Callable[[Array], Array]) -> int:
    """The row of (k, n) that is most often positive.

    Of several rows the one with the largest `among_equals` (k,), then the first.
    """
    wins, rank = (values > 0).sum(axis=1), among_equals(values)
    return max(range(len(values)), key=lambda row: (wins[row], rank[row]))


def _size(values: Array) -> Array:
    total: Array = values.sum(axis=1)
    return total


def _steadiness(values: Array) -> Array:
    """The mean of each row in units of its root mean square; 0 where all is 0."""
    size = np.sqrt((values**2).mean(axis=1))
    steadiness: Array = values.mean(axis=1) / np.maximum(size, np.finfo(float).tiny)
    return steadiness
