"""Questions looked at before their tests' turn, so that a cluster has the further seeds to train.

Tests wait one after the other, and each asks for one more seed at a time. A cluster would stand
idle meanwhile. So a process that waits looks whether the trials of other questions are all there,
answers those, and asks for their next seeds, by the policy that their tests follow: whether a
question gets a seed depends on its results up to the one before, and not on when they are looked
at. The answers are kept for the tests.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from ddiv.finding import Asked, Finding
from ddiv.outcome import OutcomeFailed
from ddiv.trial import Job
from ddiv.trial.store import StoreError

AT_ONCE = 200  # questions that are looked at in one step: each costs a look at the disk

# A step that finds nothing is followed by so many times its length without a look: the processor
# may be one of those that train.
REST = 20


class NotYet(Exception):
    """Trials of a question are not there."""

    def __init__(self, jobs: list[Job]) -> None:
        super().__init__()
        self.jobs = jobs


# The answer that a test would give, by a function that obtains answers at given seeds.
Answered = Callable[[Asked, Callable[[Asked], Finding]], Finding]


@dataclass
class Ahead:
    """Looks at the questions of a run as their trials come in.

    `has` says whether a record is there, `ask` has jobs measured, `answer` answers a question from
    records that are there, `replicate` gives it the seeds that its test would.
    """

    has: Callable[[Job], bool]
    ask: Callable[[Iterable[Job]], None]
    answer: Callable[[Asked], Finding]
    replicate: Answered
    clock: Callable[[], float] = time.monotonic
    found: dict[tuple[str, tuple[int, ...]], Finding] = field(default_factory=dict, repr=False)
    _open: deque[tuple[Asked, Iterator[Job], Job | None]] = field(default_factory=deque, repr=False)
    _rests: float = field(default=0.0, repr=False)  # until then

    def add(self, questions: Iterable[Asked]) -> None:
        for asked in questions:
            if not asked.not_applicable:
                self._wait_for(asked, asked.jobs())

    def _wait_for(self, asked: Asked, jobs: Iterable[Job]) -> None:
        left = iter(jobs)
        self._open.append((asked, left, next(left, None)))

    def step(self) -> bool:
        """Look at one question whose trials are all there. False where there is none now."""
        if (begun := self.clock()) < self._rests:
            return False
        for _ in range(min(AT_ONCE, len(self._open))):
            asked, left, job = self._open.popleft()
            while job is not None and self.has(job):
                job = next(left, None)
            if job is not None:
                self._open.append((asked, left, job))
            else:
                self._look(asked)
                return True
        ended = self.clock()
        self._rests = ended + REST * (ended - begun)
        return False

    def _look(self, asked: Asked) -> None:
        def obtain(asked: Asked) -> Finding:
            jobs = asked.jobs()
            if missing := [job for job in jobs if not self.has(job)]:
                raise NotYet(missing)
            return self.known(asked)

        try:
            self.replicate(asked, obtain)
        except NotYet as error:
            self.ask(error.jobs)
            self._wait_for(asked, error.jobs)
        except (StoreError, OutcomeFailed):
            pass  # its test will say so

    def known(self, asked: Asked) -> Finding:
        """The answer at these seeds, which is found once."""
        name = (asked.test, asked.seeds)
        if name not in self.found:
            self.found[name] = self.answer(asked)
        return self.found[name]
