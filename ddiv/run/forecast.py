"""What a run will take, without training (`pytest claims --plan`).

The answer is in jobs by kind, time, disk and memory. The cost of a job is taken from stored records
of jobs like it that were made on the same processor or GPU. Where the store has no such record, a
short calibration measures the cost (`ddiv.run.timing`). A run starts every claim with a few seeds
and gives more to claims that are undecided. So there are two answers: what the run takes if no
claim gets more seeds, and what it takes if every claim gets as many as it may.
"""

from __future__ import annotations

import shutil
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, groupby
from statistics import mean
from typing import TypedDict

import msgspec

from ddiv import trial as trials
from ddiv.common.errors import TrialFailed
from ddiv.common.files import contents
from ddiv.common.machine import available_memory, device_name
from ddiv.common.units import duration, size
from ddiv.data.root import BadData
from ddiv.finding import CONTROL_SEEDS, Asked
from ddiv.models.shipped import Shipped, embedded_weights, shipped
from ddiv.run.absent import lines as absent_lines
from ddiv.run.cost import Cost
from ddiv.run.crew import kind_of
from ddiv.run.limits import at_most
from ddiv.run.run import Run
from ddiv.study import Backbone, Bert, Clip
from ddiv.study.replicates import undrawn
from ddiv.treatment import (
    BASELINE,
    Added,
    Augmentation,
    BatchSize,
    Classes,
    Length,
    NoOp,
    OwnPart,
    Part,
    Piled,
    Traced,
    Treatment,
)
from ddiv.trial import DataView, Experiment, GeneratorFit, Job, Samples, Trial
from ddiv.trial.store import Store

KINDS = {
    Trial: "trials",
    DataView: "views",
    GeneratorFit: "generators",
    Samples: "samples",
    Experiment: "experiments",
}

COLUMNS = ("study", "seeds", "claims", *KINDS.values(), "time", "disk")


def alike(job: Job) -> Job:
    """The job that stands for all jobs of the same cost.

    The cost depends neither on the replicate, nor on a dose, nor on who made the images.
    """
    common = {"data": job.data and undrawn(job.data), "seed": 0, "study": ""}
    match job:
        case Trial():
            treatment = _costly(
                job.treatment, Added, Augmentation, BatchSize, Length, Piled, Traced
            )
            backbone = first_checkpoint(job.backbone)
            return msgspec.structs.replace(job, treatment=treatment, backbone=backbone, **common)
        case DataView():
            treatment = _costly(job.treatment, Augmentation, Classes, Piled)
            return msgspec.structs.replace(job, treatment=treatment, **common)
        case GeneratorFit():
            first = {"setting": None, "round": 1, "anchored": False}
            return msgspec.structs.replace(job, **first, **common)
        case Samples():
            return msgspec.structs.replace(job, round=1, anchored=False, **common)
        case Experiment():
            return msgspec.structs.replace(job, **common)


def first_checkpoint(backbone: Backbone) -> Backbone:
    """Of ddiv's own checkpoints the one from the first pre-training seed; others as they are."""
    if isinstance(backbone, Clip | Bert):
        model: Shipped = backbone.tower if isinstance(backbone, Clip) else "bert"
        if backbone.weights in shipped(model):
            return msgspec.structs.replace(backbone, weights=embedded_weights(model))
    return backbone


def _costly(treatment: Treatment, *kinds: type[Part]) -> Treatment:
    """A treatment with only the parts of these kinds, and with those of a user's own.

    The no-op stands for all others. The baseline stays the baseline: where others have no
    trajectory it has one, and so costs more.
    """
    if treatment.is_baseline:
        return BASELINE
    return Treatment.of(*(p for p in treatment.parts if isinstance(p, (*kinds, OwnPart)))) + NoOp()


class _Provenance(msgspec.Struct):
    device_name: str
    seconds: float


class _Made(msgspec.Struct):
    """The fields of a stored record that a forecast reads."""

    job: Job
    provenance: _Provenance


def recorded(store: Store, wanted: Iterable[Job], device: str) -> dict[Job, Cost]:
    """The cost of these jobs by stored records of jobs like them (`alike`), where there are any.

    Seconds are the mean over records that were made on the device of this name, bytes the mean over
    all records.
    """
    wanted = set(wanted)
    seconds: dict[Job, list[float]] = defaultdict(list)
    sizes: dict[Job, list[int]] = defaultdict(list)
    for key in store.keys() if wanted else ():
        try:
            made = msgspec.json.decode(contents(store.path(key) / "record.json"), type=_Made)
            bytes_of = sum(path.stat().st_size for path in store.path(key).iterdir())
        except (OSError, ValueError, RecursionError):
            continue  # of another version, or damaged: the run will say so where it matters
        job = alike(made.job)
        if job in wanted:
            sizes[job].append(bytes_of)
            if made.provenance.device_name == device:
                seconds[job].append(made.provenance.seconds)
    return {
        job: Cost(mean(seconds[job]) if seconds[job] else None, mean(bytes_each))
        for job, bytes_each in sizes.items()
    }


