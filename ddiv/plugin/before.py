"""What is told before anything is trained: studies that are wrong, and what is not at hand.

With xdist only the workers see what is asked. The first of them looks, and writes down what it
found; the controlling process reads that, and stops the run or tells it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress

import msgspec
import pytest

from ddiv.common import locks
from ddiv.common.files import write_atomically
from ddiv.common.printed import one_line
from ddiv.finding import Asked
from ddiv.plugin.session import ABSENT, Session
from ddiv.run import absent, files

FILE = "before.json"


class Found(msgspec.Struct, frozen=True):
    """What the collection of a run found.

    `faults`: what is wrong with its studies, a line each. `left_out`: (study, why it is left out,
    number of claims). `told`: what else there is to tell, a line each.
    """

    faults: tuple[str, ...] = ()
    left_out: tuple[tuple[str, str, int], ...] = ()
    told: tuple[str, ...] = ()


def note_left_out(session: Session, items: Iterable[pytest.Item]) -> None:
    """Count the claims on studies whose data or weights are not at hand."""
    session.left_out = Counter(item.stash[ABSENT] for item in items if ABSENT in item.stash)


def require_sound(session: Session, asked: Sequence[Asked]) -> None:
    """Raise pytest.UsageError where a study of these questions is wrong, with a line for each."""
    if found := faults(session, asked):
        raise pytest.UsageError(*found.values())


def faults(session: Session, asked: Sequence[Asked]) -> dict[str, str]:
    """What is wrong with the studies of these questions, by name (`ddiv.run.checked`).

    On a cluster only studies are looked at whose data and weights are here too.
    """
    from ddiv.run import checked

    if session.on_nodes is not None:
        asked = [each for each in asked if absent.data_or_weights(each.study) is None]
    return checked.faults(asked, session.store)


def data_of(asked: Iterable[Asked]) -> Iterator[str]:
    """What data the studies of these questions have, a line each."""
    from ddiv.run import checked

    return checked.found(asked)


def share(session: Session, asked: Sequence[Asked]) -> bool:
    """In a worker of xdist: write down what the collection found, unless another worker has.

    Returns whether the run goes on.
    """
    path = session.folder / FILE
    # On a full disk the trials of a wrong study fail one by one.
    with suppress(OSError, files.Unreadable):
        path.parent.mkdir(parents=True, exist_ok=True)
        with locks.held(session.folder / "before.lock"):
            if not path.exists():
                wrong = tuple(faults(session, asked).values())
                left_out = tuple((*pair, count) for pair, count in session.left_out.items())
                found = Found(wrong, left_out, tuple(session.told))
                write_atomically(path, files.sealed(found), durable=False)
        return not files.read(path, Found).faults
    return True


def take(session: Session, say: Callable[[str], None]) -> None:
    """In the controlling process: tell what a worker found, once.

    Raises pytest.UsageError where it found that studies are wrong.
    """
    with suppress(files.Unreadable):
        found = files.read(session.folder / FILE, Found)
        if found.faults:
            raise pytest.UsageError(*found.faults)
        if not session.left_out and not session.told:
            session.left_out = Counter({(study, why): n for study, why, n in found.left_out})
            session.told += found.told
            for line in (*absent.lines(session.left_out), *session.told):
                say(one_line(line))
