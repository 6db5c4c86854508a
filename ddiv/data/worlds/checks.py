"""Checks of the arguments of both embedded worlds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def checked_seed(seed: int) -> int:
    """The seed. Raises ValueError where it is no whole number of at least 0."""
    if not isinstance(seed, (int, np.integer)) or seed < 0:
        raise ValueError(f"seed must be a whole number of at least 0, got {seed!r}")
    return int(seed)


def checked_labels(labels: Sequence[int] | np.ndarray, classes: int) -> NDArray[np.int64]:
    """Labels int64 (n,) in 0..classes - 1. Raises ValueError on anything else."""
    numbers = np.asarray(labels)
    if numbers.ndim != 1 or not (numbers.size == 0 or np.issubdtype(numbers.dtype, np.integer)):
        raise ValueError(
            f"labels must be one row of whole numbers, got shape {numbers.shape}, type "
            f"{numbers.dtype}"
        )
    if numbers.size and not 0 <= numbers.min() <= numbers.max() < classes:
        raise ValueError(
            f"labels must lie in 0..{classes - 1}, got {numbers.min()}..{numbers.max()}"
        )
    return numbers.astype(np.int64)
