"""Class-conditional flow matching (Lipman et al. 2023) on a straight path (Liu et al. 2023).

The path of rectified flow joins noise e and an image x by x_t = (1 - t) x + t e. The network learns
the velocity e - x along the path, and sampling follows it from t = 1 to 0 in Euler steps. The
network gives the clean image, and the velocity follows from it as (x_t - image) / t (Li and He
2025): images fit through a narrow network, noise does not. One label in eight is withheld in
training, so that samples can be guided (Ho and Salimans 2022).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from ddiv.common.draws import generator, stream
from ddiv.common.errors import TrialFailed
from ddiv.generate.check import BadSamples, checked
from ddiv.generate.network import Denoiser
from ddiv.treatment import Flow, Setting

WITHHELD = 1 / 8

AVERAGED = 0.995  # decay of the running mean of the weights; the mean is kept

WARM_UP = 50  # steps until the learning rate is full

# The velocity takes noise levels below this one as this one, or its error would grow without bound.
NEAREST = 0.05

Progress = Callable[[float], None]


class Fitted(NamedTuple):
    """A trained model: weights as float16 by name, and the loss of each hundredth of training."""

    weights: dict[str, np.ndarray]
    losses: list[float]


def fit(
    images: np.ndarray,
    labels: np.ndarray,
    classes: int,
    spec: Flow,
    device: torch.device,
    progress: Progress = lambda share: None,
) -> Fitted:
    """Train on images uint8 (n, 3, h, h) with labels (n,) in 0..classes - 1.

    Equal arguments give equal weights. The optimiser is AdamW with warm-up and a cosine learning
    rate; noise levels are logit-normal (Esser et al. 2024). Grey images (three equal channels) are
    learned in one channel. Raises BadSamples on no images and on images that are not square,
    TrialFailed where the loss is not finite.
    """
    if not len(images) or images.shape[2] != images.shape[3]:
        raise BadSamples(
            "a generator is trained on square images, at least one: got an array of shape "
            f"{images.shape}"
        )
    vectors = encode(torch.from_numpy(np.ascontiguousarray(images)), spec.side).to(device)
    truth = torch.from_numpy(np.asarray(labels)).long()
    draws = generator(spec.seed, "flow")
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(stream(spec.seed, "flow weights"))
        model = Denoiser(vectors.shape[1], spec.width, classes).to(device)
    parameters = list(model.parameters())
    means = [parameter.detach().clone() for parameter in parameters]
    optimiser = torch.optim.AdamW(
        parameters, lr=spec.lr, betas=(0.9, 0.98), weight_decay=0.01, fused=True
    )
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimiser,
        lambda step: min(1, (step + 1) / WARM_UP) * 0.5 * (1 + np.cos(np.pi * step / spec.steps)),
    )
    chunk, losses = max(1, spec.steps // 100), []
    total: Tensor | float = 0.0
    order = torch.empty(0, dtype=torch.int64)
    for step in range(spec.steps):
        while len(order) < spec.batch:
            order = torch.cat([order, torch.randperm(len(vectors), generator=draws)])
        rows, order = order[: spec.batch], order[spec.batch :]
        loss = _loss(model, vectors[rows.to(device)], truth[rows], classes, draws)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimiser.step()
        schedule.step()
        with torch.no_grad():
            for mean, latest in zip(means, parameters):
                mean.lerp_(latest, 1 - min(AVERAGED, (1 + step) / (10 + step)))
        total += loss.detach()
        if (step + 1) % chunk == 0:
            losses.append(float(total) / chunk)
            total = 0.0
            if not np.isfinite(losses[-1]):
                raise TrialFailed(
                    f"the loss of the generator became {losses[-1]} after {step + 1} of "
                    f"{spec.steps} batches: lower its learning rate (now {spec.lr:g})"
                )
            progress((step + 1) / spec.steps)
    names = [name for name, _ in model.named_parameters()]
    weights = {name: mean.cpu().numpy().astype(np.float16) for name, mean in zip(names, means)}
    return Fitted(weights, losses)


def _loss(
    model: Denoiser, clean: Tensor, labels: Tensor, classes: int, draws: torch.Generator
) -> Tensor:
    """The mean squared error () of the velocity on a batch of vectors (k, d) with labels (k,)."""
    device = clean.device
    noise = torch.randn(clean.shape, generator=draws).to(device)
    level = torch.sigmoid(torch.randn(len(clean), generator=draws)).to(device)
    withheld = torch.rand(len(clean), generator=draws) < WITHHELD
    shown = torch.where(withheld, classes, labels).to(device)
    expected = model(torch.lerp(clean, noise, level[:, None]), level, shown)
    error: Tensor = (expected - clean) / level.clamp(min=NEAREST)[:, None]
    return error.square().mean()


@torch.inference_mode()
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
    pixels = weights["outputs.bias"].shape[0]
    model = Denoiser(pixels, spec.width, classes)
    model.load_state_dict(
        {name: torch.from_numpy(array.astype(np.float32)) for name, array in weights.items()}
    )
    model = model.to(device).eval()
    truth = torch.from_numpy(np.asarray(labels)).long().to(device)
    noise = torch.randn((len(truth), pixels), generator=generator(seed, "samples"))
    state = (noise * setting.temperature).to(device)
    levels = torch.linspace(1, 0, setting.steps + 1).tolist()
    for step, (level, following) in enumerate(pairwise(levels)):
        image = _guided(model, state, level, truth, classes, setting.guidance)
        state = state + (following - level) * (state - image) / max(level, NEAREST)
        progress((step + 1) / setting.steps)
    return checked(decode(state, spec.side, side).cpu().numpy(), len(truth), side)


def _guided(
    model: Denoiser, state: Tensor, level: float, labels: Tensor, classes: int, guidance: float
) -> Tensor:
    """The expected clean images (n, d), the difference that the class makes times `guidance`."""
    levels = torch.full((len(state),), level, device=state.device)
    with_class: Tensor = model(state, levels, labels)
    if guidance == 1:
        return with_class
    without: Tensor = model(state, levels, torch.full_like(labels, classes))
    return without + guidance * (with_class - without)


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
