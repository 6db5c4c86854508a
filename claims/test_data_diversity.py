"""Augmentation and the diversity of the training set (v1 section 2.1.2, figure 1).

"Commonly used image augmentation methods typically increase input data diversity. Some methods (e.g., Auto-v3)
increase the diversity score at a larger rate than others." Nothing is trained here: the Vendi Score is read
off the images that a treatment shows, at equal n.
"""

import pytest

from ddiv.claim import Contrast, Largest
from ddiv.evidence import RISES
from ddiv.outcome import Vendi
from ddiv.profiles import AUGMENTATIONS
from ddiv.testing import claim

each_augmentation = pytest.mark.parametrize("augmentation", AUGMENTATIONS)


@claim("vendi-aug-pixel", "Augmentation raises the pixel Vendi Score.", source="v1 2.1.2, figure 1")
@each_augmentation
def test_augmentation_raises_pixel_diversity(study, augmentation):
    return Contrast(Vendi("pixel"), (study.augmentation(augmentation),), RISES)


@claim("vendi-aug-embedding", "Augmentation raises the Vendi Score of CLIP embeddings.", source="v1 2.1.2, figure 1")
@each_augmentation
def test_augmentation_raises_embedding_diversity(study, augmentation):
    return Contrast(Vendi("embedding"), (study.augmentation(augmentation),), RISES)


@claim("vendi-strongest", "auto-v3 raises the Vendi Score most of all ten augmentations.", source="v1 2.1.2")
@pytest.mark.parametrize("space", ["pixel", "embedding"])
def test_auto_v3_is_most_diverse(study, space):
    others = tuple(study.augmentation(name) for name in study.augmentations if name != "auto-v3")
    return Largest(Vendi(space), study.augmentation("auto-v3"), others)
