"""Runs: what one pytest session asked, planned and measured, in a folder of the store.

    STORE/runs/RUN/run.json        how the run was started, and how long it took
                   plan.json       the number of jobs that the selected tests need, and which of
                                   them were missing at the start
                   further.json    the jobs that they may ask for if they stay undecided
                   asked/*.json    one question per test
                   journal.jsonl, working/, failed/   see `ddiv.run.crew`

`ddiv report` needs no more than this and the records. Runs are named by the time of their start, in
UTC. Their order is that of `Run.place`, and no clock or time zone changes it.
"""

from __future__ import annotations

import hashlib
import math
import re
import time
import uuid
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import msgspec

from ddiv import trial as trials
from ddiv.common.drafts import sweep
from ddiv.common.files import write_atomically
from ddiv.common.machine import PACKAGES, version_of
from ddiv.evidence import MOST_SEEDS
from ddiv.finding import Asked
from ddiv.run import files
from ddiv.run.crew import kind_of
from ddiv.run.files import Unreadable, sealed
from ddiv.run.notes import forget_killed, journal
from ddiv.treatment import OTHER_SEEDS_BEGIN
from ddiv.trial import Job
from ddiv.trial.store import Store, StoreError


class Run(msgspec.Struct, frozen=True):
    """How a run was started, and how long it took.

    Every claim starts with `seeds`. Undecided claims get more seeds, up to `max_seeds` in all
    (where that is more: headline claims up to `headline_seeds`, surprises up to `surprise_seeds`;
    on the studies of `study_seeds`, by name, at most the number there, surprises apart),
    as long as `budget` seconds (None: no limit) have not passed. `options` are those of pytest
    without which a test would ask something else, paths as seen from the folder where the run was
    started. At most `slots` jobs are measured at once. `started` is in seconds since the epoch.
    `seconds` is None while the run lasts, and where it was killed. `after` is later than the start
    of every run that the store held then, whatever the clock said. `asked` and `measured` are how
    many questions it asked and jobs it measured, None until it has ended: what is missing later is
    lost. `counts` are its verdicts, and the words of questions without one, as its page told them
    at its end; `versions` are those of the packages that it ran with.
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
    after: float = 0.0
    asked: int | None = None
    measured: int | None = None
    headline_seeds: int = 0
    surprise_seeds: int = 0
    study_seeds: dict[str, int] = {}
    counts: dict[str, int] = {}
    versions: dict[str, str] = {}

    def most(self, asked: Asked) -> int:
        """The most seeds that a claim gets while it is undecided; more only as a surprise."""
        most = max(self.max_seeds, self.headline_seeds if asked.claim.headline else 0)
        return min(most, self.study_seeds.get(asked.study.name, most))

    def enough(self, asked: Asked) -> int:
        """The most seeds that the page looks at; none beside those asked after a budget, which ends
        questions that more seeds would decide.
        """
        return 0 if self.budget is not None else self.most(asked)

    @property
    def place(self) -> float:
        """What runs are sorted by; those of versions without `after` by their start."""
        return max(self.started, self.after)


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
    seconds = float(match[1]) * {"": 1, "s": 1, "m": 60, "h": 3600}[match[2]] if match else 0.0
    if not 0 < seconds < math.inf:
        raise ValueError(f"a budget is a time such as 90s, 30m or 2h, got {text!r:.80}")
    return seconds


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


def new_id(started: float) -> str:
    """A name for a run that starts at this time, in seconds since the epoch."""
    return time.strftime("%Y%m%d-%H%M%S-", time.gmtime(started)) + uuid.uuid4().hex[:6]


def folder(store: Store, run_id: str) -> Path:
    """The folder of a run in the store."""
    return store.root / "runs" / run_id


def placed(store: Store, run: Run) -> Run:
    """The run behind all runs of the store, also where the clock was set back since these."""
    with suppress(StoreError):  # a store that cannot be read will be told of where it matters
        for newest in stored(store).runs[:1]:
            return msgspec.structs.replace(run, after=math.nextafter(newest.place, math.inf))
    return run


def tidy(store: Store) -> None:
    """Delete what the workers of killed runs left half-written, or noted as being measured."""
    with suppress(StoreError):
        killed = [folder(store, run.id) for run in stored(store).runs if run.seconds is None]
        for place in killed:
            sweep(place, *(place / part for part in ("asked", "wanted", "working", "failed")))
            forget_killed(place)


def save(store: Store, run: Run) -> None:
    """Write run.json. Raises StoreError where the store cannot be written."""
    _write(store, folder(store, run.id) / "run.json", run)


def save_ended(store: Store, run: Run, seconds: float, unsaved: int = 0) -> None:
    """Write run.json of a run that has ended, with what it leaves.

    `unsaved` is the number of questions that could not be written. Raises StoreError.
    """
    place = folder(store, run.id)
    asked, measured = len(names_asked(store, run.id)) + unsaved, len(journal(place))
    save(store, msgspec.structs.replace(run, seconds=seconds, asked=asked, measured=measured))


def save_counts(store: Store, run_id: str, counts: dict[str, int]) -> None:
    """Note in run.json what a run that has ended came to. Raises StoreError."""
    versions = {name: version for name in PACKAGES if (version := version_of(name))}
    run = load(store, run_id)
    save(store, msgspec.structs.replace(run, counts=counts, versions=versions))


def _write(store: Store, path: Path, value: msgspec.Struct, durable: bool = True) -> None:
    try:
        write_atomically(path, sealed(value), durable)
    except OSError as error:
        raise store.unwritable(error) from error


class Stored(NamedTuple):
    """The runs of a store, the newest first, and a line on each that cannot be read."""

    runs: list[Run]
    damaged: list[str]


def stored(store: Store) -> Stored:
    """All runs of a store. Raises Unreadable where its folder of runs cannot be listed."""
    there, damaged = [], []
    for name in files.names(store.root / "runs"):
        try:
            there.append(load(store, name))
        except FileNotFoundError:
            continue  # no run
        except Unreadable as error:
            damaged.append(str(error))
    return Stored(sorted(there, key=lambda run: (run.place, run.id), reverse=True), damaged)


def latest(store: Store, asked: bool = True) -> Run | None:
    """The newest run of the store, or None.

    Runs that cannot be read are passed over, and runs that asked no question. These count only
    where `asked` is False. Raises Unreadable where the folder of runs cannot be listed.
    """
    return next((run for run in stored(store).runs if not asked or has_asked(store, run.id)), None)


def has_asked(store: Store, run_id: str) -> bool:
    """Whether a run asked a question. Raises Unreadable where that cannot be seen."""
    return bool(names_asked(store, run_id))


def names_asked(store: Store, run_id: str) -> list[str]:
    """The names of the files of a run's questions. Raises Unreadable."""
    return files.names(folder(store, run_id) / "asked", ".json")


