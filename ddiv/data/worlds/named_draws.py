"""Random draws that depend on a name alone: the same on every platform, in all Pythons and NumPys.

NumPy promises the numbers of its bit generators but not those of a Generator's methods (NEP 19),
nor does Python those of `random.choice`. Data that a study names by a version number must not
change with either.
"""

from __future__ import annotations

import itertools
import struct
from collections.abc import Iterator, Sequence
from hashlib import shake_256
from typing import TypeVar

T = TypeVar("T")


class NamedDraws:
    """A stream of draws from SHAKE-256 of its name; streams of different names are independent."""

    def __init__(self, name: str):
        self._numbers = _numbers(name)

    def below(self, n: int) -> int:
        """A whole number in 0..n - 1; n is at most 2^32, and far below that the draw is uniform."""
        return next(self._numbers) * n >> 32

    def chance(self, probability: float) -> bool:
        """True with this probability."""
        return next(self._numbers) < probability * 2**32

    def pick(self, options: Sequence[T]) -> T:
        """One of the options, each as likely."""
        return options[self.below(len(options))]

    def shuffled(self, items: Sequence[T]) -> list[T]:
        """The items in random order (Fisher and Yates)."""
        order = list(items)
        for last in range(len(order) - 1, 0, -1):
            chosen = self.below(last + 1)
            order[last], order[chosen] = order[chosen], order[last]
        return order


def _numbers(name: str) -> Iterator[int]:
    """Whole numbers in 0..2^32 - 1."""
    for block in itertools.count():
        yield from struct.unpack("<128I", shake_256(f"{name}/{block}".encode()).digest(512))
