"""The power-law exponent alpha of spectra's tails, many at once, and whether to believe it.

The model is p(x) ~ x^-alpha for x >= xmin (equation 1 of the paper's first version). Eigenvalues up
to ``floor`` (1e-5, WeightWatcher's EVALS_THRESH on a CPU) are dropped; every remaining one but the
largest is a candidate xmin, so the shortest tail has two values; no xmax truncates the tail. The
floor is absolute, so the fit of ``c * evals`` can differ from the fit of ``evals``. For the tail of
n values from a candidate on, alpha and the Kolmogorov-Smirnov distance are

    alpha = 1 + n / sum(log(x / xmin)),
    D = max |1 - (x / xmin)^(1 - alpha) - (0, 1, .., n - 1) / n|.

METHODS, after WeightWatcher 0.7.7 (``WW_powerlaw.WWFit``); the first candidate wins a tie:

- "ks", the default: the smallest D (Clauset, Shalizi and Newman, SIAM Review 2009). WeightWatcher's
  default fit from 20 eigenvalues on; here it serves every size of at least 5, and the result says
  that it is not reliable;
- "ww-small": the choice of its ``fit_powerlaw_smallN``: n - 1 for n in alpha (the bias-corrected
  estimate), tails of at least 8 (below 8 eigenvalues: all of them), the smallest J = D - 0.868 /
  sqrt(n);
- "weightwatcher": the numbers that WWFit reports. From 20 eigenvalues on they are those of "ks".
  Below, WWFit.__init__ replaces the winner after the small fit: alpha and D are bias-corrected as
  in "ww-small" and tails have at least 8 values, but the smallest D wins and J is ignored. One
  field differs: below 8 eigenvalues, where ``analyze`` skips the layer, WWFit's sigma is negative
  (that of alpha = 0); here it is (alpha - 1) / sqrt(n) throughout.

The conditions of "reliable" were fixed before any experiment was looked at:

- at least 50 eigenvalues above the floor. On pure Gaussian noise, which has no power law, a
  spectrum of 10 gives alpha 10 +- 5 and one of 20 gives 4 +- 1.4, inside the band that is called
  good;
- at least 10 of them in the tail: a tail of a few values often has the smallest D by chance;
- 1.5 < alpha < 8: up to 1.5 the "tail" is a slope of the whole bulk, and from 8 on tens of
  eigenvalues cannot tell a power law from an exponential edge;
- sigma / alpha < 0.25: otherwise two standard errors are half of the exponent itself.

They tell whether alpha is a steady number, not whether a power law is the right model. Of Gaussian
noise matrices of 512 x 10 and 64 x 20 none pass, of 96 x 64 about 80 %, of 768 x 768 about 40 %.
``alternatives.flag_alternatives`` also tells whether the model is right, at the price of four
maximum-likelihood fits: 37 % of the 96 x 64 and none of the 768 x 768 still pass, and 97 to 99 % of
true power laws do (100 to 1,000 values, alpha 2 to 4.5); ``python -m benchmarks.bench_powerlaw``
prints these shares. A comparison with a noise matrix tells the remaining cases.

Sigma leaves out that xmin was chosen on the same data, so it is a lower bound on the error: on pure
power laws (estimate - truth) / sigma has mean 0.15 and sd 1.14 at n = 200, mean 0.0 and sd 1.17 at
n = 1,000. ``bootstrap.alpha_interval`` counts the choice.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ddiv.spectra import ks

FLOOR = 1e-5

METHODS = ("ks", "ww-small", "weightwatcher")

SMALLEST, SMALL = 5, 20

MIN_EVALS, MIN_TAIL, ALPHA_RANGE, MAX_RELATIVE_SIGMA = 50, 10, (1.5, 8.0), 0.25

# One bit of ``flags`` each, in this order.
REASONS = (
    "NaN, infinite or negative eigenvalues: not fitted",
    f"fewer than {SMALLEST} eigenvalues above the floor: not fitted",
    "all eigenvalues are equal: not fitted",
    "fewer than 8 eigenvalues: WeightWatcher skips such a layer",
    f"fewer than {SMALL} eigenvalues: WeightWatcher uses another fit",
    f"fewer than {MIN_EVALS} eigenvalues",
    f"tail of fewer than {MIN_TAIL} eigenvalues",
    f"alpha outside {ALPHA_RANGE[0]:g} to {ALPHA_RANGE[1]:g}",
    f"sigma / alpha not below {MAX_RELATIVE_SIGMA:g}",
)

_NOT_FITTED = 0b111

# WeightWatcher's fit_powerlaw_smallN: shortest tail, smallest sum of logs, and what a longer tail
# costs.
_SMALL_TAIL, _SMALL_LOG_SUM, _SMALL_REWARD = 8, 1e-12, 0.868


@dataclass(frozen=True)
class PowerLawFit:
    """One spectrum's fit.

    ``alpha``, ``xmin``, ``D`` and ``sigma`` are nan where nothing was fitted.

    sigma: standard error (alpha - 1) / sqrt(tail_size). tail_size: eigenvalues in the fitted tail.
    num_pl_spikes: eigenvalues >= xmin (equal to tail_size unless xmin is tied). num_evals:
    eigenvalues above the floor. reasons: why the fit is not reliable, empty if it is.
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
    method: str = "ks"


