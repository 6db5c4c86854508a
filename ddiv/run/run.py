"""Runs: what one pytest session asked, planned and measured, in a folder of the store.

    STORE/runs/RUN/run.json        how the run was started, and how long it took
                   plan.json       the number of jobs that the selected tests need, and which of
                                   them were missing at the start
                   asked/*.json    one question per test
                   journal.jsonl, working/, failed/   see `ddiv.run.crew`

`ddiv report` needs no more than this and the records.
"""

from __future__ import annotations

import hashlib
import re
import time
import uuid
from pathlib import Path

import msgspec

from ddiv import trial as trials
from ddiv.common.files import write_atomically
from ddiv.evidence import MOST_SEEDS
from ddiv.finding import Asked
from ddiv.run.crew import kind_of
from ddiv.treatment import OTHER_SEEDS_BEGIN
from ddiv.trial import Job
from ddiv.trial.store import Store


class Run(msgspec.Struct, frozen=True):
    """How a run was started, and how long it took.

    Every claim starts with `seeds`. Undecided claims get more seeds, up to `max_seeds` in all, as
    long as `budget` seconds (None: no limit) have not passed. `options` are the options of pytest
    without which a test would ask something else, paths as seen from the project's root. At most
    `slots` jobs are measured at once. `started` is in seconds since the epoch. `seconds` is None
    while the run lasts, and where it was killed.
    """

    id: str
    command: str
    profile: str
    seeds: tuple[int, ...]
    alpha: float
    workers: int
    device: str
    strict: bool
    started: float
    max_seeds: int
    budget: float | None = None
    seconds: float | None = None
    options: tuple[str, ...] = ()
    slots: int = 1


class PlannedJobs(msgspec.Struct, frozen=True):
    """How many jobs a run needs, and the missing ones: their keys, with their kinds.

    A job is missing if the store did not have its record when the run started.
    """

    needed: int
    missing: dict[str, str]


def seconds_of(text: str | None) -> float | None:
    """The seconds of a time such as "90s", "30m", "2h" or "90"; None stays None.

    Raises ValueError.
    """
    if text is None:
        return None
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smh]?)", text.strip())
    if match is None or float(match[1]) <= 0:
        raise ValueError(f"a budget is a time such as 90s, 30m or 2h, got {text!r}")
    return float(match[1]) * {"": 1, "s": 1, "m": 60, "h": 3600}[match[2]]


def block_of_seeds(
    first: int, count: int, most: int | None, usual: int
) -> tuple[tuple[int, ...], int]:
    """The seeds that claims start with, and how many a claim may get.

    A claim may get `most` seeds, or where that is None the `usual` number. Raises ValueError on
    numbers that are not possible.
    """
    if count < 1:
        raise ValueError(f"--seeds needs a number of at least 1, got {count}")
    if most is not None and most < count:
        raise ValueError(
            f"--max-seeds is less than the {count} seeds to start with: "
            "give a larger one, or fewer --seeds"
        )
    most = max(usual if most is None else most, count)
    if most > MOST_SEEDS:
        raise ValueError(
            f"at most {MOST_SEEDS} seeds can be weighed, got {most}: lower --seeds or --max-seeds"
        )
    if not 0 <= first <= OTHER_SEEDS_BEGIN - MOST_SEEDS:
        raise ValueError(
            f"--first-seed lies between 0 and {OTHER_SEEDS_BEGIN - MOST_SEEDS}, got {first}"
        )
    return tuple(range(first, first + count)), most


def new_id() -> str:
    """A name for a run; the names of runs sort by the time of their start."""
    return time.strftime("%Y%m%d-%H%M%S-") + uuid.uuid4().hex[:6]


def folder(store: Store, run_id: str) -> Path:
    """The folder of a run in the store."""
    return store.root / "runs" / run_id


def save(store: Store, run: Run) -> None:
    """Write run.json. Raises OSError where the store cannot be written."""
    write_atomically(folder(store, run.id) / "run.json", msgspec.json.encode(run))


def latest(store: Store, asked: bool = True) -> Run | None:
    """The newest run of the store, or None.

    Runs that asked no question are passed over. They count only where `asked` is False.
    """
    for path in sorted(store.root.glob("runs/*/run.json"), reverse=True):
        if not asked or any(path.parent.glob("asked/*.json")):
            return msgspec.json.decode(path.read_bytes(), type=Run)
    return None


def load(store: Store, run_id: str) -> Run:
    """A run by its id. Raises FileNotFoundError."""
    return msgspec.json.decode((folder(store, run_id) / "run.json").read_bytes(), type=Run)


def save_plan(store: Store, run_id: str, jobs: list[Job]) -> None:
    """Write plan.json unless it is there: the first of the workers writes the plan of all."""
    path = folder(store, run_id) / "plan.json"
    if not path.exists():
        missing = {trials.key(job): kind_of(job) for job in jobs if job not in store}
        write_atomically(path, msgspec.json.encode(PlannedJobs(len(jobs), missing)))


def save_asked(store: Store, run_id: str, asked: Asked) -> None:
    """Write one test's question, replacing what it wrote before."""
    name = hashlib.sha256(asked.test.encode()).hexdigest()[:16]
    path = folder(store, run_id) / "asked" / f"{name}.json"
    write_atomically(path, msgspec.json.encode(asked), durable=False)


def load_asked(store: Store, run_id: str) -> list[Asked]:
    """Every question of a run, in the order of the tests."""
    paths = folder(store, run_id).glob("asked/*.json")
    questions = [msgspec.json.decode(path.read_bytes(), type=Asked) for path in paths]
    return sorted(questions, key=lambda asked: asked.order)
