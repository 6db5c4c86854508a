"""Why a worker waits for another run or a suspended process: said in the line of progress.

A worker notes it in the run's folder, as waiting/WORKER.json.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from ddiv.common import locks
from ddiv.common.drafts import alive, signature
from ddiv.common.files import write_atomically
from ddiv.run.files import Unreadable, read, sealed

QUIET_SECONDS = 3.0  # waits that are shorter are not worth a word


class Waiting(msgspec.Struct):
    """What a worker waits for, in words; `owner` is its process."""

    worker: str
    text: str
    owner: str


@dataclass
class Patience:
    """Counts how long a worker has been waiting, and tells what for."""

    folder: Path
    worker: str
    _since: float | None = field(default=None, repr=False)
    _told: float = field(default=0.0, repr=False)

    def over(self) -> None:
        """The worker has something to do."""
        if self._since is not None:
            self._since = None
            with suppress(OSError):
                self._note.unlink(missing_ok=True)

    def is_tried(self) -> bool:
        """Whether the worker, which has nothing to do now, has waited so long that it says why."""
        now = time.monotonic()
        self._since = now if self._since is None else self._since
        return min(now - self._since, now - self._told) > QUIET_SECONDS

    def tell(self, needed: Mapping[Path, str]) -> None:
        """Note which of the `needed` locks, named in words, another run holds, or a suspended
        process.
        """
        self._told = time.monotonic()
        with suppress(OSError):  # a line of progress
            reasons = list(_in_the_way(needed, self.folder))
            if reasons:
                more = f", and {len(reasons) - 1} more" if len(reasons) > 1 else ""
                text = f"{self.worker} waits: {reasons[0]}{more}"
                state = Waiting(self.worker, text, signature())
                write_atomically(self._note, sealed(state), durable=False)
            else:
                self._note.unlink(missing_ok=True)

    @property
    def _note(self) -> Path:
        return self.folder / "waiting" / f"{self.worker}.json"


def at_tests(folder: Path) -> list[Path]:
    """The locks of a run's workers that have tests, or had some."""
    return sorted(folder.glob("at-tests/*"))


def _in_the_way(needed: Mapping[Path, str], folder: Path) -> Iterator[str]:
    ours = {other.owner for path in at_tests(folder) if (other := locks.holder(path))}
    for path, name in needed.items():
        if not path.exists() or not locks.is_taken(path) or not (other := locks.holder(path)):
            continue
        if other.stopped or other.owner not in ours:
            yield f"{name} is with {other}"


def told(folder: Path) -> list[str]:
    """What the workers of a run wait for, in words."""
    texts = []
    for path in sorted(folder.glob("waiting/*.json")):
        with suppress(Unreadable):
            state = read(path, Waiting)
            if alive(state.owner) is not False:
                texts.append(state.text)
    return texts
