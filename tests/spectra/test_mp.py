"""Marchenko-Pastur fits, against WeightWatcher on the CPU, closed forms and planted noise and
spikes.
"""

import subprocess
import sys
import warnings
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from scipy import integrate, linalg, special, stats
from sklearn.neighbors import KernelDensity
from torch import nn

from ddiv.spectra import mp
from tests.support.spectra_cases import signed, spiked


def noise(rng, N, M):
    """Eigenvalues of a Gaussian N x M matrix without the matrix (Dumitriu and Edelman, J. Math.

    Phys. 2002).
    """
    diagonal = np.sqrt(rng.chisquare(N - np.arange(M)))
    below = np.sqrt(rng.chisquare(np.arange(M - 1, 0, -1)))
    squares = diagonal**2
    squares[1:] += below**2
    return linalg.eigvalsh_tridiagonal(squares, diagonal[:-1] * below)


def evals_of(w):
    return np.linalg.eigvalsh(w.T @ w).clip(0)


# --- the law ------------------------------------------------------------------------------------


@pytest.mark.parametrize("N, M", [(100, 100), (100, 99.9), (400, 100), (1000, 10), (7, 2)])
def test_law_integrates_to_its_distribution_and_moments(N, M):
    sigma = 0.3
    low, high = mp.bulk_edges(N, M, sigma)

    # t = low + (high - low) sin^2 takes the roots at both edges out of the integrand.
    def integral(function, upto=np.pi / 2):
        def integrand(angle):
            x = low + (high - low) * np.sin(angle) ** 2
            return function(x) * mp.pdf(x, N, M, sigma) * (high - low) * np.sin(2 * angle)

        return integrate.quad(integrand, 1e-12, upto, epsabs=1e-11, limit=200)[0]

    assert integral(np.ones_like) == pytest.approx(1, abs=1e-9)
    assert integral(lambda x: x) == pytest.approx(sigma**2 * N, rel=1e-9)  # the MP moments
    assert integral(np.square) == pytest.approx(sigma**4 * N * (N + M), rel=1e-9)
    assert integral(lambda x: x**3) == pytest.approx(
        sigma**6 * N * (N * N + 3 * N * M + M * M), rel=1e-9
    )
    for angle in (0.1, 0.5, 1.0, 1.4):
        x = low + (high - low) * np.sin(angle) ** 2
        assert mp.cdf(x, N, M, sigma) == pytest.approx(integral(np.ones_like, angle), abs=1e-9)
    np.testing.assert_allclose(
        mp.cdf([low - 1, low, high, high + 1], N, M, sigma), [0, 0, 1, 1], atol=1e-12
    )
    assert (mp.pdf([low - 1e-9, high + 1e-9], N, M, sigma) == 0).all()


def test_square_law_is_the_quarter_circle():
    x = np.linspace(0.01, 4, 50) * 25
    # singular values of 25 x 25 reach 2 sqrt(25)
    circle = stats.semicircular(scale=2 * 5).cdf(np.sqrt(x)) * 2 - 1
    np.testing.assert_allclose(mp.cdf(x, 25, 25), circle, atol=1e-12)
    assert mp.pdf(0.0, 25, 25) == np.inf and mp.bulk_edges(25, 25) == (0, 100)


def test_law_refuses_what_is_none():
    for law in (
        mp.bulk_edges,
        lambda *shape: mp.pdf(1.0, *shape),
        lambda *shape: mp.cdf(1.0, *shape),
    ):
        for N, M, sigma in [
            (3, 4, 1),
            (4, 0, 1),
            (4, 3, 0),
            (4, 3, np.nan),
            (np.nan, 3, 1),
            (np.inf, 3, 1),
        ]:
            with pytest.raises(ValueError, match="N >= M > 0 and sigma > 0"):
                law(N, M, sigma)


# --- the definition "weightwatcher" ---------------------------------------------------------------


