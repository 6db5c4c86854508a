"""Pictures of a world on disk, so that a run draws each of its replicates once.

A replicate's pictures take up to three seconds to draw and 30 MB to keep, trials of a replicate are
seldom neighbours, and a run has dozens of replicates: more than each of its processes has memory
for. Files that nothing has read for a day are deleted, and so are the longest unread ones of too
many. Without room on the disk pictures are drawn each time.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import msgspec
import numpy as np

from ddiv.common.drafts import sweep
from ddiv.common.paths import cache_folder
from ddiv.data import mapped
from ddiv.study import World

VARIABLE = "DDIV_CACHE"

MOST_BYTES = 2 << 30

IDLE_SECONDS = 24 * 3600.0


def pictures(
    spec: World, shape: tuple[int, ...], draw: Callable[[], Sequence[np.ndarray]]
) -> np.ndarray:
    """The pictures uint8 of this shape that `draw` gives one after the other, mapped from disk.

    They are drawn where the disk does not have them.
    """
    folder = cache_folder(VARIABLE, "worlds")
    name = hashlib.sha256(msgspec.json.encode(spec, order="sorted")).hexdigest()[:32]
    path = folder / f"{name}.world"
    if (found := mapped.array(path, shape)) is not None:
        with suppress(OSError):
            os.utime(path)
        return found
    drawn = np.concatenate(list(draw()))
    with suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        sweep(folder)
        if _make_room(folder, drawn.nbytes):
            mapped.write(path, shape, [drawn.tobytes()])
            return drawn if (found := mapped.array(path, shape)) is None else found
    return drawn


def _make_room(folder: Path, needed: int) -> bool:
    """Delete what is idle or too much; whether so many bytes may be written."""
    files = []
    for path in folder.glob("*.world"):
        with suppress(OSError):  # another process deletes, too
            status = path.stat()
            files.append((status.st_mtime, status.st_size, path))
    held, now = 0, time.time()
    for read_at, size, path in sorted(files, reverse=True):
        held += size
        if now - read_at > IDLE_SECONDS or held + needed > MOST_BYTES:
            with suppress(OSError):
                path.unlink()
    return shutil.disk_usage(folder).free > 4 * needed
