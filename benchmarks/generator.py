"""Which generator the embedded studies should train.

Compares the project's own with diffusers' networks and a conditional autoencoder.

    python benchmarks/generator.py [--seconds 60]

All are trained on the image world's 720 training images (of a seed that no study has), brought to
16 pixels, on one thread: ddiv's flow model for its own number of steps, the others for --seconds
each; the flow ones predict the clean image and are sampled alike. Their samples are judged by
`ddiv.generate.quality`. Writes benchmarks/results/generator.json.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ddiv.data.load import load
from ddiv.generate.flow import NEAREST, WITHHELD, decode, encode, fit, sample
from ddiv.generate.quality import quality
from ddiv.models.clip import load_embedded_clip
from ddiv.profiles.choose import profile
from ddiv.study import World

OUT, SIDE, BATCH, SEED = Path(__file__).parent / "results" / "generator.json", 16, 64, 1000


class UNet(nn.Module):
    """diffusers' UNet2DModel, conditioned on noise level and class."""

    def __init__(self, classes: int):
        super().__init__()
        from diffusers import UNet2DModel

        self.net = UNet2DModel(
            sample_size=SIDE,
            block_out_channels=(32, 64),
            layers_per_block=1,
            norm_num_groups=8,
            down_block_types=("DownBlock2D", "AttnDownBlock2D"),
            num_class_embeds=classes + 1,
            up_block_types=("AttnUpBlock2D", "UpBlock2D"),
            attention_head_dim=16,
        )

    def forward(self, noisy: Tensor, level: Tensor, labels: Tensor) -> Tensor:
        images = noisy.unflatten(1, (3, SIDE, SIDE))
        return self.net(images, 1000 * level, class_labels=labels).sample.flatten(1)


class Transformer(nn.Module):
    """diffusers' DiTTransformer2DModel (Peebles and Xie 2023)."""

    def __init__(self, classes: int):
        super().__init__()
        from diffusers import DiTTransformer2DModel

        self.net = DiTTransformer2DModel(
            num_attention_heads=4,
            attention_head_dim=16,
            in_channels=3,
            out_channels=3,
            num_layers=3,
            sample_size=SIDE,
            patch_size=4,
            num_embeds_ada_norm=classes + 1,
            norm_num_groups=1,
        )

    def forward(self, noisy: Tensor, level: Tensor, labels: Tensor) -> Tensor:
        images = noisy.unflatten(1, (3, SIDE, SIDE))
        return self.net(images, timestep=1000 * level, class_labels=labels).sample.flatten(1)


class Autoencoder(nn.Module):
    """A conditional variational autoencoder (Sohn et al. 2015) of linear layers.

    It has 32 latent dimensions and a Gaussian decoder.
    """

    def __init__(
        self, classes: int, pixels: int = 3 * SIDE * SIDE, width: int = 256, latent: int = 32
    ):
        super().__init__()
        self.latent, self.classes = latent, classes
        self.encoder = nn.Sequential(
            nn.Linear(pixels + classes, width),
            nn.SiLU(),
            nn.Linear(width, width),
            nn.SiLU(),
            nn.Linear(width, 2 * latent),
        )
        self.decoder = nn.Sequential(
            nn.Linear(latent + classes, width),
            nn.SiLU(),
            nn.Linear(width, width),
            nn.SiLU(),
            nn.Linear(width, pixels),
        )

    def decode(self, hidden: Tensor, labels: Tensor) -> Tensor:
        return self.decoder(self._with_class(hidden, labels))

    def loss(self, images: Tensor, labels: Tensor) -> Tensor:
        mean, log_variance = self.encoder(self._with_class(images, labels)).chunk(2, dim=1)
        hidden = mean + torch.randn_like(mean) * (log_variance / 2).exp()
        kl = (mean**2 + log_variance.exp() - 1 - log_variance).sum(1).mean() / 2
        error = F.mse_loss(self.decode(hidden, labels), images, reduction="none").sum(1).mean()
        return error / (2 * 0.1**2) + kl  # a Gaussian of deviation .1 about the decoded image

    def _with_class(self, values: Tensor, labels: Tensor) -> Tensor:
        return torch.cat([values, F.one_hot(labels, self.classes).float()], dim=1)


