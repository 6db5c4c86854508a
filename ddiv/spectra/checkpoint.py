"""Reading the weights in a checkpoint file, without running anything that the file says."""

from __future__ import annotations

import json
import pickle
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open

from ddiv.common.errors import cause
from ddiv.common.trust import why
from ddiv.spectra import torchscript
from ddiv.spectra.statedict import Found, unwrapped, weights_in

SUFFIXES = (".safetensors", ".pt", ".pth", ".bin", ".ckpt")

INDEX = ".index.json"

_LFS = b"version https://git-lfs"

_DISTRIBUTED = (".distcp", ".metadata")  # of torch.distributed.checkpoint

# What training scripts of transformers put beside the weights.
_BESIDE = ("training_args", "optimizer", "scheduler", "scaler", "rng_state")


class LoadError(ValueError):
    """A model cannot be had; the message is one line that names the cause and what to do."""


def read(path: Path) -> Found:
    """The weights (name -> tensor on the CPU) of a file, an index of shards or a folder.

    Beside them, (name, reason) for everything that was left out: an optimiser's state, counters.

    A safetensors file is mapped into memory: a tensor is read from the disk when it is first used.
    A torch checkpoint is read with ``weights_only=True``, which builds tensors and plain containers
    and nothing else, a TorchScript archive without TorchScript. Its weights may be nested
    ("state_dict", "model", ..; see ``statedict``). A "module." that begins every name is cut off.

    LoadError if nothing is there, on damage, on a pickle that wants more than tensors, on an index
    whose shards do not hold what it promises, and if no tensors are found.
    """
    path = _file_of(path)
    promised: dict[str, str] = {}
    if path.name.endswith(INDEX):
        promised = _weight_map(path)
    weights: dict[str, torch.Tensor] = {}
    beside: list[tuple[str, str]] = []
    for part in _shards(path, promised) if promised else [path]:
        read_part = _safetensors if part.suffix == ".safetensors" else _torch_checkpoint
        tensors, others = read_part(part)
        if twice := tensors.keys() & weights.keys():
            raise LoadError(f"{path}: two of its shards hold {min(twice)!r}")
        weights |= tensors
        beside += others
    if not weights:
        first = f" ({beside[0][0]}: {beside[0][1]})" if beside else ""
        raise LoadError(f"{path} holds no tensors by name, so there is no spectrum in it{first}")
    if absent := sorted(promised.keys() - weights.keys()):
        raise LoadError(
            f"{path} promises {len(absent)} tensor(s) that its shards do not hold: "
            f"{', '.join(absent[:3])}: get them again"
        )
    return unwrapped(weights), beside


def _file_of(path: Path) -> Path:
    """The one checkpoint in a folder; the file itself otherwise."""
    if not path.is_dir():
        return path
    for pattern in ("*.safetensors" + INDEX, "*.safetensors", "*.bin" + INDEX, "*"):
        files = sorted(
            p
            for p in path.glob(pattern)
            if p.name.endswith((*SUFFIXES, INDEX)) and not p.name.startswith(_BESIDE)
        )
        if len(files) > 1:
            names = ", ".join(file.name for file in files[:8])
            raise LoadError(f"{path} holds several checkpoints; name one: {names}")
        if files:
            return files[0]
    if any(p.name.endswith(_DISTRIBUTED) for p in path.iterdir()):
        raise LoadError(
            f"{path} is a checkpoint of torch.distributed in parts: make one file of it with "
            "python -m torch.distributed.checkpoint.format_utils dcp_to_torch"
        )
    raise LoadError(f"{path} is a folder without a checkpoint ({', '.join(SUFFIXES)} or *{INDEX})")


def shards_of(folder: Path) -> list[Path]:
    """The files that the indices in a folder name; LoadError where one is not in the folder."""
    indices = sorted(folder.glob("*" + INDEX))
    return [shard for index in indices for shard in _shards(index, _weight_map(index))]


def _weight_map(index: Path) -> dict[str, str]:
    """Name of a tensor -> name of the shard that holds it, as an index has it."""
    _check_content(index)
    try:
        names = json.loads(index.read_bytes())["weight_map"]
        if not isinstance(names, dict) or not names:
            raise TypeError("no mapping")
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise LoadError(f"{index} is no index of shards: it has no readable weight_map") from error
    for name in names.values():
        if not isinstance(name, str) or Path(name).name != name or name in ("", ".."):
            raise LoadError(f"{index} names {name!r}, which is no file beside it")
    return names


def _shards(index: Path, weight_map: Mapping[str, str]) -> list[Path]:
    shards = [index.parent / name for name in sorted(set(weight_map.values()))]
    if missing := [shard.name for shard in shards if not shard.exists()]:
        raise LoadError(
            f"{index} names {len(missing)} shard(s) that are not there: {', '.join(missing[:4])}"
        )
    return shards


def _check_content(path: Path) -> None:
    """Raise LoadError on what can be no checkpoint, before a reader opens it and may wait."""
    try:
        if path.is_symlink() and not path.exists():
            raise LoadError(f"{path} is a link to {path.readlink()}, which is not there")
        if not path.exists():
            raise LoadError(f"there is no file {path}")
        if not path.is_file():
            raise LoadError(f"{path} is no regular file (a pipe, a device or a folder)")
        with path.open("rb") as file:
            start = file.read(len(_LFS))
    except OSError as error:
        raise LoadError(f"{path} cannot be read: {cause(error)}") from error
    if not start:
        raise LoadError(f"{path} is empty")
    if start == _LFS:
        raise LoadError(
            f"{path} is a pointer of git-lfs, not the weights: fetch them with git lfs pull"
        )


def _safetensors(path: Path) -> Found:
    _check_content(path)
    try:
        with safe_open(path, framework="pt") as file:
            names = file.keys()  # no dict: it cannot be iterated over
            return {name: file.get_tensor(name) for name in names}, []
    except Exception as error:  # a damaged file can make its reader raise anything
        raise LoadError(f"{path} is damaged or no safetensors file: {why(error)}") from error


def _torch_checkpoint(path: Path) -> Found:
    _check_content(path)
    try:
        if torchscript.is_archive(path):
            content: Any = torchscript.read(path)
        else:
            content = torch.load(
                path, map_location="cpu", weights_only=True, mmap=_can_be_mapped(path)
            )
    except pickle.UnpicklingError as error:
        raise LoadError(
            f"{path} is no plain checkpoint: it asks to build Python objects other than tensors "
            "(which could run any code), or is damaged. It was not unpickled. Save the state dict "
            "alone: as safetensors, or with torch.save(model.state_dict(), ..)"
        ) from error
    except Exception as error:  # a damaged file can make its readers raise anything
        raise LoadError(f"{path} is damaged or no torch checkpoint: {why(error)}") from error
    if not isinstance(content, Mapping):
        kind = type(content).__name__
        raise LoadError(
            f"{path} holds a {kind}, not a state dict: save torch.save(model.state_dict(), ..)"
        )
    return weights_in(content)


def _can_be_mapped(path: Path) -> bool:
    """Whether torch may map a checkpoint into memory: a zip archive, as torch.save has written.

    ValueError where its members are compressed: torch would map them as they are.
    """
    with path.open("rb") as file:
        if file.read(4) != b"PK\x03\x04":
            return False
    with zipfile.ZipFile(path) as archive:
        if any(member.compress_type != zipfile.ZIP_STORED for member in archive.infolist()):
            raise ValueError("its members are compressed, which torch.save never does")
    return True
