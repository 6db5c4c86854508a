"""open_clip's CLIP models as backbones.

Pre-trained weights are named by open_clip's tag, or by the SHA-256 of a local file. They are never
downloaded while a study runs: those of a tag come from Hugging Face's cache, where `hf download`
puts them.
"""

from __future__ import annotations

import difflib
import json
import os
import textwrap
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import open_clip
import torch
from open_clip import CLIP
from open_clip.constants import (
    HF_SAFE_WEIGHTS_NAME,
    HF_WEIGHTS_NAME,
    OPENAI_DATASET_MEAN,
    OPENAI_DATASET_STD,
)
from open_clip.convert import convert_state_dict
from open_clip.model import resize_pos_embed, resize_text_pos_embed
from open_clip.modified_resnet import ModifiedResNet
from torch import Tensor

from ddiv.common.digests import file_digest, is_digest
from ddiv.common.errors import NoModel
from ddiv.common.paths import named
from ddiv.common.trust import running_nothing
from ddiv.models.hub import NotAtHand, cached
from ddiv.spectra import checkpoint, torchscript
from ddiv.study import OpenClip

PLACE_VARIABLE = "DDIV_CLIP"

SUFFIXES = (".safetensors", ".pt", ".pth", ".bin")

_SIZES = ("input_resolution", "context_length", "vocab_size")  # integers in OpenAI's archives

# CLIP's default prompt (Radford et al. 2021, section 3.1.4).
TEMPLATE = "a photo of a {}."


def architecture(name: str, quick_gelu: bool) -> CLIP:
    """An untrained model of open_clip's; torch's generator is left as it is.

    Raises NoModel where open_clip has no model of this name, and where its towers are not
    open_clip's own.
    """
    config = open_clip.get_model_config(name)
    if config is None:
        close = difflib.get_close_matches(name, open_clip.list_models(), n=3)
        raise NoModel(
            f"open_clip has no model {name!r}" + f"; close: {', '.join(close)}" * bool(close)
        )
    foreign = "timm_model_name" in config["vision_cfg"] or "hf_model_name" in config["text_cfg"]
    if config.pop("custom_text", False) or "multimodal_cfg" in config or foreign:
        raise NoModel(
            f"the towers of {name} are of other kinds than open_clip's own vision transformer, "
            "modified ResNet and text transformer: take a model like ViT-B-32 or RN50"
        )
    with torch.random.fork_rng(devices=[]):
        return CLIP(**config | {"quick_gelu": quick_gelu})


@lru_cache(maxsize=2)
def load_open_clip(model: str, pretrained: str) -> CLIP:
    """The pre-trained model of a spec, float32, on the CPU, in evaluation mode.

    Its pixels' mean and deviation are `visual.image_mean` and `visual.image_std`. The model is kept
    and shared, because reading it takes seconds and all trials of a study start from it: change
    copies only. Raises NoModel where the weights are not at hand, are damaged or belong to another
    model.
    """
    path, tag = checkpoint_file(OpenClip(model, pretrained)), _tag(model, pretrained)
    try:
        # open_clip's own function (3.3) warns, and gives OpenAI's weights another activation than
        # they were trained with.
        clip = architecture(model, bool(tag.get("quick_gelu")) if tag else _quick_gelu(model, path))
        clip.load_state_dict(_state(clip, path))
    except NoModel:
        raise
    except Exception as error:  # A damaged file can make its readers raise anything.
        cause = textwrap.shorten(str(error).removeprefix(f"{path} "), 200, placeholder=" ..")
        cause = cause or type(error).__name__
        raise NoModel(
            f"{path} cannot be loaded as {model} ({cause}): name the model that it belongs to, or "
            "get the file again"
        ) from error
    visual = clip.visual
    visual.image_mean = tag.get("mean", OPENAI_DATASET_MEAN)
    visual.image_std = tag.get("std", OPENAI_DATASET_STD)
    if isinstance(visual, ModifiedResNet):
        # Convolutions are faster with the channels last in memory; shapes and meaning stay.
        visual.to(memory_format=torch.channels_last)
    return clip.eval()


def _state(clip: CLIP, path: Path) -> dict[str, Tensor]:
    """The weights in a checkpoint file, as open_clip names and shapes them.

    open_clip's own reader runs code in TorchScript archives, as OpenAI's own files are.
    """
    weights, _ = checkpoint.read(path)
    if torchscript.is_archive(path):
        weights = {name: value for name, value in weights.items() if name not in _SIZES}
    state: dict[str, Tensor] = convert_state_dict(clip, weights)
    if "logit_scale" in state:  # a number, or a vector of one
        state["logit_scale"] = state["logit_scale"].reshape(clip.logit_scale.shape)
    resize_pos_embed(state, clip)
    resize_text_pos_embed(state, clip)
    return state


