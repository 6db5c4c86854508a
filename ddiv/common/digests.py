"""Names of files and folders that are the same on every machine: the SHA-256 of their content."""

from __future__ import annotations

import ast
import hashlib
import inspect
import linecache
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from ddiv.common.errors import NoModel


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


def source_digest(function: Callable[..., object]) -> str:
    """SHA-256 of the statements that define a function, and of those that they use of its file.

    Use may be direct or through others. A change to a class or a constant that the function uses
    changes the digest, and a change elsewhere in the file does not. Definitions in other files do
    not count. Raises ValueError on anything but a function at the top level of a file.
    """
    inner = inspect.unwrap(function)  # without what decorators put around it
    path = getattr(getattr(inner, "__code__", None), "co_filename", "")
    name = getattr(inner, "__qualname__", "")
    linecache.checkcache(path)
    lines = linecache.getlines(path)
    statements = ast.parse("".join(lines)).body
    if not any(name in _defined(statement) for statement in statements):
        raise ValueError(
            f"{function!r} is no function that a file defines by `def` at its top level: its "
            "source is a part of the store's keys, so define one"
        )
    names: set[str] = {name}
    used: set[ast.stmt] = set()
    while new := {each for each in statements if names & set(_defined(each))} - used:
        used |= new
        names |= {node.id for each in new for node in ast.walk(each) if isinstance(node, ast.Name)}
    text = "".join(
        line
        for statement in statements
        if statement in used
        for line in lines[_first_line(statement) - 1 : statement.end_lineno]
    )
    return hashlib.sha256(text.encode()).hexdigest()


def _defined(statement: ast.stmt) -> Iterator[str]:
    """The names that a statement at the top level of a file binds, also within `if` or `with`."""
    if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        yield statement.name
        return
    for node in ast.walk(statement):
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                yield node.name
            case ast.Name(ctx=ast.Store()):
                yield node.id
            case ast.alias():
                yield node.asname or node.name.partition(".")[0]


def _first_line(statement: ast.stmt) -> int:
    """The number of a statement's first line, that of its first decorator where it has some."""
    decorators: list[ast.expr] = getattr(statement, "decorator_list", [])
    return min([statement.lineno, *(decorator.lineno for decorator in decorators)])
