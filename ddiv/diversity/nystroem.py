"""Vendi scores for large n and d: a Nyström approximation, with bounds on the exact score.

A Nyström approximation N of the scaled kernel A (positive semi-definite, trace 1) never exceeds it:
0 <= N <= A. Hence every eigenvalue of A is at least that of N, and together they exceed those of N
by the residual r = 1 - tr N, which is known. Among all spectra that fit, the flattest (r poured
into the lowest eigenvalues) has the highest score of every order, and the one with r on top of the
largest has the lowest, since Rényi entropies are Schur-concave. These two bounds hold for certain.
Two more raise the lower one:

- the data is cut into parts of `rank` samples, in the order they come in; their exact entropies
  bound that of the whole, as mixing cannot make samples less diverse (`entropy.mixture_bound`;
  certain, and best on shuffled data);
- a sketch shows how A - N acts on vectors that N was not made from, which bounds its norm e: no
  eigenvalue gains more than e. This fails with probability 4^-10 (1e-6).

N is made in two ways:

- cosine and linear: Gaussian sketch A' W of the d x d dual, W (d, rank), in one pass over the data
  (Tropp et al., NeurIPS 2017, algorithm 3; test vectors: Halko, Martinsson and Tropp, SIAM Review
  2011, lemma 4.1);
- rbf: `rank` landmarks drawn from the samples (Williams and Seeger, NIPS 2000), in two passes.

The score itself is an estimate: the residual is taken as equal modes, in the number that its second
moment gives.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np

from ddiv.diversity.entropy import checked_order, clean, mixture_bound, renyi_entropy, score_of
from ddiv.diversity.rbf import chosen_bandwidth, draw, rbf
from ddiv.diversity.rows import (
    Backend,
    backend,
    blocks,
    is_array,
    is_number,
    probabilities,
    roots,
    scaled_rows,
)
from ddiv.diversity.spectrum import RBF_TOLERANCE, check_count, check_kernel, described
from ddiv.diversity.vendi import VendiResult

# The number of vectors held out of the sketch. The bound on |A - N| is FACTOR * sqrt(2 / pi) times
# its largest effect on one of them.
HELD_OUT, FACTOR = 10, 4.0

# A smaller residual counts as none. So does a direction of the landmarks' kernel with a smaller
# share of its largest eigenvalue: the other landmarks determine it.
ROUND_OFF = 1e-10

# Samples whose kernel gives the residual's second moment, where there is no sketch.
PAIRED = 500


@dataclass(frozen=True)
class ApproximateVendi(VendiResult):
    """An estimated score between bounds on the exact one.

    lower, upper: the bounds; rank: of the approximation; residual: the share of the kernel's trace
    that it misses; certainty: the probability that the exact score lies within the bounds (1 for
    landmarks).
    """

    lower: float
    upper: float
    rank: int
    residual: float
    certainty: float

    conditions: ClassVar[tuple[str, ...]] = (*VendiResult.conditions, "rank")

    def __str__(self) -> str:
        return (
            f"Vendi score {self.score:.6g}, exactly {self.lower:.6g} to {self.upper:.6g} "
            f"(rank {self.rank}; q = {self.q:g}, {self.kernel}, n = {self.n}, {self.embedder}, "
            f"{self.preprocessing})"
        )


class Approximation(NamedTuple):
    """What is known of A from N.

    ritz: eigenvalues of N, descending; gain: a bound on those of A - N; second_moment: the sum of
    their squares; n: number of samples; modes: the most non-zero eigenvalues that A can have;
    sigma: bandwidth; parts: the entropy and the share of parts of the data.
    """

    ritz: np.ndarray
    gain: float
    second_moment: float
    n: int
    modes: int
    sigma: float | None
    parts: list[tuple[float, float]]


def approximate(
    X: Any,
    *,
    rank: int,
    embedder: str,
    preprocessing: str,
    q: float = 1.0,
    kernel: str = "cosine",
    bandwidth: float | str | None = None,
    weights: Any = None,
    seed: int = 0,
    device: Any = "auto",
) -> ApproximateVendi:
    """The Vendi score of X (n, d), or of batches of it, approximated with a rank far below n and d.

    Arguments as in `ddiv.diversity.vendi_score`; rank: >= 1, more is closer and dearer; seed: of
    the random draws. Time grows with n * rank * (d + rank), memory with d * rank + rank^2 beside a
    few blocks of 64 MiB. For rbf, X must be an array, a tensor or batches that can be read more
    than once (a list, not a generator). Errors as there, and ValueError on a rank below 1 or a
    generator.
    """
    q, where, p = checked_order(q), backend(device), probabilities(weights)
    check_kernel(kernel, bandwidth)
    if not is_number(rank, whole=True) or rank < 1:
        raise ValueError(f"the rank must be 1 or more, a whole number, got {rank!r:.80}")
    rng = np.random.default_rng(seed)
    if kernel == "rbf":
        made = _landmarks(X, rank, q, bandwidth, p, rng, where)
    else:
        made = _sketch(X, rank, q, kernel, p, rng, where)
    residual = 1 - float(made.ritz.sum())
    residual = residual if residual > ROUND_OFF else 0.0
    ritz = made.ritz / (made.ritz.sum() + residual)
    lower, upper = bounds(ritz, residual, made.gain, made.modes, q)
    entropies, shares = np.array(made.parts).T
    lower = min(max(lower, math.exp(mixture_bound(entropies, shares / shares.sum(), q))), upper)
    tail = 1
    if residual and made.second_moment:
        tail = max(1, round(min(residual**2 / made.second_moment, made.modes)))
    estimate = score_of(np.append(ritz, np.full(tail, residual / tail)), q)
    return ApproximateVendi(
        min(max(estimate, lower), upper),
        made.n,
        q,
        described(kernel, bandwidth, made.sigma, p),
        embedder,
        preprocessing,
        lower,
        upper,
        rank,
        residual,
        1.0 if kernel == "rbf" else 1 - FACTOR**-HELD_OUT,
    )


def bounds(
    ritz: np.ndarray, residual: float, gain: float, modes: int, q: float
) -> tuple[float, float]:
    """Lowest and highest score of order q of eigenvalues that exceed `ritz` by `residual` in all.

    ritz: descending, >= 0, at most `modes` of them; gain: the most by which any eigenvalue exceeds
    its own; modes: the number of eigenvalues.
    """
    floor = np.zeros(modes)
    floor[: len(ritz)] = ritz
    gain = max(gain, residual / modes)  # any less could not hold the residual
    low = floor + np.clip(residual - gain * np.arange(modes), 0, gain)
    rising = floor[::-1]
    # The water stands at `level` over the `wet` lowest.
    levels = (residual + np.cumsum(rising)) / np.arange(1, modes + 1)
    wet = np.flatnonzero(levels >= rising)[-1]
    high = np.maximum(floor, levels[wet])
    return score_of(low / low.sum(), q), score_of(high / high.sum(), q)


def _parts(
    size: int, rows: Any, gram: Callable[[slice], Any], q: float, where: Backend
) -> list[tuple[float, float]]:
    """(entropy of order q, share of the trace) of parts of a block.

    gram: from a slice of the rows to its scaled kernel or the dual.
    """
    parts = []
    for start in range(0, len(rows), size):
        part = gram(slice(start, start + size))
        if (share := float(part.diagonal().sum())) > 0:
            evals = where.numpy(where.xp.linalg.eigvalsh(part / share))
            p = clean(evals, tolerance=RBF_TOLERANCE)
            parts.append((renyi_entropy(p, q), share))
    return parts


def _sketch(
    X: Any,
    rank: int,
    q: float,
    kernel: str,
    p: np.ndarray | None,
    rng: np.random.Generator,
    where: Backend,
) -> Approximation:
    """The approximation of an inner product's kernel, from a Gaussian sketch of its dual."""
    xp, n, trace = where.xp, 0, 0.0
    probe: Any = None
    Y: Any = None
    parts: list[tuple[float, float]] = []
    for rows in blocks(X):
        unit = scaled_rows(where, rows, kernel, n, p)
        if probe is None:
            d = rows.shape[1]
            rank = min(rank, d)
            basis = np.linalg.qr(rng.standard_normal((d, rank)))[0]
            probe = where.float64(np.hstack([basis, rng.standard_normal((d, HELD_OUT))]))
            Y = where.zeros(d, rank + HELD_OUT)
        parts += _parts(rank, unit, _gram_of(unit), q, where)
        Y += unit.T @ (unit @ probe)
        trace += float(xp.einsum("ij,ij->", unit, unit))
        n += len(rows)
    check_count(p, n)
    Y /= trace
    W, held_out, Y, seen = probe[:, :rank], probe[:, rank:], Y[:, :rank], Y[:, rank:]
    # The shift keeps the core positive definite; N = F F^T - shift.
    shift = float(np.finfo(np.float64).eps * math.sqrt(len(W)) * xp.linalg.norm(Y))
    Y = Y + shift * W
    core = W.T @ Y
    F = _solve(where, xp.linalg.cholesky((core + core.T) / 2), Y)
    ritz = where.numpy(xp.linalg.svdvals(F)) ** 2
    ritz = np.where(ritz > 10 * shift, ritz - shift, 0.0)
    effect = where.numpy(((seen - F @ (F.T @ held_out)) ** 2).sum(0))
    modes = min(n, len(W))
    gain = FACTOR * math.sqrt(2 / math.pi * effect.max())
    return Approximation(ritz[:modes], gain, effect.mean(), n, modes, None, parts)


