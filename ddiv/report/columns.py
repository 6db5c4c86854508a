"""The three columns of a claim: what the paper says, what its authors' published tables say, and
what retraining says.
"""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path

import msgspec

from ddiv.finding.calibration import AS_CODED
from ddiv.report.published import answers
from ddiv.report.schema import Departure, PaperSays, TableAnswer

FOLDER = Path(answers.__file__).parent

# The study of the authors' tables: nothing of it was retrained.
AUTHORS = "authors"


@cache
def _said() -> dict[str, PaperSays]:
    read = tomllib.loads((FOLDER / "paper_says.toml").read_text("utf-8"))
    return {claim: PaperSays(*words) for claim, words in read["claims"].items()}


def paper_says(claim: str) -> PaperSays | None:
    """What the paper says of a claim; None of claims that are not the paper's."""
    return _said().get(claim)


@cache
def _answers() -> dict[str, tuple[TableAnswer, ...]]:
    rows: dict[str, list[TableAnswer]] = {}
    for one in answers.shipped().answers:
        rows.setdefault(one.claim, []).append(one)
    return {claim: tuple(found) for claim, found in rows.items()}


def tables_say(claim: str) -> tuple[TableAnswer, ...]:
    """What the authors' tables say of a claim, a row a variant; those that they answer first."""
    return tuple(sorted(_answers().get(claim, ()), key=lambda one: not one.of))


@cache
def departures() -> tuple[Departure, ...]:
    """Where the published code departs from the text."""
    read = tomllib.loads((FOLDER / "departures.toml").read_text("utf-8"))
    return msgspec.convert(read["departure"], tuple[Departure, ...])


def is_coded(study: str) -> bool:
    """Whether a study does what the published code does."""
    return study.endswith(AS_CODED)
