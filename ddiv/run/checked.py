"""What would stop the jobs of a study, found before anything is trained.

Only studies with a missing record are looked at: where nothing is to be measured, nothing is loaded
and torch is not imported.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

from ddiv.common import own
from ddiv.common.errors import TrialFailed, cause, remedy
from ddiv.common.printed import one_line
from ddiv.data.dataset import Dataset
from ddiv.data.load import load
from ddiv.finding import Asked, require_domains
from ddiv.outcome.layers import NoSuchLayer, chosen, memberships
from ddiv.study import Study
from ddiv.treatment import BatchSize, Classes
from ddiv.trial import DataView, Experiment, Job, Trial
from ddiv.trial.store import Store, StoreError
from ddiv.trial.tabled import read_tables


def faults(asked: Iterable[Asked], store: Store) -> dict[str, str]:
    """What is wrong with the studies of these questions, by name, in a line each.

    Looked at are the studies with a missing record: their data, their doses against the data, and a
    dry step of their trials (`ddiv.trial.dry_run`).
    """
    by_study: dict[Study, list[Asked]] = defaultdict(list)
    for question in asked:
        if not question.not_applicable:
            by_study[question.study].append(question)
    found = {study.name: _fault(study, each, store) for study, each in by_study.items()}
    return {name: fault for name, fault in found.items() if fault}


def found(asked: Iterable[Asked]) -> Iterator[str]:
    """What data the studies of these questions have, a line each."""
    answerable = [question for question in asked if not question.not_applicable]
    specs = {each.study.name: job.data for each in answerable for job in each.jobs() if job.data}
    for name, spec in specs.items():
        yield f"Data of {name}: {load(spec)}"


def _fault(study: Study, asked: Sequence[Asked], store: Store) -> str:
    jobs = dict.fromkeys(job for question in asked for job in question.jobs())
    missing = [job for job in jobs if job not in store]
    try:
        if missing:
            _require(study, asked, missing)
    except (TrialFailed, StoreError, ValueError) as error:
        return f"the study {study.name}: {one_line(error)}"
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        return one_line(f"the study {study.name}: {place}{cause(error)}. {remedy(error)}")
    except Exception as error:  # the code of a user's own raises anything
        return one_line(f"the study {study.name}: {type(error).__name__}: {error}")
    return ""


def _require(study: Study, asked: Sequence[Asked], missing: Sequence[Job]) -> None:
    """Raise an error where a missing job of the study could not be measured."""
    if study.fixed_sample:
        for job in missing:
            read_tables(job)
        return
    experiments = [job for job in missing if isinstance(job, Experiment)]
    if why := next(filter(None, (own.absent(job.call) for job in experiments)), None):
        raise ValueError(why)
    others = [job for job in missing if not isinstance(job, Experiment)]
    if not others:
        return
    # They import torch, which a run of stored records needs not.
    from ddiv.trial import dry_run
    from ddiv.trial.view import require_examples

    # One replicate stands for all: they have equal sizes.
    data = load(others[0].data)
    require_domains(study, data.tests)
    _require_doses(data, others)
    first_views: dict[object, DataView] = {}
    for job in others:
        if isinstance(job, DataView):
            first_views.setdefault((job.treatment.part(Classes), job.n), job)
    for view in first_views.values():
        require_examples(view)
    if trials := [job for job in others if isinstance(job, Trial)]:
        _require_layers(asked, dry_run.layers_of(trials, data))


def _require_doses(data: Dataset, missing: Iterable[Job]) -> None:
    """Raise ValueError on a batch of more examples, or a view of more classes, than there are."""
    for job in missing:
        if isinstance(job, Trial) and job.batch > len(data.inputs):
            name = "`batches`" if job.treatment.part(BatchSize) else "`batch` of its recipe"
            raise ValueError(
                f"{name}: a batch of {job.batch} examples is more than the {len(data.inputs)} that "
                f"there are to train on: take {len(data.inputs)} at most"
            )
        part = job.treatment.part(Classes) if isinstance(job, DataView) else None
        if part and part.count > len(data.classes):
            raise ValueError(
                f"`class_counts`: {part.count} classes are more than the {len(data.classes)} that "
                f"the data has: take {len(data.classes)} at most"
            )


def _require_layers(asked: Iterable[Asked], layers: Sequence[Mapping[str, str]]) -> None:
    """Raise ValueError where a question is about weight matrices that the network does not have.

    layers: its matrices, as `dry_run.layers_of` gives them; without any nothing is known of them.
    """
    for question in asked if layers else ():
        for outcome in question.question.outcomes():
            group = getattr(outcome, "layers", None)
            if not isinstance(group, str):
                continue
            try:
                convolution = getattr(outcome, "convolution", "pooled")
                chosen(group, convolution, *memberships(layers))
            except NoSuchLayer as error:
                raise ValueError(
                    f"the claim {question.claim.id} reads weight matrices that are not there: "
                    f"{error}. Ask for one of these, leave the claim out (-k), or give the encoder "
                    "a weight of 2 or more dimensions"
                ) from error
