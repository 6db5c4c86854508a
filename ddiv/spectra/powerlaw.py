"""The power-law exponent alpha of a spectrum's tail, for many spectra at once, and whether to believe it.

The model is p(x) ~ x^-alpha for x >= xmin (equation 1 of the paper's first version). The fit is the one
that WeightWatcher 0.7.7 makes by default (``WW_powerlaw.WWFit``): eigenvalues up to ``floor`` (1e-5, its
EVALS_THRESH on a CPU) are dropped; every remaining eigenvalue but the largest is a candidate xmin, so
the shortest tail has two values; no xmax truncates the tail; for each candidate with n values in its tail

    alpha = 1 + n / sum(log(x / xmin)),   D = max |1 - (x / xmin)^(1 - alpha) - (0, 1, .., n-1) / n|

and the first candidate with the smallest Kolmogorov-Smirnov distance D wins (Clauset, Shalizi and Newman,
SIAM Review 2009). The floor is absolute, so the fit of ``c * evals`` can differ from the fit of ``evals``.

Below 20 eigenvalues WeightWatcher makes another fit (n - 1 for n in alpha, tails of at least 8, xmin by
D - 0.868 / sqrt(n)); below 8 it skips the layer. Here the same estimator serves every size of at least 5,
and the result says that it is not reliable.

What "reliable" asks for was fixed before any experiment was looked at:

- at least 50 eigenvalues above the floor. On pure Gaussian noise, where there is no power law to find,
  a spectrum of 10 gives alpha 10 +- 5 and one of 20 gives 4 +- 1.4, inside the band that is called good;
- at least 10 of them in the tail: the smallest D is often reached by a tail of a few values, by chance;
- 1.5 < alpha < 8: up to 1.5 the "tail" is a slope of the whole bulk, and from 8 on tens of eigenvalues
  cannot tell a power law from an exponential edge;
- sigma / alpha < 0.25: otherwise two standard errors are half of the exponent itself.

They ask whether alpha is a steady number, not whether a power law is the right model: on Gaussian noise of
96 x 64 about 7 fits in 10 pass, with alpha near 4.5. For that, look at D and compare with a noise matrix.
Sigma leaves out that xmin was chosen on the same data, so it is a lower bound on the error.
"""

from dataclasses import dataclass

import numpy as np

FLOOR = 1e-5
SMALLEST = 5
MIN_EVALS, MIN_TAIL, ALPHA_RANGE, MAX_RELATIVE_SIGMA = 50, 10, (1.5, 8.0), 0.25

# One bit of ``flags`` each, in this order.
REASONS = (
    "NaN, infinite or negative eigenvalues: not fitted",
    f"fewer than {SMALLEST} eigenvalues above the floor: not fitted",
    "all eigenvalues are equal: not fitted",
    "fewer than 8 eigenvalues: WeightWatcher skips such a layer",
    "fewer than 20 eigenvalues: WeightWatcher uses another fit",
    f"fewer than {MIN_EVALS} eigenvalues",
    f"tail of fewer than {MIN_TAIL} eigenvalues",
    f"alpha outside {ALPHA_RANGE[0]:g} to {ALPHA_RANGE[1]:g}",
    f"sigma / alpha not below {MAX_RELATIVE_SIGMA:g}",
)
_NOT_FITTED = 0b111

# Candidates and spectra are handled in blocks whose temporary array (1 MiB) stays in a core's cache.
_CANDIDATES, _BLOCK = 32, 2**17


@dataclass(frozen=True)
class PowerLawFit:
    """One spectrum's fit. ``alpha``, ``xmin``, ``D`` and ``sigma`` are nan where nothing was fitted.

    sigma: standard error (alpha - 1) / sqrt(tail_size). tail_size: eigenvalues in the fitted tail.
    num_pl_spikes: eigenvalues >= xmin (equal to tail_size unless xmin is tied). num_evals: eigenvalues
    above the floor. reasons: why the fit is not reliable, empty if it is.
    """

    alpha: float
    xmin: float
    D: float
    sigma: float
    tail_size: int
    num_pl_spikes: int
    num_evals: int
    reliable: bool
    reasons: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class PowerLawFits:
    """The fits of B spectra: PowerLawFit's fields as arrays of shape (B,); ``fits[i]`` is one of them.

    flags: bit k set means that REASONS[k] holds.
    """

    alpha: np.ndarray
    xmin: np.ndarray
    D: np.ndarray
    sigma: np.ndarray
    tail_size: np.ndarray
    num_pl_spikes: np.ndarray
    num_evals: np.ndarray
    flags: np.ndarray

    @property
    def reliable(self) -> np.ndarray:
        return self.flags == 0

    def reasons(self, i: int) -> tuple[str, ...]:
        return tuple(text for bit, text in enumerate(REASONS) if self.flags[i] >> bit & 1)

    def __len__(self) -> int:
        return len(self.alpha)

    def __getitem__(self, i: int) -> PowerLawFit:
        return PowerLawFit(
            float(self.alpha[i]), float(self.xmin[i]), float(self.D[i]), float(self.sigma[i]),
            int(self.tail_size[i]), int(self.num_pl_spikes[i]), int(self.num_evals[i]),
            bool(self.flags[i] == 0), self.reasons(i),
        )


def fit(evals: np.ndarray, floor: float = FLOOR) -> PowerLawFit:
    """Fit one spectrum of shape (M,), in any order. ValueError if it is empty or not one-dimensional."""
    evals = np.asarray(evals, dtype=np.float64)
    if evals.ndim != 1:
        raise ValueError(f"one spectrum has one dimension, got shape {evals.shape}; see fit_batch")
    return fit_batch(evals[None], floor)[0]


