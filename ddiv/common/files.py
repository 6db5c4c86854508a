"""Files that are whole or absent: durable and atomic writes."""

from __future__ import annotations

import contextlib
import errno
import os
from pathlib import Path

from ddiv.common.drafts import draft_of


def write_durably(path: Path, text: bytes, durable: bool = True) -> None:
    """Write a file and, unless `durable` is off, wait until the disk has it."""
    with open(path, "wb") as file:
        file.write(text)
        file.flush()
        if durable:
            os.fsync(file.fileno())


def write_atomically(path: Path, text: bytes, durable: bool = True) -> None:
    """Replace a file at once: readers see the old content or the new, never a half-written file.

    Unless `durable` is off, the new content is on the disk when this returns, under its name.
    """
    draft = draft_of(path)
    make_folder(path.parent, durable)
    try:
        write_durably(draft, text, durable)
        rename_durably(draft, path, durable)
    except BaseException:
        with contextlib.suppress(OSError):
            draft.unlink(missing_ok=True)
        raise


def rename_durably(draft: Path, target: Path, durable: bool = True) -> None:
    """Give a file or a folder, written and flushed, its name, and wait until the disk has that.

    A file at `target` is replaced, and so is an empty folder. A rename alone lies in the folder's
    entries, which the disk may learn of many seconds later: without the last flush, a loss of power
    takes files that were long whole.
    """
    if durable and draft.is_dir():
        flush_folder(draft)
    os.replace(draft, target)
    if durable:
        flush_folder(target.parent)


def make_folder(folder: Path, durable: bool = True) -> None:
    """Make a folder and those above it, and wait until the disk has their names."""
    missing = [each for each in (folder, *folder.parents) if not each.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for made in missing if durable else ():
        flush_folder(made.parent)


def flush_folder(folder: Path) -> None:
    """Wait until the disk has the names of the files in a folder."""
    try:
        handle = os.open(folder, os.O_RDONLY)
    except PermissionError:
        return  # files may be written into a folder that may not be listed, and so not flushed
    try:
        os.fsync(handle)
    except OSError as error:
        # Some network file systems know no flush of folders, and write names at once.
        if error.errno not in (errno.EINVAL, errno.ENOTSUP, errno.ENOSYS, errno.EBADF):
            raise
    finally:
        os.close(handle)
