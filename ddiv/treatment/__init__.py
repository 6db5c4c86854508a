"""Treatments: what is varied between the arms of a study.

A treatment is a frozen tuple of parts; the empty tuple is the **baseline**. Parts compose with `+`:

    >>> (Treatment.of(Dropout(0.1)) + WeightDecay(1e-3)).label
    'dropout 0.1 + decay 0.001'

A part is a frozen value with hooks into training (`ddiv.treatment.part.Part`), ddiv's own and a
user's alike.
"""

from ddiv.treatment.as_coded import Normalised, Piled, Unused
from ddiv.treatment.as_coded_texts import AS_CODED, Once, Rectified, Unswitched, once
from ddiv.treatment.generators import (
    Captioned,
    Flow,
    Generator,
    NGram,
    OpenAI,
    Setting,
    StableDiffusion,
)
from ddiv.treatment.own_augmentation import OwnAugmentation, own_augmentation
from ddiv.treatment.own_generator import OwnGenerator, own_generator
from ddiv.treatment.part import HOOKS, OwnPart, Part, Placement
from ddiv.treatment.parts import (
    OTHER_SEEDS_BEGIN,
    Augmentation,
    BatchSize,
    Classes,
    Dropout,
    EvaluationDropout,
    Length,
    NoOp,
    OtherSeed,
    Rate,
    ShuffledLabels,
    WeightDecay,
    is_built_in,
)
from ddiv.treatment.regimes import Again, FromScratch, Traced
from ddiv.treatment.synthetic import Added, Anchored, Blurred, Filtered, Synthetic
from ddiv.treatment.treatment import BASELINE, Ladder, PartT, Treatment, ladder

__all__ = [
    "AS_CODED",
    "BASELINE",
    "HOOKS",
    "OTHER_SEEDS_BEGIN",
    "Added",
    "Again",
    "Anchored",
    "Augmentation",
    "BatchSize",
    "Blurred",
    "Captioned",
    "Classes",
    "Dropout",
    "EvaluationDropout",
    "Filtered",
    "Flow",
    "FromScratch",
    "Generator",
    "Ladder",
    "Length",
    "NGram",
    "NoOp",
    "Normalised",
    "Once",
    "OpenAI",
    "OtherSeed",
    "OwnAugmentation",
    "OwnGenerator",
    "OwnPart",
    "Part",
    "PartT",
    "Piled",
    "Placement",
    "Rate",
    "Rectified",
    "Setting",
    "ShuffledLabels",
    "StableDiffusion",
    "Synthetic",
    "Traced",
    "Treatment",
    "Unswitched",
    "Unused",
    "WeightDecay",
    "is_built_in",
    "ladder",
    "once",
    "own_augmentation",
    "own_generator",
]
