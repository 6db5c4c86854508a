"""Augmentation, accuracy and calibration (v1 section 3.4, table 2, figure 5).

"Both traditional data augmentation methods and the synthetic data method can result in better OOD
performance, i.e., higher top-1 accuracy and lower ECE on average compared with the baseline.
Extremely augmented data such as auto-v2 and auto-v3 may harm the model's learning ability. Figure 5
shows that Vendi Score has a strong correlation with both ID and OOD average performance."

A verdict on the calibration error is withheld where most of the baseline's is what a calibrated
network would show on as many test samples.
"""

from ddiv.claim import Contrast, Correlation, Question
from ddiv.claim.declare import claim, each, each_layers, each_space, id_and_ood
from ddiv.claim.relations import Kind
from ddiv.evidence import FALLS, RISES
from ddiv.outcome import Score, Spectral, Vendi
from ddiv.study import Space, Study
from fixtures.arms import STRONG, called, decayed, dropped_out


@claim(
    "aug-ood",
    "Augmentation improves accuracy out of distribution (mean over the domains).",
    source="v1 3.4, table 2",
    needs=("augmentations",),
    headline=True,
    each={"augmentation": lambda study: study.moderate_augmentations},
)
def test_augmentation_raises_ood_accuracy(study: Study, augmentation: str) -> Question:
    return Contrast(Score("accuracy", "ood"), (study.augmentation(augmentation),), RISES)


@claim(
    "aug-ood",
    "Cutout, CutMix and mixup improve accuracy out of distribution too (mean over the domains).",
    source="ours, after v1 3.4",
    needs=("further_augmentations",),
    each={"augmentation": lambda study: study.further_augmentations},
)
def test_further_augmentation_raises_ood_accuracy(study: Study, augmentation: str) -> Question:
    return Contrast(Score("accuracy", "ood"), (study.augmentation(augmentation),), RISES)


@claim(
    "aug-ece",
    "Augmentation lowers the calibration error, in and out of distribution.",
    source="v1 3.4, table 2",
    needs=("augmentations",),
    headline=True,
    each={"augmentation": lambda study: study.augmentations},
)
@id_and_ood
def test_augmentation_lowers_calibration_error(
    study: Study, augmentation: str, where: str
) -> Question:
    return Contrast(Score("ece", where), (study.augmentation(augmentation),), FALLS)


@claim(
    "aug-ece",
    "Cutout, CutMix and mixup lower the calibration error too, in and out of distribution.",
    source="ours, after v1 3.4",
    needs=("further_augmentations",),
    each={"augmentation": lambda study: study.further_augmentations},
)
@id_and_ood
def test_further_augmentation_lowers_calibration_error(
    study: Study, augmentation: str, where: str
) -> Question:
    return Contrast(Score("ece", where), (study.augmentation(augmentation),), FALLS)


@claim(
    "aug-extreme-hurts",
    "The extreme augmentations auto-v2 and auto-v3 cost accuracy, in and out of distribution.",
    source="v1 3.4, table 2",
    needs=("extreme_augmentations",),
    each={"augmentation": lambda study: study.extreme_augmentations},
)
@id_and_ood
def test_extreme_augmentation_lowers_accuracy(
    study: Study, augmentation: str, where: str
) -> Question:
    return Contrast(Score("accuracy", where), (study.augmentation(augmentation),), FALLS)


@claim(
    "vendi-predicts",
    f"The Vendi Score of the training set correlates strongly and positively (above {STRONG:g} "
    "over the arms of table 2) with accuracy, in and out of distribution.",
    source="v1 3.4, figure 5",
    needs=("augmentations", "view_size"),
)
@id_and_ood
@each_space
@each(kind=("spearman", "pearson"), called="strong")
def test_diversity_predicts_accuracy(
    study: Study, called: str, kind: Kind, space: Space, where: str
) -> Question:
    return Correlation(Vendi(space), Score("accuracy", where), study.table_arms, STRONG, kind=kind)


@claim(
    "vendi-predicts",
    "The more diverse the training set by its Vendi Score, the higher the accuracy: over the arms "
    "of table 2 the correlation is positive.",
    source="v1 3.4, figure 5",
    needs=("augmentations", "view_size"),
)
@id_and_ood
@each_space
@called("positive")
def test_diversity_goes_with_accuracy(
    study: Study, called: str, space: Space, where: str
) -> Question:
    """Beside the strong one: where that is contradicted, this tells none from one of the other
    sign.
    """
    return Correlation(Vendi(space), Score("accuracy", where), study.table_arms, 0.0)


@claim(
    "aug-id-costs",
    "Each augmentation lowers accuracy in distribution.",
    source="v1 table 2: so it is of all ten",
    needs=("augmentations",),
    each={"augmentation": lambda study: study.augmentations},
)
def test_augmentation_lowers_id_accuracy(study: Study, augmentation: str) -> Question:
    return Contrast(Score("accuracy", "id"), (study.augmentation(augmentation),), FALLS)


@claim(
    "alpha-generalises",
    "Over arms, the smaller the power-law exponent the higher the accuracy: a heavier tail goes "
    "with better generalisation.",
    source="v1 2.1.3; v2, open question 1",
    needs=("augmentations", "dropout_rates"),
)
@each_layers
@id_and_ood
def test_a_smaller_exponent_goes_with_accuracy(study: Study, layers: str, where: str) -> Question:
    """It stands against `drop-alpha` and `aug-ood`, which together have the two rise."""
    arms = dict.fromkeys((*study.table_arms, *dropped_out(study), *decayed(study)))
    return Correlation(Spectral("alpha", layers), Score("accuracy", where), tuple(arms), 0.0, FALLS)
