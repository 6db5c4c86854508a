"""Likelihood ratios against the `powerlaw` package, quadrature and planted tails."""

import warnings
from dataclasses import replace

import numpy as np
import powerlaw as package
import pytest
from scipy.integrate import quad
from scipy.optimize import minimize
from scipy.special import log_ndtr

from ddiv.spectra import powerlaw
from ddiv.spectra.alternatives import ALTERNATIVES, BEST, compare, flag_alternatives

UNIT = 0.37  # eigenvalues have a unit: nothing may depend on it


def sample(kind: str, n: int, seed: int = 0) -> np.ndarray:
    """Values of at least 1, times UNIT."""
    rng = np.random.default_rng([seed, n])
    y = {
        "power 2": lambda: (1 - rng.random(n)) ** -1.0,
        "power 2.5": lambda: (1 - rng.random(n)) ** (-1 / 1.5),
        "power 4.5": lambda: (1 - rng.random(n)) ** (-1 / 3.5),
        "exponential": lambda: 1 + rng.exponential(2.0, n),
        "log-normal": lambda: np.exp(np.abs(rng.normal(0, 1, n))),
        "truncated": lambda: cut_off(n, 1.5, 0.02, rng),
        "uniform": lambda: 1 + rng.random(n),
        "outlier": lambda: np.r_[1 + rng.random(n - 1), 1e8],
    }[kind]()
    return UNIT * y


def cut_off(n: int, alpha: float, rate: float, rng: np.random.Generator) -> np.ndarray:
    """y^-alpha exp(-rate y) on y >= 1, by rejection."""
    y = 1 + rng.exponential(1 / rate, 150 * n)
    return y[rng.random(len(y)) < y**-alpha][:n]


def whole(x: np.ndarray) -> powerlaw.PowerLawFit:
    """A fit whose tail is all of x: the comparison alone is under test."""
    x = np.asarray(x)
    return replace(powerlaw.fit(x, floor=0.0), xmin=float(x.min()), num_pl_spikes=len(x))


def reference(x: np.ndarray, xmin: float):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # parameters near their bounds
        return package.Fit(x, xmin=xmin, verbose=0, parameter_ranges={"alpha": [0, 60]})


@pytest.mark.parametrize("kind", ["power 2", "power 2.5", "exponential", "log-normal", "truncated"])
def test_agrees_with_the_powerlaw_package(kind):
    for n in (80, 600):
        require_agreement(sample(kind, n))


def require_agreement(x: np.ndarray) -> None:
    fit = powerlaw.fit(x)
    ours, theirs = compare(x, fit), reference(x, fit.xmin)
    assert ours.alpha == pytest.approx(theirs.power_law.alpha, rel=1e-9)
    assert ours.tail_size == fit.num_pl_spikes
    pairs = {
        "exponential": ours.exponential,
        "lognormal": ours.log_normal,
        "truncated_power_law": ours.truncated_power_law,
    }
    compared = 0
    for name, ratio in pairs.items():
        model = getattr(theirs, name)
        if name == "lognormal" and (model.mu - np.log(fit.xmin)) / model.sigma < -30:
            honest = log_normal_density(x[x >= fit.xmin], model.mu, model.sigma, fit.xmin).sum()
            assert ratio.log_likelihood >= honest - 1e-9  # its normaliser has lost its digits there
            continue
        assert ratio.log_likelihood >= model.loglikelihood - 1e-6  # ours is the maximum
        if ratio.log_likelihood > model.loglikelihood + 1e-3:
            continue  # its optimiser stopped early, or at a bound of its own
        compared += 1
        for normalised, value in ((False, ratio.R), (True, ratio.normalised)):
            R, p = theirs.distribution_compare("power_law", name, normalized_ratio=normalised)
            assert value == pytest.approx(R, abs=2e-3)
        assert ratio.p == pytest.approx(p, abs=5e-3)
    assert compared >= 2


def log_normal_density(x: np.ndarray, mu: float, sigma: float, xmin: float) -> np.ndarray:
    standard = (np.log(x) - mu) / sigma
    share = log_ndtr((mu - np.log(xmin)) / sigma)
    return -np.log(x * sigma) - standard**2 / 2 - np.log(2 * np.pi) / 2 - share


@pytest.mark.parametrize(
    "kind", ["power 2", "power 4.5", "exponential", "log-normal", "truncated", "outlier"]
)
def test_maxima_are_found(kind):
    for seed in range(3):
        require_maxima(sample(kind, 150, seed))


