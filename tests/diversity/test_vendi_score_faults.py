"""The faults of vendi-score 0.0.3 that ddiv.diversity works around.

The first half of each test shows the fault and fails once vendi-score mends it: then the
work-around can go.
"""

import math
import warnings

import numpy as np
import pytest
from scipy import sparse
from vendi_score import vendi

from ddiv.diversity import vendi_from_kernel, vendi_score

pytestmark = pytest.mark.filterwarnings("ignore:Please import `csr_matrix`:DeprecationWarning")


def unit(n: int, d: int) -> np.ndarray:
    X = np.random.default_rng(0).normal(0.5, 1.0, (n, d))
    return X / np.linalg.norm(X, axis=1, keepdims=True)


def test_score_x_ignores_the_order():
    X = unit(20, 50)
    assert vendi.score_X(X, q=2) == vendi.score_X(X, q=1)
    assert vendi_score(X, 2) == pytest.approx(vendi.score_dual(X, q=2), rel=1e-9)
    assert vendi_score(X, 2) < 0.95 * vendi_score(X, 1)


def test_score_dual_takes_no_weights():
    X, weights = unit(20, 50), np.arange(1.0, 21)
    with pytest.raises(TypeError):
        vendi.score_dual(X, p=weights / weights.sum())
    for few in (X, X[:, :5]):
        reference = vendi.score_X(few, p=weights / weights.sum())
        assert vendi_score(few, weights=weights) == pytest.approx(reference, rel=1e-9)


def test_weights_are_not_normalised():
    X = unit(10, 20)
    # "probabilities" that sum to 10: a score below one sample
    assert vendi.score_X(X, p=np.ones(10)) < 1
    assert vendi_score(X, weights=np.ones(10)) == pytest.approx(vendi_score(X), rel=1e-12)


def test_internal_diversity_of_vectors_raises():
    with pytest.raises((TypeError, NameError)):
        vendi.intdiv_X(unit(5, 8))
    # order 2 holds the same information: 1 / mean of K squared
    assert vendi_score(unit(5, 8), 2) == pytest.approx(
        1 / ((unit(5, 8) @ unit(5, 8).T) ** 2).mean(), rel=1e-12
    )


def test_infinity_is_a_string():
    X = unit(20, 50)
    with np.errstate(all="ignore"):
        assert np.isnan(vendi.score_K(X @ X.T, q=math.inf))
    top = np.linalg.eigvalsh(X @ X.T / 20)[-1]
    assert (
        vendi_score(X, math.inf) == vendi_score(X, float("inf")) == pytest.approx(1 / top, rel=1e-9)
    )


def test_orders_next_to_one_cancel():
    X = unit(20, 50)
    near = 1 + 1e-14
    assert vendi.score_dual(X, q=near) != pytest.approx(vendi.score_dual(X), rel=1e-3)
    for q in (near, 1 - 1e-14, 1 + 1e-9, 1 - 1e-9):
        assert vendi_score(X, q) == pytest.approx(vendi_score(X), rel=1e-7)


def test_large_orders_underflow():
    X = unit(2000, 50)
    with np.errstate(all="ignore"):
        assert not np.isfinite(vendi.score_dual(X, q=1000))
    assert vendi_score(X, math.inf) < vendi_score(X, 1000) < 1.01 * vendi_score(X, math.inf)


def test_negative_eigenvalues_are_dropped():
    indefinite = np.array([[1.0, 0.9, 0.0], [0.9, 1.0, 0.9], [0.0, 0.9, 1.0]])
    p = np.linalg.eigvalsh(indefinite / 3)
    assert p[0] < -0.09
    # of p that sum to 1.09
    assert vendi.score_K(indefinite) == pytest.approx(np.exp(-(p[1:] * np.log(p[1:])).sum()))
    with pytest.raises(
        ValueError, match=r"not positive semi-definite: it has eigenvalues from -0.09"
    ):
        vendi_from_kernel(indefinite)


def test_low_orders_amplify_round_off():
    two = np.repeat(np.eye(30)[:2] + 1e-3 * unit(2, 30), 100, axis=0)  # rank 2
    assert vendi.score_dual(two, q=0.05) > 3
    assert vendi_score(two, 0.05) == pytest.approx(2, abs=1e-3)
    assert vendi_score(two, 0) == 2
    angles = np.linspace(0, 3, 200)
    circle = np.column_stack([np.cos(angles), np.sin(angles)])
    plane = circle @ np.linalg.qr(unit(30, 2))[0].T  # rank 2, all different
    assert vendi.score_dual(plane.astype(np.float32), q=0) > 10
    for single in (plane, plane.astype(np.float32), plane.astype(np.float16)):
        assert vendi_score(single, 0) == 2, single.dtype
        # 30 samples: the kernel rather than its dual
        assert vendi_score(single.T, 0) == 2, single.dtype


def test_a_sparse_kernel_loses_all_but_six_modes():
    K = sparse.csr_matrix(np.eye(30))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            theirs = vendi.score_K(K)
        except AttributeError:  # scipy 2 has no scipy.sparse.csr
            theirs = None
    assert theirs is None or theirs < 7
    with pytest.raises(ValueError, match=r"sparse: pass K.toarray\(\)"):
        vendi_from_kernel(K)
    assert vendi_from_kernel(K.toarray()) == pytest.approx(30, rel=1e-12)


def test_half_of_a_lopsided_kernel_is_read():
    K = np.eye(4)
    K[0, 1] = 0.9  # and K[1, 0] = 0
    assert vendi.score_K(K) == pytest.approx(4) and vendi.score_K(K.T) < 3.5
    with pytest.raises(ValueError, match=r"not symmetric: K and its transpose differ by up to 0.9"):
        vendi_from_kernel(K)


def test_a_diagonal_other_than_one_passes():
    assert vendi.score_K(4 * np.eye(4)) == pytest.approx(1.0)  # four different samples
    with pytest.raises(ValueError, match="1 on its diagonal, it is off by up to 3"):
        vendi_from_kernel(4 * np.eye(4))


def test_zero_vectors_pass():
    X = unit(10, 20)
    X[:5] = 0
    assert np.isfinite(vendi.score_X(X)) and vendi.score_X(X) < 5  # eigenvalues that sum to a half
    K = np.zeros((2, 2))
    K[0, 0] = 1
    with np.errstate(all="ignore"), pytest.raises(ValueError, match="infs or NaNs"):
        vendi.score_K(K, normalize=True)
    with pytest.raises(ValueError, match="zero vectors: 5 of 10"):
        vendi_score(X)


def test_single_precision_goes_into_the_eigenvalues():
    X = (unit(400, 5) + 10).astype(np.float32)  # all alike: a score barely above 1
    exact = vendi.score_dual(X.astype(np.float64))
    assert abs(vendi.score_dual(X) - 1) != pytest.approx(exact - 1, rel=1e-4)
    assert vendi_score(X) - 1 == pytest.approx(exact - 1, rel=1e-9)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("n, d", [(20, 50), (50, 20)])
def test_nothing_deprecated_is_touched(n, d):
    vendi_score(unit(n, d), 2)
    vendi_from_kernel(unit(n, d) @ unit(n, d).T)
