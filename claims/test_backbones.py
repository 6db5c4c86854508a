"""The core vision claims asked again on other backbones (v1 figures 6 and 7; v2).

Figures 6 and 7 repeat figures 3 and 4: "The results above are based on the ResNet50 backbone." v2: "training from
scratch (ResNet-18), observing similar spectral patterns". One test for each core claim; those about single augmentations are
asked of the mean over the ten. Claims about data alone do not depend on the backbone and are not asked again.
"""

import pytest

from ddiv.claim import Contrast, Question, Resemblance, Trend
from ddiv.evidence import FALLS, RISES
from ddiv.outcome import Score, Spectral
from ddiv.profiles import EXTREME
from ddiv.study import Clip, ResNet18, Study
from ddiv.testing import claim

METRICS = ("alpha", "entropy_raw", "frobenius_norm", "spectral_norm", "stable_rank", "num_pl_spikes")

each_core = pytest.mark.parametrize("core", ["drop-alpha", "drop-entropy", "drop-frobenius", "wd-alpha", "wd-entropy",
                                             "wd-frobenius", "aug-frobenius", "aug-entropy", "aug-like-dropout", "aug-ood"])
ARMS = ("dropout_rates", "decays", "augmentations")


def asked(study: Study, core: str) -> Question:
    """A core claim's question, of the classification layer."""
    ten = tuple(map(study.augmentation, study.augmentations))
    dropout, decay = study.dropout(), study.decay()
    match core:
        case "drop-alpha":
            return Trend(Spectral("alpha", "classifier"), dropout, RISES)
        case "drop-entropy":
            return Trend(Spectral("entropy_raw", "classifier"), dropout, RISES)
        case "drop-frobenius":
            return Trend(Spectral("frobenius_norm", "classifier"), dropout, FALLS)
        case "wd-alpha":
            return Trend(Spectral("alpha", "classifier"), decay, FALLS)
        case "wd-entropy":
            return Trend(Spectral("entropy_raw", "classifier"), decay, FALLS)
        case "wd-frobenius":
            return Trend(Spectral("frobenius_norm", "classifier"), decay, FALLS)
        case "aug-frobenius":
            return Contrast(Spectral("frobenius_norm", "classifier"), ten, FALLS)
        case "aug-entropy":
            return Contrast(Spectral("entropy_raw", "classifier"), ten, RISES)
        case "aug-like-dropout":
            like, unlike = (tuple(arm for _, arm in ladder[1:]) for ladder in (dropout, decay))
            return Resemblance(METRICS, "classifier", ten, like, unlike)
        case "aug-ood":
            moderate = tuple(study.augmentation(name) for name in study.augmentations if name not in EXTREME)
            return Contrast(Score("accuracy", "ood"), moderate, RISES)
    raise ValueError(f"no core claim {core!r}")


@claim("backbone-rn50", "The core vision claims hold for a CLIP model whose image tower is a ResNet.",
       source="v1 appendix, figures 6 and 7", needs=ARMS, on=lambda study: getattr(study.backbone, "tower", "") == "resnet")
@each_core
def test_core_claims_on_a_resnet_tower(study, core):
    return asked(study, core)


@claim("resnet18-scratch", "The core vision claims hold for a ResNet-18 trained from scratch.", source="v2", needs=ARMS,
       on=lambda study: isinstance(study.backbone, ResNet18))
@each_core
def test_core_claims_on_a_resnet18_from_scratch(study, core):
    return asked(study, core)


@claim("control-backbones", "A treatment that does nothing shrinks the weights of a ResNet as augmentation is said to.",
       source="ours: a negative control", guards="backbones", needs=("dropout_rates",),
       on=lambda study: not isinstance(study.backbone, Clip) or study.backbone.tower == "resnet")
def test_no_op_does_not_shrink_a_resnet(study):
    return Contrast(Spectral("spectral_norm", "encoder"), (study.no_op,), FALLS)
