"""Files that are whole or absent: durable and atomic writes, and reads that end."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from pathlib import Path

from ddiv.common.drafts import draft_of


def contents(path: Path) -> bytes:
    """What a regular file holds.

    Raises OSError, also on what is no file: a pipe would be waited for without end, and a device
    may have none.
    """
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    kind = os.fstat(handle).st_mode
    if stat.S_ISREG(kind):
        with open(handle, "rb") as file:
            return file.read()
    os.close(handle)
    if stat.S_ISDIR(kind):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    raise OSError(errno.EINVAL, "it is a pipe or a device and no file", str(path))


def listed(folder: Path) -> list[str]:
    """The names in a folder, none where it is absent.

    Raises OSError, also where a link leads to nothing: the folder lies where it cannot be seen now.
    """
    try:
        return os.listdir(folder)
    except FileNotFoundError:
        for place in (folder, *folder.parents):
            if place.is_symlink() and not place.exists():
                text = "it is a link to what is not there"
                raise OSError(errno.ENOTCONN, text, str(place)) from None
        return []


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
