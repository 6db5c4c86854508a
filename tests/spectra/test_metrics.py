"""Metrics of a spectrum, against WeightWatcher on the CPU and closed forms."""

import subprocess
import sys

import numpy as np
import pytest
from scipy import stats

from ddiv.spectra import metrics
from tests.support.spectra_cases import SIZES, spectrum


@pytest.mark.parametrize("kind", ["gaussian", "pareto"])
def test_metrics_are_weightwatchers(ww, kind):
    for size in SIZES:
        evals, N = spectrum(size, kind), max(size)
        rank = ww.rmt.stable_rank(evals)
        assert metrics.stable_rank(evals) == pytest.approx(rank, rel=1e-12), size
        assert metrics.numerical_rank(evals, N) == ww.rmt.matrix_rank(np.sqrt(evals), N), size
        ours = metrics.matrix_entropy(evals, "normalised", N)
        # it adds 1e-10 to p
        assert ours == pytest.approx(ww.rmt.matrix_entropy(np.sqrt(evals), N), abs=1e-6), size
        p = evals / evals.sum()
        entropy = -(p * np.log(p)).sum() / np.log(min(size))
        assert ours == pytest.approx(entropy, rel=1e-12), size


def test_closed_forms():
    identity = metrics.summarise(np.ones(64))
    assert identity == pytest.approx({
        "frobenius_norm": 8, "frobenius_norm_squared": 64, "spectral_norm": 1,
        "spectral_norm_squared": 1,
        "stable_rank": 64, "effective_rank": 64, "numerical_rank": 64, "entropy_raw": 0,
        "entropy_normalised": 1,
        "log_norm": np.log10(64), "log_spectral_norm": 0,
    }, rel=1e-12)  # fmt: skip
    one = metrics.summarise(np.r_[np.zeros(63), 4.0])
    assert (
        one["frobenius_norm"] == one["spectral_norm"] == 2
        and one["stable_rank"] == one["effective_rank"] == 1
    )
    assert one["entropy_normalised"] == 0 and one["entropy_raw"] == pytest.approx(
        -4 * np.log(4), rel=1e-12
    )
    zero = metrics.summarise(np.zeros(64))
    assert (
        zero["frobenius_norm"]
        == zero["spectral_norm"]
        == zero["entropy_raw"]
        == zero["numerical_rank"]
        == 0
    )
    assert np.isnan(
        [zero[name] for name in ("stable_rank", "effective_rank", "entropy_normalised")]
    ).all()
    assert zero["log_norm"] == zero["log_spectral_norm"] == -np.inf


def test_effective_rank_is_the_exponential_of_scipys_entropy():
    rng = np.random.default_rng(0)
    for w in (
        rng.normal(size=(80, 50)),
        rng.pareto(1.5, (60, 60)),
        np.outer(np.arange(40), np.arange(30)),
    ):
        singular = np.linalg.svd(w, compute_uv=False)
        ours = metrics.effective_rank(singular**2)
        assert ours == pytest.approx(np.exp(stats.entropy(singular)), rel=1e-9)
        assert metrics.effective_rank(9 * singular**2) == pytest.approx(ours, rel=1e-12)
    equal_and_none = metrics.effective_rank(np.repeat([4.0, 0.0], [5, 7]))
    assert equal_and_none == pytest.approx(5, rel=1e-12)


def test_rank_of_a_deficient_matrix_survives_the_gram_matrix():
    rng = np.random.default_rng(0)
    w = rng.normal(size=(90, 7)) @ rng.normal(size=(7, 50))
    evals = np.maximum(np.linalg.eigvalsh(w.T @ w), 0)
    assert metrics.numerical_rank(evals, 90) == np.linalg.matrix_rank(w) == 7
    top = evals[-7:] / evals[-7:].sum()
    expected = -(top * np.log(top)).sum() / np.log(7)
    assert (
        metrics.matrix_entropy(evals, "normalised", 90) == pytest.approx(expected, rel=1e-9)
        and expected <= 1
    )


def test_summarise_stacks_like_single_calls():
    stack = np.random.default_rng(0).pareto(2, (3, 4, 30))
    rows = np.array([[30], [40], [10**14]])
    together = metrics.summarise(stack, n_rows=rows)
    for i in np.ndindex(3, 4):
        alone = metrics.summarise(stack[i], n_rows=int(rows[i[0], 0]))
        assert {k: v[i] for k, v in together.items()} == pytest.approx(alone, rel=1e-12)
    assert (together["numerical_rank"][2] < 30).any()  # the number of rows does matter


def test_log_norms_and_entropy_scale():
    evals = spectrum((64, 64), "pareto")
    logs = metrics.log_norms(evals, alpha=2.5)
    assert logs["log_alpha_norm"] == pytest.approx(np.log10((evals**2.5).sum()), rel=1e-12)
    assert logs["alpha_weighted"] == pytest.approx(2.5 * np.log10(evals.max()), rel=1e-12)
    # 1e500 would overflow
    assert np.isfinite(metrics.log_norms(evals * 1e10, alpha=50.0)["log_alpha_norm"])
    normalised = [metrics.matrix_entropy(c * evals, "normalised") for c in (1, 9)]
    assert normalised[0] == pytest.approx(normalised[1], rel=1e-12)
    raw = [metrics.matrix_entropy(c * evals) for c in (1, 9)]
    assert raw[1] == pytest.approx(9 * raw[0] - 9 * np.log(9) * evals.sum(), rel=1e-12)


def test_metrics_refuse_bad_input():
    for bad, message in (
        ([], "M >= 1, got"),
        ([1.0, np.nan], "NaN or infinity"),
        ([1.0, np.inf], "NaN or infinity"),
        ([1.0, -0.1], "cannot be negative"),
    ):
        with pytest.raises(ValueError, match=message):
            metrics.frobenius_norm(np.array(bad))
    assert metrics.frobenius_norm(np.array([-1e-16, 1.0])) == 1  # round-off is none
    with pytest.raises(ValueError, match="unknown entropy 'normalized'"):
        metrics.matrix_entropy(np.ones(3), "normalized")


def test_no_torch_needed():
    code = (
        "import sys, ddiv.spectra.metrics, ddiv.spectra.powerlaw; sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
