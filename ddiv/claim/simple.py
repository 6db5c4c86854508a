"""Questions that each seed answers with one number: a slope, a difference, a change, a distance
from a bound.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from ddiv import outcome as outcomes
from ddiv.claim.bench import Bench, Effects, TooFewArms, Unmatched
from ddiv.claim.question import OneEffect, mean_effect
from ddiv.evidence import RISES, trend
from ddiv.outcome import OfNetwork, Outcome, Snapshot
from ddiv.treatment import BASELINE, Ladder, Treatment


class Trend(OneEffect, frozen=True, tag="trend"):
    """An outcome rises (falls) from dose to dose: the slope over the ranks of doses, by seed."""

    outcome: Outcome
    ladder: Ladder
    direction: int

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.ladder) < 2:
            raise TooFewArms(f"a trend needs a ladder of 2 rungs or more, got {len(self.ladder)}")

    def arms(self) -> Iterator[Treatment]:
        # The baseline belongs to them even where the ladder leaves it out: each dose is matched
        # with it.
        return iter((BASELINE, *(treatment for _, treatment in self.ladder)))

    def answer(self, bench: Bench) -> Effects:
        doses, effects = [], []
        for dose, treatment in self.ladder:
            try:
                effects.append(bench.effect(self.outcome, treatment))
                doses.append(dose)
            except Unmatched:
                continue
        # The baseline always matches itself; a slope from it to a single dose is no ladder.
        if len(doses) < min(3, len(self.ladder)):
            baselines = sum(treatment.is_baseline for _, treatment in self.ladder)
            raise Unmatched(
                f"only {len(doses) - baselines} of {len(self.ladder) - baselines} doses can be "
                "matched"
            )
        return (trend(doses, effects),)

    @property
    def method(self) -> str:
        return "sign e-process on per-seed slopes over dose ranks"

    @property
    def unit(self) -> str:
        return f"{self.outcome.label} per step of dose"


class Contrast(OneEffect, frozen=True, tag="contrast"):
    """An outcome is larger (smaller) than that of `base`, on average over these arms."""

    outcome: Outcome
    treatments: tuple[Treatment, ...]
    direction: int
    base: Treatment = BASELINE

    def arms(self) -> Iterator[Treatment]:
        return iter((self.base, *self.treatments))

    def answer(self, bench: Bench) -> Effects:
        return (mean_effect(bench, self.outcome, self.treatments, self.base),)

    @property
    def fit_matters(self) -> bool:
        return self.base.is_baseline and super().fit_matters

    @property
    def method(self) -> str:
        the = "the " * self.base.is_baseline
        return f"sign e-process on per-seed differences from {the}{self.base.label}"

    @property
    def unit(self) -> str:
        return self.outcome.label


class NoWorse(OneEffect, frozen=True, tag="no-worse"):
    """An outcome is not lower (direction RISES; FALLS: not higher) than the baseline's by more than
    `margin`.

    The effect is the mean difference over the arms, shifted by the margin to the side that the
    claim allows.
    """

    outcome: Outcome
    treatments: tuple[Treatment, ...]
    margin: float
    direction: int = RISES

    def arms(self) -> Iterator[Treatment]:
        return iter((BASELINE, *self.treatments))

    def answer(self, bench: Bench) -> Effects:
        return (mean_effect(bench, self.outcome, self.treatments) + self.direction * self.margin,)

    @property
    def method(self) -> str:
        return (
            "sign e-process on per-seed differences from the baseline, "
            "shifted by the margin of non-inferiority"
        )

    @property
    def unit(self) -> str:
        shift = "plus" if self.direction > 0 else "minus"
        return f"{self.outcome.label}, difference {shift} the margin of {self.margin:g}"


class Change(OneEffect, frozen=True, tag="change"):
    """An outcome of one arm is larger (smaller) after training than before."""

    outcome: OfNetwork
    arm: Treatment
    direction: int

    @property
    def fit_matters(self) -> bool:
        return False

    def arms(self) -> Iterator[Treatment]:
        yield self.arm

    def compared(self, bench: Bench) -> Iterator[tuple[Snapshot, Snapshot]]:
        yield bench.state(self.arm), bench.before(self.arm)

    def answer(self, bench: Bench) -> Effects:
        return (outcomes.effect(self.outcome, bench.state(self.arm), bench.before(self.arm)),)

    @property
    def method(self) -> str:
        return f"sign e-process on per-seed changes by training ({self.arm.label})"

    @property
    def unit(self) -> str:
        return f"{self.outcome.label}, after minus before training"


class Threshold(OneEffect, frozen=True, tag="threshold"):
    """An outcome of one arm lies above (below) a bound, after training or before it."""

    outcome: OfNetwork
    arm: Treatment
    bound: float
    direction: int
    at: Literal["after", "before"] = "after"

    @property
    def fit_matters(self) -> bool:
        return False

    def arms(self) -> Iterator[Treatment]:
        yield self.arm

    def state(self, bench: Bench) -> Snapshot:
        """The state that is asked about."""
        return bench.state(self.arm) if self.at == "after" else bench.before(self.arm)

    def compared(self, bench: Bench) -> Iterator[tuple[Snapshot, Snapshot]]:
        yield (self.state(bench),) * 2

    def answer(self, bench: Bench) -> Effects:
        return (outcomes.value(self.outcome, self.state(bench)) - self.bound,)

    @property
    def method(self) -> str:
        values = f"values {self.at} training ({self.arm.label})"
        return f"sign e-process on per-seed {values}, less the bound"

    @property
    def unit(self) -> str:
        return f"{self.outcome.label} minus {self.bound:g}"


class Further(OneEffect, frozen=True, tag="further"):
    """A group of arms moves an outcome further from the baseline, up or down, than other arms do.

    Per seed: |mean effect of the group| less the largest |effect| of the others ("each"), or less
    |their mean effect| ("mean").
    """

    outcome: Outcome
    group: tuple[Treatment, ...]
    others: tuple[Treatment, ...]
    against: Literal["each", "mean"] = "each"
    direction: int = RISES

    def arms(self) -> Iterator[Treatment]:
        return iter((BASELINE, *self.group, *self.others))

    def answer(self, bench: Bench) -> Effects:
        groups = [self.others] if self.against == "mean" else [(arm,) for arm in self.others]
        rival = max(abs(mean_effect(bench, self.outcome, arms)) for arms in groups)
        return (abs(mean_effect(bench, self.outcome, self.group)) - rival,)

    @property
    def method(self) -> str:
        rival = {"mean": "mean effect of the others", "each": "largest effect among the others"}
        return (
            "sign e-process on per-seed sizes of the group's mean effect, "
            f"less that of the {rival[self.against]}"
        )

    @property
    def unit(self) -> str:
        return f"{self.outcome.label}, size of the effect less that of the others"
