"""A generator of images that knows words: flow matching (`ddiv.generate.path`) under captions.

Its outside knowledge is what Stable Diffusion's is in the paper: pictures in many styles of things
that a study's classes are made of. `ddiv.generate.pretrain_flow` trains it, and its checkpoint
ships with the package. A caption counts as the set of the known words in it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ddiv.common.draws import generator, stream
from ddiv.common.errors import TrialFailed
from ddiv.generate import path
from ddiv.generate.check import BadSamples, checked
from ddiv.generate.flow import decode
from ddiv.generate.network import Denoiser
from ddiv.generate.path import Progress
from ddiv.models import checkpoint
from ddiv.models.shipped import embedded_weights, weights_path
from ddiv.treatment import Captioned, Setting

REBUILD = "python -m ddiv.generate.pretrain_flow"


class NoGenerator(TrialFailed):
    """The captioned generator is missing, damaged, or another than a spec names."""


@dataclass(frozen=True)
class Sizes:
    """Of the network (`ddiv.generate.network`), and the words that it knows, in their order."""

    side: int
    width: int
    vocabulary: tuple[str, ...]


class Model:
    """A captioned generator: weights by name, and sizes."""

    def __init__(self, weights: Mapping[str, np.ndarray], sizes: Sizes) -> None:
        self.weights, self.sizes = weights, sizes

    @classmethod
    def read(cls, where: Path) -> Model:
        """Raises NoGenerator where the checkpoint or its provenance is missing or damaged."""
        remedy = f"install ddiv anew, or rebuild it with `{REBUILD}`"
        tensors, sizes = checkpoint.read(where, Sizes, "generator", remedy, NoGenerator)
        return cls({name: tensor.numpy() for name, tensor in tensors.items()}, sizes)

    def network(self) -> Denoiser:
        """The network, its weights not loaded."""
        return new_network(self.sizes)


def new_network(sizes: Sizes) -> Denoiser:
    """A network of these sizes, its weights from torch's global generator."""
    return Denoiser(3 * sizes.side**2, sizes.width, len(sizes.vocabulary), words=True)


def shipped(spec: Captioned) -> Model:
    """The model that a spec names. Raises NoGenerator where this package does not ship it."""
    if spec.weights != (here := embedded_weights("captioned")):
        raise NoGenerator(
            f"this ddiv ships the captioned generator {here[:12]}, the spec asks for "
            f"{spec.weights[:12]}: install the ddiv that made it"
        )
    model = _shipped()
    if model.sizes.side != spec.side:
        raise NoGenerator(
            f"the captioned generator draws {model.sizes.side} pixels, the spec says {spec.side}: "
            "leave `side` out"
        )
    return model


@cache
def _shipped() -> Model:
    return Model.read(weights_path("captioned"))


def sample(
    model: Model,
    classes: Sequence[str],
    setting: Setting,
    labels: np.ndarray,
    side: int,
    seed: int,
    device: torch.device,
    progress: Progress = lambda share: None,
) -> np.ndarray:
    """Images uint8 (m, 3, side, side), one for each of `labels` (m,), drawn with `seed`.

    The prompt of an image is a style of the setting's, drawn at random, and the name of its class.
    Raises BadSamples on a class or a style of which the generator knows no word, and on NaN.
    """
    known = model.sizes.vocabulary
    for text in (*classes, *setting.styles):
        if not bag([text], known).any():
            raise BadSamples(
                f"the captioned generator knows no word of {text!r}: it draws classes of the image "
                f"world in styles of that; its words are {', '.join(known)}"
            )
    rng = np.random.default_rng(stream(seed, "prompts"))
    styles = [
        setting.styles[number] for number in rng.integers(len(setting.styles), size=len(labels))
    ]
    prompts = [f"{style} of a {classes[label]}" for style, label in zip(styles, labels)]
    vectors = path.follow(
        path.loaded(model.network(), model.weights, device),
        bag(prompts, known),
        torch.zeros(len(known)),
        setting,
        generator(seed, "samples"),
        progress,
    )
    images = decode(vectors, model.sizes.side, side).cpu().numpy()
    return checked(images, len(labels), side)


def bag(texts: Iterable[str], vocabulary: Sequence[str]) -> Tensor:
    """Which words of the vocabulary stand in each text: float32 (n, words) of 0 and 1.

    A word that is part of a longer one does not count there: "oil painting" is no "painting".
    """
    longest = sorted(vocabulary, key=len, reverse=True)
    pattern = re.compile(rf"\b(?:{'|'.join(map(re.escape, longest))})\b")
    places = {word: place for place, word in enumerate(vocabulary)}
    rows: dict[str, list[int]] = {}
    found = []
    for text in texts:
        if text not in rows:
            rows[text] = [places[word] for word in pattern.findall(text)]
        found.append(rows[text])
    sets = torch.zeros(len(found), len(vocabulary))
    for row, words in zip(sets, found):
        row[words] = 1
    return sets
