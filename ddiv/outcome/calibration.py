"""Accuracy and calibration error of predictions: the outcomes of log-probabilities and labels.

A binned calibration error is never 0, even of a network that is calibrated: a bin's accuracy
scatters about its confidence. `ece_floor` says what such a network would show, and `ece_debiased`
is an estimate without that part.
"""

from __future__ import annotations

from math import copysign, exp, floor, lgamma, log, sqrt

import numpy as np

from ddiv.common.arrays import Array
from ddiv.outcome.registry import OF_OUTPUTS, built_in

BINS = 15


@built_in(OF_OUTPUTS, unit="share", better="lower")
def ece(
    log_probabilities: Array, labels: Array, bins: int = BINS, *, equal_mass: bool = False
) -> float:
    """Expected calibration error of log_probabilities (n, classes) against labels (n,).

    Samples are put into bins by their top-1 confidence. The error is the mean over samples of
    |accuracy - confidence| of their bin. 15 bins, of equal width (Guo et al. 2017) or of equal
    numbers of samples (Nixon et al. 2019, "adaptive").
    """
    confidence, correct = _top(log_probabilities, labels)
    index = _equal_mass(confidence, bins) if equal_mass else _equal_width(confidence, bins)
    gaps = np.bincount(index, weights=correct - confidence, minlength=bins)
    return float(np.abs(gaps).sum() / len(labels))


@built_in(OF_OUTPUTS, unit="share", better="lower")
def ece_mass(log_probabilities: Array, labels: Array, bins: int = BINS) -> float:
    """As `ece`, with bins of equal numbers of samples."""
    return ece(log_probabilities, labels, bins, equal_mass=True)


@built_in(OF_OUTPUTS, unit="share", better="lower")
def ece_debiased(log_probabilities: Array, labels: Array, bins: int = BINS) -> float:
    """The root of Kumar, Liang and Ma's (2019, "Verified uncertainty calibration", section 4)
    debiased estimate of the squared calibration error of the top-1 confidence, with its sign.

    Of a bin of n samples with the accuracy a and the mean confidence c, the squared error is
    estimated by (c - a)^2 - a (1 - a) / (n - 1); the mean over samples is taken. Of a calibrated
    network it is 0 on average, so it may be negative: then minus the root of its size is returned,
    not 0, or a mean over seeds would be above 0 again. Bins have equal numbers of samples, as
    theirs; one of a single sample counts as 0. It is a mean square, so large gaps weigh more than
    in `ece`.
    """
    confidence, correct = _top(log_probabilities, labels)
    index = _equal_mass(confidence, bins)
    sizes = np.bincount(index, minlength=bins)
    held = np.maximum(sizes, 1)
    right, sure = (np.bincount(index, values, bins) / held for values in (correct, confidence))
    squares = (sure - right) ** 2 - right * (1 - right) / np.maximum(sizes - 1, 1)
    square = float((sizes * squares)[sizes > 1].sum() / len(labels))
    return copysign(sqrt(abs(square)), square)


@built_in(OF_OUTPUTS, unit="share", better="neither")
def ece_floor(log_probabilities: Array, labels: Array, bins: int = BINS) -> float:
    """The `ece` that a calibrated network with these confidences shows in expectation, on as many
    samples; the labels do not matter.

    Such a network is right on a sample with the probability that it names. The number of right
    answers in a bin is then a sum of independent Bernoulli variables, and the bin adds its mean
    absolute deviation (`mean_deviation`).
    """
    confidence, _ = _top(log_probabilities, labels)
    sure = np.minimum(confidence, 1.0)  # a logarithm may round to just above 0
    index = _equal_width(sure, bins)
    deviations = (mean_deviation(sure[index == i]) for i in np.unique(index))
    return sum(deviations) / len(labels)


@built_in(OF_OUTPUTS, unit="share", better="higher")
def accuracy(log_probabilities: Array, labels: Array) -> float:
    """Top-1 accuracy of log-probabilities (n, classes) against labels (n,)."""
    return float((log_probabilities.argmax(axis=1) == labels).mean())


def mean_deviation(probabilities: Array) -> float:
    """E|S - E S| of the sum S of independent Bernoulli variables with these probabilities (n,).

    Exact where they are equal (de Moivre 1730: 2 m C(n, m) p^m q^(n - m + 1) with m = floor(n p) +
    1; Diaconis and Zabell 1991). Else that of their mean, scaled by the ratio of the standard
    deviations: probabilities of one bin of 15 differ by less than .07, and then it is within 4 %.
    """
    n, p = len(probabilities), float(probabilities.mean())
    if not 0 < p < 1:
        return 0.0
    m = min(floor(n * p) + 1, n)
    ways = lgamma(n + 1) - lgamma(m + 1) - lgamma(n - m + 1)
    of_equals = 2 * m * exp(ways + m * log(p) + (n - m + 1) * log(1 - p))
    spread = float((probabilities * (1 - probabilities)).sum())
    return of_equals * sqrt(spread / (n * p * (1 - p)))


def _top(log_probabilities: Array, labels: Array) -> tuple[Array, Array]:
    """Of every sample: the top-1 confidence, and whether the top-1 class is right, (n,) each."""
    confidence: Array = np.exp(log_probabilities.max(axis=1).astype(np.float64))
    return confidence, log_probabilities.argmax(axis=1) == labels


def _equal_width(confidence: Array, bins: int) -> Array:
    """The bin of every sample; bins are (lo, hi], as in the paper's reference (a confidence of
    exactly 0 cannot occur).
    """
    index: Array = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    return index


def _equal_mass(confidence: Array, bins: int) -> Array:
    """The bin of every sample; bins hold equal numbers of samples, but equal confidences share one:
    samples come class by class, and which of them would be cut off is not chance.
    """
    below = np.searchsorted(np.sort(confidence), confidence)
    index: Array = below * bins // len(confidence)
    return index
