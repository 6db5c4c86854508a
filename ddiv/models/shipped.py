"""The checkpoints of the embedded profile, which lie in the package."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

Tower = Literal["vit", "resnet"]

Shipped = Tower | Literal["bert"]

_FILES = {
    "vit": "embedded_clip.safetensors",
    "resnet": "embedded_clip_resnet.safetensors",
    "bert": "embedded_bert.safetensors",
}


def weights_path(model: Shipped = "vit") -> Path:
    """The checkpoint of the shipped CLIP with this image tower, or of the shipped BERT."""
    return Path(__file__).parent / "weights" / _FILES[model]


def provenance_path(weights: Path) -> Path:
    """The JSON file that says how a checkpoint was made."""
    return weights.with_suffix(".json")


def embedded_weights(model: Shipped = "vit") -> str:
    """The SHA-256 of the shipped checkpoint by its provenance; specs name weights by it."""
    digest: str = json.loads(provenance_path(weights_path(model)).read_text("utf-8"))["sha256"]
    return digest