def require_maxima(x: np.ndarray) -> None:
    """No point that a general optimiser or the boundary offers is better, with normalisers by
    adaptive quadrature.
    """
    c = compare(x, whole(x))
    y, unit = x / x.min(), len(x) * np.log(x.min())

    def negative(parameters):
        alpha, rate = parameters[0], np.exp(parameters[1])
        end = np.log(1 + 60 / rate)
        z = quad(lambda v: np.exp((1 - alpha) * v - rate * np.expm1(v)), 0, end, limit=200)[0]
        return (
            (alpha * np.log(y) + rate * (y - 1)).sum() + len(y) * np.log(z) + unit
            if alpha >= 0
            else np.inf
        )

    power = (np.log(c.alpha - 1) - c.alpha * np.log(y)).sum() - unit
    truncated = c.truncated_power_law
    others = [
        -minimize(negative, start, method="Nelder-Mead").fun
        for start in ([1.0, -1.0], [c.alpha, -6.0])
    ]
    assert truncated.log_likelihood >= max(*others, power, c.exponential.log_likelihood) - 1e-6
    alpha, rate = truncated.parameters
    if rate > 0 and alpha > 0:
        assert truncated.log_likelihood == pytest.approx(
            -negative([alpha, np.log(rate * x.min())]), abs=1e-6
        )
    mu, sigma = c.log_normal.parameters
    if np.isfinite(mu):
        at = log_normal_density(x, mu, sigma, x.min()).sum()
        assert c.log_normal.log_likelihood == pytest.approx(at, abs=1e-6)
        for factor in (0.99, 1.01):  # the maximum: every step away is worse
            assert log_normal_density(x, mu * factor, sigma, x.min()).sum() < at
            assert log_normal_density(x, mu, sigma * factor, x.min()).sum() < at
    else:
        assert c.log_normal.R == 0 and c.log_normal.p == 1
        for t in (-30.0, -100.0, -300.0):  # along the ridge the power law is approached from below
            sigma = np.log(y).mean() * -t
            assert log_normal_density(y, t * sigma, sigma, 1.0).sum() - unit < power
    assert truncated.R <= 1e-9 and c.log_normal.R <= 1e-9


def test_exponential_by_hand():
    y = np.array([1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 7.0, 9.0, 16.0])
    c = compare(y, whole(y))
    rate, alpha = 1 / (y - 1).mean(), 1 + 10 / np.log(y).sum()
    difference = np.log(alpha - 1) - alpha * np.log(y) - np.log(rate) + rate * (y - 1)
    assert c.exponential.parameters == (pytest.approx(rate),) and c.alpha == pytest.approx(alpha)
    assert c.exponential.R == pytest.approx(difference.sum())
    assert c.exponential.normalised == pytest.approx(
        difference.sum() / np.sqrt(10) / difference.std()
    )
    assert compare(100 * y, whole(100 * y)).exponential[:3] == pytest.approx(c.exponential[:3])


@pytest.mark.parametrize("kind, expected", [
    ("power 2", "power law"), ("power 4.5", "power law"), ("exponential", "exponential"),
    ("truncated", "truncated power law"), ("log-normal", "log-normal"),
])  # fmt: skip
def test_planted_tails_are_named_or_left_undecided(kind, expected):
    verdicts = [compare(x, whole(x)).best for x in (sample(kind, 3000, seed) for seed in range(12))]
    assert verdicts.count(expected) >= 5
    assert sum(v not in (expected, "undecided") for v in verdicts) <= 1


def test_false_alarms_are_rare():
    rng = np.random.default_rng(0)
    tails = (1 - rng.random((300, 200))) ** (-1 / 1.5)
    found = [compare(x, fit) for x, fit in zip(tails, powerlaw.fit_batch(tails), strict=True)]
    for name in ALTERNATIVES:  # the level is 5 %; 5 % of 300 plus three standard errors is 26
        assert sum(name in c.ruled_out_by for c in found) <= 26
    assert {c.best for c in found} <= set(BEST)


def test_flags_are_opt_in():
    x = sample("exponential", 400)
    fit = replace(whole(x), reliable=True, reasons=())
    c = compare(x, fit)
    assert "exponential" in c.ruled_out_by
    flagged = flag_alternatives(fit, c)
    assert not flagged.reliable and "exponential fits the tail better (p < 0.05)" in flagged.reasons
    assert replace(flagged, reliable=True, reasons=()) == fit
    good = sample("power 2", 400)
    fit = powerlaw.fit(good)
    assert flag_alternatives(fit, compare(good, fit)) == fit and fit.reliable


@pytest.mark.parametrize("evals, reason", [
    (np.full(40, 2.0), "no power law"), (np.r_[np.ones(30), np.nan], "no power law"),
    (np.arange(1.0, 8.0), "tail of fewer than 10"), (np.zeros(0), "no power law"),
])  # fmt: skip
def test_nothing_to_compare_is_nan_with_a_reason(evals, reason):
    c = compare(evals, powerlaw.fit(evals if len(evals) else np.ones(20)))
    assert c.best == "undecided" and reason in c.reasons[0] and c.ruled_out_by == ()
    assert np.isnan(
        [c.alpha, *c.exponential[:4], *c.log_normal[:4], *c.truncated_power_law[:4]]
    ).all()


def test_tied_tail():
    x = np.r_[np.linspace(1, 2, 40), np.full(12, 3.0)]
    fit = replace(powerlaw.fit(x), xmin=3.0, num_pl_spikes=12)
    assert "equal" in compare(x, fit).reasons[0]


def test_bad_input_is_an_error():
    x = sample("power 2", 100)
    fit = powerlaw.fit(x)
    with pytest.raises(ValueError, match="that the fit was made of"):
        compare(2 * x, fit)
    with pytest.raises(ValueError, match="one dimension"):
        compare(x[None], fit)
    with pytest.raises(ValueError, match="level"):
        compare(x, fit, level=0.0)
