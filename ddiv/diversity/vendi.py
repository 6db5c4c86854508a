"""The Vendi score of samples or of a kernel matrix, with everything that it depends on."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from ddiv.diversity.entropy import checked_order, score_of
from ddiv.diversity.rbf import LARGEST
from ddiv.diversity.rows import backend, is_number, plain, probabilities
from ddiv.diversity.spectrum import check_count, kernel_spectrum, spectrum


@dataclass(frozen=True)
class VendiResult:
    """A score with everything that it depends on.

    score: 1 to n; n: number of samples; q: order; kernel: its name and what belongs to it
    ("cosine"; "rbf, bandwidth 0.8 (median distance)"; weighted samples); embedder: what turned
    samples into vectors ("pixels", "clip ViT-B-32/openai", ..); preprocessing: what was done to the
    samples before that.
    """

    score: float
    n: int
    q: float
    kernel: str
    embedder: str
    preprocessing: str

    # Scores that differ in one of these cannot be compared.
    conditions: ClassVar[tuple[str, ...]] = ("n", "q", "kernel", "embedder", "preprocessing")


def measure(
    X: Any,
    *,
    embedder: str,
    preprocessing: str,
    q: float = 1.0,
    kernel: str = "cosine",
    bandwidth: float | str | None = None,
    weights: Any = None,
    device: Any = "auto",
) -> VendiResult:
    """vendi_score(X, q, kernel, ..) together with what it depends on. Same errors."""
    q = checked_order(q)
    p, n, words = spectrum(X, kernel, bandwidth, weights, backend(device))
    return VendiResult(score_of(p, q), n, q, words, embedder, preprocessing)


def vendi_score(
    X: np.ndarray | Iterable[np.ndarray] | Any,
    q: float = 1.0,
    kernel: str = "cosine",
    *,
    bandwidth: float | str | None = None,
    weights: Any = None,
    device: Any = "auto",
) -> float:
    """The Vendi score of n vectors, in float64.

    It is exp of the Rényi entropy of order q of the eigenvalues of K / n, K the kernel matrix.

    X: (n, d), numpy or torch, any real type; or an iterable of such batches, which is read once. q:
    order, 0 to infinity; q < 1 counts rare modes more, q > 1 less. kernel: "cosine"; "linear" for
    vectors that are of length 1 already (to 1e-6: the score is defined for K[i, i] = 1 only);
    "rbf", exp(-|x - y|^2 / (2 bandwidth^2)), bandwidth in the units of the vectors or "median", the
    median distance between samples. weights: one number >= 0 a sample, in proportion to its
    probability, so integers act as numbers of copies. device: "auto", "numpy" or a torch device,
    see `rows.backend`.

    Memory, cosine and linear: at most d rows in their own type, two blocks of 64 MiB and the
    smaller of n x n and d x d in float64, and what LAPACK takes; X as a stream is never held. RBF:
    all rows and two n x n. `ddiv.diversity.nystroem.approximate` is for n and d too large for that.

    ValueError on another shape, no samples, NaN or infinity, a zero vector (its cosine is
    undefined; an all-black image is one), vectors not of length 1 under "linear", an unknown kernel
    or a bandwidth that does not fit it, unfit weights, a negative or NaN q, a device without
    float64.
    """
    q = checked_order(q)
    return score_of(spectrum(X, kernel, bandwidth, weights, backend(device)).p, q)


def vendi_from_kernel(
    K: Any,
    q: float = 1.0,
    *,
    weights: Any = None,
    tolerance: float | None = None,
    device: Any = "auto",
) -> float:
    """The Vendi score, in float64, of the caller's own similarity matrix K (n, n), numpy or torch.

    K must be symmetric, 1 on its diagonal and positive semi-definite, each to `tolerance` (relative
    to 1 and to the largest eigenvalue; default 1e-8, or 1e-4 if K is not float64). Negative
    eigenvalues within it count as round-off, and so do positive ones up to twice that size.
    ValueError naming what is amiss and the worst value, and on NaN, infinity, another shape, a
    sparse matrix, unfit weights or q.
    """
    q = checked_order(q)
    where = backend(device)
    K = plain(K, "K")
    if K.ndim != 2 or K.shape[0] != K.shape[1] or K.shape[0] == 0:
        raise ValueError(f"K must have shape (n, n) with n >= 1, got {tuple(K.shape)}")
    exact = str(K.dtype).rpartition(".")[2] in ("float64", "int64", "int32", "bool")
    tolerance = (1e-8 if exact else 1e-4) if tolerance is None else tolerance
    if not is_number(tolerance) or not 0 <= tolerance < math.inf:
        raise ValueError(f"the tolerance must be a number, 0 or more, got {tolerance!r:.80}")
    own = where.float64(K)
    if not bool(where.xp.isfinite(own).all()):
        raise ValueError("K holds NaN or infinity")
    if float(abs(own).max()) > LARGEST:
        raise ValueError(f"K is not positive semi-definite: it holds numbers above {LARGEST:g}")
    asymmetry = float(abs(own - own.T).max())
    if asymmetry > tolerance:
        raise ValueError(
            f"K is not symmetric: K and its transpose differ by up to {asymmetry:.3g}. "
            "Use (K + K.T) / 2 if that is what you mean"
        )
    diagonal = float(abs(own.diagonal() - 1).max())
    if diagonal > tolerance:
        raise ValueError(
            f"K must be 1 on its diagonal, it is off by up to {diagonal:.3g}. "
            "Divide K[i, j] by the root of K[i, i] * K[j, j]"
        )
    p = probabilities(weights)
    check_count(p, len(own))
    return score_of(kernel_spectrum((own + own.T) / 2, p, where, tolerance=tolerance), q)


def require_comparable(*results: VendiResult) -> None:
    """ValueError, naming the condition, if scores were measured under different ones."""
    for field in ("kind", *(results[0].conditions if results else ())):
        values = {
            type(result).__name__ if field == "kind" else getattr(result, field)
            for result in results
        }
        if len(values) > 1:
            raise ValueError(
                f"Vendi scores of different {field} cannot be compared: {sorted(values, key=str)}"
            )
