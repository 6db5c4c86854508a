"""Findings' arms beside the curves of the optimiser's family, from planted records."""

import math
from dataclasses import dataclass, replace

import msgspec
import pytest

from ddiv import outcome as outcomes
from ddiv.claim import Contrast
from ddiv.evidence import RISES
from ddiv.finding import answer
from ddiv.outcome import Score, Spectral
from ddiv.report.figures.beside import beside
from ddiv.report.schema import FamilyCurves
from ddiv.treatment import Length, Rate, Treatment
from ddiv.trial import trial
from tests.support.claim_cases import APPLICABLE, WORLD, Case
from tests.support.planted import Levels, PlantedReader

AUTO = WORLD.augmentation("auto")
# An arm's clean loss is twice that of the baseline's for each of these.
LOSSES = {AUTO: 1.5, Treatment.of(Rate(0.25)): 2, Treatment.of(Rate(0.5)): 1}
LOSSES |= {
    Treatment.of(Rate(2.0)): -1,
    Treatment.of(Length(0.4)): 2.5,
    Treatment.of(Length(1.5)): -1,
}


@dataclass
class WithLosses(PlantedReader):
    """Arms that fit as `LOSSES` says."""

    def record(self, job):
        found = super().record(job)
        clean = found.facts["clean"] | {"loss": 0.1 * 2 ** LOSSES.get(job.treatment, 0.0)}
        return replace(found, facts=found.facts | {"clean": clean})

    def trained(self, job):
        return outcomes.read(self.record(job))


def found(outcome, arms, seeds, test="t"):
    """The finding that arms raise an outcome, and its reader."""
    question = Contrast(outcome, arms, RISES)
    case = Case(APPLICABLE[0].claim, WORLD, question, "auto")
    needed = dict.fromkeys((*arms, *(arm for curve in WORLD.family for arm in curve)))
    levels = {
        trial(WORLD, arm, seed): Levels(accuracy=0.1 * seed + LOSSES.get(arm, 0.0))
        for arm in needed
        for seed in range(4)
    }
    reader = WithLosses(WORLD, levels)
    asked = msgspec.structs.replace(case.asked(seeds), test=test)
    return answer(asked, reader), reader


def members(curves: FamilyCurves, places) -> list[str]:
    return [curves.members[place] for place in places]


def test_the_family_is_two_curves_a_seed_and_the_arm_a_point():
    finding, reader = found(Score("accuracy", "ood"), (AUTO,), (0, 1))
    (curves,), plots = beside([finding], reader)
    assert members(curves, curves.rates) == ["rate x 0.25", "rate x 0.5", "baseline", "rate x 2"]
    assert members(curves, curves.lengths)[2:] == ["baseline", "length x 1.5"]
    assert curves.members[curves.best] == "baseline"  # the rival of every accuracy
    (point,) = plots["t"].points
    for seed in (0, 1):
        at = dict(zip(curves.members, zip(curves.x[seed], curves.y[seed])))
        assert at["baseline"] == (0, 0)
        assert at["rate x 0.25"] == pytest.approx((2 * math.log(2), 0.1), abs=2e-3)
        assert point.by_seed[seed] == pytest.approx((1.5 * math.log(2), 0.075), abs=2e-3)
    assert (point.label, point.x) == (AUTO.label, pytest.approx(1.5 * math.log(2), abs=1e-3))


def test_findings_on_one_outcome_share_their_curves():
    accuracy = Score("accuracy", "ood")
    findings = [
        found(accuracy, (AUTO,), (0, 1), "short")[0],
        found(accuracy, (AUTO, WORLD.augmentation("rand")), (0, 1, 2), "long")[0],
    ]
    other, reader = found(Spectral("frobenius_norm", "classifier"), (AUTO,), (0,), "norm")
    extra = WORLD.augmentation("rand")
    reader.levels |= {trial(WORLD, extra, seed): Levels() for seed in range(4)}
    curves, plots = beside([*findings, other], reader)
    assert [plot.curves for plot in plots.values()] == [0, 0, 1]
    assert curves[0].seeds == (0, 1, 2) and plots["short"].seeds == (0, 1)
    assert [point.by_seed for point in plots["long"].points] == [(), ()]  # two arms: their means
    assert curves[1].best is None


def test_what_has_no_specific_verdict_has_no_curves():
    finding, reader = found(Score("accuracy", "ood"), (AUTO,), (0,))
    assert beside([replace(finding, specific=None)], reader) == ((), {})