def fit_batch(evals: np.ndarray, floor: float = FLOOR) -> PowerLawFits:
    """Fit B spectra of M eigenvalues each, shape (B, M), each in any order.

    Spectra of unequal length can be stacked by padding with zeros: the floor drops the padding again.
    A spectrum that cannot be fitted (NaN, rank below 5, all equal) comes back as nan with its reason and
    leaves the others alone. ValueError on an array without two dimensions or eigenvalues, or floor < 0.
    """
    evals = np.asarray(evals, dtype=np.float64)
    if evals.ndim != 2 or evals.shape[1] == 0:
        raise ValueError(f"spectra have shape (B, M) with M >= 1, got {evals.shape}")
    if not floor >= 0:
        raise ValueError(f"floor must be 0 or more, got {floor}")
    B, M = evals.shape
    bad = ~np.isfinite(evals).all(axis=1)
    x = np.sort(np.where(bad[:, None], 0.0, evals), axis=1)
    bad |= x[:, 0] < -1e-9 * np.abs(x).max(axis=1)  # more than a Gram matrix's round-off
    rows = np.arange(B)

    # Every tail is a suffix of the sorted spectrum, so dropping small values only bars the first candidates.
    start = (x <= floor).sum(axis=1)
    num_evals = M - start
    top = x[:, -1]
    kept = np.where(x > floor, x, np.where(top > floor, top, 1.0)[:, None])
    logs = np.log(kept)
    logs -= logs[:, -1:]  # relative to the largest: less cancellation in the tail sums
    n = np.arange(M, 0, -1)
    log_sum = np.cumsum(logs[:, ::-1], axis=1)[:, ::-1] - n * logs
    tied = log_sum <= 0  # a tail of equal values: the likelihood has no maximum
    slope = np.where(tied, 0.0, n / np.where(tied, 1.0, log_sum))  # alpha - 1

    distance = _ks_distances(logs, slope)
    distance[np.arange(max(M - 1, 1)) < start[:, None]] = np.inf
    best = np.argmin(distance, axis=1)

    spread = -logs[rows, np.minimum(start, M - 1)]
    flags = bad * 1 | (num_evals < SMALLEST) * 2 | (spread < 1e-10) * 4
    fitted = flags & _NOT_FITTED == 0
    nan = np.where(fitted, 0.0, np.nan)
    tail = np.where(fitted, n[best], 0)
    alpha = np.where(tied[rows, best], np.inf, 1 + slope[rows, best]) + nan
    xmin = x[rows, best] + nan
    sigma = (alpha - 1) / np.sqrt(np.maximum(tail, 1))
    flags |= (num_evals < 8) * 8 | (num_evals < 20) * 16 | (num_evals < MIN_EVALS) * 32
    flags |= (tail < MIN_TAIL) * 64
    with np.errstate(invalid="ignore"):  # inf / inf, and nan where nothing was fitted
        flags |= ~((alpha > ALPHA_RANGE[0]) & (alpha < ALPHA_RANGE[1])) * 128
        flags |= ~(sigma / alpha < MAX_RELATIVE_SIGMA) * 256
        spikes = (x >= xmin[:, None]).sum(axis=1)
    return PowerLawFits(
        alpha, xmin, distance[rows, best] + nan, sigma, tail, spikes, np.where(bad, 0, num_evals), flags,
    )


def _ks_distances(logs: np.ndarray, slope: np.ndarray) -> np.ndarray:
    """The KS distance of every candidate: logs (B, M) ascending, slope = alpha - 1 (B, M) -> (B, M - 1).

    A tied tail comes in with slope 0 and gets (n - 1) / n, the distance of a point mass.
    """
    B, M = logs.shape
    result = np.empty((B, max(M - 1, 1)))
    if M == 1:
        result[:] = 0.0
    for a in range(0, M - 1, _CANDIDATES):
        b = min(a + _CANDIDATES, M - 1)
        i, j = np.arange(a, b)[:, None], np.arange(a, M)
        empirical = (j - i) / (M - i)
        before = (j < i)[:, : b - a]  # values below the candidate lie in the block's first columns only
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


def hill_alpha(evals: np.ndarray, k: int | None = None) -> np.ndarray:
    """Hill's estimate of alpha from the k largest of M eigenvalues; no xmin is searched for.

    alpha = 1 + k / sum(log(x_i / x_(k+1))) over the k largest, where x_(k+1) is the next one (Hill, Annals
    of Statistics 1975; its tail index is alpha - 1). A fixed tail has less spread between replicates than
    a chosen one, at the price of a bias where the power law sets in later. Standard error: (alpha - 1) / sqrt(k).

    evals: (..., M) in any order; k: 1 to M - 1, by default a quarter of the spectrum, M // 4, but at least 5.
    Returns shape (...): nan where the estimate does not exist (x_(k+1) is not positive, or the tail is tied,
    or a value is NaN or infinite). ValueError if M is not above k.
    """
    evals = np.asarray(evals, dtype=np.float64)
    M = evals.shape[-1] if evals.ndim else 0
    k = max(5, M // 4) if k is None else k
    if not 1 <= k < M:
        raise ValueError(f"a tail of k = {k} needs 1 <= k < M, and M is {M}")
    tail = np.sort(evals, axis=-1)[..., -k - 1 :]
    usable = np.isfinite(evals).all(axis=-1) & (tail[..., 0] > 0) & (tail[..., -1] > tail[..., 0])
    logs = np.log(np.where(usable[..., None], tail, 1.0))
    total = (logs[..., 1:] - logs[..., :1]).sum(axis=-1)
    return np.where(usable, 1 + k / np.where(usable, total, 1.0), np.nan)
