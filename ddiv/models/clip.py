"""The embedded profile's CLIPs: small open_clip models, pre-trained by ``python -m
ddiv.models.pretrain``.

There are two, which differ in the image tower: a vision transformer, and open_clip's modified
ResNet (the kind of CLIP RN50) with one block a stage. Of the 49408 token embeddings each checkpoint
holds only the rows that occur in the world's captions; the others are zero after loading. A JSON
file beside it says how it was made and carries its SHA-256, which is checked at every loading.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import torch.nn.functional as F

from ddiv.models import checkpoint
from ddiv.models.network import ImageInput, normalise
from ddiv.models.shipped import Tower, weights_path
from ddiv.study import Clip, OpenClip

if TYPE_CHECKING:
    from open_clip import CLIP
    from open_clip.modified_resnet import ModifiedResNet
    from open_clip.tokenizer import SimpleTokenizer
    from open_clip.transformer import VisionTransformer

REBUILD = "python -m ddiv.models.pretrain"

TEMPLATES = ("a {}", "a picture of a {}", "{}")

_EMBEDDING, _IDS = "token_embedding.weight", "token_ids"


class CheckpointError(RuntimeError):
    """The shipped checkpoint is missing, damaged, or does not fit its provenance file."""


@dataclass(frozen=True)
class ClipConfig:
    """Sizes of the model. The image embedding has ``embed_dim`` features.

    For a vision transformer ``vision_layers`` is its number of blocks. For a modified ResNet it is
    the number of blocks of each of the four stages, ``vision_width`` is the planes of the first
    stage (64 in RN50), and there are no patches.
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
    """An untrained open_clip CLIP of these sizes, its weights from torch's global generator."""
    from open_clip.model import CLIP, CLIPTextCfg, CLIPVisionCfg  # takes seconds

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
    # open_clip's own loaders set these attributes, too.
    model.visual.image_mean, model.visual.image_std = ImageInput().mean, ImageInput().deviation
    return model


@cache
def tokenizer(context_length: int) -> SimpleTokenizer:
    """open_clip's own tokenizer, whose vocabulary is in the open_clip package."""
    from open_clip.tokenizer import SimpleTokenizer

    return SimpleTokenizer(context_length=context_length)


def preprocess(
    images: np.ndarray | torch.Tensor,
    mean: torch.Tensor | float = 0.5,
    deviation: torch.Tensor | float = 0.25,
) -> torch.Tensor:
    """uint8 (n, 3, h, w) to float32 of the same shape, as `ddiv.models.network.normalise` does it.

    By default the result lies within [-2, 2]. Raises TypeError on anything but uint8, since such
    pictures may have been scaled already.
    """
    images = torch.as_tensor(images)
    if images.dtype != torch.uint8:
        raise TypeError(f"images must be uint8, got {images.dtype}")
    return normalise(images, mean, deviation)


@torch.inference_mode()
def encode_images(
    model: CLIP, images: np.ndarray, batch: int = 512, normalise: bool = False
) -> np.ndarray:
    """Image embeddings, float32 (n, d): the output of the image tower.

    With ``normalise`` they are scaled to length 1. The model is in evaluation mode while this runs,
    and afterwards in the mode in which it was before.
    """
    was_training, device = model.training, model.logit_scale.device
    scale = [
        torch.tensor(channels, device=device).view(3, 1, 1)
        for channels in clip_input(model.visual)[:2]
    ]
    parts: list[np.ndarray] = []
    model.eval()
    try:
        for start in range(0, len(images), batch):
            pixels = torch.as_tensor(images[start : start + batch]).to(device)
            rows = model.encode_image(preprocess(pixels, *scale), normalize=normalise)
            parts.append(rows.float().cpu().numpy())
    finally:
        model.train(was_training)
    return np.concatenate(parts) if parts else np.empty((0, model.visual.output_dim), np.float32)


@torch.inference_mode()
def class_embeddings(model: CLIP, class_names: Sequence[str]) -> np.ndarray:
    """Text embeddings of length 1, float32 (classes, d), each the mean over wordings of a name."""
    was_training, device = model.training, model.logit_scale.device
    model.eval()
    try:
        texts = [template.format(name) for name in class_names for template in TEMPLATES]
        tokens = tokenizer(model.context_length)(texts).to(device)
        rows = model.encode_text(tokens, normalize=True)
    finally:
        model.train(was_training)
    means = rows.view(len(class_names), len(TEMPLATES), -1).mean(1)
    return F.normalize(means, dim=-1).cpu().numpy()


