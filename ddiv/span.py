"""Information that the real images do not hold: energy of images outside the span of real ones (v2, mechanism 3).

The span is the principal subspace of real training images (pixels or embeddings, centred) that holds a share of their
energy. It is fitted to one half of them, so that the other half tells how much lies outside by sampling alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import msgspec
import numpy as np

# The shares of the fitting half's energy that the span holds; the first is the definition that a verdict rests on.
HELD = (0.95, 0.9, 0.99)


class Outside(msgspec.Struct, frozen=True, tag="outside"):
    """The share of a training set's energy outside the span of the plain real images, which holds `held` of their own."""

    space: Literal["pixel", "embedding"]
    held: float = HELD[0]

    @property
    def label(self) -> str:
        return f"energy outside the span of {self.held:.0%} of the real images' ({self.space})"

    @property
    def key(self) -> str:
        """What a view's record calls it."""
        return f"outside {self.held:g}, {self.space}"


@dataclass(frozen=True)
class Span:
    """Principal axes of real images: their `centre` (d,), `axes` (k, d), strongest first, and `energy` (k,) along each."""

    centre: np.ndarray
    axes: np.ndarray
    energy: np.ndarray

    @classmethod
    def of(cls, rows: np.ndarray) -> Span:
        """The axes of real images as vectors (n, d). Raises ValueError where all of them are equal."""
        centre = rows.mean(axis=0)
        _, singular, axes = np.linalg.svd(rows - centre, full_matrices=False)
        if not singular[0] > 1e-9 * max(1.0, float(np.abs(centre).max())):
            raise ValueError("all real images are equal, so they span no direction: give images that differ")
        return cls(centre, axes, singular**2)

    def outside(self, rows: np.ndarray, held: float) -> float:
        """The share, 0 to 1, of the energy of vectors (n, d) outside the fewest axes that hold `held` of the real energy.

        Energy is the squared distance from the real images' centre. Raises ValueError on `held` outside (0, 1).
        """
        if not 0 < held < 1:
            raise ValueError(f"the span holds a share between 0 and 1 of the real energy, got {held}")
        shares = self.energy.cumsum() / self.energy.sum()
        inside = (rows - self.centre) @ self.axes[:int(np.searchsorted(shares, held)) + 1].T
        total = float(((rows - self.centre) ** 2).sum())
        return max(0.0, 1 - float((inside**2).sum()) / total) if total else 0.0
