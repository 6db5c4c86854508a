"""The Marchenko-Pastur law of a random matrix, and how well a spectrum's bulk follows it.

A matrix of N x M independent entries (N >= M) of mean 0 and variance sigma^2 has, for large M,
eigenvalues of W^T W between the edges sigma^2 (sqrt N -+ sqrt M)^2 (Marchenko and Pastur, 1967). W
is not normalised: eigenvalues carry the square of the weights' unit and sigma their unit. `count`
slices of N x M pooled into one spectrum of count * M eigenvalues follow the same law.

`fit` has two definitions.

"bulk" (default) asks how many spikes k stand out of noise and what noise is left. Beside k strong
spikes there are count * M - k eigenvalues of noise, which follow the law of (N - k / count) x (M -
k / count); their sum over the number of entries estimates sigma^2, the likeliest value under
Gaussian noise. k is the largest number for which the k-th eigenvalue exceeds `spike_threshold`,
with sigma from itself and all smaller ones. This is the test of Kritchman and Nadler (IEEE Trans.
Signal Processing 2009), run from many spikes to few: run from few to many, strong spikes inflate
sigma and hide one another. At most half of the spectrum may be called spikes. The sum was more
accurate without spikes than a median or trimmed quantiles: its error on Gaussian matrices is the
least possible one, 1 / sqrt(2 N M): 1.1 % at 64 x 64 and .09 % at 768 x 768. It stays within 2 %
with up to 10 % spikes at 768 x 768, at strengths from the noise's edge to far above.

"weightwatcher" is WeightWatcher 0.7.7's `mp_fit`, faults included: least squares between the law
and a kernel estimate of the density, wherever that exceeds .01. For a square matrix it compares
singular values with a quarter circle of fixed radius 2, of which only the height depends on sigma.
It counts spikes above a margin of its own, sqrt((M / N)^(1/2) (bulk_max / M)^(2/3)) in rescaled
units, which is no Tracy-Widom quantile. Its W_scale is `w_scale` here and its sigma_mp `sigma_mp`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import gammaincinv

from ddiv.spectra.metrics import checked_evals, numerical_rank

DEFINITIONS = ("bulk", "weightwatcher")

SPIKE_LEVEL = 0.01  # chance that pure noise shows a spike

SMALLEST = 8  # the smallest M for which the calibration was measured

_NO_EVALS = "no positive eigenvalue: not fitted"

_NO_NOISE = "every eigenvalue is 0 or a spike: no noise to fit"

_NO_DENSITY = "WeightWatcher's density estimate misses every eigenvalue: not fitted"

_FEW = f"M below {SMALLEST}: too few eigenvalues to tell"

_DEFICIENT = "some eigenvalues are 0, which noise of this shape never has"

_FAR = "KS distance above its critical value: the bulk does not follow the law"

_NO_BULK = "half of the spectrum or more is above the edge: there is no bulk"

_WALL = "WeightWatcher rules out every sigma that it tries: its sigma is arbitrary"


@dataclass(frozen=True)
class MPFit:
    """One spectrum's fit; numbers are nan where nothing was fitted.

    sigma: standard deviation of the noise's entries, in the weights' unit. sigma_mp: the same in
    WeightWatcher's units, sigma * sqrt(N) * w_scale. w_scale: 1 / sqrt(mean eigenvalue). bulk_min,
    bulk_max: the edges. soft_rank: bulk_max / largest eigenvalue; chance takes it above 1 on noise.
    num_spikes: eigenvalues above the edge by more than chance. N, M: sides of the noise that the
    bulk is compared with (in "bulk": less num_spikes / count). ks: largest distance between the
    distribution functions of the bulk (all but the spikes) and of the law; ks_critical: what noise
    exceeds in about one spectrum of a hundred. accepted: the bulk follows the law; reasons: why it
    does not.
    """

    definition: str
    sigma: float
    sigma_mp: float
    w_scale: float
    bulk_min: float
    bulk_max: float
    soft_rank: float
    num_spikes: int
    N: float
    M: float
    ks: float
    ks_critical: float
    reasons: tuple[str, ...]

    @property
    def accepted(self) -> bool:
        return not self.reasons


def bulk_edges(N: float, M: float, sigma: float = 1.0) -> tuple[float, float]:
    """sigma^2 (sqrt N -+ sqrt M)^2. ValueError unless N >= M > 0 and sigma > 0."""
    if not (math.inf > N >= M > 0 and math.inf > sigma > 0):
        raise ValueError(
            f"the law needs N >= M > 0 and sigma > 0, got N = {N}, M = {M}, sigma = {sigma}: "
            "N is the longer side"
        )
    n, m = math.sqrt(N), math.sqrt(M)
    return (sigma * (n - m)) ** 2, (sigma * (n + m)) ** 2


def pdf(x: np.ndarray, N: float, M: float, sigma: float = 1.0) -> np.ndarray:
    """Density of the eigenvalues at x, 0 outside the edges; infinite at x = 0 if N = M.

    Errors: `bulk_edges`.
    """
    low, high = bulk_edges(N, M, sigma)
    x = np.asarray(x, dtype=np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        inside = np.sqrt((high - x) * (x - low)) / (2 * np.pi * sigma**2 * M * x)
    if low == 0:
        inside = np.where(x == 0, np.inf, inside)
    density: np.ndarray = np.where((x >= low) & (x <= high), inside, 0.0)[()]
    return density


def cdf(x: np.ndarray, N: float, M: float, sigma: float = 1.0) -> np.ndarray:
    """Share of the eigenvalues up to x, the integral of `pdf` in closed form.

    Errors: `bulk_edges`.
    """
    low, high = bulk_edges(N, M, sigma)
    unit = sigma**2 * N
    low, high, ratio = low / unit, high / unit, M / N
    x = np.clip(np.asarray(x, dtype=np.float64) / unit, low, high)
    above, below = high - x, x - low
    root = np.sqrt(above * below)
    angles = (1 + ratio) * np.arctan2(below - above, 2 * root)
    angles -= (1 - ratio) * np.arctan2(high * below - low * above, 2 * (1 - ratio) * root)
    share: np.ndarray = 0.5 + (root + angles) / (2 * np.pi * ratio)
    return share


def spike_threshold(
    N: np.ndarray | float,
    M: np.ndarray | float,
    sigma: np.ndarray | float = 1.0,
    count: int = 1,
    level: float = SPIKE_LEVEL,
) -> np.ndarray:
    """The value that the largest eigenvalue of Gaussian noise exceeds with chance `level`.

    count: the number of slices whose eigenvalues are pooled, the largest of all being meant. N, M >
    1/2; shapes broadcast.

    The Tracy-Widom quantile of order 1 (Johnstone, Annals of Statistics 2001) with the centre and
    scale of Ma (Bernoulli 2012), exact to the next order in M. The quantile is that of the shifted
    gamma distribution that Chiani (J. Multivariate Analysis 2014) fitted to it: the chance it
    leaves is within 6 % of `level` down to a level of .001. Simulations at level .01, from 8 x 8 to
    512 x 64, gave chances of .009 to .0135.
    """
    n, m = np.sqrt(np.subtract(N, 0.5)), np.sqrt(np.subtract(M, 0.5))
    quantile = 0.186054 * gammaincinv(46.446, (1 - level) ** (1 / count)) - 9.84801
    threshold: np.ndarray = np.square(sigma) * (
        (n + m) ** 2 + (n + m) * (1 / n + 1 / m) ** (1 / 3) * quantile
    )
    return threshold


def ks_critical(M: int, count: int = 1) -> float:
    """The KS distance that noise's bulk, with sigma fitted, exceeds in about 1 % of spectra.

    Eigenvalues repel one another, so their distribution function strays by log(M) / M where
    independent values stray by 1 / sqrt(M) (.18 against .045 at M = 64). With n = count * M, the
    critical n * KS is sqrt(count) (1 + .45 log M) + .22 (count - 1): the first term was fitted to
    the 99 % quantile of 200 to 3,000 simulated spectra a shape, M from 8 to 768 and N / M from 1 to
    12; the second is the law's own error, of order 1 / M, which pooling does not average out. Noise
    exceeded it in .9 to 3 % of spectra.
    """
    return (math.sqrt(count) * (1 + 0.45 * math.log(M)) + 0.22 * (count - 1)) / (count * M)


def fit(evals: np.ndarray, N: int, M: int, count: int = 1, definition: str = "bulk") -> MPFit:
    """Fit the law to one spectrum of count * M eigenvalues of W^T W, in any order.

    N >= M: sides of the matrix, or of one of `count` pooled slices. A zero matrix is flagged, not
    an error. ValueError on another number of eigenvalues, NaN, infinity, a negative eigenvalue or
    another definition.
    """
    x = np.sort(checked_evals(evals))
    bulk_edges(N, M)
    if x.ndim != 1 or len(x) != count * M or count < 1:
        raise ValueError(
            f"{count} slices of {N} x {M} have {count * M} eigenvalues, zeros included, "
            f"got {x.shape}"
        )
    if definition not in DEFINITIONS:
        raise ValueError(f"unknown definition {definition!r}: one of {', '.join(DEFINITIONS)}")
    # Relative to the mean, since the loss, its grid and its tolerance in "weightwatcher" depend on
    # the scale.
    mean = x.mean()
    if mean == 0:
        return _not_fitted(definition, N, M, count, math.nan, _NO_EVALS)
    w_scale = math.sqrt(1 / mean)
    x = x * w_scale * w_scale
    rank = int(numerical_rank(x, N))
    reasons = [_FEW] * (M < SMALLEST) + [_DEFICIENT] * (rank < len(x))
    n, m = float(N), float(M)  # sides of the noise
    if definition == "bulk":
        x[: len(x) - rank] = 0.0  # round-off is no noise of the matrix
        sigma, spikes = _bulk(x, N, M, count)
        if sigma == 0:
            return _not_fitted(definition, N, M, count, w_scale, _NO_NOISE)
        n, m = N - spikes / count, M - spikes / count
    else:
        sigma_mp, excluded = _weightwatcher(x, N / M)
        if math.isnan(sigma_mp):
            return _not_fitted(definition, N, M, count, w_scale, _NO_DENSITY)
        if excluded:
            reasons.append(_WALL)
        sigma = sigma_mp / math.sqrt(N)
        edge = bulk_edges(N, M, sigma)[1]
        spikes = int((x > edge + math.sqrt(math.sqrt(M / N) * (edge / M) ** (2 / 3))).sum())
    low, high = bulk_edges(n, m, sigma)
    ks, critical = _ks(x[: len(x) - spikes], n, m, sigma), ks_critical(max(round(m), 1), count)
    if spikes >= len(x) // 2 > 0:
        reasons.append(_NO_BULK)
    if ks > critical:
        reasons.append(_FAR)
    return MPFit(
        definition,
        sigma / w_scale,
        sigma * math.sqrt(n),
        w_scale,
        low / w_scale**2,
        high / w_scale**2,
        float(high / x[-1]),
        spikes,
        n,
        m,
        ks,
        critical,
        tuple(reasons),
    )


def _not_fitted(definition: str, N: int, M: int, count: int, w_scale: float, reason: str) -> MPFit:
    nan = math.nan
    return MPFit(
        definition,
        nan,
        nan,
        w_scale,
        nan,
        nan,
        nan,
        0,
        float(N),
        float(M),
        nan,
        ks_critical(M, count),
        (reason,),
    )


def _bulk(x: np.ndarray, N: int, M: int, count: int) -> tuple[float, int]:
    """Sigma and the number of spikes of an ascending spectrum."""
    k = np.arange(len(x) // 2 + 1)
    n, m = N - k / count, M - k / count
    sigma = np.sqrt(np.cumsum(x)[len(x) - 1 - k] / (n * m * count))
    threshold = spike_threshold(n[:-1], m[:-1], sigma[:-1], count)
    outliers = np.flatnonzero(x[::-1][: len(threshold)] > threshold)
    spikes = int(outliers[-1]) + 1 if len(outliers) else 0
    return float(sigma[spikes]), spikes


def _ks(bulk: np.ndarray, N: float, M: float, sigma: float) -> float:
    """KS distance of ascending eigenvalues from the law; nan without any."""
    if not len(bulk):
        return math.nan
    law, i = cdf(bulk, N, M, sigma), np.arange(len(bulk))
    return float(max((law - i / len(bulk)).max(), ((i + 1) / len(bulk) - law).max()))


def _weightwatcher(x: np.ndarray, Q: float) -> tuple[float, bool]:
    """WeightWatcher's sigma for an ascending spectrum of mean 1, and whether it ruled out that one.

    Q = N / M. Sigma is nan where the density estimate misses every eigenvalue. The estimate does
    not depend on sigma, and its kernel is piecewise linear, so it is computed once, from sums;
    WeightWatcher refits scikit-learn's for each of about 200 sigmas.
    """
    values = np.sqrt(x) if Q == 1 else x
    t = np.linspace(0, values[-1] + 0.5, 1000)
    density = _linear_kde(values, t, bandwidth=0.1)
    kept = density > 0.01
    if not kept.any():
        return math.nan, True
    t, density = t[kept], density[kept]
    mode, width = t[density.argmax()], 1 / math.sqrt(Q)
    wall = 1e6 * len(t)

    def loss(sigma: np.ndarray) -> np.ndarray:
        s = np.asarray(sigma)[:, None]
        if Q == 1:
            model = np.sqrt(np.maximum(4 - t * t, 0)) / (np.pi * s * s)
            squares: np.ndarray = np.square(model - density).sum(axis=1)
            return squares
        low, high = (s * (1 - width)) ** 2, (s * (1 + width)) ** 2
        root = np.sqrt(np.maximum((high - t) * (t - low), 0))
        model = root * Q / (2 * np.pi * s * s * np.where(t > 0, t, 1))
        excluded = (high < mode) | (high > t[-1]) | (low > mode)
        return np.where(excluded[:, 0], wall, np.square(model - density).sum(axis=1))

    from scipy.optimize import fmin  # of this definition alone, and slow to import

    largest = math.sqrt(x[-1]) / (1 + width)
    grid = np.mgrid[0.05 * largest : 2 * largest : 0.01 * largest]
    start = grid[loss(grid).argmin()]
    sigma = fmin(lambda p: loss(p)[0], start, disp=False)
    return float(sigma[0]), bool(loss(sigma)[0] == wall)


def _linear_kde(values: np.ndarray, t: np.ndarray, bandwidth: float) -> np.ndarray:
    """Mean over the ascending values of max(0, 1 - |t - value| / bandwidth) / bandwidth."""
    sums = np.concatenate([[0.0], np.cumsum(values)])
    first, middle, last = (
        np.searchsorted(values, t + shift) for shift in (-bandwidth, 0.0, bandwidth)
    )
    left = (middle - first) * (bandwidth - t) + sums[middle] - sums[first]
    right = (last - middle) * (bandwidth + t) - sums[last] + sums[middle]
    density: np.ndarray = np.maximum(left + right, 0.0) / (len(values) * bandwidth**2)
    return density
