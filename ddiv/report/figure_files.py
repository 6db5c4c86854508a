"""Every figure of a page as a file: SVG or PDF."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from ddiv.report import places
from ddiv.report.arrange import arrange
from ddiv.report.document import clean
from ddiv.report.figures import drawn, drawn_pictures
from ddiv.report.figures.words import spread
from ddiv.report.schema import Page, Plot

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Names of files take 255 bytes, and letters of some scripts take three.
LONGEST = 70


def figures(shown: Page, text: str = "") -> Iterator[tuple[str, Callable[[Axes], None]]]:
    """The figures of a page, by names that are safe for files; those whose name has the `text`.

    A finding's are called after its place on the page, a picture's after the picture.
    """
    shown = clean(shown)
    taken: set[str] = set()
    for finding in arrange(shown).findings:
        for plot, ending in ((finding.plot, ""), (finding.curves, "-curves")):
            if plot is not None and text in finding.anchor:
                yield _name(finding.anchor[2:] + ending, taken), _of(plot, shown)
    for picture in shown.pictures:
        for name, draw in drawn_pictures.figures(picture, shown.materials):
            if text in name:
                yield _name(name, taken), draw


def _of(plot: Plot, shown: Page) -> Callable[[Axes], None]:
    return lambda axes: drawn.onto(axes, plot, shown.curves)


def _name(text: str, taken: set[str]) -> str:
    return places.anchor("figure", text[:LONGEST], taken)


def drawing(draw: Callable[[Axes], None], kind: str) -> bytes:
    """A figure as a file of this kind: "svg" or "pdf". The same figure is the same file."""
    buffer = io.BytesIO()
    with drawn.page() as (figure, axes):
        draw(axes)
        figure.draw_without_rendering()  # so that the axes have their size
        spread(axes)
        dates = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}
        figure.savefig(buffer, format=kind, metadata=dates[kind])
    return buffer.getvalue()
