"""The approximation for large n and d: its bounds hold, its estimate is near, and it is exact where
it can be.
"""

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ddiv.diversity import approximate, require_comparable, vendi_score
from ddiv.diversity.entropy import mixture_bound, renyi_entropy, score_of
from ddiv.diversity.nystroem import bounds
from ddiv.diversity.rbf import median_distance
from ddiv.diversity.rows import backend
from ddiv.diversity.spectrum import spectrum

ORDERS = (0, 0.5, 0.97, 1, 1.5, 4, math.inf)
NAMES = {"embedder": "given", "preprocessing": "none"}


def spectra() -> dict[str, np.ndarray]:
    """Data of very different spectra, (500, 300)."""
    rng = np.random.default_rng(0)
    n, d = 500, 300
    noise = rng.standard_normal((n, d))
    falling = np.arange(1, d + 1.0)
    return {
        "noise": noise,
        "power": noise / falling,
        "slow": noise / np.sqrt(falling),
        "low rank": rng.standard_normal((n, 30)) @ rng.standard_normal((30, d)) + 0.1 * noise,
        "sorted clusters": rng.standard_normal((15, d))[np.sort(rng.integers(15, size=n))]
        + 0.4 * noise,
        "embedding": noise / falling + rng.standard_normal(d),
    }


@pytest.mark.parametrize("name", spectra())
@pytest.mark.parametrize("kernel", ["cosine", "rbf"])
def test_bounds_hold_and_the_estimate_is_near(name, kernel):
    X = spectra()[name]
    chosen = {
        "kernel": kernel,
        "bandwidth": median_distance(X, backend("numpy")) if kernel == "rbf" else None,
    }
    weights = np.random.default_rng(1).uniform(size=len(X))
    p, p_weighted = (
        spectrum(X, weights=w, where=backend("numpy"), **chosen).p for w in (None, weights)
    )
    for q in ORDERS:
        for rank, seed, w, exact in (
            (20, 0, None, p),
            (120, 1, None, p),
            (60, 2, weights, p_weighted),
        ):
            found = approximate(X, rank=rank, q=q, seed=seed, weights=w, **chosen, **NAMES)
            assert found.lower <= found.score <= found.upper
            assert found.lower * (1 - 1e-9) <= score_of(exact, q) <= found.upper * (1 + 1e-9), (
                q,
                rank,
            )
            if rank == 120 and q in (1, 1.5):
                assert found.score == pytest.approx(score_of(exact, q), rel=0.12)


def test_the_interval_closes_with_the_rank():
    X = spectra()["power"]
    exact, widths = vendi_score(X), []
    for rank in (25, 50, 100, 200, 299):
        found = approximate(X, rank=rank, **NAMES)
        widths.append((found.upper - found.lower) / exact)
        assert abs(found.score / exact - 1) < max(widths[-1], 1e-6)
    assert (
        all(a > b for a, b in itertools.pairwise(widths)) and widths[0] < 0.8 and widths[-1] < 0.005
    )


@pytest.mark.parametrize("q", ORDERS)
def test_exact_where_the_rank_suffices(q):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((300, 12)) @ rng.standard_normal((12, 200))
    for batches in (
        X,
        [X[:7], X[7:]],
        (X[i : i + 50] for i in range(0, 300, 50)),
        torch.from_numpy(X),
    ):
        found = approximate(batches, rank=40, q=q, **NAMES)
        assert found.residual == 0 and found.lower == pytest.approx(found.upper, rel=1e-9)
        assert found.score == pytest.approx(vendi_score(X, q), rel=1e-6)
    for rank in (200, 500):  # as many as dimensions, or more
        full = approximate(X, rank=rank, q=q, **NAMES)
        assert full.score == pytest.approx(vendi_score(X, q), rel=1e-6)
    groups = np.repeat(np.eye(6) * 100, 30, axis=0)
    landmarks = approximate(groups, rank=60, q=q, kernel="rbf", bandwidth=1.0, **NAMES)
    assert landmarks.score == pytest.approx(6, rel=1e-9) and landmarks.certainty == 1
    assert landmarks.lower == pytest.approx(6, rel=1e-9)


def test_fewer_samples_than_the_rank():
    X = spectra()["noise"][:10]
    assert approximate(X, rank=50, **NAMES).score == pytest.approx(vendi_score(X), rel=1e-6)
    rbf = {"kernel": "rbf", "bandwidth": 20.0}
    assert approximate(X, rank=50, **rbf, **NAMES).score == pytest.approx(
        vendi_score(X, **rbf), rel=1e-6
    )
    assert approximate(X[:1], rank=1, **NAMES).score == pytest.approx(1)


