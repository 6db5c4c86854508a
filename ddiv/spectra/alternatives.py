"""Is a power law the right model of a spectrum's tail? Likelihood ratios against three others.

The n eigenvalues x >= xmin of a fitted tail are fitted by maximum likelihood with four densities on
[xmin, inf), written with y = x / xmin >= 1 (Clauset, Shalizi and Newman, SIAM Review 2009, table
2.1 and section 5):

    power law            y^-alpha
    exponential          exp(-rate y)
    log-normal           (1 / y) exp(-(log y - mu)^2 / (2 sigma^2)), truncated at 1
    truncated power law  y^-alpha exp(-rate y), alpha >= 0, rate >= 0 (an exponential cut-off)

For each alternative, R is the sum of the pointwise differences of log-likelihood, positive where
the power law is better. Exponential and log-normal: z = R / (sqrt(n) * sd of the differences) is
standard normal if the two are equally far from the truth (Vuong, Econometrica 1989), so p =
erfc(|z| / sqrt(2)). Truncated power law: it contains the power law, so R <= 0, and 2|R| is
chi-square with one degree of freedom under the power law, so p = erfc(sqrt(|R|)), as in the
`powerlaw` package. As rate >= 0 is a boundary, the true p is half of this one (Self and Liang, JASA
1987): the test is conservative.

The maxima are computed without starting values:

- exponential: in closed form;
- log-normal: v = log y is a normal truncated at 0, whose two moment equations reduce to one
  monotone equation in mu / sigma. The power law is its limit mu / sigma -> -inf, so this maximum
  is never below the power law's either: R <= 0, and Vuong's p errs in favour of the power law. The
  search is bounded at mu / sigma >= -100 (mu counted from log xmin), where E[v^2] / E[v]^2 is
  within 2e-4 of the power law's 2; where the data ask for less, the maximum is the power law
  itself: R = 0, p = 1, mu = -inf. The `powerlaw` package optimises over (mu, sigma) instead: it
  stops somewhere on that ridge, where its density underflows, and can report a log-normal that is
  too good;
- truncated power law: an exponential family in (alpha, rate), so its likelihood is concave: two
  nested monotone equations (the means of log y and y, by Gauss-Legendre quadrature) have one root.
  Without a root the maximum lies on the boundary: the exponential at alpha = 0, or the power law at
  rate = 0, which stands for every cut-off beyond a million times the largest eigenvalue. (The
  `powerlaw` package holds alpha below 3.)

No p is corrected for the number of comparisons, and all take xmin as known.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from scipy.optimize import brentq
from scipy.special import erfc, erfcx, log_ndtr

from ddiv.spectra.powerlaw import MIN_TAIL, PowerLawFit

LEVEL = 0.05

_FARTHEST = -100.0  # mu / sigma of the log-normal

_WEAKEST = 1e-6  # rate of the cut-off times the tail's range

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(80)

_NEGLIGIBLE = 40.0  # nats below the integrand's peak at which the quadrature ends


class Ratio(NamedTuple):
    """Power law against one alternative.

    R: log-likelihood ratio in nats, positive where the power law is better.

    normalised: R / (sqrt(n) * sd of the pointwise differences); p: see the head of this file;
    log_likelihood: the alternative's, of the eigenvalues in their own unit; parameters: rate in 1 /
    eigenvalue; mu, sigma of the logarithm of the eigenvalue; or alpha, rate. Everything nan where
    no comparison was made.
    """

    R: float
    normalised: float
    p: float
    log_likelihood: float
    parameters: tuple[float, ...]


@dataclass(frozen=True)
class Comparison:
    """A power law against the three alternatives on one tail.

    alpha: the maximum-likelihood exponent of the tail, 1 + n / sum(log(x / xmin)), n counting ties
    of xmin. tail_size: n. level: what p is compared with. best: one of BEST. reasons: why nothing
    could be compared.

    best is "undecided" unless the model named is significantly better than every other one, except
    that a model is preferred to another that contains it (truncated to plain power law and
    exponential, log-normal to its limit the power law) as long as the larger one is not
    significantly better.
    """

    alpha: float
    tail_size: int
    exponential: Ratio
    log_normal: Ratio
    truncated_power_law: Ratio
    level: float
    best: str
    reasons: tuple[str, ...]

    @property
    def ruled_out_by(self) -> tuple[str, ...]:
        """The alternatives that are significantly better than the power law."""
        ratios = self.exponential, self.log_normal, self.truncated_power_law
        return tuple(
            name
            for name, ratio in zip(ALTERNATIVES, ratios, strict=True)
            if ratio.R < 0 and ratio.p < self.level
        )


ALTERNATIVES = ("exponential", "log-normal", "truncated power law")

BEST = ("power law", *ALTERNATIVES, "undecided")


def compare(evals: np.ndarray, fit: PowerLawFit, level: float = LEVEL) -> Comparison:
    """Compare the power law of ``fit`` with the alternatives on the eigenvalues from fit.xmin on.

    evals: (M,) in any order. A tail of fewer than 10 eigenvalues, a tied one or none (nothing was
    fitted) gives nan, "undecided" and a reason. ValueError if evals is not one-dimensional, the fit
    is not of these eigenvalues or level is not in (0, 1).
    """
    evals = np.asarray(evals, dtype=np.float64)
    if evals.ndim != 1:
        raise ValueError(f"one spectrum has one dimension, got shape {evals.shape}")
    if not 0 < level < 1:
        raise ValueError(f"level must lie between 0 and 1, got {level}")
    tail = np.sort(evals[evals >= fit.xmin])
    n = len(tail)
    if n != fit.num_pl_spikes or (n and tail[0] != fit.xmin):
        raise ValueError(
            f"{n} eigenvalues are at least xmin = {fit.xmin}, the fit counts {fit.num_pl_spikes}: "
            "pass the eigenvalues that the fit was made of"
        )
    if (obstacle := _obstacle(tail)) is not None:
        none = Ratio(np.nan, np.nan, np.nan, np.nan, ())
        return Comparison(np.nan, n, none, none, none, level, "undecided", (obstacle,))

    v, unit = np.log(tail / tail[0]), np.log(tail[0])
    y1 = np.expm1(v)  # y - 1
    alpha = 1 + 1 / v.mean()
    power = np.log(alpha - 1) - alpha * v
    rate = 1 / y1.mean()
    exponential = np.log(rate) - rate * y1
    log_normal, mu, sigma = _log_normal(v, power)
    truncated, exponent, cut_off = _truncated(v, y1, alpha, rate, power, exponential)

    def ratio(model: np.ndarray, parameters: tuple[float, ...], nested: bool = False) -> Ratio:
        R, normalised, p = _likelihood_ratio(power, model, nested)
        return Ratio(R, normalised, p, float(model.sum() - n * unit), parameters)

    return Comparison(
        float(alpha),
        n,
        ratio(exponential, (float(rate / tail[0]),)),
        ratio(log_normal, (float(mu + unit), float(sigma))),
        ratio(truncated, (float(exponent), float(cut_off / tail[0])), nested=True),
        level,
        _best(power, exponential, log_normal, truncated, level),
        (),
    )


def _obstacle(tail: np.ndarray) -> str | None:
    """Why nothing can be compared on an ascending tail; None if nothing stands in the way."""
    if not len(tail):
        return "no power law was fitted"
    if len(tail) < MIN_TAIL:
        return f"tail of fewer than {MIN_TAIL} eigenvalues"
    return None if tail[-1] > tail[0] else "all eigenvalues of the tail are equal"


def flag_alternatives(fit: PowerLawFit, comparison: Comparison) -> PowerLawFit:
    """The fit, with a reason for each significantly better alternative; unreliable if any is."""
    reasons = tuple(
        f"{name} fits the tail better (p < {comparison.level:g})"
        for name in comparison.ruled_out_by
    )
    return replace(fit, reliable=fit.reliable and not reasons, reasons=fit.reasons + reasons)


def _likelihood_ratio(
    model: np.ndarray, rival: np.ndarray, nested: bool
) -> tuple[float, float, float]:
    """R, normalised R and p of pointwise log-likelihoods; nested: the rival contains the model."""
    difference = model - rival
    R, spread = difference.sum(), np.sqrt(len(model)) * difference.std()
    if spread == 0:
        return 0.0, 0.0, 1.0
    p = erfc(np.sqrt(max(-R, 0.0))) if nested else erfc(abs(R) / (np.sqrt(2) * spread))
    return float(R), float(R / spread), float(p)


def _best(
    power: np.ndarray,
    exponential: np.ndarray,
    log_normal: np.ndarray,
    truncated: np.ndarray,
    level: float,
) -> str:
    """The model that `Comparison` calls best, from the pointwise log-likelihoods of all four."""

    def better(model: np.ndarray, rival: np.ndarray, contains: bool = False) -> bool:
        R, _, p = _likelihood_ratio(rival, model, contains)
        return R < 0 and p < level

    simple_power, simple_exponential = better(power, exponential), better(exponential, power)
    cut_beats_power = better(truncated, power, contains=True)
    cut_beats_exponential = better(truncated, exponential, contains=True)
    log_beats_power = better(log_normal, power)
    log_beats_exponential = better(log_normal, exponential)
    if cut_beats_power and cut_beats_exponential and better(truncated, log_normal):
        return "truncated power law"
    if log_beats_power and log_beats_exponential and better(log_normal, truncated):
        return "log-normal"
    if simple_power and not (cut_beats_power or log_beats_power):
        return "power law"
    if simple_exponential and not (cut_beats_exponential or log_beats_exponential):
        return "exponential"
    return "undecided"


def _log_normal(v: np.ndarray, power: np.ndarray) -> tuple[np.ndarray, float, float]:
    """Pointwise log-likelihood in y, and mu and sigma of v = log y; at the limit the power law's.

    With t = mu / sigma and h = phi(t) / Phi(t), of v >= 0: E[v] = sigma (t + h) and E[v^2] =
    sigma^2 (1 + t (t + h)).
    """
    mean, ratio = v.mean(), np.mean(v**2) / v.mean() ** 2

    def excess(t: float) -> float:
        first = _mean_above_zero(t)
        difference: float = (1 + t * first) / first**2 - ratio
        return difference

    if excess(_FARTHEST) <= 0:
        return power, -np.inf, np.inf
    nearest = 2.0
    while excess(nearest) > 0:  # the ratio falls from 2 to 1 as t grows
        nearest *= 2
    t = brentq(excess, _FARTHEST, nearest, xtol=1e-12, rtol=1e-14)
    sigma = mean / _mean_above_zero(t)
    standard = v / sigma - t
    return (
        -v - np.log(sigma) - standard**2 / 2 - np.log(2 * np.pi) / 2 - log_ndtr(t),
        t * sigma,
        sigma,
    )


def _mean_above_zero(t: float) -> float:
    """E[z] of a normal of mean t and variance 1 given z >= 0."""
    mean: float = t + np.sqrt(2 / np.pi) / erfcx(-t / np.sqrt(2))
    return mean


def _truncated(
    v: np.ndarray,
    y1: np.ndarray,
    alpha: float,
    rate: float,
    power: np.ndarray,
    exponential: np.ndarray,
) -> tuple[np.ndarray, float, float]:
    """Pointwise log-likelihood in y, alpha and rate of y^-alpha exp(-rate y) on y >= 1."""
    low = _WEAKEST / y1.max()

    def exponent(rate: float) -> float:
        """The best alpha at this rate.

        It is at least 0, as the rate is not above the exponential's, and at most the power law's.
        """
        best: float = brentq(
            lambda a: _cut_off(a, rate)[1] - v.mean(), 0.0, alpha + 1e-6, xtol=1e-11
        )
        return best

    def gradient(log_rate: float) -> float:
        """The relative slope, by rate, of the likelihood maximised over alpha; it falls."""
        rate = np.exp(log_rate)
        slope: float = _cut_off(exponent(rate), rate)[2] / y1.mean() - 1
        return slope

    if _cut_off(0.0, rate)[1] <= v.mean():
        return exponential, 0.0, rate
    if gradient(np.log(low)) <= 0:
        return power, alpha, 0.0
    best = np.exp(brentq(gradient, np.log(low), np.log(rate), xtol=1e-10))
    a = exponent(best)
    return -a * v - best * y1 - _cut_off(a, best)[0], a, best


def _cut_off(alpha: float, rate: float) -> tuple[float, float, float]:
    """The log of the integral of y^-alpha exp(-rate (y - 1)) over y >= 1; means of log y and y - 1.

    In v = log y the integrand exp((1 - alpha) v - rate expm1(v)) is log-concave and smooth. The
    range ends where the integrand of the mean of y has become negligible.
    """
    power = 2 - alpha
    peak = max(0.0, np.log(power / rate)) if power > 0 else 0.0
    floor = power * peak - rate * np.expm1(peak) - _NEGLIGIBLE
    end = peak + 1
    while power * end - rate * np.expm1(end) > floor:
        end = peak + 2 * (end - peak)
    move = end
    # Newton's method on a concave function, from beyond its root: monotone
    while move > 1e-3 * (end - peak):
        move = (power * end - rate * np.expm1(end) - floor) / (power - rate * np.exp(end))
        end -= move
    v = end / 2 * (_NODES + 1)
    y1 = np.expm1(v)
    weight = _WEIGHTS * end / 2 * np.exp((1 - alpha) * v - rate * y1)
    z = weight.sum()
    return np.log(z), weight @ v / z, weight @ y1 / z
