"""The core claims asked again on other backbones (v1 figures 6 and 7; v2).

Figures 6 and 7 repeat figures 3 and 4: "The results above are based on the ResNet50 backbone." v2:
"training from scratch (ResNet-18), observing similar spectral patterns". One test for each core
claim; those about single augmentations are asked of the mean over the ten. Claims about data alone
do not depend on the backbone and are not asked again.
"""

import pytest

from claims import test_augmentation, test_dropout, test_weight_decay
from claims.test_augmentation import augmented
from ddiv.claim import Contrast, Question
from ddiv.evidence import FALLS, RISES
from ddiv.outcome import Score, Spectral
from ddiv.study import Bert, Clip, OpenClip, ResNet18, Study, TorchvisionModel
from ddiv.testing import claim

# Those that are asked just as they are, of the classification layer.
AS_THEY_ARE = {
    "drop-alpha": test_dropout.test_dropout_raises_alpha,
    "drop-entropy": test_dropout.test_dropout_raises_entropy,
    "drop-frobenius": test_dropout.test_dropout_lowers_frobenius_norm,
    "wd-alpha": test_weight_decay.test_decay_lowers_alpha,
    "wd-entropy": test_weight_decay.test_decay_lowers_entropy,
    "wd-frobenius": test_weight_decay.test_decay_lowers_frobenius_norm,
    "aug-like-dropout": test_augmentation.test_augmentation_resembles_dropout,
}
ON_AVERAGE = ("aug-frobenius", "aug-entropy", "aug-ood")

each_core = pytest.mark.parametrize("core", [*AS_THEY_ARE, *ON_AVERAGE])
ARMS = ("dropout_rates", "decays", "augmentations")


def asked(study: Study, core: str) -> Question:
    """A core claim's question, of the classification layer."""
    if core in AS_THEY_ARE:
        return AS_THEY_ARE[core].ask(study, layers="classifier")
    if core == "aug-frobenius":
        return Contrast(Spectral("frobenius_norm", "classifier"), augmented(study), FALLS)
    if core == "aug-entropy":
        return Contrast(Spectral("entropy_raw", "classifier"), augmented(study), RISES)
    return Contrast(
        Score("accuracy", "ood"),
        tuple(map(study.augmentation, study.moderate_augmentations)),
        RISES,
    )


@claim(
    "backbone-rn50",
    "The core vision claims hold for a CLIP model whose image tower is a ResNet.",
    source="v1 appendix, figures 6 and 7",
    needs=ARMS,
    on=lambda study: getattr(study.backbone, "tower", "") == "resnet",
)
@each_core
def test_core_claims_on_a_resnet_tower(study, core):
    return asked(study, core)


@claim(
    "resnet18-scratch",
    "The core vision claims hold for a ResNet-18 trained from scratch.",
    source="v2",
    needs=ARMS,
    on=lambda study: (
        isinstance(study.backbone, ResNet18) or study.backbone == TorchvisionModel("resnet18")
    ),
)
@each_core
def test_core_claims_on_a_resnet18_from_scratch(study, core):
    return asked(study, core)


@claim(
    "bert-text",
    "The core claims hold for a BERT fine-tuned on consumer complaints, with augmentation of texts.",
    source="v2",
    needs=ARMS,
    on=lambda study: isinstance(study.backbone, Bert),
)
@each_core
def test_core_claims_on_a_bert(study, core):
    return asked(study, core)


@claim(
    "control-backbones",
    "A treatment that does nothing shrinks the weights of an encoder as augmentation is said to.",
    source="ours: a negative control",
    guards="backbones",
    needs=("dropout_rates",),
    on=lambda study: (
        not isinstance(study.backbone, Clip | OpenClip) or study.backbone.tower == "resnet"
    ),
)
def test_no_op_does_not_shrink_an_encoder(study):
    return Contrast(Spectral("spectral_norm", "encoder"), (study.no_op,), FALLS)