@dataclass(frozen=True)
class Row:
    """What a study or a whole run needs: `jobs` by kind as (stored, needed), and their cost.

    `seconds` and `bytes` are the work and the disk space of the missing jobs together. Jobs in
    flight at once share the work. `unknown` counts the missing jobs whose time is not known.
    """

    claims: int
    jobs: Mapping[str, tuple[int, int]]
    seconds: float
    bytes: float
    unknown: int

    @classmethod
    def of(cls, claims: int, jobs: Iterable[Job], store: Store, costs: Mapping[Job, Cost]) -> Row:
        jobs = trials.with_requirements(jobs)
        missing = [job for job in jobs if job not in store]
        needed = Counter(KINDS[type(job)] for job in jobs)
        lacking = Counter(KINDS[type(job)] for job in missing)
        to_pay = [costs.get(alike(job), Cost(None, 0.0)) for job in missing]
        return cls(
            claims,
            {kind: (needed[kind] - lacking[kind], needed[kind]) for kind in KINDS.values()},
            sum(cost.seconds or 0.0 for cost in to_pay),
            sum(cost.bytes for cost in to_pay),
            sum(cost.seconds is None for cost in to_pay),
        )


@dataclass(frozen=True)
class Forecast:
    """The numbers that `lines` puts in words.

    `rows`: (study, seeds, row), the whole run under the study "". `absent`: the number of claims by
    (study, why it is left out). `in_flight`: how many jobs are measured at once.

    `known` and `calibrated`: for how many kinds of missing jobs the store and the calibration tell
    the cost. `unknown`: where neither does, why, and the number of such jobs at the most seeds.
    `failing`: why jobs will fail, as the calibration showed, and the number of such jobs.
    `memory` and `card`: peak bytes of main memory and of the GPU's memory in the process that
    calibrated (None: nothing was calibrated).
    """

    rows: tuple[tuple[str, str, Row], ...]
    absent: Mapping[tuple[str, str], int]
    in_flight: int
    device_name: str = ""
    known: int = 0
    calibrated: int = 0
    calibration_seconds: float = 0.0
    unknown: Mapping[str, int] = field(default_factory=dict)
    failing: Mapping[str, int] = field(default_factory=dict)
    memory: int | None = None
    card: int | None = None


class _Sources(TypedDict, total=False):
    """The fields of a `Forecast` that say how the costs are known."""

    device_name: str
    known: int
    calibrated: int
    calibration_seconds: float
    unknown: Mapping[str, int]
    failing: Mapping[str, int]
    memory: int | None
    card: int | None


def forecast(
    asked: Sequence[Asked],
    absent: Mapping[tuple[str, str], int],
    run: Run,
    store: Store,
    say: Callable[[str], None] = lambda line: None,
) -> Forecast:
    """The forecast of a run; `say` is told what is being calibrated.

    Raises ValueError where there is no such device, BadData or StoreError where a study's own data
    is not what it should be.
    """
    questions = [question for question in asked if not question.not_applicable]
    fewest, most = f"{len(run.seeds)}", f"up to {run.max_seeds}"
    needs = {
        fewest: _by_study(questions),
        most: _by_study(at_most(each, run.most(each)) for each in questions),
    }
    needed = trials.with_requirements(chain.from_iterable(needs[most].values()))
    missing = Counter(alike(job) for job in needed if job not in store)
    costs, sources = _costs(missing, run, store, say)
    claims = Counter(question.study.name for question in questions)
    rows = [
        (study, seeds, Row.of(claims[study], by_study[study], store, costs))
        for study in claims
        for seeds, by_study in needs.items()
    ]
    for seeds, by_study in needs.items():
        jobs = chain.from_iterable(by_study.values())
        rows.append(("", seeds, Row.of(len(questions), jobs, store, costs)))
    return Forecast(tuple(rows), absent, min(run.workers, run.slots), **sources)


def _by_study(asked: Iterable[Asked]) -> dict[str, list[Job]]:
    """The jobs that questions rest on, each once, by the name of the study."""
    needed: dict[str, dict[Job, None]] = defaultdict(dict)
    for question in asked:
        needed[question.study.name].update(dict.fromkeys(question.jobs()))
    return {study: list(jobs) for study, jobs in needed.items()}


