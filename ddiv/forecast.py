"""What a run will take, without training (`pytest claims --plan`): jobs by kind, time, disk and
memory.

A job costs what stored records of jobs like it took that were made on the same processor or GPU;
for what the store cannot tell there is a short calibration (`ddiv.calibration`). A run starts every
claim with a few seeds and gives more to those that are undecided, so there are two answers: what it
takes if none gets more, and if all get as many as they may.
"""

from __future__ import annotations

import shutil
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from statistics import mean
from typing import NamedTuple

import msgspec

from ddiv import trial as trials
from ddiv.data.root import BadData
from ddiv.datasets import load
from ddiv.errors import TrialFailed
from ddiv.finding import CONTROL_SEEDS, Asked, require_domains
from ddiv.machine import device_name
from ddiv.plan import kind
from ddiv.progress import duration
from ddiv.run import Run
from ddiv.store import Store
from ddiv.study import Own
from ddiv.treatment import BASELINE, Augmentation, BatchSize, Classes, EarlyStop, NoOp, Treatment
from ddiv.trial import GeneratorFit, Job, Samples, Trial, View

KINDS = {Trial: "trials", View: "views", GeneratorFit: "generators", Samples: "samples"}
COLUMNS = ("study", "seeds", "claims", *KINDS.values(), "time", "disk")


class Cost(NamedTuple):
    """Of one job: seconds of work (None: not known) and bytes on the disk."""

    seconds: float | None
    bytes: float


def alike(job: Job) -> Job:
    """The job that stands for all that cost the same: the seed doesn't matter, nor a dose, nor
    whose images they are.
    """
    match job:
        case Trial():
            return msgspec.structs.replace(
                job, treatment=_costly(job.treatment, Augmentation, BatchSize, EarlyStop), seed=0
            )
        case View():
            return msgspec.structs.replace(
                job, treatment=_costly(job.treatment, Augmentation, Classes), seed=0
            )
        case GeneratorFit():
            return msgspec.structs.replace(job, setting=None, round=1, seed=0)
        case Samples():
            return msgspec.structs.replace(job, round=1, seed=0)


def _costly(treatment: Treatment, *kinds: type) -> Treatment:
    """Only the parts of these kinds; what has none, and is not the baseline with its trajectory, is
    like the no-op.
    """
    if treatment.is_baseline:
        return BASELINE
    return Treatment.of(*filter(None, map(treatment.part, kinds))) + NoOp()


class _Made(msgspec.Struct):
    """What counts here of a stored record."""

    job: Job
    provenance: dict


def recorded(store: Store, wanted: Iterable[Job], device_name: str) -> dict[Job, Cost]:
    """By `alike`: mean seconds of the stored records that were made on this device, and mean bytes
    of all.
    """
    wanted, seconds, sizes = set(wanted), defaultdict(list), defaultdict(list)
    for key in store.keys() if wanted else ():
        try:
            made = msgspec.json.decode((store.path(key) / "record.json").read_bytes(), type=_Made)
        except (OSError, msgspec.MsgspecError):
            continue  # of another version, or damaged: the run itself will say so where it matters
        if (kind := alike(made.job)) in wanted:
            sizes[kind].append(sum(path.stat().st_size for path in store.path(key).iterdir()))
            if made.provenance["device_name"] == device_name:
                seconds[kind].append(made.provenance["seconds"])
    return {
        kind: Cost(mean(seconds[kind]) if seconds[kind] else None, mean(found))
        for kind, found in sizes.items()
    }


