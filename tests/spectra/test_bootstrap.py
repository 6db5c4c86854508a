"""The bootstrap interval of alpha: coverage of planted exponents, and its edges."""

import numpy as np
import pytest
from scipy.stats import binom

from ddiv.spectra import bootstrap, powerlaw
from ddiv.spectra.bootstrap import alpha_interval, resampled_alphas
from tests.support.alpha_coverage import PLANTS, coverage, planted


@pytest.mark.parametrize("plant", PLANTS)
@pytest.mark.parametrize("level", [0.8, 0.95])
def test_covers_planted_alpha_at_its_rate(plant, level):
    """100 samples: not below the level beyond chance (1 in 1000), nor beyond chance above half as
    many misses.
    """
    found = coverage(plant, 3.0, 150, samples=100, replicates=80, level=level, bootstraps=False)
    share, width = found["ours"]
    assert binom.ppf(0.001, 100, level) <= 100 * share <= binom.ppf(0.999, 100, (1 + level) / 2)
    assert found["sigma"][0] <= share and width < 2.2 * found["sigma"][1]


def test_is_the_mean_of_percentile_and_basic():
    x = planted("smooth", 3.0, 150, np.random.default_rng(0))
    alpha, resampled = powerlaw.fit(x).alpha, resampled_alphas(x, 100, 4)
    low, high = np.quantile(resampled, [0.05, 0.95])
    mean = np.array([low + 2 * alpha - high, high + 2 * alpha - low]) / 2
    assert alpha_interval(x, level=0.9, replicates=100, seed=4) == pytest.approx(tuple(mean))
    assert len(resampled) == 100 and len(set(resampled)) > 50


def test_equal_seeds_equal_intervals_and_floor_drops_padding():
    x = planted("pure", 2.5, 120, np.random.default_rng(1))
    first = alpha_interval(x, replicates=60, seed=3)
    assert (
        first
        == alpha_interval(np.r_[x, np.zeros(40)], replicates=60, seed=3)
        != alpha_interval(x, replicates=60)
    )
    wide = alpha_interval(x, level=0.99, replicates=60, seed=3)
    assert 1 <= wide.low < first.low < powerlaw.fit(x).alpha < first.high < wide.high
    small = alpha_interval(x[:15], replicates=60, method="weightwatcher")
    assert np.isfinite(small).all() and small != alpha_interval(x[:15], replicates=60)


def test_more_values_than_fit_at_once(monkeypatch):
    x = planted("pure", 2.5, 100, np.random.default_rng(2))
    monkeypatch.setattr(bootstrap, "_AT_ONCE", 1000)
    assert len(resampled_alphas(x, 55, 0)) == 55


@pytest.mark.parametrize(
    "evals", [np.zeros(50), np.full(50, 2.0), np.r_[np.ones(60), np.nan], np.arange(1.0, 4.0)]
)
def test_no_fit_no_interval(evals):
    assert np.isnan(alpha_interval(evals)).all()


def test_mostly_equal_values_have_no_interval():
    x = np.r_[np.full(60, 1.0), 1.5]  # 37 % of the resamples hold one value only
    assert np.isfinite(powerlaw.fit(x).alpha)
    assert len(resampled_alphas(x, 200, 0)) < 160


def test_bad_arguments_are_errors():
    x = planted("pure", 2.5, 50, np.random.default_rng(0))
    for arguments, match in (
        ({"level": 1.0}, "level"),
        ({"replicates": 20}, "replicates"),
        ({"floor": -1}, "floor"),
        ({"method": "mle"}, "method"),
    ):
        with pytest.raises(ValueError, match=match):
            alpha_interval(x, **arguments)
    with pytest.raises(ValueError, match="shape"):
        alpha_interval(x[None])
