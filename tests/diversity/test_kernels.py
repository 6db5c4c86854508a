"""Weights, kernels, batches, devices and the caller's own kernel matrix."""

import itertools
import math
import tracemalloc

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics.pairwise import rbf_kernel
from vendi_score import vendi

from ddiv.diversity import approximate, measure, require_comparable, vendi_from_kernel, vendi_score
from ddiv.diversity import rows as rows_module
from ddiv.diversity.entropy import renyi_entropy
from ddiv.diversity.rbf import draw, median_distance
from ddiv.diversity.rows import backend

pytestmark = pytest.mark.filterwarnings("ignore:Please import `csr_matrix`:DeprecationWarning")

ORDERS = (0, 0.5, 1, 2, 7.5, math.inf)
NAMES = {"embedder": "given", "preprocessing": "none"}


def vectors(n: int, d: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0.5, 1.0, (n, d))


def unit(X: np.ndarray) -> np.ndarray:
    return X / np.linalg.norm(X, axis=1, keepdims=True)


# --- weights ------------------------------------------------------------------------------------


@pytest.mark.parametrize("kernel", [{}, {"kernel": "rbf", "bandwidth": 3.0}])
@pytest.mark.parametrize("n, d", [(15, 40), (40, 15)])
def test_integer_weights_are_copies(n, d, kernel):
    X, copies = vectors(n, d), np.random.default_rng(1).integers(0, 4, n)
    X[-1] = X[0]
    for q in ORDERS:
        repeated = pytest.approx(vendi_score(np.repeat(X, copies, axis=0), q, **kernel), rel=1e-9)
        assert vendi_score(X, q, weights=copies, **kernel) == repeated, q
        assert vendi_score(X, q, weights=copies * 1e-200, **kernel) == repeated, q


def test_weights_as_vendi_score_takes_them():
    X, p = vectors(30, 50), np.random.default_rng(1).dirichlet(np.ones(30))
    for q in (1, 2, 7.5):
        assert vendi_score(X, q, weights=p) == pytest.approx(
            vendi.score_K(unit(X) @ unit(X).T, q=q, p=p), rel=1e-9
        )


@given(st.lists(st.floats(0.01, 1), min_size=2, max_size=12), st.sampled_from(ORDERS))
@settings(max_examples=60, deadline=None, derandomize=True)
def test_weights_on_orthogonal_samples_are_the_spectrum(weights, q):
    p = np.array(weights) / sum(weights)
    expected = math.exp(renyi_entropy(p, q))
    assert vendi_score(np.eye(len(p)) * 5, q, weights=weights) == pytest.approx(expected, rel=1e-9)
    assert 1 - 1e-12 <= expected <= len(p) * (1 + 1e-12)


def test_the_weights_are_told():
    X = vectors(6, 9)
    weighted = measure(X, weights=[1, 1, 1, 1, 0, 0], **NAMES)
    assert weighted.kernel == "cosine, weighted samples (effective n 4)" and weighted.n == 6
    assert weighted.score == pytest.approx(vendi_score(X[:4]), rel=1e-9)
    with pytest.raises(ValueError, match="different kernel "):
        require_comparable(weighted, measure(X, **NAMES))


# --- entropy ------------------------------------------------------------------------------------


@pytest.mark.parametrize("q", [0, 0.3, 0.89, 0.95, 1, 1.05, 1.2, 3, 10, 10.5])
def test_entropy_is_vendi_scores_where_that_is_right(q):
    p = np.random.default_rng(0).dirichlet(np.ones(50))
    assert renyi_entropy(p, q) == pytest.approx(vendi.entropy_q(p, q), rel=1e-9)


def test_scores_fall_with_the_order_without_a_jump():
    X = vectors(30, 50)
    orders = [
        0,
        0.5,
        0.899,
        0.901,
        1 - 1e-9,
        1,
        1 + 1e-9,
        1.099,
        1.101,
        9.99,
        10.01,
        400,
        1e6,
        math.inf,
    ]
    scores = [vendi_score(X, q) for q in orders]
    assert all(a > b or b - a < 1e-9 for a, b in itertools.pairwise(scores))
    assert scores[3] == pytest.approx(scores[2], rel=2e-3) and scores[-1] == pytest.approx(
        scores[-2], rel=1e-4
    )


