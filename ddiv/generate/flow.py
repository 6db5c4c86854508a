"""A class-conditional generator of images by flow matching (`ddiv.generate.path`).

It is trained on a study's own images, and draws images of a class, from noise or from given images.
This file also turns images to the vectors that networks of flow matching draw, and back.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from ddiv.common.draws import generator, stream
from ddiv.generate import path
from ddiv.generate.check import BadSamples, checked
from ddiv.generate.network import Denoiser
from ddiv.generate.path import Fitted, Progress
from ddiv.treatment import Flow, Setting


def fit(
    images: np.ndarray,
    labels: np.ndarray,
    classes: int,
    spec: Flow,
    device: torch.device,
    progress: Progress = lambda share: None,
) -> Fitted:
    """Train on images uint8 (n, 3, h, h) with labels (n,) in 0..classes - 1.

    Equal arguments give equal weights. Grey images (three equal channels) are learned in one
    channel. Raises BadSamples on no images and on images that are not square, TrialFailed where the
    loss is not finite.
    """
    if not len(images) or images.shape[2] != images.shape[3]:
        raise BadSamples(
            "a generator is trained on square images, at least one: got an array of shape "
            f"{images.shape}"
        )
    vectors = encode(torch.from_numpy(np.ascontiguousarray(images)), spec.side).to(device)
    truth = torch.from_numpy(np.asarray(labels)).long()
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(stream(spec.seed, "flow weights"))
        model = Denoiser(vectors.shape[1], spec.width, classes).to(device)
    draws = generator(spec.seed, "flow")
    return path.train(model, vectors, truth, torch.tensor(classes), spec, draws, progress)


def sample(
    weights: Mapping[str, np.ndarray],
    classes: int,
    spec: Flow,
    setting: Setting,
    labels: np.ndarray,
    side: int,
    seed: int,
    device: torch.device,
    progress: Progress = lambda share: None,
) -> np.ndarray:
    """Images uint8 (m, 3, side, side), one for each of `labels` (m,), drawn with `seed`.

    Raises BadSamples on NaN.
    """
    return _drawn(weights, classes, spec, setting, labels, side, seed, device, progress, None)


def edit(
    weights: Mapping[str, np.ndarray],
    classes: int,
    spec: Flow,
    setting: Setting,
    images: np.ndarray,
    labels: np.ndarray,
    level: float,
    seed: int,
    device: torch.device,
    progress: Progress = lambda share: None,
) -> np.ndarray:
    """Images uint8 (m, 3, h, h) drawn anew as ones of `labels` (m,), from a noise level in (0, 1].

    Each is given as much noise as the path has at this level, and the path is followed from there
    (Meng et al. 2022): near 0 it stays as it is, and at 1 nothing is left of it, so that `sample`
    would draw the same. A label that equals `classes` asks for no class. Raises ValueError on
    another level, BadSamples on NaN and on coloured images where the model has learned grey ones.
    """
    if not 0 < level <= 1:
        raise ValueError(f"images are edited from a noise level in (0, 1], got {level}")
    vectors = encode(torch.from_numpy(np.ascontiguousarray(images)), spec.side)
    learned = weights["outputs.bias"].shape[0]
    if vectors.shape[1] > learned:
        raise BadSamples(
            "the generator has learned grey images, and these have colours: edit grey ones, or "
            "train it on images with colours"
        )
    start = path.Start(vectors.repeat(1, learned // vectors.shape[1]), level)
    side = images.shape[-1]
    return _drawn(weights, classes, spec, setting, labels, side, seed, device, progress, start)


def _drawn(
    weights: Mapping[str, np.ndarray],
    classes: int,
    spec: Flow,
    setting: Setting,
    labels: np.ndarray,
    side: int,
    seed: int,
    device: torch.device,
    progress: Progress,
    start: path.Start | None,
) -> np.ndarray:
    model = Denoiser(weights["outputs.bias"].shape[0], spec.width, classes)
    truth = torch.from_numpy(np.asarray(labels)).long()
    vectors = path.follow(
        path.loaded(model, weights, device),
        truth,
        torch.tensor(classes),
        setting,
        generator(seed, "samples"),
        progress,
        start,
    )
    return checked(decode(vectors, spec.side, side).cpu().numpy(), len(truth), side)


def encode(images: Tensor, side: int) -> Tensor:
    """uint8 (n, 3, h, h) to float32 (n, c * side * side) in about [-1, 1]: undoes `decode`.

    c is 1 where all images are grey, else 3. An image becomes the picture of this side whose
    enlargement is nearest to it by least squares.
    """
    values = images.float() / 127.5 - 1
    if torch.equal(images[:, 0], images[:, 1]) and torch.equal(images[:, 0], images[:, 2]):
        values = values[:, :1]
    reduce: Tensor = torch.linalg.pinv(enlargement(side, images.shape[-1]))
    return (reduce @ values @ reduce.T).flatten(1)


def decode(vectors: Tensor, side: int, to: int) -> Tensor:
    """(n, c * side * side) to images in [0, 1], float32 (n, 3, to, to), enlarged bilinearly."""
    # torch leaves unflatten untyped
    values: Tensor = vectors.unflatten(1, (-1, side, side))  # type: ignore[no-untyped-call]
    enlarge = enlargement(side, to).to(values.device)
    large = (enlarge @ values @ enlarge.T + 1) / 2
    return large.clamp(0, 1).expand(-1, 3, -1, -1)


def through(images: np.ndarray, side: int) -> np.ndarray:
    """Images uint8 (n, 3, h, h) brought down to this side and up again: all that one can draw."""
    vectors = encode(torch.from_numpy(np.ascontiguousarray(images)), side)
    return checked(decode(vectors, side, images.shape[-1]).numpy(), len(images), images.shape[-1])


@lru_cache(maxsize=8)
def enlargement(side: int, to: int) -> Tensor:
    """The matrix (to, side) of torch's bilinear interpolation along one axis.

    Raises ValueError on a reduction.
    """
    if side > to:
        raise ValueError(
            f"the generator's images of side {side} are larger than the study's of {to}: take a "
            f"Flow of side {to} or less"
        )
    # each row of the identity is a line of `side` pixels, one of them 1
    lines = torch.eye(side)[:, None]
    enlarged = F.interpolate(lines, size=to, mode="linear", align_corners=False)
    return enlarged[:, 0].T.contiguous()
