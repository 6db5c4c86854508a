"""The core claims asked again on other backbones (v1 figures 6 and 7; v2).

Figures 6 and 7 repeat figures 3 and 4: "The results above are based on the ResNet50 backbone." v2:
"training from scratch (ResNet-18), observing similar spectral patterns". There is one test for each
core claim. Claims about data alone do not depend on the backbone and are not asked again.

v2's "Complaints dataset for language tasks" is, by the published files, one of 3,449 short tweets
of two classes, complaint or not. The embedded study has a generated world of longer complaints of
60 classes, since a layer of two outputs has no exponent; `full` has one of two classes besides, and
the profile `paper` the tweets and, as a second set, complaints of the CFPB.
"""

from collections.abc import Callable

import pytest

from ddiv.claim import Contrast, Question, Resemblance, Trend
from ddiv.claim.declare import claim
from ddiv.evidence import FALLS, RISES
from ddiv.outcome import Metric, Score, Spectral
from ddiv.study import Bert, Clip, Gru, Mixer, OpenClip, Policy, ResNet18, Study, TorchvisionModel
from ddiv.treatment import Treatment
from fixtures.arms import SHAPE, augmented, decayed, dropped_out

ARMS = ("dropout_rates", "decays", "augmentations")


def moderately_augmented(study: Study) -> tuple[Treatment, ...]:
    return tuple(map(study.augmentation, study.moderate_augmentations))


def core_claims(layers: str) -> dict[str, Callable[[Study], Question]]:
    """Each core claim's question, as the test of that claim asks it of these layers.

    Claims about single augmentations are asked of the mean over them.
    """

    def of(metric: Metric) -> Spectral:
        return Spectral(metric, layers)

    return {
        "drop-alpha": lambda study: Trend(of("alpha"), study.dropout(), RISES),
        "drop-entropy": lambda study: Trend(of("entropy_normalised"), study.dropout(), RISES),
        "drop-frobenius": lambda study: Trend(of("frobenius_norm"), study.dropout(), FALLS),
        "wd-alpha": lambda study: Trend(of("alpha"), study.decay(), FALLS),
        "wd-entropy": lambda study: Trend(of("entropy_normalised"), study.decay(), FALLS),
        "wd-frobenius": lambda study: Trend(of("frobenius_norm"), study.decay(), FALLS),
        "aug-like-dropout": lambda study: Resemblance(
            SHAPE, layers, group=augmented(study), like=dropped_out(study), unlike=decayed(study)
        ),
        "aug-frobenius": lambda study: Contrast(of("frobenius_norm"), augmented(study), FALLS),
        "aug-entropy": lambda study: Contrast(of("entropy_normalised"), augmented(study), RISES),
        "aug-ood": lambda study: Contrast(
            Score("accuracy", "ood"), moderately_augmented(study), RISES
        ),
    }


CORE = core_claims("classifier")
OF_ENCODER = core_claims("encoder")
each_core = pytest.mark.parametrize("core", [*CORE])


def of_resnet_tower(study: Study) -> bool:
    return isinstance(study.backbone, Clip | OpenClip) and study.backbone.tower == "resnet"


@claim(
    "backbone-rn50",
    "The core vision claims hold for a CLIP model whose image tower is a ResNet.",
    source="v1 appendix, figures 6 and 7",
    needs=ARMS,
    on=of_resnet_tower,
)
@each_core
def test_core_claims_on_a_resnet_tower(study: Study, core: str) -> Question:
    return CORE[core](study)


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
def test_core_claims_on_a_resnet18_from_scratch(study: Study, core: str) -> Question:
    return CORE[core](study)


@claim(
    "bert-text",
    "The core claims hold for a BERT fine-tuned on complaints, with augmentation of texts.",
    source="v2; by the published files its complaints are short tweets of two classes",
    needs=ARMS,
    on=lambda study: isinstance(study.backbone, Bert),
)
@each_core
def test_core_claims_on_a_bert(study: Study, core: str) -> Question:
    return CORE[core](study)


@claim(
    "q-architectures",
    "The core claims hold for a recurrent network on texts, an MLP-Mixer on images and a policy "
    "network that clones a controller.",
    source="v2, next check 3: other architectures and tasks",
    needs=ARMS,
    on=lambda study: isinstance(study.backbone, Gru | Mixer | Policy),
)
@pytest.mark.parametrize(
    "core, layers",
    [
        *((core, "classifier") for core in CORE),
        *((core, "encoder") for core in OF_ENCODER if core != "aug-ood"),
    ],
)
def test_core_claims_on_further_architectures(study: Study, core: str, layers: str) -> Question:
    """In their sizes all matrices of the encoders have 64 eigenvalues or more; the classification
    layer has as many as there are classes, 60 or 64.
    """
    return (CORE if layers == "classifier" else OF_ENCODER)[core](study)


@claim(
    "control-backbones",
    "A treatment that does nothing shrinks the weights of an encoder as augmentation is said to.",
    source="ours: a negative control",
    guards="backbones",
    needs=("dropout_rates",),
    on=lambda study: not isinstance(study.backbone, Clip | OpenClip) or of_resnet_tower(study),
)
def test_no_op_does_not_shrink_an_encoder(study: Study) -> Question:
    return Contrast(Spectral("spectral_norm", "encoder"), (study.no_op,), FALLS)
