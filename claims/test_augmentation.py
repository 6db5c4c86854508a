"""Data augmentation and the weight spectrum (v1 section 3.3, figure 4).

"Diverse data can reduce the Frobenius norm and increase the matrix entropy, thus shrinking the size of weight
matrix in the same fashion of dropout and weight decay. ... Overall, more resembling behaviors of shape metrics
have been seen in the pair of data diversity and dropout than in the pair of data diversity and weight decay."
"""

import pytest

from ddiv.claim import Contrast, Resemblance
from ddiv.evidence import FALLS, RISES
from ddiv.outcome import Spectral
from ddiv.profiles import AUGMENTATIONS
from ddiv.testing import claim

layers = pytest.mark.parametrize("layers", ["classifier", "encoder"])
each_augmentation = pytest.mark.parametrize("augmentation", AUGMENTATIONS)

# Scale and shape, as in figures 3 and 4 (and 9 for the further ones).
METRICS = ("alpha", "entropy_raw", "frobenius_norm", "spectral_norm", "stable_rank", "num_pl_spikes")


@claim("aug-frobenius", "Augmentation lowers the Frobenius norm of the classification layer.",
       source="v1 3.3, figure 4")
@each_augmentation
def test_augmentation_lowers_frobenius_norm(study, augmentation):
    return Contrast(Spectral("frobenius_norm", "classifier"), (study.augmentation(augmentation),), FALLS)


@claim("aug-entropy", "Augmentation raises the matrix entropy of the classification layer.", source="v1 3.3")
@each_augmentation
def test_augmentation_raises_entropy(study, augmentation):
    return Contrast(Spectral("entropy_raw", "classifier"), (study.augmentation(augmentation),), RISES)


@claim("aug-like-dropout", "Augmentation moves the spectrum more like dropout than like weight decay.",
       source="v1 3.3; v2")
@layers
def test_augmentation_resembles_dropout(study, layers):
    return Resemblance(METRICS, layers, group=tuple(map(study.augmentation, study.augmentations)),
                       like=tuple(arm for _, arm in study.dropout()[1:]),
                       unlike=tuple(arm for _, arm in study.decay()[1:]))
