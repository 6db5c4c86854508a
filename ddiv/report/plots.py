"""The plot of one finding: what each seed says, as `report.render` describes plots."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ddiv.claim import (
    AsFar,
    Asking,
    Bench,
    Contrast,
    Correlation,
    Largest,
    Measured,
    Mixing,
    NoWorse,
    Opposite,
    Resemblance,
    RiseThenFall,
    Trend,
    Unmatched,
)
from ddiv.finding import Finding, Reader, SeedBench
from ddiv.treatment import BASELINE, BatchSize, Classes, Dropout, Synthetic, Treatment, WeightDecay

DOSES = {
    Dropout: "dropout rate",
    WeightDecay: "weight decay",
    Synthetic: "synthetic share",
    Classes: "number of classes",
    BatchSize: "batch size",
}


def plot(finding: Finding, reader: Reader) -> dict[str, Any]:
    """A curve over a ladder, pairs of two arms, an arm a marker for a correlation; else the effects
    of each seed as dots.
    """
    asked, question = finding.asked, finding.asked.question
    seats = [SeedBench(reader, asked.study, seed) for seed in asked.seeds]
    match question:
        case Trend() | Mixing() if any(arm.is_baseline for _, arm in question.ladder):
            return _dose(question, seats)
        case Trend() | RiseThenFall() | Mixing():
            return {
                "kind": "paired",
                "xlabel": _dose_name(question),
                "ylabel": question.outcome.label,
                "arms": [f"{dose:g}" for dose, _ in question.ladder],
                "series": _values(question.outcome, [arm for _, arm in question.ladder], seats),
            }
        case Contrast(treatments=(arm,)) | NoWorse(treatments=(arm,)):
            arms = (getattr(question, "base", BASELINE), arm)
            return {
                "kind": "paired",
                "xlabel": "arm",
                "ylabel": question.outcome.label,
                "arms": [one.label for one in arms],
                "series": _values(question.outcome, arms, seats),
            }
        case Largest():
            arms = (question.treatment, *question.others)
            return _bars(
                seats,
                f"{question.outcome.label}, change against the baseline",
                [arm.label for arm in arms],
                lambda bench: [bench.effect(question.outcome, arm) for arm in arms],
            )
        case Opposite():
            return {
                "kind": "bars",
                "ylabel": f"{question.outcome.label}, change per step of dose",
                "x": ["dropout", "weight decay"],
                "series": _effects(finding),
            }
        case Resemblance():
            names = [
                f"{group}: {metric.replace('_', ' ')}"
                for group in ("augmentation", "dropout", "decay")
                for metric in question.metrics
            ]
            return _bars(
                seats,
                "standardised effect on each metric",
                names,
                lambda bench: question.vectors(bench).ravel().tolist(),
            )
        case AsFar():
            return _bars(
                seats,
                "standardised length of the effect",
                ["the group", *(arm.label for arm in question.family)],
                lambda bench: question.lengths(bench).tolist(),
            )
        case Correlation():
            return _correlation(question, seats)
    names = _parts(question, len(finding.effects[0]))
    return {"kind": "bars", "ylabel": question.unit, "x": names, "series": _effects(finding)}


def _parts(question: Asking, width: int) -> list[str]:
    """What each of `width` effects is called."""
    if width == 1:
        return ["effect"]
    parts = question.parts()
    return (
        [part.unit for part in parts]
        if len(parts) == width
        else [f"part {i + 1}" for i in range(width)]
    )


def _effects(finding: Finding) -> list[dict]:
    return [
        {"seed": seed, "y": list(effects)}
        for seed, effects in zip(finding.asked.seeds, finding.effects)
    ]


def _values(outcome: Measured, arms: Sequence[Treatment], seats: Sequence[SeedBench]) -> list[dict]:
    return [
        {"seed": seat.seed, "y": [seat.bench().value(outcome, arm) for arm in arms]}
        for seat in seats
    ]


def _bars(
    seats: Sequence[SeedBench],
    ylabel: str,
    names: list[str],
    values: Callable[[Bench], list[float]],
) -> dict[str, Any]:
    return {
        "kind": "bars",
        "ylabel": ylabel,
        "x": names,
        "series": [{"seed": seat.seed, "y": values(seat.bench())} for seat in seats],
    }


def _dose(question: Trend | Mixing, seats: Sequence[SeedBench]) -> dict[str, Any]:
    outcome, arms = question.outcome, [arm for _, arm in question.ladder]
    series = [
        {"seed": seat.seed, "y": [seat.bench().effect(outcome, arm) for arm in arms]}
        for seat in seats
    ]
    if question.fit_matters:
        for row, seat in zip(series, seats):
            row["matched"] = [_or_none(seat.bench("between"), outcome, arm) for arm in arms]
    return {
        "kind": "dose",
        "xlabel": _dose_name(question),
        "ylabel": f"{outcome.label}, change against the baseline",
        "x": [dose for dose, _ in question.ladder],
        "series": series,
    }


def _or_none(bench: Bench, outcome: Measured, arm: Treatment) -> float | None:
    try:
        return bench.effect(outcome, arm)
    except Unmatched:
        return None


def _correlation(question: Correlation, seats: Sequence[SeedBench]) -> dict[str, Any]:
    first, second = np.mean([question.points(seat.bench()) for seat in seats], axis=0)
    return {
        "kind": "relation",
        "xlabel": question.first.label,
        "ylabel": f"{question.second.label}, means over seeds",
        "points": [
            {"label": arm.label, "group": arm.group, "x": float(x), "y": float(y)}
            for arm, x, y in zip(question.treatments, first, second)
        ],
    }


def _dose_name(question: Asking) -> str:
    part = question.ladder[-1][1].parts
    return DOSES.get(type(part[0]), "dose") if part else "dose"
