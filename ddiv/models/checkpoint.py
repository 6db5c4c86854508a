"""Checkpoints that ship with the package: safetensors, and beside them a JSON file that says how
they were made.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import msgspec
from safetensors.torch import load, save
from torch import Tensor

from ddiv.models import provenance_path


def write(path: Path, tensors: dict[str, Tensor], config: Any, provenance: dict) -> dict:
    """Write a checkpoint and its provenance with the sizes `config` (a dataclass) and the SHA-256;
    returns the JSON's content.
    """
    data = save(tensors)
    record = provenance | {
        "config": asdict(config),
        "bytes": len(data),
        "sha256": hashlib.sha256(data).hexdigest(),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    provenance_path(path).write_text(json.dumps(record, indent=2) + "\n")
    return record


def read(
    path: Path, config: type, name: str, remedy: str, error: type[Exception]
) -> tuple[dict[str, Tensor], Any]:
    """The tensors of a checkpoint and its sizes, an instance of `config`.

    Raises `error`, which calls the model `name` and ends in `remedy`, where the two files are
    missing, damaged or do not fit.
    """
    try:
        data, record = path.read_bytes(), json.loads(provenance_path(path).read_text())
        sizes, expected = msgspec.convert(record["config"], config), record["sha256"]
    except (OSError, ValueError, KeyError, TypeError, msgspec.ValidationError) as cause:
        raise error(f"cannot read the embedded {name} at {path}: {cause}; {remedy}") from cause
    if (found := hashlib.sha256(data).hexdigest()) != expected:
        raise error(
            f"{path} has SHA-256 {found[:12]}..., its provenance says {expected[:12]}...; {remedy}"
        )
    return load(data), sizes
