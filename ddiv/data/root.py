"""The folder of the data that ddiv doesn't make itself, and the search for a file in it."""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path

from ddiv.common.digests import file_digest
from ddiv.common.errors import TrialFailed
from ddiv.common.paths import cache_folder

FOLDER_VARIABLE = "DDIV_DATA"


class NoData(TrialFailed):
    """The data that a study asks for is not at hand; the message says what to do."""


class BadData(TrialFailed):
    """Data cannot be used; the message names the cause and the remedy."""


def data_root() -> Path:
    """The folder that DDIV_DATA names (--data-root sets it), or ddiv/data in the cache folder."""
    return cache_folder(FOLDER_VARIABLE, "data")


def find(wanted: str, suffix: str, kind: str, remedy: str) -> Path:
    """The file with this suffix and SHA-256 anywhere below the data root.

    Raises NoData where there is none. `kind` and `remedy` are words for that error: the name of
    such files, and what to do.
    """
    root = data_root()
    if not os.path.isdir(root):
        set_to = "names" if os.environ.get(FOLDER_VARIABLE) else "is not set, which stands for"
        raise NoData(
            f"the study reads the {kind} with SHA-256 {wanted}, and {FOLDER_VARIABLE} {set_to} "
            f"{root}, which is no folder: {remedy}"
        )
    files = sorted(
        path
        for folder, _, names in os.walk(root)
        for name in names
        if name.lower().endswith(suffix) and os.path.isfile(path := Path(folder, name))
    )
    for path in files:
        try:
            status = path.stat()
            if _digest_of(path, status.st_size, status.st_mtime_ns) == wanted:
                return path
        except OSError as error:
            raise NoData(
                f"{path} cannot be read ({error.strerror}): allow it, or take it out of {root}"
            ) from error
    raise NoData(
        f"the study reads the {kind} with SHA-256 {wanted}, and none of the {len(files)} "
        f"{suffix[1:].upper()} files below {root} ({FOLDER_VARIABLE}) has it: {remedy}"
    )


@lru_cache
def _digest_of(path: Path, size: int, changed_ns: int) -> str:
    return file_digest(path)
