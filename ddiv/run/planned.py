"""The questions that a run means to ask, from before its tests come to them.

    RUN/planned.json    all of them, as they begin
    RUN/asked/*.json    those that tests have come to (`ddiv.run.run`)

A page that is written while the run goes on answers every question whose records are there.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from ddiv.common.files import write_atomically
from ddiv.finding import Asked
from ddiv.run import files
from ddiv.run.files import Unreadable, sealed
from ddiv.run.run import folder, load_asked
from ddiv.trial.store import Store


class Planned(msgspec.Struct, frozen=True):
    """Every question of a run, in the order of its tests."""

    asked: tuple[Asked, ...]


def save(store: Store, run_id: str, asked: Iterable[Asked]) -> None:
    """Write the questions unless they are there: the first of the workers writes those of all.

    Raises StoreError where the store cannot be written.
    """
    path = folder(store, run_id) / "planned.json"
    if path.exists():
        return
    try:
        write_atomically(path, sealed(Planned(tuple(asked))), durable=False)
    except OSError as error:
        raise store.unwritable(error) from error


def questions(store: Store, run_id: str) -> list[Asked]:
    """The questions of a run in the order of its tests: as tests noted them, else as planned."""
    noted = {asked.test: asked for asked in load_asked(store, run_id)}
    try:
        planned = files.read(folder(store, run_id) / "planned.json", Planned).asked
    except Unreadable:  # of a run before there were plans of questions, or on a full disk
        planned = ()
    return [noted.pop(asked.test, asked) for asked in planned] + list(noted.values())
