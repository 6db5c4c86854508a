"""Data as vectors: pixels, or what an embedder makes of it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import torch

from ddiv.common.texts import are_texts
from ddiv.data.load import load
from ddiv.study import Bert, Clip, Data, Embedder, Lsa, OpenClip, OwnEmbedder, Space


class Vectors(NamedTuple):
    """Rows (n, d), with the names of what made them and of what was done before."""

    rows: np.ndarray
    embedder: str
    preprocessing: str


def spaces_of(inputs: np.ndarray) -> tuple[Space, ...]:
    """The spaces in which images or texts have vectors."""
    return ("embedding",) if are_texts(inputs) else ("pixel", "embedding")


def scored_on(device: torch.device) -> torch.device | str:
    """Where `ddiv.diversity` computes for a job on this device: on its GPU, else with numpy."""
    return device if device.type == "cuda" else "numpy"


def vectors(
    inputs: np.ndarray, space: Space, embedder: Embedder, data: Data, device: torch.device
) -> Vectors:
    """Images uint8 (n, 3, h, w) or texts (n,) as vectors of a space.

    data: an Lsa is fitted to its real training texts. Images that are smaller or larger than the
    embedder's input are resized bilinearly, for the embedding only. Raises ValueError where an
    embedder of images is given texts, or the other way round.
    """
    images_only = isinstance(embedder, Clip | OpenClip)
    if not isinstance(embedder, OwnEmbedder) and images_only == are_texts(inputs):
        unread = "texts" if are_texts(inputs) else "images"
        raise ValueError(
            f"the embedder {type(embedder).__name__} does not read {unread}: give the study one "
            "that reads its data"
        )
    if space == "pixel":
        from ddiv.diversity import black_apart, pixel_vectors

        return Vectors(
            black_apart(pixel_vectors(inputs)),
            "pixels",
            "scaled to [0, 1], flattened; black images equal to each other, unlike all others",
        )
    match embedder:
        case Clip() | OpenClip():
            return _of_clip(inputs, embedder, device)
        case Bert():
            from ddiv.models.bert import embed

            return Vectors(
                embed(embedder, inputs, device),
                f"bert {embedder.weights[:20]}",
                f"word pieces, at most {embedder.max_tokens}; mean of the last hidden states",
            )
        case OwnEmbedder():
            from ddiv.diversity import black_apart
            from ddiv.models.own_embedder import embed as embed_own

            return Vectors(
                black_apart(embed_own(embedder, inputs)),
                f"{embedder.label} {embedder.source[:12]}",
                "as the function does it; vectors of zeros equal to each other, unlike all others",
            )
        case Lsa():
            from ddiv.diversity import black_apart

            weigh, axes = _lsa(data, embedder.size)
            return Vectors(
                black_apart(weigh.transform(inputs) @ axes.T),
                f"LSA {embedder.size}, fitted to the real training texts",
                "words in lower case; logarithmic TF-IDF of words and pairs; texts without a known "
                "word equal to each other, unlike all others",
            )
    raise TypeError(f"no vectors by {embedder!r}")


def _of_clip(images: np.ndarray, embedder: Clip | OpenClip, device: torch.device) -> Vectors:
    from ddiv.models.clip import clip_input, encode_images, resized

    clip = _clip(embedder, device)
    mean, deviation, side = clip_input(clip.visual)
    if isinstance(embedder, Clip):
        name = f"clip {embedder.tower} {embedder.weights[:12]}"
        pixels = "mean .5, deviation .25"
    else:
        name = f"open_clip {embedder.model} {embedder.pretrained[:20]}"
        pixels = f"mean {_numbers(mean)}, deviation {_numbers(deviation)}"
    rows = encode_images(clip, resized(images, side))
    return Vectors(rows, name, f"bilinear to {side} px, {pixels}")


def _numbers(channels: Sequence[float]) -> str:
    """A mean or deviation by channel, in words."""
    return "/".join(f"{value:.4g}" for value in channels)


@lru_cache(maxsize=2)
def _clip(embedder: Clip | OpenClip, device: torch.device) -> torch.nn.Module:
    from ddiv.models.clip import clip_model

    model: torch.nn.Module = clip_model(embedder).to(device)
    return model


@lru_cache(maxsize=2)
def _lsa(data: Data, size: int) -> tuple[Any, np.ndarray]:
    """Latent semantic analysis of real texts: the fitted TfidfVectorizer, and axes (k, words)."""
    from scipy.sparse.linalg import svds
    from sklearn.feature_extraction.text import TfidfVectorizer

    texts = load(data).inputs
    weigh = TfidfVectorizer(sublinear_tf=True, ngram_range=(1, 2), min_df=2)
    table = weigh.fit_transform(texts)
    # with a start vector of its own, as svds else starts at random
    _, _, axes = svds(table, k=min(size, min(table.shape) - 1), v0=np.ones(min(table.shape)))
    return weigh, axes
