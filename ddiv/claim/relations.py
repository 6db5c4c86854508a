"""Questions about relations over many arms: two outcomes correlate, one tracks a third better, one
tells groups apart.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

import numpy as np

from ddiv import evidence
from ddiv.claim.bench import Bench, Effects, Measured, TooFewArms
from ddiv.claim.question import OneEffect
from ddiv.evidence import RISES, Evidence
from ddiv.treatment import Treatment

Kind = Literal["spearman", "pearson"]


class _OfStates(OneEffect, frozen=True):
    """Read off each arm's own state; nothing is compared with the baseline, so there is no fit to
    match.
    """

    @property
    def fit_matters(self) -> bool:
        return False


class _OverArms(_OfStates, frozen=True):
    """A relation of outcomes over all arms in the field `treatments`."""

    def __post_init__(self):
        if len(self.treatments) < 3:
            raise TooFewArms(f"a correlation needs 3 arms or more, got {len(self.treatments)}")

    def arms(self) -> Iterator[Treatment]:
        return iter(self.treatments)


class Correlation(_OverArms, frozen=True, tag="correlation"):
    """Over arms, two outcomes are correlated more (less) than `bar`, seed by seed.

    A seed at which one of them is the same in all arms has no correlation, which counts as no
    effect.
    """

    first: Measured
    second: Measured
    treatments: tuple[Treatment, ...]
    bar: float
    direction: int = RISES
    kind: Kind = "spearman"

    def outcomes(self) -> Iterator[Measured]:
        return iter((self.first, self.second))

    def points(self, bench: Bench) -> np.ndarray:
        """The two outcomes of each arm at this seed, (2, arms)."""
        return values(bench, (self.first, self.second), self.treatments)

    def answer(self, bench: Bench) -> Effects:
        first, second = self.points(bench)
        found = correlation(first, second, self.kind)
        return (0.0 if found is None else found - self.bar,)

    @property
    def method(self) -> str:
        named = f"{self.kind.capitalize()} correlations over {len(self.treatments)} arms"
        return f"sign e-process on per-seed {named}, less the bar"

    @property
    def unit(self) -> str:
        return f"correlation of {self.first.label} and {self.second.label}, minus {self.bar:g}"


class TracksBetter(_OverArms, frozen=True, tag="tracks-better"):
    """Over arms, `outcome` is correlated with `target`, and more than `rival` is, seed by seed.

    Both must hold: one that hardly follows the target doesn't track it by being less far from it
    than another. A seed at which one of the three is the same in all arms counts as no effect.
    """

    outcome: Measured
    rival: Measured
    target: Measured
    treatments: tuple[Treatment, ...]
    kind: Kind = "spearman"

    def outcomes(self) -> Iterator[Measured]:
        return iter((self.outcome, self.rival, self.target))

    def answer(self, bench: Bench) -> Effects:
        one, other, target = values(bench, self.outcomes(), self.treatments)
        own, its = (correlation(score, target, self.kind) for score in (one, other))
        return (0.0, 0.0) if own is None or its is None else (own, own - its)

    def judge(self, effects: Sequence[Effects], alpha: float) -> Evidence:
        return evidence.every(list(zip(*effects)), alpha=alpha)

    @property
    def direction(self) -> int:
        """Of both comparisons, which are positive as the claim has them."""
        return RISES

    @property
    def method(self) -> str:
        named = f"{self.kind.capitalize()} correlations over {len(self.treatments)} arms"
        return f"sign e-process on per-seed {named}, and on the same less those of the {self.rival.label}; both must hold"

    @property
    def unit(self) -> str:
        return (
            f"correlation of {self.outcome.label} and {self.target.label}, or that minus the one of {self.rival.label} "
            "(the weaker)"
        )


class Separated(_OfStates, frozen=True, tag="separated"):
    """An outcome tells two groups of arms apart: whichever lies higher, a pair of one of each is in
    that order at a share of pairs above `bar`, seed by seed.

    The share is the area under the ROC curve, U / (n m) of Mann and Whitney (1947), ties counting a
    half; of it and its complement the larger. A seed at which the outcome is the same in all arms
    counts as no effect.
    """

    outcome: Measured
    first: tuple[Treatment, ...]
    second: tuple[Treatment, ...]
    bar: float
    direction: int = RISES

    def __post_init__(self):
        if not self.first or not self.second or not 0.5 <= self.bar < 1:
            raise ValueError(
                f"two groups of arms and a bar in [.5, 1) are needed, got {len(self.first)} and {len(self.second)} "
                f"arms, {self.bar:g}"
            )

    def arms(self) -> Iterator[Treatment]:
        return iter((*self.first, *self.second))

    def answer(self, bench: Bench) -> Effects:
        one, other = (
            np.array([bench.value(self.outcome, arm) for arm in group])
            for group in (self.first, self.second)
        )
        if not np.ptp([*one, *other]):
            return (0.0,)
        higher = float(np.mean((np.sign(one[:, None] - other) + 1) / 2))
        return (max(higher, 1 - higher) - self.bar,)

    @property
    def method(self) -> str:
        return f"sign e-process on the per-seed share of {len(self.first)} x {len(self.second)} pairs in one order, less the bar"

    @property
    def unit(self) -> str:
        return f"share of pairs that {self.outcome.label} puts in one order, minus {self.bar:g}"


def values(
    bench: Bench, outcomes: Iterator[Measured] | Sequence[Measured], arms: Sequence[Treatment]
) -> np.ndarray:
    """Each outcome of each arm at this seed, (outcomes, arms)."""
    return np.array([[bench.value(outcome, arm) for arm in arms] for outcome in outcomes])


def correlation(first: np.ndarray, second: np.ndarray, kind: Kind) -> float | None:
    """Spearman's or Pearson's correlation of (n,) and (n,); None where one of them is the same
    throughout.
    """
    if not np.ptp(first) or not np.ptp(second):
        return None
    correlations = (
        evidence.rank_correlations if kind == "spearman" else evidence.linear_correlations
    )
    return float(correlations(first[None], second[None])[0])
