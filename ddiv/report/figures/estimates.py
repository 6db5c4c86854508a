"""The plot of what a finding tells in detail: estimates over layers or over time."""

from __future__ import annotations

import math

from ddiv.finding import Finding
from ddiv.finding.finding import Estimated
from ddiv.report.schema import EstimatesLine, EstimatesPlot


def estimates_plot(finding: Finding) -> EstimatesPlot:
    """A line for each estimate. Raises IndexError where the finding has none."""
    question, first = finding.asked.question, finding.estimates[0]
    return EstimatesPlot(
        xlabel=question.told_over,
        ylabel=question.told_as,
        x=first.at,
        lines=tuple(_line(one) for one in finding.estimates if one.at == first.at),
        ratio=first.ratio,
    )


def _line(one: Estimated) -> EstimatesLine:
    y, low, high = (
        tuple(value if math.isfinite(value) else None for value in row)
        for row in (one.values, one.low, one.high)
    )
    counted = f"{one.seeds} seed{'s' * (one.seeds != 1)}"
    return EstimatesLine(label=f"{one.name} (mean of {counted})", y=y, low=low, high=high)
