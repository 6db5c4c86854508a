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
