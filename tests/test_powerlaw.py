"""Power-law fits, against WeightWatcher on the CPU and planted power laws."""


import numpy as np
import pytest

from ddiv.spectra import metrics, powerlaw
from tests.spectra_cases import SIZES, spectrum


@pytest.mark.parametrize("kind", ["gaussian", "pareto"])
@pytest.mark.parametrize("size", SIZES)
def test_fit_is_weightwatchers(ww, size, kind):
    for seed in range(5):
        evals = spectrum(size, kind, seed)
        ours, theirs = powerlaw.fit(evals), ww.fit(evals[evals > 1e-5])
        assert ours.xmin == theirs.xmin  # the identical candidate, not one nearby
        np.testing.assert_allclose(
            [ours.alpha, ours.D, ours.sigma], [theirs.alpha, theirs.D, theirs.sigma], rtol=1e-9, atol=0
        )
        assert ours.num_pl_spikes == ours.tail_size == len(evals[evals >= theirs.xmin])
        assert ours.num_pl_spikes == metrics.num_pl_spikes(evals, theirs.xmin)


def test_every_candidate_has_weightwatchers_distance(ww):
    evals = spectrum((300, 120), "pareto")
    reference = ww.fit(evals)
    logs = np.log(evals[None])
    ours = powerlaw._ks_distances(logs, np.append(reference.alphas - 1, 0.0)[None])
    np.testing.assert_allclose(ours[0], reference.Ds, rtol=0, atol=1e-12)


def test_batch_equals_single_fits_and_ignores_order():
    rng = np.random.default_rng(1)
    stack = rng.pareto(2.0, (300, 70)) + 0.1  # 300 spectra: several blocks of spectra and of candidates
    batch = powerlaw.fit_batch(stack)
    assert len(batch) == 300
    shuffled = powerlaw.fit_batch(rng.permuted(stack, axis=1))
    for i in range(300):
        assert batch[i] == powerlaw.fit(stack[i]) == shuffled[i]
    assert len(set(batch.tail_size)) > 20  # the fits do differ


def test_floor_and_padding(ww):
    evals = spectrum((100, 60), "pareto")
    tiny = np.concatenate([np.full(30, 1e-6), evals])
    assert powerlaw.fit(np.concatenate([np.zeros(30), evals])) == powerlaw.fit(evals)
    assert powerlaw.fit(tiny) == powerlaw.fit(evals)
    assert powerlaw.fit(tiny, floor=0.0).num_evals == 90
    noise = spectrum((64, 64), "gaussian") * 1e-4  # the floor cuts into this one
    cut = noise[noise > 1e-5]
    assert 20 <= len(cut) < 64 and powerlaw.fit(noise).num_evals == len(cut)
    assert powerlaw.fit(noise).xmin == ww.fit(cut).xmin
    with pytest.raises(ValueError, match="floor"):
        powerlaw.fit(evals, floor=-1.0)


@pytest.mark.parametrize("alpha", [2.0, 3.0, 4.5])
def test_planted_power_law_is_recovered(alpha):
    rng = np.random.default_rng(7)
    x = (1 - rng.random((40, 1000))) ** (-1 / (alpha - 1))  # density ~ x^-alpha from 1 on
    fits = powerlaw.fit_batch(x)
    assert fits.reliable.mean() >= 0.9
    good = fits.reliable
    assert np.mean(np.abs(fits.alpha - alpha)[good] < 3 * fits.sigma[good]) >= 0.9  # xmin is chosen: not 99.7 %
    assert abs(np.median(fits.alpha) - alpha) < 3 * np.median(fits.sigma) / np.sqrt(40) * 2
    hill = powerlaw.hill_alpha(x, k=500)
    assert (np.abs(hill - alpha) < 3 * (alpha - 1) / np.sqrt(500)).mean() >= 0.95
    assert abs(hill.mean() - alpha) < 3 * (alpha - 1) / np.sqrt(500 * 40)


