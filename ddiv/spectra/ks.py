"""The search for xmin: which tail of a sorted spectrum is nearest to a power law.

Nearness is the Kolmogorov-Smirnov distance.

Candidate i is the tail of the n = M - i values from the i-th smallest on. With L the log
eigenvalues and s_i the candidate's slope (alpha - 1), its distance to its own power law is

    D_i = max over j >= i of |1 - exp(-s_i (L_j - L_i)) - (j - i) / n|.

Evaluating every D_i in full costs M^2 / 2 exponentials. Most are not needed: the maximum over a few
j is a lower bound of D_i, so a candidate whose bound exceeds the distance of another candidate
cannot win (branch and bound). The bounds start from a dozen points of each tail; the number of
points doubles until few candidates are left, and those are evaluated in full. Bounds and distances
are the same floating-point expression, and there is a margin of a thousand rounding units besides,
so the winner is always that of the full search; the first candidate wins a tie.
"""

from __future__ import annotations

import numpy as np

# Candidates and spectra are handled in blocks whose temporary array (half a MiB) stays in a core's
# cache.
_CANDIDATES, _BLOCK = 12, 2**16

# From this many values on pruning is faster than evaluating everything, which is done for many
# spectra at once.
_PRUNE_FROM = 320

_POINTS, _LEADERS, _FEW, _MARGIN = 12, 4, 16, 1e-12


def best_tails(
    logs: np.ndarray, slope: np.ndarray, offset: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The first candidate with the smallest D + offset, for B spectra of M values.

    logs: (B, M) ascending; slope: (B, M), alpha - 1 of the tail from each value on, 0 for a tied
    one; offset: (B, max(M - 1, 1)), inf where a candidate is barred. Returns the candidate's index
    and its D, both (B,): index 0 where all are barred.
    """
    B, M = logs.shape
    if M < _PRUNE_FROM:
        distance = distances(logs, slope)
        best = np.argmin(distance + offset, axis=1)
        return best, distance[np.arange(B), best]
    best, distance = np.zeros(B, dtype=np.intp), np.full(B, np.nan)
    for b in range(B):
        alive = np.flatnonzero(np.isfinite(offset[b]))
        if len(alive):
            best[b], distance[b] = _pruned(logs[b], slope[b], offset[b], alive)
    return best, distance


def distances(logs: np.ndarray, slope: np.ndarray) -> np.ndarray:
    """D of every candidate of B spectra, (B, max(M - 1, 1)); logs, slope: (B, M) as in best_tails.

    A tied tail comes in with slope 0 and gets (n - 1) / n, the distance of a point mass.
    """
    B, M = logs.shape
    result = np.zeros((B, max(M - 1, 1)))
    for a in range(0, M - 1, _CANDIDATES):
        b = min(a + _CANDIDATES, M - 1)
        i, j = np.arange(a, b)[:, None], np.arange(a, M)
        empirical = (j - i) / (M - i)
        # values below the candidate lie in the block's first columns only
        before = (j < i)[:, : b - a]
        step = max(1, _BLOCK // ((b - a) * (M - a)))
        for r in range(0, B, step):
            s = slice(r, r + step)
            t = logs[s, None, a:] - logs[s, a:b, None]
            t *= -slope[s, a:b, None]
            np.copyto(t[:, :, : b - a], 0.0, where=before)
            np.exp(t, out=t)  # the model's share of values above each one
            t += empirical
            np.copyto(t[:, :, : b - a], 1.0, where=before)
            result[s, a:b] = np.maximum(t.max(axis=2) - 1, 1 - t.min(axis=2))
    return result


def _pruned(
    logs: np.ndarray, slope: np.ndarray, offset: np.ndarray, alive: np.ndarray
) -> tuple[int, float]:
    """best_tails for one spectrum; alive: the candidates that are not barred, ascending."""
    M, points, reached = len(logs), _POINTS, np.inf
    while len(alive) > _FEW and points < M // 2:
        bound = _lower_bounds(logs, slope, alive, points) + offset[alive]
        leaders = np.sort(alive[np.argpartition(bound, _LEADERS)[:_LEADERS]])
        reached = min(reached, (_some_distances(logs, slope, leaders) + offset[leaders]).min())
        alive = alive[bound <= reached + _MARGIN]
        points *= 2
    exact = _some_distances(logs, slope, alive)
    k = np.argmin(exact + offset[alive])
    return alive[k], exact[k]


def _lower_bounds(
    logs: np.ndarray, slope: np.ndarray, candidates: np.ndarray, points: int
) -> np.ndarray:
    """Each candidate's largest deviation at ``points`` values spread evenly over its tail: (C,)."""
    i = candidates[:, None]
    n = len(logs) - i
    j = (n * ((np.arange(points) + 0.5) / points)).astype(np.intp)
    empirical = j / n
    j += i
    t = logs[j]
    t -= logs[i]
    t *= -slope[i]
    np.exp(t, out=t)
    t += empirical
    deviation: np.ndarray = np.maximum(t.max(axis=1) - 1, 1 - t.min(axis=1))
    return deviation


def _some_distances(logs: np.ndarray, slope: np.ndarray, candidates: np.ndarray) -> np.ndarray:
    """D of some candidates (C,), ascending, of one spectrum: (C,)."""
    M, result = len(logs), np.empty(len(candidates))
    for c in range(0, len(candidates), _CANDIDATES):
        i = candidates[c : c + _CANDIDATES, None]
        first = i[0, 0]
        t = logs[first:] - logs[i]
        np.maximum(t, 0.0, out=t)  # values below the candidate: share 1, no deviation
        t *= -slope[i]
        np.exp(t, out=t)
        t += np.maximum(np.arange(first, M) - i, 0) / (M - i)
        result[c : c + _CANDIDATES] = np.maximum(t.max(axis=1) - 1, 1 - t.min(axis=1))
    return result