def reported(ww, evals, N, M, count):
    """num_spikes, sigma_mp, mp_softrank, bulk_min, bulk_max, W_scale of WeightWatcher's own
    function.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ww.main.WeightWatcher().mp_fit(
            evals, N, M, count, "", 0, 0, False, False, "", "", 1, True, evals
        )


@pytest.mark.parametrize(
    "shape", [(64, 64, 1), (256, 64, 1), (100, 37, 1), (40, 10, 9), (30, 30, 9), (9, 8, 1)]
)
def test_fit_is_weightwatchers(ww, shape):
    few = ("spiked", "tiny") if shape in ((256, 64, 1), (30, 30, 9)) else ()
    for kind in ("gaussian", "pareto", *few):
        N, M, count = shape
        rng = np.random.default_rng([*shape, len(kind)])
        w = (
            signed(rng, rng.pareto(2, (count, N, M)))
            if kind == "pareto"
            else rng.normal(size=(count, N, M))
        )
        if kind == "spiked":
            w[0] += np.outer(rng.normal(size=N), rng.normal(size=M))
        w = w * (1e-6 if kind == "tiny" else 0.3)
        evals = (np.linalg.svd(w, compute_uv=False) ** 2).ravel()
        ours, theirs = mp.fit(evals, N, M, count, "weightwatcher"), reported(ww, evals, N, M, count)
        assert ours.num_spikes == theirs[0], kind
        found = [ours.sigma_mp, ours.soft_rank, ours.bulk_min, ours.bulk_max, ours.w_scale]
        np.testing.assert_allclose(found, theirs[1:], rtol=1e-9, atol=0, err_msg=kind)
        edges = mp.bulk_edges(N, M, ours.sigma)
        np.testing.assert_allclose(
            edges, [ours.bulk_min, ours.bulk_max], rtol=1e-9, atol=0, err_msg=kind
        )


def test_fit_is_what_weightwatcher_reports_of_a_model(ww):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(60, 60), nn.Conv2d(20, 30, 3))
    table = ww.main.WeightWatcher(model=model).analyze(mp_fit=True, randomize=False, plot=False)
    for i, (w, N, M) in enumerate(
        [(model[0].weight, 60, 60), (model[1].weight.flatten(2).permute(2, 0, 1), 30, 20)]
    ):
        evals = np.linalg.svd(w.detach().double().numpy(), compute_uv=False).ravel() ** 2
        # it halves a convolution's eigenvalues (`conv2d_norm`)
        count, scale = len(evals) // M, 0.5 if i else 1.0
        ours, row = mp.fit(evals * scale, N, M, count, "weightwatcher"), table.iloc[i]
        assert (row["N"], row["M"], row["rf"], ours.num_spikes) == (N, M, count, row["num_spikes"])
        columns = {
            "sigma_mp": ours.sigma_mp,
            "mp_softrank": ours.soft_rank,
            "bulk_min": ours.bulk_min,
            "bulk_max": ours.bulk_max,
            "W_scale": ours.w_scale,
        }
        for name, value in columns.items():
            # its evals differ by round-off
            assert value == pytest.approx(row[name], rel=1e-5, abs=1e-12), name


def test_density_estimate_is_scikit_learns():
    values = np.sort(np.random.default_rng(0).pareto(1.5, 300))
    t = np.linspace(0, values[-1] + 0.5, 1000)
    theirs = np.exp(
        KernelDensity(kernel="linear", bandwidth=0.1).fit(values[:, None]).score_samples(t[:, None])
    )
    np.testing.assert_allclose(mp._linear_kde(values, t, 0.1), theirs, rtol=1e-9, atol=1e-11)


def test_where_weightwatcher_finds_nothing(ww):
    """All sigmas ruled out: the first of its grid comes out, and is flagged."""
    evals = np.repeat([0.0, 1.0], 10)
    ours, theirs = mp.fit(evals, 40, 20, 1, "weightwatcher"), reported(ww, evals, 40, 20, 1)
    assert (ours.sigma_mp, ours.num_spikes) == (pytest.approx(theirs[1], rel=1e-12), theirs[0])
    assert any("rules out every sigma" in reason for reason in ours.reasons) and not ours.accepted


# --- the definition "bulk" ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "N, M, within",
    [
        (64, 64, 0.012),
        (768, 768, 0.001),
        (3072, 768, 0.0005),
        (512, 64, 0.004),
        # 1 / sqrt(2 N M): the least error that any estimate has
        (100, 10, 0.023),
    ],
)
def test_noise_is_recovered(N, M, within):
    fits = [mp.fit(noise(np.random.default_rng(seed), N, M) * 0.04, N, M) for seed in range(40)]
    errors = np.array([fit.sigma for fit in fits]) / 0.2 - 1
    assert np.sqrt(np.mean(errors**2)) < within * 1.3 and abs(errors.mean()) < within / 2
    edges = np.array([(fit.bulk_min, fit.bulk_max) for fit in fits]).mean(axis=0)
    np.testing.assert_allclose(edges, mp.bulk_edges(N, M, 0.2), rtol=0.01, atol=1e-12)
    assert sum(fit.num_spikes > 0 for fit in fits) <= 3 and sum(fit.accepted for fit in fits) >= 36
    assert np.mean([fit.soft_rank for fit in fits]) == pytest.approx(1, abs=0.12)


@pytest.mark.parametrize("strengths", [(1.05, 1.6), (1.9, 1.9), (1.5, 4), (4, 10), (10, 10)])
def test_spikes_do_not_pull(strengths):
    for N, M, share in [(768, 768, 0.1), (1024, 256, 0.05), (512, 64, 0.1), (512, 64, 0.01)]:
        rng = np.random.default_rng([N, M, int(100 * share)])
        planted = max(1, round(share * M))
        fit = mp.fit(evals_of(spiked(rng, N, M, rng.uniform(*strengths, planted))), N, M)
        assert fit.sigma == pytest.approx(1, rel=0.02), (N, M, share)
        if strengths[0] >= 1.9:
            assert fit.num_spikes == planted, (N, M, share)
            assert (fit.N, fit.M) == (N - planted, M - planted)


def test_spikes_do_not_hide_one_another():
    """A third of the spectrum, equal and strong: with sigma from everything below, none would stand
    out.
    """
    fit = mp.fit(evals_of(spiked(np.random.default_rng(0), 300, 300, [10] * 100)), 300, 300)
    assert fit.num_spikes == 100 and fit.sigma == pytest.approx(1, rel=0.02)


def test_heavy_tails_are_not_taken_for_a_bulk():
    rng = np.random.default_rng(0)
    for tail in (1.0, 2.0):
        fit = mp.fit(evals_of(signed(rng, 1 + rng.pareto(tail, (256, 256)))), 256, 256)
        assert not fit.accepted and fit.soft_rank < 0.5 and fit.ks > 1.5 * fit.ks_critical
    columns = mp.fit(evals_of(rng.normal(size=(256, 128)) * np.linspace(1, 0.3, 128)), 256, 128)
    assert not columns.accepted and any(
        "does not follow the law" in reason for reason in columns.reasons
    )


def test_calibration_on_noise():
    """At most about one spectrum of a hundred of pure noise shows a spike, or strays from the
    law.
    """
    shapes = [
        (16, 16, 1, 400),
        (400, 32, 1, 400),
        (64, 64, 1, 400),
        (256, 256, 1, 100),
        (24, 24, 9, 150),
    ]
    for N, M, count, spectra in shapes:
        rng = np.random.default_rng([N, M, count])
        fits = [
            mp.fit(np.concatenate([noise(rng, N, M) for _ in range(count)]), N, M, count)
            for _ in range(spectra)
        ]
        false_spikes, rejected = (
            sum(f.num_spikes > 0 for f in fits),
            sum(f.ks > f.ks_critical for f in fits),
        )
        allowed = stats.binom.ppf(0.999, spectra, 0.02)
        assert false_spikes <= allowed and rejected <= allowed
        # Nor is the critical value idle: half of it is exceeded by most.
        assert np.mean([f.ks > f.ks_critical / 2 for f in fits]) > 0.5


def tracy_widom(s):
    """Distribution function of order 1: det(1 - Ai(x + y + s)) on the half-line (Ferrari and Spohn
    2005).
    """
    x, weights = np.polynomial.legendre.leggauss(60)
    x, root = 8 * (x + 1), np.sqrt(8 * weights)
    return np.linalg.det(np.eye(60) - root[:, None] * special.airy(x[:, None] + x + s)[0] * root)


def test_threshold_is_the_tracy_widom_quantile():
    n, m = np.sqrt(999.5), np.sqrt(499.5)
    scale = (n + m) * (1 / n + 1 / m) ** (1 / 3)
    for level in (0.1, 0.05, 0.01, 0.001):
        quantile = (mp.spike_threshold(1000, 500, level=level) - (n + m) ** 2) / scale
        assert 1 - tracy_widom(quantile) == pytest.approx(level, rel=0.06)
    for N, M, count in [(64, 64, 1), (300, 30, 1), (32, 32, 9)]:
        rng = np.random.default_rng(N)
        tops = np.array(
            [max(noise(rng, N, M)[-1] for _ in range(count)) for _ in range(1500 // count)]
        )
        for level in (0.1, 0.05, 0.01):
            share = (tops > mp.spike_threshold(N, M, 1.0, count, level)).mean()
            assert share == pytest.approx(level, abs=4 * np.sqrt(level / len(tops)))
    assert mp.spike_threshold(64, 64, 3.0) == pytest.approx(
        9 * mp.spike_threshold(64, 64), rel=1e-12
    )


# --- both -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("definition", mp.DEFINITIONS)
def test_scale_and_order(definition):
    rng = np.random.default_rng(0)
    evals = evals_of(spiked(rng, 120, 60, [3, 4]))
    plain = mp.fit(evals, 120, 60, 1, definition)
    scaled = mp.fit(rng.permutation(evals) * 1e-8, 120, 60, 1, definition)
    assert scaled.num_spikes == plain.num_spikes and scaled.reasons == plain.reasons
    found = [
        scaled.sigma * 1e4,
        scaled.sigma_mp,
        scaled.bulk_max * 1e8,
        scaled.soft_rank,
        scaled.ks,
    ]
    expected = [plain.sigma, plain.sigma_mp, plain.bulk_max, plain.soft_rank, plain.ks]
    np.testing.assert_allclose(found, expected, rtol=1e-9)
    law = SimpleNamespace(cdf=lambda x: mp.cdf(x, plain.N, plain.M, plain.sigma))
    bulk = np.sort(evals)[: 60 - plain.num_spikes]
    assert plain.ks == pytest.approx(stats.ks_1samp(bulk, law.cdf).statistic, abs=1e-9)


@pytest.mark.parametrize("definition", mp.DEFINITIONS)
def test_what_has_no_fit_says_so(definition):
    nothing = mp.fit(np.zeros(20), 40, 20, 1, definition)
    assert (
        np.isnan([nothing.sigma, nothing.bulk_max, nothing.soft_rank, nothing.ks]).all()
        and not nothing.accepted
    )
    one = mp.fit(np.array([2.0]), 30, 1, 1, definition)
    assert "M below 8" in one.reasons[0] and not one.accepted
    rng = np.random.default_rng(0)
    for rank in (5, 30, 55):
        product = rng.normal(size=(80, rank)) @ rng.normal(size=(rank, 60))
        deficient = mp.fit(evals_of(product), 80, 60, 1, definition)
        assert any("are 0" in reason or "no noise" in reason for reason in deficient.reasons)
    same = mp.fit(np.ones(64), 64, 64, 1, definition)
    assert not same.accepted and np.isfinite([same.sigma, same.soft_rank]).all()
    if definition == "weightwatcher":  # to which every one of these eigenvalues is a spike
        assert same.num_spikes == 64 and np.isnan(same.ks) and "there is no bulk" in same.reasons[0]


def test_bad_input_is_an_error():
    good = np.arange(1.0, 21.0)
    for evals, N, M, count, message in [
        (good, 40, 19, 1, "1 slices of 40 x 19 have 19 eigenvalues"),
        (good, 40, 10, 1, "1 slices of 40 x 10 have 10 eigenvalues"),
        (good, 19, 20, 1, "N >= M"),
        (good.reshape(2, 10), 40, 10, 2, "2 slices of 40 x 10 have 20 eigenvalues"),
        (good[:0], 40, 20, 1, "M >= 1, got"),
        (good - 5, 40, 20, 1, "cannot be negative"),
        (np.r_[good[:19], np.nan], 40, 20, 1, "NaN or infinity"),
        (np.r_[good[:19], np.inf], 40, 20, 1, "NaN or infinity"),
    ]:
        for definition in mp.DEFINITIONS:
            with pytest.raises(ValueError, match=message):
                mp.fit(evals, N, M, count, definition)
    with pytest.raises(ValueError, match="unknown definition 'median': one of bulk, weightwatcher"):
        mp.fit(good, 40, 20, definition="median")


def test_no_torch_needed():
    code = "import sys, ddiv.spectra.mp, ddiv.spectra.phase; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
