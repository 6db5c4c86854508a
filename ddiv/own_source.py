"""Digests of a user's own functions: of the lines that define them and all they use of the file."""

from __future__ import annotations

import ast
import hashlib
import inspect
import linecache
from collections.abc import Callable, Iterator


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
