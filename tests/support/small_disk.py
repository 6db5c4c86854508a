"""A disk that is full: a small file system in memory, filled up."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest


@contextmanager
def small_disk(folder: Path, kilobytes: int = 1024) -> Iterator[Path]:
    """A folder on a file system of this size. Skips the test where none can be mounted."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", str(folder)]
    try:
        subprocess.run(mount, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("no file system can be mounted here: that takes Linux and root")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(disk: Path) -> Path:
    """Take all room of a small disk; returns the file to delete for some."""
    ballast = disk / "ballast"
    with suppress(OSError), open(ballast, "ab", buffering=0) as file:
        while True:
            file.write(b"\0" * 4096)
    assert os.statvfs(disk).f_bavail == 0
    return ballast
