"""A failing input with less in it: without files, and with shorter ones."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tests.fuzz import fork
from tests.fuzz.inputs import Files
from tests.fuzz.readers import Reader

TRIES = 60


def smaller(reader: Reader, files: Files, failure: fork.Outcome, folder: Path) -> Files:
    """An input that fails as the given one does; at most `TRIES` are tried. Hangs stay whole."""
    if failure.kind == "hang":
        return files
    tries = 0
    found = True
    while found and tries < TRIES:
        found = False
        for candidate in _less(files):
            tries += 1
            ((_, outcome),) = fork.batch(reader, lambda _, one=candidate: one, range(1), folder)
            if (outcome.kind, outcome.where) == (failure.kind, failure.where):
                files, found = candidate, True
                break
            if tries >= TRIES:
                break
    return files


def _less(files: Files) -> Iterator[Files]:
    for name in files:
        yield {other: content for other, content in files.items() if other != name}
    for name, content in files.items():
        if isinstance(content, bytes) and len(content) > 8:
            half = len(content) // 2
            quarter = half // 2
            for shorter in (
                content[:half],
                content[: half + quarter],
                content[half:],
                content[: -quarter or None],
            ):
                yield files | {name: shorter}
