"""What a claim is, and what its question is answered from: the states of one seed's arms."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from ddiv import outcome as outcomes
from ddiv.outcome import Outcome, Snapshot, Vendi, Weighted
from ddiv.span import Outside
from ddiv.treatment import BASELINE, Treatment

# Read off a view, which needs no training; the others are read off a trained network.
OfData = Vendi | Weighted | Outside
Measured = Outcome | Outside
Ladder = tuple[tuple[float, Treatment], ...]
# What one seed says: one effect, or one for each comparison that the claim is made of.
Effects = tuple[float, ...]


class Claim(msgspec.Struct, frozen=True):
    """What a paper says: an id of the catalogue, the statement in our words, and where it stands.

    A control is a claim that we make in order to see it fail: its tests must not come out
    supported. `guards` names the family of claims that it is a control of ("" for a claim that is
    none). What is said to be so `somewhere` holds over all studies where it holds on one of them.
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
    """A study has not what a claim needs (no domains, say); the message says what."""


class TooFewArms(NotApplicable, ValueError):
    """A study has fewer arms, rungs or shares than a question is about; the message says how many
    are needed.
    """


class Unmatched(Exception):
    """No state of the baseline fits the training set as an arm does."""


class Bench(msgspec.Struct, frozen=True):
    """What a question is answered from: the states of one seed's arms, at equal epochs or
    fit-matched.

    `of_data` gives what the view of an arm says of its training set; `before` gives an arm's state
    before training.
    """

    state: Callable[[Treatment], Snapshot]
    baseline_for: Callable[[Treatment], Snapshot]
    of_data: Callable[[OfData, Treatment], float]
    before: Callable[[Treatment], Snapshot] | None = None

    def effect(self, outcome: Measured, arm: Treatment, base: Treatment = BASELINE) -> float:
        """The paired effect of an arm at this seed.

        Raises Unmatched in a fit-matched comparison.
        """
        if isinstance(outcome, OfData):
            return self.of_data(outcome, arm) - self.of_data(outcome, base)
        if arm == base:
            return 0.0
        return outcomes.effect(outcome, self.state(arm), self.base_for(arm, base))

    def value(self, outcome: Measured, arm: Treatment) -> float:
        """The outcome itself, after training."""
        return (
            self.of_data(outcome, arm)
            if isinstance(outcome, OfData)
            else outcomes.value(outcome, self.state(arm))
        )

    def base_for(self, arm: Treatment, base: Treatment = BASELINE) -> Snapshot:
        """The state that an arm is compared with. Raises Unmatched in a fit-matched comparison."""
        return self.baseline_for(arm) if base.is_baseline else self.state(base)
