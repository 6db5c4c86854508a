"""Build an embedded CLIP from nothing: contrastive training on the world's pictures and captions.

Run ``python -m ddiv.models.pretrain`` (with ``--tower resnet`` for the one with a ResNet, and with
``--seed 1`` or ``2`` for the other checkpoints that ship). It
draws image-caption pairs of the 60 pre-training classes, 60 % of them in ``real`` and the rest
spread over the other domains, trains with open_clip's own loss, measures zero-shot accuracy on the
60 fine-tuning classes (never seen in training), and writes the checkpoint and its provenance.
"""

from __future__ import annotations

import argparse
import math
import platform
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import torch
from open_clip.loss import ClipLoss
from open_clip.model import CLIP
from torch import nn

from ddiv.data.worlds.images import (
    DOMAINS,
    FINETUNE_CLASSES,
    PRETRAIN_CLASSES,
    WORLD_VERSION,
    captions,
    render,
)
from ddiv.models.clip import (
    CONFIGS,
    REBUILD,
    ClipConfig,
    build_clip,
    preprocess,
    save_clip,
    tokenizer,
    zero_shot_accuracy,
)
from ddiv.models.shipped import Tower, weights_path

# Pictures drawn with one seed share backgrounds and poses whatever their classes. So pre-training
# uses seeds that no study picks: 7,000,000 plus the recipe's seed, and one for the zero-shot
# measurement.
FIRST_SEED = 7_000_000

TEST_SEED = 6_999_999

TEST_IMAGES = 1200


@dataclass(frozen=True)
class Recipe:
    """How to pre-train; the defaults made the checkpoints that ship."""

    images: int = 30_000
    epochs: int = 14
    batch: int = 128
    lr: float = 1.5e-3
    weight_decay: float = 0.02
    real_share: float = 0.6
    seed: int = 0


def training_pairs(recipe: Recipe) -> tuple[np.ndarray, list[str], np.ndarray]:
    """Images uint8 (n, 3, 32, 32), their captions, and the numbers (n,) of their domains.

    Every class is drawn about equally often.
    """
    others = [domain for domain in DOMAINS if domain != "real"]
    share = recipe.images * (1 - recipe.real_share)
    counts = {domain: int(share / len(others)) for domain in others}
    counts["real"] = recipe.images - sum(counts.values())
    images, texts = [], []
    for domain in DOMAINS:
        labels = np.arange(counts[domain]) % len(PRETRAIN_CLASSES)
        images.append(render(PRETRAIN_CLASSES, labels, domain, FIRST_SEED + recipe.seed))
        texts += captions(PRETRAIN_CLASSES, labels, domain, FIRST_SEED + recipe.seed)
    domains = np.repeat(np.arange(len(DOMAINS)), [counts[domain] for domain in DOMAINS])
    return np.concatenate(images), texts, domains


def _batches(domains: np.ndarray, size: int, rng: np.random.Generator) -> list[np.ndarray]:
    """Row numbers of one epoch's batches, in random order.

    A batch holds one domain only. In a mixed one, telling styles apart would already pair most
    pictures with their captions, and training would stay on that plateau for minutes.
    """
    batches: list[np.ndarray] = []
    for domain in np.unique(domains):
        rows = rng.permutation(np.flatnonzero(domains == domain))
        size_here = min(size, len(rows))
        batches += [rows[i : i + size_here] for i in range(0, len(rows) - size_here + 1, size_here)]
    return [batches[i] for i in rng.permutation(len(batches))]


