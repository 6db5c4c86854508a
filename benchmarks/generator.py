"""Which generator the embedded studies should train.

Compares the project's own with diffusers' networks and a conditional autoencoder.

    python benchmarks/generator.py [--seconds 60]

All are trained on the image world's 720 training images (of a seed that no study has), brought to
16 pixels, on one thread: ddiv's flow model for its own number of steps, the others for --seconds
each; the flow ones predict the clean image and are sampled alike. Their samples are judged by
`ddiv.generate.quality`. Writes benchmarks/results/generator.json.

    python benchmarks/generator.py --captioned [--shuffled FILE]

How good the shipped captioned generator is on classes that it was not trained on: by style, how
often the shipped CLIP recognises its samples and real pictures; whether samples are copies of its
training pictures; and the same of a generator trained on shuffled captions (trained here, or read
from FILE, which `python -m ddiv.generate.pretrain_flow --shuffled --out FILE` wrote). Writes
benchmarks/results/captioned.json.
"""

from __future__ import annotations

import argparse
import dataclasses
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
from ddiv.data.worlds.images import DOMAINS, FINETUNE_CLASSES, render
from ddiv.generate import captioned, pretrain_flow
from ddiv.generate.flow import decode, encode, fit, sample
from ddiv.generate.path import NEAREST, WITHHELD
from ddiv.generate.quality import copying, quality
from ddiv.models.clip import encode_images, load_embedded_clip
from ddiv.models.shipped import provenance_path, weights_path
from ddiv.profiles.choose import profile
from ddiv.study import World
from ddiv.treatment import Setting

RESULTS = Path(__file__).parent / "results"

OUT, SIDE, BATCH, SEED = RESULTS / "generator.json", 16, 64, 1000

# Ways of drawing from the captioned generator.
DRAWN = (
    *(Setting(f"guidance {guidance}", guidance=guidance) for guidance in (1, 3, 4)),
    Setting("poor", guidance=4, temperature=0.3, steps=4),
)


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


def judge_captioned(shuffled: Path | None) -> dict[str, object]:
    """The quality of the captioned generator, and of one that learned from shuffled captions."""
    recipe = pretrain_flow.Recipe()
    model = captioned.Model.read(weights_path("captioned"))
    if shuffled is None:
        control, _ = pretrain_flow.train(dataclasses.replace(recipe, shuffled=True), print)
    else:
        control = captioned.Model.read(shuffled)
        learned = json.loads(provenance_path(shuffled).read_text("utf-8"))["recipe"]
        if learned != dataclasses.asdict(recipe) | {"shuffled": True}:
            raise SystemExit(f"{shuffled} was not trained as the shipped one is: {learned}")
    recognised = {setting.name: pretrain_flow.recognised(model, setting) for setting in DRAWN}
    for name, shares in recognised.items():
        print(name, {kind: rounded(of_kind) for kind, of_kind in shares.items()}, flush=True)
    from_shuffled = pretrain_flow.recognised(control)
    print("shuffled captions", rounded(from_shuffled["samples"]), flush=True)
    labels = np.arange(720) % len(FINETUNE_CLASSES)
    names, cpu = [kind.name for kind in FINETUNE_CLASSES], torch.device("cpu")
    started = time.process_time()
    captioned.sample(model, names, pretrain_flow.GOOD, labels, 32, SEED, cpu)
    spent = time.process_time() - started
    print(f"{spent:.1f} s for {len(labels)} samples", flush=True)
    return {
        "images": pretrain_flow.TEST_IMAGES,
        "recognised": recognised,
        "shuffled captions": from_shuffled,
        "nearest": {domain: copies(model, recipe, domain) for domain in DOMAINS},
        "seconds for 720 samples": round(spent, 2),
    }


def copies(
    model: captioned.Model, recipe: pretrain_flow.Recipe, domain: str
) -> dict[str, dict[str, float]]:
    """Distances from samples to training pictures of this style (`ddiv.generate.quality`)."""
    pictures, _ = pretrain_flow.training_pairs(recipe, (domain,))
    labels = np.arange(pretrain_flow.TEST_IMAGES) % len(FINETUNE_CLASSES)
    good = pretrain_flow.in_style(pretrain_flow.GOOD, domain)
    names = [kind.name for kind in FINETUNE_CLASSES]
    parts = {
        "samples": captioned.sample(model, names, good, labels, 32, SEED, torch.device("cpu")),
        "training": pictures,
        "test": render(FINETUNE_CLASSES, labels, domain, pretrain_flow.TEST_SEED),
    }
    clip = load_embedded_clip()
    pixels = {name: part.reshape(len(part), -1) / np.float32(255) for name, part in parts.items()}
    embedded = {name: encode_images(clip, part) for name, part in parts.items()}
    unit = {
        name: rows / np.linalg.norm(rows, axis=1, keepdims=True) for name, rows in embedded.items()
    }
    found = {"pixel": copying(**pixels), "embedding": copying(**unit)}
    print(domain, {space: rounded(numbers) for space, numbers in found.items()}, flush=True)
    return found


def rounded(shares: dict[str, float]) -> dict[str, float]:
    return {name: round(share, 3) for name, share in shares.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--seconds",
        type=float,
        default=60,
        help="processor time for each alternative (default: 60)",
    )
    parser.add_argument("--captioned", action="store_true", help="judge the captioned generator")
    parser.add_argument("--shuffled", type=Path, help="the checkpoint of the control")
    args = parser.parse_args()
    seconds = args.seconds
    torch.set_num_threads(1)
    if args.captioned:
        command = "python benchmarks/generator.py --captioned"
        judged = {"command": command} | judge_captioned(args.shuffled)
        (RESULTS / "captioned.json").write_text(json.dumps(judged, indent=2) + "\n", "utf-8")
        return
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
