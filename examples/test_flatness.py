"""Sharpness-aware training against flatness.

Foret et al. (2021, arXiv 2010.01412) minimise the largest loss near the weights in place of the
loss at them, and report that this finds flatter minima. They look at the Hessian's eigenvalues,
too; here flatness is what their method approximates in each step.
"""

from elsewhere import SharpnessAware, sharpness

from ddiv.claim import Contrast, claim
from ddiv.evidence import FALLS
from ddiv.treatment import Treatment


@claim(
    "sam-flat",
    "Sharpness-aware training ends where the training loss rises less around the weights.",
    source="Foret et al. 2021",
)
def test_sharpness_aware_training_finds_flatter_minima(study):
    return Contrast(sharpness(), (Treatment.of(SharpnessAware(0.05)),), FALLS)


@claim(
    "control-sam",
    "A treatment that does nothing ends where the training loss rises less around the weights.",
    source="ours: a negative control",
    guards="flatness",
)
def test_no_op_does_not_look_like_sharpness_aware_training(study):
    return Contrast(sharpness(), (study.no_op,), FALLS)
