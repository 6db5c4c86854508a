"""The names of the augmentations of images, for those who do without torch.

`ddiv.treatment.images` and `ddiv.treatment.mixing` carry them out.
"""

from __future__ import annotations

# The paper's ten (section 3.3), in its order.
AUGMENTATIONS = (
    "auto",
    "rand",
    "augmix",
    "trivial",
    "noise10",
    "noise30",
    "noise50",
    "auto-v1",
    "auto-v2",
    "auto-v3",
)

# The two that the paper calls extremely augmented; section 3.4 says that they "may harm the model's
# learning ability".
EXTREME = ("auto-v2", "auto-v3")

# Those that mix labels too.
MIXING = ("cutmix", "mixup")

# Beyond the paper.
FURTHER = ("cutout", *MIXING)

# What the paper's published code applies in place of six of the ten: noise of a tenth of the
# strength, and further steps that are not those of the text (`ddiv.treatment.images`).
CODED = ("noise1", "noise3", "noise5", "auto-v1-coded", "auto-v2-coded", "auto-v3-coded")

# The ten as coded, in the order of the code's list, and what the paper calls each.
AS_CODED = (*AUGMENTATIONS[:4], *CODED)
DESCRIBED = dict(zip(AS_CODED, AUGMENTATIONS))
EXTREME_CODED = ("auto-v2-coded", "auto-v3-coded")

# Further strengths of two of the ten, which have noise of .1, .3 and .5 and RandAugment's default
# magnitude of 9 (of 30).
GRADED = ("noise20", "noise40", "rand3", "rand15", "rand21", "rand27")

# Each from its weakest to its strongest.
GRADIENTS = (
    ("noise10", "noise20", "noise30", "noise40", "noise50"),
    ("rand3", "rand", "rand15", "rand21", "rand27"),
)

KNOWN = (*AUGMENTATIONS, *FURTHER, *CODED, *GRADED)
