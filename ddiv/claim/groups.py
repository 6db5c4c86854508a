"""Questions on whether groups of arms move a spectrum alike, opposite ways or as far.

Effects of two groups share their seed's baseline, whose noise makes them look alike where neither
does anything. So a claim on signs must hold for each group on its own, seed after seed. Where
directions of many metrics are compared, the second group's effects are those from another replicate
of the baseline: with one for both, repeats of the baseline itself agree in direction. What is
specific of these directions is told against two curves of the optimiser in place of two replicates
(`ddiv.finding.specific`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Literal, Self

import msgspec
import numpy as np

from ddiv import evidence
from ddiv.claim.bench import Bench, Effects
from ddiv.claim.question import Asking, OneEffect
from ddiv.claim.simple import Trend
from ddiv.common.arrays import Array
from ddiv.evidence import RISES, Evidence, Method
from ddiv.outcome import Layers, Metric, Outcome, Spectral
from ddiv.treatment import BASELINE, Ladder, NoOp, Treatment

Group = tuple[Treatment, ...]

# The baseline again: its batches come in another order.
NO_OP = Treatment.of(NoOp())


class Opposite(Asking, frozen=True, tag="opposite"):
    """Two ladders move an outcome opposite ways; either of them may be the one that raises it."""

    outcome: Outcome
    first: Ladder
    second: Ladder

    def arms(self) -> Iterator[Treatment]:
        return (treatment for _, treatment in (*self.first, *self.second))

    def answer(self, bench: Bench) -> Effects:
        first, second = (
            Trend(self.outcome, ladder, RISES).answer(bench)[0]
            for ladder in (self.first, self.second)
        )
        return first, second

    def judge(self, effects: Sequence[Effects], alpha: float, method: Method = "sign") -> Evidence:
        first, second = zip(*effects)
        return evidence.opposed(first, second, alpha=alpha, method=method)

    @property
    def method(self) -> str:
        return "sign e-processes on the two per-seed slopes, in both orientations"

    @property
    def unit(self) -> str:
        return f"{self.outcome.label}, geometric mean of the two slopes, positive where they oppose"


class Alike(Asking, frozen=True, tag="alike"):
    """Two groups of arms move an outcome the same way on average, up or down.

    The first is compared with the baseline, the second with `second_base`: a baseline of its own,
    where its arms differ from the baseline in something else as well.
    """

    outcome: Outcome
    first: Group
    second: Group
    second_base: Treatment = BASELINE

    def arms(self) -> Iterator[Treatment]:
        return iter((BASELINE, self.second_base, *self.first, *self.second))

    @property
    def has_specific(self) -> bool:
        """Only against the baseline: the curves of the optimiser are through that."""
        return self.second_base.is_baseline and super().has_specific

    def answer(self, bench: Bench) -> Effects:
        first = bench.mean(self.outcome, self.first)
        return first, bench.mean(self.outcome, self.second, self.second_base)

    def judge(self, effects: Sequence[Effects], alpha: float, method: Method = "sign") -> Evidence:
        first, second = zip(*effects)
        return evidence.alike(first, second, alpha=alpha, method=method)

    @property
    def method(self) -> str:
        return "sign e-processes on the two groups' per-seed mean effects, in both orientations"

    @property
    def unit(self) -> str:
        return (
            f"{self.outcome.label}, geometric mean of the two effects, "
            "positive where they agree in sign"
        )


class SomewhereOpposed(Asking, frozen=True, tag="somewhere-opposed"):
    """Two groups of arms move at least one of several outcomes opposite ways on average."""

    measures: tuple[Outcome, ...]
    first: Group
    second: Group

    def arms(self) -> Iterator[Treatment]:
        return iter((BASELINE, *self.first, *self.second))

    def outcomes(self) -> Iterator[Outcome]:
        return iter(self.measures)

    def answer(self, bench: Bench) -> Effects:
        """The two groups' effects on the first outcome, on the second, ..."""
        return tuple(
            bench.mean(outcome, group)
            for outcome in self.measures
            for group in (self.first, self.second)
        )

    def judge(self, effects: Sequence[Effects], alpha: float, method: Method = "sign") -> Evidence:
        table = np.array(effects).T
        return evidence.somewhere_opposed(table[::2], table[1::2], alpha=alpha, method=method)

    def relying_on(self, outcomes: Collection[Outcome]) -> Self:
        kept = tuple(outcome for outcome in self.measures if outcome in outcomes)
        return msgspec.structs.replace(self, measures=kept) if kept else self

    def extremes(self, effects: Sequence[Effects]) -> Iterator[Effects]:
        table = np.array(effects)
        size = 1 + 10 * np.abs(table).max()
        # One group keeps the signs that it has had; the other agrees with all of them, or opposes.
        for way in np.where(np.median(table, axis=0) < 0, -1, 1).reshape(-1, 2).T:
            for sign in (1, -1):
                yield tuple((size * np.stack([way, sign * way], axis=1)).ravel().tolist())

    @property
    def method(self) -> str:
        return (
            "sign e-process on whether the two groups' per-seed mean effects oppose, "
            "on the outcome that did most so far"
        )

    @property
    def unit(self) -> str:
        return (
            "geometric mean of the two effects on the outcome that opposes most, "
            "positive where they oppose"
        )