def load(store: Store, run_id: str) -> Run:
    """A run by its id.

    Raises FileNotFoundError where there is none, Unreadable where its run.json is damaged or gone.
    """
    try:
        run = files.read(folder(store, run_id) / "run.json", Run)
        if run.id != run_id:
            raise Unreadable(f"its run.json is that of the run {run.id}")
        return run
    except Unreadable as error:
        missing = isinstance(error.__cause__, FileNotFoundError | NotADirectoryError)
        if missing and not (folder(store, run_id).is_dir() and names_asked(store, run_id)):
            raise FileNotFoundError(run_id) from None
        raise Unreadable(
            f"the run {run_id} cannot be shown: {error}. All records are untouched: run the same "
            "tests again (what is stored is not trained again), or name another run with --run"
        ) from error


def save_plan(store: Store, run_id: str, jobs: list[Job]) -> bool:
    """Write plan.json unless it is there: the first of the workers writes the plan of all.

    Returns whether it was not there. Raises StoreError where the store cannot be written.
    """
    path = folder(store, run_id) / "plan.json"
    if path.exists():
        return False
    missing = {trials.key(job): kind_of(job) for job in jobs if job not in store}
    _write(store, path, PlannedJobs(len(jobs), missing))
    return True


def save_asked(store: Store, run_id: str, asked: Asked) -> None:
    """Write one test's question, replacing what it wrote before.

    Raises StoreError where the store cannot be written.
    """
    _write(store, folder(store, run_id) / "asked" / name_of(asked.test), asked, durable=False)


def name_of(test: str) -> str:
    """The name of the file of a test's question."""
    return f"{hashlib.sha256(test.encode()).hexdigest()[:16]}.json"


class Questions(NamedTuple):
    """The questions of a run in the order of the tests, and a line on those that are lost."""

    asked: list[Asked]
    lost: str | None


def questions(store: Store, run_id: str) -> Questions:
    """Every question of a run. Raises Unreadable where their folder cannot be listed."""
    there, damaged = [], []
    for name in names_asked(store, run_id):
        try:
            asked = files.read(path := folder(store, run_id) / "asked" / name, Asked)
            if name != name_of(asked.test):
                raise Unreadable(f"{path} is damaged: it holds the question of another file")
            there.append(asked)
        except Unreadable as error:
            damaged.append(str(error))
    gone = _number_asked(store, run_id) - len(there) - len(damaged)
    damaged += ["its file is missing"] * gone
    lost = None
    if damaged:
        count = "1 question" if len(damaged) == 1 else f"{len(damaged)} questions"
        lost = (
            f"{count} of the run {run_id} cannot be read and left out ({damaged[0]}). "
            "Run the same tests again to have all of them: what is stored is not trained again"
        )
    return Questions(sorted(there, key=lambda asked: asked.order), lost)


def _number_asked(store: Store, run_id: str) -> int:
    """How many questions a run asked; 0 where that is not known."""
    with suppress(FileNotFoundError, Unreadable):
        return load(store, run_id).asked or 0
    return 0


def load_asked(store: Store, run_id: str) -> list[Asked]:
    """Every question of a run that can be read, in the order of the tests."""
    return questions(store, run_id).asked
