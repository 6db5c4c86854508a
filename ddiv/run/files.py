"""A run's files: JSON that ends with its own checksum, so that damage is seen and told."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path
from typing import TypeVar

import msgspec

from ddiv.common.errors import cause
from ddiv.common.files import contents, listed
from ddiv.trial.store import StoreError

T = TypeVar("T")

_SEAL = re.compile(rb',"sha256":"([0-9a-f]{64})"\}\s*\Z')


class Unreadable(StoreError):
    """A file of a run cannot be read; the message names the file and the cause."""


def sealed(value: msgspec.Struct) -> bytes:
    """A struct as one line of JSON whose last field is the checksum of the others."""
    text = msgspec.json.encode(value)
    return text[:-1] + b',"sha256":"%s"}' % hashlib.sha256(text).hexdigest().encode()


def opened(text: bytes, kind: type[T]) -> T:
    """The struct of this kind that was `sealed`; files without a checksum are older ones.

    Raises Unreadable with the cause alone.
    """
    if not text.strip(b"\0 \t\r\n"):
        raise Unreadable("is empty")
    if seal := _SEAL.search(text):
        text = text[: seal.start()] + b"}"
        if hashlib.sha256(text).hexdigest().encode() != seal[1]:
            raise Unreadable("does not match its checksum")
    try:
        return msgspec.json.decode(text, type=kind)
    except msgspec.ValidationError as error:
        raise Unreadable(f"is damaged, or another version of ddiv wrote it ({error})") from error
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"is damaged ({error})") from error


def read(path: Path, kind: type[T]) -> T:
    """The struct in a file. Raises Unreadable."""
    try:
        return opened(contents(path), kind)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise Unreadable(f"{path} is missing") from error
    except OSError as error:
        raise Unreadable(f"{path} cannot be read ({cause(error)})") from error
    except Unreadable as error:
        raise Unreadable(f"{path} {error}") from error.__cause__


def names(folder: Path, ending: str = "") -> list[str]:
    """The names with this ending in a folder, sorted, without drafts; none where it is absent.

    Raises Unreadable where the folder cannot be listed.
    """
    try:
        there = listed(folder)
    except OSError as error:
        raise Unreadable(f"{folder} cannot be read ({cause(error)})") from error
    return sorted(name for name in there if name.endswith(ending) and not name.startswith("."))


def append(path: Path, line: bytes) -> None:
    """Add a line to a file; where the file's last line was cut, on a line of its own."""
    with open(path, "a+b") as file:
        if file.seek(0, os.SEEK_END):
            file.seek(-1, os.SEEK_END)
            if file.read(1) != b"\n":
                line = b"\n" + line
        file.write(line + b"\n")


def text_of(path: Path) -> str:
    """What a file holds; "" where it is absent or cannot be read."""
    try:
        return contents(path).decode("utf-8", "replace").strip("\0")
    except OSError:
        return ""
