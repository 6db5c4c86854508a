"""Where the page of a run goes: a run of part of the claims does not replace a fuller page.

A page names its run and the number of its findings. The next run of the same profile writes over it
unless the questions of that run are only a part of those on the page, as with `-k`: then its page
lies beside it, as NAME-part.html, which the next such run replaces.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path

from ddiv.run import run as runs
from ddiv.trial.store import Store, StoreError

_MARK = re.compile(rb'<meta name="ddiv-run" content="([^ "]+) (\d+)">')

# The mark stands in the head of a page, before its styles.
_HEAD = 4096


def beside_fuller(store: Store, run_id: str, asked: Collection[str], path: Path) -> Path:
    """The file for the page of a run: `path`, or the one beside it where a fuller page is there.

    `asked` are the run's questions, by the names of their files (`ddiv.run.run.name_of`).
    """
    if _is_fuller(store, run_id, set(asked), path):
        return path.with_name(f"{path.stem}-part{path.suffix}")
    return path


def _is_fuller(store: Store, run_id: str, asked: set[str], path: Path) -> bool:
    try:
        with path.open("rb") as page:
            mark = _MARK.search(page.read(_HEAD))
    except OSError:
        return False
    if mark is None or mark[1] == run_id.encode():
        return False
    shown = set(_asked(store, mark[1].decode("utf-8", "replace")))
    if shown:
        return asked < shown
    return len(asked) < int(mark[2])  # its run is in another store, or was deleted


def _asked(store: Store, run_id: str) -> Collection[str]:
    try:
        return runs.names_asked(store, run_id) if re.fullmatch(r"[\w-]+", run_id) else ()
    except StoreError:
        return ()
