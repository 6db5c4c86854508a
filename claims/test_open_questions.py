"""Questions that the paper's second version leaves open, answered by estimates.

Each finding has a verdict on a direction, and tells sizes with their 95 % intervals over seeds: by
layer, or over the epochs.

The first asks how levels of diversity move the exponent of each layer in numbers, over a gradient
of levels and not by presence or absence alone. The gradients are noise of rising strength and
RandAugment of rising magnitude; the diversity is the Vendi Score; the exponent is Hill's with the
tail fixed to the upper quarter, since the search for a tail jumps. Beside each slope stands the one
that the baseline shows at another learning rate, led to the arms' clean loss.

The third asks whether what augmentation does to spectra differs between fine-tuning and training
from scratch, in size, over layers and over time. One CLIP tower is trained by one recipe from its
checkpoint and from random weights. Arms are compared with the baseline from the same start, in
logarithms, and beside repeats of it.
"""

from typing import Literal

import pytest

from ddiv.claim import Question, Slope, TwoStarts
from ddiv.claim.declare import claim, each, each_layers, each_space
from ddiv.evidence import RISES
from ddiv.outcome import Layers, Metric, Spectral, Vendi
from ddiv.study import Space, Study
from ddiv.treatment import Treatment
from ddiv.treatment.own_augmentation import label_of

# Scale and shape, without exponents that rest on a search.
METRICS: tuple[Metric, ...] = (
    "frobenius_norm",
    "spectral_norm",
    "entropy_normalised",
    "hill_alpha",
    "stable_rank",
)
NUMBERS: tuple[Metric, ...] = ("frobenius_norm", "entropy_normalised", "hill_alpha")

# What of a network is asked about; the classification layer begins at random in both.
PARTS: tuple[Layers, ...] = ("classifier", "encoder")


def gradients(study: Study) -> dict[str, tuple[Treatment, ...]]:
    """The study's gradients, each called as its strongest augmentation."""
    return {label_of(names[-1]): tuple(map(study.augmentation, names)) for names in study.gradients}


@claim(
    "q-alpha-gradient",
    "Along a gradient of an augmentation's strength the exponent rises with the log of the Vendi "
    "Score.",
    source="v2, open question 1",
    needs=("gradients", "view_size", "embedders"),
)
@each(up_to=lambda study: [*gradients(study)])
@each_layers
@each_space
def test_the_exponent_goes_with_diversity(
    study: Study, up_to: str, layers: Layers, space: Space
) -> Question:
    return Slope(Spectral("hill_alpha", layers), Vendi(space), gradients(study)[up_to], RISES)


def two_starts(
    study: Study,
    compared: Literal["size", "layers", "direction"],
    metrics: tuple[Metric, ...],
    layers: Layers,
    pairs: tuple[tuple[Treatment, Treatment], ...],
) -> Question:
    fine, scratch = zip(*pairs)
    assert study.recipe
    return TwoStarts(
        compared,
        metrics,
        layers,
        fine,
        scratch,
        study.both_bases,
        study.both_repeats(1),
        study.recipe.checkpoints,
    )


def of_kind(study: Study, arms: str) -> tuple[tuple[Treatment, Treatment], ...]:
    """The pairs of augmentations, or those of dropout."""
    split = len(study.both_augmentations)
    return study.both[:split] if arms == "augmentation" else study.both[split:]


each_kind = each(
    arms=lambda study: [
        name
        for name, has in (("augmentation", study.both_augmentations), ("dropout", study.both_rates))
        if has
    ]
)
COMPARISONS = [
    *(("size", metric) for metric in NUMBERS),
    *(("layers", metric) for metric in NUMBERS),
    ("direction", "all"),
]
# A classification layer alone has no profile over layers.
COMPARED = [
    (compared, metric, layers)
    for compared, metric in COMPARISONS
    for layers in PARTS
    if not (compared == "layers" and layers == "classifier")
]


@claim(
    "q-finetune-vs-scratch",
    "What an arm does to the spectrum is larger from scratch than in fine-tuning, and in both it "
    "moves the same layers and goes in the same direction.",
    source="v2, open question 3",
    needs=("both_augmentations",),
)
@each_kind
@pytest.mark.parametrize("compared, metric, layers", COMPARED)
def test_from_scratch_beside_fine_tuning(
    study: Study,
    arms: str,
    compared: Literal["size", "layers", "direction"],
    metric: Metric | Literal["all"],
    layers: Layers,
) -> Question:
    metrics = METRICS if metric == "all" else (metric,)
    return two_starts(study, compared, metrics, layers, of_kind(study, arms))


@claim(
    "control-open-questions",
    "A repeat of the baseline does more to the spectrum from scratch than in fine-tuning, in the "
    "same layers and the same direction, beyond another repeat.",
    source="ours: a negative control",
    guards="open questions",
    needs=("both_augmentations", "both_rates"),
)
@pytest.mark.parametrize(
    "compared, metric",
    [("size", "frobenius_norm"), ("layers", "entropy_normalised"), ("direction", "all")],
)
def test_a_repeat_does_nothing_beyond_a_repeat(
    study: Study, compared: Literal["size", "layers", "direction"], metric: Metric | Literal["all"]
) -> Question:
    metrics = METRICS if metric == "all" else (metric,)
    return two_starts(study, compared, metrics, "encoder", (study.both_repeats(2),))


@claim(
    "control-open-questions",
    "Over replicates of the baseline the exponent rises with the log of the Vendi Score.",
    source="ours: a negative control",
    guards="open questions",
    needs=("gradients", "view_size", "embedders", "dropout_rates"),
)
@each_layers
def test_the_exponent_does_not_go_with_chance(study: Study, layers: Layers) -> Question:
    replicates = (study.no_op, study.other_seed)
    return Slope(Spectral("hill_alpha", layers), Vendi("embedding"), replicates, RISES)
