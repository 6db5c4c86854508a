"""Work together: several processes measure one list of jobs, each job once.

Every worker of a pytest run holds the same plan. A worker that needs a job which another worker is
measuring does not wait: it takes the next missing job of the plan. Jobs that undecided claims ask
for later are in nobody's plan. They are noted in the run's folder, and a worker without tests helps
with them as long as another worker may still ask. Locks are the operating system's (`filelock`), so
the locks of a killed process are free at once. The number of jobs in flight is limited to the slots
of the machine, because more runnable threads than cores slow each other down.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
from filelock import FileLock, Timeout

from ddiv import trial as trials
from ddiv.common.files import write_atomically
from ddiv.trial import Job
from ddiv.trial.store import Record, Store

POLL_SECONDS = 0.1


class JobFailed(Exception):
    """A job could not be measured in this run; the message is that of the first failure."""


class Finished(msgspec.Struct):
    """One line of a run's journal: a job that was measured."""

    key: str
    kind: str
    label: str
    seconds: float
    worker: str


class Working(msgspec.Struct):
    """The job that one worker is measuring now, for the progress line.

    `share` of it is done, from 0 to 1; `since` is when it began, in seconds since the epoch.
    """

    worker: str
    key: str
    label: str
    share: float
    since: float


Measure = Callable[[Job, Mapping[Job, Record], Callable[[float], None]], Record]