def test_batches_and_devices_change_nothing():
    X = spectra()["slow"].astype(np.float32)
    for kernel in ({}, {"kernel": "rbf", "bandwidth": "median"}):
        whole = approximate(X, rank=30, **kernel, **NAMES)
        for other in (
            approximate(torch.from_numpy(X).split(77), rank=30, **kernel, **NAMES),
            approximate(X, rank=30, device="cpu", **kernel, **NAMES),
        ):
            assert (other.score, other.lower, other.upper, other.residual) == pytest.approx(
                (whole.score, whole.lower, whole.upper, whole.residual), rel=1e-7
            )
            assert other.kernel == whole.kernel
    # of the very same bandwidth
    assert vendi_score(X, kernel="rbf", bandwidth="median") <= whole.upper


def test_the_result_tells_what_it_rests_on():
    X = spectra()["slow"]
    found = approximate(X, rank=30, q=2, **NAMES)
    assert (found.n, found.q, found.rank, found.embedder) == (500, 2.0, 30, "given")
    assert f"{found.lower:.6g} to {found.upper:.6g} (rank 30; q = 2, cosine, n = 500" in str(found)
    with pytest.raises(ValueError, match="different rank "):
        require_comparable(found, approximate(X, rank=31, q=2, **NAMES))


# --- the bounds themselves ----------------------------------------------------------------------


@given(
    st.lists(st.floats(0, 1), min_size=1, max_size=8),
    st.integers(0, 6),
    st.floats(0.01, 1),
    st.randoms(),
    st.sampled_from(ORDERS),
)
@settings(max_examples=150, deadline=None, derandomize=True)
def test_no_spectrum_that_fits_lies_outside(ritz, more, residual, random, q):
    ritz = np.sort(np.array([*ritz, 0.5]))[::-1]
    ritz *= (1 - residual) / ritz.sum()
    gains = np.array([1e-3 + random.random() ** 3 for _ in range(len(ritz) + more)])
    gains *= residual / gains.sum()
    spectrum = np.append(ritz, np.zeros(more)) + gains
    lower, upper = bounds(ritz, residual, gains.max(), len(spectrum), q)
    score = math.exp(renyi_entropy(spectrum / spectrum.sum(), q))
    assert lower * (1 - 1e-9) <= score <= upper * (1 + 1e-9)


@pytest.mark.parametrize("q", ORDERS)
def test_bounds_by_hand(q):
    def score(*p: float) -> float:
        return math.exp(renyi_entropy(np.array(p), q))

    ritz = np.array([0.5, 0.2])
    assert bounds(ritz, 0.3, 1.0, 4, q) == pytest.approx(
        (score(0.8, 0.2), score(0.5, 0.2, 0.15, 0.15))
    )
    assert bounds(ritz, 0.3, 0.2, 3, q) == pytest.approx((score(0.7, 0.3), score(0.5, 0.25, 0.25)))
    # 0.01 could not hold the rest
    assert bounds(ritz, 0.3, 0.01, 3, q)[0] == pytest.approx(score(0.6, 0.3, 0.1))


@pytest.mark.parametrize("q", ORDERS)
def test_mixing_cannot_lower_diversity(q):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((60, 20)) + 2 * np.repeat(rng.standard_normal((3, 20)), 20, axis=0)
    shares = np.array([1 / 6, 1 / 3, 1 / 2])
    parts = np.array([math.log(vendi_score(part, q)) for part in np.split(X, [10, 30])])
    assert math.exp(mixture_bound(parts, shares, q)) <= vendi_score(X, q)
    same = np.tile(X[:5], (4, 1))  # equal parts: nothing is gained
    part = np.full(4, math.log(vendi_score(X[:5], q)))
    assert math.exp(mixture_bound(part, np.full(4, 0.25), q)) == pytest.approx(
        vendi_score(same, q), rel=1e-9
    )


@pytest.mark.parametrize(
    "X, options, message",
    [
        (np.ones((3, 2)), {"rank": 0}, "rank must be 1"),
        (np.ones((3, 2)), {"q": math.nan}, "order q"),
        (np.zeros((3, 2)), {}, "zero vectors: 3 of 3"),
        (np.array([[1.0, np.inf]]), {}, "NaN or infinity"),
        (np.array([[1.0, np.inf]]), {"kernel": "rbf", "bandwidth": 1.0}, "NaN or infinity"),
        (np.ones((3, 2)), {"weights": [1, 2]}, "weights"),
        (np.ones((3, 2)), {"weights": [1, 2, 3, 4]}, "4 weights and 3 samples"),
        (
            np.ones((3, 2)),
            {"kernel": "rbf", "bandwidth": 1.0, "weights": [1, 2, 3, 4]},
            "4 weights and 3 samples",
        ),
        (np.ones((3, 2)), {"kernel": "rbf"}, "bandwidth"),
        (
            (row for row in np.ones((3, 1, 2))),
            {"kernel": "rbf", "bandwidth": 1.0},
            "not a generator",
        ),
        ([], {}, "no samples"),
    ],
)
def test_bad_input_is_an_error(X, options, message):
    with pytest.raises(ValueError, match=message):
        approximate(X, **{"rank": 2, **NAMES, **options})
