"""Functions and classes of a user's own, as bytes: nodes need not have the files they stand in."""

from __future__ import annotations

import io
import pickle
import sys
from collections import ChainMap
from collections.abc import Callable, Iterator
from functools import lru_cache, partial
from pathlib import Path
from types import ModuleType
from typing import Any

from ddiv.common import own
from ddiv.common.modules import is_foreign

# The names that the import of a module leaves in it.
_IMPORTED = ("__builtins__", "__loader__", "__spec__", "__cached__")


def packed() -> bytes:
    """All functions and classes of a user's own that this process knows, for `unpack`.

    Files of the user's that they use go along; installed packages do not. b"" where there are none.
    Raises ValueError where one cannot be sent.
    """
    things = {name: thing for name, thing in own.known().items() if not _is_installed(thing)}
    if not things:
        return b""
    from ray import cloudpickle

    theirs = list(_modules())
    table = cloudpickle.CloudPickler.dispatch_table
    by_value = {ModuleType: partial(_module, theirs, table[ModuleType])}

    class Pickler(cloudpickle.CloudPickler):  # type: ignore[misc]  # Ray has no types
        dispatch_table = ChainMap(by_value, table)  # noqa: RUF012  # as cloudpickle has it

    file = io.BytesIO()
    for module in theirs:
        cloudpickle.register_pickle_by_value(module)
    try:
        Pickler(file).dump(things)
    except Exception as error:
        raise ValueError(
            f"code of this run cannot be sent to other machines: {type(error).__name__}: {error}. "
            "Let it hold no open files, locks or connections at its top level"
        ) from error
    finally:
        for module in theirs:
            cloudpickle.unregister_pickle_by_value(module)
    return file.getvalue()


@lru_cache(maxsize=4)
def unpack(code: bytes) -> None:
    """Make known to this process what another one packed. Raises whatever its imports raise."""
    if code:
        own.know_all(pickle.loads(code))


def _module(theirs: list[ModuleType], others: Callable[[Any], Any], module: ModuleType) -> Any:
    """How a module is pickled: the user's without what imported it, which under pytest knows its
    whole session; `others` as cloudpickle does.
    """
    if module not in theirs:
        return others(module)
    whole = {name: thing for name, thing in vars(module).items() if name not in _IMPORTED}
    return _made, (module.__name__, whole)


def _made(name: str, things: dict[str, Any]) -> ModuleType:
    module = ModuleType(name)
    vars(module).update(things)
    return module


def _is_installed(thing: Any) -> bool:
    module = sys.modules.get(thing.__module__)
    file = getattr(module, "__file__", None)
    return file is not None and is_foreign(Path(file))


def _modules() -> Iterator[ModuleType]:
    """The modules of this process whose files are the user's."""
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if file and getattr(module, "__name__", "") == name and not is_foreign(Path(file)):
            yield module
