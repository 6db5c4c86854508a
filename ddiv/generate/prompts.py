"""Prompts and picture sizes for Stable Diffusion, drawn for each image (v1 section 3.4)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ddiv.common.draws import stream
from ddiv.treatment import StableDiffusion

# The paper draws one of four formats for each image and does not print them; these are ours.
FORMATS = (
    "a photo of a {}",
    "a close-up photo of a {}",
    "a photo of a {} in its natural surroundings",
    "a bright, sharp picture of one {}",
)

MULTIPLE = 8  # Stable Diffusion's autoencoder divides both sides by 8


class Request(NamedTuple):
    """One image to draw: its prompt, its size in pixels, and the seed of its noise."""

    prompt: str
    height: int
    width: int
    seed: int


def request(class_name: str, ordinal: int, seed: int, spec: StableDiffusion) -> Request:
    """The request for the `ordinal`-th image of a class.

    Format, size and noise follow from the arguments alone. Sizes are multiples of 8 within the
    spec's ranges, both ends included. Each image has a seed of its own, so that neither its batch
    nor the other classes matter.
    """
    own_seed = stream(seed, f"stable diffusion/{class_name}/{ordinal}")
    rng = np.random.default_rng(own_seed)
    text = FORMATS[rng.integers(len(FORMATS))].format(class_name.replace("_", " "))
    return Request(text, _size(rng, spec.heights), _size(rng, spec.widths), own_seed)


def _size(rng: np.random.Generator, ends: tuple[int, int]) -> int:
    return MULTIPLE * int(rng.integers(-(-ends[0] // MULTIPLE), ends[1] // MULTIPLE + 1))
