"""What a question needs: the trials, views and experiments that its answer rests on."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from itertools import chain

from ddiv.claim.bench import NotApplicable, OfData
from ddiv.claim.by_layer import Slope
from ddiv.claim.curves import Exhibited, Largest, Mixing, RiseThenFall
from ddiv.claim.experiments import Compared, Everywhere, Graded, Measured
from ddiv.claim.groups import Agreement, Alike, AsFar, Opposite, Resemblance, SomewhereOpposed
from ddiv.claim.question import Asking
from ddiv.claim.relations import Correlation, Disagreement, MoreCorrelated, Separated, TracksBetter
from ddiv.claim.several import All
from ddiv.claim.simple import Change, Contrast, Further, NoWorse, Threshold, Trend
from ddiv.claim.tabled import replicates
from ddiv.claim.two_starts import TwoStarts
from ddiv.outcome import Coverage, OutputsOutcome, Outside, Score, Vendi
from ddiv.study import NetworkOutcome, Study
from ddiv.study.optimisation import MEMBERS
from ddiv.treatment import Augmentation, Blurred, Classes, Once, OwnPart, Piled, Treatment
from ddiv.treatment.synthetic import MIXES
from ddiv.trial import DataView, Job, performance, replicate, trial

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
    | MoreCorrelated
    | Disagreement
    | TracksBetter
    | Separated
    | Mixing
    | Exhibited
    | Slope
    | TwoStarts
    | Measured
    | Compared
    | Graded
    | Everywhere
    | All
)


def jobs(
    question: Question, study: Study, seeds: tuple[int, ...], matched: bool = True
) -> list[Job]:
    """The jobs that answer a question: trials, and views where it asks for the diversity of data;
    experiments where it reads their numbers.

    A question with a specific verdict needs the study's optimisation controls too, unless it is not
    to be `matched`.

    Raises NotApplicable where the study lacks something that the question asks for.
    """
    for outcome in question.outcomes():
        if isinstance(outcome, Score | OutputsOutcome):
            _require_domain(outcome.where, study)
        if isinstance(outcome, Vendi | Outside | Coverage) and outcome.space not in study.spaces:
            raise NotApplicable(f"the data of {study.name} has no {outcome.space}s")
        if isinstance(outcome, OfData) and outcome.embedder >= len(study.embedders):
            second = "second " * bool(outcome.embedder)
            raise NotApplicable(f"{study.name} has no {second}embedder (see its `embedders`)")
        if isinstance(outcome, OfData) and not study.view_size:
            raise NotApplicable(
                f"{study.name} has no `view_size`, the number of examples on which diversity is "
                "scored"
            )
    if study.fixed_sample:
        replicates(question, study)
    by_seed = (_at(question, study, seed, matched) for seed in seeds)
    return list(dict.fromkeys(chain.from_iterable(by_seed)))


# Every look at a question, in its test and for the page, asks for them once more.
@lru_cache(maxsize=1 << 16)
def _at(question: Question, study: Study, seed: int, matched: bool) -> tuple[Job, ...]:
    """The jobs of one seed; some may come more than once."""
    specific = matched and question.has_specific and not study.fixed_sample
    optimisation = MEMBERS if specific else ()
    return (
        *chain.from_iterable(
            _of_seed(part, study, seed, question.carried) for part in question.parts()
        ),
        *(trial(study, arm, seed, question.carried) for arm in optimisation),
        *(performance(study, number.experiment, seed) for number in question.numbers()),
    )


def seeds_of(question: Question, study: Study, seeds: tuple[int, ...]) -> tuple[int, ...]:
    """The seeds that a question begins with: of published tables all sets that can answer it.

    Where none can they stay as they are, and `jobs` says why.
    """
    if not study.fixed_sample:
        return seeds
    try:
        return replicates(question, study)
    except NotApplicable:
        return seeds[:1]


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


@lru_cache(maxsize=1 << 16)
def data_view(study: Study, arm: Treatment, seed: int, embedder: int = 0) -> DataView:
    """The training set of the replicate `seed` as an arm shows it.

    `embedder` counts the study's embedders. Raises IndexError where it has fewer.
    """
    # A report asks for views too, and does not know the code of a user's own: such a part's seed is
    # asked for where the view is made.
    own = [part for part in arm.parts if isinstance(part, OwnPart) and "seed" in part.hooks]
    shown = Treatment.of(*(part for part in arm.parts if _shows(part) or part in own))
    size = (study.class_view_size if arm.part(Classes) else 0) or study.view_size
    drawn = replicate(arm, seed)
    return DataView(study.data_of(drawn), shown, study.embedders[embedder], size, drawn, study.name)


def _shows(part: object) -> bool:
    """Whether a part changes which examples are shown, or how."""
    own = isinstance(part, OwnPart) and not {"batch", "training_set"}.isdisjoint(part.hooks)
    return own or isinstance(part, (Augmentation, Piled, Once, *MIXES, Blurred, Classes))
