"""What a user's own function is, as a digest: the lines that define it and all that it uses of its
file.
"""

from __future__ import annotations

import ast
import hashlib
import inspect
import linecache
from collections.abc import Callable, Iterator


def source_digest(function: Callable) -> str:
    """SHA-256 of the statements of a function's file that define it and what they use of that file,
    directly or not.

    So a change to a class or a constant that the function uses changes the digest, and a change
    elsewhere in the file does not. What comes from other files does not count. Raises ValueError on
    anything but a function at the top level of a file.
    """
    inner = inspect.unwrap(function)  # of what decorators put around it
    path, name = (
        getattr(getattr(inner, "__code__", None), "co_filename", ""),
        getattr(inner, "__qualname__", ""),
    )
    linecache.checkcache(path)
    lines = linecache.getlines(path)
    statements = ast.parse("".join(lines)).body
    if not any(name in _defined(one) for one in statements):
        raise ValueError(
            f"{function!r} is no function that a file defines by `def` at its top level: its source is a part of "
            "the store's keys, so define one"
        )
    wanted, found = {name}, set()
    while new := {one for one in statements if wanted & set(_defined(one))} - found:
        found |= new
        wanted |= {node.id for one in new for node in ast.walk(one) if isinstance(node, ast.Name)}
    text = "".join(
        line
        for one in statements
        if one in found
        for line in lines[_first_line(one) - 1 : one.end_lineno]
    )
    return hashlib.sha256(text.encode()).hexdigest()


def _defined(statement: ast.stmt) -> Iterator[str]:
    """The names that a statement at the top level of a file binds; those within an `if` or a `with`
    too.
    """
    if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        yield statement.name
        return
    for node in ast.walk(statement):
        match node:
            case (
                ast.FunctionDef(name=name)
                | ast.AsyncFunctionDef(name=name)
                | ast.ClassDef(name=name)
            ):
                yield name
            case ast.Name(id=name, ctx=ast.Store()):
                yield name
            case ast.alias(name=name, asname=other):
                yield other or name.partition(".")[0]


def _first_line(statement: ast.stmt) -> int:
    return min(
        [statement.lineno, *(one.lineno for one in getattr(statement, "decorator_list", []))]
    )
