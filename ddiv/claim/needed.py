"""What a question needs: the trials and views that its answer rests on."""

from __future__ import annotations

from collections.abc import Iterator

from ddiv.claim.bench import NotApplicable, OfData
from ddiv.claim.curves import Largest, Mixing, RiseThenFall
from ddiv.claim.groups import Agreement, Alike, AsFar, Opposite, Resemblance, SomewhereOpposed
from ddiv.claim.question import Asking
from ddiv.claim.relations import Correlation, Separated, TracksBetter
from ddiv.claim.several import All
from ddiv.claim.simple import Change, Contrast, Further, NoWorse, Threshold, Trend
from ddiv.outcome import OutputsOutcome, Outside, Score, Vendi
from ddiv.study import NetworkOutcome, Study
from ddiv.treatment import Augmentation, Classes, OwnPart, Synthetic, Treatment
from ddiv.trial import DataView, Job, trial

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
    """The jobs that answer a question: trials, and views where it asks for the diversity of data.

    Raises NotApplicable where the study lacks something that the question asks for.
    """
    for outcome in question.outcomes():
        if isinstance(outcome, Score | OutputsOutcome):
            _require_domain(outcome.where, study)
        if isinstance(outcome, Vendi | Outside) and outcome.space not in study.spaces:
            raise NotApplicable(f"the data of {study.name} has no {outcome.space}s")
        if isinstance(outcome, OfData) and outcome.embedder >= len(study.embedders):
            second = "second " * bool(outcome.embedder)
            raise NotApplicable(f"{study.name} has no {second}embedder (see its `embedders`)")
        if isinstance(outcome, OfData) and not study.view_size:
            raise NotApplicable(
                f"{study.name} has no `view_size`, the number of examples on which diversity is "
                "scored"
            )
    return list(
        dict.fromkeys(
            job
            for seed in seeds
            for part in question.parts()
            for job in _of_seed(part, study, seed, question.carried)
        )
    )


def _require_domain(where: str, study: Study) -> None:
    if where == "ood" and not study.ood_domains:
        raise NotApplicable(f"{study.name} has no out-of-distribution domain")
    if where not in ("train", "id", "ood", *study.domains):
        raise NotApplicable(
            f"{study.name} has no domain {where!r}, it has: {', '.join(study.domains)}"
        )


def _of_seed(
    question: Asking, study: Study, seed: int, carried: tuple[NetworkOutcome, ...]
) -> Iterator[Job]:
    outcomes = list(question.outcomes())
    of_data = [outcome for outcome in outcomes if isinstance(outcome, OfData)]
    embedders = dict.fromkeys(outcome.embedder for outcome in of_data)
    trained = len(of_data) < len(outcomes)
    for arm in dict.fromkeys(question.arms()):
        yield from (data_view(study, arm, seed, embedder) for embedder in embedders)
        if trained:
            yield trial(study, arm, seed, carried)


def data_view(study: Study, arm: Treatment, seed: int, embedder: int = 0) -> DataView:
    """The training set as an arm shows it: one view for all seeds where none of it is drawn.

    `embedder` counts the study's embedders. Raises IndexError where it has fewer.
    """
    treatment = Treatment.of(*filter(_shows, arm.parts))
    size = (study.class_view_size if arm.part(Classes) else 0) or study.view_size
    if treatment.is_baseline:
        seed = 0
    else:
        # A report asks for views too, and does not know the code of a user's own.
        own = [part for part in arm.parts if isinstance(part, OwnPart)]
        seed = Treatment.of(*(part for part in arm.parts if part not in own)).seed(seed)
        missing = [p for p in own if "seed" in p.hooks and p not in treatment.parts]
        treatment = Treatment.of(*treatment.parts, *missing)
    return DataView(study.data, treatment, study.embedders[embedder], size, seed)


def _shows(part: object) -> bool:
    """Whether a part changes which examples are shown, or how."""
    own = isinstance(part, OwnPart) and not {"batch", "training_set"}.isdisjoint(part.hooks)
    return own or isinstance(part, Augmentation | Synthetic | Classes)
