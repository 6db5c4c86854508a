"""Treatments: what is varied between the arms of a study.

A treatment is a frozen tuple of parts; the empty tuple is the **baseline**. Parts compose with `+`:

    >>> (Treatment.of(Dropout(0.1)) + WeightDecay(1e-3)).label
    'dropout 0.1 + decay 0.001'

A part is pure data. Its effect on a model, an optimiser or a batch is in `ddiv.trial.train`.
"""

from ddiv.treatment.generators import Flow, Generator, NGram, OpenAI, Setting, StableDiffusion
from ddiv.treatment.parts import (
    BASELINE,
    OTHER_SEEDS_BEGIN,
    Augmentation,
    BatchSize,
    Classes,
    Dropout,
    EarlyStop,
    EvaluationDropout,
    NoOp,
    OtherSeed,
    Part,
    PartT,
    Placement,
    ShuffledLabels,
    Synthetic,
    Treatment,
    WeightDecay,
)

__all__ = [
    "BASELINE",
    "OTHER_SEEDS_BEGIN",
    "Augmentation",
    "BatchSize",
    "Classes",
    "Dropout",
    "EarlyStop",
    "EvaluationDropout",
    "Flow",
    "Generator",
    "NGram",
    "NoOp",
    "OpenAI",
    "OtherSeed",
    "Part",
    "PartT",
    "Placement",
    "Setting",
    "ShuffledLabels",
    "StableDiffusion",
    "Synthetic",
    "Treatment",
    "WeightDecay",
]
