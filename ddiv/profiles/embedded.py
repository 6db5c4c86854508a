"""The embedded studies: small, generated or shipped, for two cores."""

from __future__ import annotations

from ddiv.models.shipped import embedded_weights
from ddiv.profiles.profile import Profile
from ddiv.study import (
    Bert,
    Clip,
    ComplaintsWorld,
    Digits,
    Lsa,
    MiniAlexNet,
    Recipe,
    ResNet18,
    Study,
    World,
)
from ddiv.treatment import Flow, NGram, Setting
from ddiv.treatment.names import AUGMENTATIONS, EXTREME, FURTHER

# The augmentations of texts: Wei and Zou's (2019) four operations, and one of them drawn per text.
# They are as strong as they can be while the model still learns.
OF_TEXTS = (
    "synonym10",
    "insertion10",
    "swap10",
    "swap30",
    "deletion10",
    "deletion30",
    "eda10",
    "eda30",
)

TENTHS = tuple(round(0.1 * step, 1) for step in range(1, 11))

_WORLD = World(train_per_class=12, test_per_class=10, version=1)

_POOR = Setting("poor", guidance=4, temperature=0.3, steps=4)


def embedded() -> Profile:
    """Studies that run on two CPU cores in minutes, without a download.

    The doses were chosen before any claim was judged, by two rules (README, "Doses"): the model
    still learns its training set, and the largest dose visibly acts. The paper's own doses (dropout
    up to .7, Adam's L2 up to 5e-3) belong to the paper's model sizes.
    """
    studies = (
        _clip_world(),
        _clip_rn_world(),
        _resnet18_world(),
        _resnet18_digits(),
        _mini_alexnet_digits(),
        _bert_complaints(),
    )
    title = "Embedded studies: generated and shipped data, small models"
    return Profile("embedded", title, studies, seeds=3, max_seeds=7)


def _clip() -> Clip:
    return Clip(embedded_weights())


def _clip_resnet() -> Clip:
    return Clip(embedded_weights("resnet"), "resnet")


def _clip_world() -> Study:
    shares = (0.15, 0.25, 0.35, 0.5, 0.75, 1.0)
    return Study(
        name="clip-world",
        title="Small CLIP (ViT), fine-tuned on the embedded image world",
        data=_WORLD,
        backbone=_clip(),
        recipe=Recipe(
            epochs=12,
            batch=32,
            lr=1e-3,
            head_lr=1e-2,
            checkpoints=(0, 0.5, 1, 1.5, 2, 3, 4, 5, 6, 8, 10, 12),
        ),
        dropout_rates=(0.05, 0.1, 0.2, 0.3),
        single_placement_rates=(0.2,),
        decays=(1e-4, 1e-3, 3e-3, 1e-2),
        augmentations=AUGMENTATIONS,
        extreme_augmentations=EXTREME,
        further_augmentations=FURTHER,
        early_stop=0.3,
        generator=Flow(side=16, width=256, steps=1000),
        settings=(Setting("good", guidance=2), _POOR),
        shares=(shares, shares),
        view_size=720,
        class_counts=(1, 2, 5, 10, 20, 40, 60),
        embedders=(_clip(), _clip_resnet()),
    )


def _clip_rn_world() -> Study:
    return Study(
        name="clip-rn-world",
        title="Small CLIP (modified ResNet), fine-tuned on the embedded image world",
        data=_WORLD,
        backbone=_clip_resnet(),
        recipe=Recipe(
            epochs=8,
            batch=48,
            lr=1e-3,
            head_lr=1e-2,
            checkpoints=(0, 0.2, 0.4, 0.7, 1, 1.5, 2, 3, 4, 5, 6, 8),
        ),
        dropout_rates=(0.1, 0.2, 0.3),
        single_placement_rates=(0.2,),
        decays=(3e-3, 1e-2, 3e-2),
        very_large_dropout=0.9,
        combinations=((0.1, 3e-3), (0.1, 3e-2), (0.3, 3e-3), (0.3, 3e-2)),
        augmentations=AUGMENTATIONS,
        extreme_augmentations=EXTREME,
        early_stop=0.3,
        view_size=720,
        embedders=(_clip(),),
    )


