"""One self-contained HTML page from one `Page`: :func:`render`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from ddiv.report import thinned
from ddiv.report.arrange import arrange, study_titles
from ddiv.report.document import clean, document
from ddiv.report.figures.changes import NAMES
from ddiv.report.packing import Packed
from ddiv.report.schema import ArrangedFinding, Page, Picture

# What a finding can be filtered by, besides its study, its verdict and its words.
MARKS = (
    "differs",
    "negligible",
    "hardly_trained",
    "surprise",
    "unexpected",
    "divided",
    "starred",
    "starred_specific",
    "failing",
)


def render(page: Page) -> str:
    """The report as one HTML file."""
    page = clean(page)
    arranged = arrange(page)
    data = {
        "trials": arranged.trials,
        "plots": thinned.plots(arranged.plots),
        "curves": page.curves,
        "studies": study_titles(page),
        "names": NAMES,
        "materials": {one.study: thinned.drawn(one) for one in page.materials if one.study},
        "pictures": list(map(_drawn, page.pictures)),
    }
    return document(
        "page",
        styles=("page.css", "pictures.css"),
        scripts=("esd.js", "plots.js", "lines.js", "pictures.js", "page.js"),
        packed=Packed(data=data, index={"index": _index(arranged.findings)}),
        page=page,
        **msgspec.structs.asdict(arranged),
    )


def _index(findings: Sequence[ArrangedFinding]) -> dict[str, list[Any]]:
    """What the script filters findings by, in columns."""
    return {
        "anchor": [one.anchor for one in findings],
        "of": [one.place for one in findings],
        "study": [one.study for one in findings],
        "verdict": [one.key for one in findings],
        "marks": [" ".join(mark for mark in MARKS if getattr(one, mark)) for one in findings],
    }


def _drawn(picture: Picture) -> dict[str, Any]:
    """What the script needs of a picture."""
    return {
        "id": picture.id,
        "label": picture.label,
        "kind": picture.kind,
        "studies": picture.studies,
        "groups": picture.groups or None,
        "pairs": picture.pairs or None,
        "by": picture.by,
        "view": picture.view,
    }
