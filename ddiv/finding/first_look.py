"""A first look at a study: whether its baseline learns, and at which doses its arms still do.

Arms that hardly fit their training set show the effects of not learning, whatever they are an arm
of. So before hundreds of trials are trained, a few are: the baseline, longer where it does not
learn, and the largest dose of each kind, smaller where that is too much. On a seed that no claim
uses: what is chosen here is chosen before any verdict.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import msgspec

from ddiv.finding.caveats import hardly_trained
from ddiv.study import Study
from ddiv.study.optimisation import FIRST_CALIBRATION
from ddiv.treatment import BASELINE, Treatment
from ddiv.trial import Trial, trial
from ddiv.trial.store import Record

# A seed of the optimisation controls, which are judged before any arm is.
SEED = FIRST_CALIBRATION

# What share of its training set a baseline is to fit, and how many times the epochs are tried.
FITS, LONGER = 0.9, (1, 2, 4)

# By the field of a study that has doses, the largest first: how an arm of a dose is made.
Arms = Callable[[Study], list[tuple[float, Treatment]]]
LADDERS: dict[str, Arms] = {
    "dropout_rates": lambda study: [*study.dropout()][:0:-1],
    "decays": lambda study: [*study.decay()][:0:-1],
}

Obtain = Callable[[Trial], Record]


class Seen(NamedTuple):
    """One arm as it was trained: its share of right answers on the clean training set, and whether
    it hardly fits that beside the baseline. `dose`: None for an arm without one.
    """

    field: str
    dose: float | None
    label: str
    accuracy: float
    hardly: bool


class Look(NamedTuple):
    """What a first look saw: the epochs of the recipe and those that are suggested (the same where
    they do), the baseline's accuracy at each that was tried, chance, and the arms at the suggested
    epochs.
    """

    study: str
    epochs: int
    suggested: int
    baseline: dict[int, float]
    chance: float
    arms: tuple[Seen, ...]


def look(study: Study, obtain: Obtain) -> Look:
    """Train a study's baseline and largest doses on one seed, and see which of them learn.

    Of each kind of dose the largest, then smaller ones until one fits; each augmentation once.
    """
    assert study.recipe is not None
    baseline: dict[int, float] = {}
    chance, tried = 0.0, study
    for times in LONGER:
        tried = _longer(study, times)
        record = obtain(trial(tried, BASELINE, SEED))
        chance = 1 / int(record.facts["classes"])
        epochs = study.recipe.epochs * times
        baseline[epochs] = _accuracy(record)
        if baseline[epochs] >= FITS:
            break
    best = max(baseline, key=lambda epochs: (min(baseline[epochs], FITS), -epochs))
    tried = _longer(study, best // study.recipe.epochs)

    def seen(field: str, dose: float | None, arm: Treatment) -> Seen:
        accuracy = _accuracy(obtain(trial(tried, arm, SEED)))
        hardly = arm in hardly_trained({BASELINE: baseline[best], arm: accuracy}, chance)
        return Seen(field, dose, arm.label, accuracy, hardly)

    arms: list[Seen] = []
    for field, arms_of in LADDERS.items():
        for dose, arm in arms_of(tried):
            arms.append(seen(field, dose, arm))
            if not arms[-1].hardly:
                break
    arms += [seen("augmentations", None, tried.augmentation(name)) for name in study.augmentations]
    return Look(study.name, study.recipe.epochs, best, baseline, chance, tuple(arms))


def _longer(study: Study, times: int) -> Study:
    assert study.recipe is not None
    recipe = msgspec.structs.replace(
        study.recipe, epochs=study.recipe.epochs * times, checkpoints=()
    )
    return msgspec.structs.replace(study, recipe=recipe)


def _accuracy(record: Record) -> float:
    return float(record.facts["clean"]["accuracy"])


def lines(seen: Look, study: Study) -> Iterator[str]:
    """What a look saw, in words, and the lines of the study's file that it suggests."""
    yield f"{seen.study}: chance is {seen.chance:.0%}; of the training set fit, on one seed:"
    for epochs, accuracy in seen.baseline.items():
        yield f"  {accuracy:4.0%}  the baseline, {epochs} epochs"
    for arm in seen.arms:
        yield f"  {arm.accuracy:4.0%}  {arm.label}{': hardly trained' * arm.hardly}"
    yield from _suggestions(seen, study)


def _suggestions(seen: Look, study: Study) -> Iterator[str]:
    fits = seen.baseline[seen.suggested]
    changes = False
    if fits < FITS:
        changes = True
        yield (
            f"Even in {max(seen.baseline)} epochs the baseline fits {fits:.0%}: try another "
            "learning rate (`lr`, times 3 and by 3), or more examples of a class"
        )
    if seen.suggested != seen.epochs:
        changes = True
        yield f"Suggested: epochs = {seen.suggested}"
    for field in LADDERS:
        tried = [arm for arm in seen.arms if arm.field == field]
        hard = {arm.dose for arm in tried if arm.hardly}
        if not hard:
            continue
        changes = True
        kept = [dose for dose in getattr(study, field) if dose not in hard]
        if len(kept) < 2:  # a ladder has two doses or more
            top = kept[0] if kept else min(getattr(study, field)) / 2
            kept = [top / 2, top]
        yield f"Suggested: {field} = ({', '.join(f'{dose:g}' for dose in kept)})"
    names = [arm.label for arm in seen.arms if arm.field == "augmentations" and arm.hardly]
    if names:
        changes = True
        yield f"Suggested: leave out of `augmentations` {', '.join(names)}, or train longer"
    if not changes:
        yield "Nothing to change: the baseline learns, and the largest doses still fit"
