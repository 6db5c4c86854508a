"""Claims and the questions that put them to a study.

A `Claim` is what a paper says. A `Question` is how one study is asked about it: which arms, which outcome,
which direction. Questions are frozen values without results, so the trials that they need are known before
anything is trained, and `ddiv report` can answer them again from the store.

- ``bench``: a claim; one seed's arms, which questions are answered from;
- ``question``: what every question can do;
- ``simple``: those that a seed answers with one number (a slope, a difference, a change, a bound);
- ``groups``: groups of arms beside each other (alike, opposed, as far);
- ``shapes``: many arms at once (the largest, a peak, a threshold, a correlation), and several questions at once.
"""

from __future__ import annotations

from collections.abc import Iterator

from ddiv.claim.bench import Bench, Claim, Effects, Ladder, Measured, NotApplicable, OfData, Unmatched
from ddiv.claim.groups import Agreement, Alike, AsFar, Opposite, Resemblance, SomewhereOpposed, cosine
from ddiv.claim.question import Asking, Derived, OneEffect
from ddiv.claim.shapes import All, Correlation, Largest, Mixing, RiseThenFall
from ddiv.claim.simple import Change, Contrast, Further, NoWorse, Threshold, Trend
from ddiv.outcome import Score
from ddiv.study import Clip, Digits, Study
from ddiv.treatment import Augmentation, Classes, Synthetic, Treatment
from ddiv.trial import Job, View, trial

__all__ = ["Agreement", "Alike", "All", "AsFar", "Asking", "Bench", "Change", "Claim", "Contrast", "Correlation", "Derived",
           "Effects", "Further", "Ladder", "Largest", "Measured", "Mixing", "NoWorse", "NotApplicable", "OfData",
           "OneEffect", "Opposite", "Question", "Resemblance", "RiseThenFall", "SomewhereOpposed", "Threshold", "Trend",
           "Unmatched", "class_view_size", "cosine", "jobs", "view"]

Question = (Trend | Contrast | NoWorse | Change | Threshold | Further | Opposite | Alike | SomewhereOpposed | Resemblance
            | Agreement | AsFar | Largest | RiseThenFall | Correlation | Mixing | All)


def jobs(question: Question, study: Study, embedder: Clip, seeds: tuple[int, ...]) -> list[Job]:
    """What must be measured to answer a question: trials, and views where the diversity of data is asked for.

    Raises NotApplicable where the study has not what the question asks for.
    """
    for outcome in question.outcomes():
        if isinstance(outcome, Score) and outcome.where == "ood" and not study.ood_domains:
            raise NotApplicable(f"{study.name} has no out-of-distribution domain")
    return list(dict.fromkeys(job for seed in seeds for part in question.parts()
                              for job in _of_seed(part, study, embedder, seed)))


def _of_seed(question: Asking, study: Study, embedder: Clip, seed: int) -> Iterator[Job]:
    of_data = [isinstance(outcome, OfData) for outcome in question.outcomes()]
    for arm in dict.fromkeys(question.arms()):
        if any(of_data):
            yield view(study, arm, embedder, seed)
        if not all(of_data):
            yield trial(study, arm, seed)


def view(study: Study, arm: Treatment, embedder: Clip, seed: int) -> View:
    """The training set as an arm shows it. Without data that is drawn no seed changes it, so there is one view."""
    drawn = Treatment.of(*filter(None, map(arm.part, (Augmentation, Synthetic, Classes))))
    size = class_view_size(study) if arm.part(Classes) else study.view_size
    return View(study.data, drawn, embedder, size, 0 if drawn.is_baseline else arm.seed(seed))


def class_view_size(study: Study) -> int:
    """The number of images in views of few classes, equal for all counts: what the fewest of them have, at most a view's.

    The image world draws as many of a class as are asked for. The digits' ten classes are split at random, so three
    quarters of their mean size are asked for; a class that has fewer is an error (`views.of_classes`).
    """
    if not isinstance(study.data, Digits):
        return study.view_size
    return min(study.view_size, int(0.75 * study.data.train / 10 * min(study.class_counts)))
