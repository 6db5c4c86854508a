"""Names of files and folders that are the same on every machine: the SHA-256 of their content."""

from __future__ import annotations

import hashlib
import inspect
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType

from ddiv.common.errors import NoModel
from ddiv.common.modules import is_foreign
from ddiv.common.paths import named
from ddiv.common.sources import Source, source_of


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


def irregular(folder: Path) -> str | None:
    """Why a folder cannot be handed to a library, and what to do; None where it can.

    What lies below it and is neither a file nor a folder (a pipe, a device, a link to nothing) the
    library would wait for without end.
    """
    below = (path for path in folder.rglob("*") if not path.is_file() and not path.is_dir())
    return next((f"{path} is no regular file: take it out of {folder}" for path in below), None)


def local_folder(digest: str, variable: str, holding: str, wanted: str, remedy: str) -> str:
    """The folder that an environment variable names.

    It must hold the file `holding` and have this digest; NoModel is raised otherwise. In its
    message `wanted` names the missing model, and `remedy` says what to do.
    """
    folder = named(variable)
    if not folder or not (folder / holding).is_file():
        state = f"names {folder}, which holds no {holding}" if folder else "is not set"
        raise NoModel(f"{wanted}, and {variable} {state}: {remedy}")
    if odd := irregular(folder):
        raise NoModel(f"{wanted}, and {odd}")
    if (present := folder_digest(folder)) != digest:
        raise NoModel(
            f"{folder} has the digest {present}, the study asks for {digest}: name the folder that "
            "was meant, or take the new digest into the study"
        )
    return str(folder)


def source_digest(function: Callable[..., object]) -> str:
    """SHA-256 of the statements that define a function, and of those that may change what it does.

    These are the statements that it uses, directly or through others, in its own file and in the
    user's other files that it imports; and in each of these files whatever is done at the top level
    besides binding a name: a container that is filled, an attribute that is set, a decorator or a
    call that may register something. The file that asks for the digest is one of them, and so are
    decorators that stand around the function. A change elsewhere does not change the digest, nor
    does where the files lie. Python's library, installed packages and ddiv do not count. What no
    source tells is in `unseen`. Raises ValueError on anything but a function at the top level of a
    file.
    """
    around: list[tuple[Path, str]] = []

    def passed(outer: Callable[..., object]) -> bool:
        code = getattr(outer, "__code__", None) or getattr(type(outer).__call__, "__code__", None)
        if code is not None and not is_foreign(Path(code.co_filename)):
            around.append((Path(code.co_filename), code.co_qualname.partition(".")[0]))
        return not hasattr(outer, "__wrapped__")

    inner = inspect.unwrap(function, stop=passed)  # without what decorators put around it
    path = getattr(getattr(inner, "__code__", None), "co_filename", "")
    try:
        name = getattr(inner, "__qualname__", "")
        source = source_of(Path(path), name, around, _running())
    except KeyError:
        raise ValueError(
            f"{function!r} is no function that a file defines by `def` at its top level: its "
            "source is a part of the store's keys, so define one"
        ) from None
    _sources[source.digest] = source
    return source.digest


def _running() -> Iterator[Path]:
    """The user's files whose top level is under way, down to what is not the user's."""
    frame: FrameType | None = sys._getframe(1)
    here, met = Path(__file__).resolve().parents[1], False
    while frame is not None:
        name, path = frame.f_code.co_name, Path(frame.f_code.co_filename)
        frame = frame.f_back
        if str(path).startswith("<"):  # Python's machinery of imports
            continue
        if is_foreign(path):
            if met or not path.resolve().is_relative_to(here):
                return
            continue  # ddiv's own functions, which the user's file calls
        met = True
        if name == "<module>":
            yield path


def unseen(name: str, digest: str) -> str | None:
    """In one line what the source of a function with this digest does not tell.

    None where all is told, or this process has not made the digest.
    """
    source = _sources.get(digest)
    if source is None or not source.unseen:
        return None
    first, more = source.unseen[:UNSEEN_SHOWN], len(source.unseen) - UNSEEN_SHOWN
    return (
        f"{name}: its trials are known by its source, which does not tell what comes from "
        f"{', '.join(first)}{f' and {more} more places' if more > 0 else ''}. When that changes, "
        "change something in the function, too (a version, say), or old trials are taken for new"
    )


UNSEEN_SHOWN = 4

_sources: dict[str, Source] = {}  # of this process, by digest
