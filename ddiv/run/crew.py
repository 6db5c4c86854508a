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
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from filelock import FileLock

from ddiv import trial as trials
from ddiv.common import locks
from ddiv.common.drafts import signature
from ddiv.common.errors import cause, remedy
from ddiv.common.files import contents, write_atomically
from ddiv.run.files import append, sealed, text_of
from ddiv.run.notes import Finished, Working, journal, working
from ddiv.run.waiting import Patience, at_tests
from ddiv.trial import Experiment, Job
from ddiv.trial.store import Record, Store, StoreError

__all__ = ["Crew", "Finished", "JobFailed", "Measure", "Working", "journal", "kind_of", "working"]

POLL_SECONDS = 0.1


class JobFailed(Exception):
    """A job could not be measured in this run; the message is that of the first failure."""


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
    _unsaved: dict[str, Record] = field(default_factory=dict, repr=False)
    _unwritten: list[bytes] = field(default_factory=list, repr=False)

    def __post_init__(self) -> None:
        self._patience = Patience(self.folder, self.worker)

    def begin(self, plan: Sequence[Job]) -> None:
        """Take on the run's plan: what is missing of it is measured while there is nothing else."""
        self.plan = plan

    def obtain(self, wanted: Iterable[Job]) -> dict[Job, Record]:
        """The records of the wanted jobs.

        Raises JobFailed where one of them failed in this run, StoreError where the store can be
        neither read nor written.
        """
        with self._store_errors():
            return self._obtain(wanted)

    @contextmanager
    def _store_errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise self.store.unwritable(error) from error

    def _obtain(self, wanted: Iterable[Job]) -> dict[Job, Record]:
        wanted = list(dict.fromkeys(wanted))
        self._sign_in()
        self._note_wanted(job for job in wanted if not self._have(job))
        while missing := [job for job in wanted if not self._have(job)]:
            for job in missing:
                if failure := self._failure(job):
                    raise JobFailed(failure)
            own = [*trials.with_requirements(missing), *self.plan]
            if self._take_one(own) or self._take_one(self._wanted()):
                self._patience.over()
            else:
                self._wait(lambda: map(self._lock_of, trials.with_requirements(missing)))
        self._patience.over()
        return {job: self._record(job) for job in wanted}

    def has(self, jobs: Iterable[Job]) -> bool:
        """Whether the records of all these jobs are there.

        Raises StoreError where one is, and cannot be read.
        """
        try:
            return all(self._have(job) and self._record(job) for job in jobs)
        except OSError:
            return False

    def drain(self) -> None:
        """Measure missing jobs until no worker has tests any more.

        For a worker that has no tests left itself. Raises StoreError where the store can be neither
        read nor written.
        """
        with self._store_errors():
            if self._at_tests is not None:
                self._at_tests.release()
            while self._to_do(jobs := [*self.plan, *self._wanted()]) or self._others_at_tests():
                if self._take_one(jobs):
                    self._patience.over()
                else:
                    self._wait(lambda: ((path, path.name) for path in at_tests(self.folder)))
            self._patience.over()

    def _wait(self, needed: Callable[[], Iterable[tuple[Path, str]]]) -> None:
        """Wait a moment for one of these locks or for a slot; after a while, say who has them."""
        if self._patience.is_tried():
            files = map(self.store.lock_file, map(slot, range(self.slots)))
            self._patience.tell(dict([*needed(), *((file, "a slot for trials") for file in files)]))
        time.sleep(POLL_SECONDS)

    def _lock_of(self, job: Job) -> tuple[Path, str]:
        return self.store.lock_file(trials.key(job)), f"the trial {job.label}"

    def _to_do(self, jobs: Sequence[Job]) -> bool:
        return any(not self._have(job) and not self._failure(job) for job in jobs)

    def _sign_in(self) -> None:
        """Hold a lock as long as this worker has tests.

        The system releases it if the worker is killed.
        """
        if self._at_tests is None:
            folder = self.folder / "at-tests"
            # On a full disk nobody knows of this worker, and it still answers what the store has
            # records for.
            with suppress(OSError):
                folder.mkdir(parents=True, exist_ok=True)
                self._at_tests = locks.lock(folder / self.worker)
                # Another worker may hold the lock for a moment to see whether it is free. It stays
                # taken only where another crew of this process with the same worker name holds it,
                # and that tells the others the same.
                if not locks.take(self._at_tests):
                    time.sleep(POLL_SECONDS)
                    locks.take(self._at_tests)

    def _others_at_tests(self) -> bool:
        return any(map(locks.is_taken, at_tests(self.folder)))

    def _note_wanted(self, jobs: Iterable[Job]) -> None:
        planned = set(self.plan)
        for job in jobs:
            if job not in planned:
                note = self.folder / "wanted" / trials.key(job)
                with suppress(OSError):  # on a full disk nobody could help
                    write_atomically(note, trials.canonical(job), durable=False)

    def _wanted(self) -> list[Job]:
        """The jobs that all workers asked for beyond the plan, with all that these read."""
        for path in self.folder.glob("wanted/[!.]*"):
            if path.name not in self._noted:
                # Who wants a job measures it too, so what cannot be read only gets no help.
                with suppress(OSError, ValueError):
                    job = trials.decode(contents(path))
                    if trials.key(job) == path.name:
                        self._noted[path.name] = job
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
        if not locks.take(lock):
            return False
        try:
            if self._have(job):
                return False
            self._measure(job)
            return True
        finally:
            lock.release()

    def _measure(self, job: Job) -> None:
        key, started, clock = trials.key(job), time.time(), time.monotonic()
        note = self.folder / "working" / f"{self.worker}.json"

        def report(share: float) -> None:
            state = Working(self.worker, key, job.label, share, started, signature())
            with suppress(OSError):  # a progress line is not worth a trial
                write_atomically(note, sealed(state), durable=False)

        report(0.0)
        try:
            self.save_again()  # what cannot be saved is not worth measuring
            records = {needed: self._record(needed) for needed in trials.requires(job)}
            self._save(self.measure(job, records, report))
        except Exception as error:
            # This may be another test's job, so its failure must not fail the present test: it is
            # noted for the tests that need the job.
            self._note_failure(job, words(error))
            return
        finally:
            with suppress(OSError):
                note.unlink(missing_ok=True)
        self._note_finished(
            Finished(key, kind_of(job), job.label, time.monotonic() - clock, self.worker)
        )

    def _save(self, record: Record) -> None:
        try:
            self.store.save(record)
        except StoreError:
            self._unsaved[record.key] = record
            raise

    def save_again(self) -> None:
        """Save the records that could not be saved when they were made.

        Raises StoreError where the store still cannot be written.
        """
        for key, record in list(self._unsaved.items()):
            self.store.save(record)
            del self._unsaved[key]
            self._failures.pop(key, None)
            with suppress(OSError):
                self._failure_note(record.job).unlink(missing_ok=True)

    def _note_finished(self, line: Finished) -> None:
        self._unwritten.append(sealed(line))
        with suppress(OSError):  # the record is there, and the next line takes this one along
            while self._unwritten:
                append(self.folder / "journal.jsonl", self._unwritten[0])
                del self._unwritten[0]

    def _free_slot(self) -> FileLock | None:
        for i in range(self.slots):
            if locks.take(lock := self.store.lock(slot(i))):
                return lock
        return None

    def _note_failure(self, job: Job, text: str) -> None:
        self._failures[trials.key(job)] = text
        with suppress(OSError):  # on a full disk the other workers will fail as this one did
            write_atomically(self._failure_note(job), text.encode("utf-8", "replace"))

    def _failure_note(self, job: Job) -> Path:
        return self.folder / "failed" / f"{trials.key(job)}.txt"

    def _failure(self, job: Job) -> str | None:
        """Why this job, or a job that it reads, failed in any worker of this run; or None."""
        own = self._failures.get(trials.key(job)) or text_of(self._failure_note(job))
        return own or next(filter(None, map(self._failure, trials.requires(job))), None)


def words(error: Exception) -> str:
    """An error in one sentence; the system's own say neither where nor what helps."""
    if isinstance(error, OSError) and error.strerror:
        place = f"{error.filename}: " if error.filename else ""
        return f"{place}{cause(error)}. {remedy(error)}"
    return str(error) or type(error).__name__


def slot(number: int) -> str:
    """The name of the lock for one of the jobs that are measured at once."""
    return f"slot-{number}"


def kind_of(job: Job) -> str:
    """The types of a job, its backbone and its data: jobs of one kind take about the same time."""
    if isinstance(job, Experiment):
        return f"Experiment/{job.call.name}"
    parts = (job, getattr(job, "backbone", None), job.data)
    return "/".join(type(part).__name__ for part in parts if part is not None)
