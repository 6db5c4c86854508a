"""Claims and the questions that put them to a study.

A `Claim` is what a paper says. A `Question` is how one study is asked about it: which arms, which
outcome, which direction. Questions are frozen values without results, so the trials that they need
are known before anything is trained, and `ddiv report` can answer them again from the store.

- ``bench``: a claim; one seed's arms, which questions are answered from;
- ``question``: what every question can do;
- ``simple``: those that a seed answers with one number (a slope, a difference, a change, a bound);
- ``groups``: groups of arms beside each other (alike, opposed, as far);
- ``relations``: over many arms (a correlation, a closer one, groups told apart);
- ``shapes``: many arms at once (the largest, a peak, a threshold), and several questions at once.
"""

from __future__ import annotations

from collections.abc import Iterator

from ddiv.claim.bench import (
    Bench,
    Claim,
    Effects,
    Ladder,
    Measured,
    NotApplicable,
    OfData,
    Unmatched,
)
from ddiv.claim.groups import (
    Agreement,
    Alike,
    AsFar,
    Opposite,
    Resemblance,
    SomewhereOpposed,
    cosine,
)
from ddiv.claim.question import Asking, Derived, OneEffect
from ddiv.claim.relations import Correlation, Separated, TracksBetter
from ddiv.claim.shapes import All, Largest, Mixing, RiseThenFall
from ddiv.claim.simple import Change, Contrast, Further, NoWorse, Threshold, Trend
from ddiv.outcome import Score, Vendi
from ddiv.span import Outside
from ddiv.study import Study
from ddiv.treatment import Augmentation, Classes, Synthetic, Treatment
from ddiv.trial import Job, View, trial

__all__ = [
    "Agreement",
    "Alike",
    "All",
    "AsFar",
    "Asking",
    "Bench",
    "Change",
    "Claim",
    "Contrast",
    "Correlation",
    "Derived",
    "Effects",
    "Further",
    "Ladder",
    "Largest",
    "Measured",
    "Mixing",
    "NoWorse",
    "NotApplicable",
    "OfData",
    "OneEffect",
    "Opposite",
    "Question",
    "Resemblance",
    "RiseThenFall",
    "Separated",
    "SomewhereOpposed",
    "Threshold",
    "TracksBetter",
    "Trend",
    "Unmatched",
    "cosine",
    "jobs",
    "view",
]

Question = (
    Trend
    | Contrast
    | NoWorse
    | Change
    | Threshold
    | Further
    | Opposite
    | Alike
    | SomewhereOpposed
    | Resemblance
    | Agreement
    | AsFar
    | Largest
    | RiseThenFall
    | Correlation
    | TracksBetter
    | Separated
    | Mixing
    | All
)


def jobs(question: Question, study: Study, seeds: tuple[int, ...]) -> list[Job]:
    """What must be measured to answer a question: trials, and views where the diversity of data is
    asked for.

    Raises NotApplicable where the study has not what the question asks for.
    """
    for outcome in question.outcomes():
        if isinstance(outcome, Score) and outcome.where == "ood" and not study.ood_domains:
            raise NotApplicable(f"{study.name} has no out-of-distribution domain")
        if isinstance(outcome, Vendi | Outside) and outcome.space not in study.spaces:
            raise NotApplicable(f"the data of {study.name} has no {outcome.space}s")
        if isinstance(outcome, OfData) and outcome.embedder >= len(study.embedders):
            raise NotApplicable(
                f"{study.name} has no {'second ' * bool(outcome.embedder)}embedder (see its `embedders`)"
            )
        if isinstance(outcome, OfData) and not study.view_size:
            raise NotApplicable(
                f"{study.name} has no `view_size`, the number of examples on which diversity is scored"
            )
    return list(
        dict.fromkeys(
            job
            for seed in seeds
            for part in question.parts()
            for job in _of_seed(part, study, seed)
        )
    )


def _of_seed(question: Asking, study: Study, seed: int) -> Iterator[Job]:
    outcomes = list(question.outcomes())
    embedders = dict.fromkeys(
        outcome.embedder for outcome in outcomes if isinstance(outcome, OfData)
    )
    trained = not all(isinstance(outcome, OfData) for outcome in outcomes)
    for arm in dict.fromkeys(question.arms()):
        yield from (view(study, arm, seed, embedder) for embedder in embedders)
        if trained:
            yield trial(study, arm, seed)


def view(study: Study, arm: Treatment, seed: int, embedder: int = 0) -> View:
    """The training set as an arm shows it.

    Without data that is drawn no seed changes it, so there is one view.

    `embedder` counts the study's embedders. Raises IndexError where it has fewer.
    """
    drawn = Treatment.of(*filter(None, map(arm.part, (Augmentation, Synthetic, Classes))))
    size = study.class_view_size if arm.part(Classes) and study.class_view_size else study.view_size
    return View(
        study.data,
        drawn,
        study.embedders[embedder],
        size,
        0 if drawn.is_baseline else arm.seed(seed),
    )