# --- kernels ------------------------------------------------------------------------------------


@pytest.mark.parametrize("q", [0.5, 1, 2])
def test_rbf_is_the_kernel_of_scikit_learn(q):
    X, sigma = vectors(60, 20), 4.0
    reference = vendi.score_K(rbf_kernel(X, gamma=1 / (2 * sigma**2)), q=q)
    assert vendi_score(X, q, "rbf", bandwidth=sigma) == pytest.approx(reference, rel=1e-9)
    # distances do not change; |x|^2 - 2 x y + |y|^2 would
    far = vendi_score(X + 1e6, q, "rbf", bandwidth=sigma)
    assert far == pytest.approx(reference, rel=1e-8)


def test_rbf_limits():
    X = vectors(40, 3)
    # all unlike each other
    assert vendi_score(X, 1, "rbf", bandwidth=1e-4) == pytest.approx(40, rel=1e-9)
    assert vendi_score(X, 1, "rbf", bandwidth=1e6) == pytest.approx(1, rel=1e-6)  # all alike
    groups = np.repeat(np.eye(4) * 1e3, 10, axis=0)
    for q in ORDERS:
        assert vendi_score(groups, q, "rbf", bandwidth=1.0) == pytest.approx(4, rel=1e-9)


def test_the_median_bandwidth_is_stated():
    X = vectors(50, 8)
    median = np.median([np.linalg.norm(a - b) for i, a in enumerate(X) for b in X[:i]])
    result = measure(X, kernel="rbf", bandwidth="median", **NAMES)
    assert result.kernel == f"rbf, bandwidth {median:.6g} (median distance)"
    assert result.score == pytest.approx(vendi_score(X, kernel="rbf", bandwidth=median), rel=1e-12)
    with pytest.raises(ValueError, match="different kernel "):
        require_comparable(result, measure(2 * X, kernel="rbf", bandwidth="median", **NAMES))
    with pytest.raises(ValueError, match="median distance between samples is 0"):
        vendi_score(np.ones((5, 3)), kernel="rbf", bandwidth="median")
    large = vectors(3000, 4)
    sampled = median_distance(large, backend("numpy"))
    assert sampled == median_distance([large[:7], large[7:2000], large[2000:]], backend("numpy"))
    # median of chi-square(4) is 3.357
    assert sampled == pytest.approx(2 * math.sqrt(2 * 0.8392), rel=0.05)


def test_draws_follow_the_weights():
    p = np.array([0.0, 1, 1, 2, 4, 8])
    counts = np.zeros(6)
    rng = np.random.default_rng(0)
    for _ in range(4000):
        counts[
            int(draw(np.arange(6.0)[:, None], 1, p / p.sum(), rng, backend("numpy"))[0][0, 0])
        ] += 1
    np.testing.assert_allclose(counts / 4000, p / p.sum(), atol=0.03)
    assert counts[0] == 0


# --- batches, types, devices --------------------------------------------------------------------


def _cut(X, *at):
    return [X[a:b] for a, b in zip((0, *at), (*at, len(X)))]


@pytest.mark.parametrize("kernel", [{}, {"kernel": "rbf", "bandwidth": "median"}])
@pytest.mark.parametrize("n, d", [(30, 70), (70, 30), (50, 50), (51, 50)])
def test_batches_score_as_the_whole(n, d, kernel, monkeypatch):
    X, weights = vectors(n, d), np.random.default_rng(1).uniform(size=n)
    for given_weights in (None, weights):
        for q in (0.5, 1, math.inf):
            whole = vendi_score(X, q, weights=given_weights, **kernel)
            for size in (64 * 2**20, 8 * d * 4):  # one block; blocks of four rows
                monkeypatch.setattr(rows_module, "BLOCK_BYTES", size)
                for batches in (
                    X,
                    _cut(X, 1, 8, 8, 20),
                    (row[None] for row in X),
                    torch.from_numpy(X).split(7),
                ):
                    assert vendi_score(
                        batches, q, weights=given_weights, **kernel
                    ) == pytest.approx(whole, rel=1e-10)


