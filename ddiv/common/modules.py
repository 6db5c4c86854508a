"""Files of Python as they are written: the statements at their top level, and what they import.

Only a user's own files are followed: neither Python's library, nor installed packages, nor ddiv.
"""

from __future__ import annotations

import ast
import linecache
import sys
import sysconfig
from collections import defaultdict
from collections.abc import Iterator
from functools import cached_property, lru_cache
from importlib.machinery import EXTENSION_SUFFIXES, ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

# What one name of a file stands for: a module, or a name of a module.
Import = tuple[str, int, str | None]  # dotted name, level of a relative import, the name in it


class Found(NamedTuple):
    """Where an import leads: files of the user's, and compiled ones, which cannot be read."""

    files: tuple[Path, ...] = ()
    compiled: tuple[Path, ...] = ()


class Module:
    """A file of Python; without statements where there is none, or none that can be read."""

    def __init__(self, path: Path) -> None:
        self.path = path
        linecache.checkcache(str(path))
        self.lines = linecache.getlines(str(path))
        self.body = _parsed("".join(self.lines))

    @cached_property
    def binding(self) -> dict[str, list[ast.stmt]]:
        """The statements that bind each name."""
        found: defaultdict[str, list[ast.stmt]] = defaultdict(list)
        for statement in self.body:
            for name in dict.fromkeys(bound(statement)):
                found[name].append(statement)
        return dict(found)

    @cached_property
    def imports(self) -> dict[str, list[Import]]:
        """What each name that an import at the top level binds stands for."""
        return imported(node for each in self.body for node in executed(each))

    def defined(self, name: str) -> int:
        """How often `def` or `class` defines this name, declarations of overloads left aside."""
        return sum(
            isinstance(each, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef))
            and each.name == name
            and not any(ast.unparse(by).endswith("overload") for by in each.decorator_list)
            for each in self.body
        )

    def text(self, statements: set[ast.stmt]) -> str:
        """The lines of these statements, in the file's order."""
        return "".join(
            line
            for statement in self.body
            if statement in statements
            for line in self.lines[_first_line(statement) - 1 : statement.end_lineno]
        )


@lru_cache(maxsize=256)  # claims that share files are read one after another
def _parsed(text: str) -> list[ast.stmt]:
    try:
        return ast.parse(text).body
    except (SyntaxError, ValueError):
        return []


def bound(statement: ast.stmt) -> Iterator[str]:
    """The names that a statement at the top level of a file binds, also within `if` or `with`."""
    for node in executed(statement):
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                yield node.name
            case ast.Name(ctx=ast.Store() | ast.Del()):
                yield node.id
            case ast.alias():
                yield node.asname or node.name.partition(".")[0]
            case ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
                yield name
    for node in ast.walk(statement):
        if isinstance(node, ast.Global):  # a function that binds names of the file
            yield from node.names


def executed(statement: ast.AST) -> Iterator[ast.AST]:
    """The nodes of a statement without those within functions and classes that it defines."""
    yield statement
    if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)):
        return
    for child in ast.iter_child_nodes(statement):
        yield from executed(child)


def imported(nodes: Iterator[ast.AST]) -> dict[str, list[Import]]:
    """What each name that imports among these nodes bind stands for; "*" for stars."""
    found: defaultdict[str, list[Import]] = defaultdict(list)
    for node in nodes:
        match node:
            case ast.Import(names=names):
                for each in names:
                    module = each.name if each.asname else each.name.partition(".")[0]
                    found[each.asname or module].append((module, 0, None))
            case ast.ImportFrom(names=names):
                for each in names:
                    found[each.asname or each.name].append(
                        (node.module or "", node.level, each.name)
                    )
    return dict(found)


def loaded(nodes: Iterator[ast.AST]) -> Iterator[tuple[str, int]]:
    """The modules (dotted name, level) that imports among these nodes execute."""
    for node in nodes:
        match node:
            case ast.Import(names=names):
                yield from ((each.name, 0) for each in names)
            case ast.ImportFrom():
                yield node.module or "", node.level


def locate(name: str, level: int, importer: Path) -> Found:
    """The files of the user's that an import in the file `importer` may lead to.

    A name may lead to several: to a neighbour of the file, and to what this process has imported
    under it. All are taken, since which one Python takes depends on how the file is run.
    """
    parts = [part for part in name.split(".") if part]
    if level:
        folder = importer.parent
        for _ in range(level - 1):
            folder = folder.parent
        starts = [folder / "__init__.py"]
    else:
        starts = _top(parts[0], importer)
        parts = parts[1:]
    ends = []
    for start in starts:
        end: Path | None = start
        for part in parts:
            end = None if end is None else below(end, part)
        if end is not None and end not in ends:
            ends.append(end)
    sources = tuple(end for end in ends if end.suffix == ".py")
    return Found(sources, tuple(end for end in ends if end.suffix != ".py"))


def below(package: Path, part: str) -> Path | None:
    """The file of a package's module; of a folder without __init__.py, the place of that file."""
    if package.name != "__init__.py":
        return None
    for path in (package.parent / part / "__init__.py", package.parent / f"{part}.py"):
        if path.is_file():
            return path
    for suffix in EXTENSION_SUFFIXES:
        if (path := package.parent / f"{part}{suffix}").is_file():
            return path
    folder = package.parent / part
    return folder / "__init__.py" if folder.is_dir() else None


def is_foreign(path: Path) -> bool:
    """Whether a file is Python's, an installed package's or ddiv's."""
    whole = path.resolve()
    return bool({"site-packages", "dist-packages"} & {*whole.parts}) or any(
        whole.is_relative_to(folder) for folder in _FOREIGN
    )


_FOREIGN = [
    *{Path(sysconfig.get_path(kind)).resolve() for kind in ("stdlib", "platstdlib")},
    Path(__file__).resolve().parents[1],
]


def _top(name: str, importer: Path) -> list[Path]:
    """Where a module without dots may lie that is not foreign."""
    found = [sys.modules.get(name) or PathFinder.find_spec(name)]
    found.insert(0, PathFinder.find_spec(name, [str(importer.parent)]))
    files = [file for each in found if (file := _file(each))]
    # A folder without __init__.py is a package only where there is no other of the name.
    files = files or [file for each in found if (file := _namespace(each))]
    paths = dict.fromkeys(Path(file).resolve() for file in files)
    return [path for path in paths if not is_foreign(path)]


def _file(module: ModuleType | ModuleSpec | None) -> str | None:
    if isinstance(module, ModuleSpec):
        return module.origin
    return getattr(module, "__file__", None)


def _namespace(module: ModuleType | ModuleSpec | None) -> str | None:
    """The place that __init__.py would have in a package without it."""
    where = "submodule_search_locations" if isinstance(module, ModuleSpec) else "__path__"
    first = next(iter(getattr(module, where, None) or ()), None)
    return None if first is None else str(Path(first, "__init__.py"))


def _first_line(statement: ast.stmt) -> int:
    """The number of a statement's first line, that of its first decorator where it has some."""
    decorators: list[ast.expr] = getattr(statement, "decorator_list", [])
    return min([statement.lineno, *(decorator.lineno for decorator in decorators)])