def train(
    model: nn.Module,
    loss: Callable[[Tensor, Tensor], Tensor],
    images: Tensor,
    labels: Tensor,
    seconds: float,
) -> int:
    """Adam for this long on random batches; returns the number of steps."""
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-3, fused=True)
    started, steps = time.process_time(), 0
    while time.process_time() - started < seconds:
        rows = torch.randint(len(images), (BATCH,))
        value = loss(images[rows], labels[rows])
        optimiser.zero_grad(set_to_none=True)
        value.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        steps += 1
    return steps


def flow_loss(model: nn.Module, classes: int) -> Callable[[Tensor, Tensor], Tensor]:
    def loss(clean: Tensor, labels: Tensor) -> Tensor:
        level = torch.sigmoid(torch.randn(len(clean)))
        shown = torch.where(torch.rand(len(clean)) < WITHHELD, classes, labels)
        predicted = model(torch.lerp(clean, torch.randn_like(clean), level[:, None]), level, shown)
        return ((predicted - clean) / level.clamp(min=NEAREST)[:, None]).square().mean()

    return loss


@torch.no_grad()
def follow(model: nn.Module, labels: Tensor, classes: int, guidance: float, steps: int) -> Tensor:
    """Euler steps from noise to images (n, pixels), guided."""
    model.eval()
    state = torch.randn(len(labels), 3 * SIDE * SIDE)
    levels = torch.linspace(1, 0, steps + 1).tolist()
    for level, following in pairwise(levels):
        at = torch.full((len(labels),), level)
        without = model(state, at, torch.full_like(labels, classes))
        image = without + guidance * (model(state, at, labels) - without)
        state = state + (following - level) * (state - image) / max(level, NEAREST)
    return state


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--seconds",
        type=float,
        default=60,
        help="processor time for each alternative (default: 60)",
    )
    seconds = parser.parse_args().seconds
    torch.set_num_threads(1)
    study = profile("embedded").studies[0]
    setting, data = study.settings[0], load(World(12, 10, 1, seed=SEED))
    classes, labels, clip = len(data.classes), torch.from_numpy(data.labels), load_embedded_clip()
    images = encode(torch.from_numpy(data.inputs), SIDE)
    side, rows = data.inputs.shape[-1], []

    def judge(name: str, spent: float, steps: int, parameters: int, drawn: np.ndarray) -> None:
        judged = quality(drawn, data.labels, data, clip)
        accuracy = judged["accuracy"]["samples"]
        cost = {"parameters": parameters, "seconds": round(spent, 1), "steps": steps}
        rows.append({"generator": name, **cost, **judged})
        print(name, f"{spent:.0f} s, {steps} steps, accuracy {accuracy:.3f}", flush=True)

    started = time.process_time()
    fitted = fit(data.inputs, data.labels, classes, study.generator, torch.device("cpu"))
    spent = time.process_time() - started
    cpu, spec = torch.device("cpu"), study.generator
    drawn = sample(fitted.weights, classes, spec, setting, data.labels, side, SEED + 1, cpu)
    size = sum(array.size for array in fitted.weights.values())
    judge("ddiv's flow", spent, spec.steps, size, drawn)
    for name, make in {
        "diffusers UNet2DModel": UNet,
        "diffusers DiTTransformer2DModel": Transformer,
        "conditional variational autoencoder": Autoencoder,
    }.items():
        torch.manual_seed(SEED)
        model = make(classes)
        loss = model.loss if make is Autoencoder else flow_loss(model, classes)
        steps = train(model, loss, images, labels, seconds)
        with torch.no_grad():
            state = (
                model.decode(torch.randn(len(labels), model.latent), labels)
                if make is Autoencoder
                else follow(model, labels, classes, setting.guidance, setting.steps)
            )
        drawn = (decode(state, SIDE, side) * 255).round().to(torch.uint8).numpy()
        judge(name, seconds, steps, sum(each.numel() for each in model.parameters()), drawn)
    results = {
        "command": f"python benchmarks/generator.py --seconds {seconds:g}",
        "classes": classes,
        "images": len(data.inputs),
        "rows": rows,
    }
    OUT.write_text(json.dumps(results, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()
