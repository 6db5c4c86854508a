"""Folders that users name, and where ddiv keeps things when nobody named one."""

from __future__ import annotations

import os
import stat
import tempfile
from functools import cache
from pathlib import Path

from ddiv.common.errors import TrialFailed


class NoHome(TrialFailed):
    """There is no place of the user's own for what must last; the message says what to do."""


def expanded(path: str | os.PathLike[str]) -> Path:
    """The path with `~`, `~user`, `$NAME` and `${NAME}` filled in.

    A shell leaves them as they are in `--store=~/x`, within quotes, in a .env file and in a
    workflow's YAML. What exists as it is written is meant so, and unknown names stay.
    """
    if os.path.lexists(path):
        return Path(path)
    return Path(os.path.expanduser(os.path.expandvars(path)))


def named(variable: str) -> Path | None:
    """The file or folder that an environment variable names (`expanded`); None where it is unset
    or empty.
    """
    path = os.environ.get(variable)
    return expanded(path) if path else None


def as_text(path: str | os.PathLike[str]) -> str:
    """A path as text, whatever the locale's encoding: what is no UTF-8 in it becomes U+FFFD.

    Python keeps such bytes as halves of surrogates, which can neither be stored nor sent.
    """
    text = os.fspath(path)
    try:
        encoded = os.fsencode(text)
    except UnicodeEncodeError:  # a name of another origin is in it, which the locale has not
        encoded = text.encode("utf-8", "surrogateescape")
    return encoded.decode("utf-8", "replace")


def of_text(text: str) -> str:
    """The path that `as_text` makes this text of."""
    return os.fsdecode(text.encode())


def cache_folder(variable: str, name: str, lasting: bool = False) -> Path:
    """The folder that an environment variable names, or ddiv/`name` in the user's cache folder.

    Where there is no home folder, or nothing can be made in it, it is one of the user's own among
    the temporary files. What is to be `lasting` never goes there. Raises NoHome.
    """
    if own := named(variable):
        return own
    caches = _caches()
    usual = caches / "ddiv" / name if caches else None
    if usual and (usual.exists() or lasting or _can_be_made(usual)):
        return usual
    if lasting:
        raise NoHome(
            f"there is no home folder to keep {name} in, which must not be lost: let {variable} "
            "name a folder"
        )
    return _temporary() / name


def is_temporary(folder: Path) -> bool:
    """Whether a cache folder is one that a restart may empty, for want of a home folder."""
    mine = folder.parent
    return mine.parent == Path(tempfile.gettempdir()) and mine.name.startswith("ddiv-")


def _caches() -> Path | None:
    """The folder for all programs' caches, by the XDG's rules; None where there is no home."""
    places = (named("XDG_CACHE_HOME"), expanded("~/.cache"))
    return next((path for path in places if path and path.is_absolute()), None)


def _can_be_made(folder: Path) -> bool:
    there = next(path for path in folder.parents if path.exists())
    return there.is_dir() and os.access(there, os.W_OK | os.X_OK)


@cache
def _temporary() -> Path:
    """A folder for this user alone among the temporary files, where others may make folders too."""
    usual = Path(tempfile.gettempdir(), f"ddiv-{os.getuid()}")
    try:
        usual.mkdir(mode=0o700, exist_ok=True)
        found = usual.lstat()
        if (
            stat.S_ISDIR(found.st_mode)
            and found.st_uid == os.getuid()
            and not found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
        ):
            return usual
    except OSError:
        pass
    return Path(tempfile.mkdtemp(prefix="ddiv-"))  # another's folder has the name
