"""Norms, ranks and entropies of a weight matrix, from the eigenvalues of W^T W.

Every function takes eigenvalues of shape (..., M) in any order and returns shape (...): one
spectrum gives one number, a stack gives an array. The eigenvalues carry the square of the weights'
unit. All raise ValueError on an empty spectrum, NaN, infinity or an eigenvalue that is negative
beyond round-off.

The paper's "Frobenius norm" is the sum of the eigenvalues and its "spectral norm" the largest one;
WeightWatcher's columns `norm` and `spectral_norm` are the same two. They are the squares of the
norms. Here a plain name is a norm, and the name of a square says so.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

ENTROPIES = ("raw", "normalised")


def checked_evals(evals: np.ndarray) -> np.ndarray:
    """The eigenvalues as float64 of shape (..., M), with round-off below 0 set to 0.

    ValueErrors as the head of this file says.
    """
    evals = np.asarray(evals, dtype=np.float64)
    if evals.ndim == 0 or evals.shape[-1] == 0:
        raise ValueError(f"eigenvalues need shape (..., M) with M >= 1, got {evals.shape}")
    if not np.isfinite(evals).all():
        raise ValueError("eigenvalues hold NaN or infinity")
    if (evals.min(axis=-1) < -1e-9 * np.abs(evals).max(axis=-1)).any():
        raise ValueError("eigenvalues of W^T W cannot be negative")
    checked: np.ndarray = np.maximum(evals, 0.0)
    return checked


def frobenius_norm_squared(evals: np.ndarray) -> np.ndarray:
    """Sum of the eigenvalues: the paper's formula in section 2.2 and WeightWatcher's `norm`."""
    total: np.ndarray = checked_evals(evals).sum(axis=-1)
    return total


def frobenius_norm(evals: np.ndarray) -> np.ndarray:
    """||W||_F, the square root of the sum of the eigenvalues."""
    norm: np.ndarray = np.sqrt(frobenius_norm_squared(evals))
    return norm


def spectral_norm_squared(evals: np.ndarray) -> np.ndarray:
    """The largest eigenvalue: the paper's formula and WeightWatcher's `spectral_norm`."""
    largest: np.ndarray = checked_evals(evals).max(axis=-1)
    return largest


def spectral_norm(evals: np.ndarray) -> np.ndarray:
    """||W||_2, the square root of the largest eigenvalue."""
    norm: np.ndarray = np.sqrt(spectral_norm_squared(evals))
    return norm


def stable_rank(evals: np.ndarray) -> np.ndarray:
    """Sum over largest eigenvalue, from 1 to M; nan for a zero matrix, which has none."""
    evals = checked_evals(evals)
    return _ratio(evals.sum(axis=-1), evals.max(axis=-1), np.nan)


def effective_rank(evals: np.ndarray) -> np.ndarray:
    """exp(-sum(p log p)), p the singular values over their sum (Roy and Vetterli, EUSIPCO 2007).

    From 1 to M, and M if all are equal; nan for a zero matrix. `matrix_entropy` takes eigenvalues,
    the squares, instead, so large ones weigh more in it.
    """
    singular = np.sqrt(checked_evals(evals))
    total = singular.sum(axis=-1)
    p = _ratio(singular, total[..., None], 0.0)
    rank: np.ndarray = np.where(total > 0, np.exp(-_x_log_x(p).sum(axis=-1)), np.nan)[()]
    return rank


def numerical_rank(evals: np.ndarray, n_rows: int | np.ndarray | None = None) -> np.ndarray:
    """How many eigenvalues exceed the largest times N times the float64 rounding unit (2.2e-16).

    n_rows: N, the longer side, a number or one per spectrum (default: M). WeightWatcher puts the
    same limit on singular values from an SVD, which is the limit's square on eigenvalues.
    Eigenvalues of a Gram matrix carry round-off far above that square, so every rank-deficient
    matrix would count as full rank with it.
    """
    evals = checked_evals(evals)
    rank: np.ndarray = _above_rank_limit(evals, n_rows).sum(axis=-1)
    return rank


def _above_rank_limit(evals: np.ndarray, n_rows: int | np.ndarray | None) -> np.ndarray:
    n_rows = np.asarray(evals.shape[-1] if n_rows is None else n_rows)
    limit = evals.max(axis=-1) * n_rows * np.finfo(np.float64).eps
    above: np.ndarray = evals > limit[..., None]
    return above


def matrix_entropy(
    evals: np.ndarray, definition: str = "raw", n_rows: int | np.ndarray | None = None
) -> np.ndarray:
    """Entropy of a spectrum, in one of two definitions that rank matrices differently.

    "raw": -sum(lambda log lambda), natural logarithm, 0 log 0 = 0, as the paper's first version
    writes it. It changes with the scale of the weights, and is negative once the eigenvalues exceed
    1. "normalised": -sum(p log p) / log(rank) with p = lambda / sum(lambda), as WeightWatcher
    computes it: from 0 to 1 and free of scale. ``rank`` is numerical_rank with ``n_rows``. Rank one
    gives 0 (WeightWatcher: about 1449, as it adds 1e-10 to p and to the rank; elsewhere the two
    agree to 1e-6), rank zero gives nan. ValueError on another definition.
    """
    evals = checked_evals(evals)
    if definition == "raw":
        raw: np.ndarray = -_x_log_x(evals).sum(axis=-1)
        return raw
    if definition != "normalised":
        raise ValueError(f"unknown entropy {definition!r}: one of {', '.join(ENTROPIES)}")
    kept = np.where(_above_rank_limit(evals, n_rows), evals, 0.0)
    rank = (kept > 0).sum(axis=-1)
    p = _ratio(kept, kept.sum(axis=-1, keepdims=True), 0.0)
    entropy = _ratio(-_x_log_x(p).sum(axis=-1), np.log(np.maximum(rank, 1)), 0.0)
    normalised: np.ndarray = np.where(rank > 0, entropy, np.nan)[()]
    return normalised


def log_norms(evals: np.ndarray, alpha: float | np.ndarray | None = None) -> dict[str, np.ndarray]:
    """WeightWatcher's base-10 logarithms, under its names; -inf for a zero matrix.

    log_norm: of the sum; log_spectral_norm: of the largest eigenvalue; and, given the exponent of
    the fit, alpha_weighted: alpha times log_spectral_norm; log_alpha_norm: of the sum of
    lambda^alpha.
    """
    evals = checked_evals(evals)
    top = evals.max(axis=-1)
    with np.errstate(divide="ignore"):
        logs = {"log_norm": np.log10(evals.sum(axis=-1)), "log_spectral_norm": np.log10(top)}
    if alpha is not None:
        alpha = np.asarray(alpha, dtype=np.float64)
        # relative to the largest, lest the powers overflow
        shape = _ratio(evals, top[..., None], 1.0) ** alpha[..., None]
        logs["alpha_weighted"] = alpha * logs["log_spectral_norm"]
        logs["log_alpha_norm"] = logs["alpha_weighted"] + np.log10(shape.sum(axis=-1))
    return logs


def num_pl_spikes(evals: np.ndarray, xmin: float | np.ndarray) -> np.ndarray:
    """How many eigenvalues are at least xmin, as WeightWatcher counts.

    The paper's text says "larger than", which is one fewer, as xmin is itself an eigenvalue. xmin:
    one number, or one per spectrum; with a nan (no fit) the count is 0.
    """
    count: np.ndarray = (checked_evals(evals) >= np.asarray(xmin)[..., None]).sum(axis=-1)
    return count


def summarise(evals: np.ndarray, n_rows: int | np.ndarray | None = None) -> dict[str, np.ndarray]:
    """Every metric that needs no fit, of spectra (..., M): name -> array of shape (...)."""
    evals = checked_evals(evals)
    simple: tuple[Callable[[np.ndarray], np.ndarray], ...] = (
        frobenius_norm,
        frobenius_norm_squared,
        spectral_norm,
        spectral_norm_squared,
        stable_rank,
        effective_rank,
    )
    return {
        **{metric.__name__: metric(evals) for metric in simple},
        "numerical_rank": numerical_rank(evals, n_rows),
        "entropy_raw": matrix_entropy(evals, "raw"),
        "entropy_normalised": matrix_entropy(evals, "normalised", n_rows),
        **log_norms(evals),
    }


def _ratio(a: np.ndarray, b: np.ndarray, otherwise: float) -> np.ndarray:
    """The ratio a / b, and ``otherwise`` where b is 0."""
    ratio: np.ndarray = np.where(b == 0, otherwise, a / np.where(b == 0, 1.0, b))[()]
    return ratio


def _x_log_x(x: np.ndarray) -> np.ndarray:
    product: np.ndarray = x * np.log(np.where(x > 0, x, 1.0))
    return product
