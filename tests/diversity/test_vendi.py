"""The Vendi score against vendi-score where that is right, closed forms, and its faults."""

import itertools
import math
import subprocess
import sys

import numpy as np
import pytest
import torch
from vendi_score import vendi

from ddiv.diversity import (
    VendiResult,
    black_apart,
    measure,
    pixel_vectors,
    require_comparable,
    vendi_score,
)

# vendi-score's own, on every call of score_K
pytestmark = pytest.mark.filterwarnings("ignore:Please import `csr_matrix`:DeprecationWarning")


def vectors(n: int, d: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0.5, 1.0, (n, d))


def unit(X: np.ndarray) -> np.ndarray:
    return X / np.linalg.norm(X, axis=1, keepdims=True)


@pytest.mark.parametrize("n, d", [(20, 50), (50, 20), (30, 30)])
def test_is_vendi_score(n, d):
    X = vectors(n, d)
    assert vendi_score(X) == pytest.approx(vendi.score_X(X), rel=1e-9)
    assert vendi_score(X) == pytest.approx(vendi.score_dual(X), rel=1e-9)
    for q in (1, 1.5, 2, 10):  # kernel and dual agree, whichever side was used here
        reference = vendi.score_K(unit(X) @ unit(X).T, q=q)
        assert vendi_score(X, q) == pytest.approx(reference, rel=1e-9)
        assert vendi_score(X, q) == pytest.approx(vendi.score_dual(X, q=q), rel=1e-9)
        assert vendi_score(unit(X), q, "linear") == pytest.approx(reference, rel=1e-9)
    assert vendi_score(X, math.inf) == pytest.approx(vendi.score_dual(X, q="inf"), rel=1e-9)


@pytest.mark.parametrize("q", [0, 0.1, 0.5, 1, 2, math.inf])
@pytest.mark.parametrize("n, d", [(12, 40), (40, 12)])
def test_closed_forms(n, d, q):
    same = np.tile(vectors(1, d), (n, 1))
    assert vendi_score(same, q) == pytest.approx(1, rel=1e-9)
    # n orthogonal vectors, or each of d directions as often (40 = 3 * 12 + 4)
    modes = np.eye(d)[np.arange(n) % d]
    p = np.bincount(np.arange(n) % d, minlength=d) / n
    p = p[p > 0]
    expected = {0: len(p), 1: np.exp(-(p * np.log(p)).sum()), math.inf: 1 / p.max()}.get(q)
    expected = (p**q).sum() ** (1 / (1 - q)) if expected is None else expected
    assert vendi_score(modes * 3.7, q) == pytest.approx(expected, rel=1e-9)
    if n <= d:
        assert expected == pytest.approx(n, rel=1e-9)


