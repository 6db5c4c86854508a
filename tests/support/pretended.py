"""A cluster without machines, and jobs without work, for the driver of `ddiv.run.cluster`."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np

from ddiv.run.cluster.driver import Driver, Keeper
from ddiv.run.cluster.orders import Answer, Made
from ddiv.study import Digits, Recipe, ResNet18
from ddiv.treatment import BASELINE, Flow, Setting, Synthetic, Treatment
from ddiv.trial import Job, Trial, key, requires
from ddiv.trial.store import Record, Store


def job(seed: int) -> Trial:
    return Trial(Digits(100), ResNet18(8, 2), Recipe(1, 10, 1e-3), BASELINE, seed, "a study")


def synthetic(seed: int) -> Trial:
    """A trial that reads samples, which read a generator."""
    arm = Treatment.of(Synthetic(0.5, Flow(8, 8, 1), Setting("good")))
    return Trial(Digits(100), ResNet18(8, 2), Recipe(1, 10, 1e-3), arm, seed, "a study")


def made(job: Job, node: str = "a", seconds: float = 0.0) -> Made:
    return Made({"key": key(job)}, {"x": np.zeros(4)}, seconds, node)


class Pretended:
    """Answers with what `answer` returns or raises; `sent` are the keys in the order of sending."""

    def __init__(
        self,
        answer: Callable[[Job, list[Record]], Answer] = lambda job, records: made(job),
        at_once: int = 2,
    ) -> None:
        self.answer, self._at_once = answer, at_once
        self.sent: list[str] = []
        self.shunned: list[str] = []
        self.codes: list[bytes] = []
        self.most, self._now, self._lock = 0, 0, threading.Lock()
        self._pool = ThreadPoolExecutor(at_once)
        self.stopped = False

    def begin(self, code: bytes) -> None:
        self.codes.append(code)

    def send(self, job: Job, load: Callable[[Job], Record]) -> Future[Answer]:
        self.sent.append(key(job))
        records = [load(each) for each in requires(job)]
        return self._pool.submit(self._measure, job, records)

    def _measure(self, job: Job, records: list[Record]) -> Answer:
        with self._lock:
            self._now += 1
            self.most = max(self.most, self._now)
        try:
            return self.answer(job, records)
        finally:
            with self._lock:
                self._now -= 1

    def room(self) -> int:
        return self._at_once

    at_once = room

    def shun(self, node) -> None:
        self.shunned.append(node.name)

    def stop(self) -> None:
        self.stopped = True


def measures_nothing(*_):
    raise AssertionError("nodes measure")


def driver(folder, cluster, **more) -> Driver:
    """A driver with the store `folder`/store, that has started."""
    keeper = Keeper(Store(folder / "store"), folder / "run", measures_nothing, worker="driver")
    (folder / "run").mkdir(parents=True, exist_ok=True)
    begun = Driver(keeper, cluster, **({"tick": 0.02} | more))
    begun.start()
    return begun


def until(condition: Callable[[], object], seconds: float = 20.0) -> None:
    """Wait until it holds; fail after so many seconds."""
    since = time.monotonic()
    while not condition():
        assert time.monotonic() - since < seconds, "it did not happen"
        time.sleep(0.01)
