"""What every question has and can do."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from itertools import product
from typing import NamedTuple, Self

import msgspec

from ddiv import evidence
from ddiv.claim.bench import Bench, Effects, OfData
from ddiv.claim.fields import require_fields
from ddiv.evidence import RISES, Evidence, Method
from ddiv.outcome import NetworkOutcome, Outcome, Snapshot
from ddiv.study import Number
from ddiv.treatment import (
    BASELINE,
    BatchSize,
    EvaluationDropout,
    OtherSeed,
    Rectified,
    ShuffledLabels,
    Treatment,
    Unswitched,
    Unused,
)

# Parts of arms that no curve of the optimisation controls is a rival of.
_WITHOUT_CURVE = (
    *(BatchSize, EvaluationDropout, OtherSeed, ShuffledLabels),
    *(Rectified, Unswitched, Unused),
)


class Derived(NamedTuple):
    """A number that a question's effects tell besides the verdict, with a 95 % interval by
    bootstrap over seeds.
    """

    name: str
    value: float
    low: float
    high: float


class Curve(NamedTuple):
    """An estimate of one seed at several places: layers of a network, epochs of its training.

    With `ratio` the values are logarithms of ratios.
    """

    name: str
    at: tuple[str, ...]
    values: tuple[float, ...]
    ratio: bool = False


class Asking(msgspec.Struct, frozen=True):
    """A question of a claim: `answer` turns one seed into effects, `judge` the effects of all seeds
    into evidence.

    The properties are what a question may have. Kinds of questions that differ from the default
    have a field, or a property, of the same name. Those with a `__post_init__` call this one first.
    """

    def __post_init__(self) -> None:
        require_fields(self)

    @property
    def outcome(self) -> Outcome | None:
        """The outcome that may be replaced by another definition of the same; None where there are
        several outcomes.
        """
        return None

    @property
    def base(self) -> Treatment:
        """The arm that the others are compared with."""
        return BASELINE

    @property
    def direction(self) -> int:
        """The sign of the effects as claimed: RISES where they are computed to be positive then."""
        return RISES

    @property
    def method(self) -> str:
        """How the verdict is reached, in a line."""
        raise NotImplementedError

    @property
    def unit(self) -> str:
        """What the effect that is shown measures."""
        raise NotImplementedError

    def arms(self) -> Iterator[Treatment]:
        """Every arm that the answer rests on; some may come more than once."""
        raise NotImplementedError

    def outcomes(self) -> Iterator[Outcome]:
        """Every outcome that is read off these arms."""
        if self.outcome is None:
            raise NotImplementedError
        yield self.outcome

    def numbers(self) -> Iterator[Number]:
        """Every number of an experiment that it reads."""
        return iter(())

    @property
    def carried(self) -> tuple[NetworkOutcome, ...]:
        """The outcomes that its trials have to carry (`trial.trial`)."""
        return tuple(each for each in self.outcomes() if isinstance(each, NetworkOutcome))

    def replace_outcome(self, other: Outcome) -> Self:
        """The question of another outcome, to try another definition of the same.

        Only where `outcome` is a field.
        """
        return msgspec.structs.replace(self, outcome=other)

    def answer(self, bench: Bench) -> Effects:
        """One seed's effects. Raises Unmatched as `Bench.effect` does."""
        raise NotImplementedError

    def judge(self, effects: Sequence[Effects], alpha: float, method: Method = "sign") -> Evidence:
        """The evidence of the seeds' effects at level `alpha`.

        `method`: "sign" for seeds that are bet on, "exact" for a fixed sample
        (`ddiv.evidence.fixed`).
        """
        raise NotImplementedError

    def parts(self) -> tuple[Asking, ...]:
        """The questions that this one is made of; itself where it is not made of several."""
        return (self,)

    @property
    def has_specific(self) -> bool:
        """Whether there is a verdict on what is specific, beyond what an optimiser alone would do.

        So it is where trained networks are compared with the baseline, seed by seed, in how they
        learn one training set. Nothing is said of what an arm does to diversity, of batch sizes,
        which are a setting of the optimiser, of repeats of the baseline, and of arms whose loss on
        the clean training set tells nothing of their training: with dropout at evaluation, another
        loss, random labels, of another seed.
        """
        of_data = any(isinstance(outcome, OfData) for outcome in self.outcomes())
        return not of_data and have_rivals(list(self.arms()))

    def compared(self, bench: Bench) -> Iterator[tuple[Snapshot, Snapshot]]:
        """The states that are compared, arm by arm."""
        for arm in dict.fromkeys(self.arms()):
            yield from bench.compared(arm, self.base)

    def relying_on(self, outcomes: Collection[Outcome]) -> Self:
        """The question about these outcomes only, where each of several could decide alone; the
        question itself elsewhere.
        """
        return self

    def extremes(self, effects: Sequence[Effects]) -> Iterator[Effects]:
        """The effects of further seeds that speak as clearly as they can, either way, after the
        `effects` so far.
        """
        k, size = len(effects[0]), 1 + 10 * max(abs(effect) for row in effects for effect in row)
        for signs in product((1, -1), repeat=k) if k <= 2 else [(1,) * k, (-1,) * k]:
            yield tuple(size * sign for sign in signs)

    def derived(self, effects: Sequence[Effects]) -> tuple[Derived, ...]:
        """Numbers beside the verdict."""
        return ()

    def told(self, bench: Bench) -> tuple[Curve, ...]:
        """What one seed tells besides, in detail; the same curves at every seed."""
        return ()

    @property
    def told_as(self) -> str:
        """What the values of its curves measure."""
        return self.unit

    @property
    def told_over(self) -> str:
        """What their places are."""
        return "layer"

    @property
    def told_of_rivals(self) -> bool:
        """Whether it is also told what a slower optimiser at each arm's clean loss would show."""
        return False


class OneEffect(Asking, frozen=True):
    """A question that each seed answers with one effect, in the question's `direction` or against
    it.
    """

    def judge(self, effects: Sequence[Effects], alpha: float, method: Method = "sign") -> Evidence:
        return evidence.judge(
            [effect for (effect,) in effects], self.direction, alpha=alpha, method=method
        )


def have_rivals(arms: Sequence[Treatment]) -> bool:
    """Whether the baseline is among arms, and each could have been reached by another optimiser."""
    return BASELINE in arms and not any(arm.part(kind) for arm in arms for kind in _WITHOUT_CURVE)
