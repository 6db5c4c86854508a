"""A Python file of a user's, run so that it finds the files beside it, as a script does."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import (
    EXTENSION_SUFFIXES,
    SOURCE_SUFFIXES,
    ExtensionFileLoader,
    FileFinder,
    ModuleSpec,
    PathFinder,
    SourceFileLoader,
)
from pathlib import Path
from types import ModuleType
from typing import Any

from ddiv.common.modules import is_foreign


class _Fresh(SourceFileLoader):
    """Compiles a file anew, and keeps nothing compiled beside it.

    Python's own loader takes the compiled file where size and second of change are the same: code
    would run that is not the code whose digest is in a record's key.
    """

    def path_stats(self, path: str) -> dict[str, Any]:
        raise OSError


class _Neighbours(MetaPathFinder):
    """Finds the modules of one folder, before installed ones of their names.

    Python's own library goes first: other packages rely on it, and a `queue.py` beside a study
    would take its place for them.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._finder = FileFinder(
            str(folder), (ExtensionFileLoader, EXTENSION_SUFFIXES), (_Fresh, SOURCE_SUFFIXES)
        )

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if path is not None or name in sys.stdlib_module_names:
            return None
        self._finder.invalidate_caches()
        spec = self._finder.find_spec(name)
        return spec if spec and spec.loader else None  # a mere folder is no neighbour yet


class _Inside(MetaPathFinder):
    """Finds the modules within the packages and mere folders of one folder, and compiles them anew.

    What is installed below it (a virtual environment) is left to Python.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        for entry in map(Path, path or ()):
            if not entry.resolve().is_relative_to(self.folder) or is_foreign(entry):
                continue
            spec = FileFinder(str(entry), (_Fresh, SOURCE_SUFFIXES)).find_spec(name)
            if spec and spec.loader:
                return spec
        return None


def run(path: Path) -> dict[str, object]:
    """The names that a Python file defines.

    It may import its neighbours: by their names, or relatively where its folder is a package (has
    an __init__.py). They are found as long as the process runs, since functions may import them
    later; those of a file that was run before are forgotten. Raises whatever the file raises.
    """
    path = path.resolve()
    folder, package = path.parent, ""
    while (folder / "__init__.py").is_file():
        folder, package = folder.parent, f"{folder.name}.{package}".rstrip(".")
    finders = [_Neighbours(each) for each in dict.fromkeys((path.parent, folder))]
    _forget()
    sys.meta_path[:0] = finders
    # Before Python's own, and after pytest's, which rewrites assertions.
    sys.meta_path.insert(sys.meta_path.index(PathFinder), _Inside(folder))
    sys.path.append(str(path.parent))  # for neighbours that are mere folders
    # Not a name by which a neighbour, or an installed package, may be imported.
    module = ModuleType(f"{package}.<study> {path.stem}".lstrip("."))
    module.__package__, module.__file__ = package, str(path)
    sys.modules[module.__name__] = module  # where classes look for the names of their fields
    try:
        if package:
            importlib.import_module(package)
        exec(compile(path.read_bytes(), str(path), "exec"), module.__dict__)
    except ImportError as error:
        if package or "relative import" not in str(error):
            raise
        hint = "leave out the dot, files beside it are found by their names"
        raise ImportError(f"{error}: {hint}") from error
    finally:
        # Last from now on: what pytest collects later may have names that neighbours have, too.
        for finder in finders:
            sys.meta_path.remove(finder)
            sys.meta_path.append(finder)
    return dict(module.__dict__)


def _forget() -> None:
    """Forget what was found beside a file that was run before, under names that may come again."""
    for finder in [each for each in sys.meta_path if isinstance(each, (_Neighbours, _Inside))]:
        sys.meta_path.remove(finder)
        if str(finder.folder) in sys.path:
            sys.path.remove(str(finder.folder))
    specs = [(name, getattr(module, "__spec__", None)) for name, module in sys.modules.items()]
    fresh = {name for name, spec in specs if isinstance(getattr(spec, "loader", None), _Fresh)}
    for name in [name for name, _ in specs if name.partition(".")[0] in fresh]:
        del sys.modules[name]
