"""The section "Fit or regularisation?": how much of each effect is left at equal clean training
loss.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import msgspec

from ddiv.report.schema import (
    ArrangedFinding,
    ArrangedFitRow,
    FitPlot,
    FitPoint,
    FitRow,
    FitSection,
    Panel,
    Plot,
)
from ddiv.report.text import count, in_a_row, number, share


def section(
    rows: Sequence[FitRow],
    findings: Sequence[ArrangedFinding],
    titles: Mapping[str, str],
    plots: list[Plot],
) -> FitSection | None:
    """The sentence, one plot for each study (appended to `plots`) and the rows of the table.

    None without rows.
    """
    if not rows:
        return None
    anchors = {f.test: f.anchor for f in findings if f.test}
    linked = tuple(
        ArrangedFitRow(**msgspec.structs.asdict(row), anchor=anchors.get(row.test)) for row in rows
    )
    families = tuple(dict.fromkeys(row.family or "—" for row in linked))
    panels = []
    for study in dict.fromkeys(row.study for row in linked):
        of_study = [row for row in linked if row.study == study]
        points = tuple(point for row in of_study if (point := _point(row)))
        if points:
            title = titles.get(study, study)
            panels.append(Panel(title, len(plots), len(of_study) - len(points)))
            plots.append(FitPlot(families, points))
    return FitSection(linked, tuple(panels), _sentence(linked))


def _point(row: ArrangedFitRow) -> FitPoint | None:
    """A finding's point; None where it has no spread or no equal fit."""
    if row.equal is None or row.matched is None:
        return None
    at_epochs = f"{number(row.effect, True)} {row.unit} ({number(row.equal, True)} sd)"
    at_fit = f"{number(row.matched_effect, True)} {row.unit} ({number(row.matched, True)} sd)"
    return FitPoint(
        x=row.equal,
        y=row.matched,
        family=row.family or "—",
        anchor=row.anchor,
        kept=row.verdict == row.matched_verdict,
        decided={row.verdict, row.matched_verdict} != {"inconclusive"},
        name=", ".join(filter(None, (row.claim, row.variant))),
        lines=(
            f"equal epochs: {at_epochs}, {row.verdict}",
            f"equal fit: {at_fit}, {row.matched_verdict}",
            f"share left: {share(row.share)}",
        ),
    )


def _sentence(rows: Sequence[FitRow]) -> str:
    supported = [row for row in rows if row.verdict == "supported"]
    if not supported:
        return "No effect was supported at equal epochs."
    at_fit = Counter(row.matched_verdict or "unmatched" for row in supported)
    order = ("supported", "contradicted", "inconclusive", "unmatched")
    first, *others = [word for word in dict.fromkeys([*order, *at_fit]) if at_fit[word]]
    parts = [
        f"{at_fit[first]:,} {'is' if at_fit[first] == 1 else 'are'} {first}",
        *(f"{at_fit[word]:,} {word}" for word in others),
    ]
    return (
        f"Of the {count(len(supported), 'finding')} supported at equal epochs, "
        f"at equal fit {in_a_row(parts)}."
    )
