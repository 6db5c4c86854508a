"""Information that the real data does not hold: energy of other data outside the real data's span.

It is mechanism 3 of the paper's v2. The span is the principal subspace of real training data
(pixels or embeddings, centred) that holds a share of their energy. It is fitted to one half of
them, so that the other half tells how much lies outside by sampling alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np

from ddiv.study import Space

# The shares of the fitting half's energy that the span holds; the first is the definition that a
# verdict rests on.
HELD = (0.95, 0.9, 0.99)


class Outside(msgspec.Struct, frozen=True, tag="outside"):
    """The share of a training set's energy outside the span of the plain real data.

    held: the share of the plain real data's energy that the span holds.
    """

    space: Space
    held: float = HELD[0]
    embedder: int = 0

    @property
    def label(self) -> str:
        return f"energy outside the span of {self.held:.0%} of the real data's ({self.space})"

    @property
    def key(self) -> str:
        """What a view's record calls it."""
        return f"outside {self.held:g}, {self.space}"

    def read(self, facts: Mapping[str, Any]) -> float:
        """The share in a view's facts. Raises KeyError where it was not measured."""
        share: float = facts["outside"][self.key]
        return share


@dataclass(frozen=True)
class Span:
    """Principal axes of real data: `centre` (d,), `axes` (k, d), strongest first, `energy` (k,)."""

    centre: np.ndarray
    axes: np.ndarray
    energy: np.ndarray

    @classmethod
    def of(cls, rows: np.ndarray) -> Span:
        """The axes of real data as vectors (n, d).

        Raises ValueError where all of them are equal.
        """
        centre = rows.mean(axis=0)
        _, singular, axes = np.linalg.svd(rows - centre, full_matrices=False)
        if not singular[0] > 1e-9 * max(1.0, float(np.abs(centre).max())):
            raise ValueError(
                "all real examples are equal, so they span no direction: give examples that differ"
            )
        return cls(centre, axes, singular**2)

    def outside(self, rows: np.ndarray, held: float) -> float:
        """The share, 0 to 1, of the energy of vectors (n, d) outside the span.

        The span has the fewest axes that hold `held` of the real energy. Energy is the squared
        distance from the real data's centre. Raises ValueError on `held` outside (0, 1).
        """
        if not 0 < held < 1:
            raise ValueError(
                f"the span holds a share between 0 and 1 of the real energy, got {held}"
            )
        shares = self.energy.cumsum() / self.energy.sum()
        inside = (rows - self.centre) @ self.axes[: int(np.searchsorted(shares, held)) + 1].T
        total = float(((rows - self.centre) ** 2).sum())
        return max(0.0, 1 - float((inside**2).sum()) / total) if total else 0.0
