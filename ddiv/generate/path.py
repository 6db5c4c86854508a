"""Flow matching (Lipman et al. 2023) on a straight path (Liu et al. 2023), under any condition.

The path of rectified flow joins noise e and an image x by x_t = (1 - t) x + t e. A network learns
the velocity e - x along the path, and sampling follows it from t = 1 to 0 in Euler steps. The
network gives the clean image, and the velocity follows from it as (x_t - image) / t (Li and He
2025): images fit through a narrow network, noise does not. One condition in eight is withheld in
training, so that samples can be guided (Ho and Salimans 2022).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ddiv.common.errors import TrialFailed
from ddiv.generate.network import Denoiser
from ddiv.treatment import Flow, Setting

WITHHELD = 1 / 8

AVERAGED = 0.995  # decay of the running mean of the weights; the mean is kept

WARM_UP = 50  # steps until the learning rate is full

# The velocity takes noise levels below this one as this one, or its error would grow without bound.
NEAREST = 0.05

Progress = Callable[[float], None]


class Start(NamedTuple):
    """Where a path begins that does not begin from noise alone.

    That is at vectors (n, d) with as much noise as the path has at this level, in (0, 1].
    """

    vectors: Tensor
    level: float


class Fitted(NamedTuple):
    """A trained model: weights as float16 by name, and the loss of each hundredth of training."""

    weights: dict[str, np.ndarray]
    losses: list[float]


def train(
    model: Denoiser,
    vectors: Tensor,
    conditions: Tensor,
    absent: Tensor,
    spec: Flow,
    draws: torch.Generator,
    progress: Progress,
) -> Fitted:
    """Train on vectors (n, d) on the model's device with conditions (n, ...) on the processor.

    `absent` (...) is the condition that stands for none. The optimiser is AdamW with warm-up and a
    cosine learning rate; noise levels are logit-normal (Esser et al. 2024). All random numbers are
    of `draws`. Raises TrialFailed where the loss is not finite.
    """
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
        loss = _loss(model, vectors[rows.to(vectors.device)], conditions[rows], absent, draws)
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
    model: Denoiser, clean: Tensor, conditions: Tensor, absent: Tensor, draws: torch.Generator
) -> Tensor:
    """The mean squared error () of the velocity on a batch of vectors (k, d)."""
    device = clean.device
    noise = torch.randn(clean.shape, generator=draws).to(device)
    level = torch.sigmoid(torch.randn(len(clean), generator=draws)).to(device)
    withheld = torch.rand(len(clean), generator=draws) < WITHHELD
    withheld = withheld.reshape(-1, *(1 for _ in absent.shape))
    shown = torch.where(withheld, absent, conditions).to(device)
    expected = model(torch.lerp(clean, noise, level[:, None]), level, shown)
    error: Tensor = (expected - clean) / level.clamp(min=NEAREST)[:, None]
    return error.square().mean()


def loaded(model: Denoiser, weights: Mapping[str, np.ndarray], device: torch.device) -> Denoiser:
    """The model with these weights, on the device, in evaluation mode."""
    tensors = {name: torch.from_numpy(array.astype(np.float32)) for name, array in weights.items()}
    model.load_state_dict(tensors)
    return model.to(device).eval()


@torch.inference_mode()
def follow(
    model: Denoiser,
    conditions: Tensor,
    absent: Tensor,
    setting: Setting,
    draws: torch.Generator,
    progress: Progress,
    start: Start | None = None,
) -> Tensor:
    """Vectors (n, d), one for each of the conditions (n, ...), from noise of `draws`.

    With a `start` the path is followed from there, in as large a share of the steps as is left of
    it, at least one.
    """
    device = model.outputs.weight.device
    conditions, none = conditions.to(device), absent.to(device).expand_as(conditions)
    noise = torch.randn((len(conditions), model.outputs.out_features), generator=draws)
    state, first = (noise * setting.temperature).to(device), 1.0
    if start is not None:
        first = start.level
        state = torch.lerp(start.vectors.to(device), state, first)
    steps = max(1, round(first * setting.steps))
    levels = torch.linspace(first, 0, steps + 1).tolist()
    for step, (level, following) in enumerate(pairwise(levels)):
        image = _guided(model, state, level, conditions, none, setting.guidance)
        state = state + (following - level) * (state - image) / max(level, NEAREST)
        progress((step + 1) / steps)
    return state


def _guided(
    model: Denoiser, state: Tensor, level: float, conditions: Tensor, none: Tensor, guidance: float
) -> Tensor:
    """The expected clean images (n, d); `guidance` times the difference that conditions make."""
    levels = torch.full((len(state),), level, device=state.device)
    under: Tensor = model(state, levels, conditions)
    if guidance == 1:
        return under
    without: Tensor = model(state, levels, none)
    return without + guidance * (under - without)