@dataclass
class Crew:
    """One worker's part in a run: `obtain` returns records and measures those that are missing.

    `folder` is the run's folder, shared by all workers. `measure` turns a job into a record, given
    the records that the job reads (`trial.requires`). These are measured before it.
    """

    store: Store
    folder: Path
    measure: Measure
    plan: Sequence[Job] = ()
    slots: int = 1
    worker: str = "main"
    _seen: dict[str, Record] = field(default_factory=dict, repr=False)
    _failures: dict[str, str] = field(default_factory=dict, repr=False)
    _noted: dict[str, Job] = field(default_factory=dict, repr=False)
    _at_tests: FileLock | None = field(default=None, repr=False)

    def obtain(self, wanted: Iterable[Job]) -> dict[Job, Record]:
        """The records of the wanted jobs. Raises JobFailed where one of them failed in this run."""
        wanted = list(dict.fromkeys(wanted))
        self._sign_in()
        self._note_wanted(job for job in wanted if not self._have(job))
        while missing := [job for job in wanted if not self._have(job)]:
            for job in missing:
                if failure := self._failure(job):
                    raise JobFailed(failure)
            own = [*trials.with_requirements(missing), *self.plan]
            if not (self._take_one(own) or self._take_one(self._wanted())):
                time.sleep(POLL_SECONDS)
        return {job: self._record(job) for job in wanted}

    def drain(self) -> None:
        """Measure missing jobs until no worker has tests any more.

        For a worker that has no tests left itself.
        """
        if self._at_tests is not None:
            self._at_tests.release()
        while self._to_do(jobs := [*self.plan, *self._wanted()]) or self._others_at_tests():
            if not self._take_one(jobs):
                time.sleep(POLL_SECONDS)

    def _to_do(self, jobs: Sequence[Job]) -> bool:
        return any(not self._have(job) and not self._failure(job) for job in jobs)

    def _sign_in(self) -> None:
        """Hold a lock as long as this worker has tests.

        The system releases it if the worker is killed.
        """
        if self._at_tests is None:
            folder = self.folder / "at-tests"
            folder.mkdir(parents=True, exist_ok=True)
            self._at_tests = FileLock(folder / self.worker, thread_local=False)
            # Waiting a moment, because another worker may hold the lock while it tests whether it
            # is free. It stays taken only where another crew of this process with the same worker
            # name holds it, and that tells the others the same.
            with suppress(Timeout):
                self._at_tests.acquire(timeout=POLL_SECONDS)

    def _others_at_tests(self) -> bool:
        for path in self.folder.glob("at-tests/*"):
            try:
                FileLock(path).acquire(blocking=False).lock.release()
            except Timeout:
                return True
        return False

    def _note_wanted(self, jobs: Iterable[Job]) -> None:
        planned = set(self.plan)
        for job in jobs:
            if job not in planned:
                note = self.folder / "wanted" / trials.key(job)
                write_atomically(note, trials.canonical(job), durable=False)

    def _wanted(self) -> list[Job]:
        """The jobs that all workers asked for beyond the plan, with all that these read."""
        for path in self.folder.glob("wanted/[!.]*"):
            if path.name not in self._noted:
                self._noted[path.name] = trials.decode(path.read_bytes())
        return trials.with_requirements(self._noted.values())

    def _have(self, job: Job) -> bool:
        return trials.key(job) in self._seen or job in self.store

    def _record(self, job: Job) -> Record:
        key = trials.key(job)
        if key not in self._seen:
            self._seen[key] = self.store.load(job)
        return self._seen[key]

    def _take_one(self, candidates: Sequence[Job]) -> bool:
        """Measure the first candidate that is missing and free.

        False where nothing could be taken.
        """
        slot = self._free_slot()
        if slot is None:
            return False
        try:
            return any(self._try(job) for job in dict.fromkeys(candidates) if self._ready(job))
        finally:
            slot.release()

    def _ready(self, job: Job) -> bool:
        """Whether this job is still to be measured, and all that it reads is there."""
        done = self._have(job) or self._failure(job)
        return not done and all(map(self._have, trials.requires(job)))

    def _try(self, job: Job) -> bool:
        """Measure a job. False where another worker is at it, or has just finished it."""
        lock = self.store.lock(trials.key(job))
        try:
            lock.acquire(blocking=False)
        except Timeout:
            return False
        try:
            if self._have(job):
                return False
            self._measure(job)
            return True
        finally:
            lock.release()

    def _measure(self, job: Job) -> None:
        key, started = trials.key(job), time.time()
        note = self.folder / "working" / f"{self.worker}.json"

        def report(share: float) -> None:
            state = Working(self.worker, key, job.label, share, started)
            with suppress(OSError):  # a progress line is not worth a trial
                write_atomically(note, msgspec.json.encode(state), durable=False)

        report(0.0)
        try:
            records = {needed: self._record(needed) for needed in trials.requires(job)}
            self.store.save(self.measure(job, records, report))
        except Exception as error:
            # This may be another test's job, so its failure must not fail the present test: it is
            # noted for the tests that need the job.
            self._note_failure(job, str(error) or f"{type(error).__name__}: {error}")
            return
        finally:
            note.unlink(missing_ok=True)
        line = Finished(key, kind_of(job), job.label, time.time() - started, self.worker)
        with open(self.folder / "journal.jsonl", "ab") as journal:
            journal.write(msgspec.json.encode(line) + b"\n")

    def _free_slot(self) -> FileLock | None:
        for i in range(self.slots):
            lock = self.store.lock(f"slot-{i}")
            try:
                lock.acquire(blocking=False)
                return lock
            except Timeout:
                continue
        return None

    def _note_failure(self, job: Job, text: str) -> None:
        self._failures[trials.key(job)] = text
        with suppress(OSError):  # on a full disk the other workers will fail as this one did
            write_atomically(self._failure_note(job), text.encode())

    def _failure_note(self, job: Job) -> Path:
        return self.folder / "failed" / f"{trials.key(job)}.txt"

    def _failure(self, job: Job) -> str | None:
        """Why this job, or a job that it reads, failed in any worker of this run; or None."""
        note = self._failure_note(job)
        own = self._failures.get(trials.key(job)) or (note.read_text() if note.exists() else None)
        return own or next(filter(None, map(self._failure, trials.requires(job))), None)


def kind_of(job: Job) -> str:
    """The types of a job, its backbone and its data: jobs of one kind take about the same time."""
    parts = (job, getattr(job, "backbone", None), job.data)
    return "/".join(type(part).__name__ for part in parts if part is not None)


def journal(folder: Path) -> list[Finished]:
    """The jobs that a run has measured until now, in the order of their completion."""
    path = folder / "journal.jsonl"
    if not path.exists():
        return []
    lines = path.read_bytes().split(b"\n")[:-1]
    return [msgspec.json.decode(line, type=Finished) for line in lines]


def working(folder: Path) -> list[Working]:
    """The jobs that the workers of a run are measuring now."""
    states = []
    for path in sorted(folder.glob("working/*.json")):
        try:
            states.append(msgspec.json.decode(path.read_bytes(), type=Working))
        except (OSError, msgspec.DecodeError):
            continue  # the job was finished between the listing and the reading
    return states
