"""The panel that a question of experiments brings for its findings (`ddiv.claim.Panel`)."""

from __future__ import annotations

from collections.abc import Sequence

from ddiv.claim import Asking, Panel
from ddiv.claim.experiments import OfExperiments
from ddiv.finding import SeedBench
from ddiv.report.schema import LinesPlot, Series


def panel_of(question: Asking) -> Panel | None:
    """The panel of a question, or of the first of its parts that has one."""
    parts = (part for part in question.parts() if isinstance(part, OfExperiments))
    return next((part.shown for part in parts if part.shown), None)


def lines(panel: Panel, seats: Sequence[SeedBench]) -> LinesPlot:
    """The numbers of a panel, curve by curve and seed by seed."""
    benches = [(seat.seed, seat.bench()) for seat in seats]
    return LinesPlot(
        xlabel=panel.xlabel,
        ylabel=panel.curves[0][1][0].meaning,
        x=panel.x,
        names=tuple(name for name, _ in panel.curves),
        series=tuple(
            tuple(Series(seed, tuple(map(bench.of_experiment, numbers))) for seed, bench in benches)
            for _, numbers in panel.curves
        ),
    )
