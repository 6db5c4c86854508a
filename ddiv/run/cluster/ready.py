"""The jobs that can be sent, and which of them goes next.

Jobs that others read go first, the others in the order of the plan, so that verdicts come early.
Towards the end, when few are left for the room that there is, those go first that take longest: a
long job that begins last would keep one worker busy and leave all others idle. (Graham 1969,
"Bounds on multiprocessing timing anomalies", SIAM Journal on Applied Mathematics 17: longest first
ends within 4/3 of the best, any order within 2.)
"""

from __future__ import annotations

from collections import defaultdict, deque
from dataclasses import dataclass, field

from ddiv.trial import GeneratorFit, Job, Samples

# The end begins when no more jobs wait than this many for each that may be in flight.
END = 4


@dataclass
class Ready:
    """A queue of keys. Jobs of one study and one type are taken to last about as long."""

    _groups: dict[str, deque[tuple[int, str]]] = field(default_factory=dict)
    _seconds: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    _counts: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    _serial: int = 0
    _length: int = 0

    def __len__(self) -> int:
        return self._length

    def push(self, key: str, job: Job) -> None:
        self._serial += 1
        self._length += 1
        self._groups.setdefault(_group(job), deque()).append((self._serial, key))

    def pop(self, room: int) -> str:
        """The next key, where this many jobs may be in flight. Raises ValueError where none is."""
        at_end = self._length <= END * room

        def place(group: str) -> tuple[bool, float, int]:
            known = self._counts[group]
            longest = self._seconds[group] / known if known and at_end else 0.0
            return not group.startswith(_READ), -longest, self._groups[group][0][0]

        group = min(self._groups, key=place)
        _, key = self._groups[group].popleft()
        if not self._groups[group]:
            del self._groups[group]
        self._length -= 1
        return key

    def took(self, job: Job, seconds: float) -> None:
        """A job has taken this long."""
        self._seconds[_group(job)] += seconds
        self._counts[_group(job)] += 1


_READ = "read "  # how the groups of jobs begin that other jobs read


def _group(job: Job) -> str:
    is_read = isinstance(job, GeneratorFit | Samples)
    return f"{_READ if is_read else ''}{type(job).__name__} {job.study}"
