"""The outcomes of one matrix's eigenvalues: a function each, and the table of all of them.

A function takes eigenvalues (..., k), ascending float64, and the matrix's sides N >= M. k is M; of
a convolution's pooled slices it is M times their number. All states of a record go through it at
once, so it works along the last axis. Norms carry the unit of the weights.
"""

from __future__ import annotations

import numpy as np

from ddiv.common.arrays import Array
from ddiv.outcome.registry import OF_SPECTRUM, built_in
from ddiv.spectra import metrics, powerlaw

# Hill's estimator needs a tail of five and one eigenvalue below it; smaller layers have none.
SMALLEST_TAIL = 5


@built_in(OF_SPECTRUM, unit="weights")
def frobenius_norm(evals: Array, N: int, M: int) -> Array:
    """The square root of the sum of the eigenvalues."""
    return metrics.frobenius_norm(evals)


@built_in(OF_SPECTRUM, unit="squared weights")
def frobenius_norm_squared(evals: Array, N: int, M: int) -> Array:
    """The sum of the eigenvalues: WeightWatcher's and the paper's norm."""
    return metrics.frobenius_norm_squared(evals)


@built_in(OF_SPECTRUM, unit="weights")
def spectral_norm(evals: Array, N: int, M: int) -> Array:
    """The square root of the largest eigenvalue."""
    return metrics.spectral_norm(evals)


@built_in(OF_SPECTRUM, unit="squared weights")
def spectral_norm_squared(evals: Array, N: int, M: int) -> Array:
    """The largest eigenvalue: WeightWatcher's and the paper's spectral norm."""
    return metrics.spectral_norm_squared(evals)


@built_in(OF_SPECTRUM, unit="log10 of squared weights")
def log_norm(evals: Array, N: int, M: int) -> Array:
    """The logarithm of the sum of the eigenvalues."""
    return metrics.log_norms(evals)["log_norm"]


@built_in(OF_SPECTRUM, unit="log10 of squared weights")
def log_spectral_norm(evals: Array, N: int, M: int) -> Array:
    """The logarithm of the largest eigenvalue."""
    return metrics.log_norms(evals)["log_spectral_norm"]


@built_in(OF_SPECTRUM, unit="")
def stable_rank(evals: Array, N: int, M: int) -> Array:
    """The sum of the eigenvalues over the largest."""
    return metrics.stable_rank(evals)


@built_in(OF_SPECTRUM, unit="")
def effective_rank(evals: Array, N: int, M: int) -> Array:
    """The exponential of the entropy of the singular values."""
    return metrics.effective_rank(evals)


@built_in(OF_SPECTRUM, unit="")
def numerical_rank(evals: Array, N: int, M: int) -> Array:
    """How many eigenvalues stand out of round-off."""
    return metrics.numerical_rank(evals, N)


@built_in(OF_SPECTRUM, unit="nats, at the scale of the weights")
def entropy_raw(evals: Array, N: int, M: int) -> Array:
    """v1's entropy: -sum(lambda log lambda)."""
    return metrics.matrix_entropy(evals, "raw")


@built_in(OF_SPECTRUM, unit="share of the largest")
def entropy_normalised(evals: Array, N: int, M: int) -> Array:
    """WeightWatcher's entropy, from 0 to 1."""
    return metrics.matrix_entropy(evals, "normalised", N)


@built_in(OF_SPECTRUM, unit="")
def hill_alpha(evals: Array, N: int, M: int) -> Array:
    """Hill's exponent of the upper quarter; NaN where the matrix is too small for one."""
    return _hill(evals, 4)


@built_in(OF_SPECTRUM, unit="")
def hill_alpha_half(evals: Array, N: int, M: int) -> Array:
    """Hill's exponent of the upper half; NaN where the matrix is too small for one."""
    return _hill(evals, 2)


def _hill(evals: Array, parts: int) -> Array:
    size = evals.shape[-1]
    k = max(SMALLEST_TAIL, size // parts)
    if size <= k:
        return np.full(evals.shape[:-1], np.nan)
    exponents: Array = powerlaw.hill_alpha(evals, k)
    return exponents


def _fitted(evals: Array) -> dict[str, Array]:
    """What is read off the search for a power-law tail, which is made once for all of it."""
    fits = powerlaw.fit_batch(evals.reshape(-1, evals.shape[-1]))
    columns = {
        "alpha": fits.alpha,
        "alpha_error": fits.sigma,
        "alpha_distance": fits.D,
        "tail_size": fits.tail_size,
        "num_pl_spikes": fits.num_pl_spikes,
        "reliable": fits.reliable,
    }
    return {name: column.reshape(evals.shape[:-1]) for name, column in columns.items()}


@built_in(OF_SPECTRUM, unit="")
def alpha(evals: Array, N: int, M: int) -> Array:
    """WeightWatcher's exponent of the tail."""
    return _fitted(evals)["alpha"]


@built_in(OF_SPECTRUM, unit="eigenvalues")
def num_pl_spikes(evals: Array, N: int, M: int) -> Array:
    """How many eigenvalues the tail has."""
    return _fitted(evals)["num_pl_spikes"]


def table(evals: Array, N: int, M: int) -> dict[str, Array]:
    """Every outcome of one matrix's eigenvalues (states, k) by name, each (states,) float64, and
    what tells whether a power-law fit can be relied on.
    """
    fitted = _fitted(evals)
    simple = {
        name: measure.function(evals, N, M)
        for name, measure in OF_SPECTRUM.items()
        if name not in fitted
    }
    columns = {**simple, **fitted}
    return {name: np.asarray(column, dtype=np.float64) for name, column in columns.items()}