def test_hill_by_hand_and_default_tail():
    x = np.exp([0.0, 1.0, 2.0, 4.0])
    assert powerlaw.hill_alpha(x, k=2) == pytest.approx(1 + 2 / (1 + 3), rel=1e-12)
    y = np.random.default_rng(0).pareto(2, (3, 5, 40))
    np.testing.assert_array_equal(powerlaw.hill_alpha(y), powerlaw.hill_alpha(y, k=10))
    np.testing.assert_array_equal(powerlaw.hill_alpha(y[..., :8]), powerlaw.hill_alpha(y[..., :8], k=5))
    y[0, 0, 0], y[1, 1] = np.nan, 0.0
    assert np.isnan(powerlaw.hill_alpha(y))[[0, 1], [0, 1]].all() and np.isnan(powerlaw.hill_alpha(y)).sum() == 2
    for k in (0, 40):
        with pytest.raises(ValueError, match="1 <= k < M"):
            powerlaw.hill_alpha(y, k=k)


@pytest.mark.parametrize(
    "evals, reason",
    [
        (np.full(60, 2.0), "all eigenvalues are equal"),
        (np.zeros(60), "above the floor"),
        (np.r_[np.zeros(59), 3.0], "above the floor"),
        (np.r_[np.ones(59), np.nan], "NaN"),
        (np.r_[np.ones(59), np.inf], "NaN"),
        (np.r_[-1.0, np.arange(1.0, 60.0)], "negative"),
        (np.array([3.0]), "above the floor"),
    ],
)
def test_what_cannot_be_fitted_is_nan_with_a_reason(evals, reason):
    fit = powerlaw.fit(evals)
    assert not fit.reliable and any(reason in r and "not fitted" in r for r in fit.reasons)
    assert np.isnan([fit.alpha, fit.xmin, fit.D, fit.sigma]).all() and fit.tail_size == fit.num_pl_spikes == 0
    if len(evals) == 60:  # and it does not spoil its neighbours
        good = np.random.default_rng(0).pareto(2, 60) + 1
        assert powerlaw.fit_batch(np.stack([evals, good]))[1] == powerlaw.fit(good)


def test_wrong_shapes_are_errors():
    for wrong in (np.array([]), np.ones((2, 3)), np.float64(1)):
        with pytest.raises(ValueError, match="shape"):
            powerlaw.fit(wrong)
    for wrong in (np.ones(5), np.ones((3, 0))):
        with pytest.raises(ValueError, match="shape"):
            powerlaw.fit_batch(wrong)
    assert len(powerlaw.fit_batch(np.ones((0, 5)))) == 0


def test_reliability_rules():
    x = np.sort(np.random.default_rng(3).pareto(2.0, 400) + 1)
    good = powerlaw.fit(x)
    assert good.reliable and good.reasons == ()
    for m, expected in [(5, 3), (8, 2), (19, 2), (20, 1), (49, 1), (50, 0)]:
        few = powerlaw.fit(x[:: 400 // m][:m])
        assert np.isfinite(few.alpha) and few.num_evals == m
        assert sum("fewer than" in r and "tail" not in r for r in few.reasons) == expected
        assert not (few.reliable and expected)
    steep = powerlaw.fit(x**0.1)
    assert not steep.reliable and "alpha outside 1.5 to 8" in steep.reasons
    flat = powerlaw.fit(x**5)
    assert flat.alpha < 1.5 and flat.reasons == ("alpha outside 1.5 to 8",)
    short = powerlaw.fit(np.r_[np.linspace(1, 1.1, 200), 10.0 ** np.arange(1, 6)])
    tail = 2 * (1 - np.arange(11) / 11) ** (-1 / 5)  # quantiles of alpha = 6
    loose = powerlaw.fit(np.r_[np.linspace(1, 1.01, 60), tail])
    assert 10 <= loose.tail_size <= 11 and loose.reasons == ("sigma / alpha not below 0.25",)
    assert short.tail_size < 10 and "tail of fewer than 10 eigenvalues" in short.reasons


def test_noise_of_20_eigenvalues_is_not_called_reliable():
    fits = powerlaw.fit_batch(np.stack([spectrum((64, 20), "gaussian", s) for s in range(100)]))
    assert ((fits.alpha > 2) & (fits.alpha < 6)).mean() > 0.5  # it looks good ..
    assert not fits.reliable.any()  # .. and is not
