"""A claim, and the bench that its question is answered from: the states of one seed's arms."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from ddiv import outcome as outcomes
from ddiv.outcome import Outcome, Outside, Snapshot, Vendi, Weighted
from ddiv.treatment import BASELINE, Treatment

# Read off a view, which needs no training; the others are read off a trained network.
OfData = Vendi | Weighted | Outside

# The effects at one seed: a single one, or one for each comparison that the claim is made of.
Effects = tuple[float, ...]


class Claim(msgspec.Struct, frozen=True):
    """A statement of a paper: an id of the catalogue, the statement in our words, and its source.

    A control is a claim that we make in order to see it fail: its tests must not come out
    supported. `guards` names the family of claims that it is a control of ("" for a claim that is
    none). A claim that is said to be so `somewhere` holds over all studies where it holds on one.
    """

    id: str
    statement: str
    source: str
    family: str
    guards: str = ""
    somewhere: bool = False

    @property
    def control(self) -> bool:
        return bool(self.guards)


class NotApplicable(Exception):
    """A study lacks something that a claim needs (domains, say); the message names it."""


class TooFewArms(NotApplicable, ValueError):
    """A study has fewer arms, rungs or shares than a question is about; the message says how many
    it needs.
    """


class Unmatched(Exception):
    """No state of the baseline fits the training set as an arm does."""


def _not_at_hand(arm: Treatment) -> Snapshot:
    raise LookupError(f"the state of {arm.label} before training is not at hand")


class Bench(msgspec.Struct, frozen=True):
    """One seed's arms, at equal epochs or fit-matched, for questions to be answered from.

    `state` gives an arm's state after training, `before` its state before. `baseline_for` gives the
    baseline's state that an arm is compared with, `of_data` an outcome of an arm's training set.
    """

    state: Callable[[Treatment], Snapshot]
    baseline_for: Callable[[Treatment], Snapshot]
    of_data: Callable[[OfData, Treatment], float]
    before: Callable[[Treatment], Snapshot] = _not_at_hand

    def effect(self, outcome: Outcome, arm: Treatment, base: Treatment = BASELINE) -> float:
        """The paired effect of an arm at this seed.

        Raises Unmatched in a fit-matched comparison.
        """
        if isinstance(outcome, OfData):
            return self.of_data(outcome, arm) - self.of_data(outcome, base)
        if arm == base:
            return 0.0
        return outcomes.effect(outcome, self.state(arm), self.base_for(arm, base))

    def value(self, outcome: Outcome, arm: Treatment) -> float:
        """The outcome itself, after training."""
        if isinstance(outcome, OfData):
            return self.of_data(outcome, arm)
        return outcomes.value(outcome, self.state(arm))

    def base_for(self, arm: Treatment, base: Treatment = BASELINE) -> Snapshot:
        """The state that an arm is compared with. Raises Unmatched in a fit-matched comparison."""
        return self.baseline_for(arm) if base.is_baseline else self.state(base)