def _landmarks(
    X: Any,
    rank: int,
    q: float,
    bandwidth: float | str | None,
    p: np.ndarray | None,
    rng: np.random.Generator,
    where: Backend,
) -> Approximation:
    """The approximation of the RBF kernel from `rank` landmarks, samples drawn at random."""
    if not is_array(X) and isinstance(X, Iterator):
        raise ValueError(
            "the rbf kernel reads X more than once: give an array or a list of batches, not a "
            "generator"
        )
    sigma = chosen_bandwidth(X, bandwidth, where)
    chosen, n = draw(X, rank + PAIRED, p, rng, where)
    check_count(p, n)
    marks, paired = where.float64(chosen[:rank]), where.float64(chosen[rank:])
    evals, vectors = where.xp.linalg.eigh(rbf(where, marks, marks, sigma))
    sound = evals > ROUND_OFF * evals[-1]
    onto = vectors[:, sound] / evals[sound] ** 0.5

    def features(rows: Any) -> Any:
        return rbf(where, rows, marks, sigma) @ onto

    gram, start = where.zeros(onto.shape[1], onto.shape[1]), 0
    parts: list[tuple[float, float]] = []
    for rows in blocks(X, beside=rank):
        rows, root = where.float64(rows), where.float64(roots(p, start, len(rows)))
        F = features(rows) * root[:, None]
        gram += F.T @ F

        def scaled(part: slice, rows: Any = rows, root: Any = root) -> Any:
            return rbf(where, rows[part], rows[part], sigma) * root[part, None] * root[part]

        parts += _parts(rank, rows, scaled, q, where)
        start += len(rows)
    ritz = where.numpy(where.xp.linalg.eigvalsh(gram))[::-1] / (n if p is None else 1)
    ritz = np.where(ritz > ritz[0] * n * np.finfo(np.float64).eps, ritz, 0.0)
    second = _second_moment(paired, features, sigma, n, where)
    return Approximation(ritz[:n], 1.0, second, n, n, sigma, parts)


def _second_moment(
    paired: Any, features: Callable[[Any], Any], sigma: float, n: int, where: Backend
) -> float:
    """The sum of squares of A - N, estimated from pairs of a few rows that are no landmarks."""
    m = len(paired)
    if m < 2:
        return 0.0
    F = features(paired)
    squares = where.numpy(rbf(where, paired, paired, sigma) - F @ F.T) ** 2
    alone = squares.diagonal().sum()
    return float((squares.sum() - alone) / (m * (m - 1)) + alone / m / n)


def _gram_of(unit: Any) -> Callable[[slice], Any]:
    """From a slice of scaled rows to its kernel, or to the dual where that is smaller."""

    def gram(part: slice) -> Any:
        rows = unit[part]
        return rows @ rows.T if len(rows) <= rows.shape[1] else rows.T @ rows

    return gram


def _solve(where: Backend, factor: Any, Y: Any) -> Any:
    """The product Y factor^-T, of a lower triangular factor."""
    if where.device is not None:
        return where.xp.linalg.solve_triangular(factor, Y.T, upper=False).T
    from scipy.linalg import solve_triangular

    return solve_triangular(factor, Y.T, lower=True).T
