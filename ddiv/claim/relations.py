"""Questions about relations over many arms: an outcome correlates with another, ranks the arms
otherwise than that, tracks a third better, or tells groups of arms apart.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Literal

import numpy as np

from ddiv import evidence
from ddiv.claim.bench import Bench, Effects, TooFewArms
from ddiv.claim.question import Derived, OneEffect
from ddiv.common.arrays import Array
from ddiv.evidence import RISES, Evidence, Method
from ddiv.outcome import Outcome
from ddiv.treatment import Treatment

Kind = Literal["spearman", "pearson"]


class _OfStates(OneEffect, frozen=True):
    """Read off each arm's own state, which is not compared with the baseline: so there is no
    specific verdict.
    """

    @property
    def has_specific(self) -> bool:
        return False


class _OverArms(_OfStates, frozen=True):
    """A relation of outcomes over all arms in the field `treatments`."""

    @property
    def treatments(self) -> tuple[Treatment, ...]:
        """The arms; a field of every relation."""
        raise NotImplementedError

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.treatments) < 3:
            raise TooFewArms(f"a correlation needs 3 arms or more, got {len(self.treatments)}")

    def arms(self) -> Iterator[Treatment]:
        return iter(self.treatments)


class Correlation(_OverArms, frozen=True, tag="correlation"):
    """Over arms, two outcomes are correlated more (less) than `bar`, seed by seed.

    A seed counts as no effect where one of them is the same in all arms, or has no value in one:
    there is no correlation.
    """

    first: Outcome
    second: Outcome
    treatments: tuple[Treatment, ...]
    bar: float
    direction: int = RISES
    kind: Kind = "spearman"

    def outcomes(self) -> Iterator[Outcome]:
        return iter((self.first, self.second))

    def points(self, bench: Bench) -> Array:
        """The two outcomes of each arm at this seed, (2, arms)."""
        return values(bench, (self.first, self.second), self.treatments)

    def answer(self, bench: Bench) -> Effects:
        first, second = self.points(bench)
        correlated = correlation(first, second, self.kind)
        return (0.0 if correlated is None else correlated - self.bar,)

    def derived(self, effects: Sequence[Effects]) -> tuple[Derived, ...]:
        """The correlation itself, which tells a strong one of the other sign from none.

        An effect of exactly 0 is that of a seed without a correlation.
        """
        known = [effect + self.bar for (effect,) in effects if effect]
        name = f"{self.kind.capitalize()} correlation, mean over seeds"
        return (Derived(name, *evidence.mean_of_seeds(known)),) if known else ()

    @property
    def method(self) -> str:
        correlations = f"{self.kind.capitalize()} correlations over {len(self.treatments)} arms"
        return f"sign e-process on per-seed {correlations}, less the bar"

    @property
    def unit(self) -> str:
        return f"correlation of {self.first.label} and {self.second.label}, minus {self.bar:g}"


class MoreCorrelated(_OfStates, frozen=True, tag="more-correlated"):
    """Two outcomes are correlated more (less) over some arms than over others, seed by seed.

    A seed at which one of them is the same in all arms of a group counts as no effect.
    """

    first: Outcome
    second: Outcome
    treatments: tuple[Treatment, ...]
    others: tuple[Treatment, ...]
    direction: int = RISES
    kind: Kind = "spearman"

    def __post_init__(self) -> None:
        super().__post_init__()
        if (fewest := min(len(self.treatments), len(self.others))) < 3:
            raise TooFewArms(f"a correlation needs 3 arms or more, got {fewest}")

    def arms(self) -> Iterator[Treatment]:
        return iter((*self.treatments, *self.others))

    def outcomes(self) -> Iterator[Outcome]:
        return iter((self.first, self.second))

    def answer(self, bench: Bench) -> Effects:
        def over(arms: tuple[Treatment, ...]) -> float | None:
            first, second = values(bench, self.outcomes(), arms)
            return correlation(first, second, self.kind)

        ours, theirs = over(self.treatments), over(self.others)
        return (0.0 if ours is None or theirs is None else ours - theirs,)

    @property
    def method(self) -> str:
        return (
            f"sign e-process on per-seed {self.kind.capitalize()} correlations over "
            f"{len(self.treatments)} arms, less those over {len(self.others)} others"
        )

    @property
    def unit(self) -> str:
        return (
            f"correlation of {self.first.label} and {self.second.label}, minus that over other arms"
        )


class Disagreement(_OverArms, frozen=True, tag="disagreement"):
    """Two outcomes rank arms otherwise than they would by chance alone: their rank correlation is
    below that of either with itself on another draw of the same arms, seed by seed.

    `again` are the arms drawn anew, in the order of `treatments`. Per seed: the smaller of the two
    correlations of an outcome with itself, less the mean of the two of one outcome with the other,
    each over the two draws. If both measured one ranking, each with its noise, that would be
    positive at half of the seeds at most. A seed at which one of them is the same in all arms
    counts as no effect.
    """

    first: Outcome
    second: Outcome
    treatments: tuple[Treatment, ...]
    again: tuple[Treatment, ...]
    direction: int = RISES

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.again) != len(self.treatments):
            raise ValueError(
                "an arm drawn anew is needed for each of the arms, got "
                f"{len(self.again)} for {len(self.treatments)}"
            )

    def arms(self) -> Iterator[Treatment]:
        return iter((*self.treatments, *self.again))

    def outcomes(self) -> Iterator[Outcome]:
        return iter((self.first, self.second))

    def answer(self, bench: Bench) -> Effects:
        one, other = (
            values(bench, self.outcomes(), arms) for arms in (self.treatments, self.again)
        )
        if not all(np.ptp(row) for row in (*one, *other)):
            return (0.0,)
        itself = evidence.rank_correlations(one, other)
        across = evidence.rank_correlations(one, other[::-1])
        return (round(float(itself.min() - across.mean()), 12),)

    @property
    def method(self) -> str:
        return (
            f"sign e-process on per-seed Spearman correlations over {len(self.treatments)} arms: "
            "of each outcome with itself on another draw (the smaller), less that of the two"
        )

    @property
    def unit(self) -> str:
        return (
            f"correlation of {self.first.label} or {self.second.label} with itself, minus that of "
            "the two"
        )


class TracksBetter(_OverArms, frozen=True, tag="tracks-better"):
    """Over arms, `outcome` is correlated with `target`, and more than `rival` is, seed by seed.

    Both must hold: an outcome that hardly follows the target does not track it, even if another
    follows it less. A seed at which one of the three is the same in all arms counts as no effect.
    """

    outcome: Outcome
    rival: Outcome
    target: Outcome
    treatments: tuple[Treatment, ...]
    kind: Kind = "spearman"

    def outcomes(self) -> Iterator[Outcome]:
        return iter((self.outcome, self.rival, self.target))

    def answer(self, bench: Bench) -> Effects:
        outcome, rival, target = values(bench, self.outcomes(), self.treatments)
        ours = correlation(outcome, target, self.kind)
        theirs = correlation(rival, target, self.kind)
        return (0.0, 0.0) if ours is None or theirs is None else (ours, ours - theirs)

    def judge(self, effects: Sequence[Effects], alpha: float, method: Method = "sign") -> Evidence:
        return evidence.every(list(zip(*effects)), alpha=alpha, method=method)

    @property
    def method(self) -> str:
        correlations = f"{self.kind.capitalize()} correlations over {len(self.treatments)} arms"
        return (
            f"sign e-process on per-seed {correlations}, "
            f"and on the same less those of the {self.rival.label}; both must hold"
        )

    @property
    def unit(self) -> str:
        return (
            f"correlation of {self.outcome.label} and {self.target.label}, "
            f"or that minus the one of {self.rival.label} (the weaker)"
        )


class Separated(_OfStates, frozen=True, tag="separated"):
    """An outcome tells two groups of arms apart: it puts a share of pairs above `bar` in one order,
    seed by seed.

    A pair is an arm of each group. The share of pairs in which the first group's arm lies higher is
    the area under the ROC curve, U / (n m) of Mann and Whitney (1947), ties counting a half. Either
    group may be the higher one, so the larger of that share and its complement is taken. A seed at
    which the outcome is the same in all arms counts as no effect.
    """

    outcome: Outcome
    first: tuple[Treatment, ...]
    second: tuple[Treatment, ...]
    bar: float
    direction: int = RISES

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.first or not self.second or not 0.5 <= self.bar < 1:
            raise ValueError(
                "two groups of arms and a bar in [.5, 1) are needed, got "
                f"{len(self.first)} and {len(self.second)} arms, {self.bar:g}"
            )

    def arms(self) -> Iterator[Treatment]:
        return iter((*self.first, *self.second))

    def answer(self, bench: Bench) -> Effects:
        first, second = (
            np.array([bench.value(self.outcome, arm) for arm in group])
            for group in (self.first, self.second)
        )
        if not np.ptp([*first, *second]):
            return (0.0,)
        higher = float(np.mean((np.sign(first[:, None] - second) + 1) / 2))
        return (max(higher, 1 - higher) - self.bar,)

    @property
    def method(self) -> str:
        pairs = f"{len(self.first)} x {len(self.second)} pairs"
        return f"sign e-process on the per-seed share of {pairs} in one order, less the bar"

    @property
    def unit(self) -> str:
        return f"share of pairs that {self.outcome.label} puts in one order, minus {self.bar:g}"


def values(bench: Bench, outcomes: Iterable[Outcome], arms: Sequence[Treatment]) -> Array:
    """Each outcome of each arm at this seed, (outcomes, arms)."""
    return np.array([[bench.value(outcome, arm) for arm in arms] for outcome in outcomes])


def correlation(first: Array, second: Array, kind: Kind) -> float | None:
    """Spearman's or Pearson's correlation of (n,) and (n,).

    None where one of them is constant, or lacks a value (an exponent of two eigenvalues, say).
    """
    if not all(np.isfinite(each).all() and np.ptp(each) for each in (first, second)):
        return None
    correlations = (
        evidence.rank_correlations if kind == "spearman" else evidence.linear_correlations
    )
    return float(correlations(first[None], second[None])[0])