@pytest.mark.parametrize("n, d", [(20, 60), (60, 20)])
def test_any_type_and_device(n, d):
    images = np.random.default_rng(0).integers(0, 256, (n, d), dtype=np.uint8)
    expected = vendi.score_X(images.astype(float))
    for X in (
        images,
        images.astype(np.int32),
        images.astype(np.float16),
        images.astype(np.float32),
        torch.from_numpy(images),
        torch.from_numpy(images).half(),
        torch.from_numpy(images).bfloat16(),
        torch.from_numpy(images).double().requires_grad_(),
    ):
        for device in ("auto", "numpy", "cpu", torch.device("cpu")):
            assert vendi_score(X, device=device) == pytest.approx(expected, rel=1e-9)
    weights = np.arange(1, n + 1)
    rbf = {"kernel": "rbf", "bandwidth": 900.0}
    for options in ({"weights": weights}, {"weights": torch.from_numpy(weights), **rbf}):
        there, here = (vendi_score(images, device=device, **options) for device in ("cpu", "numpy"))
        assert there == pytest.approx(here, rel=1e-10)


@pytest.mark.cuda
@pytest.mark.parametrize("n, d", [(200, 600), (600, 200)])
def test_cuda_agrees(n, d):
    X = vectors(n, d)
    for options in ({}, {"weights": np.arange(1, n + 1)}, {"kernel": "rbf", "bandwidth": 30.0}):
        assert vendi_score(X, device="cuda", **options) == pytest.approx(
            vendi_score(X, device="numpy", **options), rel=1e-10
        )


def test_blocks_bound_what_is_made_of_them(monkeypatch):
    monkeypatch.setattr(rows_module, "BLOCK_BYTES", 8 * 600)
    for beside, largest in ((1, 200), (3, 200), (100, 6), (1000, 1)):
        sizes = [len(block) for block in rows_module.blocks(np.ones((1000, 3), np.uint8), beside)]
        assert max(sizes) == largest and sum(sizes) == 1000
    joined = [len(block) for block in rows_module.blocks(list(np.ones((50, 20, 3))))]
    assert joined == [200] * 5  # ten batches of 20 a block


class Stream:
    """Random batches that are made when they are read, the same each time."""

    def __init__(self, n: int, d: int):
        self.n, self.d = n, d

    def __iter__(self):
        rng = np.random.default_rng(0)
        for _ in range(0, self.n, 500):
            yield rng.integers(0, 256, (500, self.d), dtype=np.uint8)


@pytest.mark.parametrize(
    "options", [{}, {"rank": 30}, {"rank": 30, "kernel": "rbf", "bandwidth": "median"}]
)
def test_memory_is_bounded_whatever_n(options, monkeypatch):
    monkeypatch.setattr(rows_module, "BLOCK_BYTES", 2**21)
    stream = Stream(40_000, 128)  # 41 MB in float64
    score_of = approximate if options else measure
    score_of(Stream(1000, 128), **options, **NAMES)  # what imports take
    tracemalloc.start()
    result = score_of(stream, **options, **NAMES)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert result.n == 40_000 and peak < 16 * 2**20


def test_lengths_beyond_the_range_of_squares():
    X = vectors(5, 3)
    scale = np.array([1e-200, 1, 1e200, 1e-300, 1e150])[:, None]
    assert vendi_score(X * scale) == pytest.approx(vendi_score(X), rel=1e-12)


# --- the caller's own kernel --------------------------------------------------------------------


