"""Files in memory, written to a folder; payloads that tell when they ran."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Link:
    """A symbolic link."""

    target: str


@dataclass(frozen=True)
class Fifo:
    """A named pipe that nobody writes to."""


Content = bytes | Link | Fifo
Files = dict[str, Content]

# The variable that names a file which only a payload makes.
MARKER = "DDIV_FUZZ_MARKER"


def write(files: Files, folder: Path) -> None:
    """Write files below a folder; names that no file system takes are passed over."""
    for name, content in files.items():
        path = folder / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            match content:
                case Link(target):
                    path.symlink_to(target)
                case Fifo():
                    os.mkfifo(path)
                case bytes():
                    path.write_bytes(content)
        except (OSError, ValueError):
            continue


class Payload:
    """An object whose pickle, when it is loaded, makes the marker file."""

    def __init__(self, way: int = 0):
        self.way = way

    def __reduce__(self):
        code = f"open(__import__('os').environ['{MARKER}'], 'w')"
        return (
            (exec, (code,)),
            (eval, (code,)),
            (os.system, (f'touch "${MARKER}"',)),
            (__import__("subprocess").call, ((["sh", "-c", f'touch "${MARKER}"'],))),
        )[self.way % 4]


# A module as it may lie beside weights.
CODE = f"import os\nopen(os.environ['{MARKER}'], 'w')\n".encode()
