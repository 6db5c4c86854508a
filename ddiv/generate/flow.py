"""Class-conditional flow matching (Lipman et al. 2023) on the straight path of rectified flow (Liu
et al. 2023).

Noise e and an image x are joined by x_t = (1 - t) x + t e; the network learns the velocity e - x
along the path and sampling follows it from t = 1 to 0 in Euler steps. The network gives the clean
image, from which the velocity follows as (x_t - image) / t (Li and He 2025): a narrow network can't
put noise through, but it can images. One label in eight is withheld in training, so that samples
can be guided (Ho and Salimans 2022).
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

from ddiv.draws import generator, stream
from ddiv.errors import TrialFailed
from ddiv.generate.check import BadSamples, checked
from ddiv.generate.network import Denoiser
from ddiv.source import Flow, Setting

WITHHELD = 1 / 8
AVERAGED = 0.995  # decay of the running mean of the weights, which is what is kept
WARM_UP = 50  # steps until the learning rate is full
# noise levels below it count as this one in the velocity, whose error would grow without bound
NEAREST = 0.05

Progress = Callable[[float], None]


class Fitted(NamedTuple):
    """A trained model: weights as float16 by name, and the loss of every hundredth part of the
    training.
    """

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

    Equal arguments give equal weights.

    AdamW, warm-up and a cosine learning rate; noise levels are logit-normal (Esser et al. 2024).
    Grey images (three equal channels) are learned as such. Raises BadSamples on images that are not
    square or are none, TrialFailed where the loss is not finite.
    """
    if not len(images) or images.shape[2] != images.shape[3]:
        raise BadSamples(
            f"a generator is trained on square images, at least one: got an array of shape {images.shape}"
        )
    vectors = encode(torch.from_numpy(np.ascontiguousarray(images)), spec.side).to(device)
    truth = torch.from_numpy(np.asarray(labels)).long()
    draws = generator(spec.seed, "flow")
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(stream(spec.seed, "flow weights"))
        model = Denoiser(vectors.shape[1], spec.width, classes).to(device)
    parameters = list(model.parameters())
    kept = [one.detach().clone() for one in parameters]
    optimiser = torch.optim.AdamW(
        parameters, lr=spec.lr, betas=(0.9, 0.98), weight_decay=0.01, fused=True
    )
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimiser,
        lambda step: min(1, (step + 1) / WARM_UP) * 0.5 * (1 + np.cos(np.pi * step / spec.steps)),
    )
    chunk, losses, total, order = (
        max(1, spec.steps // 100),
        [],
        0.0,
        torch.empty(0, dtype=torch.int64),
    )
    for step in range(spec.steps):
        while len(order) < spec.batch:
            order = torch.cat([order, torch.randperm(len(vectors), generator=draws)])
        rows, order = order[: spec.batch], order[spec.batch :]
        noise = torch.randn((len(rows), vectors.shape[1]), generator=draws).to(device)
        level = torch.sigmoid(torch.randn(len(rows), generator=draws)).to(device)
        withheld = torch.rand(len(rows), generator=draws) < WITHHELD
        shown = torch.where(withheld, classes, truth[rows]).to(device)
        clean = vectors[rows.to(device)]
        found = model(torch.lerp(clean, noise, level[:, None]), level, shown)
        loss = ((found - clean) / level.clamp(min=NEAREST)[:, None]).square().mean()
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimiser.step()
        schedule.step()
        with torch.no_grad():
            for mean, latest in zip(kept, parameters):
                mean.lerp_(latest, 1 - min(AVERAGED, (1 + step) / (10 + step)))
        total += loss.detach()
        if (step + 1) % chunk == 0:
            losses.append(float(total) / chunk)
            total = 0.0
            if not np.isfinite(losses[-1]):
                raise TrialFailed(
                    f"the loss of the generator became {losses[-1]} after {step + 1} of {spec.steps} batches: "
                    f"lower its learning rate (now {spec.lr:g})"
                )
            progress((step + 1) / spec.steps)
    names = [name for name, _ in model.named_parameters()]
    return Fitted(
        {name: one.cpu().numpy().astype(np.float16) for name, one in zip(names, kept)}, losses
    )


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
    state = (
        torch.randn((len(truth), pixels), generator=generator(seed, "samples"))
        * setting.temperature
    ).to(device)
    levels = torch.linspace(1, 0, setting.steps + 1).tolist()
    for step, (level, following) in enumerate(pairwise(levels)):
        image = _guided(model, state, level, truth, classes, setting.guidance)
        state = state + (following - level) * (state - image) / max(level, NEAREST)
        progress((step + 1) / setting.steps)
    return checked(decode(state, spec.side, side).cpu().numpy(), len(truth), side)


def _guided(
    model: Denoiser, state: Tensor, level: float, labels: Tensor, classes: int, guidance: float
) -> Tensor:
    levels = torch.full((len(state),), level, device=state.device)
    with_class = model(state, levels, labels)
    if guidance == 1:
        return with_class
    without = model(state, levels, torch.full_like(labels, classes))
    return without + guidance * (with_class - without)


def encode(images: Tensor, side: int) -> Tensor:
    """uint8 (n, 3, h, h) to float32 (n, c * side * side) in about [-1, 1], c = 1 where all are
    grey: undoes `decode`.

    Of the pictures of this side it takes the one whose enlargement is nearest to the image by least
    squares.
    """
    values = images.float() / 127.5 - 1
    if torch.equal(images[:, 0], images[:, 1]) and torch.equal(images[:, 0], images[:, 2]):
        values = values[:, :1]
    reduce = torch.linalg.pinv(enlargement(side, images.shape[-1]))
    return (reduce @ values @ reduce.T).flatten(1)


def decode(vectors: Tensor, side: int, to: int) -> Tensor:
    """(n, c * side * side) to images in [0, 1], float32 (n, 3, to, to), enlarged bilinearly."""
    values = vectors.unflatten(1, (-1, side, side))
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
            f"the generator's images of side {side} are larger than the study's of {to}: take a Flow of side "
            f"{to} or less"
        )
    return F.interpolate(torch.eye(side)[:, None], size=to, mode="linear", align_corners=False)[
        :, 0
    ].T.contiguous()
