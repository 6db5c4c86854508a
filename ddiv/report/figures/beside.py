"""A finding's arms beside the curves of the optimiser's family, which say what is specific."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence

import numpy as np

from ddiv.finding import Finding, Reader, SeedBench
from ddiv.outcome import LOSS, Outcome, Score
from ddiv.report.schema import ArmPoint, CurvesPlot, FamilyCurves
from ddiv.study import NetworkOutcome
from ddiv.study.optimisation import MEMBERS
from ddiv.treatment import BASELINE, Treatment

# What findings share that have the same curves: a study, an outcome, and what its trials carry.
Shared = tuple[str, Outcome, tuple[NetworkOutcome, ...]]


def beside(
    findings: Iterable[Finding], reader: Reader
) -> tuple[tuple[FamilyCurves, ...], dict[str, CurvesPlot]]:
    """The curves, and by test the plots that refer to them: of every finding with a specific
    verdict on one outcome.
    """
    groups: dict[Shared, list[Finding]] = defaultdict(list)
    for finding in findings:
        asked = finding.asked
        if finding.specific and asked.question.outcome is not None:
            shared = asked.study.name, asked.question.outcome, asked.question.carried
            groups[shared].append(finding)
    curves: list[FamilyCurves] = []
    plots: dict[str, CurvesPlot] = {}
    for (_, outcome, carried), group in groups.items():
        study = group[0].asked.study
        seeds = sorted({seed for finding in group for seed in finding.asked.seeds})
        seats = {seed: SeedBench(reader, study, seed, carried) for seed in seeds}
        for finding in group:
            own = [seats[seed] for seed in finding.asked.seeds]
            plots[finding.asked.test] = _plot(finding, outcome, own, len(curves))
        curves.append(_curves(group[0], outcome, list(seats.values())))
    return tuple(curves), plots


def _curves(finding: Finding, outcome: Outcome, seats: Sequence[SeedBench]) -> FamilyCurves:
    study, calibration = finding.asked.study, finding.calibration
    margin = calibration.margin(outcome) if calibration else None
    rates, lengths = (tuple(map(MEMBERS.index, curve)) for curve in study.family)
    points = [[_point(seat, outcome, member) for member in MEMBERS] for seat in seats]
    best = None
    if calibration and isinstance(outcome, Score):  # its rival is this member too
        best = MEMBERS.index(calibration.best_member)
    return FamilyCurves(
        study=study.name,
        members=tuple(member.label for member in MEMBERS),
        rates=rates,
        lengths=lengths,
        seeds=tuple(seat.seed for seat in seats),
        x=tuple(tuple(x for x, _ in row) for row in points),
        y=tuple(tuple(y for _, y in row) for row in points),
        margin=_short(margin or 0.0),
        best=best,
    )


def _plot(
    finding: Finding, outcome: Outcome, seats: Sequence[SeedBench], curves: int
) -> CurvesPlot:
    arms = [arm for arm in dict.fromkeys(finding.asked.question.arms()) if not arm.is_baseline]
    points = []
    for arm in arms:
        by_seed = tuple(_point(seat, outcome, arm) for seat in seats)
        x, y = map(_short, np.mean(by_seed, axis=0).tolist())
        points.append(ArmPoint(arm.label, x, y, by_seed if len(arms) == 1 else ()))
    return CurvesPlot(
        ylabel=f"{outcome.label}, change against the baseline",
        curves=curves,
        seeds=finding.asked.seeds,
        points=tuple(points),
    )


def _point(seat: SeedBench, outcome: Outcome, arm: Treatment) -> tuple[float, float]:
    """The log of an arm's clean loss less that of the baseline's, and the outcome's change."""
    loss, of_baseline = (
        max(seat.state(one).scores[LOSS], np.finfo(float).tiny) for one in (arm, BASELINE)
    )
    effect = seat.bench().effect(outcome, arm)
    return _short(math.log(loss / of_baseline)), _short(effect)


def _short(value: float) -> float:
    """As many digits as a picture can show."""
    return float(f"{value:.4g}")
