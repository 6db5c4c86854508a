"""The exact eigenvalues of a scaled similarity kernel, in as little memory as they need.

With rows x_i of probability p_i (1 / n without weights) the scaled kernel is K~ = D^1/2 K D^1/2, D
= diag(p) (Friedman and Dieng, TMLR 2023, section 3.3). For inner products it is X~ X~^T with X~ =
D^1/2 X, which has the same eigenvalues, but for zeros, as the dual X~^T X~, d x d. The smaller of
the two is used.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from ddiv.diversity.entropy import clean, rounding_noise
from ddiv.diversity.rbf import check_bandwidth, check_finite, chosen_bandwidth, rbf
from ddiv.diversity.rows import KERNELS, Backend, blocks, probabilities, scaled_rows

FEWEST_ROWS = 256

# An RBF kernel has no negative eigenvalues: any that comes out is cancellation in distances far
# above the bandwidth.
RBF_TOLERANCE = 1e-6


class Spectrum(NamedTuple):
    """The spectrum of the scaled kernel of n samples.

    p: eigenvalues, ascending, >= 0, summing to 1; kernel: its name in words.
    """

    p: np.ndarray
    n: int
    kernel: str


def spectrum(
    X: Any, kernel: str, bandwidth: float | str | None, weights: Any, where: Backend
) -> Spectrum:
    """The exact spectrum of the kernel of samples X; arguments and errors as in `vendi_score`."""
    check_kernel(kernel, bandwidth)
    p = probabilities(weights)
    if kernel == "rbf":
        return _rbf(X, bandwidth, p, where)
    kept: list[Any] = []
    noise, n, dual = 0.0, 0, None
    for rows in blocks(X):
        noise = max(noise, rounding_noise(rows.dtype))
        kept.append(rows)
        n += len(rows)
        if dual is None and n > rows.shape[1]:
            dual = where.zeros(rows.shape[1], rows.shape[1]).T
        if dual is not None:
            start = n - sum(map(len, kept))
            # On a processor as few rows at a time as its cache holds, but not so few that reading
            # the sum costs more than adding to it.
            step = max(FEWEST_ROWS, rows.shape[1]) if where.device is None else max(map(len, kept))
            for part in kept:
                for at in range(0, len(part), step):
                    unit = scaled_rows(where, part[at : at + step], kernel, start + at, p)
                    dual = where.plus_gram(dual, unit)
                start += len(part)
            kept = []
    check_count(p, n)
    gram = _primal(kept, kernel, p, where) if dual is None else dual
    if p is None:
        gram /= n
    return Spectrum(clean(_eigvalsh(gram, where), noise), n, described(kernel, None, None, p))


def _primal(kept: list[Any], kernel: str, p: np.ndarray | None, where: Backend) -> Any:
    """X~ X~^T of rows in their own type, of which two blocks at a time are made float64."""
    if len(kept) == 1:
        unit = scaled_rows(where, kept[0], kernel, 0, p)
        return unit @ unit.T
    starts = np.cumsum([0, *map(len, kept)])
    spans = [slice(a, b) for a, b in pairwise(starts)]
    gram = where.zeros(starts[-1], starts[-1])
    for i, here in enumerate(spans):
        a = scaled_rows(where, kept[i], kernel, here.start, p)
        for j in range(i, len(kept)):
            b = a if j == i else scaled_rows(where, kept[j], kernel, spans[j].start, p)
            gram[here, spans[j]] = a @ b.T
            gram[spans[j], here] = gram[here, spans[j]].T
    return gram


def _rbf(X: Any, bandwidth: float | str | None, p: np.ndarray | None, where: Backend) -> Spectrum:
    rows = where.xp.concatenate([where.float64(part) for part in blocks(X)])
    check_count(p, len(rows))
    check_finite(where, rows)
    sigma = chosen_bandwidth(rows, bandwidth, where)
    evals = kernel_spectrum(rbf(where, rows, rows, sigma), p, where, RBF_TOLERANCE)
    return Spectrum(evals, len(rows), described("rbf", bandwidth, sigma, p))


def kernel_spectrum(
    K: Any, p: np.ndarray | None, where: Backend, tolerance: float | None = None
) -> np.ndarray:
    """Probabilities from a float64 kernel matrix K (n, n), which is overwritten."""
    if p is None:
        K /= len(K)
    else:
        root = where.float64(np.sqrt(p))
        K *= root[:, None]
        K *= root
    return clean(_eigvalsh(K, where), tolerance=tolerance)


def check_kernel(kernel: str, bandwidth: float | str | None) -> None:
    """ValueError on an unknown kernel, or a bandwidth that does not fit the kernel."""
    if kernel not in KERNELS:
        raise ValueError(f"unknown kernel {kernel!r}: one of {', '.join(KERNELS)}")
    if kernel != "rbf":
        if bandwidth is not None:
            raise ValueError(f'the {kernel} kernel has no bandwidth; kernel="rbf" has one')
        return
    if not (isinstance(bandwidth, str) and bandwidth == "median"):
        check_bandwidth(bandwidth, '"median"')


def check_count(p: np.ndarray | None, n: int) -> None:
    """ValueError unless there are as many weights as samples."""
    if p is not None and len(p) != n:
        raise ValueError(f"weights must be one number a sample: {len(p)} weights and {n} samples")


def described(
    kernel: str, bandwidth: float | str | None, sigma: float | None, p: np.ndarray | None
) -> str:
    """A kernel in words: its name, its bandwidth, and the effective n of uneven weights."""
    words = kernel
    if kernel == "rbf":
        words += f", bandwidth {sigma:.6g}"
        words += " (median distance)" if bandwidth == "median" else ""
    if p is not None:
        words += f", weighted samples (effective n {1 / (p**2).sum():.6g})"
    return words


def _eigvalsh(matrix: Any, where: Backend) -> np.ndarray:
    try:
        return where.numpy(where.xp.linalg.eigvalsh(matrix))
    except (np.linalg.LinAlgError, RuntimeError) as error:  # torch's is a RuntimeError
        if bool(where.xp.isfinite(matrix).all()):
            raise
        raise ValueError("the kernel holds NaN or infinity: scale X, or mend the kernel") from error
