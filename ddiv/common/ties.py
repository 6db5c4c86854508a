"""Sums and differences in which a tie is a tie.

Evidence goes by the signs of effects. Two equal accuracies, each a mean of counts, can differ in
their last bits, and the sign of that difference says nothing of them.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ddiv.common.arrays import Array

# A sum of numbers is 0 where it is less than this share of what it is summed from: some thousand
# times the rounding of float64, and far below what any of our outcomes can tell.
ROUND_OFF = 1e-12


def less(first: Any, second: Any) -> Any:
    """The difference of two numbers, or of arrays that broadcast; 0 where it is round-off only."""
    return _settled(np.subtract(first, second), np.maximum(np.abs(first), np.abs(second)))


def total(values: Array, axis: int = -1) -> Any:
    """The sum of one value or more along an axis; 0 where it is of their round-off only."""
    return _settled(np.sum(values, axis=axis), np.max(np.abs(values), axis=axis))


def _settled(result: Any, size: Any) -> Any:
    settled = np.where(np.abs(result) < ROUND_OFF * size, 0.0, result)
    return settled if settled.ndim else float(settled)