def _rate(step: int, steps: int) -> float:
    """Share of the full learning rate: a short warm-up, then half a cosine down to 0."""
    warm = max(1, steps // 20)
    return min((step + 1) / warm, 0.5 * (1 + math.cos(math.pi * step / steps)))


def train(
    recipe: Recipe, config: ClipConfig, say: Callable[[str], None]
) -> tuple[CLIP, np.ndarray, float]:
    """The trained model, the sorted ids of the captions' tokens, and the last epoch's mean loss.

    Training uses a table of only these tokens, because a step on a full table costs more than the
    rest of the model. The returned model has the full table, zero elsewhere. Sorted ids keep the
    end-of-text token the largest, and open_clip finds it as the largest.
    """
    images, texts, domains = training_pairs(recipe)
    tokens = tokenizer(config.context_length)(texts)
    ids, places = np.unique(tokens.numpy(), return_inverse=True)
    compact = torch.from_numpy(places.reshape(tokens.shape))
    torch.manual_seed(recipe.seed)
    model = build_clip(config, vocab_size=len(ids)).train()
    groups = [
        {
            "params": [p for p in model.parameters() if p.ndim >= 2],
            "weight_decay": recipe.weight_decay,
        },
        {"params": [p for p in model.parameters() if p.ndim < 2], "weight_decay": 0.0},
    ]
    optimiser = torch.optim.AdamW(groups, lr=recipe.lr, betas=(0.9, 0.98), fused=True)
    criterion, rng = ClipLoss(), np.random.default_rng(recipe.seed)
    mean, started = math.nan, time.perf_counter()
    for epoch in range(recipe.epochs):
        losses, batches = [], _batches(domains, recipe.batch, rng)
        for at, rows in enumerate(batches):
            step, steps = epoch * len(batches) + at, recipe.epochs * len(batches)
            for group in optimiser.param_groups:
                group["lr"] = recipe.lr * _rate(step, steps)
            image = model.encode_image(preprocess(images[rows]), normalize=True)
            text = model.encode_text(compact[rows], normalize=True)
            loss = criterion(image, text, model.logit_scale.exp())
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()
            with torch.no_grad():
                model.logit_scale.clamp_(0, math.log(100))  # CLIP's own bound
            losses.append(float(loss.detach()))
        mean, spent = float(np.mean(losses)), time.perf_counter() - started
        left = spent / (epoch + 1) * (recipe.epochs - epoch - 1)
        say(
            f"epoch {epoch + 1}/{recipe.epochs}  loss {mean:.3f}  {spent:.0f} s spent, about "
            f"{left:.0f} s left"
        )
    return _with_full_table(model, ids, config).eval(), ids, mean


def _with_full_table(model: CLIP, ids: np.ndarray, config: ClipConfig) -> CLIP:
    """The model with the embeddings of tokens `ids` in a table of all tokens, zero elsewhere."""
    table = torch.zeros(49408, config.text_width)
    table[torch.from_numpy(ids)] = model.token_embedding.weight.data
    # torch leaves from_pretrained untyped
    model.token_embedding = nn.Embedding.from_pretrained(table, freeze=False)  # type: ignore[no-untyped-call]
    model.vocab_size = 49408
    return model


def held_out_zero_shot(
    model: CLIP, n: int = TEST_IMAGES, seed: int = TEST_SEED
) -> dict[str, float]:
    """Zero-shot accuracy by domain on n fresh pictures of the fine-tuning classes."""
    labels, names = np.arange(n) % len(FINETUNE_CLASSES), [c.name for c in FINETUNE_CLASSES]
    pictures = ((domain, render(FINETUNE_CLASSES, labels, domain, seed)) for domain in DOMAINS)
    return {domain: zero_shot_accuracy(model, images, labels, names) for domain, images in pictures}


def rebuild(
    out: Path, recipe: Recipe = Recipe(), tower: Tower = "vit", say: Callable[[str], None] = print
) -> dict[str, Any]:
    """Train, measure, and write checkpoint and provenance to ``out``; returns the provenance."""
    started, config = time.perf_counter(), CONFIGS[tower]
    say(f"drawing {recipe.images} pictures")
    model, ids, loss = train(recipe, config, say)
    accuracy = held_out_zero_shot(model)
    command = (
        f"{REBUILD} --tower {tower} --images {recipe.images} --epochs {recipe.epochs} "
        f"--seed {recipe.seed}"
    )
    provenance = {
        "command": command,
        "recipe": asdict(recipe),
        "world_version": WORLD_VERSION,
        "seconds": round(time.perf_counter() - started, 1),
        "threads": torch.get_num_threads(),
        "final_loss": loss,
        "parameters": {"image": sum(p.numel() for p in model.visual.parameters())},
        "zero_shot": {
            "classes": len(FINETUNE_CLASSES),
            "chance": 1 / len(FINETUNE_CLASSES),
            "images_per_domain": TEST_IMAGES,
            "seed": TEST_SEED,
            "accuracy": accuracy,
        },
        "versions": {
            "python": platform.python_version(),
            "torch": torch.__version__,
            "open_clip": open_clip.__version__,
            "numpy": np.__version__,
        },
    }
    record = save_clip(model, config, ids, out, provenance)
    shares = "  ".join(f"{domain} {share:.3f}" for domain, share in accuracy.items())
    say(f"zero-shot on unseen classes: {shares}")
    say(f"wrote {out} ({record['bytes'] / 1e6:.2f} MB) in {record['seconds']:.0f} s")
    return record


def main(argv: list[str] | None = None) -> None:
    """Command line: see the module's description."""
    parser = argparse.ArgumentParser(prog="python -m ddiv.models.pretrain", description=__doc__)
    parser.add_argument(
        "--tower",
        choices=list(CONFIGS),
        default="vit",
        help="the image tower (default: %(default)s)",
    )
    parser.add_argument(
        "--out", type=Path, help="the .safetensors file to write (default: the shipped one)"
    )
    parser.add_argument("--images", type=int, default=Recipe.images)
    parser.add_argument("--epochs", type=int, default=Recipe.epochs)
    parser.add_argument("--seed", type=int, default=Recipe.seed)
    parser.add_argument("--threads", type=int, default=1, help="processor threads (default 1)")
    args = parser.parse_args(argv)
    torch.set_num_threads(args.threads)
    recipe = Recipe(images=args.images, epochs=args.epochs, seed=args.seed)
    rebuild(args.out or weights_path(args.tower, args.seed), recipe, args.tower)


if __name__ == "__main__":
    main()
