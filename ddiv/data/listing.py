"""What lies in a folder of images: files by their names' ends, folders, and what is neither.

Nothing is passed over without a word but hidden files and folders (also ._x.png, which a Mac leaves
beside x.png) and files that are no pictures.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from ddiv.common.pictures import is_picture

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".ppm", ".pgm")

# Pictures of formats that are not read. Files of the formats that are read are known by content.
OTHERS = (
    *(".heic", ".heif", ".avif", ".jxl", ".jp2", ".j2k", ".jpx", ".pbm", ".pnm", ".pfm", ".tga"),
    *(".svg", ".eps", ".psd", ".ico", ".icns", ".exr", ".hdr", ".dds", ".dcm", ".dng", ".cr2"),
    *(".cr3", ".nef", ".arw", ".orf", ".rw2", ".raf", ".pcx", ".sgi", ".xcf", ".fits"),
)

DEEPEST = 5  # levels of folders that are searched; no layout has more than three


class Listed(NamedTuple):
    """An image file: its path from the folder on, its size in bytes, when it was last changed.

    `renewed` is when its state last changed, which nobody can set back.
    """

    name: str
    size: int
    changed: int
    renewed: int


@dataclass(frozen=True)
class Listing:
    """All that lies below a folder, by paths from it on, sorted.

    `folders` are all folders; `deeper` are those that were not searched; `others` are the files
    whose names end in none of SUFFIXES; `faults` tells by path what cannot be used.
    """

    folder: Path
    images: list[Listed] = field(default_factory=list)
    folders: list[str] = field(default_factory=list)
    deeper: list[str] = field(default_factory=list)
    others: list[str] = field(default_factory=list)
    faults: dict[str, str] = field(default_factory=dict)

    def unlisted(self, folder: str) -> Iterator[str]:
        """The pictures directly in a folder whose names do not say that they are read."""
        for name in self.others:
            before, _, last = name.rpartition("/")
            if before == folder and (
                last.lower().endswith(OTHERS) or is_picture(self.folder / name)
            ):
                yield name


def listed(folder: Path) -> Listing:
    """What lies below a folder. Links are followed, never in a circle."""
    found = Listing(folder)
    _search(str(folder), "", (), found)
    found.images.sort()
    return found


def _search(folder: str, before: str, above: tuple[tuple[int, int], ...], found: Listing) -> None:
    try:
        here = os.stat(folder)
        with os.scandir(folder) as listing:
            entries = sorted(listing, key=lambda entry: entry.name)
    except OSError as error:
        found.faults[before.rstrip("/") or "."] = f"cannot be read ({error.strerror})"
        return
    above = (*above, (here.st_dev, here.st_ino))
    for entry in entries:
        if entry.name.startswith((".", "__MACOSX")):
            continue
        name = before + entry.name
        try:
            status = entry.stat()
        except OSError as error:
            lost = f"is a link that leads nowhere ({error.strerror})"
            found.faults[name] = (
                lost if entry.is_symlink() else f"cannot be read ({error.strerror})"
            )
            continue
        if stat.S_ISDIR(status.st_mode):
            found.folders.append(name)
            if (status.st_dev, status.st_ino) in above:
                found.faults[name] = "is a link to a folder that it lies in itself"
            elif len(above) == DEEPEST:
                found.deeper.append(name)
            else:
                _search(entry.path, f"{name}/", above, found)
        elif not stat.S_ISREG(status.st_mode):
            found.faults[name] = "is a pipe, a socket or a device, no file"
        elif entry.name.lower().endswith(SUFFIXES):
            found.images.append(
                Listed(name, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
            )
        else:
            found.others.append(name)