@pytest.mark.parametrize("q", ORDERS)
def test_own_kernel(q):
    X, weights = unit(vectors(25, 40)), np.arange(25)
    K = X @ X.T
    assert vendi_from_kernel(K, q) == pytest.approx(vendi_score(X, q), rel=1e-9)
    assert vendi_from_kernel(K, q, weights=weights) == pytest.approx(
        vendi_score(X, q, weights=weights), rel=1e-9
    )
    single = torch.from_numpy(K.astype(np.float32))
    assert vendi_from_kernel(single, q) == pytest.approx(vendi_score(X, q), rel=1e-4)
    assert vendi_from_kernel(single, q, device="cpu") == pytest.approx(
        vendi_from_kernel(single, q), rel=1e-9
    )
    assert vendi_from_kernel(np.kron(np.eye(3), np.ones((4, 4))), q) == pytest.approx(3, rel=1e-9)
    assert vendi_from_kernel(np.eye(7, dtype=bool), q) == pytest.approx(7, rel=1e-9)
    assert vendi_from_kernel([[1.0]], q) == 1


def test_round_off_in_a_kernel_is_no_mode():
    X = unit(vectors(200, 3))
    K = (X @ X.T).astype(np.float32)
    assert np.linalg.eigvalsh(K.astype(float))[0] < -1e-7
    assert vendi_from_kernel(K, 0) == pytest.approx(3, rel=1e-12)
    with pytest.raises(ValueError, match="not positive semi-definite"):
        vendi_from_kernel(K, 0, tolerance=1e-10)


@pytest.mark.parametrize(
    "K, options, message",
    [
        (np.ones((2, 3)), {}, r"shape \(n, n\)"),
        (np.ones((0, 0)), {}, r"shape \(n, n\)"),
        (np.array([[1.0, np.nan], [np.nan, 1.0]]), {}, "NaN"),
        (np.array([[1.0, 0.5], [0.4, 1.0]]), {}, "not symmetric"),
        (np.array([[1.0, 0.5], [0.5, 0.9]]), {}, "diagonal, it is off by up to 0.1"),
        (np.array([[1.0, 2.0], [2.0, 1.0]]), {}, "not positive semi-definite"),
        (np.eye(3), {"weights": [1, 1]}, "2 weights and 3 samples"),
        (np.eye(3), {"q": -1}, "order q"),
    ],
)
def test_an_unfit_kernel_is_an_error(K, options, message):
    with pytest.raises(ValueError, match=message):
        vendi_from_kernel(K, **options)


@pytest.mark.parametrize(
    "X, options, message",
    [
        ([], {}, "no samples"),
        ([np.ones((2, 3)), np.ones((2, 4))], {}, r"shape \(b, 3\)"),
        ([[1.0, 2.0]], {}, "got list"),
        ("abc", {}, "got str"),
        (7, {}, "got int"),
        (np.array([["a", "b"]]), {}, "real numbers"),
        (np.ones((2, 2)) * 1j, {}, "real numbers"),
        (torch.ones(2, 2) * 1j, {}, "real numbers"),
        (np.array([[1.0, np.nan]]), {"kernel": "rbf", "bandwidth": 1.0}, "NaN"),
        (np.ones((3, 2)), {"kernel": "rbf"}, "bandwidth"),
        (np.ones((3, 2)), {"kernel": "rbf", "bandwidth": 0}, "positive number"),
        (np.ones((3, 2)), {"bandwidth": 1.0}, "cosine kernel has no bandwidth"),
        (np.ones((3, 2)), {"weights": [1, 2]}, "weights"),
        (np.ones((3, 2)), {"weights": [1, 2, 3, 4]}, "4 weights and 3 samples"),
        (np.ones((3, 2)), {"weights": [1, -2, 3]}, "0 or more"),
        (np.ones((3, 2)), {"weights": [0, 0, 0]}, "not all 0"),
        (np.ones((3, 2)), {"weights": [1, np.nan, 1]}, "finite"),
        (np.ones((3, 2)), {"weights": np.ones((3, 1))}, "one number a sample"),
        (np.array([[1e200, 0.0]]), {"kernel": "linear"}, "length 1"),
        (np.ones((3, 2)), {"device": "cuda:99"}, "cannot be used with float64"),
        (np.ones((3, 2)), {"device": "nonsense"}, "cannot be used with float64"),
    ],
)
def test_bad_input_is_an_error(X, options, message):
    with pytest.raises(ValueError, match=message):
        vendi_score(X, **options)