def _resnet18_world() -> Study:
    return Study(
        name="resnet18-world",
        title="ResNet-18 at an eighth of its width, from scratch on the embedded image world",
        data=_WORLD,
        backbone=ResNet18(width=8, stem_stride=2),
        recipe=Recipe(
            epochs=11, batch=40, lr=4e-3, checkpoints=(0, 0.5, 1, 1.5, 2, 3, 4, 5, 6, 7, 8, 9, 11)
        ),
        dropout_rates=(0.02, 0.04, 0.06),
        single_placement_rates=(0.04,),
        decays=(3e-3, 1e-2, 3e-2),
        augmentations=AUGMENTATIONS,
        extreme_augmentations=EXTREME,
        early_stop=0.3,
        view_size=720,
        embedders=(_clip(),),
    )


def _resnet18_digits() -> Study:
    return Study(
        name="resnet18-digits",
        title="ResNet-18 at a quarter of its width, from scratch on scikit-learn's digits",
        data=Digits(train=500, side=16),
        backbone=ResNet18(width=16, stem_stride=2),
        recipe=Recipe(
            epochs=10, batch=50, lr=2e-3, checkpoints=(0, 0.5, 1, 1.5, 2, 3, 4, 5, 6, 8, 10)
        ),
        dropout_rates=(0.02, 0.05, 0.1, 0.15),
        single_placement_rates=(0.1,),
        decays=(5e-3, 2e-2, 5e-2, 1e-1),
        augmentations=AUGMENTATIONS,
        extreme_augmentations=EXTREME,
        early_stop=0.3,
        generator=Flow(side=8, width=128, steps=400),
        settings=(Setting("good"), _POOR),
        shares=(TENTHS, TENTHS),
        rounds=4,
        view_size=500,
        class_counts=(1, 2, 3, 5, 7, 10),
        class_view_size=37,
        embedders=(_clip(), _clip_resnet()),
    )


def _mini_alexnet_digits() -> Study:
    return Study(
        name="mini-alexnet-digits",
        title="MiniAlexNet by SGD on scikit-learn's digits, over batch sizes",
        data=Digits(train=300, side=16),
        backbone=MiniAlexNet(width=16, hidden=256),
        recipe=Recipe(
            epochs=20,
            batch=16,
            lr=1e-2,
            momentum=0.9,
            checkpoints=(0, 0.5, 1, 2, 3, 5, 8, 12, 16, 20),
        ),
        batches=(2, 4, 8, 16, 32, 64, 128, 300),
    )


def _bert_complaints() -> Study:
    bert = Bert(embedded_weights("bert"))
    return Study(
        name="bert-complaints",
        title="Small BERT, fine-tuned on the embedded world of consumer complaints",
        data=ComplaintsWorld(train_per_class=6, test_per_class=5, version=1),
        backbone=bert,
        recipe=Recipe(
            epochs=8,
            batch=24,
            lr=2e-3,
            head_lr=2e-2,
            checkpoints=(0, 0.5, 1, 1.5, 2, 3, 4, 5, 6, 8),
        ),
        dropout_rates=(0.05, 0.1, 0.15),
        single_placement_rates=(0.1,),
        decays=(1e-3, 3e-3, 1e-2),
        augmentations=OF_TEXTS,
        early_stop=0.4,
        generator=NGram(order=3),
        settings=(
            Setting("variations", guidance=2, variant="variations"),
            Setting("additional", guidance=2),
        ),
        shares=(TENTHS, TENTHS),
        view_size=360,
        class_counts=(1, 2, 5, 10, 20, 40, 60),
        embedders=(bert, Lsa(64)),
    )


def smoke() -> Profile:
    """One study so small that it trains in a blink: shows that the installation works.

    Its verdicts mean nothing.
    """
    digits = Study(
        name="resnet18-smoke",
        title="A very small ResNet-18 on 120 digits (only to try things out)",
        data=Digits(train=120, side=16),
        backbone=ResNet18(width=4, stem_stride=2),
        recipe=Recipe(epochs=3, batch=40, lr=5e-3, checkpoints=(0, 1, 2, 3)),
        dropout_rates=(0.05, 0.2),
        single_placement_rates=(0.2,),
        decays=(1e-3, 1e-1),
        augmentations=AUGMENTATIONS,
        extreme_augmentations=EXTREME,
        generator=Flow(side=8, width=16, steps=50),
        settings=(Setting("good"), _POOR),
        shares=((0.15, 0.25, 0.35, 1.0),) * 2,
        rounds=2,
        early_stop=0.4,
        view_size=120,
        class_counts=(1, 3, 10),
        class_view_size=9,
        embedders=(_clip(), _clip_resnet()),
    )
    return Profile("smoke", "A trial of the machinery", (digits,), seeds=3, max_seeds=7)
