"""Words beside the marks of a figure in a file: apart, where marks are near each other."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes

GREY = "#8a939b"

SIZE = 6.0  # points; of a letter the width is some half of it
LETTER, LINE = 0.55 * SIZE, 1.1 * SIZE

# Heights above the mark, in points, in the order in which they are tried.
OFFSETS = (4.0, -9.0, 14.0, -19.0, 24.0, -29.0, 34.0, -39.0)


def word(axes: Axes, text: str, x: float, y: float) -> None:
    """Write a text above a mark; `spread` puts those apart that would cover each other."""
    axes.annotate(
        text,
        (x, y),
        xytext=(0, OFFSETS[0]),
        textcoords="offset points",
        ha="center",
        fontsize=SIZE,
        arrowprops={"arrowstyle": "-", "lw": 0.4, "color": GREY, "shrinkA": 0, "shrinkB": 0},
    )


def spread(axes: Axes) -> None:
    """Put each word at the first height about its mark where no other is yet, if far with a line to
    the mark. For when all else is laid out, since places on the paper depend on it.
    """
    from matplotlib.text import Annotation

    taken: list[tuple[float, float, float]] = []
    for words in [text for text in axes.texts if isinstance(text, Annotation)]:
        x, y = axes.transData.transform(words.xy) * 72 / axes.figure.dpi
        if not (math.isfinite(x) and math.isfinite(y)):
            continue
        half = LETTER * len(words.get_text()) / 2
        near = [(at, wide) for other, at, wide in taken if abs(other - x) < half + wide]
        free = [up for up in OFFSETS if all(abs(y + up - at) >= LINE for at, _ in near)]
        offset = free[0] if free else OFFSETS[0]
        words.set_position((0, offset))
        if words.arrow_patch is not None:
            words.arrow_patch.set_visible(abs(offset) > 2 * LINE)
        taken.append((x, y + offset, half))
