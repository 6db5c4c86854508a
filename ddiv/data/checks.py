"""What both embedded worlds ask of their arguments."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def checked_seed(seed: int) -> int:
    """The seed. Raises ValueError where it is no whole number of at least 0."""
    if not isinstance(seed, (int, np.integer)) or seed < 0:
        raise ValueError(f"seed must be a whole number of at least 0, got {seed!r}")
    return int(seed)


def checked_labels(labels: Sequence[int], classes: int) -> np.ndarray:
    """Labels int64 (n,) in 0..classes - 1. Raises ValueError on anything else."""
    labels = np.asarray(labels)
    if labels.ndim != 1 or not (labels.size == 0 or np.issubdtype(labels.dtype, np.integer)):
        raise ValueError(
            f"labels must be one row of whole numbers, got shape {labels.shape}, type {labels.dtype}"
        )
    if labels.size and not 0 <= labels.min() <= labels.max() < classes:
        raise ValueError(f"labels must lie in 0..{classes - 1}, got {labels.min()}..{labels.max()}")
    return labels.astype(np.int64)
