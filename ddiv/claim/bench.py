"""A claim, and the bench that its question is answered from: the states of one seed's arms."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Literal

import msgspec
import numpy as np

from ddiv import outcome as outcomes
from ddiv.common.ties import less, total
from ddiv.outcome import Coverage, Outcome, Outside, Rho, Snapshot, Vendi, Weighted
from ddiv.study import Number
from ddiv.treatment import BASELINE, Treatment

# Read off a view, which needs no training; the others are read off a trained network.
OfData = Vendi | Weighted | Rho | Outside | Coverage

# The effects at one seed: a single one, or one for each comparison that the claim is made of.
Effects = tuple[float, ...]


# The two verdicts of a claim.
JudgedBy = Literal["claimed", "specific"]


class Claim(msgspec.Struct, frozen=True):
    """A statement of a paper: an id of the catalogue, the statement in our words, and its source.

    A control is a claim that we make in order to see it fail: its tests must not come out
    supported. `guards` names the family of claims that it is a control of ("" for a claim that is
    none). A claim that is said to be so `somewhere` holds over all studies where it holds on one.
    `judged_by` names the verdict that a test fails or passes by: as claimed, or specific. A
    `headline` is one of the paper's main claims, which may take more seeds than the others.
    """

    id: str
    statement: str
    source: str
    family: str
    guards: str = ""
    somewhere: bool = False
    judged_by: JudgedBy = "claimed"
    headline: bool = False

    @property
    def control(self) -> bool:
        return bool(self.guards)


class NotApplicable(Exception):
    """A study lacks something that a claim needs (domains, say); the message names it."""


class TooFewArms(NotApplicable, ValueError):
    """A study has fewer arms, rungs or shares than a question is about; the message says how many
    it needs.
    """


# More arms of a mean, or seeds of a verdict, than this share without an effect leave none.
MOST_UNMATCHED = 0.25


class Unmatched(Exception):
    """An arm has no specific effect, as no optimiser of the study's family is known to fit the
    training set as it does; the message names it.
    """


def _not_at_hand(arm: Treatment) -> Snapshot:
    raise LookupError(f"the state of {arm.label} before training is not at hand")


def _not_performed(number: Number) -> float:
    raise LookupError(f"the experiment {number.experiment.label} is not at hand")


class Bench(msgspec.Struct, frozen=True):
    """One seed's arms, for questions to be answered from.

    `state` gives an arm's state after training, `before` its state before, `path` its states at the
    recipe's checkpoints (none where it is not followed), `of_data` an outcome of an arm's training
    set, `of_experiment` a number of an experiment. Effects here are those as
    claimed; `ddiv.finding.specific` has a bench of what is specific of them.
    """

    state: Callable[[Treatment], Snapshot]
    of_data: Callable[[OfData, Treatment], float]
    before: Callable[[Treatment], Snapshot] = _not_at_hand
    of_experiment: Callable[[Number], float] = _not_performed
    path: Callable[[Treatment], Sequence[Snapshot]] = lambda arm: ()

    def effect(self, outcome: Outcome, arm: Treatment, base: Treatment = BASELINE) -> float:
        """The paired effect of an arm at this seed.

        Raises Unmatched where what is specific of it is asked for and not known.
        """
        if isinstance(outcome, OfData):
            return float(less(self.of_data(outcome, arm), self.of_data(outcome, base)))
        if arm == base:
            return 0.0
        return outcomes.effect(outcome, self.state(arm), self.state(base))

    def value(self, outcome: Outcome, arm: Treatment) -> float:
        """The outcome itself, after training."""
        if isinstance(outcome, OfData):
            return self.of_data(outcome, arm)
        return outcomes.value(outcome, self.state(arm))

    def mean(
        self, outcome: Outcome, arms: Sequence[Treatment], base: Treatment = BASELINE
    ) -> float:
        """The mean over arms of the paired effects at this seed.

        An arm without one counts as 0. Raises Unmatched where more than `MOST_UNMATCHED` of the
        arms have none.
        """
        effects: list[float] = []
        missing: list[str] = []
        for arm in arms:
            try:
                effects.append(self.effect(outcome, arm, base))
            except Unmatched as reason:
                missing.append(str(reason))
        if len(missing) > MOST_UNMATCHED * len(arms):
            raise Unmatched(missing[0])
        return float(total(np.array(effects)) / len(arms))

    def vector(
        self, outcomes: Iterable[Outcome], arms: Sequence[Treatment], base: Treatment = BASELINE
    ) -> list[float]:
        """A group's mean effects on several outcomes, to be compared in direction with another's.

        Two groups that are compared so have two replicates of the baseline as `base`: the noise of
        a shared one points the same way in both. Raises as `mean`.
        """
        return [self.mean(outcome, arms, base) for outcome in outcomes]

    def compared(
        self, arm: Treatment, base: Treatment = BASELINE
    ) -> Iterator[tuple[Snapshot, Snapshot]]:
        """The pairs of states that an arm's effect is read off."""
        yield self.state(arm), self.state(base)