class Resemblance(OneEffect, frozen=True, tag="resemblance"):
    """A group's effects on the spectrum are closer in direction to those of `like` than to those of
    `unlike`.

    Per seed: cos(group, like) - cos(group, unlike) of vectors of effects, one entry a metric, each
    metric divided by its root mean square over the three groups, averaged over the arms of a group.
    The group is compared with the baseline, `like` and `unlike` with `replicate`, another run of it
    at the same seed, whose noise enters both cosines.
    """

    metrics: tuple[Metric, ...]
    layers: Layers
    group: Group
    like: Group
    unlike: Group
    direction: int = RISES
    replicate: Treatment = NO_OP

    def arms(self) -> Iterator[Treatment]:
        return iter((BASELINE, self.replicate, *self.group, *self.like, *self.unlike))

    def outcomes(self) -> Iterator[Outcome]:
        return (Spectral(metric, self.layers) for metric in self.metrics)

    def vectors(self, bench: Bench) -> Array:
        """The standardised mean effects of the three groups, (3, metrics)."""
        sides = ((self.group, BASELINE), (self.like, self.replicate), (self.unlike, self.replicate))
        return standardised([bench.vector(self.outcomes(), *side) for side in sides])

    def answer(self, bench: Bench) -> Effects:
        group, like, unlike = self.vectors(bench)
        return (cosine(group, like) - cosine(group, unlike),)

    @property
    def method(self) -> str:
        return "sign e-process on per-seed differences of cosines"

    @property
    def unit(self) -> str:
        return f"cosine with {name_of(self.like)} minus cosine with {name_of(self.unlike)}"


class Agreement(OneEffect, frozen=True, tag="agreement"):
    """Two groups' effects on the spectrum point the same way: their cosine is positive.

    The vectors are those of Resemblance, but `like` is compared with `replicate`, another run of
    the baseline at the same seed, and not with the baseline that the group is compared with. One
    baseline would give both groups its noise, and so a positive cosine where neither does anything.
    """

    metrics: tuple[Metric, ...]
    layers: Layers
    group: Group
    like: Group
    replicate: Treatment
    direction: int = RISES

    def arms(self) -> Iterator[Treatment]:
        return iter((BASELINE, self.replicate, *self.group, *self.like))

    def outcomes(self) -> Iterator[Outcome]:
        return (Spectral(metric, self.layers) for metric in self.metrics)

    def vectors(self, bench: Bench) -> Array:
        """The standardised mean effects of the two groups, (2, metrics)."""
        sides = ((self.group, BASELINE), (self.like, self.replicate))
        return standardised([bench.vector(self.outcomes(), *side) for side in sides])

    def answer(self, bench: Bench) -> Effects:
        return (cosine(*self.vectors(bench)),)

    @property
    def method(self) -> str:
        return (
            "sign e-process on per-seed cosines, "
            "the two groups compared with two replicates of the baseline"
        )

    @property
    def unit(self) -> str:
        return "cosine of the two groups' effects"


class AsFar(Asking, frozen=True, tag="as-far"):
    """A group's effects on the spectrum are as large as those of a family of arms.

    Per seed: the length of the group's vector of mean effects lies between those of the family's
    arms, above the shortest and below the longest. A vector has one entry a metric, divided by the
    metric's root mean square over all vectors. Sizes are compared, not directions, so all effects
    are from one baseline, whose noise lengthens all vectors alike.
    """

    metrics: tuple[Metric, ...]
    layers: Layers
    group: Group
    family: Group
    direction: Literal[1] = RISES

    def arms(self) -> Iterator[Treatment]:
        return iter((BASELINE, *self.group, *self.family))

    def outcomes(self) -> Iterator[Outcome]:
        return (Spectral(metric, self.layers) for metric in self.metrics)

    def lengths(self, bench: Bench) -> Array:
        """The length of the group's vector, then of each arm of the family, (1 + arms,), at this
        seed.
        """
        vectors = standardised(
            [
                [bench.mean(outcome, arms) for outcome in self.outcomes()]
                for arms in (self.group, *((arm,) for arm in self.family))
            ]
        )
        lengths: Array = np.sqrt((vectors**2).mean(axis=1))
        return lengths

    def answer(self, bench: Bench) -> Effects:
        group, *family = self.lengths(bench).tolist()
        return group - min(family), max(family) - group

    def judge(self, effects: Sequence[Effects], alpha: float, method: Method = "sign") -> Evidence:
        return evidence.every(list(zip(*effects)), alpha=alpha, method=method)

    @property
    def method(self) -> str:
        return (
            "sign e-process on the per-seed distances from both ends of the family's range; "
            "the weaker decides"
        )

    @property
    def unit(self) -> str:
        return (
            "standardised length of the effect, distance from the closer end of the family's "
            "range, positive inside"
        )


def name_of(arms: Sequence[Treatment]) -> str:
    """What a group of arms is called: the family of its treatments, such as "weight decay"."""
    return " and ".join(dict.fromkeys(arm.group for arm in arms))


def standardised(effects: Sequence[Sequence[float]]) -> Array:
    """Effects (groups, metrics), each metric divided by its root mean square over the groups (by 1
    where that is 0).
    """
    raw: Array = np.array(effects)
    scale = np.sqrt((raw**2).mean(axis=0))
    return raw / np.where(scale > 0, scale, 1.0)


def cosine(a: Array, b: Array) -> float:
    """The cosine of two vectors; 0 where one of them is zero, since it then points nowhere."""
    norms = np.linalg.norm(a) * np.linalg.norm(b)
    return float(a @ b / norms) if norms else 0.0
