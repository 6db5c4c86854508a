"""Profiles: which studies a run covers, and how large they are."""

from __future__ import annotations

import msgspec

from ddiv.models import embedded_weights
from ddiv.source import Flow, Setting
from ddiv.study import Clip, Digits, MiniAlexNet, Recipe, ResNet18, Study, World

AUGMENTATIONS = ("auto", "rand", "augmix", "trivial", "noise10", "noise30", "noise50", "auto-v1", "auto-v2",
                 "auto-v3")
EXTREME = ("auto-v2", "auto-v3")
FURTHER = ("cutout", "cutmix", "mixup")


class Profile(msgspec.Struct, frozen=True):
    """The studies of a run, and the CLIP model that embeds images for diversity.

    Every claim starts with `seeds` seeds; those undecided get more, up to `max_seeds`.
    """

    name: str
    title: str
    studies: tuple[Study, ...]
    seeds: int
    max_seeds: int
    embedder: Clip


class UnknownProfile(ValueError):
    """No profile of this name; the message lists those that there are."""


def embedded() -> Profile:
    """Everything on two CPU cores in minutes, without a download.

    Doses were chosen before any claim was judged, by two rules (README, "Doses"): the model still learns its
    training set, and the largest visibly acts. The paper's own doses (dropout up to .7, Adam's L2 up to 5e-3)
    belong to the paper's model sizes.
    """
    clip = Clip(embedded_weights())
    world = World(train_per_class=12, test_per_class=10, version=1)
    domains = ("real", "clipart", "infograph", "painting", "sketch")
    shares = (0.15, 0.25, 0.35, 0.5, 0.75, 1.0)
    poor = Setting("poor", guidance=4, temperature=0.3, steps=4)
    clip_world = Study(
        name="clip-world",
        title="Small CLIP (ViT), fine-tuned on the embedded image world",
        data=world, backbone=clip, domains=domains,
        recipe=Recipe(epochs=12, batch=32, lr=1e-3, head_lr=1e-2, checkpoints=(0, 0.5, 1, 1.5, 2, 3, 4, 5, 6, 8, 10, 12)),
        dropout_rates=(0.05, 0.1, 0.2, 0.3), single_placement_rates=(0.2,),
        decays=(1e-4, 1e-3, 3e-3, 1e-2), augmentations=AUGMENTATIONS, further_augmentations=FURTHER, early_stop=0.3,
        generator=Flow(side=16, width=256, steps=1000), settings=(Setting("good", guidance=2), poor),
        shares=(shares, shares), view_size=720, class_counts=(1, 2, 5, 10, 20, 40, 60))
    clip_rn_world = Study(
        name="clip-rn-world",
        title="Small CLIP (modified ResNet), fine-tuned on the embedded image world",
        data=world, backbone=Clip(embedded_weights("resnet"), "resnet"), domains=domains,
        recipe=Recipe(epochs=8, batch=48, lr=1e-3, head_lr=1e-2, checkpoints=(0, 0.2, 0.4, 0.7, 1, 1.5, 2, 3, 4, 5, 6, 8)),
        dropout_rates=(0.1, 0.2, 0.3), single_placement_rates=(0.2,), decays=(3e-3, 1e-2, 3e-2),
        very_large_dropout=0.9, combinations=((0.1, 3e-3), (0.1, 3e-2), (0.3, 3e-3), (0.3, 3e-2)),
        augmentations=AUGMENTATIONS, early_stop=0.3, view_size=720)
    resnet18_world = Study(
        name="resnet18-world",
        title="ResNet-18 at an eighth of its width, from scratch on the embedded image world",
        data=world, backbone=ResNet18(width=8, stem_stride=2), domains=domains,
        recipe=Recipe(epochs=11, batch=40, lr=4e-3, checkpoints=(0, 0.5, 1, 1.5, 2, 3, 4, 5, 6, 7, 8, 9, 11)),
        dropout_rates=(0.02, 0.04, 0.06), single_placement_rates=(0.04,), decays=(3e-3, 1e-2, 3e-2),
        augmentations=AUGMENTATIONS, early_stop=0.3, view_size=720)
    digits = Study(
        name="resnet18-digits",
        title="ResNet-18 at a quarter of its width, from scratch on scikit-learn's digits",
        data=Digits(train=500, side=16),
        backbone=ResNet18(width=16, stem_stride=2),
        recipe=Recipe(epochs=10, batch=50, lr=2e-3, checkpoints=(0, 0.5, 1, 1.5, 2, 3, 4, 5, 6, 8, 10)),
        domains=("digits",),
        dropout_rates=(0.02, 0.05, 0.1, 0.15), single_placement_rates=(0.1,),
        decays=(5e-3, 2e-2, 5e-2, 1e-1), augmentations=AUGMENTATIONS, early_stop=0.3,
        generator=Flow(side=8, width=128, steps=400), settings=(Setting("good"), poor), shares=(shares, shares), rounds=4,
        view_size=500, class_counts=(1, 2, 3, 5, 7, 10))
    batches = Study(
        name="mini-alexnet-digits",
        title="MiniAlexNet by SGD on scikit-learn's digits, over batch sizes",
        data=Digits(train=300, side=16), backbone=MiniAlexNet(width=16, hidden=256),
        recipe=Recipe(epochs=20, batch=16, lr=1e-2, momentum=0.9, checkpoints=(0, 0.5, 1, 2, 3, 5, 8, 12, 16, 20)),
        domains=("digits",),
        batches=(2, 4, 8, 16, 32, 64, 128, 300))
    return Profile("embedded", "Embedded studies: generated and shipped data, small models",
                   (clip_world, clip_rn_world, resnet18_world, digits, batches), seeds=3, max_seeds=7, embedder=clip)


def smoke() -> Profile:
    """One study so small that it trains in a blink: shows that the installation works. Its verdicts mean nothing."""
    digits = Study(
        name="resnet18-smoke", title="A very small ResNet-18 on 120 digits (only to try things out)",
        data=Digits(train=120, side=16), backbone=ResNet18(width=4, stem_stride=2),
        recipe=Recipe(epochs=3, batch=40, lr=5e-3, checkpoints=(0, 1, 2, 3)), domains=("digits",),
        dropout_rates=(0.05, 0.2), single_placement_rates=(0.2,), decays=(1e-3, 1e-1), augmentations=AUGMENTATIONS,
        generator=Flow(side=8, width=16, steps=50), settings=(Setting("good"), Setting("poor", guidance=4, temperature=0.3, steps=4)),
        shares=((0.15, 0.25, 0.35, 1.0),) * 2, rounds=2, early_stop=0.4, view_size=120, class_counts=(1, 3, 10))
    return Profile("smoke", "A trial of the machinery", (digits,), seeds=3, max_seeds=7, embedder=Clip(embedded_weights()))


PROFILES = {"embedded": embedded, "smoke": smoke}


def profile(name: str) -> Profile:
    """The profile of this name. Raises UnknownProfile."""
    if name not in PROFILES:
        raise UnknownProfile(f"there is no profile {name!r}; choose one of: {', '.join(PROFILES)}")
    return PROFILES[name]()
