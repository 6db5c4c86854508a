"""What a test waits with where a driver measures: it asks for jobs, and measures none itself.

With xdist the tests are in other processes than the driver. They hand it their jobs in a folder
that only this user can read, and see by the driver's lock there that it still works:

    FOLDER/code, 0.jobs   functions of the user's own (`ddiv.run.cluster.code`); the plan, a job a
                          line, which the first process writes for all
           1-*.jobs       further jobs
           driver, why    the lock; why the driver stopped
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

from filelock import FileLock

from ddiv import trial as trials
from ddiv.common import locks
from ddiv.common.files import contents, write_atomically
from ddiv.run.cluster import code
from ddiv.run.cluster.driver import LOCK, Driver
from ddiv.run.crew import POLL_SECONDS, Crew, JobFailed
from ddiv.run.files import text_of
from ddiv.trial import Job

LOOK_SECONDS = 2.0  # between looks whether the driver still works

STOPPED = (
    "the process that drives Ray has stopped; run the same command again: what is stored is not "
    "trained again"
)


@dataclass
class Asker(Crew):
    """One process's part in a run that a driver measures for; `hand` gives it jobs, with the plan
    also the code that jobs call.

    `stopped` says why the driver does not go on, or is "". `meanwhile` does something useful while
    a test waits, and returns whether there was anything to do. `failed` knows of failures that the
    run's folder may not show.
    """

    hand: Callable[[Sequence[Job], bytes | None], None] = lambda jobs, code: None
    stopped: Callable[[], str] = lambda: ""
    meanwhile: Callable[[], bool] | None = None
    failed: Callable[[str], str | None] = lambda key: None
    _asked: set[str] = field(default_factory=set, repr=False)
    _looked: float = field(default=0.0, repr=False)
    _why: str = field(default="", repr=False)

    def begin(self, plan: Sequence[Job]) -> None:
        self.plan = plan
        self._asked.update(map(trials.key, plan))
        self.hand([job for job in plan if not self._have(job)], code.packed())

    def ask(self, jobs: Iterable[Job]) -> None:
        """Ask the driver for jobs that it was not asked for."""
        new = [job for job in jobs if trials.key(job) not in self._asked]
        self._asked.update(map(trials.key, new))
        if missing := [job for job in new if not self._have(job)]:
            self.hand(missing, None)

    def drain(self) -> None:
        """Nothing is measured here; who looks ahead does so while others have tests."""
        if self._at_tests is not None:
            self._at_tests.release()
        with suppress(JobFailed):
            while self.meanwhile and self._others_at_tests():
                if not self.meanwhile():
                    self._wait(None)

    def _note_wanted(self, jobs: Iterable[Job]) -> None:
        self.ask(jobs)

    def _take_one(self, candidates: Sequence[Job]) -> bool:
        return bool(self.meanwhile and self.meanwhile())

    def _wanted(self) -> list[Job]:
        return []

    def _wait(self, needed: object) -> None:
        if time.monotonic() - self._looked > LOOK_SECONDS:
            self._looked = time.monotonic()
            self._why = self.stopped()
        if self._why:
            raise JobFailed(self._why)
        time.sleep(POLL_SECONDS)

    def _failure(self, job: Job) -> str | None:
        return self.failed(trials.key(job)) or super()._failure(job)


class Desk:
    """Where the driver takes jobs from other processes."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder or Path(tempfile.mkdtemp(prefix="ddiv-ray-"))
        self._lock: FileLock | None = None
        self._taken: set[str] = set()

    def open(self) -> None:
        """Hold the driver's lock from now on."""
        self._lock = locks.lock(self.folder / LOCK)
        locks.take(self._lock)

    def jobs(self, driver: Driver) -> Iterator[Job]:
        """Jobs that came since the last call; code that came before them goes to the cluster."""
        for path in sorted(self.folder.glob("[!.]*.jobs")):
            if path.name not in self._taken:
                self._taken.add(path.name)
                if path.name == "0.jobs":
                    driver.cluster.begin(contents(self.folder / "code"))
                yield from map(trials.decode, contents(path).splitlines())
                path.unlink()

    def close(self, why: str = "") -> None:
        """The driver works no longer, for this reason; whoever waits is told."""
        if why:
            with suppress(OSError):
                write_atomically(self.folder / "why", why.encode(), durable=False)
        if self._lock is not None:
            self._lock.release()

    def clear(self) -> None:
        """Delete the folder, when nobody asks any more."""
        self.close()
        shutil.rmtree(self.folder, ignore_errors=True)


def hand(folder: Path, jobs: Sequence[Job], packed: bytes | None) -> None:
    """Hand jobs to the driver of this desk; with code the plan, of which one is enough."""
    name = f"1-{uuid4().hex}.jobs"
    if packed is not None:
        try:
            (folder / "planned").touch(exist_ok=False)
        except FileExistsError:
            return
        write_atomically(folder / "code", packed, durable=False)
        name = "0.jobs"
    write_atomically(folder / name, b"\n".join(map(trials.canonical, jobs)), durable=False)


def stopped(folder: Path) -> str:
    """Why the driver of this desk does not go on; "" where it does."""
    if not folder.is_dir() or not locks.is_taken(folder / LOCK):
        return text_of(folder / "why") or STOPPED
    return ""
