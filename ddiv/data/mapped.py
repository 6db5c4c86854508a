"""Arrays of images in files that are mapped into memory: .npy with a checksum behind the pixels.

Several processes that map one file share the memory.
"""

from __future__ import annotations

import io
import os
import zlib
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from ddiv.common.drafts import draft_of
from ddiv.common.files import rename_durably

CHECKSUM = 4  # bytes


def array(path: Path, shape: tuple[int, ...]) -> np.ndarray | None:
    """The array uint8 of a file; None where there is none, or it is not as it was written.

    Writing into the array changes nothing on disk.
    """
    header = _header(shape)
    size = len(header) + int(np.prod(shape))
    try:
        if not path.is_file():  # opening a pipe would wait for ever
            return None
        with open(path, "rb") as file:
            whole = os.fstat(file.fileno()).st_size == size + CHECKSUM
            if not whole or file.read(len(header)) != header:
                return None
            file.seek(size)
            checksum = file.read()
        # copy on write: torch wants arrays that could be written
        images = np.memmap(path, np.uint8, "c", len(header), shape)
    except (OSError, ValueError):
        return None
    return images if checksum == _checksum(zlib.crc32(images.data)) else None


def write(path: Path, shape: tuple[int, ...], parts: Iterable[bytes]) -> None:
    """Write an array of this shape, whole or not at all. Raises OSError, and what `parts` raise."""
    # Written, not mapped: on a full disk a mapping kills the process.
    draft = draft_of(path)
    try:
        with open(draft, "wb") as file:
            file.write(_header(shape))
            crc = 0
            for content in parts:
                crc = zlib.crc32(content, crc)
                file.write(content)
            file.write(_checksum(crc))
            file.flush()
            os.fsync(file.fileno())
        rename_durably(draft, path)
    finally:
        draft.unlink(missing_ok=True)


def _checksum(crc: int) -> bytes:
    return crc.to_bytes(CHECKSUM, "big")


def _header(shape: tuple[int, ...]) -> bytes:
    """What a .npy file of this shape begins with."""
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        file, {"descr": "|u1", "fortran_order": False, "shape": shape}
    )
    return file.getvalue()
