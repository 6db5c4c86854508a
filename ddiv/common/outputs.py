"""Files that people name: pages, tables, the ledger."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from ddiv.common.errors import NotWritten, cause, remedy
from ddiv.common.files import write_atomically


def write_output(path: Path, content: bytes) -> None:
    """Write a file whole, or leave what was there; folders are made.

    A link stays one, and what it names is written. A device or a pipe is written into, where a
    file would be replaced. Raises NotWritten.
    """
    try:
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if path.exists() and not path.is_file():
            with path.open("wb") as device:
                device.write(content)
        else:
            write_atomically(Path(os.path.realpath(path)), content)
    except OSError as error:
        raise NotWritten(
            f"{path} cannot be written: {cause(error)}. {remedy(error)}, or name another file"
        ) from error
