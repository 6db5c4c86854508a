"""Checkpoints that ship with the package: safetensors, each with a JSON file of its provenance."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
from safetensors.torch import load, save
from torch import Tensor

from ddiv.common.files import write_atomically
from ddiv.models.shipped import provenance_path

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Sizes = TypeVar("Sizes")


def write(
    path: Path, tensors: dict[str, Tensor], config: DataclassInstance, provenance: dict[str, Any]
) -> dict[str, Any]:
    """Write a checkpoint and its provenance; returns the provenance JSON's content.

    The JSON has the given provenance, the model's sizes `config`, and the checkpoint's SHA-256.
    """
    data = save(tensors)
    record = provenance | {
        "config": asdict(config),
        "bytes": len(data),
        "sha256": hashlib.sha256(data).hexdigest(),
    }
    write_atomically(path, data)
    write_atomically(provenance_path(path), (json.dumps(record, indent=2) + "\n").encode())
    return record


def read(
    path: Path, config: type[Sizes], name: str, remedy: str, error: type[Exception]
) -> tuple[dict[str, Tensor], Sizes]:
    """The tensors of a checkpoint and its sizes, an instance of `config`.

    Raises `error` where the two files are missing, damaged or do not fit. Its message calls the
    model `name` and ends in `remedy`.
    """
    try:
        data, record = path.read_bytes(), json.loads(provenance_path(path).read_text("utf-8"))
        sizes, expected = msgspec.convert(record["config"], config), record["sha256"]
    except (OSError, ValueError, KeyError, TypeError, msgspec.ValidationError) as cause:
        raise error(f"cannot read the embedded {name} at {path}: {cause}; {remedy}") from cause
    if (digest := hashlib.sha256(data).hexdigest()) != expected:
        raise error(
            f"{path} has SHA-256 {digest[:12]}..., its provenance says {expected[:12]}...; {remedy}"
        )
    return load(data), sizes
