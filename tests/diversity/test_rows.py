"""What vectors may come as, and what is refused in one line, in every function of the package."""

import warnings

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import sparse

from ddiv.diversity import (
    Embedder,
    alignment,
    approximate,
    black_apart,
    measure,
    pixel_vectors,
    score,
    vendi_from_kernel,
    vendi_score,
    weighted_vendi,
)
from ddiv.diversity.pixels import pixels
from ddiv.diversity.span import Span
from ddiv.diversity.weighted import DEFINITIONS

X = np.random.default_rng(0).normal(size=(12, 5))
NAMES = {"embedder": "e", "preprocessing": "p"}

FUNCTIONS = {
    "vendi_score": vendi_score,
    "linear": lambda x: vendi_score(x, kernel="linear"),
    "rbf": lambda x: vendi_score(x, kernel="rbf", bandwidth="median"),
    "batches": lambda x: vendi_score([x, x]),
    "measure": lambda x: measure(x, **NAMES),
    "score": lambda x: score(x, Embedder("e", "p", lambda part: part)),
    "approximate": lambda x: approximate(x, rank=2, **NAMES),
    "approximate rbf": lambda x: approximate(x, rank=2, kernel="rbf", bandwidth=1.0, **NAMES),
    "kernel": vendi_from_kernel,
    "torch": lambda x: vendi_score(x, device="cpu"),
    "weighted": lambda x: weighted_vendi(x, X, **NAMES),
    "weighted original": lambda x: weighted_vendi(X, x, **NAMES),
    **{name: lambda x, name=name: alignment(x, X, name) for name in DEFINITIONS},
    "black_apart": black_apart,
    "span": Span.of,
    "outside": lambda x: Span.of(X).outside(x, 0.9),
}


def sparse_ones() -> dict:
    tensor = torch.from_numpy(X)
    return {
        "csr": sparse.csr_matrix(X),
        "csc": sparse.csc_array(X),
        "coo": sparse.coo_matrix(X),
        "lil": sparse.lil_matrix(X),
        "torch coo": tensor.to_sparse(),
        "torch csr": tensor.to_sparse_csr(),
        "nested": torch.nested.nested_tensor([tensor[0], tensor[1, :3]]),
    }


BAD = {
    **sparse_ones(),
    "masked": np.ma.masked_greater(X, 1),
    "object": X.astype(object),
    "texts": X.astype(str),
    "complex": X + 1j,
    "torch complex": torch.from_numpy(X + 1j),
    "dates": X.astype("m8[s]"),
    "frame of texts": pd.DataFrame({"a": ["x", "y"]}),
    "meta": torch.empty(12, 5, device="meta"),
    "no rows": X[:0],
    "no columns": X[:, :0],
    "one number": np.array(1.0),
    "row": X[0],
    "none": None,
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_what_are_no_vectors_is_one_line_in_every_function(name):
    for kind, bad in BAD.items():
        if name == "black_apart" and kind in ("no rows", "no columns"):
            continue
        with warnings.catch_warnings(action="error"):
            warnings.filterwarnings("ignore", "The PyTorch API of nested tensors")
            warnings.filterwarnings("ignore", "Sparse")
            with pytest.raises(ValueError, match=r"\w") as caught:
                FUNCTIONS[name](bad)
        said = str(caught.value)
        assert "\n" not in said and type(caught.value) is ValueError, (kind, said)
        if kind in ("csr", "csc", "coo", "lil", "torch coo", "torch csr"):
            assert "sparse: pass" in said, (kind, said)


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_nan_and_infinity_are_refused_in_every_function(name, value):
    bad = X.copy()
    bad[3, 2] = value
    if name == "black_apart":
        assert black_apart(bad)[3, -1] == 0
        return
    with warnings.catch_warnings(action="error"), pytest.raises(ValueError, match=r"X|K|data"):
        FUNCTIONS[name](bad)


@pytest.mark.parametrize(
    "kind",
    [
        lambda x: pd.DataFrame(x),
        lambda x: np.ma.masked_array(x),
        lambda x: np.asmatrix(x),
        lambda x: np.asfortranarray(x),
        lambda x: x[::-1][::-1],
        lambda x: x.astype(">f8"),
        lambda x: x.astype(np.longdouble),
        lambda x: torch.from_numpy(x).requires_grad_(),
        lambda x: [pd.DataFrame(x[:5]), pd.DataFrame(x[5:])],
    ],
)
@pytest.mark.parametrize("device", ["numpy", "cpu"])
def test_vectors_may_be_of_many_kinds(kind, device):
    for options in ({}, {"kernel": "rbf", "bandwidth": 1.0}):
        assert vendi_score(kind(X), device=device, **options) == pytest.approx(
            vendi_score(X, **options), rel=1e-12
        )


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int64, np.uint64, np.bool_, np.float16])
def test_small_types_do_not_overflow(dtype):
    whole = np.random.default_rng(1).integers(0, 2, (9, 400)) * 100
    small = whole.astype(dtype)
    assert vendi_score(small) == pytest.approx(vendi_score(small.astype(float)), rel=1e-3)
    assert Span.of(small).outside(small, 0.9) == pytest.approx(
        Span.of(small.astype(float)).outside(small.astype(float), 0.9)
    )


def test_numbers_whose_squares_are_infinite_are_scaled_or_refused():
    assert vendi_score(X * 1e200) == pytest.approx(vendi_score(X))
    with (
        warnings.catch_warnings(action="error"),
        pytest.raises(ValueError, match="squares are infinite"),
    ):
        vendi_score(X * 1e200, kernel="rbf", bandwidth=1.0)