@dataclass(frozen=True, eq=False)
class PowerLawFits:
    """The fits of B spectra: PowerLawFit's fields as arrays (B,); ``fits[i]`` is one fit.

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
    method: str = "ks"

    @property
    def reliable(self) -> np.ndarray:
        reliable: np.ndarray = self.flags == 0
        return reliable

    def reasons(self, i: int) -> tuple[str, ...]:
        return tuple(text for bit, text in enumerate(REASONS) if self.flags[i] >> bit & 1)

    def __len__(self) -> int:
        return len(self.alpha)

    def __getitem__(self, i: int) -> PowerLawFit:
        return PowerLawFit(
            float(self.alpha[i]),
            float(self.xmin[i]),
            float(self.D[i]),
            float(self.sigma[i]),
            int(self.tail_size[i]),
            int(self.num_pl_spikes[i]),
            int(self.num_evals[i]),
            bool(self.flags[i] == 0),
            self.reasons(i),
            self.method,
        )


def fit(evals: np.ndarray, floor: float = FLOOR, method: str = "ks") -> PowerLawFit:
    """Fit one spectrum of shape (M,), in any order, by one of METHODS (see the head of this file).

    ValueError if it is empty or not one-dimensional, floor < 0 or on another method.
    """
    evals = np.asarray(evals, dtype=np.float64)
    if evals.ndim != 1:
        raise ValueError(f"one spectrum has one dimension, got shape {evals.shape}; see fit_batch")
    return fit_batch(evals[None], floor, method)[0]


def fit_batch(evals: np.ndarray, floor: float = FLOOR, method: str = "ks") -> PowerLawFits:
    """Fit B spectra of M eigenvalues each, shape (B, M), each in any order.

    Spectra of unequal length can be stacked by padding with zeros: the floor drops the padding
    again. A spectrum that cannot be fitted (NaN, rank below 5, all equal) comes back as nan with
    its reason and leaves the others alone. ValueError on an array without two dimensions or
    eigenvalues, floor < 0 or a method that is not in METHODS.
    """
    evals = np.asarray(evals, dtype=np.float64)
    if evals.ndim != 2 or evals.shape[1] == 0:
        raise ValueError(f"spectra have shape (B, M) with M >= 1, got {evals.shape}")
    if not floor >= 0:
        raise ValueError(f"floor must be 0 or more, got {floor}")
    if method not in METHODS:
        raise ValueError(f"unknown method {method!r}: one of {', '.join(METHODS)}")
    B, M = evals.shape
    bad = ~np.isfinite(evals).all(axis=1)
    x = np.sort(np.where(bad[:, None], 0.0, evals), axis=1)
    bad |= x[:, 0] < -1e-9 * np.abs(x).max(axis=1)  # more than a Gram matrix's round-off
    rows = np.arange(B)

    # Every tail is a suffix of the sorted spectrum, so dropping small values only bars the first
    # candidates.
    start = (x <= floor).sum(axis=1)
    num_evals = M - start
    top = x[:, -1]
    kept = np.where(x > floor, x, np.where(top > floor, top, 1.0)[:, None])
    logs = np.log(kept)
    logs -= logs[:, -1:]  # relative to the largest: less cancellation in the tail sums
    spread = -logs[rows, np.minimum(start, M - 1)]
    flags = bad * 1 | (num_evals < SMALLEST) * 2 | (spread < 1e-10) * 4
    fitted = flags & _NOT_FITTED == 0

    n = np.arange(M, 0, -1)
    log_sum = np.cumsum(logs[:, ::-1], axis=1)[:, ::-1] - n * logs
    barred = (np.arange(M) < start[:, None]) | ~fitted[:, None]
    counted = n  # in alpha
    if method != "ks":
        small = ((method == "ww-small") | (num_evals < SMALL))[:, None]
        shortest = np.minimum(num_evals, _SMALL_TAIL)[:, None]
        barred |= small & ((n < shortest) | (log_sum <= _SMALL_LOG_SUM))
        counted = n - small
    tied = log_sum <= 0  # a tail of equal values: the likelihood has no maximum
    slope = np.where(tied, 0.0, counted / np.where(tied, 1.0, log_sum))  # alpha - 1
    offset = np.where(barred, np.inf, -_SMALL_REWARD / np.sqrt(n) if method == "ww-small" else 0.0)

    best, distance = ks.best_tails(logs, slope, offset[:, : max(M - 1, 1)])
    nan = np.where(fitted, 0.0, np.nan)
    tail = np.where(fitted, n[best], 0)
    alpha = np.where(tied[rows, best], np.inf, 1 + slope[rows, best]) + nan
    xmin = x[rows, best] + nan
    sigma = (alpha - 1) / np.sqrt(np.maximum(tail, 1))
    flags |= (num_evals < 8) * 8 | (num_evals < MIN_EVALS) * 32 | (tail < MIN_TAIL) * 64
    if method == "ks":
        flags |= (num_evals < SMALL) * 16
    with np.errstate(invalid="ignore"):  # inf / inf, and nan where nothing was fitted
        flags |= ~((alpha > ALPHA_RANGE[0]) & (alpha < ALPHA_RANGE[1])) * 128
        flags |= ~(sigma / alpha < MAX_RELATIVE_SIGMA) * 256
        spikes = (x >= xmin[:, None]).sum(axis=1)
    return PowerLawFits(
        alpha, xmin, distance + nan, sigma, tail, spikes, np.where(bad, 0, num_evals), flags, method
    )


def hill_alpha(evals: np.ndarray, k: int | None = None) -> np.ndarray:
    """Hill's estimate of alpha from the k largest of M eigenvalues; no xmin is searched for.

    alpha = 1 + k / sum(log(x_i / x_(k+1))) over the k largest, where x_(k+1) is the next one (Hill,
    Annals of Statistics 1975; its tail index is alpha - 1). A fixed tail has less spread between
    replicates than a chosen one, at the price of a bias where the power law sets in later. Standard
    error: (alpha - 1) / sqrt(k).

    evals: (..., M) in any order; k: 1 to M - 1, by default a quarter of the spectrum, M // 4, but
    at least 5. Returns shape (...): nan where the estimate does not exist (x_(k+1) is not positive,
    or the tail is tied, or a value is NaN or infinite). ValueError if M is not above k.
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
