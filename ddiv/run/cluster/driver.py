"""The driver: drains a plan over a cluster, each job once, and keeps the records in its store.

One thread takes events in turn: jobs that tests ask for, answers of nodes, records written. It
sends a job when all that the job reads is stored. Records are written by a few threads, since a
flush to the disk takes longer than all else. A job that another run is at is left to that run.

What a driver that is killed loses is the jobs in flight: Ray ends the tasks of a driver that is
gone, and the next run finds every record that was written.
"""

from __future__ import annotations

import queue
import resource
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

from filelock import FileLock

from ddiv import trial as trials
from ddiv.common import locks
from ddiv.run.cluster import machines
from ddiv.run.cluster.orders import Answer, Failed, Made, Node, Unfit
from ddiv.run.cluster.ready import Ready
from ddiv.run.crew import Crew, kind_of, words
from ddiv.run.notes import Finished
from ddiv.trial import Job
from ddiv.trial.store import Record, StoreError

# How often the worker of one job may die, and the node under it be lost, before that is a failure
# of the job: a worker most often dies of what it does, a node of something else.
DEATHS, LOSSES = 4, 20

WRITERS = 8  # threads that write records

# Records that wait to be written; nothing is sent while there are more.
MOST_UNWRITTEN = 64

PORTION = 500  # jobs of a plan that are looked at before those that can be are sent

LOOK_SECONDS = 1.0  # between looks at what other runs have done, and lines for the progress

STOP_SECONDS = 60.0  # for the thread to end: a cluster that is gone may not answer

LOCK = "driver"  # the file in the driver's folder that is locked as long as it works

FILES = 1 << 16  # that this process may hold open: each job in flight has a lock

# How long a record takes to be seen on a shared disk at most.
SEEN_SECONDS = 60.0


class Lost(Exception):
    """A job is lost, and can be sent again: with its worker, or with its `node`."""

    def __init__(self, text: str, node: bool) -> None:
        super().__init__(text)
        self.node = node


class Cluster(Protocol):
    """What a driver needs of a cluster."""

    def begin(self, code: bytes) -> None:
        """Let nodes have the functions of a user's own that jobs call, before any job is sent."""

    def send(self, job: Job, load: Callable[[Job], Record]) -> Future[Answer]:
        """Have a job measured; `load` gives the records that it reads. Raises as `load` does.

        The future raises Lost where the job is to be sent again.
        """

    def room(self) -> int:
        """How many jobs may be in flight."""

    def at_once(self) -> int:
        """How many jobs its nodes measure at once."""

    def shun(self, node: Node) -> None:
        """Send no more jobs to a node that cannot measure them; raises ValueError where none can.

        That is an error of the run, and its message says what to do.
        """

    def stop(self) -> None:
        """End all tasks, and leave the cluster."""


class Keeper(Crew):
    """Keeps what others measure: records, failures and the journal, as a worker of a run does."""

    def keep(self, job: Job, made: Made) -> None:
        """Write a record. Raises StoreError; then it is kept until `save_again`."""
        if not made.kept:
            return self._save(Record(job, made.facts, made.arrays))
        since = time.monotonic()
        while job not in self.store:  # another machine has written it
            if time.monotonic() - since > SEEN_SECONDS:
                raise StoreError(
                    f"the record {trials.key(job)} that {made.node} wrote by --ray-store is not "
                    f"in the store {self.store.root} here: let both be one folder"
                )
            time.sleep(0.2)
        return None

    def done(self, job: Job, made: Made) -> None:
        """Write a line of the journal."""
        key = trials.key(job)
        self._note_finished(Finished(key, kind_of(job), job.label, made.seconds, made.node))

    def fail(self, job: Job, text: str) -> None:
        """Note why a job cannot be measured in this run."""
        self._note_failure(job, text)

    def failure(self, key: str) -> str | None:
        """Why the job of this key could not be measured, as this process knows."""
        return self._failures.get(key)


