"""What a process tells the disk to keep: a watch over fsync."""

import os
from pathlib import Path


def watch_flushes(monkeypatch) -> list[Path]:
    """The files and folders that are flushed from now on, in order, under their last names."""
    flushed: list[Path] = []
    fsync, replace = os.fsync, os.replace

    def watched_flush(handle):
        fsync(handle)
        flushed.append(Path(os.readlink(f"/proc/self/fd/{handle}")))

    def watched_replace(source, target):
        replace(source, target)
        for place, path in enumerate(flushed):
            if path == Path(source):
                flushed[place] = Path(target)

    monkeypatch.setattr(os, "fsync", watched_flush)
    monkeypatch.setattr(os, "replace", watched_replace)
    return flushed
