"""Names of files and folders that are the same on every machine: the SHA-256 of their content."""

from __future__ import annotations

import hashlib
import inspect
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import CodeType, FrameType

from ddiv.common.errors import NoModel
from ddiv.common.modules import Module, is_foreign
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


def source_digest(thing: Callable[..., object] | type, *, asked_by: bool = True) -> str:
    """SHA-256 of the statements that define a function or class, and of those that may change it.

    These are the statements that it uses, directly or through others, in its own file and in the
    user's other files that it imports (the bases of a class among them); and in each of these files
    whatever is done at the top level besides binding a name: a container that is filled, an
    attribute that is set, a decorator or a call that may register something. The file that asks for
    the digest is one of them, and so are decorators that stand around the function. A change
    elsewhere does not change the digest, nor does where the files lie. Python's library, installed
    packages and ddiv do not count. What no source tells is in `unseen`. Raises ValueError, which
    says what to do, on anything but a function or a class at the top level of a file of the user's.

    asked_by: False where several files may be the first to ask, so that the one that is does not
    count.
    """
    around: list[tuple[Path, str]] = []

    def passed(outer: Callable[..., object]) -> bool:
        code = getattr(outer, "__code__", None) or getattr(type(outer).__call__, "__code__", None)
        if code is not None and not is_foreign(Path(code.co_filename)):
            around.append((Path(code.co_filename), code.co_qualname.partition(".")[0]))
        return not hasattr(outer, "__wrapped__")

    inner = inspect.unwrap(thing, stop=passed)  # without what decorators put around it
    path, name = _home(inner), getattr(inner, "__qualname__", "")
    why = _homeless(inner, path, name)
    if path is not None and not why:
        try:
            source = source_of(path, name, around, _running() if asked_by else ())
        except KeyError:
            why = f"is not at the top level of {path.name}"
        else:
            if Module(path).defined(name) > 1:
                why = f"is one of several of this name in {path.name}"
    if why:
        raise ValueError(
            f"{thing!r:.200} {why}: its source is a part of the store's keys, so define it once, "
            "by `def` or `class` at the top level of a .py file"
        )
    _sources[source.digest] = source
    return source.digest


def _home(thing: object) -> Path | None:
    """The file that a function or a class says it comes from; it may not be there."""
    code = getattr(thing, "__code__", None)
    if code is not None:
        return Path(code.co_filename)
    if not isinstance(thing, type):
        return None
    for member in vars(thing).values():
        code = _code_of(member)
        if code is not None and code.co_qualname.startswith(f"{thing.__qualname__}."):
            return Path(code.co_filename)
    module = sys.modules.get(thing.__module__)
    file, found = getattr(module, "__file__", None), getattr(module, thing.__name__, thing)
    # The name may have come to stand for another module since the class was made.
    other = isinstance(found, type) and found is not thing
    return Path(file) if file and not other else None


def _code_of(member: object) -> CodeType | None:
    """The code of a method, without what decorators put around it; None of anything else."""
    for wrapped in ("__func__", "fget", "func"):  # static and class methods; kinds of properties
        member = getattr(member, wrapped, None) or member
    try:
        code = getattr(inspect.unwrap(member) if callable(member) else member, "__code__", None)
    except ValueError:  # a ring of decorators
        return None
    return code if isinstance(code, CodeType) else None


def _homeless(thing: object, path: Path | None, name: str) -> str:
    """Why no file of the user's tells the source of a function or a class; "" where one does."""
    if not isinstance(thing, type) and not hasattr(thing, "__code__"):
        return "is no function or class of a file"
    if "<locals>" in name:
        return "is defined within a function"
    if path is None or not path.is_file():
        return "comes from no file (a notebook, a prompt and `exec` have none)"
    if isinstance(thing, type) and is_foreign(path):
        return (
            "belongs to an installed package (derive a class of yours from it, or call it in one)"
        )
    return ""


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
        "change something in it, too (a version, say), or old trials are taken for new"
    )


UNSEEN_SHOWN = 4

_sources: dict[str, Source] = {}  # of this process, by digest
