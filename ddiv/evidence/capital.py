"""The capital of a bet that effects are positive, seed by seed: two e-processes for paired effects
x_1, x_2, ...

A bettor starts with 1 and stakes a share of the capital on every seed before its effect is known.
If the hypothesis bet against is true, no such bet gains on average, so the capital is an e-process.

**sign** holds if P(x_t > 0 | past) <= 1/2: the median effect, given the seeds before, is not
positive. Nothing is assumed about the distribution. The bet at p multiplies the capital by 2p if
x_t > 0 and by 2 (1 - p) if not, a tie included: with q = P(x_t > 0) the expected factor is 1 + (2p
- 1)(2q - 1) <= 1. No larger factor c for a tie would do: at P(x_t > 0) = P(x_t = 0) = 1/2 it needs
p + c/2 <= 1. So ties count against both directions. The capital is spread over p: half of it at p =
1, half uniformly on (1/2, 1], in closed form after k wins of n

    2^n (1[k = n] + 2 B(k + 1, n - k + 1) P(Beta(k + 1, n - k + 1) > 1/2)) / 2

(the method of mixtures: Robbins, Annals of Mathematical Statistics 1970, "Statistical methods
related to the law of the iterated logarithm").

**signed-rank** holds if P(x_t > 0 | |x_t|, past) <= 1/2 wherever x_t is not 0: for instance if
effects are symmetric about 0, or about less and unimodal. Symmetry is what "the treatment does
nothing" implies for a difference of two arms, or for a slope over doses: exchanging the arms, or
reversing the doses, changes the sign of the effect and nothing else (the mean of several arms less
one baseline has no such symmetry). Given |x_t| and the past, the share g_t = (mid-rank of |x_t|
among |x_1|..|x_t|) / t is known, so the stake tanh(k g_t) may depend on it: the factor 1 +
sign(x_t) tanh(k g_t) has expectation at most 1. Ties say nothing and leave the capital as it is.
tanh because it is the best stake if the log-odds of a positive sign grow as k g_t, and as |x_t|
itself does for Gaussian effects; ranks because one outlying seed must not decide. Half of the
capital is at k = infinity (everything on every sign), the rest in equal parts on STAKES. This is
Wilcoxon's signed-rank test in sequential form (sequential ranks: Reynolds, Annals of Statistics
1975; betting on signs given magnitudes: Ramdas, Ruf, Larsson and Koolen, arXiv 2009.03167).

Either way n seeds that all agree leave more than 2^(n-1), and at alpha = .05 they decide with the
sixth. Measured by `benchmarks/eprocess.py` beside other bets: for Gaussian effects signed-rank
needs a quarter fewer seeds than sign at a standardised effect of .5 or less and as many at 2 or
more; with heavy tails they differ by a tenth. Under strong skew with median 0 its total error rises
from .05 to .08. Betting on magnitudes themselves saves a few per cent with Gaussian effects, loses
a third with heavy tails and errs at .27 under that skew; the t-test's e-process errs at .14 on
effects of two values.
"""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
from scipy.special import bdtr, betaln

from ddiv.common.arrays import Array

Bet = Literal["sign", "signed-rank"]

METHODS: tuple[Bet, ...] = get_args(Bet)

# "exact" is no bet but a test of a fixed sample (`ddiv.evidence.fixed`).
Method = Literal["sign", "signed-rank", "exact"]

SURE = 0.5

STAKES = (0.5, 1.0, 2.0, 5.0)

# Up to here no capital overflows a float, no term of the closed form underflows and bounds take
# seconds.
MOST_SEEDS = 500


def log_capital(effects: Array, method: Method = "sign") -> Array:
    """The natural log of the capital after each seed, (..., n), of a bet that `effects` (..., n)
    are positive.

    The last axis is the seeds in their order. Raises ValueError on values that are not finite, on
    no seeds, on more than MOST_SEEDS and on an unknown method.
    """
    values = np.asarray(effects, dtype=float)
    if values.ndim < 1 or not values.size:
        raise ValueError("evidence needs at least one effect: measure a seed first")
    if not np.isfinite(values).all():
        missing = values.size - np.isfinite(values).sum()
        raise ValueError(
            f"effects must be finite, {missing} of {values.size} are not: leave out seeds without "
            "one"
        )
    if values.shape[-1] > MOST_SEEDS:
        raise ValueError(
            f"at most {MOST_SEEDS} seeds, got {values.shape[-1]}: a fixed-n test serves as well "
            "there"
        )
    if method == "sign":
        return sign_log_capital((values > 0).cumsum(axis=-1), np.arange(1, values.shape[-1] + 1))
    if method == "signed-rank":
        return _signed_rank(values)
    if method == "exact":
        return _exact(values)
    raise ValueError(f"the method is one of {', '.join(METHODS)}, got {method!r}")


def sign_log_capital(wins: Array, seeds: Array) -> Array:
    """The log of the sign bet's capital after `wins` positive effects of `seeds`; the two are
    broadcast.
    """
    # P(Beta(k + 1, n - k + 1) > 1/2) = P(Binomial(n + 1, 1/2) <= k).
    spread = (
        (seeds + 1) * np.log(2)
        + betaln(wins + 1, seeds - wins + 1)
        + np.log(bdtr(wins, seeds + 1, 0.5))
    )
    sure = np.where(wins == seeds, seeds * np.log(2), -np.inf)
    total: Array = np.logaddexp(np.log(SURE) + sure, np.log(1 - SURE) + spread)
    return total


def _exact(values: Array) -> Array:
    """Minus the log of the sign test's p, one-sided, after the last seed; 0 before it.

    It takes the place of a capital in a comparison with a bar, and is none: 1 / p gains on average.
    """
    wins = (values > 0).sum(axis=-1)
    path = np.zeros_like(values)
    # P(Binomial(n, 1/2) >= k) = P(Binomial(n, 1/2) <= n - k).
    path[..., -1] = -np.log(bdtr(values.shape[-1] - wins, values.shape[-1], 0.5))
    return path


def _signed_rank(values: Array) -> Array:
    tilt = np.sign(values) * _rank_shares(np.abs(values))
    lost, wins = (values < 0).cumsum(axis=-1) > 0, (values > 0).cumsum(axis=-1)
    total: Array = np.log(SURE) + np.where(lost, -np.inf, wins * np.log(2))
    for stake in STAKES:
        # log(1 + tanh(a)) = log 2 - log(1 + exp(-2a)), 0 at a tie.
        path = (np.log(2) - np.logaddexp(0, -2 * stake * tilt)).cumsum(axis=-1)
        total = np.logaddexp(total, np.log((1 - SURE) / len(STAKES)) + path)
    return total


def _rank_shares(sizes: Array) -> Array:
    """The mid-rank of each size among those up to it, over their number: (..., n) in (0, 1]."""
    shares = np.empty_like(sizes)
    for t in range(sizes.shape[-1]):
        past, now = sizes[..., :t], sizes[..., t, None]
        smaller, equal = (past < now).sum(axis=-1), (past == now).sum(axis=-1)
        shares[..., t] = (1 + smaller + 0.5 * equal) / (t + 1)
    return shares