def _costs(
    missing: Mapping[Job, int], run: Run, store: Store, say: Callable[[str], None]
) -> tuple[dict[Job, Cost], _Sources]:
    """The costs of missing jobs (`alike`, with how many there are), and how these costs are known.

    Jobs whose cost cannot be found are left out of the costs.
    """
    if not missing:
        return {}, {}
    # Both import torch, which takes seconds, and a plan with nothing missing does not need it.
    from ddiv.run import timing as calibration
    from ddiv.trial.devices import choose_device

    device = choose_device(None if run.device == "auto" else run.device)
    name, started = device_name(device), time.monotonic()
    records = recorded(store, missing, name)
    costs = {job: cost for job, cost in records.items() if cost.seconds is not None}
    known = len(costs)
    unknown: Counter[str] = Counter()
    failing: Counter[str] = Counter()
    tried = sorted(
        (job for job in missing if job not in costs or isinstance(job, Trial)), key=kind_of
    )
    for of_kind, jobs in groupby(tried, kind_of):
        say(f"calibrating {of_kind} ...")
        for job in jobs:
            try:
                if job not in costs:
                    cost = calibration.cost(job, device)
                    stored = records.get(job)
                    costs[job] = cost._replace(bytes=stored.bytes) if stored else cost
                elif isinstance(job, Trial):
                    # A few steps of each network show how much memory a worker needs.
                    calibration.pace_of(job, device)
            except BadData:
                raise
            except TrialFailed as error:
                failing[f"{KINDS[type(job)]}: {error}"] += missing[job]
            # RuntimeError is torch's, also where there is not enough memory.
            except (ValueError, ImportError, RuntimeError) as error:
                if job not in costs:
                    cause, *_ = str(error).splitlines() or [type(error).__name__]
                    unknown[f"{KINDS[type(job)]}: {cause}"] += missing[job]
    return costs, {
        "device_name": name,
        "known": known,
        "calibrated": len(costs) - known,
        "unknown": unknown,
        "failing": failing,
        "calibration_seconds": time.monotonic() - started,
        "memory": calibration.peak_memory(costs),
        "card": calibration.peak_on_card(device),
    }


# --- in words -----------------------------------------------------------------------------------


def lines(estimate: Forecast, run: Run, store: Store) -> Iterator[str]:
    """A forecast as lines of text.

    First a table, then where its numbers come from and what the machine has.
    """
    in_flight = estimate.in_flight
    table = [COLUMNS, *(_cells(*row, in_flight) for row in estimate.rows)]
    widths = [max(map(len, column)) for column in zip(*table)]
    for study, seeds, *counts in table:
        cells = [study.ljust(widths[0]), seeds.ljust(widths[1])]
        yield "  ".join([*cells, *map(str.rjust, counts, widths[2:])])
    yield ""
    yield from absent_lines(estimate.absent)
    more = " (more with -n)" if run.workers == 1 else ""
    yield f"Jobs: stored/needed. Time and disk: of missing jobs, {in_flight} at once{more}."
    surprises = ""
    if run.surprise_seeds > run.max_seeds:
        surprises = f"; a verdict that the ledger does not know up to {run.surprise_seeds}"
    yield (
        f"Every claim starts with {len(run.seeds)} seeds; up to {run.max_seeds} (controls "
        f"{max(run.max_seeds, CONTROL_SEEDS)}) if all stay undecided, which few do{surprises}."
    )
    if estimate.device_name:
        spent = duration(estimate.calibration_seconds)
        yield (
            f"Times: {estimate.known} kinds of jobs by records made on {estimate.device_name}, "
            f"{estimate.calibrated} by a calibration of {spent}, alone; side by side each is "
            "slower."
        )
    for reason, jobs in estimate.failing.items():
        yield f"Will fail: {jobs} {reason}"
    for reason, jobs in estimate.unknown.items():
        yield f"Not known, and not in the times: {jobs} {reason}"
    yield from _memory(estimate)
    yield _disk(estimate, store)


def _cells(study: str, seeds: str, row: Row, in_flight: int) -> tuple[str, ...]:
    jobs = (f"{stored}/{needed}" if needed else "-" for stored, needed in row.jobs.values())
    known = duration(row.seconds / in_flight) if row.seconds or not row.unknown else ""
    spent = known + (" + ?" if row.unknown else "")
    return (study or "all", seeds, str(row.claims), *jobs, spent, size(row.bytes))


def _memory(estimate: Forecast) -> Iterator[str]:
    if estimate.memory is not None:
        free = available_memory()
        left = f"; {size(free)} are free" if free else ""
        yield f"Memory: about {size(estimate.memory)} a worker{left}"
    if estimate.card is not None:
        yield f"Memory of the GPU: about {size(estimate.card)} a worker"


def _disk(estimate: Forecast, store: Store) -> str:
    root = store.root.resolve()
    there = next(folder for folder in (root, *root.parents) if folder.exists())
    free = shutil.disk_usage(there).free
    needed = max((row.bytes for _, _, row in estimate.rows), default=0)
    return f"Disk: {size(free)} are free for {store.root}{'' if free > needed else ': NOT ENOUGH'}"
