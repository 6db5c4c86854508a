"""Caveats of a finding, in sentences."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from statistics import mean
from typing import NamedTuple

import numpy as np

from ddiv.claim import Effects, Question
from ddiv.claim.tabled import goes_together, left_out, shares_baseline
from ddiv.outcome import Outcome, Score, Snapshot
from ddiv.study import Study
from ddiv.treatment import BASELINE, Treatment
from ddiv.trial.truncation import LEAST_ABOVE_CHANCE

# A verdict on a fitted metric needs at least half of the fits behind it (over layers, arms and
# seeds) to be reliable.
RELIABLE_SHARE = 0.5

# A calibration error decides where at most this share of the baseline's is what a calibrated
# network would show too.
FLOOR_SHARE = 0.5

# An arm has hardly been trained if it fits less than this share of what the baseline fits, both
# above chance.
TRAINED_SHARE = 0.5


def hardly_trained(accuracies: Mapping[Treatment, float], chance: float) -> list[Treatment]:
    """The arms with less than `TRAINED_SHARE` of the baseline's accuracy, both above chance.

    It is the baseline itself where that is less than `LEAST_ABOVE_CHANCE` above chance.
    `accuracies` are those on the clean training set, means over seeds, the baseline's among them.
    """
    base = accuracies[BASELINE] - chance
    if base < LEAST_ABOVE_CHANCE:
        return [BASELINE]
    return [arm for arm, accuracy in accuracies.items() if accuracy - chance < TRAINED_SHARE * base]


def of_training(arms: Sequence[Treatment], accuracies: Mapping[Treatment, float]) -> Iterator[str]:
    """A sentence on arms that are `hardly_trained`."""
    if arms == [BASELINE]:
        yield (
            f"The baseline fits {accuracies[BASELINE]:.0%} of its training set, hardly more than "
            "chance: train longer or with another learning rate, as networks that learned nothing "
            "show nothing."
        )
    elif arms:
        least = sorted(arms, key=accuracies.__getitem__)
        worst = ", ".join(f"{arm.label} {accuracies[arm]:.0%}" for arm in least[:3])
        further = ", ..." * (len(least) > 3)
        yield (
            f"Arms hardly fit their training set ({worst}{further}; the baseline "
            f"{accuracies[BASELINE]:.0%}): their effects may be those of not learning. Lower their "
            "doses or train longer."
        )


def of_fits(shares: Mapping[Outcome, float], deciding: Collection[Outcome] = ()) -> Iterator[str]:
    """A sentence for every outcome with fits that cannot be relied on.

    The outcomes in `deciding` have a part in the verdict.
    """
    for outcome, share in shares.items():
        if share >= 1:
            continue
        reliable = (
            f"{share:.0%} of the fits behind {outcome.label} can be relied on "
            "(all layers, arms and seeds)"
        )
        if share >= RELIABLE_SHARE:
            yield f"{reliable}."
        elif outcome in deciding:
            yield f"Only {reliable}; it is one of several outcomes that decide here."
        else:
            yield f"Only {reliable}, so it decides nothing here."


def of_tables(question: Question, study: Study) -> Iterator[str]:
    """Sentences on what published tables cannot separate, and on the sets that are left out."""
    if not study.fixed_sample:
        return
    if shares_baseline(question):
        yield (
            "Each published study has one baseline, which stands for both of the replicates that "
            "directions are measured from: its noise enters both and makes arms agree that do "
            "nothing."
        )
    if goes_together(question):
        yield (
            "Both effects are measured from a study's one baseline, so they go the same way by its "
            "noise alone. p is that of each going its own way in the studies, not of their "
            "agreement."
        )
    if out := left_out(question, study):
        reasons: dict[str, list[str]] = {}
        for label, reason in out.items():
            reasons.setdefault(reason, []).append(label)
        told = "; ".join(f"{', '.join(labels)} ({why})" for why, labels in reasons.items())
        yield f"Left out: {told}."


class Floor(NamedTuple):
    """The baseline's calibration error, and what a calibrated network as sure as the baseline would
    show on as many samples, means over seeds.
    """

    floor: float
    error: float

    @property
    def hides(self) -> bool:
        """Whether the error is too near to the floor to decide anything."""
        return self.floor > FLOOR_SHARE * self.error


def floors(outcomes: Iterable[Outcome], baselines: Sequence[Snapshot]) -> dict[Outcome, Floor]:
    """By outcome that is a binned calibration error, its floor; `baselines` are the states of the
    baseline, seed by seed.
    """

    def over_seeds(kind: str, where: str) -> float:
        return mean(state.scores[f"{kind}/{where}"] for state in baselines)

    return {
        outcome: Floor(
            over_seeds("ece_floor", outcome.where), over_seeds(outcome.kind, outcome.where)
        )
        for outcome in outcomes
        if isinstance(outcome, Score) and outcome.kind in ("ece", "ece_mass")
    }


def of_floors(found: Mapping[Outcome, Floor], deciding: Collection[Outcome] = ()) -> Iterator[str]:
    """A sentence for every calibration error, on what of it is sampling.

    The outcomes in `deciding` have a part in the verdict.
    """
    for outcome, floor in found.items():
        shown = (
            f"The baseline's {outcome.label} is {floor.error:.3f}; a calibrated network as sure as "
            f"it would show {floor.floor:.3f} on as many test samples"
        )
        if not floor.hides:
            yield f"{shown}."
        elif outcome in deciding:
            yield f"{shown}, more than half of it; it is one of several outcomes that decide here."
        else:
            yield f"{shown}, more than half of it, so it decides nothing here."


def of_tails(sizes: Mapping[str, float]) -> Iterator[str]:
    """A sentence, for each part of the network, on the share of directions that were removed."""
    for part, size in sizes.items():
        where = "all matrices" if part == "all" else f"the {part}"
        yield (
            f"The tail is {size:.0%} of the singular directions of {where}, where one is found "
            "(mean over seeds)."
        )


def of_gaps(answers: Sequence[Effects]) -> Iterator[str]:
    """A sentence where the outcome had no value at some seeds."""
    gaps = sum(any(map(np.isnan, effects)) for effects in answers)
    if gaps:
        yield (
            f"At {gaps} of {len(answers)} seeds the outcome has no value in any layer, which "
            "counts as no effect."
        )
