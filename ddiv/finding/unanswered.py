"""A question of a run with its finding, or with the reason why it has none.

Trouble is never a verdict. A run that met with an error at a later seed may have left all records
of the first seeds, and what these say is not what the run said.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ddiv.common.printed import one_line
from ddiv.finding.asked import GONE, Asked
from ddiv.finding.finding import Finding
from ddiv.finding.kept import answered
from ddiv.finding.reader import Reader
from ddiv.finding.seeds import with_stored
from ddiv.outcome import OutcomeFailed
from ddiv.trial.store import NoRecord, StoreError


@dataclass(frozen=True)
class Unanswered:
    """Why a question has no finding.

    - "not applicable": the study cannot be asked it;
    - "not run": the run ended before, or a record is no longer in the store;
    - "error": a trial failed, or a record cannot be read.
    """

    word: Literal["not applicable", "not run", "error"]
    reason: str


def settled(
    asked: Asked, reader: Reader, most: int = 0, definitions: bool = True
) -> Finding | Unanswered:
    """What a run came to on one of its questions, from stored records.

    The answer is from the seeds that the run spent on it and from all further ones, up to `most` in
    all, that are stored by now; `definitions` as in `answer`.
    """
    if asked.not_applicable:
        return Unanswered("not applicable", asked.not_applicable)
    if asked.error:
        return Unanswered("error" if asked.failed else "not run", asked.error)
    try:
        seen = with_stored(asked, lambda asked: _all_stored(asked, reader), most)
        return answered(seen, reader, definitions)
    except NoRecord:
        return Unanswered("not run", GONE)
    except (StoreError, OutcomeFailed) as error:
        return Unanswered("error", str(error))
    except Exception as error:
        # One question that cannot be answered must not hide the answers to all others.
        return Unanswered(
            "error",
            "its records are whole, and ddiv cannot answer it from them "
            f"({type(error).__name__}: {one_line(error)}): another version of ddiv made them, or "
            "this is a fault of ddiv's own, please report it",
        )


def _all_stored(asked: Asked, reader: Reader) -> bool:
    """Raises StoreError where a record is there and cannot be read: it is not passed over."""
    try:
        return all(map(reader.record, asked.jobs()))
    except NoRecord:
        return False