@dataclass
class Driver:
    """Measures the jobs that it is asked for on a cluster.

    `listen` is called in turn and returns further jobs, those that other processes ask for.
    `broken` says why the driver does not go on; then no job is measured any more. `ended` is told
    when the driver's thread ends, and is given that reason or "".
    """

    keeper: Keeper
    cluster: Cluster
    listen: Callable[[Driver], Iterable[Job]] = lambda driver: ()
    ended: Callable[[str], None] = lambda why: None
    tick: float = 0.5
    broken: str = ""
    done: Counter[str] = field(default_factory=Counter)
    lost: int = 0
    _jobs: dict[str, Job] = field(default_factory=dict, repr=False)
    _over: set[str] = field(default_factory=set, repr=False)
    _lacking: dict[str, set[str]] = field(default_factory=dict, repr=False)
    _readers: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list), repr=False)
    _ready: Ready = field(default_factory=Ready, repr=False)
    _flying: dict[str, FileLock] = field(default_factory=dict, repr=False)
    _unwritten: set[str] = field(default_factory=set, repr=False)
    _elsewhere: list[str] = field(default_factory=list, repr=False)
    _losses: Counter[tuple[str, bool]] = field(default_factory=Counter, repr=False)
    _looked: float = 0.0

    def __post_init__(self) -> None:
        self._events: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._stopping = threading.Event()
        self._writers = ThreadPoolExecutor(WRITERS, "ddiv-records")
        self._thread = threading.Thread(target=self._run, name="ddiv-driver", daemon=True)

    # --- for other threads ----------------------------------------------------------------------

    def start(self) -> None:
        _raise_limit()
        self._thread.start()

    def begin(self, code: bytes) -> None:
        """Give the cluster the code of the jobs that are asked for from now on."""
        self._events.put(partial(self.cluster.begin, code))

    def ask(self, jobs: Iterable[Job]) -> None:
        """Have these jobs measured, and all that they read."""
        self._events.put(partial(self._add, list(jobs)))

    def stop(self) -> None:
        """End what is in flight; records that have arrived are kept."""
        self._stopping.set()
        self._events.put(lambda: None)
        if self._thread.is_alive():
            self._thread.join(STOP_SECONDS)
        self.cluster.stop()

    # --- the driver's thread --------------------------------------------------------------------

    def _run(self) -> None:
        try:
            while not self._stopping.is_set():
                self._take_events(self.tick)
                self._add(self.listen(self))
                self._look()
                self._dispatch()
            self._take_events(0.0)  # what has arrived is kept
            self._writers.shutdown()
            self._take_events(0.0)
        except Exception as error:
            self.broken = words(error)
        finally:
            machines.tell(self.keeper.folder, 0, self.done, self.lost)
            self.ended(self.broken)

    def _take_events(self, seconds: float) -> None:
        """Take all events that are there, after waiting this long for the first."""
        with suppress(queue.Empty):
            event = self._events.get(timeout=seconds) if seconds else self._events.get_nowait()
            while True:
                event()
                event = self._events.get_nowait()

    def _add(self, jobs: Iterable[Job]) -> None:
        for number, job in enumerate(trials.with_requirements(jobs), 1):
            if number % PORTION == 0:
                self._dispatch()  # a long plan takes seconds to look at
            key = trials.key(job)
            if key in self._jobs or key in self._over:
                continue
            if job in self.keeper.store:
                self._over.add(key)
                continue
            needed = {trials.key(each) for each in trials.requires(job)}
            self._jobs[key] = job
            if lacking := needed & self._jobs.keys():
                self._lacking[key] = lacking
                for each in lacking:
                    self._readers[each].append(key)
            elif any(map(self.keeper.failure, needed)):
                self._forget(key)
            else:
                self._push(key)

    def _push(self, key: str) -> None:
        self._ready.push(key, self._jobs[key])

    def _dispatch(self) -> None:
        while self._ready and len(self._unwritten) < MOST_UNWRITTEN:
            room = self.cluster.room()
            if len(self._flying) - len(self._unwritten) >= room:
                break
            key = self._ready.pop(room)
            job, lock = self._jobs[key], self.keeper.store.lock(key)
            if not locks.take(lock):
                self._elsewhere.append(key)
            elif job in self.keeper.store:
                lock.release()
                self._finish(key)
            else:
                self._send(key, job, lock)

    def _send(self, key: str, job: Job, lock: FileLock) -> None:
        self._flying[key] = lock
        try:
            future = self.cluster.send(job, self.keeper.store.load)
        except StoreError as error:  # a record that it reads is damaged
            self._fail(key, str(error))
            return
        future.add_done_callback(lambda there: self._events.put(partial(self._landed, key, there)))

    def _landed(self, key: str, there: Future[Answer]) -> None:
        try:
            answer = there.result()
        except Lost as error:
            self._send_again(key, error)
            return
        match answer:
            case Made():
                self._unwritten.add(key)
                written = self._writers.submit(self.keeper.keep, self._jobs[key], answer)
                written.add_done_callback(
                    lambda it: self._events.put(partial(self._written, key, answer, it))
                )
            case Failed(text):
                self._fail(key, text)
            case Unfit(node):
                self.cluster.shun(node)
                self._land(key)
                self._push(key)

    def _send_again(self, key: str, error: Lost) -> None:
        self._losses[key, error.node] += 1
        self.lost += 1
        if self._losses[key, error.node] < (LOSSES if error.node else DEATHS):
            self._land(key)
            self._push(key)
        else:
            what = "nodes under it" if error.node else "workers at it"
            self._fail(key, f"{self._losses[key, error.node]} {what} died, at last: {error}")

    def _written(self, key: str, made: Made, written: Future[None]) -> None:
        # A store that cannot be written ends the driver: more records would only fill its memory.
        written.result()
        self._unwritten.discard(key)
        self.keeper.done(self._jobs[key], made)
        self.done[made.node] += 1
        self._ready.took(self._jobs[key], made.seconds)
        self._land(key)
        self._finish(key)

    def _land(self, key: str) -> None:
        self._flying.pop(key).release()

    def _finish(self, key: str) -> None:
        """A record is there: jobs that waited for nothing else can be sent."""
        del self._jobs[key]
        self._over.add(key)
        for reader in self._readers.pop(key, ()):
            if reader in self._jobs:
                self._lacking[reader].discard(key)
                if not self._lacking[reader]:
                    del self._lacking[reader]
                    self._push(reader)

    def _fail(self, key: str, text: str) -> None:
        self._land(key)
        self.keeper.fail(self._jobs[key], text)
        self._forget(key)

    def _forget(self, key: str) -> None:
        """A job cannot be measured, nor can those that read it."""
        del self._jobs[key]
        self._over.add(key)
        self._lacking.pop(key, None)
        for reader in self._readers.pop(key, ()):
            if reader in self._jobs:
                self._forget(reader)

    def _look(self) -> None:
        """Now and then: try what another run was at, and tell how it goes."""
        if time.monotonic() - self._looked < LOOK_SECONDS:
            return
        self._looked = time.monotonic()
        for key in self._elsewhere:
            self._push(key)
        self._elsewhere.clear()
        running = min(len(self._flying) - len(self._unwritten), self.cluster.at_once())
        machines.tell(self.keeper.folder, running, self.done, self.lost)


def _raise_limit() -> None:
    """Let this process hold as many files open as it may, up to FILES."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = FILES if hard == resource.RLIM_INFINITY else min(FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < most:
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