def zero_shot_accuracy(
    model: CLIP, images: np.ndarray, labels: np.ndarray, class_names: Sequence[str]
) -> float:
    """Share of images (n, 3, 32, 32) whose nearest text embedding is that of their own class."""
    scores = encode_images(model, images) @ class_embeddings(model, class_names).T
    return float((scores.argmax(1) == np.asarray(labels)).mean())


def save_clip(
    model: CLIP, config: ClipConfig, token_ids: np.ndarray, path: Path, provenance: dict[str, Any]
) -> dict[str, Any]:
    """Write a checkpoint and its provenance JSON; returns the JSON's content.

    Of the token embeddings it holds the rows ``token_ids`` only.
    """
    weights = model.state_dict().items()
    state = {name: value.detach().float().contiguous() for name, value in weights}
    ids = torch.as_tensor(token_ids, dtype=torch.int64)
    state[_EMBEDDING], state[_IDS] = state[_EMBEDDING][ids].contiguous(), ids
    return checkpoint.write(path, state, config, provenance)


def load_embedded_clip(tower: Tower = "vit", path: Path | None = None, seed: int = 0) -> CLIP:
    """The model with this image tower, pre-trained from `seed`, in evaluation mode, on the CPU.

    `path` is the shipped checkpoint by default. Raises CheckpointError if the files are not as
    written.
    """
    path = path or weights_path(tower, seed)
    remedy = f"rebuild it with: {REBUILD} --tower {tower}" + f" --seed {seed}" * bool(seed)
    state, config = checkpoint.read(path, ClipConfig, "CLIP", remedy, CheckpointError)
    # Building draws initial weights, and must not move the caller's generator.
    with torch.random.fork_rng(devices=[]):
        model = build_clip(config)
    rows = torch.zeros_like(model.token_embedding.weight.data)
    rows[state.pop(_IDS)] = state[_EMBEDDING]
    model.load_state_dict(state | {_EMBEDDING: rows})
    return model.eval()


# --- CLIP ---------------------------------------------------------------------------------------


def clip_model(backbone: Clip | OpenClip) -> CLIP:
    """The pre-trained open_clip model that a spec names, in evaluation mode, on the CPU.

    The caller gets a copy of its own. Its `visual.image_mean` and `image_std` are those of pixels.
    Raises ValueError on other weights than the shipped ones of a Clip, NoModel where those of an
    OpenClip cannot be had.
    """
    from ddiv.models.shipped import shipped

    if isinstance(backbone, OpenClip):
        from ddiv.models.open_clip_models import load_open_clip

        return copy.deepcopy(load_open_clip(backbone.model, backbone.pretrained))
    seeds = shipped(backbone.tower)
    if backbone.weights not in seeds:
        there = ", ".join(weights[:12] for weights in seeds)
        raise ValueError(
            f"this ddiv ships the CLIP weights {there} ({backbone.tower}), the spec asks "
            f"for {backbone.weights[:12]}: install the ddiv that made it"
        )
    return load_embedded_clip(backbone.tower, seed=seeds[backbone.weights])


def image_tower(backbone: Clip | OpenClip) -> VisionTransformer | ModifiedResNet:
    """The image tower of `clip_model`, a copy of the caller's own. Raises as that does."""
    if isinstance(backbone, OpenClip):
        from ddiv.models.open_clip_models import load_open_clip

        # Copying the tower alone copies half of the model, or less.
        return copy.deepcopy(load_open_clip(backbone.model, backbone.pretrained).visual)
    return clip_model(backbone).visual


def clip_input(visual: VisionTransformer | ModifiedResNet) -> ImageInput:
    """How an image tower of open_clip takes images."""
    # image_size is (side, side) of a transformer, side of a ResNet
    side = int(np.ravel(visual.image_size)[0])
    return ImageInput(visual.image_mean, visual.image_std, side)


BATCH = 512  # images that are resized at once: as floats they take four times the memory


def resized(images: np.ndarray, side: int) -> np.ndarray:
    """uint8 (n, 3, h, w) brought to (n, 3, side, side) bilinearly."""
    import torch
    from torch.nn import functional as F

    if images.shape[2:] == (side, side):
        return images
    out = np.empty((len(images), 3, side, side), np.uint8)
    for start in range(0, len(images), BATCH):
        part = torch.from_numpy(images[start : start + BATCH]).float()
        part = F.interpolate(part, (side, side), mode="bilinear").round()
        out[start : start + BATCH] = part.to(torch.uint8).numpy()
    return out
