"""Files that are whole or absent: durable and atomic writes, and the user's cache folder."""

from __future__ import annotations

import os
import uuid
from pathlib import Path


def write_durably(path: Path, text: bytes, durable: bool = True) -> None:
    """Write a file and, unless `durable` is off, wait until the disk has it."""
    with open(path, "wb") as file:
        file.write(text)
        file.flush()
        if durable:
            os.fsync(file.fileno())


def cache_folder(variable: str, name: str) -> Path:
    """The folder that an environment variable names, or ddiv/`name` in the user's cache folder."""
    if own := os.environ.get(variable):
        return Path(own)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ddiv" / name


def write_atomically(path: Path, text: bytes, durable: bool = True) -> None:
    """Replace a file at once: readers see the old content or the new, never a half-written file."""
    draft = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}")
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        write_durably(draft, text, durable)
        os.replace(draft, path)
    except OSError:
        draft.unlink(missing_ok=True)
        raise


def _flush_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
