"""Questions that each seed answers with one number: a slope, a difference, a change, a distance
from a bound.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from math import isnan, nan
from statistics import median
from typing import Literal

from ddiv import outcome as outcomes
from ddiv.claim.bench import Bench, Effects, TooFewArms
from ddiv.claim.question import OneEffect
from ddiv.common.ties import less
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
        # The baseline belongs to them even where the ladder leaves it out: each dose is compared
        # with it.
        return iter((BASELINE, *(treatment for _, treatment in self.ladder)))

    def answer(self, bench: Bench) -> Effects:
        doses = [dose for dose, _ in self.ladder]
        return (trend(doses, [bench.effect(self.outcome, arm) for _, arm in self.ladder]),)

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
        return (bench.mean(self.outcome, self.treatments, self.base),)

    @property
    def has_specific(self) -> bool:
        """Only against the baseline: the curves of the optimiser are through that."""
        return self.base.is_baseline and super().has_specific

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
    claim allows. It has no specific verdict: what is not specific is shrunk to 0, and would then be
    no worse.
    """

    outcome: Outcome
    treatments: tuple[Treatment, ...]
    margin: float
    direction: int = RISES

    @property
    def has_specific(self) -> bool:
        return False

    def arms(self) -> Iterator[Treatment]:
        return iter((BASELINE, *self.treatments))

    def answer(self, bench: Bench) -> Effects:
        margin = self.direction * self.margin
        return (less(bench.mean(self.outcome, self.treatments), -margin),)

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
    """An outcome of one arm is larger (smaller) after training than before.

    With arms in `also`, the median over all of them is.
    """

    outcome: OfNetwork
    arm: Treatment
    direction: int
    also: tuple[Treatment, ...] = ()

    @property
    def has_specific(self) -> bool:
        return False

    def arms(self) -> Iterator[Treatment]:
        return iter((self.arm, *self.also))

    def compared(self, bench: Bench) -> Iterator[tuple[Snapshot, Snapshot]]:
        return ((bench.state(arm), bench.before(arm)) for arm in self.arms())

    def answer(self, bench: Bench) -> Effects:
        return (_median(outcomes.effect(self.outcome, *pair) for pair in self.compared(bench)),)

    @property
    def method(self) -> str:
        return f"sign e-process on per-seed changes by training ({_named(self.arm, self.also)})"

    @property
    def unit(self) -> str:
        return f"{self.outcome.label}, after minus before training"


class Threshold(OneEffect, frozen=True, tag="threshold"):
    """An outcome of one arm lies above (below) a bound, after training or before it.

    With arms in `also`, the median over all of them does: of a number that a single network tells
    badly, such as an exponent of 60 eigenvalues.
    """

    outcome: OfNetwork
    arm: Treatment
    bound: float
    direction: int
    at: Literal["after", "before"] = "after"
    also: tuple[Treatment, ...] = ()

    @property
    def has_specific(self) -> bool:
        return False

    def arms(self) -> Iterator[Treatment]:
        return iter((self.arm, *self.also))

    def states(self, bench: Bench) -> Iterator[Snapshot]:
        """The states that are asked about."""
        return map(bench.state if self.at == "after" else bench.before, self.arms())

    def compared(self, bench: Bench) -> Iterator[tuple[Snapshot, Snapshot]]:
        return ((state, state) for state in self.states(bench))

    def answer(self, bench: Bench) -> Effects:
        values = (outcomes.value(self.outcome, state) for state in self.states(bench))
        return (less(_median(values), self.bound),)

    @property
    def method(self) -> str:
        values = f"values {self.at} training ({_named(self.arm, self.also)})"
        return f"sign e-process on per-seed {values}, less the bound"

    @property
    def unit(self) -> str:
        return f"{self.outcome.label} minus {self.bound:g}"


class Further(OneEffect, frozen=True, tag="further"):
    """A group of arms moves an outcome further from the baseline, up or down, than other arms do.

    Per seed: |mean effect of the group| less the largest |effect| of the others ("each"), or less
    |their mean effect| ("mean"). All are effects from one baseline: its noise enters both sizes
    alike, so unlike directions they are the better compared for it.
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
        rival = max(abs(bench.mean(self.outcome, arms)) for arms in groups)
        return (less(abs(bench.mean(self.outcome, self.group)), rival),)

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


def _median(values: Iterable[float]) -> float:
    """The median of those that exist; NaN where none does."""
    known = [value for value in values if not isnan(value)]
    return median(known) if known else nan


def _named(arm: Treatment, also: Sequence[Treatment]) -> str:
    """What one or many arms are called."""
    return f"median over {1 + len(also)} arms" if also else arm.label