def test_orders_two_and_infinity_by_hand():
    # eigenvalues of K / 4: 3/4 and 1/4
    X = np.array([[1.0, 0.0], [1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    assert vendi_score(X, 2) == pytest.approx(1 / (9 / 16 + 1 / 16), rel=1e-9)
    assert vendi_score(X, math.inf) == pytest.approx(4 / 3, rel=1e-9)
    assert vendi_score(X, 0) == pytest.approx(2, rel=1e-9)
    assert vendi_score(X[:, :1].T, 2) == pytest.approx(1, rel=1e-9)


def test_score_falls_with_the_order():
    X = vectors(30, 50)
    scores = [vendi_score(X, q) for q in (0, 0.5, 0.999, 1, 1.001, 2, math.inf)]
    assert all(a > b for a, b in itertools.pairwise(scores))
    assert scores[3] == pytest.approx(scores[2], rel=1e-2) and scores[0] == pytest.approx(
        30, rel=1e-9
    )


def test_single_precision_and_scale_do_not_matter():
    X = vectors(200, 30).astype(np.float32)
    assert vendi_score(X) == pytest.approx(vendi_score(X.astype(np.float64)), rel=1e-12)
    assert vendi_score(torch.from_numpy(X) * 64) == pytest.approx(vendi_score(X), rel=1e-9)


@pytest.mark.parametrize(
    "X, options, message",
    [
        (np.ones((3, 2)), {"kernel": "gauss"}, "unknown kernel 'gauss'"),
        (np.ones(3), {}, "shape"),
        (np.ones((0, 2)), {}, "shape"),
        (np.ones((2, 0)), {}, "shape"),
        (np.array([[1.0, np.nan]]), {}, "NaN"),
        (np.array([[1.0, np.inf]]), {}, "NaN or infinity"),
        (np.array([[1.0, 0.0], [0.0, 0.0]]), {}, "zero vectors: 1 of 2"),
        (np.full((2, 2), 3.0), {"kernel": "linear"}, "length 1"),
        (np.ones((3, 2)), {"q": -1}, "order q"),
        (np.ones((3, 2)), {"q": math.nan}, "order q"),
    ],
)
def test_bad_input_is_an_error(X, options, message):
    with pytest.raises(ValueError, match=message):
        vendi_score(X, **options)


def test_pixels_score_as_vendi_scores_front_end():
    from PIL import Image
    from vendi_score import image_utils

    images = np.random.default_rng(0).integers(0, 256, (10, 3, 32, 32), dtype=np.uint8)
    theirs = image_utils.pixel_vendi_score([Image.fromarray(i.transpose(1, 2, 0)) for i in images])
    assert vendi_score(pixel_vectors(images)) == pytest.approx(theirs, rel=1e-9)
    X = pixel_vectors(torch.from_numpy(images))
    assert X.dtype == np.float64 and X.shape == (10, 3072) and X.min() == 0 and X.max() == 1
    assert X[3, 0] == images[3, 0, 0, 0] / 255
    for wrong in (images / 255, images[0], images[:0], images[:, :1]):
        with pytest.raises(ValueError, match="uint8"):
            pixel_vectors(wrong)
    with pytest.raises(ValueError, match="zero vectors: 1 of 10"):
        vendi_score(
            pixel_vectors(images * (np.arange(10) > 0)[:, None, None, None].astype(np.uint8))
        )


def test_results_carry_what_they_may_be_compared_on():
    a = measure(vectors(20, 50), embedder="pixels", preprocessing="32 px")
    assert a == VendiResult(vendi_score(vectors(20, 50)), 20, 1.0, "cosine", "pixels", "32 px")
    require_comparable(
        a, measure(vectors(20, 50, seed=1), embedder="pixels", preprocessing="32 px")
    )
    for field, other in {
        "n": measure(vectors(21, 50), embedder="pixels", preprocessing="32 px"),
        "q": measure(vectors(20, 50), embedder="pixels", preprocessing="32 px", q=2),
        "embedder": measure(vectors(20, 50), embedder="clip", preprocessing="32 px"),
        "preprocessing": measure(vectors(20, 50), embedder="pixels", preprocessing="64 px"),
    }.items():
        with pytest.raises(ValueError, match=f"different {field} "):
            require_comparable(a, other)


def test_import_is_light():
    code = (
        "import sys, numpy as np, ddiv.diversity as d;"
        "light = not {'sklearn', 'scipy'} & set(sys.modules);"
        "d.vendi_score(np.eye(3));"
        "sys.exit(not light or bool({'torch', 'matplotlib'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_black_images_are_one_kind_of_their_own():
    images = np.zeros((4, 3, 2, 2), dtype=np.uint8)
    images[:2, 0] = 200  # two red ones, two black ones: two kinds in equal shares
    assert vendi_score(black_apart(pixel_vectors(images))) == pytest.approx(2, rel=1e-12)
    coloured = pixel_vectors(images[:2])
    assert vendi_score(black_apart(coloured)) == pytest.approx(vendi_score(coloured), rel=1e-12)
