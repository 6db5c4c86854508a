"""From a kernel's eigenvalues to a Vendi score; only here are round-off and modes told apart.

The score of order q is the exponential of the Rényi entropy of the eigenvalues of K / n (Friedman
and Dieng, TMLR 2023, for q = 1; Pasarkar and Dieng, AISTATS 2024, for any q).
`vendi_score.vendi.entropy_q` computes that entropy and is called where it is right. It is not right
where

- q is near 1: log(sum p^q) / (1 - q) cancels (2 % off at q = 1 + 1e-14);
- q is large: p^q underflows and the score comes out infinite;
- q is infinity: it takes "inf", and ``math.inf`` gives nan;
- p holds negative eigenvalues: it drops them without a word, and the rest does not sum to 1.
"""

from __future__ import annotations

import math

import numpy as np

from ddiv.diversity.rows import is_number

_EPS = float(np.finfo(np.float64).eps)


def checked_order(q: float) -> float:
    """The order q as a float; ValueError unless 0 <= q <= infinity."""
    if not is_number(q) or not q >= 0:
        raise ValueError(f"the order q must be a number, 0 or more, got {q!r:.80}")
    return float(q)


def renyi_entropy(p: np.ndarray, q: float) -> float:
    """Rényi entropy of order q, in nats, of probabilities p (m,) with sum 1; zeros are no modes."""
    p = p[p > 0]
    if q == math.inf:
        return -math.log(p.max())
    if q == 1 or (q <= 10 and abs(q - 1) >= 0.1):
        from vendi_score import vendi

        return float(vendi.entropy_q(p, q=q))
    log_p = np.log(p)
    if abs(q - 1) < 0.1:  # sum p^q = 1 + sum p (p^(q-1) - 1), without the cancellation
        return float(np.log1p((p * np.expm1((q - 1) * log_p)).sum()) / (1 - q))
    top = log_p.max()
    return float((q * top + np.log(np.exp(q * (log_p - top)).sum())) / (1 - q))


def score_of(p: np.ndarray, q: float) -> float:
    """The Vendi score of order q of eigenvalues p (m,) >= 0 that sum to 1: from 1 to m."""
    return math.exp(renyi_entropy(p, q))


def mixture_bound(entropies: np.ndarray, shares: np.ndarray, q: float) -> float:
    """The least Rényi entropy of order q of a set, from its parts' entropies (m,) and shares (m,).

    The set's scaled kernel has the eigenvalues of the mean of its parts' covariances C in feature
    space, and tr C^q is convex in C for q > 1 and concave for q < 1 (Bhatia, Matrix Analysis,
    1997); at 1 the entropy is concave.
    """
    if q == 1:
        return float((shares * entropies).sum())
    if q == math.inf:
        return -math.log((shares * np.exp(-entropies)).sum())
    if abs(q - 1) < 0.1:
        return float(np.log1p((shares * np.expm1((1 - q) * entropies)).sum()) / (1 - q))
    powers = (1 - q) * entropies
    return float((powers.max() + np.log((shares * np.exp(powers - powers.max())).sum())) / (1 - q))


def clean(evals: np.ndarray, noise: float = 0.0, tolerance: float | None = None) -> np.ndarray:
    """Ascending eigenvalues (m,) of a scaled kernel as probabilities, without round-off.

    They sum to 1. A value is round-off, and set to zero, if it is below m * 2.2e-16 of the largest,
    below `noise` / m, or no more than twice as far above zero as the most negative eigenvalue lies
    under it: an order q near 0 would count each such value as a mode. ValueError if an eigenvalue
    is more negative than `tolerance` times the largest (default: ten times round-off).
    """
    limit = max(evals[-1] * len(evals) * _EPS, noise / len(evals))
    allowed = 10 * limit if tolerance is None else max(tolerance * evals[-1], limit)
    if not evals[-1] > 0 or evals[0] < -allowed:
        raise ValueError(
            "the kernel is not positive semi-definite: it has eigenvalues from "
            f"{evals[0]:.3g} to {evals[-1]:.3g}. Use one that is, such as the cosine or RBF kernel"
        )
    modes = np.where(evals > max(limit, -2 * evals[0]), evals, 0.0)
    p: np.ndarray = modes / modes.sum()
    return p


def rounding_noise(dtype: object) -> float:
    """The `noise` of unit vectors rounded to `dtype`: 0 for float64, and for integers (exact).

    Independent errors of relative size u (the unit round-off) have the total mass u^2 / 3, and the
    largest of their m eigenvalues is at most four times the mean (Marchenko-Pastur edge).
    """
    unit = {"float32": 2.0**-24, "float16": 2.0**-11, "bfloat16": 2.0**-8}.get(
        str(dtype).rpartition(".")[2], 0.0
    )
    return 4 / 3 * unit**2