@pytest.mark.parametrize("samples", ["a text", b"x", {"a": X}, None, 3])
def test_one_sample_in_place_of_several_is_told(samples):
    with pytest.raises(ValueError, match="samples are an array"):
        score(samples, Embedder("e", "p", np.asarray))


def test_tiny_rows_are_not_black():
    assert black_apart(np.array([[1e-200, 0], [0, 0]]))[:, -1].tolist() == [0, 1]


def test_one_row_is_worth_one():
    assert vendi_score(X[:1]) == vendi_from_kernel(np.eye(1)) == 1
    assert approximate(X[:1], rank=3, **NAMES).score == pytest.approx(1)
    for name in ("mmd", "precision", "coverage"):
        with pytest.raises(ValueError, match="samples"):
            alignment(X[:1], X[:1], name)


@pytest.mark.parametrize(
    "weights",
    [
        sparse.csr_matrix(np.ones((1, 12))),
        np.ma.masked_equal(np.arange(12.0), 3),
        np.ones(12) + 1j,
        ["1"] * 12,
        [None] * 12,
        torch.ones(12).to_sparse(),
        np.full(12, np.nan),
        [[1], [2, 3]],
    ],
)
def test_weights_that_are_no_numbers_are_one_line(weights):
    with warnings.catch_warnings(action="error"), pytest.raises(ValueError, match="weights"):
        vendi_score(X, weights=weights)


@pytest.mark.parametrize(
    "options",
    [
        {"q": "1"},
        {"q": None},
        {"q": 1j},
        {"q": np.ones(2)},
        {"q": True},
        {"kernel": "rbf", "bandwidth": 1e-200},
        {"kernel": "rbf", "bandwidth": 1e200},
        {"kernel": "rbf", "bandwidth": np.nan},
        {"kernel": "rbf", "bandwidth": True},
        {"kernel": "rbf", "bandwidth": np.ones(2)},
    ],
)
def test_options_that_are_no_numbers_are_one_line(options):
    with warnings.catch_warnings(action="error"), pytest.raises(ValueError, match="must be"):
        vendi_score(X, **options)


def test_numbers_of_numpy_are_numbers():
    wanted = vendi_score(X, q=2, kernel="rbf", bandwidth=0.5)
    assert vendi_score(X, q=np.int64(2), kernel="rbf", bandwidth=np.float32(0.5)) == wanted


@pytest.mark.parametrize("tolerance", [np.nan, -1, np.inf, "1"])
def test_a_tolerance_that_accepts_anything_is_refused(tolerance):
    with pytest.raises(ValueError, match="the tolerance must be"):
        vendi_from_kernel(np.array([[1, 5], [-5, 1]]), tolerance=tolerance)


def test_a_kernel_with_huge_numbers_is_one_line():
    K = np.eye(3)
    K[0, 1] = K[1, 0] = 1e308
    with (
        warnings.catch_warnings(action="error"),
        pytest.raises(ValueError, match="not positive semi-definite"),
    ):
        vendi_from_kernel(K)


@pytest.mark.parametrize("rank", [0, 2.5, "2", None, True])
def test_a_rank_that_is_no_number_is_one_line(rank):
    with pytest.raises(ValueError, match="rank must be 1 or more"):
        approximate(X, rank=rank, **NAMES)


@pytest.mark.parametrize("k", [0, 2.5, "2", 12])
def test_a_number_of_neighbours_that_is_none_is_one_line(k):
    with pytest.raises(ValueError, match=r"k must be|needs k"):
        alignment(X, X, "precision", k=k)


@pytest.mark.parametrize(
    "labels",
    [
        np.array([0.0, np.nan] * 6),
        np.array([None, "a"] * 6, dtype=object),
        np.array([1, "a"] * 6, dtype=object),
        np.array([1, pd.NA] * 6, dtype=object),
        np.ma.masked_equal([0, 1] * 6, 1),
        torch.ones(12).to_sparse(),
        sparse.csr_matrix(np.ones((1, 12))),
        [0] * 11,
        0,
    ],
)
def test_labels_that_cannot_be_told_apart_are_one_line(labels):
    with pytest.raises(ValueError, match="labels"):
        alignment(X, X, "centroid", labels=labels, original_labels=labels)


@pytest.mark.parametrize("mixed", [[X, torch.from_numpy(X)], [torch.from_numpy(X), X]])
def test_batches_of_numpy_and_torch_are_told(mixed):
    with pytest.raises(ValueError, match="bring them to one"):
        vendi_score(mixed)


IMAGES = np.random.default_rng(2).integers(0, 256, (3, 3, 4, 4), dtype=np.uint8)


@pytest.mark.parametrize(
    "images",
    [
        np.ma.masked_greater(IMAGES, 9),
        torch.from_numpy(IMAGES).to_sparse(),
        IMAGES.astype(np.uint16) * 257,
        IMAGES / 255,
        IMAGES.astype(object),
        sparse.csr_matrix(IMAGES[0, 0]),
    ],
)
def test_pixels_that_are_not_of_8_bits_are_one_line(images):
    with pytest.raises(ValueError, match="uint8"):
        pixel_vectors(images)
    with pytest.raises(ValueError, match=r"uint8|sparse: pass"):
        score(images, pixels())
    if not hasattr(images, "tocsr"):
        with pytest.raises(ValueError, match="uint8"):
            score([*images], pixels(2))
