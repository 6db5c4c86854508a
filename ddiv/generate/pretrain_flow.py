"""Train the captioned generator (`ddiv.generate.captioned`) on the image world's pictures.

Run ``python -m ddiv.generate.pretrain_flow``. It draws pictures of the 60 pre-training classes in
all styles, half of them ``real``, with their captions, trains by flow matching, measures how often
the shipped CLIP recognises its samples of the 60 fine-tuning classes (which it never saw), and
writes the checkpoint and its provenance.
"""

from __future__ import annotations

import argparse
import platform
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import torch

from ddiv.common.draws import generator, stream
from ddiv.data.worlds.images import (
    DOMAINS,
    FINETUNE_CLASSES,
    PRETRAIN_CLASSES,
    VOCABULARY,
    WORLD_VERSION,
    ObjectClass,
    captions,
    render,
)
from ddiv.generate import path
from ddiv.generate.captioned import REBUILD, Model, Sizes, bag, new_network, sample
from ddiv.generate.flow import encode
from ddiv.models import checkpoint
from ddiv.models.clip import load_embedded_clip, zero_shot_accuracy
from ddiv.models.shipped import weights_path
from ddiv.treatment import Flow, Setting

# Pictures drawn with one seed share backgrounds and poses whatever their classes. No study and no
# other pre-training picks these seeds.
FIRST_SEED = 8_000_000

TEST_SEED = 7_999_999

TEST_IMAGES = 600

# The word for each style in prompts.
STYLES = dict(zip(DOMAINS, ("photo", "clipart", "infographic", "painting", "sketch")))

# How samples are drawn for the measurement.
GOOD = Setting("good", guidance=3, steps=10)


@dataclass(frozen=True)
class Recipe:
    """How to train the generator; the defaults made the checkpoint that ships.

    `shuffled`: captions are those of other pictures, so that words say nothing. It is the control.
    """

    images: int = 40_000
    real_share: float = 0.5
    side: int = 16
    width: int = 304
    steps: int = 12_000
    batch: int = 128
    lr: float = 2e-3
    seed: int = 0
    shuffled: bool = False


def training_pairs(
    recipe: Recipe, domains: Sequence[str] = DOMAINS
) -> tuple[np.ndarray, list[str]]:
    """Images uint8 (n, 3, 32, 32) of pre-training classes in these styles, and their captions.

    There are equally many of each class.
    """
    others = [domain for domain in DOMAINS if domain != "real"]
    each = int(recipe.images * (1 - recipe.real_share) / len(others))
    counts = dict.fromkeys(others, each) | {"real": recipe.images - each * len(others)}
    images, texts = [], []
    for domain in domains:
        asked = (
            PRETRAIN_CLASSES,
            np.arange(counts[domain]) % len(PRETRAIN_CLASSES),
            domain,
            FIRST_SEED + recipe.seed,
        )
        images.append(render(*asked))
        texts += captions(*asked)
    return np.concatenate(images), texts


def train(recipe: Recipe, say: Callable[[str], None]) -> tuple[Model, list[float]]:
    """The generator and the loss of each hundredth of its training."""
    images, texts = training_pairs(recipe)
    sizes = Sizes(recipe.side, recipe.width, VOCABULARY)
    words = bag(texts, VOCABULARY)
    if recipe.shuffled:
        words = words[torch.randperm(len(words), generator=generator(recipe.seed, "shuffled"))]
    vectors = encode(torch.from_numpy(images), recipe.side)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(stream(recipe.seed, "captioned weights"))
        model = new_network(sizes)
    spec = Flow(
        recipe.side, recipe.width, recipe.steps, batch=recipe.batch, lr=recipe.lr, seed=recipe.seed
    )
    started, told = time.perf_counter(), [0]

    def progress(share: float) -> None:
        if (tenth := int(10 * share)) > told[0]:
            told[0], spent = tenth, time.perf_counter() - started
            left = spent / share - spent
            say(f"{share:.0%} of the training, {spent:.0f} s spent, about {left:.0f} s left")

    absent = torch.zeros(len(VOCABULARY))
    draws = generator(recipe.seed, "captioned")
    fitted = path.train(model, vectors, words, absent, spec, draws, progress)
    return Model(fitted.weights, sizes), fitted.losses


