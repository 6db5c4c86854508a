"""Stable Diffusion through diffusers, as the paper uses it (v1 section 3.4): prompts and sizes
drawn for each image.

Every image is kept in an on-disk cache, so that a run that was interrupted draws only what is
missing. diffusers is imported where it is needed: that takes seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from importlib.metadata import version
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image

from ddiv.digests import is_digest, local_folder
from ddiv.errors import NoModel
from ddiv.generate.cache import FLAGGED, ImageCache, default_folder
from ddiv.generate.check import BadSamples
from ddiv.generate.prompts import Request, request
from ddiv.source import Setting, StableDiffusion

REDRAWS = 5  # of an image that the safety checker flags, each with the next seed
FOLDER_VARIABLE = "DDIV_STABLE_DIFFUSION"


class Drawn(NamedTuple):
    """Images uint8 (n, 3, side, side), and what is to be recorded of their making."""

    images: np.ndarray
    facts: dict


def sample(
    spec: StableDiffusion,
    setting: Setting,
    classes: Sequence[str],
    labels: np.ndarray,
    side: int,
    seed: int,
    device: torch.device,
    progress: Callable[[float], None] = lambda share: None,
    *,
    pipeline=None,
    cache: ImageCache | None = None,
    batch: int = 4,
) -> Drawn:
    """One image for each of `labels` (m,), numbers into `classes`; cut to its middle square and
    resized to `side`.

    `setting.guidance` is the pipeline's guidance scale, `setting.temperature` scales the initial
    noise. Images of equal size are drawn `batch` at a time. One that the safety checker flags is
    drawn again with the next seed. `pipeline` is a loaded StableDiffusionPipeline (default: the
    spec's), `cache` where images are kept (default: `cache.default_folder`).

    Raises NoModel, and BadSamples on NaN images and where one is flagged after REDRAWS further
    draws.
    """
    pipeline = pipeline if pipeline is not None else load_pipeline(spec.model, device)
    cache = cache or ImageCache(default_folder())
    seen: dict[int, int] = {}
    waiting = []
    for place, label in enumerate(map(int, labels)):
        waiting.append((place, request(classes[label], seen.get(label, 0), seed, spec)))
        seen[label] = seen.get(label, 0) + 1
    images = np.empty((len(labels), 3, side, side), np.uint8)
    done = flagged = 0
    for attempt in range(REDRAWS + 1):
        refused = []
        for place, one, picture in _pictures(pipeline, spec, setting, waiting, cache, batch):
            if picture is FLAGGED:
                refused.append((place, one._replace(seed=one.seed + 1)))
                continue
            images[place] = _square(picture, side)
            done += 1
            progress(done / len(labels))
        flagged += len(refused)
        waiting = refused
        if not waiting:
            break
    else:
        names = ", ".join(sorted({repr(classes[int(labels[place])]) for place, _ in waiting}))
        raise BadSamples(
            f"the safety checker flagged {len(waiting)} images of {names} {REDRAWS + 1} times over: rename or "
            "leave out these classes, or give a pipeline without the checker if you answer for what it shows"
        )
    checker = (
        "absent" if pipeline.safety_checker is None else type(pipeline.safety_checker).__name__
    )
    facts = {
        "model": spec.model,
        "flagged": flagged,
        "safety_checker": checker,
        "dtype": str(pipeline.dtype),
        "diffusers": version("diffusers"),
    }
    return Drawn(images, facts)


def _pictures(
    pipeline,
    spec: StableDiffusion,
    setting: Setting,
    waiting: Sequence[tuple[int, Request]],
    cache: ImageCache,
    batch: int,
) -> Iterator[tuple[int, Request, np.ndarray | bytes]]:
    """Each request with its place and its picture uint8 (h, w, 3) or FLAGGED: first those in the
    cache, then new ones.
    """
    missing = []
    for place, one in waiting:
        path = cache.path(spec.model, *one, spec.steps, setting.guidance, setting.temperature)
        if (found := cache.get(path)) is None:
            missing.append((place, one, path))
        else:
            yield place, one, found

    def size(item: tuple[int, Request, Path]) -> tuple[int, int]:
        return item[1].height, item[1].width

    for _, group in groupby(sorted(missing, key=size), key=size):
        items = list(group)
        for start in range(0, len(items), batch):
            part = items[start : start + batch]
            for (place, one, path), picture in zip(
                part, _draw(pipeline, spec, setting, [one for _, one, _ in part])
            ):
                cache.put(path, picture)
                yield place, one, picture


def _draw(
    pipeline, spec: StableDiffusion, setting: Setting, requests: Sequence[Request]
) -> list[np.ndarray | bytes]:
    """The pictures of requests of one size, uint8 (h, w, 3) or FLAGGED.

    Raises BadSamples on NaN.
    """
    height, width = requests[0].height, requests[0].width
    # Noise is drawn on the CPU, one generator an image: batch and device make no difference to it.
    generators = [torch.Generator().manual_seed(one.seed % 2**63) for one in requests]
    shape = (
        pipeline.unet.config.in_channels,
        height // pipeline.vae_scale_factor,
        width // pipeline.vae_scale_factor,
    )
    noise = (
        torch.stack([torch.randn(shape, generator=own) for own in generators]) * setting.temperature
    )
    out = pipeline(
        prompt=[one.prompt for one in requests],
        height=height,
        width=width,
        num_inference_steps=spec.steps,
        guidance_scale=setting.guidance,
        generator=generators,
        latents=noise.to(pipeline.device, pipeline.dtype),
        output_type="np",
    )
    pictures = []
    for one, image, refused in zip(
        requests, out.images, out.nsfw_content_detected or [False] * len(requests)
    ):
        if not refused and not np.isfinite(image).all():
            raise BadSamples(
                f"Stable Diffusion gave NaN or infinity for {one.prompt!r} ({width} x {height} pixels): its "
                f"arithmetic overflows in {pipeline.dtype}; load the pipeline in float32"
            )
        pictures.append(
            FLAGGED if refused else np.rint(np.clip(image, 0, 1) * 255).astype(np.uint8)
        )
    return pictures


def _square(picture: np.ndarray, side: int) -> np.ndarray:
    """The middle square of uint8 (h, w, 3), as CLIP's own preprocessing takes it, as uint8 (3,
    side, side).
    """
    height, width = picture.shape[:2]
    short = min(height, width)
    top, left = (height - short) // 2, (width - short) // 2
    middle = Image.fromarray(picture[top : top + short, left : left + short])
    return np.asarray(middle.resize((side, side), Image.Resampling.BICUBIC)).transpose(2, 0, 1)


@lru_cache(maxsize=1)
def load_pipeline(model: str, device: torch.device):
    """The pipeline of a hub id, or of the local folder in $DDIV_STABLE_DIFFUSION whose digest
    `model` is.

    In float16 on CUDA, float32 elsewhere. Hugging Face's own settings (HF_HOME, HF_HUB_OFFLINE)
    hold. Raises NoModel.
    """
    from diffusers import StableDiffusionPipeline

    where = _local_folder(model) if is_digest(model) else model
    try:
        pipeline = StableDiffusionPipeline.from_pretrained(where)
    except (OSError, ValueError) as error:  # huggingface_hub's errors are among them
        raise NoModel(
            f"Stable Diffusion {model} cannot be loaded ({str(error).splitlines()[0]}). Once, with a network and "
            f"without HF_HUB_OFFLINE: hf download {model}; or put a copy into a folder, name it in "
            f"{FOLDER_VARIABLE}, and give its digest as the generator's model"
        ) from error
    pipeline.set_progress_bar_config(disable=True)
    return pipeline.to(device, torch.float16 if device.type == "cuda" else torch.float32)


def _local_folder(digest: str) -> str:
    return local_folder(
        digest,
        FOLDER_VARIABLE,
        "model_index.json",
        f"the generator is the local Stable Diffusion {digest[:12]}...",
        "let it name the folder that `StableDiffusionPipeline.save_pretrained` wrote",
    )