@lru_cache(maxsize=4)
@torch.no_grad()
def zero_shot_weights(model: str, pretrained: str, classes: tuple[str, ...]) -> Tensor:
    """CLIP's zero-shot classifier (classes, d) for image features of length 1.

    Its rows are text embeddings of length 1 of `TEMPLATE` with each class's name ("_" read as a
    space), times the model's logit scale.
    """
    clip = load_open_clip(model, pretrained)
    prompts = [TEMPLATE.format(name.replace("_", " ")) for name in classes]
    with running_nothing():  # some models have a tokenizer of the hub's
        tokens = open_clip.get_tokenizer(model)(prompts)
    parts = [clip.encode_text(part, normalize=True) for part in tokens.split(64)]
    weights: Tensor = torch.cat(parts) * clip.logit_scale.exp()
    return weights


# --- where the weights are ------------------------------------------------------------------------


def absent_open_clip(spec: OpenClip) -> str | None:
    """In one line why a spec's weights are not at hand and how to get them; None where they are.

    Reads no weights.
    """
    try:
        _candidates(spec.pretrained) if is_digest(spec.pretrained) else checkpoint_file(spec)
    except NotAtHand as why:
        return str(why)
    except NoModel:  # The weights cannot be had, and the trial will fail and say so.
        pass
    return None


def checkpoint_file(spec: OpenClip) -> Path:
    """The file with the weights of a spec.

    Raises NotAtHand, or NoModel where open_clip knows no such weights.
    """
    if is_digest(spec.pretrained):
        return _local_file(spec.pretrained, named(PLACE_VARIABLE))
    if not (tag := _tag(spec.model, spec.pretrained)):
        tags = open_clip.list_pretrained_tags_by_model(spec.model)
        raise NoModel(
            f"open_clip has no weights {spec.pretrained!r} for {spec.model!r}; its tags: "
            f"{', '.join(tags) or 'none'}. A local file is named by its SHA-256, and "
            f"{PLACE_VARIABLE} says where it is"
        )
    repository, file = os.path.split(tag["hf_hub"])
    path = cached(repository, *([file] if file else [HF_SAFE_WEIGHTS_NAME, HF_WEIGHTS_NAME]))
    if path is None:
        raise NotAtHand(
            f"the weights {spec.model}/{spec.pretrained} are not in Hugging Face's cache: hf "
            f"download {repository} --include '{file or 'open_clip*'}'"
        )
    return path


def _tag(model: str, pretrained: str) -> Mapping[str, Any]:
    """open_clip's configuration of a tag's weights; empty for a local file."""
    return {} if is_digest(pretrained) else open_clip.get_pretrained_cfg(model, pretrained)


@lru_cache(maxsize=4)  # Otherwise every trial would read a whole checkpoint for its digest.
def _local_file(digest: str, place: Path | None) -> Path:
    files = _candidates(digest)
    for path in files:
        if file_digest(path) == digest:
            return path
    raise NoModel(
        f"none of the {len(files)} checkpoints in {place} has the SHA-256 {digest}, which the "
        "study asks for: put the one that was meant there, or take another's (sha256sum FILE) into "
        "the study"
    )


def _candidates(digest: str) -> list[Path]:
    """The files in which the checkpoint with this digest may be. Raises NotAtHand on none."""
    place = named(PLACE_VARIABLE)
    paths: list[Path] = []
    if place:
        paths = [place] if place.is_file() else sorted(place.rglob("*"))
    if not (files := [path for path in paths if path.suffix in SUFFIXES]):
        why = f"names {place}, where no file {'/'.join(SUFFIXES)} is" if place else "is not set"
        raise NotAtHand(
            f"the CLIP checkpoint {digest[:12]}... is a local file, and {PLACE_VARIABLE} {why}: "
            "let it name the file or a folder that holds it"
        )
    return files


def _quick_gelu(model: str, path: Path) -> bool:
    """Whether a local file's model has QuickGELU, by the model's name: weights do not tell.

    Raises NoModel where the file is known to be of the other kind. OpenAI's own files have
    QuickGELU; in a folder from open_clip a file beside the weights says whether they do.
    """
    named = bool((open_clip.get_model_config(model) or {}).get("quick_gelu"))
    trained = torchscript.is_archive(path) or named
    if (beside := path.with_name("open_clip_config.json")).is_file():
        trained = bool(json.loads(beside.read_text("utf-8")).get("model_cfg", {}).get("quick_gelu"))
    if trained != named:
        right = f"{model}-quickgelu" if trained else model.removesuffix("-quickgelu")
        raise NoModel(
            f"{path} was trained with{'' if trained else 'out'} QuickGELU: name its model {right}"
        )
    return named
