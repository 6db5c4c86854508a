"""Augmentation, accuracy and calibration (v1 section 3.4, table 2).

"Both traditional data augmentation methods and the synthetic data method can result in better OOD performance,
i.e., higher top-1 accuracy and lower ECE on average compared with the baseline. Extremely augmented data such as
auto-v2 and auto-v3 may harm the model's learning ability."
"""

import pytest

from ddiv.claim import Contrast
from ddiv.evidence import FALLS, RISES
from ddiv.outcome import Score
from ddiv.profiles import AUGMENTATIONS, EXTREME
from ddiv.testing import claim

moderate = pytest.mark.parametrize("augmentation", [name for name in AUGMENTATIONS if name not in EXTREME])
each_augmentation = pytest.mark.parametrize("augmentation", AUGMENTATIONS)
each_extreme = pytest.mark.parametrize("augmentation", EXTREME)
id_and_ood = pytest.mark.parametrize("where", ["id", "ood"])


@claim("aug-ood", "Augmentation improves accuracy out of distribution (mean over the domains).",
       source="v1 3.4, table 2")
@moderate
def test_augmentation_raises_ood_accuracy(study, augmentation):
    return Contrast(Score("accuracy", "ood"), (study.augmentation(augmentation),), RISES)


@claim("aug-ece", "Augmentation lowers the calibration error, in and out of distribution.", source="v1 3.4, table 2")
@id_and_ood
@each_augmentation
def test_augmentation_lowers_calibration_error(study, augmentation, where):
    return Contrast(Score("ece", where), (study.augmentation(augmentation),), FALLS)


@claim("aug-extreme-hurts", "The extreme augmentations auto-v2 and auto-v3 cost accuracy, in and out of distribution.",
       source="v1 3.4, table 2")
@id_and_ood
@each_extreme
def test_extreme_augmentation_lowers_accuracy(study, augmentation, where):
    return Contrast(Score("accuracy", where), (study.augmentation(augmentation),), FALLS)
