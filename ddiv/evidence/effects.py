"""Per-seed effects of questions about several arms, for ``verdicts`` to judge."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from ddiv.common.arrays import Array
from ddiv.common.ties import less, total

RESAMPLES = 2000


def trend(doses: Sequence[float], values: Sequence[float]) -> float:
    """The least-squares slope of values over the RANK of their dose: the change a step of dose.

    Ranks, because doses are spaced by factors and a claim says no more than "rises with the dose".
    Raises ValueError where fewer than two doses are given.
    """
    if len(doses) < 2 or len(doses) != len(values):
        raise ValueError(
            f"a trend needs two or more doses with a value each, got {len(doses)} and {len(values)}"
        )
    ranks = np.argsort(np.argsort(doses)).astype(float)
    centred = ranks - ranks.mean()
    return float(total(centred * np.asarray(values, dtype=float)) / (centred @ centred))


def steps(arms: Array) -> Array:
    """From each arm to the next, seed by seed: (k, n) outcomes in the claimed order, lowest first,
    to (k - 1, n).

    The order holds where `every` step is positive. Raises ValueError on fewer than two arms.
    """
    arms = np.asarray(arms, dtype=float)
    if arms.ndim != 2 or len(arms) < 2:
        raise ValueError(
            f"an order needs the outcomes of two or more arms, (k, n), got {arms.shape}"
        )
    rises: Array = less(arms[1:], arms[:-1])
    return rises


def rank_correlations(first: Array, second: Array, bar: float = 0.0) -> Array:
    """Spearman's correlation over arms at each seed, less a bar: two outcomes (n, arms) to effects
    (n,).

    Judged as any effect, "positive" says that the median over seeds of the correlation over THESE
    arms exceeds the bar: seeds are the sample, arms are fixed and share their seed, so they need
    not be independent of each other. With bar 0 the effects are symmetric if one outcome's arms are
    exchangeable given the other. With few arms there are few values and many ties (4 arms: steps of
    .2). Raises ValueError on fewer than three arms, on unequal shapes, on values that are not
    finite, on a bar outside (-1, 1) and on an outcome that is equal in all arms of a seed, which
    has no correlation.
    """
    from scipy.stats import rankdata  # half a second, and nobody else here needs it

    ranks = [rankdata(outcome, axis=1) for outcome in _pair(first, second)]
    return linear_correlations(ranks[0], ranks[1], bar)


def linear_correlations(first: Array, second: Array, bar: float = 0.0) -> Array:
    """Pearson's correlation over arms at each seed, less a bar; all else, errors too, as in
    `rank_correlations`.
    """
    pair = _pair(first, second)
    if not -1 < bar < 1:
        raise ValueError(f"a correlation's bar is between -1 and 1, got {bar}")
    centred = [outcome - outcome.mean(axis=1, keepdims=True) for outcome in pair]
    norms = [np.sqrt((outcome**2).sum(axis=1)) for outcome in centred]
    if not all(np.ptp(outcome, axis=1).all() for outcome in pair):
        raise ValueError(
            "an outcome is equal in all arms of a seed, so it has no correlation: leave that seed "
            "out"
        )
    correlations = (centred[0] * centred[1]).sum(axis=1) / (norms[0] * norms[1])
    # A correlation that equals the bar but for round-off is a tie, at every seed where it comes up.
    rounded: Array = np.round(correlations - bar, 12)
    return rounded


def _pair(first: Array, second: Array) -> list[Array]:
    pair = [np.asarray(outcome, dtype=float) for outcome in (first, second)]
    if pair[0].shape != pair[1].shape or pair[0].ndim != 2 or pair[0].shape[1] < 3:
        raise ValueError(
            "two outcomes (seeds, arms) of three or more arms are needed, "
            f"got {pair[0].shape} and {pair[1].shape}"
        )
    if not all(np.isfinite(outcome).all() for outcome in pair):
        raise ValueError("an outcome is not finite: leave out seeds without a measurement")
    return pair


def last_share(shares: Array, differences: Array) -> tuple[float, float, float]:
    """The largest share at which the mean difference from share 0 is not negative, and its 95 %
    bootstrap interval.

    `shares` (k,) ascending, `differences` (k, n) of k shares at n seeds. The mean curve is linear
    between shares. The interval is the percentile one (Efron and Tibshirani 1993, chapter 13) over
    resampled seeds, with fixed draws; of a few seeds it is too narrow. Raises ValueError on other
    shapes and on shares that do not rise.
    """
    return _bootstrapped(_crossing, shares, differences)


def best_share(shares: Array, curves: Array) -> tuple[float, float, float]:
    """The share at which the mean curve is highest, and its 95 % bootstrap interval.

    Arguments and errors as in `last_share`.
    """
    return _bootstrapped(lambda shares, curve: float(shares[curve.argmax()]), shares, curves)


def mean_of_seeds(values: Sequence[float]) -> tuple[float, float, float]:
    """The mean of values (n,) at n seeds, and its 95 % bootstrap interval, as in `last_share`."""
    return _bootstrapped(
        lambda _, means: float(means[0]), np.zeros(1), np.asarray(values, dtype=float)[None]
    )


def student(values: Sequence[Sequence[float]]) -> tuple[Array, Array, Array]:
    """The means (k,) of values (n, k) at n seeds, and the ends of their 95 % intervals by Student's
    t, (k,) each.

    A value that is NaN does not count. Of a few seeds this is wider than a bootstrap, and right for
    normal values. NaN where a column has no value, and at both ends where it has one. Raises
    ValueError on another shape.
    """
    from scipy.special import stdtrit

    table = np.asarray(values, dtype=float)
    if table.ndim != 2:
        raise ValueError(f"values of n seeds at k places are needed, (n, k), got {table.shape}")
    known = ~np.isnan(table)
    count = known.sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = np.where(known, table, 0.0).sum(axis=0) / count
        squares = np.where(known, (table - mean) ** 2, 0.0).sum(axis=0)
        reach = stdtrit(count - 1, 0.975) * np.sqrt(squares / (count - 1) / count)
    reach = np.where(count > 1, reach, np.nan)
    return mean, mean - reach, mean + reach


def _bootstrapped(
    place: Callable[[Array, Array], float], shares: Array, curves: Array
) -> tuple[float, float, float]:
    shares, table = np.asarray(shares, dtype=float), np.asarray(curves, dtype=float)
    fits = table.ndim == 2 and shares.shape == table.shape[:1] and table.shape[1]
    if not fits or not (np.diff(shares) > 0).all():
        raise ValueError(
            f"rising shares (k,) and differences (k, n) are needed, got {shares.shape} and "
            f"{table.shape}"
        )
    drawn = np.random.default_rng(0).integers(table.shape[1], size=(RESAMPLES, table.shape[1]))
    resampled = [place(shares, table[:, row].mean(axis=1)) for row in drawn]
    low, high = np.percentile(resampled, (2.5, 97.5))
    return place(shares, table.mean(axis=1)), float(low), float(high)


def _crossing(shares: Array, curve: Array) -> float:
    """The last point at which a curve, linear between shares, is not negative; the first share
    where it never is.
    """
    held = np.flatnonzero(curve >= 0)
    if not len(held):
        return float(shares[0])
    i = int(held[-1])
    if i == len(shares) - 1:
        return float(shares[-1])
    return float(shares[i] + (shares[i + 1] - shares[i]) * curve[i] / (curve[i] - curve[i + 1]))
