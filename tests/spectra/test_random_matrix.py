"""Random matrix theory's numbers on spectra whose law is known, and on those too small for one."""

import numpy as np
import pytest
from scipy import stats

from ddiv.spectra import mp
from ddiv.spectra import random_matrix as rmt


def spectrum(matrix: np.ndarray) -> np.ndarray:
    return np.linalg.svd(matrix, compute_uv=False) ** 2


def noise(N: int, M: int, seed: int, sigma: float = 0.3) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(N, M)) * sigma


def of(evals: np.ndarray, *shape: int) -> dict[str, float]:
    return {
        name: float(column[0])
        for group in rmt.GROUPS
        for name, column in rmt.table(group, [(evals, shape)]).items()
    }


def test_noise_is_within_its_bound_and_has_no_structure():
    found = rmt.table("mp", [(spectrum(noise(256, 100, seed)), (256, 100)) for seed in range(40)])
    assert found["mp_departs"].sum() <= 2  # one in a hundred is expected
    assert np.median(found["mp_ks"]) < 0.8 and np.allclose(found["mp_soft_rank"], 1, atol=0.1)
    assert np.median(found["phase"]) == 0 and np.mean(found["regularised"]) < 0.1


def test_pooled_slices_of_noise_are_noise_too():
    evals = np.concatenate([spectrum(noise(64, 32, seed)) for seed in range(9)])
    found = of(evals, 64, 32, 9)
    assert found["mp_ks"] < 1 and found["phase"] == 0 and found["regularised"] == 0
    # As one matrix of that many eigenvalues they would be too irregular: those of one repel each
    # other.
    assert of(evals, 64 * 9, 32 * 9)["mp_ks"] > 1.5


def test_spikes_take_the_whole_from_the_law_but_not_the_bulk():
    rng = np.random.default_rng(1)
    u, v = (np.linalg.qr(rng.normal(size=(side, 3)))[0] for side in (256, 100))
    found = of(spectrum(noise(256, 100, 1) + 30 * u @ v.T), 256, 100)
    assert found["mp_ks"] > 1 > found["mp_bulk_ks"] and found["mp_departs"] == 1
    assert found["phase"] == 2 and found["regularised"] == 1
    # Three equal signals of 30 on noise of .3: (30² + .3² · 256)(30² + .3² · 100) / 30², the spiked
    # model's closed form.
    expected = mp.bulk_edges(253, 97, 0.3)[1] / ((900 + 0.09 * 256) * (900 + 0.09 * 100) / 900)
    assert found["mp_soft_rank"] == pytest.approx(expected, rel=0.05)


def test_heavy_tailed_entries_are_seen_as_such():
    rng = np.random.default_rng(2)
    found = of(spectrum(rng.pareto(1.5, (300, 200)) * rng.choice([-1, 1], (300, 200))), 300, 200)
    assert found["phase"] == 4 and found["regularised"] == 1 and found["mp_ks"] > 3
    assert found["llr_exponential"] > 2 and found["llr_lognormal"] > rmt.NOT_WORSE


def test_likelihood_ratios_tell_the_planted_tail():
    shares = (np.arange(400) + 0.5) / 400
    quantiles = (1 - shares) ** (-1 / 1.5), 1 - np.log(1 - shares), 1 + shares
    pareto, exponential, bounded = (of(x, 500, 400) for x in quantiles)
    assert pareto["llr_exponential"] > 2 and pareto["llr_lognormal"] > -0.5
    # xmin is where a power law does best, so it is hard to tell
    assert -2 < exponential["llr_exponential"] < 0
    assert bounded["llr_exponential"] < -2 and bounded["llr_lognormal"] < rmt.NOT_WORSE


def test_the_distance_is_that_of_a_kolmogorov_smirnov_test():
    evals = spectrum(noise(90, 60, 3, sigma=2.0)) * np.linspace(0.5, 1.5, 60)
    sigma = np.sqrt(evals.sum() / (90 * 60))
    expected = stats.kstest(evals, lambda x: mp.cdf(x, 90, 60, sigma)).statistic
    assert rmt.whole_ks(evals[::-1], 90, 60) == pytest.approx(expected, abs=1e-12)


def test_numbers_are_free_of_the_weights_scale():
    evals = spectrum(noise(120, 80, 4) + np.outer(np.ones(120), np.ones(80)))
    one, other = of(evals, 120, 80), of(evals * 1e3, 120, 80)
    assert one == pytest.approx(other)


@pytest.mark.parametrize(
    "evals, shape, missing",
    [
        (np.ones(6), (9, 6), set(rmt.GROUP_OF)),
        (spectrum(noise(60, 20, 5)), (60, 20), {"phase", "regularised"}),
        (np.zeros(60), (60, 60), set(rmt.GROUP_OF) - {"phase", "regularised"}),
    ],
    ids=["side of 6", "20 eigenvalues", "zero matrix"],
)
def test_what_a_spectrum_does_not_have_is_missing(evals, shape, missing):
    found = of(evals, *shape)
    assert missing <= {name for name, value in found.items() if np.isnan(value)}
    assert not np.isnan([found[name] for name in ("phase", "mp_ks") if name not in missing]).any()


def test_a_zero_matrix_has_collapsed():
    assert of(np.zeros(60), 60, 60)["phase"] == 5 and of(np.zeros(60), 60, 60)["regularised"] == 0
