"""What the workers of a run note in its folder: the job that each is at, and the jobs done.

    RUN/working/WORKER.json   the job that a worker is measuring now
    RUN/journal.jsonl         a line for every job that was measured

A worker that is killed leaves its note, which is passed over.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import msgspec

from ddiv.common.drafts import alive
from ddiv.common.errors import cause
from ddiv.common.files import contents
from ddiv.run.files import Unreadable, opened, read


class Finished(msgspec.Struct):
    """One line of a run's journal: a job that was measured."""

    key: str
    kind: str
    label: str
    seconds: float
    worker: str


class Working(msgspec.Struct):
    """The job that one worker is measuring now, for the progress line.

    `share` of it is done, from 0 to 1; `since` is when it began, in seconds since the epoch.
    `owner` is the worker's process (`ddiv.common.drafts.signature`): a killed worker's note stays.
    """

    worker: str
    key: str
    label: str
    share: float
    since: float
    owner: str = ""


def journal(folder: Path) -> list[Finished]:
    """The jobs that a run has measured until now, in the order of their completion.

    Lines that a full disk or a loss of power cut are passed over (`damage`).
    """
    return _journal(folder)[0]


def damage(folder: Path, measured: int | None) -> str | None:
    """What is lost of the journal of a run that `measured` so many jobs (None: not known).

    None where nothing is.
    """
    done, lost = _journal(folder)
    if not lost and measured and len(done) < measured:
        lost = f"{measured - len(done)} of its {measured} lines are missing"
    if not lost:
        return None
    return (
        f"the journal {folder / 'journal.jsonl'} cannot be read in full ({lost}): trials that this "
        "run trained may be counted as trained before. Their records are not touched"
    )


def _journal(folder: Path) -> tuple[list[Finished], str]:
    try:
        text = contents(folder / "journal.jsonl")
    except FileNotFoundError:
        return [], ""
    except OSError as error:
        return [], cause(error)
    done, cut = [], 0
    for line in filter(None, text.split(b"\n")):
        try:
            done.append(opened(line, Finished))
        except Unreadable:
            cut += 1
    return done, f"{cut} damaged line{'s' * (cut > 1)}" if cut else ""


def working(folder: Path) -> list[Working]:
    """The jobs that the workers of a run are measuring now, without those of killed workers."""
    return [state for _, state in _notes(folder) if _lives(state)]


def forget_killed(folder: Path) -> None:
    """Delete what killed workers of a run noted as being measured."""
    for path, state in _notes(folder):
        if not _lives(state):
            with suppress(OSError):
                path.unlink(missing_ok=True)


def _notes(folder: Path) -> Iterator[tuple[Path, Working]]:
    for path in sorted(folder.glob("working/*.json")):
        with suppress(Unreadable):  # the job was finished between the listing and the reading
            yield path, read(path, Working)


def _lives(state: Working) -> bool:
    return not state.owner or alive(state.owner) is not False
