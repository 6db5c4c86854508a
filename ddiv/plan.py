"""Work together: several processes measure one list of jobs, each job once.

Every worker of a pytest run holds the same plan. One that needs a job which another is measuring
takes the next missing one of the plan instead of waiting. What undecided claims ask for later is in
nobody's plan, so it is noted in the run's folder, and a worker without tests helps with it as long
as another may ask. Locks are the operating system's (`filelock`), so those of a killed process are
free at once. The number of trials in flight is limited to the slots of the machine: with more
runnable threads than cores everything collapses (prototype.md).
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
from ddiv.store import Record, Store, write_atomically
from ddiv.trial import Job

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
    """What one worker is at, for the progress line."""

    worker: str
    key: str
    label: str
    share: float
    since: float


Measure = Callable[[Job, Mapping[Job, Record], Callable[[float], None]], Record]


@dataclass
class Crew:
    """One worker's part in a run: `obtain` returns records, measuring what is missing along the
    plan.

    `folder` is the run's folder, shared by all workers; `measure` turns a job into a record, given
    the records that it reads (`trial.requires`), which are measured before it.
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
            if not self._take_one(
                [*trials.with_requirements(missing), *self.plan]
            ) and not self._take_one(self._wanted()):
                time.sleep(POLL_SECONDS)
        return {job: self._record(job) for job in wanted}

    def drain(self) -> None:
        """Measure what there is to measure until no worker has tests any more: for one that has
        none left itself.
        """
        if self._at_tests is not None:
            self._at_tests.release()
        while self._to_do(jobs := [*self.plan, *self._wanted()]) or self._others_at_tests():
            if not self._take_one(jobs):
                time.sleep(POLL_SECONDS)

    def _to_do(self, jobs: Sequence[Job]) -> bool:
        return any(not self._have(job) and not self._failure(job) for job in jobs)

    def _sign_in(self) -> None:
        """Hold a lock as long as this worker has tests; the system releases it if the worker is
        killed.
        """
        if self._at_tests is None:
            folder = self.folder / "at-tests"
            folder.mkdir(parents=True, exist_ok=True)
            self._at_tests = FileLock(folder / self.worker, thread_local=False)
            with suppress(Timeout):  # a namesake in this very process holds it, which says as much
                # another worker may be trying whether it is free
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
                write_atomically(
                    self.folder / "wanted" / trials.key(job), trials.canonical(job), durable=False
                )

    def _wanted(self) -> list[Job]:
        """What all workers asked for beyond the plan, with what that needs."""
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
            for job in dict.fromkeys(candidates):
                if (
                    self._have(job)
                    or self._failure(job)
                    or not all(map(self._have, trials.requires(job)))
                ):
                    continue
                lock = self.store.lock(trials.key(job))
                try:
                    lock.acquire(blocking=False)
                except Timeout:
                    continue
                try:
                    if not self._have(job):
                        self._measure(job)
                        return True
                finally:
                    lock.release()
            return False
        finally:
            slot.release()

    def _measure(self, job: Job) -> None:
        key, started = trials.key(job), time.time()

        def report(share: float) -> None:
            state = Working(self.worker, key, job.label, share, started)
            with suppress(OSError):  # a progress line is not worth a trial
                write_atomically(
                    self.folder / "working" / f"{self.worker}.json",
                    msgspec.json.encode(state),
                    durable=False,
                )

        report(0.0)
        try:
            self.store.save(
                self.measure(
                    job, {needed: self._record(needed) for needed in trials.requires(job)}, report
                )
            )
        except Exception as error:
            # Another test's job must not fail this test: note it for those that need it.
            text = f"{type(error).__name__}: {error}" if not str(error) else str(error)
            self._note_failure(job, text)
            return
        finally:
            (self.folder / "working" / f"{self.worker}.json").unlink(missing_ok=True)
        line = Finished(key, kind(job), job.label, time.time() - started, self.worker)
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
        with suppress(OSError):  # on a full disk the others will find out as this worker did
            write_atomically(self._failure_note(job), text.encode())

    def _failure_note(self, job: Job) -> Path:
        return self.folder / "failed" / f"{trials.key(job)}.txt"

    def _failure(self, job: Job) -> str | None:
        """Why this job, or one that it reads, failed in this run, in whichever worker; None where
        none did.
        """
        note = self._failure_note(job)
        own = self._failures.get(trials.key(job)) or (note.read_text() if note.exists() else None)
        return own or next(filter(None, map(self._failure, trials.requires(job))), None)


def kind(job: Job) -> str:
    """Jobs of one kind take about the same time: what is measured, on which backbone and data."""
    parts = (job, getattr(job, "backbone", None), job.data)
    return "/".join(type(part).__name__ for part in parts if part is not None)


def journal(folder: Path) -> list[Finished]:
    """The jobs measured in a run so far, in the order of their completion."""
    path = folder / "journal.jsonl"
    if not path.exists():
        return []
    lines = path.read_bytes().split(b"\n")[:-1]
    return [msgspec.json.decode(line, type=Finished) for line in lines]


def working(folder: Path) -> list[Working]:
    """What the workers of a run are at now."""
    states = []
    for path in sorted(folder.glob("working/*.json")):
        try:
            states.append(msgspec.json.decode(path.read_bytes(), type=Working))
        except (OSError, msgspec.DecodeError):
            continue  # finished between the listing and the reading
    return states
