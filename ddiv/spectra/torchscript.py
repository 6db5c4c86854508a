"""The weights in a TorchScript archive, read without TorchScript.

torch.jit.load compiles the code in an archive and runs its `__setstate__`, which may write files.
Here only the archive's list of objects is unpickled, by a reader that knows plain containers, notes
where tensors lie, and makes an empty shell of everything else.
"""

from __future__ import annotations

import pickle
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import torch

_MOST, _DEEPEST = 100_000, 64  # modules of an archive, and inside one another

_TYPES = {
    "DoubleStorage": torch.float64,
    "FloatStorage": torch.float32,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
    "ComplexFloatStorage": torch.complex64,
    "ComplexDoubleStorage": torch.complex128,
}


def is_archive(path: Path) -> bool:
    """Whether a file is a TorchScript archive, as torch.load would have it."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (OSError, ValueError, zipfile.BadZipFile, NotImplementedError):
        return False
    return bool(names) and f"{_root(names)}/constants.pkl" in names


def read(path: Path) -> dict[str, torch.Tensor]:
    """Name -> tensor of every parameter and buffer, under the names of its state dict.

    Raises whatever a damaged archive makes zipfile, pickle or torch raise.
    """
    storages: dict[tuple[str, str], torch.Tensor] = {}
    with zipfile.ZipFile(path) as archive:
        root = _root(archive.namelist())
        with archive.open(f"{root}/data.pkl") as content:
            model = _Reader(content).load()

        def tensor(view: _View) -> torch.Tensor:
            if (held := storages.get(view.storage)) is None:
                kind, key = view.storage
                data = _stored(archive, f"{root}/data/{key}")
                held = torch.frombuffer(data, dtype=_TYPES[kind]) if data else torch.empty(0)
                storages[view.storage] = held
            # It raises RuntimeError where a view would end beyond its storage.
            return torch.as_strided(held, view.size, view.stride, view.offset)

        return {name: tensor(view) for name, view in _views(model)}


def _root(names: list[str]) -> str:
    """The archive's own folder, which torch takes from the first member."""
    return names[0].partition("/")[0]


def _stored(archive: zipfile.ZipFile, name: str) -> bytearray:
    member = archive.getinfo(name)
    if member.compress_type != zipfile.ZIP_STORED:  # torch compresses nothing, zip bombs do
        raise ValueError("its members are compressed")
    return bytearray(archive.read(member))


class _View(NamedTuple):
    """Where a tensor lies: storage (type, key), offset, size and stride in elements."""

    storage: tuple[str, str]
    offset: int
    size: tuple[int, ...]
    stride: tuple[int, ...]


class _Shell:
    """A module, or any other object of a class that the archive defines: its attributes alone."""

    def __setstate__(self, state: object) -> None:
        self.parts = state if isinstance(state, dict) else {}


def _views(model: object) -> Iterator[tuple[str, _View]]:
    """The tensors of a module and of those inside it, by name."""
    waiting, seen = [("", model)], 0
    while waiting:
        prefix, shell = waiting.pop()
        inner: list[tuple[str, object]] = []
        for name, part in getattr(shell, "parts", {}).items():
            if isinstance(part, _View):
                yield f"{prefix}{name}", part
            elif isinstance(part, _Shell):
                inner.append((f"{prefix}{name}.", part))
        waiting += reversed(inner)
        seen += 1
        if seen > _MOST or prefix.count(".") > _DEEPEST:  # one that holds itself has no end
            raise ValueError("its modules have no end")


class _Reader(pickle.Unpickler):
    """An unpickler for which a file can name nothing but a few functions of ours, and shells."""

    def find_class(self, module: str, name: str) -> Any:
        """What a name in the file stands for."""
        if module.partition(".")[0] == "__torch__":
            return type("_Module", (_Shell,), {})
        if module == "torch" and name in _TYPES:
            return name
        known: dict[tuple[str, str], Callable[..., Any]] = {
            ("collections", "OrderedDict"): lambda *_: {},
            ("torch._utils", "_rebuild_tensor_v2"): lambda *given: _View(*given[:4]),
            ("torch.jit._pickle", "restore_type_tag"): lambda value, _: value,
        }
        for kind in ("int", "double", "bool", "tensor"):
            known["torch.jit._pickle", f"build_{kind}list"] = lambda values: values
        if (module, name) not in known:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}")
        return known[module, name]

    def persistent_load(self, pid: Any) -> tuple[str, str]:
        """A storage's type and key."""
        _, kind, key, _, _ = pid
        return kind, key
