"""Where stores lie: whether a folder is one, and which one was meant by a mistyped name."""

from __future__ import annotations

import difflib
import re
from contextlib import suppress
from pathlib import Path

from ddiv.common.printed import command
from ddiv.trial.store import StoreError

# How alike two names are where one is the other mistyped (`difflib`): one letter more, less or
# changed in names of five, two changed places in names of six.
ALIKE = 0.8


def is_store(folder: Path) -> bool:
    """Whether a folder is a store: it holds records, or runs."""
    return any((folder / name).is_dir() for name in ("trials", "runs"))


def require_store(folder: Path) -> None:
    """Raise StoreError where a folder is no store, with the one that was probably meant."""
    if is_store(folder):
        return
    if not folder.exists():
        why = f"there is no store {folder}"
    else:
        why = f"{folder} is no store: it holds neither `trials` nor `runs`"
    meant = beside(folder)
    if meant:
        raise StoreError(f"{why}. Did you mean {' or '.join(map(str, meant))}?")
    raise StoreError(f"{why}. A run makes one: {command('pytest', 'claims', '--store', folder)}")


def require_meant(folder: Path) -> None:
    """Raise StoreError where a store that is to be made has nearly the name of one that is there.

    A run would train everything anew. Names that differ by their digits alone are meant so.
    """
    if folder.exists():
        return
    mistaken = [each for each in beside(folder) if not _numbered(each.name, folder.name)]
    if mistaken:
        raise StoreError(
            f"there is no store {folder}. Did you mean {mistaken[0]}? To begin a new one: "
            f"{command('mkdir', folder)}"
        )


def beside(folder: Path) -> list[Path]:
    """The stores in the same folder whose names are nearly this one, the most alike first."""
    there: list[str] = []
    with suppress(OSError):
        there = [path.name for path in folder.absolute().parent.iterdir() if is_store(path)]
    return [
        folder.with_name(name) for name in difflib.get_close_matches(folder.name, there, 3, ALIKE)
    ]


def _numbered(one: str, other: str) -> bool:
    return re.sub(r"\d+", "", one) == re.sub(r"\d+", "", other)
