"""The plot of places in a plane, path by path: how representations move, say."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ddiv.claim import Bench, Place
from ddiv.report.schema import RelationPlot, RelationPoint


def plot(places: Sequence[Place], benches: Sequence[Bench]) -> RelationPlot:
    """The means over seeds of places, those of a path joined in their order."""

    def mean(place: Place) -> tuple[float, float]:
        x, y = (
            np.mean([bench.of_experiment(number) for bench in benches])
            for number in (place.x, place.y)
        )
        return float(x), float(y)

    return RelationPlot(
        xlabel=places[0].x.label,
        ylabel=f"{places[0].y.label}, means over seeds",
        points=tuple(RelationPoint(place.label, place.path, *mean(place)) for place in places),
        joined=True,
    )
