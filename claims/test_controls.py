"""Controls (ours): claims that must not come out supported, and the effect of the optimiser alone.

A small trial run showed that stopping the baseline early, or training it at a lower learning rate,
moves the classification layer's spectrum as the paper says that augmentation and dropout do,
because all of them slow down fitting. So each study has optimisation controls, every claim about
trained networks has a specific verdict beside the one as claimed, and this file asks about a slower
optimiser itself. Members of the optimiser's family that are held out of its curves are the controls
of the specific verdict.
"""

import pytest

from ddiv.claim import Contrast, Question
from ddiv.claim.declare import claim, each_space
from ddiv.evidence import FALLS, RISES
from ddiv.outcome import Metric, Outcome, Score, Spectral, Vendi
from ddiv.study import Space, Study
from ddiv.treatment import Length, OtherSeed, Rate, ShuffledLabels, Treatment
from fixtures.arms import HEADLINES, SLOWER, treated

NAMES = [name for name, *_ in HEADLINES]

# Held out of the family that makes the curves, and near the baseline.
BETWEEN = {member.label: member for member in (Treatment.of(Rate(0.7)), Treatment.of(Length(0.85)))}
_CONTROLLED = ("alpha", "entropy", "frobenius", "accuracy ood", "ece ood")
CONTROLLED = [row for row in HEADLINES if row[0] in _CONTROLLED]


@claim(
    "control-dropout",
    "Dropout at evaluation only changes the trained spectrum as dropout does.",
    source="ours: a negative control",
    guards="dropout",
    needs=("dropout_rates",),
)
@pytest.mark.parametrize(
    "metric, direction",
    [
        ("alpha", RISES),
        ("entropy_normalised", RISES),
        ("frobenius_norm", FALLS),
        ("spectral_norm", FALLS),
    ],
    ids=["alpha", "entropy", "frobenius", "spectral"],
)
def test_dropout_that_training_never_sees(study: Study, metric: Metric, direction: int) -> Question:
    return Contrast(Spectral(metric, "classifier"), (study.evaluation_dropout,), direction)


@claim(
    "control-decay",
    "The baseline from another seed differs from the baseline as weight decay makes it differ.",
    source="ours: a negative control",
    guards="weight decay",
    needs=("decays", "dropout_rates"),
)
@pytest.mark.parametrize(
    "metric", ["alpha", "entropy_normalised", "frobenius_norm", "spectral_norm"]
)
def test_replicates_in_broken_pairs(study: Study, metric: Metric) -> Question:
    return Contrast(Spectral(metric, "classifier"), (study.other_seed,), FALLS)


@claim(
    "control-no-op",
    "A treatment that does nothing lowers the Frobenius norm, raises entropy and accuracy and "
    "lowers the calibration error.",
    source="ours: a negative control",
    guards="augmentation",
    needs=("augmentations",),
)
@pytest.mark.parametrize(
    "name, outcome, direction",
    [
        ("frobenius", Spectral("frobenius_norm", "classifier"), FALLS),
        ("entropy", Spectral("entropy_normalised", "classifier"), RISES),
        ("accuracy", Score("accuracy", "id"), RISES),
        ("ece", Score("ece", "id"), FALLS),
    ],
    ids=["frobenius", "entropy", "accuracy", "ece"],
)
def test_no_op_does_not_look_like_a_treatment(
    study: Study, name: str, outcome: Outcome, direction: int
) -> Question:
    return Contrast(outcome, (study.no_op,), direction)


@claim(
    "control-diversity",
    "One draw of an augmentation is more diverse than another draw of the same.",
    source="ours: a negative control",
    guards="data diversity",
    needs=("augmentations", "class_counts"),
)
@each_space
def test_two_draws_of_one_augmentation(study: Study, space: Space) -> Question:
    drawn = study.augmentation(study.augmentations[0])
    return Contrast(Vendi(space), (drawn + OtherSeed(),), RISES, base=drawn)


@claim(
    "control-shuffled-labels",
    "Augmentation improves accuracy where the training labels are random.",
    source="ours: a negative control",
    guards="generalisation",
    needs=("augmentations",),
    on=lambda study: len(study.augmentations) > 1,
)
@pytest.mark.parametrize("where", ["id", "ood"])
def test_nothing_generalises_from_random_labels(study: Study, where: str) -> Question:
    augmented = study.augmentation(study.augmentations[1]) + ShuffledLabels()
    return Contrast(Score("accuracy", where), (augmented,), RISES, base=study.shuffled_labels)


@claim(
    "q-fit-or-regularisation",
    "A slower optimiser alone (learning rate x 0.6) moves the classification layer's spectrum, "
    "accuracy and calibration as augmentation and dropout are said to.",
    source="ours",
    on=treated,
)
@pytest.mark.parametrize("name, outcome, direction", HEADLINES, ids=NAMES)
def test_a_slower_optimiser_looks_like_regularisation(
    study: Study, name: str, outcome: Outcome, direction: int
) -> Question:
    """As claimed it may well be so; specific never, though the family has no such member."""
    return Contrast(outcome, (SLOWER,), direction)


@claim(
    "control-optimisation",
    "Beyond what slower and shorter training do, a slightly slower or shorter one moves the "
    "classification layer's spectrum, accuracy and calibration as regularisation is said to.",
    source="ours: a negative control of the specific verdict",
    guards="specific",
    on=treated,
    judged_by="specific",
)
@pytest.mark.parametrize("member", BETWEEN)
@pytest.mark.parametrize("name, outcome, direction", CONTROLLED, ids=[row[0] for row in CONTROLLED])
def test_an_optimiser_is_nothing_beyond_optimisers(
    study: Study, name: str, outcome: Outcome, direction: int, member: str
) -> Question:
    return Contrast(outcome, (BETWEEN[member],), direction)