def in_style(setting: Setting, domain: str) -> Setting:
    """The setting, its prompts for pictures as in this domain of the image world."""
    return msgspec.structs.replace(setting, styles=(STYLES[domain],))


def recognised(
    model: Model,
    setting: Setting = GOOD,
    classes: Sequence[ObjectClass] = FINETUNE_CLASSES,
    n: int = TEST_IMAGES,
    seed: int = TEST_SEED,
) -> dict[str, dict[str, float]]:
    """The shipped CLIP's zero-shot accuracy by style, on n samples and on n fresh real pictures."""
    clip, names = load_embedded_clip(), [kind.name for kind in classes]
    labels, side = np.arange(n) % len(classes), clip.visual.image_size[0]
    shares: dict[str, dict[str, float]] = {"samples": {}, "real": {}}
    for domain in DOMAINS:
        of_style = in_style(setting, domain)
        drawn = sample(model, names, of_style, labels, side, seed, torch.device("cpu"))
        shares["samples"][domain] = zero_shot_accuracy(clip, drawn, labels, names)
        real = render(classes, labels, domain, seed)
        shares["real"][domain] = zero_shot_accuracy(clip, real, labels, names)
    return shares


def rebuild(
    out: Path, recipe: Recipe = Recipe(), say: Callable[[str], None] = print
) -> dict[str, Any]:
    """Train, measure, and write checkpoint and provenance to `out`; returns the provenance."""
    started = time.perf_counter()
    say(f"drawing {recipe.images} pictures")
    model, losses = train(recipe, say)
    shares = recognised(model)
    provenance = {
        "command": f"{REBUILD} --images {recipe.images} --steps {recipe.steps} --seed {recipe.seed}"
        + " --shuffled" * recipe.shuffled,
        "recipe": asdict(recipe),
        "world_version": WORLD_VERSION,
        "seconds": round(time.perf_counter() - started, 1),
        "threads": torch.get_num_threads(),
        "final_loss": losses[-1],
        "parameters": sum(array.size for array in model.weights.values()),
        "recognised": {
            "classes": len(FINETUNE_CLASSES),
            "chance": 1 / len(FINETUNE_CLASSES),
            "images_per_style": TEST_IMAGES,
            "seed": TEST_SEED,
            "guidance": GOOD.guidance,
            "accuracy": shares,
        },
        "versions": {
            "python": platform.python_version(),
            "torch": torch.__version__,
            "numpy": np.__version__,
        },
    }
    tensors = {name: torch.from_numpy(array) for name, array in model.weights.items()}
    record = checkpoint.write(out, tensors, model.sizes, provenance)
    for kind, by_style in shares.items():
        told = "  ".join(f"{domain} {share:.3f}" for domain, share in by_style.items())
        say(f"recognised by CLIP, {kind}: {told}")
    say(f"wrote {out} ({record['bytes'] / 1e6:.2f} MB) in {record['seconds']:.0f} s")
    return record


def main(argv: list[str] | None = None) -> None:
    """Command line: see the module's description."""
    parser = argparse.ArgumentParser(prog=REBUILD, description=__doc__)
    parser.add_argument(
        "--out", type=Path, help="the .safetensors file to write (default: the shipped one)"
    )
    parser.add_argument("--images", type=int, default=Recipe.images)
    parser.add_argument("--steps", type=int, default=Recipe.steps)
    parser.add_argument("--seed", type=int, default=Recipe.seed)
    parser.add_argument("--shuffled", action="store_true", help="the control: shuffled captions")
    parser.add_argument("--threads", type=int, default=1, help="processor threads (default 1)")
    args = parser.parse_args(argv)
    if args.out is None and (args.shuffled or args.seed):
        parser.error("only the generator of seed 0 ships: name another file with --out")
    torch.set_num_threads(args.threads)
    recipe = Recipe(images=args.images, steps=args.steps, seed=args.seed, shuffled=args.shuffled)
    rebuild(args.out or weights_path("captioned"), recipe)


if __name__ == "__main__":
    main()
