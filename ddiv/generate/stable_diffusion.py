"""Stable Diffusion through diffusers, as the paper uses it (v1 section 3.4).

Prompt and size are drawn for each image. Every image is kept in an on-disk cache, so that a run
that was interrupted draws only the images that are missing. diffusers is imported where it is
needed, since that takes seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from importlib.metadata import version
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from PIL import Image

from ddiv.common.digests import is_digest, local_folder
from ddiv.common.errors import NoModel
from ddiv.common.printed import command
from ddiv.common.trust import running_nothing, why
from ddiv.generate.cache import FLAGGED, ImageCache, default_folder
from ddiv.generate.check import BadSamples
from ddiv.generate.prompts import Request, request
from ddiv.treatment import Setting, StableDiffusion

REDRAWS = 5  # times that a flagged image is drawn again, each with the next seed

FOLDER_VARIABLE = "DDIV_STABLE_DIFFUSION"

# A StableDiffusionPipeline. Type checkers see a stand-in of diffusers' that has no attributes.
_Pipeline = Any


class Drawn(NamedTuple):
    """Images uint8 (n, 3, side, side), and the facts of their making for the record."""

    images: np.ndarray
    facts: dict[str, Any]


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
    pipeline: _Pipeline = None,
    cache: ImageCache | None = None,
    batch: int = 4,
) -> Drawn:
    """One image for each of `labels` (m,), which are numbers into `classes`.

    Each is cut to its middle square and resized to `side`. `setting.guidance` is the pipeline's
    guidance scale, `setting.temperature` scales the initial noise. Images of equal size are drawn
    `batch` at a time. An image that the safety checker flags is drawn again with the next seed.
    `pipeline` is by default the spec's, `cache` by default the one in `cache.default_folder`.

    Raises NoModel, and BadSamples on NaN images and where an image is flagged after REDRAWS further
    draws.
    """
    pipeline = pipeline if pipeline is not None else load_pipeline(spec.model, device)
    cache = cache or ImageCache(default_folder())
    cache.tidy()
    seen: dict[int, int] = {}
    waiting: list[tuple[int, Request]] = []
    for place, label in enumerate(map(int, labels)):
        waiting.append((place, request(classes[label], seen.get(label, 0), seed, spec)))
        seen[label] = seen.get(label, 0) + 1
    images = np.empty((len(labels), 3, side, side), np.uint8)
    done = flagged = 0
    for _ in range(REDRAWS + 1):
        refused = []
        for place, query, picture in _pictures(pipeline, spec, setting, waiting, cache, batch):
            if isinstance(picture, bytes):  # FLAGGED
                refused.append((place, query._replace(seed=query.seed + 1)))
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
            f"the safety checker flagged {len(waiting)} images of {names} {REDRAWS + 1} times "
            "over: rename or leave out these classes, or give a pipeline without the checker if "
            "you answer for what it shows"
        )
    checker = pipeline.safety_checker
    facts = {
        "model": spec.model,
        "flagged": flagged,
        "safety_checker": "absent" if checker is None else type(checker).__name__,
        "dtype": str(pipeline.dtype),
        "diffusers": version("diffusers"),
    }
    return Drawn(images, facts)


def _pictures(
    pipeline: _Pipeline,
    spec: StableDiffusion,
    setting: Setting,
    waiting: Sequence[tuple[int, Request]],
    cache: ImageCache,
    batch: int,
) -> Iterator[tuple[int, Request, np.ndarray | bytes]]:
    """Each request with its place and its picture, uint8 (h, w, 3) or FLAGGED.

    Pictures that are in the cache come first, then new ones.
    """
    missing = []
    for place, query in waiting:
        path = cache.path(spec.model, *query, spec.steps, setting.guidance, setting.temperature)
        if (picture := cache.get(path)) is None:
            missing.append((place, query, path))
        else:
            yield place, query, picture

    def size(item: tuple[int, Request, Path]) -> tuple[int, int]:
        return item[1].height, item[1].width

    for _, group in groupby(sorted(missing, key=size), key=size):
        items = list(group)
        for start in range(0, len(items), batch):
            part = items[start : start + batch]
            pictures = _draw(pipeline, spec, setting, [query for _, query, _ in part])
            for (place, query, path), picture in zip(part, pictures):
                cache.put(path, picture)
                yield place, query, picture


def _draw(
    pipeline: _Pipeline, spec: StableDiffusion, setting: Setting, requests: Sequence[Request]
) -> list[np.ndarray | bytes]:
    """The pictures of requests of one size, uint8 (h, w, 3) or FLAGGED.

    Raises BadSamples on NaN.
    """
    height, width = requests[0].height, requests[0].width
    # Noise is drawn on the CPU, by a generator for each image, so that it does not depend on batch
    # and device.
    generators = [torch.Generator().manual_seed(query.seed % 2**63) for query in requests]
    shape = (
        pipeline.unet.config.in_channels,
        height // pipeline.vae_scale_factor,
        width // pipeline.vae_scale_factor,
    )
    draws = [torch.randn(shape, generator=generator) for generator in generators]
    noise = torch.stack(draws) * setting.temperature
    out = pipeline(
        prompt=[query.prompt for query in requests],
        height=height,
        width=width,
        num_inference_steps=spec.steps,
        guidance_scale=setting.guidance,
        generator=generators,
        latents=noise.to(pipeline.device, pipeline.dtype),
        output_type="np",
    )
    flags = out.nsfw_content_detected or [False] * len(requests)
    pictures: list[np.ndarray | bytes] = []
    for query, image, flagged in zip(requests, out.images, flags):
        if flagged:
            pictures.append(FLAGGED)
            continue
        if not np.isfinite(image).all():
            raise BadSamples(
                f"Stable Diffusion gave NaN or infinity for {query.prompt!r} ({width} x {height} "
                f"pixels): its arithmetic overflows in {pipeline.dtype}; load the pipeline in "
                "float32"
            )
        pictures.append(np.rint(np.clip(image, 0, 1) * 255).astype(np.uint8))
    return pictures


def _square(picture: np.ndarray, side: int) -> np.ndarray:
    """The middle square of a picture uint8 (h, w, 3), as uint8 (3, side, side).

    It is taken and resized as CLIP's own preprocessing does it.
    """
    height, width = picture.shape[:2]
    short = min(height, width)
    top, left = (height - short) // 2, (width - short) // 2
    middle = Image.fromarray(picture[top : top + short, left : left + short])
    return np.asarray(middle.resize((side, side), Image.Resampling.BICUBIC)).transpose(2, 0, 1)


@lru_cache(maxsize=1)
def load_pipeline(model: str, device: torch.device) -> _Pipeline:
    """The pipeline of a hub id or a digest, in float16 on CUDA, float32 elsewhere.

    A digest is that of the local folder in $DDIV_STABLE_DIFFUSION. Hugging Face's own settings
    (HF_HOME, HF_HUB_OFFLINE) hold. Raises NoModel.
    """
    from diffusers import StableDiffusionPipeline

    loader: _Pipeline = StableDiffusionPipeline
    where = _local_folder(model) if is_digest(model) else model
    try:
        with running_nothing():
            pipeline = loader.from_pretrained(where, trust_remote_code=False)
    except Exception as error:  # a damaged file can make its readers raise anything
        raise NoModel(
            f"Stable Diffusion {model} cannot be loaded ({why(error)}). Once, with a network and "
            f"without HF_HUB_OFFLINE: {command('hf', 'download', model)}; or put a copy into a "
            f"folder, name it in {FOLDER_VARIABLE}, and give its digest as the generator's model"
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
