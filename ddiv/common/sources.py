"""What a function of a user's does, as far as its source tells: the text that its key is made of.

From the function's own statement on, everything is taken that is named there, directly or through
others, in its file and in the user's other files that it imports. Whatever is not `inert` at the
top level of a file that is read on the way is taken, too: it may change what is named.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from ddiv.common.inert import Inert
from ddiv.common.modules import Found, Import, Module, below, executed, imported, loaded, locate
from ddiv.common.unseen import called, unseen


class Source(NamedTuple):
    """The SHA-256 of a function's source, and where it uses what no source tells, in words."""

    digest: str
    unseen: tuple[str, ...]


def source_of(
    path: Path, name: str, around: Iterable[tuple[Path, str]] = (), running: Iterable[Path] = ()
) -> Source:
    """The source of the function `name` of a file.

    around: functions (file, name) that are called in its place and call it; running: files under
    way, at whose top level something may be changed in the file or in others that it uses.

    Raises KeyError where the file has no such name at its top level.
    """
    walk, path = _Walk(), path.resolve() if path.is_file() else path
    module = walk.module(path)
    if name not in module.binding:
        raise KeyError(name)
    walk.begin(path, name)
    for place, outer in around:
        walk.begin(place.resolve(), outer)
    walk.run(each.resolve() for each in running)
    own = module.text(walk.taken.pop(path, set()))
    total = hashlib.sha256(own.encode())
    # Where a file lies is no part of the key, and neither is which is read first.
    others = {
        (other.name, walk.module(other).text(statements))
        for other, statements in walk.taken.items()
    }
    for other, text in sorted(others):
        total.update(f"\0{other}\0{text}".encode())
    return Source(total.hexdigest(), tuple(walk.unseen))


class _Walk:
    """A walk through the files of a user's, which takes statements."""

    def __init__(self) -> None:
        self.taken: dict[Path, set[ast.stmt]] = {}
        self.unseen: dict[str, None] = {}  # in the order in which they are met
        self._modules: dict[Path, Module] = {}
        self._open: list[tuple[Path, ast.stmt]] = []
        self._done: set[object] = set()
        self._found: dict[tuple[str, int, Path], Found] = {}

    def module(self, path: Path) -> Module:
        if path not in self._modules:
            self._modules[path] = Module(path)
        return self._modules[path]

    def _locate(self, name: str, level: int, importer: Path) -> Found:
        """What `locate` finds, looked for once in a walk."""
        if (found := self._found.get((name, level, importer.parent))) is None:
            found = self._found[name, level, importer.parent] = locate(name, level, importer)
        return found

    def begin(self, path: Path, name: str) -> None:
        """Take all that the function `name` of a file uses."""
        self._load(path)
        self._name(path, name, ())
        self._finish()

    def run(self, paths: Iterable[Path]) -> None:
        """Take what happens when these files are run."""
        for path in paths:
            self._load(path)
        self._finish()

    def _finish(self) -> None:
        while self._open:
            self._uses_of(*self._open.pop())

    def _load(self, path: Path) -> None:
        """Take what happens when a file is imported, also in the files that it imports."""
        if self._again("load", path):
            return
        module = self.module(path)
        if not module.body and path.is_file() and path.stat().st_size:
            self.unseen[f"{path.name}, whose source cannot be read"] = None
        inert = Inert(module)
        for statement in module.body:
            for name, level in loaded(executed(statement)):
                self._import(path, name, level)
            if not inert.statement(statement):
                self._take(path, statement)

    def _take(self, path: Path, statement: ast.stmt) -> None:
        taken = self.taken.setdefault(path, set())
        if statement not in taken:
            taken.add(statement)
            self._open.append((path, statement))

    def _uses_of(self, path: Path, statement: ast.stmt) -> None:
        """Take what a statement uses."""
        module = self.module(path)
        for what, line in unseen(module, statement):
            self.unseen[f"{what} ({path.name}, line {line})"] = None
        inner = [each for each in ast.walk(statement) if each is not statement]
        for name, level in loaded(iter(inner)):
            self._import(path, name, level)
        own = imported(iter(inner))  # what a function imports when it runs
        for name in _imported_by_call(module, inner):
            for other in self._locate(name, 0, path).files:
                self._import(path, name, 0)
                self._everything(other)
        for name, chain in _names(statement):
            self._name(path, name, chain)
            for found in own.get(name, ()):
                self._follow(path, found, chain)
            if name in ("globals", "vars", "locals"):
                self._everything(path)

    def _name(self, path: Path, name: str, chain: tuple[str, ...]) -> None:
        """Take the statements of a file that bind a name, and what `name.chain` stands for."""
        if self._again(path, name, chain):
            return
        module = self.module(path)
        for statement in module.binding.get(name, ()):
            self._take(path, statement)
        for found in module.imports.get(name, ()):
            self._follow(path, found, chain)
        for star in module.imports.get("*", ()) if name not in module.binding else ():
            for other in self._locate(star[0], star[1], path).files:
                self._name(other, name, chain)

    def _follow(self, path: Path, found: Import, chain: tuple[str, ...]) -> None:
        """Take what the name of an import, with the attributes `chain`, stands for."""
        name, level, attribute = found
        for other in self._locate(name, level, path).files:
            self._attributes(other, chain if attribute is None else (attribute, *chain))

    def _attributes(self, path: Path, chain: tuple[str, ...]) -> None:
        """Take what `module.a.b` stands for, where `module` is a file."""
        self._load(path)
        if not chain:  # the module as a value: any of its names may be used
            self._everything(path)
            return
        first, rest = chain[0], chain[1:]
        part = below(path, first)
        if first not in self.module(path).binding and part is not None:
            if part.suffix == ".py":
                self._attributes(part, rest)
            else:
                self.unseen[f"the compiled {part.name}"] = None
            return
        self._name(path, first, rest)
        if first not in self.module(path).binding:
            self._name(path, "__getattr__", ())

    def _everything(self, path: Path) -> None:
        """Take a whole file, where it is not known which of its names are used."""
        if not self._again("everything", path):
            for name in self.module(path).binding:
                self._name(path, name, ())

    def _import(self, path: Path, name: str, level: int) -> None:
        """Take what importing a dotted name does; the packages above it are imported, too."""
        parts = name.split(".")
        for end in range(1, len(parts) + 1):
            found = self._locate(".".join(parts[:end]), level, path)
            for other in found.files:
                self._load(other)
            for other in found.compiled:
                self.unseen[f"the compiled {other.name}"] = None

    def _again(self, *what: object) -> bool:
        seen = what in self._done
        self._done.add(what)
        return seen


def _names(statement: ast.stmt) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The names in a statement, each with the attributes that follow it there."""
    seen: set[ast.AST] = set()
    for node in ast.walk(statement):  # from outside to inside: the longest chain comes first
        chain: tuple[str, ...] = ()
        inner = node
        while isinstance(inner, ast.Attribute):
            chain, inner = (inner.attr, *chain), inner.value
        if isinstance(inner, ast.Name) and inner not in seen:
            seen.add(inner)
            yield inner.id, chain


def _imported_by_call(module: Module, nodes: list[ast.AST]) -> Iterator[str]:
    """The modules that these nodes import by a call, `import_module("name")`."""
    for node in nodes:
        match node:
            case ast.Call(func=function, args=[ast.Constant(str(name)), *_]) if name:
                if called(module, function) in ("import_module", "__import__"):
                    yield name
