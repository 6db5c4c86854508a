"""Accuracy and calibration error of predictions: the outcomes of log-probabilities and labels."""

from __future__ import annotations

import numpy as np

from ddiv.common.arrays import Array
from ddiv.outcome.registry import OF_OUTPUTS, built_in


@built_in(OF_OUTPUTS, unit="share", better="lower")
def ece(
    log_probabilities: Array, labels: Array, bins: int = 15, *, equal_mass: bool = False
) -> float:
    """Expected calibration error of log_probabilities (n, classes) against labels (n,).

    Samples are put into bins by their top-1 confidence. The error is the mean over samples of
    |accuracy - confidence| of their bin. 15 bins, of equal width (Guo et al. 2017) or of equal
    numbers of samples (Nixon et al. 2019, "adaptive").
    """
    confidence = np.exp(log_probabilities.max(axis=1).astype(np.float64))
    correct = log_probabilities.argmax(axis=1) == labels
    if equal_mass:
        index = np.empty(len(labels), dtype=int)
        index[np.argsort(confidence, kind="stable")] = np.arange(len(labels)) * bins // len(labels)
    else:  # bins are (lo, hi], as in the paper's reference; a confidence of exactly 0 cannot occur
        index = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    gaps = np.bincount(index, weights=correct - confidence, minlength=bins)
    return float(np.abs(gaps).sum() / len(labels))


@built_in(OF_OUTPUTS, unit="share", better="lower")
def ece_mass(log_probabilities: Array, labels: Array, bins: int = 15) -> float:
    """As `ece`, with bins of equal numbers of samples."""
    return ece(log_probabilities, labels, bins, equal_mass=True)


@built_in(OF_OUTPUTS, unit="share", better="higher")
def accuracy(log_probabilities: Array, labels: Array) -> float:
    """Top-1 accuracy of log-probabilities (n, classes) against labels (n,)."""
    return float((log_probabilities.argmax(axis=1) == labels).mean())
