"""The checkpoints of the embedded profile, which lie in the package.

Each model is there several times, pre-trained from different seeds: replicates of a study take
turns with them.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

Tower = Literal["vit", "resnet"]

Shipped = Tower | Literal["bert", "captioned"]

_FILES = {
    "vit": "embedded_clip",
    "resnet": "embedded_clip_resnet",
    "bert": "embedded_bert",
    "captioned": "embedded_captioned",
}

# Those of pre-training.
SEEDS = (0, 1, 2)


def weights_path(model: Shipped = "vit", seed: int = 0) -> Path:
    """The checkpoint of the CLIP with this tower, or of the BERT, from a pre-training seed."""
    number = f"_{seed}" if seed else ""
    return Path(__file__).parent / "weights" / f"{_FILES[model]}{number}.safetensors"


def provenance_path(weights: Path) -> Path:
    """The JSON file that says how a checkpoint was made."""
    return weights.with_suffix(".json")


def embedded_weights(model: Shipped = "vit", seed: int = 0) -> str:
    """The SHA-256 of a shipped checkpoint by its provenance; specs name weights by it."""
    path = provenance_path(weights_path(model, seed))
    digest: str = json.loads(path.read_text("utf-8"))["sha256"]
    return digest


def shipped(model: Shipped) -> dict[str, int]:
    """The pre-training seeds of a model's checkpoints in this package, by their SHA-256."""
    return {embedded_weights(model, seed): seed for seed in SEEDS}


def further_weights(model: Shipped = "vit") -> tuple[str, ...]:
    """The SHA-256 of a model's checkpoints from other pre-training seeds than the first."""
    return tuple(shipped(model))[1:]
