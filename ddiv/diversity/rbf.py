"""The RBF kernel between blocks of rows, its bandwidth, and the drawing of rows at random."""

from __future__ import annotations

from typing import Any

import numpy as np

from ddiv.diversity.rows import Backend, blocks, is_number, roots

# Distances between this many samples, drawn with a fixed seed, estimate the median distance.
MEDIAN_ROWS = 1000

# Larger numbers have squares that are infinite once they are summed; so have the bandwidths'
# inverses.
LARGEST = 1e150


def rbf(where: Backend, A: Any, B: Any, sigma: float) -> Any:
    """exp(-|a - b|^2 / (2 sigma^2)) of float64 rows A (n, d) and B (m, d): (n, m)."""
    centre = B.mean(0)  # the distances of rows far from the origin would cancel
    A, B = A - centre, B - centre
    K = A @ B.T
    K *= -2
    K += where.xp.einsum("ij,ij->i", A, A)[:, None]
    K += where.xp.einsum("ij,ij->i", B, B)
    K /= -2 * sigma**2
    K[K > 0] = 0  # round-off
    return where.xp.exp(K, out=K)


def median_distance(X: Any, where: Backend) -> float:
    """Median distance between different samples of X, (n, d) or batches.

    It is that of MEDIAN_ROWS samples drawn with seed 0, the usual bandwidth of kernel tests
    (Gretton et al., JMLR 2012). ValueError where it is 0 or there is one sample.
    """
    from scipy.spatial.distance import pdist

    drawn, _ = draw(X, MEDIAN_ROWS, None, np.random.default_rng(0), where)
    sigma = float(np.median(pdist(drawn))) if len(drawn) > 1 else 0.0
    if not sigma > 0:
        raise ValueError(
            "the median distance between samples is 0, or there is one sample: give a bandwidth"
        )
    return sigma


def chosen_bandwidth(X: Any, bandwidth: float | str | None, where: Backend) -> float:
    """A bandwidth that `spectrum.check_kernel` accepts, as a number; "median" is that of X."""
    if bandwidth == "median":
        return median_distance(X, where)
    return float(bandwidth)  # type: ignore[arg-type]  # `check_kernel` accepts no None for rbf


def draw(
    X: Any, count: int, p: np.ndarray | None, rng: np.random.Generator, where: Backend
) -> tuple[np.ndarray, int]:
    """At most `count` rows of X, drawn without replacement, and the number of rows seen.

    X is read once; the rows are in random order. Every row has an exponential clock of rate p, and
    those whose clocks ring first are drawn (Efraimidis and Spirakis, 2006): with equal p, any
    subset is as likely as another. The draw does not depend on how X is cut into batches.
    ValueError on NaN or infinity.
    """
    kept: Any = None
    clocks, n = np.empty(0), 0
    for rows in blocks(X):
        rows = where.float64(rows)
        check_finite(where, rows)
        with np.errstate(divide="ignore"):
            clocks = np.append(
                clocks, rng.exponential(size=len(rows)) / roots(p, n, len(rows)) ** 2
            )
        kept = where.numpy(rows) if kept is None else np.concatenate([kept, where.numpy(rows)])
        n += len(rows)
        first = np.argsort(clocks, kind="stable")[:count]
        kept, clocks = kept[first], clocks[first]
    return kept[np.isfinite(clocks)], n


def check_finite(where: Backend, rows: Any) -> None:
    """ValueError on NaN or infinity, and on numbers whose squares are infinite."""
    if not bool(where.xp.isfinite(rows).all()):
        raise ValueError("X holds NaN or infinity: leave those samples out")
    if float(abs(rows).max()) > LARGEST:
        raise ValueError(f"X holds numbers above {LARGEST:g}, whose squares are infinite: scale it")


def check_bandwidth(bandwidth: Any, words: str) -> None:
    """ValueError unless a bandwidth is a positive number; `words` name what else it may be."""
    if not is_number(bandwidth) or not 1 / LARGEST < float(bandwidth) < LARGEST:
        raise ValueError(
            f"the bandwidth of the RBF kernel must be {words} or a positive number, got "
            f"{bandwidth!r:.80}"
        )
