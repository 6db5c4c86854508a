"""Reading the weights in a checkpoint file, without running anything that the file says."""

from __future__ import annotations

import json
import pickle
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open

SUFFIXES = (".safetensors", ".pt", ".pth", ".bin", ".ckpt")

INDEX = ".index.json"

# Under which name training scripts keep the weights, the most specific first.
_NESTED = ("state_dict", "model_state_dict", "model_state", "model", "module", "network", "net")

_PREFIXES = ("module.", "_orig_mod.")  # of DataParallel and of torch.compile

_LFS = b"version https://git-lfs"

# What torch raises on a file that is cut short or is something else altogether.
_DAMAGE = (RuntimeError, EOFError, OSError, ValueError, KeyError, AttributeError, IndexError)

# Tensors by name, and (name, reason) for everything beside them.
Found = tuple[dict[str, torch.Tensor], list[tuple[str, str]]]


class LoadError(ValueError):
    """A model cannot be had; the message is one line that names the cause and what to do."""


def read(path: Path) -> Found:
    """The weights (name -> tensor on the CPU) of a file, an index of shards or a folder.

    Beside them, (name, reason) for everything that was left out: an optimiser's state, counters.

    A safetensors file is mapped into memory: a tensor is read from the disk when it is first used.
    A torch checkpoint is read with ``weights_only=True``, which builds tensors and plain containers
    and nothing else; its weights may be nested ("state_dict", "model", ..). A "module." that begins
    every name is cut off.

    LoadError if nothing is there, on damage, on a pickle that wants more than tensors, and if no
    tensors are found.
    """
    path = _file_of(path)
    weights: dict[str, torch.Tensor] = {}
    beside: list[tuple[str, str]] = []
    for part in _shards(path) if path.name.endswith(INDEX) else [path]:
        read_part = _safetensors if part.suffix == ".safetensors" else _torch_checkpoint
        tensors, others = read_part(part)
        if twice := tensors.keys() & weights.keys():
            raise LoadError(f"{path}: two of its shards hold {min(twice)!r}")
        weights |= tensors
        beside += others
    if not weights:
        raise LoadError(f"{path} holds no tensors, so there is no spectrum in it")
    for prefix in _PREFIXES:
        while all(name.startswith(prefix) for name in weights):
            weights = {name.removeprefix(prefix): tensor for name, tensor in weights.items()}
    return weights, beside


def _file_of(path: Path) -> Path:
    """The one checkpoint in a folder; the file itself otherwise."""
    if not path.exists():
        raise LoadError(f"there is no file {path}")
    if not path.is_dir():
        return path
    for pattern in ("*.safetensors" + INDEX, "*.safetensors", "*.bin" + INDEX, "*"):
        files = sorted(p for p in path.glob(pattern) if p.name.endswith((*SUFFIXES, INDEX)))
        if len(files) > 1:
            names = ", ".join(file.name for file in files[:8])
            raise LoadError(f"{path} holds several checkpoints; name one: {names}")
        if files:
            return files[0]
    raise LoadError(f"{path} is a folder without a checkpoint ({', '.join(SUFFIXES)} or *{INDEX})")


def _shards(index: Path) -> list[Path]:
    try:
        names = sorted(set(json.loads(index.read_bytes())["weight_map"].values()))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise LoadError(f"{index} is no index of shards: it has no readable weight_map") from error
    if strange := [name for name in names if not isinstance(name, str) or Path(name).name != name]:
        raise LoadError(f"{index} names {strange[0]!r}, which is no file beside it")
    shards = [index.parent / name for name in names]
    if missing := [shard.name for shard in shards if not shard.exists()]:
        raise LoadError(
            f"{index} names {len(missing)} shard(s) that are not there: {', '.join(missing[:4])}"
        )
    return shards


def _check_content(path: Path) -> None:
    with path.open("rb") as file:
        start = file.read(len(_LFS))
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
    except (SafetensorError, OSError) as error:
        cause = _first_line(error)
        raise LoadError(f"{path} is damaged or no safetensors file: {cause}") from error


def _torch_checkpoint(path: Path) -> Found:
    _check_content(path)
    try:
        content = torch.load(
            path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path)
        )
    except pickle.UnpicklingError as error:
        raise LoadError(
            f"{path} is no plain checkpoint: it asks to build Python objects other than tensors "
            "(which could run any code), or is damaged. It was not unpickled. Save the state dict "
            "alone: as safetensors, or with torch.save(model.state_dict(), ..)"
        ) from error
    except _DAMAGE as error:
        cause = _first_line(error)
        raise LoadError(f"{path} is damaged or no torch checkpoint: {cause}") from error
    return _unwrapped(path, content)


def _unwrapped(path: Path, content: Any) -> Found:
    """The weights in what a training script saved, and a reason for each thing beside them."""
    beside: list[tuple[str, str]] = []
    at = ""
    while isinstance(content, Mapping) and not any(map(torch.is_tensor, content.values())):
        nested = (key for key in _NESTED if isinstance(content.get(key), Mapping) and content[key])
        inner = next(nested, None)
        if inner is None:
            break
        beside += [
            (f"{at}{key}", f"beside the weights, which are in {at}{inner}")
            for key in content
            if key != inner
        ]
        content, at = content[inner], f"{at}{inner}."
    if not isinstance(content, Mapping):
        kind = type(content).__name__
        raise LoadError(
            f"{path} holds a {kind}, not a state dict: save torch.save(model.state_dict(), ..)"
        )
    named = {str(key): value for key, value in content.items()}
    tensors = {key: value for key, value in named.items() if isinstance(value, torch.Tensor)}
    beside += [
        (key, f"not a tensor but {type(value).__name__}")
        for key, value in named.items()
        if key not in tensors
    ]
    return tensors, beside


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