@dataclass(frozen=True)
class Row:
    """What a study or a whole run needs: jobs by kind as (stored, needed), and what those that are
    missing cost.

    `seconds` is work, to be shared by what is in flight; `unknown` counts the missing jobs of which
    no time is known.
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
        needed, lacking = (Counter(KINDS[type(job)] for job in some) for some in (jobs, missing))
        found = [costs.get(alike(job), Cost(None, 0.0)) for job in missing]
        return cls(
            claims,
            {kind: (needed[kind] - lacking[kind], needed[kind]) for kind in KINDS.values()},
            sum(cost.seconds or 0.0 for cost in found),
            sum(cost.bytes for cost in found),
            sum(cost.seconds is None for cost in found),
        )


def at_most(asked: Asked, most: int) -> Asked:
    """The question with as many seeds as it may come to get (`ddiv.finding.undecided`)."""
    count = max(most, CONTROL_SEEDS) if asked.claim.control else most
    return msgspec.structs.replace(
        asked, seeds=tuple(range(asked.seeds[0], asked.seeds[0] + max(count, len(asked.seeds))))
    )


@dataclass(frozen=True)
class Forecast:
    """What `lines` shows.

    `rows`: (study, seeds, row), the whole run under the study ""; `absent`: (study, why) -> claims.

    `known` and `calibrated`: how many kinds of missing jobs the store and the calibration tell the
    cost of; `unknown`: why neither does, with the jobs of which that is so at the most seeds.
    `memory` and `card`: peak bytes of a process that calibrated, of main memory and of a GPU's
    (None: nothing was calibrated).
    """

    rows: tuple[tuple[str, str, Row], ...]
    absent: Mapping[tuple[str, str], int]
    in_flight: int
    device_name: str = ""
    known: int = 0
    calibrated: int = 0
    calibration_seconds: float = 0.0
    unknown: Mapping[str, int] = field(default_factory=dict)
    memory: int | None = None
    card: int | None = None


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
    asked = [one for one in asked if not one.not_applicable]
    for study in {one.study.name: one.study for one in asked}.values():
        if isinstance(study.data, Own):
            require_domains(study, load(study.data).tests)
    widened = {
        f"{len(run.seeds)}": asked,
        f"up to {run.max_seeds}": [at_most(one, run.max_seeds) for one in asked],
    }
    needs = {seeds: _by_study(some) for seeds, some in widened.items()}
    most = trials.with_requirements(
        job for jobs in needs[f"up to {run.max_seeds}"].values() for job in jobs
    )
    missing = Counter(alike(job) for job in most if job not in store)
    costs, told = _costs(missing, run, store, say)
    claims = Counter(one.study.name for one in asked)
    rows = [
        (study, seeds, Row.of(claims[study], needs[seeds][study], store, costs))
        for study in claims
        for seeds in needs
    ]
    rows += [
        (
            "",
            seeds,
            Row.of(len(asked), (job for jobs in each.values() for job in jobs), store, costs),
        )
        for seeds, each in needs.items()
    ]
    return Forecast(tuple(rows), absent, min(run.workers, run.slots), **told)


def _by_study(asked: Iterable[Asked]) -> dict[str, list[Job]]:
    needed: dict[str, dict[Job, None]] = defaultdict(dict)
    for one in asked:
        needed[one.study.name].update(dict.fromkeys(one.jobs()))
    return {study: list(jobs) for study, jobs in needed.items()}


def _costs(
    missing: Mapping[Job, int], run: Run, store: Store, say: Callable[[str], None]
) -> tuple[dict[Job, Cost], dict]:
    """The costs by kind of job, as far as they can be told; and what `Forecast` says of how they
    were.
    """
    if not missing:
        return {}, {}
    # imports torch, which a plan does without where nothing is missing
    from ddiv import calibration
    from ddiv.measure import choose_device

    device = choose_device(None if run.device == "auto" else run.device)
    name = device_name(device)
    found = recorded(store, missing, name)
    costs = {job: cost for job, cost in found.items() if cost.seconds is not None}
    known, unknown, started = len(costs), Counter(), time.time()
    tried = sorted((job for job in missing if job not in costs or isinstance(job, Trial)), key=kind)
    for name, jobs in groupby(tried, kind):
        say(f"calibrating {name} ...")
        for job in jobs:
            try:
                if job in costs:
                    # a few steps of each network show how much memory a worker needs
                    calibration.pace_of(job, device)
                else:
                    cost = calibration.cost(job, device)
                    costs[job] = cost._replace(bytes=found[job].bytes) if job in found else cost
            except BadData:
                raise
            except (TrialFailed, ValueError, ImportError, RuntimeError) as error:
                # RuntimeError: torch's, of memory too
                if job not in costs:
                    cause, *_ = str(error).splitlines() or [type(error).__name__]
                    unknown[f"{KINDS[type(job)]}: {cause}"] += missing[job]
    return costs, {
        "device_name": name,
        "known": known,
        "calibrated": len(costs) - known,
        "unknown": unknown,
        "calibration_seconds": time.time() - started,
        "memory": calibration.peak_memory(costs),
        "card": calibration.peak_on_card(device),
    }


# --- in words -----------------------------------------------------------------------------------


def lines(found: Forecast, run: Run, store: Store) -> Iterator[str]:
    """A forecast as lines of text: a table, then where its numbers come from and what the machine
    has.
    """
    table = [COLUMNS, *(_cells(*row, found.in_flight) for row in found.rows)]
    widths = [max(map(len, column)) for column in zip(*table)]
    for study, seeds, *counts in table:
        yield "  ".join(
            [study.ljust(widths[0]), seeds.ljust(widths[1]), *map(str.rjust, counts, widths[2:])]
        )
    yield ""
    for (study, reason), claims in found.absent.items():
        yield f"Left out: {claims} claim{'s' * (claims > 1)} on {study}: {reason}"
    more = " (more with -n)" if run.workers == 1 else ""
    yield f"Jobs: stored/needed. Time and disk: of those that are missing, {found.in_flight} at once{more}."
    yield (
        f"Every claim starts with {len(run.seeds)} seeds; up to {run.max_seeds} (controls "
        f"{max(run.max_seeds, CONTROL_SEEDS)}) if all stay undecided, which few do."
    )
    if found.device_name:
        yield (
            f"Times: {found.known} kinds of jobs by records made on {found.device_name}, {found.calibrated} by a "
            f"calibration of {duration(found.calibration_seconds)}, alone; side by side each is slower."
        )
    for reason, jobs in found.unknown.items():
        yield f"Not known, and not in the times: {jobs} {reason}"
    yield from _memory(found)
    yield _disk(found, store)


def _cells(study: str, seeds: str, row: Row, in_flight: int) -> tuple[str, ...]:
    jobs = (f"{stored}/{needed}" if needed else "-" for stored, needed in row.jobs.values())
    shown = duration(row.seconds / in_flight) if row.seconds else "0 s" if not row.unknown else ""
    return (
        study or "all",
        seeds,
        str(row.claims),
        *jobs,
        shown + (" + ?" if row.unknown else ""),
        size(row.bytes),
    )


def _memory(found: Forecast) -> Iterator[str]:
    if found.memory is not None:
        free = available_memory()
        yield f"Memory: about {size(found.memory)} a worker" + (
            f"; {size(free)} are free" if free else ""
        )
    if found.card is not None:
        yield f"Memory of the GPU: about {size(found.card)} a worker"


def _disk(found: Forecast, store: Store) -> str:
    at = store.root.resolve()
    free = shutil.disk_usage(next(folder for folder in (at, *at.parents) if folder.exists())).free
    enough = (
        "" if free > max((row.bytes for _, _, row in found.rows), default=0) else ": NOT ENOUGH"
    )
    return f"Disk: {size(free)} are free for {store.root}{enough}"


def size(count: float) -> str:
    """900 kB, 12 MB, 3.4 GB."""
    for unit, scale in (("GB", 1e9), ("MB", 1e6)):
        if count >= scale:
            return f"{count / scale:.3g} {unit}"
    return f"{count / 1e3:.0f} kB"


def available_memory() -> int | None:
    """Bytes of main memory that programs can still take; None where the system doesn't say."""
    try:
        rows = Path("/proc/meminfo").read_text().splitlines()
        return next(int(row.split()[1]) * 1024 for row in rows if row.startswith("MemAvailable:"))
    except (OSError, StopIteration):
        return None
