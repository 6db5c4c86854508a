"""Verdicts on per-seed effects, valid after every seed and whatever decides on more seeds.

Half of the capital bets for the claim and half against it. The claim is supported once the first
half has reached 1/alpha, contradicted once the second has. Where there is no effect both bets are
fair, so by Ville's inequality each verdict falls, at any time, with probability at most alpha/2,
and any with at most alpha; the same bound holds on the edge of an equivalence margin, and where the
claim is clearly false or true only one verdict can be wrong. The assumptions on effects are in
``capital``, by method. The default is "sign", which alone holds for skewed effects.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final, Literal, TypedDict

import msgspec
import numpy as np

from ddiv.common.arrays import Array
from ddiv.evidence.bounds import lower_bound, spread, upper_bound
from ddiv.evidence.capital import Method, log_capital

Verdict = Literal["supported", "contradicted", "inconclusive"]

RISES: Final = 1

FALLS: Final = -1

# Effects by seed, (n,); comparisons of several arms, a row each, (k, n).
PerSeed = Sequence[float] | Array

Comparisons = Sequence[PerSeed] | Array


class Evidence(msgspec.Struct, frozen=True):
    """A verdict that holds at any seed at which one stops, and what it rests on.

    `e_for` and `e_against` are the two halves of the capital after the last seed, 1/2 each at the
    start. A verdict, once it has fallen, stays: `decided_at` is the number of seeds at which it did
    (None while it is inconclusive), and the capital may have shrunk since. `effect` is the median
    over seeds in the outcome's unit, `standardised` the mean over the seed-to-seed deviation
    (Cohen's d of paired data; None for one seed or equal effects). `interval` contains the centre
    of the effects at all seed counts at once with probability `level`, see ``bounds``. An end that
    the seeds are too few for is infinite (msgspec writes that to JSON as null). If it excludes 0
    the direction is decided; with "sign" the converse is true too. Where seeds contradict each
    other so that no centre is left, its two ends change places. Of several comparisons, `effect`,
    `standardised`, `interval`, `spread` and `effects` are those of the weakest (`every`) or the
    strongest (`some`).

    `p` is that of the exact two-sided sign test where the seeds are a fixed sample (``fixed``), and
    then decides; None where they are bet on.

    `spread` only describes the effects: the order statistics around their median that contain the
    true one with probability `spread_level`, at least SPREAD, had the number of seeds been fixed
    beforehand (``bounds.spread``). It exists from three seeds on and decides nothing.
    """

    verdict: Verdict
    e_for: float
    e_against: float
    effect: float
    standardised: float | None
    interval: tuple[float, float]
    level: float
    n: int
    decided_at: int | None
    effects: tuple[float, ...]
    method: Method
    spread: tuple[float, float] = (-math.inf, math.inf)
    spread_level: float = 1.0
    p: float | None = None

    @property
    def evalue(self) -> float:
        """The e-value for the claim alone, as ``combine`` takes it: all of the capital is bet."""
        return 2 * self.e_for


def judge(
    effects: PerSeed, direction: int = RISES, *, alpha: float = 0.05, method: Method = "sign"
) -> Evidence:
    """The claim that paired effects (n,) rise (RISES) or fall (FALLS), at total error `alpha`.

    A slope over doses or a difference of two treatments is an effect like any other. Raises
    ValueError on no effects, on effects that are not finite, on another shape, direction or method
    and on an alpha outside (0, 1).
    """
    return every([effects], direction, alpha=alpha, method=method)


def every(
    comparisons: Comparisons,
    direction: int = RISES,
    *,
    alpha: float = 0.05,
    method: Method = "sign",
) -> Evidence:
    """The claim that ALL comparisons (k, n) rise (fall), as for an order or the largest of arms.

    Supported once each comparison has reached the bar on its own, without correction (an
    intersection-union test: Berger, Technometrics 1982); `e_for` is the smallest of theirs.
    Contradicted once one bet against them has: at every seed it is on the comparison that went most
    often against the claim at the seeds before (among equals, on that with the lowest mean), and
    nothing is staked at the first seed, when none is known. Where the claim is true no such choice
    gains on average; following the worst costs one seed, where sharing the capital among k would
    cost log2 k. Errors as `judge`.
    """
    return several(comparisons, direction, alpha, method)


def some(
    comparisons: Comparisons,
    direction: int = RISES,
    *,
    alpha: float = 0.05,
    method: Method = "sign",
) -> Evidence:
    """The claim that AT LEAST ONE of the comparisons (k, n) rises (falls). Errors as `judge`.

    The reverse of the claim that every comparison goes the other way.
    """
    return reversed_claim(several(comparisons, -checked_direction(direction), alpha, method))


def equivalent(
    effects: PerSeed, margin: float, *, alpha: float = 0.05, method: Method = "sign"
) -> Evidence:
    """The claim that the centre of paired effects (n,) is within +- `margin`, which is in the
    outcome's unit.

    Two one-sided tests (Schuirmann 1987): supported once the centre is known to be above -margin
    and known to be below margin; contradicted once it is known to be beyond one of them. `effect`,
    `standardised` and `interval` are of the effects themselves. Raises ValueError as `judge` and on
    a margin that is not positive and finite.
    """
    if not 0 < margin < math.inf:
        raise ValueError(f"the margin of equivalence must be positive and finite, got {margin}")
    values = table_of([effects])[0]
    tests = every([margin + values, margin - values], alpha=alpha, method=method)
    return msgspec.structs.replace(
        tests, **size_of(values), interval=interval_of(values[None], alpha, method)
    )


def several(comparisons: Comparisons, direction: int, alpha: float, method: Method) -> Evidence:
    """The evidence of `every`, with positional arguments."""
    checked_alpha(alpha)
    values = table_of(comparisons)
    signed = values * checked_direction(direction)
    wins, log_against = log_capital(signed, method), following_worst(signed, method)
    log_for, bar = wins.min(axis=0), log_bar(alpha)
    at_for = first_reached(np.maximum.accumulate(wins, axis=1).min(axis=0) >= bar)
    at_against = first_reached(log_against >= bar)
    low, high = interval_of(signed, alpha, method)
    weakest = values[np.median(signed, axis=1).argmin()]
    interval = (low, high) if direction == RISES else (-high, -low)
    return evidence_of(log_for, log_against, at_for, at_against, weakest, interval, alpha, method)


def following_worst(signed: Array, method: Method) -> Array:
    """The log of the capital (n,) of the bet that follows the comparison of (k, n) that has gone
    worst so far.
    """
    k, n = signed.shape
    if k == 1:
        return log_capital(-signed[0], method)
    if method == "exact":
        return any_of(log_capital(-signed, method))
    if n == 1:
        return np.zeros(1)
    wins, sums = (signed > 0).cumsum(axis=1), signed.cumsum(axis=1)
    standings = [list(zip(wins[:, t], sums[:, t])) for t in range(n - 1)]
    worst = [rows.index(min(rows)) for rows in standings]
    return np.concatenate([[0.0], log_capital(-signed[worst, np.arange(1, n)], method)])


def any_of(tests: Array) -> Array:
    """Minus the log of p (n,) of "at least one holds" from those of k tests (k, n): Bonferroni."""
    least: Array = np.maximum(tests.max(axis=0) - math.log(len(tests)), 0.0)
    return least


def log_bar(alpha: float) -> float:
    """The log of the capital that decides, less the rounding of one that reaches it exactly."""
    return math.log(2 / alpha) - 1e-12


def evidence_of(
    log_for: Array,
    log_against: Array,
    at_for: float,
    at_against: float,
    effects: Array,
    interval: tuple[float, float],
    alpha: float,
    method: Method,
) -> Evidence:
    """The verdict that fell first, from capitals (n,) after each seed and the seeds at which they
    decided (infinity: never).
    """
    # Both can fall at one seed only where several comparisons turned round: nothing is decided.
    verdict: Verdict = "inconclusive"
    if at_for != at_against:
        verdict = "supported" if at_for < at_against else "contradicted"
    return Evidence(
        verdict=verdict,
        e_for=float(np.exp(log_for[-1]) / 2),
        e_against=float(np.exp(log_against[-1]) / 2),
        **size_of(effects),
        interval=interval,
        level=1 - alpha,
        n=len(effects),
        decided_at=None if verdict == "inconclusive" else int(min(at_for, at_against)),
        method=method,
    )


def interval_of(signed: Array, alpha: float, method: Method) -> tuple[float, float]:
    """The interval of the smallest centre of comparisons (k, n).

    Its own lower bound will do, but every upper bound must hold.
    """
    bar, shared = log_bar(alpha), log_bar(alpha / len(signed))
    low = min(lower_bound(row, bar, method) for row in signed)
    high = min(upper_bound(row, shared, method) for row in signed)
    return min(low, high), max(low, high)


class Size(TypedDict):
    """Fields of `Evidence` on how large effects are."""

    effect: float
    standardised: float | None
    effects: tuple[float, ...]
    spread: tuple[float, float]
    spread_level: float


def size_of(values: Array) -> Size:
    """How large the effects (n,) are."""
    deviation = float(values.std(ddof=1)) if np.ptp(values) > 0 else None
    low, high, level = spread(values)
    return {
        "effect": float(np.median(values)),
        "standardised": float(values.mean() / deviation) if deviation else None,
        "effects": tuple(values.tolist()),
        "spread": (low, high),
        "spread_level": level,
    }


_REVERSE: dict[Verdict, Verdict] = {
    "supported": "contradicted",
    "contradicted": "supported",
    "inconclusive": "inconclusive",
}


def reversed_claim(result: Evidence) -> Evidence:
    """The evidence on the claim's negation."""
    return msgspec.structs.replace(
        result, verdict=_REVERSE[result.verdict], e_for=result.e_against, e_against=result.e_for
    )


def first_reached(reached: Array) -> float:
    """The number of seeds at which something was first reached, infinity if never."""
    return float(reached.argmax() + 1) if reached.any() else math.inf


def table_of(comparisons: Comparisons) -> Array:
    """Comparisons as an array (k, n). Raises ValueError on other shapes and where it is empty."""
    try:
        values = np.asarray(comparisons, dtype=float)
    except ValueError as error:
        raise ValueError("comparisons must be rows of numbers over the same seeds") from error
    if values.ndim != 2 or not values.size:
        raise ValueError(
            "evidence needs one effect a seed and at least one seed, got the shape "
            f"{values.shape[1:]}"
        )
    return values


def checked_direction(direction: int) -> int:
    """The direction. Raises ValueError on one that is neither RISES nor FALLS."""
    if direction not in (RISES, FALLS):
        raise ValueError(f"a direction is RISES or FALLS, got {direction!r}")
    return direction


def checked_alpha(alpha: float) -> None:
    """Raises ValueError on a level outside (0, 1)."""
    if not 0 < alpha < 1:
        raise ValueError(f"alpha must be between 0 and 1, got {alpha}")
