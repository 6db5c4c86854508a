"""The Vendi score of a set of samples: how many different ones it is worth, from 1 to n.

The score is the exponential of the entropy of the eigenvalues of K / n, where K[i, j] is the similarity of
samples i and j (Friedman and Dieng, TMLR 2023; the paper's section 2.1.2). Order q counts rare modes more
(q < 1) or less (q > 1). It is computed with the package vendi-score 0.0.3, around its faults:

- ``score_X`` takes a q and ignores it;
- q = infinity is spelled "inf" there, and ``math.inf`` gives nan;
- ``score_K`` touches scipy.sparse.csr, which SciPy warns about on every call and removes in 2.0;
- negative eigenvalues are dropped without a word and positive round-off is kept, which an order q near 0 counts
  as so many modes.

So the eigenvalues are computed and cleaned here, and ``entropy_q`` makes the score of them. It equals ``score_K`` and
``score_dual`` to 1e-9 where those are right (the tests hold it to that).

Scores grow with n and depend on the embedding: a VendiResult carries what it may be compared on.
This module needs only numpy; vendi-score is imported when first used (0.7 s: it brings scikit-learn, scipy.stats and
pandas, but neither torch nor matplotlib, as long as its ``image_utils`` is left alone).
"""

import math
from dataclasses import dataclass

import numpy as np

KERNELS = ("cosine", "linear")


@dataclass(frozen=True)
class VendiResult:
    """A score with everything that it depends on.

    score: 1 to n; n: number of samples; q: order; kernel: one of KERNELS; embedder: what turned samples into
    vectors ("pixels", "clip-vit-b32/openai", ..); preprocessing: what was done to the samples before that.
    """

    score: float
    n: int
    q: float
    kernel: str
    embedder: str
    preprocessing: str


def measure(
    X: np.ndarray, *, embedder: str, preprocessing: str, q: float = 1.0, kernel: str = "cosine"
) -> VendiResult:
    """vendi_score(X, q, kernel) together with what it depends on. Same errors."""
    return VendiResult(vendi_score(X, q, kernel), len(X), float(q), kernel, embedder, preprocessing)


def require_comparable(*results: VendiResult) -> None:
    """ValueError, naming the field, if scores differ in anything but the score and so cannot be compared."""
    for field in ("n", "q", "kernel", "embedder", "preprocessing"):
        values = sorted({getattr(result, field) for result in results})
        if len(values) > 1:
            raise ValueError(f"Vendi scores of different {field} cannot be compared: {values}")


def vendi_score(X: np.ndarray, q: float = 1.0, kernel: str = "cosine") -> float:
    """The Vendi score of n vectors, X of shape (n, d), in float64.

    q: order, 0 to infinity. kernel: "cosine", or "linear" for vectors that are of length 1 already (to 1e-6: the
    score is defined for K[i, i] = 1 only). The n x n kernel is used when n <= d, else its d x d dual, which has
    the same eigenvalues but for zeros. ValueError on another shape, no samples, NaN or infinity, a zero vector
    (its cosine is undefined; an all-black image is one), vectors not of length 1 under "linear", an unknown kernel, a
    negative or NaN q.
    """
    X = _unit_vectors(X, kernel)
    if not q >= 0:
        raise ValueError(f"the order q must be 0 or more, got {q}")
    from vendi_score import vendi

    n, d = X.shape
    gram = X @ X.T if n <= d else X.T @ X
    order = "inf" if q == math.inf else q
    return float(np.exp(vendi.entropy_q(_probabilities(gram / n), q=order)))


def pixel_vectors(images: np.ndarray) -> np.ndarray:
    """Images (n, 3, h, w) of uint8, as an array or a CPU tensor, as vectors (n, 3 * h * w) of float64 in [0, 1].

    vendi-score's own pixel front end resizes to 32 x 32, keeps 0 to 255 and puts the channels last. Scale and
    order of pixels do not change a cosine; a resize does, so it is left to the caller, who names it in
    ``preprocessing``. ValueError on another type or shape, or no images.
    """
    images = np.asarray(images)
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[1] != 3 or images.size == 0:
        raise ValueError(f"images must be uint8 (n, 3, h, w) with n >= 1, got {images.dtype} {images.shape}")
    return images.reshape(len(images), -1) / 255.0


def black_apart(X: np.ndarray) -> np.ndarray:
    """X (n, d) as (n, d + 1), in which zero vectors point along a direction of their own.

    A black image has no direction in pixel space, so its cosine is undefined. An augmentation that shifts an
    image out of sight makes some. By this convention black images are equal to each other and unlike all others.
    """
    return np.column_stack([X, np.linalg.norm(X, axis=1) == 0])


def _unit_vectors(X: np.ndarray, kernel: str) -> np.ndarray:
    if kernel not in KERNELS:
        raise ValueError(f"unknown kernel {kernel!r}: one of {', '.join(KERNELS)}")
    X = np.asarray(X, dtype=np.float64)
    if X.ndim != 2 or X.size == 0:
        raise ValueError(f"X must have shape (n, d) with n, d >= 1, got {X.shape}")
    if not np.isfinite(X).all():
        raise ValueError("X holds NaN or infinity")
    length = np.linalg.norm(X, axis=1)
    if kernel == "linear":
        if (np.abs(length - 1) > 1e-6).any():
            raise ValueError("the linear kernel needs vectors of length 1; use the cosine kernel")
        return X
    if (length == 0).any():
        raise ValueError(f"cosine is undefined for zero vectors: {int((length == 0).sum())} of {len(X)}")
    return X / length[:, None]


def _probabilities(kernel: np.ndarray) -> np.ndarray:
    """Eigenvalues of K / n with round-off (below size * 2.2e-16 of the largest) set to zero, summing to 1."""
    evals = np.linalg.eigvalsh(kernel)
    limit = evals[-1] * len(evals) * np.finfo(np.float64).eps
    if evals[0] < -10 * limit:
        raise ValueError(f"the kernel is not positive semi-definite: eigenvalue {evals[0]:.3g}")
    evals = np.where(evals > limit, evals, 0.0)
    return evals / evals.sum()
