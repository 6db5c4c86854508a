"""The embedded profile's CLIPs: small open_clip models, pre-trained by ``python -m
ddiv.models.pretrain``.

There are two, which differ in the image tower: a vision transformer, and open_clip's modified
ResNet (the kind of CLIP RN50) with one block a stage.  Each checkpoint that ships with the package
holds of the 49408 token embeddings only the rows that occur in the world's captions; the others are
zero after loading.  A JSON file beside it says how it was made and carries its SHA-256, which is
checked at every loading.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from open_clip.model import CLIP, CLIPTextCfg, CLIPVisionCfg
from open_clip.tokenizer import SimpleTokenizer

from ddiv.backbone import ImageInput, clip_input, normalise
from ddiv.models import Tower, checkpoint, weights_path

REBUILD = "python -m ddiv.models.pretrain"
TEMPLATES = ("a {}", "a picture of a {}", "{}")
_EMBEDDING, _IDS = "token_embedding.weight", "token_ids"


class CheckpointError(RuntimeError):
    """The shipped checkpoint is missing, damaged, or does not fit its provenance file."""


@dataclass(frozen=True)
class ClipConfig:
    """Sizes of the model.  The image embedding has ``embed_dim`` features.

    ``vision_layers``: the number of the transformer's blocks, or for a modified ResNet those of its
    four stages, and ``vision_width`` then the planes of the first stage (64 in RN50); it has no
    patches.
    """

    embed_dim: int = 64
    image_size: int = 32
    patch_size: int | None = 8
    vision_width: int = 64
    vision_layers: int | tuple[int, int, int, int] = 3
    head_width: int = 16
    context_length: int = 16
    text_width: int = 64
    text_layers: int = 2
    text_heads: int = 4


CONFIGS: dict[Tower, ClipConfig] = {
    "vit": ClipConfig(),
    "resnet": ClipConfig(
        patch_size=None, vision_width=8, vision_layers=(1, 1, 1, 1), head_width=64
    ),
}


def build_clip(config: ClipConfig = ClipConfig(), vocab_size: int = 49408) -> CLIP:
    """An untrained open_clip CLIP of the given sizes; its weights come from torch's global
    generator.
    """
    model = CLIP(
        config.embed_dim,
        CLIPVisionCfg(
            layers=config.vision_layers,
            width=config.vision_width,
            head_width=config.head_width,
            patch_size=config.patch_size,
            image_size=config.image_size,
        ),
        CLIPTextCfg(
            context_length=config.context_length,
            vocab_size=vocab_size,
            width=config.text_width,
            heads=config.text_heads,
            layers=config.text_layers,
        ),
    )
    if isinstance(config.vision_layers, tuple):
        # Convolutions train a quarter faster on a CPU with the channels last in memory; shapes and
        # meaning stay.
        model.visual.to(memory_format=torch.channels_last)
    # As open_clip's own loaders note them.
    model.visual.image_mean, model.visual.image_std = ImageInput().mean, ImageInput().deviation
    return model


@cache
def tokenizer(context_length: int) -> SimpleTokenizer:
    """open_clip's own tokenizer; its vocabulary ships inside the open_clip package, so no network
    is used.
    """
    return SimpleTokenizer(context_length=context_length)


def preprocess(
    images: np.ndarray | torch.Tensor,
    mean: torch.Tensor | float = 0.5,
    deviation: torch.Tensor | float = 0.25,
) -> torch.Tensor:
    """uint8 (n, 3, h, w) to float32 of the same shape, by default within [-2, 2]
    (`ddiv.backbone.normalise`).

    Raises TypeError for anything but uint8, which would mean that the pictures were already scaled.
    """
    images = torch.as_tensor(images)
    if images.dtype != torch.uint8:
        raise TypeError(f"images must be uint8, got {images.dtype}")
    return normalise(images, mean, deviation)


@torch.inference_mode()
def encode_images(
    model: CLIP, images: np.ndarray, batch: int = 512, normalise: bool = False
) -> np.ndarray:
    """Image embeddings, float32 (n, d): what the image tower gives out, scaled to length 1 if
    ``normalise``.

    The model is put in evaluation mode while this runs and put back afterwards.
    """
    was_training, device = model.training, model.logit_scale.device
    scale = [
        torch.tensor(channels, device=device).view(3, 1, 1)
        for channels in clip_input(model.visual)[:2]
    ]
    model.eval()
    try:
        parts = [
            model.encode_image(
                preprocess(torch.as_tensor(images[i : i + batch]).to(device), *scale),
                normalize=normalise,
            )
            .float()
            .cpu()
            for i in range(0, len(images), batch)
        ]
    finally:
        model.train(was_training)
    return torch.cat(parts).numpy() if parts else np.empty((0, model.visual.output_dim), np.float32)


@torch.inference_mode()
def class_embeddings(model: CLIP, class_names: Sequence[str]) -> np.ndarray:
    """Text embeddings of length 1, float32 (classes, d): the mean over a few wordings of each name."""
    was_training, device = model.training, model.logit_scale.device
    model.eval()
    try:
        texts = [t.format(name) for name in class_names for t in TEMPLATES]
        rows = model.encode_text(tokenizer(model.context_length)(texts).to(device), normalize=True)
    finally:
        model.train(was_training)
    return (
        F.normalize(rows.view(len(class_names), len(TEMPLATES), -1).mean(1), dim=-1).cpu().numpy()
    )


def zero_shot_accuracy(
    model: CLIP, images: np.ndarray, labels: np.ndarray, class_names: Sequence[str]
) -> float:
    """Share of images (n, 3, 32, 32) whose embedding is nearest to the text embedding of their own
    class's name.
    """
    scores = encode_images(model, images) @ class_embeddings(model, class_names).T
    return float((scores.argmax(1) == np.asarray(labels)).mean())


def save_clip(
    model: CLIP, config: ClipConfig, token_ids: np.ndarray, path: Path, provenance: dict
) -> dict:
    """Write a checkpoint with the token rows ``token_ids`` only, and its provenance JSON; returns
    the JSON's content.
    """
    state = {k: v.detach().float().contiguous() for k, v in model.state_dict().items()}
    ids = torch.as_tensor(token_ids, dtype=torch.int64)
    state[_EMBEDDING], state[_IDS] = state[_EMBEDDING][ids].contiguous(), ids
    return checkpoint.write(path, state, config, provenance)


def load_embedded_clip(tower: Tower = "vit", path: Path | None = None) -> CLIP:
    """The pre-trained model with this image tower in evaluation mode, on the CPU; `path` if not the
    shipped checkpoint.

    Raises CheckpointError if the files are not as written.
    """
    path = path or weights_path(tower)
    state, config = checkpoint.read(
        path, ClipConfig, "CLIP", f"rebuild it with: {REBUILD} --tower {tower}", CheckpointError
    )
    # building draws initial weights; leave the caller's generator alone
    with torch.random.fork_rng(devices=[]):
        model = build_clip(config)
    rows = torch.zeros_like(model.token_embedding.weight.data)
    rows[state.pop(_IDS)] = state[_EMBEDDING]
    model.load_state_dict(state | {_EMBEDDING: rows})
    return model.eval()
