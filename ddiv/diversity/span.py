"""Information that the real data does not hold: energy of other data outside the real data's span.

It is mechanism 3 of the paper's v2. The span is the principal subspace of real training data
(pixels or embeddings, centred) that holds a share of their energy. It is fitted to one half of
them, so that the other half tells how much lies outside by sampling alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ddiv.diversity.rows import Backend, plain


@dataclass(frozen=True)
class Span:
    """Principal axes of real data: `centre` (d,), `axes` (k, d), strongest first, `energy` (k,)."""

    centre: np.ndarray
    axes: np.ndarray
    energy: np.ndarray

    @classmethod
    def of(cls, rows: np.ndarray) -> Span:
        """The axes of real data as vectors (n, d).

        Raises ValueError where all of them are equal, and on other things than vectors.
        """
        rows = _vectors(rows)
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
        distance from the real data's centre. Raises ValueError on `held` outside (0, 1), and on
        other things than vectors of the real data's length.
        """
        if not 0 < held < 1:
            raise ValueError(
                f"the span holds a share between 0 and 1 of the real energy, got {held}"
            )
        rows = _vectors(rows, len(self.centre))
        shares = self.energy.cumsum() / self.energy.sum()
        inside = (rows - self.centre) @ self.axes[: int(np.searchsorted(shares, held)) + 1].T
        total = float(((rows - self.centre) ** 2).sum())
        return max(0.0, 1 - float((inside**2).sum()) / total) if total else 0.0


def _vectors(rows: Any, width: int | None = None) -> np.ndarray:
    """Finite vectors (n, d) in float64, or in float32 where they are so; ValueError on others."""
    rows = plain(rows, "the data")
    if hasattr(rows, "detach") or rows.dtype not in (np.float64, np.float32):
        rows = Backend(np).float64(rows)
    if rows.ndim != 2 or 0 in rows.shape or rows.shape[1] != (width or rows.shape[1]):
        wanted = f"(n, {width})" if width else "(n, d)"
        raise ValueError(f"the data must be vectors {wanted}, n >= 1, got shape {rows.shape}")
    if not np.isfinite(rows).all():
        raise ValueError("the data holds NaN or infinity: leave those samples out")
    return np.asarray(rows)
