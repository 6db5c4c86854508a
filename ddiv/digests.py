"""Names of files and folders that are the same on every machine: the SHA-256 of their content."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from ddiv.errors import NoModel


def is_digest(name: str) -> bool:
    """Whether a name is a SHA-256 in hexadecimal digits."""
    return len(name) == 64 and set(name) <= set("0123456789abcdef")


def file_digest(path: Path) -> str:
    """SHA-256 of a file's bytes."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def folder_digest(folder: Path) -> str:
    """SHA-256 over the names and contents of all files below a folder.

    The folder's own name and place do not count.
    """
    total = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        total.update(f"{path.relative_to(folder).as_posix()}\n{file_digest(path)}\n".encode())
    return total.hexdigest()


def local_folder(digest: str, variable: str, holding: str, wanted: str, remedy: str) -> str:
    """The folder that an environment variable names.

    It must hold the file `holding` and have this digest; NoModel is raised otherwise. In its
    message `wanted` names the missing model, and `remedy` says what to do.
    """
    folder = os.environ.get(variable)
    if not folder or not Path(folder, holding).is_file():
        state = f"names {folder}, which holds no {holding}" if folder else "is not set"
        raise NoModel(f"{wanted}, and {variable} {state}: {remedy}")
    if (present := folder_digest(Path(folder))) != digest:
        raise NoModel(
            f"{folder} has the digest {present}, the study asks for {digest}: name the folder that "
            "was meant, or take the new digest into the study"
        )
    return folder
