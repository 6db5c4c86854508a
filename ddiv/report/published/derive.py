"""Derive the figures that the package ships from a checkout of the authors' repository.

    pytest claims --profile authors --data-root CHECKOUT --store STORE
    python -m ddiv.report.published.derive CHECKOUT STORE

The first command puts the claims to the tables, the second writes effects.csv and answers.json
beside this file.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import msgspec

from ddiv.common.files import write_atomically
from ddiv.data.root import FOLDER_VARIABLE
from ddiv.finding import Asked, Finding, Reader, Unanswered, settled
from ddiv.profiles import authors
from ddiv.report.published import answers, effects
from ddiv.run import run as runs
from ddiv.study import Tables
from ddiv.trial.store import Store

COMMAND = (
    "pytest claims --profile authors --data-root CHECKOUT --store STORE && "
    "python -m ddiv.report.published.derive CHECKOUT STORE"
)


def effects_text() -> str:
    """The text of effects.csv, of the checkout that the data root names.

    Those arms that behave as repeats of their baseline are among them, under their own names.
    """
    (study,) = authors.studies(with_repeats=True)
    assert isinstance(study.data, Tables)
    return effects.written(effects.effects(study.data.sets))


def answers_text(found: list[tuple[Asked, Finding | Unanswered]]) -> bytes:
    """The text of answers.json, a line an answer."""
    origin = {"source": authors.REPOSITORY, "commit": authors.COMMIT, "command": COMMAND}
    head = msgspec.json.encode(origin)[:-1] + b',"answers":[\n'
    return head + b",\n".join(map(msgspec.json.encode, answers.published(found))) + b"\n]}\n"


def answered(store: Store) -> list[tuple[Asked, Finding | Unanswered]]:
    """What the store's last run of the profile came to. Raises ValueError where there is none."""
    found = [each for each in runs.stored(store).runs if each.profile == "authors"]
    if not found:
        raise ValueError(f"{store.root} has no run of the profile authors: {COMMAND}")
    reader = Reader(store)
    asked = sorted(runs.load_asked(store, found[0].id), key=lambda one: (one.claim.id, one.variant))
    return [(one, settled(one, reader)) for one in asked]


def main(checkout: str, store: str) -> None:
    """Write both files."""
    os.environ[FOLDER_VARIABLE] = str(Path(checkout).resolve())
    write_atomically(effects.FILE, effects_text().encode())
    write_atomically(answers.FILE, answers_text(answered(Store(store))))


if __name__ == "__main__":
    main(*sys.argv[1:])
