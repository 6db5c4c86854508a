"""What the driver tells of its nodes, for the line of progress.

RUN/machines.json   the jobs that run, and how many each node has done
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import msgspec

from ddiv.common.drafts import alive, signature
from ddiv.common.files import write_atomically
from ddiv.run.files import Unreadable, read, sealed

FILE = "machines.json"

NAMED = 4  # more nodes are only counted


class Machines(msgspec.Struct, frozen=True):
    """The jobs that run on a cluster, the jobs done by node, and how often a job was lost.

    `owner` is the driver's process (`ddiv.common.drafts.signature`).
    """

    running: int
    done: Mapping[str, int]
    lost: int = 0
    owner: str = ""

    def __str__(self) -> str:
        count = len(self.done)
        text = f"on {count} node{'s' * (count != 1)}"
        if 0 < count <= NAMED:
            text += f" ({', '.join(f'{name} {done} done' for name, done in self.done.items())})"
        return text + (f" · {self.lost} lost with a node and sent again" if self.lost else "")


def tell(folder: Path, running: int, done: Mapping[str, int], lost: int) -> None:
    """Write down how a cluster is doing; what cannot be written is only not told."""
    state = Machines(running, dict(sorted(done.items())), lost, signature())
    with suppress(OSError):
        write_atomically(folder / FILE, sealed(state), durable=False)


def told(folder: Path) -> Machines | None:
    """What the driver of a run told last; None where none drives it, or that was killed."""
    if not (folder / FILE).exists():
        return None
    with suppress(Unreadable):
        state = read(folder / FILE, Machines)
        return state if alive(state.owner) is not False else None
    return None
