"""The plot of one finding: what each seed says."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np

from ddiv.claim import (
    AsFar,
    Asking,
    Bench,
    Compared,
    Contrast,
    Correlation,
    Everywhere,
    Graded,
    Ladder,
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
from ddiv.finding.specific import benches
from ddiv.outcome import Outcome
from ddiv.report.figures import plane
from ddiv.report.figures.estimates import estimates_plot
from ddiv.report.figures.panels import lines, panel_of
from ddiv.report.schema import (
    BarsPlot,
    DosePlot,
    FindingPlot,
    PairedPlot,
    RelationPlot,
    RelationPoint,
    Series,
)
from ddiv.treatment import BatchSize, Classes, Dropout, Synthetic, Treatment, WeightDecay

# What the doses of a ladder are, by the kind of its arms' part.
DOSES: dict[type, str] = {
    Dropout: "dropout rate",
    WeightDecay: "weight decay",
    Synthetic: "synthetic share",
    Classes: "number of classes",
    BatchSize: "batch size",
}


def plot(finding: Finding, reader: Reader) -> FindingPlot:
    """What is told in detail, or the panel that a question of experiments brings; or a curve over a
    ladder, pairs of two arms, an arm a marker for a correlation; else the effects of each seed as
    dots.
    """
    if finding.estimates:
        return estimates_plot(finding)
    asked, question = finding.asked, finding.asked.question
    seats = [SeedBench(reader, asked.study, seed, question.carried) for seed in asked.seeds]
    if panel := panel_of(question):
        return lines(panel, seats)
    match question:
        case Trend() | Mixing() if any(arm.is_baseline for _, arm in question.ladder):
            return _dose(finding, question, seats)
        case Trend() | RiseThenFall() | Mixing():
            doses = [f"{dose:g}" for dose, _ in question.ladder]
            arms = [arm for _, arm in question.ladder]
            return _paired(_dose_name(question.ladder), question.outcome, doses, arms, seats)
        case Contrast(treatments=(arm,)) | NoWorse(treatments=(arm,)):
            arms = [question.base, arm]
            return _paired("arm", question.outcome, [one.label for one in arms], arms, seats)
        case Correlation():
            return _correlation(question, seats)
        case Graded() | Everywhere():
            return _graded(question, seats)
        case Measured() if question.plane:
            return plane.plot(question.plane, [seat.bench() for seat in seats])
        case Compared():
            shown = question.reference, question.number, *question.beside
            return PairedPlot(
                ylabel=question.number.meaning,
                arms=tuple(number.label for number in shown),
                series=_each(seats, lambda bench: map(bench.of_experiment, shown)),
            )
    return _bars(finding, seats)


# --- curves and pairs ---------------------------------------------------------------------------


def _dose(finding: Finding, question: Trend | Mixing, seats: Sequence[SeedBench]) -> DosePlot:
    outcome, arms = question.outcome, [arm for _, arm in question.ladder]
    series = []
    for seat in seats:
        bench = seat.bench()
        effects = tuple(bench.effect(outcome, arm) for arm in arms)
        beyond = None
        if finding.specific and finding.calibration:
            (specific, *_) = benches(seat, question, finding.calibration)
            beyond = tuple(_or_none(specific, outcome, arm) for arm in arms)
        series.append(Series(seat.seed, effects, beyond))
    return DosePlot(
        xlabel=_dose_name(question.ladder),
        ylabel=f"{outcome.label}, change against the baseline",
        x=tuple(dose for dose, _ in question.ladder),
        series=tuple(series),
    )


def _or_none(bench: Bench, outcome: Outcome, arm: Treatment) -> float | None:
    try:
        return bench.effect(outcome, arm)
    except Unmatched:
        return None


def _dose_name(ladder: Ladder) -> str:
    parts = ladder[-1][1].parts
    return DOSES.get(type(parts[0]), "dose") if parts else "dose"


def _paired(
    xlabel: str,
    outcome: Outcome,
    names: Sequence[str],
    arms: Sequence[Treatment],
    seats: Sequence[SeedBench],
) -> PairedPlot:
    """The outcome itself, arm by arm."""
    return PairedPlot(
        xlabel=xlabel,
        ylabel=outcome.label,
        arms=tuple(names),
        series=_each(seats, lambda bench: [bench.value(outcome, arm) for arm in arms]),
    )


def _graded(question: Graded | Everywhere, seats: Sequence[SeedBench]) -> DosePlot:
    """The number itself, dose by dose."""
    numbers = [number for _, number in question.doses]
    return DosePlot(
        xlabel=question.along,
        ylabel=numbers[0].meaning,
        x=tuple(dose for dose, _ in question.doses),
        series=_each(seats, lambda bench: map(bench.of_experiment, numbers)),
    )


def _correlation(question: Correlation, seats: Sequence[SeedBench]) -> RelationPlot:
    first, second = np.mean([question.points(seat.bench()) for seat in seats], axis=0)
    return RelationPlot(
        xlabel=question.first.label,
        ylabel=f"{question.second.label}, means over seeds",
        points=tuple(
            RelationPoint(arm.label, arm.group, float(x), float(y))
            for arm, x, y in zip(question.treatments, first, second)
        ),
    )


# --- bars ---------------------------------------------------------------------------------------


def _bars(finding: Finding, seats: Sequence[SeedBench]) -> BarsPlot:
    """A bar an arm, a group or a metric that the question compares; else a bar an effect."""
    question = finding.asked.question
    match question:
        case Largest():
            outcome, arms = question.outcome, (question.treatment, *question.others)
            return BarsPlot(
                ylabel=f"{outcome.label}, change against the baseline",
                x=tuple(arm.label for arm in arms),
                series=_each(seats, lambda bench: [bench.effect(outcome, arm) for arm in arms]),
            )
        case Opposite():
            ladders = (question.first, question.second)
            return BarsPlot(
                ylabel=f"{question.outcome.label}, change per step of dose",
                x=tuple(_group(arm for _, arm in ladder) for ladder in ladders),
                series=_answers(finding),
            )
        case Resemblance():
            groups = map(_group, (question.group, question.like, question.unlike))
            metrics = [metric.replace("_", " ") for metric in question.metrics]
            return BarsPlot(
                ylabel="standardised effect on each metric",
                x=tuple(f"{group}: {metric}" for group in groups for metric in metrics),
                series=_each(seats, lambda bench: question.vectors(bench).ravel().tolist()),
            )
        case AsFar():
            return BarsPlot(
                ylabel="standardised length of the effect",
                x=("the group", *(arm.label for arm in question.family)),
                series=_each(seats, lambda bench: question.lengths(bench).tolist()),
            )
    names = _parts(question, len(finding.effects[0]))
    return BarsPlot(ylabel=question.unit, x=names, series=_answers(finding))


def _group(arms: Iterable[Treatment]) -> str:
    """What a group of arms is called: its arms' own groups, without the baseline's."""
    return " and ".join(dict.fromkeys(arm.group for arm in arms if not arm.is_baseline))


def _parts(question: Asking, width: int) -> tuple[str, ...]:
    """The name of each of `width` effects."""
    if width == 1:
        return ("effect",)
    parts = question.parts()
    if len(parts) == width:
        return tuple(part.unit for part in parts)
    return tuple(f"part {i + 1}" for i in range(width))


def _answers(finding: Finding) -> tuple[Series, ...]:
    """The effects that the question was answered with."""
    return tuple(
        Series(seed, tuple(effects)) for seed, effects in zip(finding.asked.seeds, finding.effects)
    )


def _each(
    seats: Sequence[SeedBench], values: Callable[[Bench], Iterable[float]]
) -> tuple[Series, ...]:
    """The values of every seed."""
    return tuple(Series(seat.seed, tuple(values(seat.bench()))) for seat in seats)
