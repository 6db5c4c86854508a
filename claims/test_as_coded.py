"""What the paper's published code does where it differs from the text, and what comes of it (ours).

By its tables the ten augmentations of the code lie on top of each other, in the order of its list,
drawn once; their noise is a tenth as strong as the text has it; what is trained on them is
normalised otherwise than the tests; in one study they were made and not used. All arms of a study
are compared with one run of the baseline. v2's alignment puts row i beside row i. Each departure
has arms of its own here, in studies that have the others as well, so that what follows from one can
be told from what follows from another. The claims of the paper itself are asked of these studies
too.
"""

from ddiv.claim import (
    Agreement,
    All,
    Contrast,
    Correlation,
    Largest,
    MoreCorrelated,
    Question,
    Separated,
)
from ddiv.claim.declare import Each, claim, each, each_layers, each_space, id_and_ood
from ddiv.evidence import FALLS, RISES
from ddiv.outcome import Rho, Score, Spectral, Vendi
from ddiv.study import Space, Study
from ddiv.study.study import Alone
from ddiv.treatment import BASELINE, Treatment
from ddiv.treatment.names import CODED
from ddiv.trial.facts import ROW_ORDERS, RowOrder
from fixtures.arms import EACH_SETTING, SCALE_AND_SHAPE, STRONG, augmented, called, dropped_out

# As in wvendi-separates.
APART = 0.9

EXTREME: Each = {"augmentation": lambda study: study.extreme_augmentations}
# Those that code and text have in different strengths.
WEAKER: Each = {
    "augmentation": lambda study: [name for name in study.augmentations if name in CODED]
}
NOISE: Each = {"augmentation": lambda study: [n for n in study.augmentations if n in CODED[:3]]}
# Two that are drawn of policies and have the same strength in code and text.
AUTOMATIC: Each = {"augmentation": lambda study: study.augmentations[:4:3]}


def by_themselves(study: Study, how: Alone) -> tuple[Treatment, ...]:
    """The baseline and each of the study's augmentations, not piled."""
    return (BASELINE, *(study.alone(name, how) for name in study.augmentations))


# --- augmentations piled up, drawn once, weaker, normalised otherwise -----------------------------


@claim(
    "coded-pile-hurts",
    "Nine and ten augmentations on top of each other, the last of them auto-v2 and auto-v3, cost "
    "accuracy, and more than auto-v2 and auto-v3 as described cost by themselves.",
    source="ours, of v1's published code; v1 3.4, table 2",
    needs=("piled", "extreme_augmentations"),
    each=EXTREME,
)
@id_and_ood
def test_the_pile_costs_accuracy(study: Study, augmentation: str, where: str) -> Question:
    accuracy, pile = Score("accuracy", where), (study.augmentation(augmentation),)
    alone = study.alone(augmentation, "described")
    return All((Contrast(accuracy, pile, FALLS), Contrast(accuracy, pile, FALLS, base=alone)))


@claim(
    "coded-pile-hurts",
    "The pile costs accuracy beside its last augmentation by itself, drawn once as the pile is.",
    source="ours, of v1's published code",
    needs=("piled", "extreme_augmentations"),
    each=EXTREME,
)
@id_and_ood
@called("beside one")
def test_the_pile_costs_more_than_its_last(
    study: Study, called: str, augmentation: str, where: str
) -> Question:
    once = study.alone(augmentation, "once")
    return Contrast(Score("accuracy", where), (study.augmentation(augmentation),), FALLS, base=once)


@claim(
    "coded-alone-hurts",
    "auto-v2 and auto-v3 in the code's strength, by themselves and drawn anew, cost accuracy.",
    source="ours, of v1's published code; v1 3.4, table 2",
    needs=("piled", "extreme_augmentations"),
    each=EXTREME,
)
@id_and_ood
def test_the_coded_augmentation_costs_accuracy(
    study: Study, augmentation: str, where: str
) -> Question:
    return Contrast(Score("accuracy", where), (study.alone(augmentation, "anew"),), FALLS)


@claim(
    "coded-frozen-hurts",
    "An augmentation that is drawn once costs accuracy beside the same drawn anew in each epoch.",
    source="ours, of v1's published code",
    needs=("piled", "extreme_augmentations"),
    each=EXTREME,
)
@id_and_ood
def test_drawing_once_costs_accuracy(study: Study, augmentation: str, where: str) -> Question:
    once, anew = study.alone(augmentation, "once"), study.alone(augmentation, "anew")
    return Contrast(Score("accuracy", where), (once,), FALLS, base=anew)


@claim(
    "coded-weaker",
    "Augmentations with noise as coded, a tenth of the strength of the text, leave more accuracy "
    "than those of the text.",
    source="ours, of v1's published code",
    needs=("piled", "augmentations"),
    each=WEAKER,
)
@id_and_ood
def test_weaker_noise_leaves_accuracy(study: Study, augmentation: str, where: str) -> Question:
    coded, described = study.alone(augmentation, "anew"), study.alone(augmentation, "described")
    return Contrast(Score("accuracy", where), (coded,), RISES, base=described)


@claim(
    "coded-noise-diversity",
    "Noise of a tenth of the strength of the text still raises the pixel Vendi Score.",
    source="ours, of v1's published code; v1 2.1.2, figure 1",
    needs=("piled", "view_size"),
    each=NOISE,
)
def test_weak_noise_raises_pixel_diversity(study: Study, augmentation: str) -> Question:
    return Contrast(Vendi("pixel"), (study.alone(augmentation, "anew"),), RISES)


@claim(
    "coded-normalisation",
    "Training images that are normalised otherwise than those of the tests cost accuracy.",
    source="ours, of v1's published code",
    needs=("piled", "augmentations"),
    each=AUTOMATIC,
)
@id_and_ood
def test_another_normalisation_costs_accuracy(
    study: Study, augmentation: str, where: str
) -> Question:
    other, same = study.alone(augmentation, "normalised"), study.alone(augmentation, "anew")
    return Contrast(Score("accuracy", where), (other,), FALLS, base=same)


@claim(
    "coded-layers",
    "Augmentation lowers the logarithm of the squared Frobenius norm over the layers that the "
    "published tables average: without q, k and v, with or without the classification layer.",
    source="ours, of v1's published code; v1 figure 10",
    needs=("piled", "augmentations"),
)
@each(layers=("all-without-qkv", "encoder-without-qkv"))
def test_augmentation_lowers_the_norm_over_layers_as_coded(study: Study, layers: str) -> Question:
    return Contrast(Spectral("log_norm", layers), augmented(study), FALLS)


# --- diversity and accuracy -----------------------------------------------------------------------


@claim(
    "coded-vendi-pile",
    "The correlation of the Vendi Score with accuracy comes from the pile: over piles it is more "
    "positive, by pixels more negative, than over the same augmentations by themselves.",
    source="ours, of v1's published code; v1 3.4, figure 5",
    needs=("piled", "view_size"),
)
@id_and_ood
@each_space
def test_the_pile_makes_the_correlation(study: Study, space: Space, where: str) -> Question:
    return MoreCorrelated(
        Vendi(space),
        Score("accuracy", where),
        (BASELINE, *augmented(study)),
        by_themselves(study, "once"),
        RISES if space == "embedding" else FALLS,
    )


@claim(
    "coded-vendi-alone",
    f"The Vendi Score correlates strongly and positively (above {STRONG:g}) with accuracy over "
    "augmentations that are not piled: drawn once, anew, or anew and in the text's strength.",
    source="ours, of v1's published code; v1 3.4, figure 5",
    needs=("piled", "view_size"),
)
@id_and_ood
@each_space
@each(how=("once", "anew", "described"))
def test_diversity_predicts_accuracy_without_the_pile(
    study: Study, how: Alone, space: Space, where: str
) -> Question:
    arms = by_themselves(study, how)
    return Correlation(Vendi(space), Score("accuracy", where), arms, STRONG)


# --- rho by rows ----------------------------------------------------------------------------------


@claim(
    "coded-rho-separates",
    "rho by rows tells training sets with synthetic data from those with traditional augmentation: "
    f"more than {APART:.0%} of pairs of the two lie in one order. As coded, where synthetic sets "
    "have an order of their own; with all rows shuffled; with each row beside the real one in "
    "whose place it stands.",
    source="ours, of v2's published code; v2, mechanism 3",
    needs=("piled", "settings", "view_size"),
    each=EACH_SETTING,
)
@each(order=ROW_ORDERS)
def test_rho_by_rows_tells_synthetic_from_augmented(
    study: Study, setting: str, order: RowOrder
) -> Question:
    mixed = tuple(arm for _, arm in study.mixing(setting)[1:])
    return Separated(Rho(order), mixed, by_themselves(study, "once")[1:], APART)


@claim(
    "coded-rho-order",
    "A set that is real for the most part, with the smallest synthetic share, has a lower rho by "
    "rows than every augmented set: as coded, where its rows come in another order, and with each "
    "row beside the real one in whose place it stands.",
    source="ours, of v2's published code",
    needs=("piled", "settings", "view_size"),
    each=EACH_SETTING,
)
@each(order=("paired", "paired-matched"))
def test_the_order_of_rows_alone_lowers_rho(
    study: Study, setting: str, order: RowOrder
) -> Question:
    _, least = study.mixing(setting)[1]
    return Largest(Rho(order), least, by_themselves(study, "once")[1:], FALLS)


# --- one baseline for all arms --------------------------------------------------------------------


@claim(
    "coded-shared-baseline",
    "Arms that repeat the baseline agree with dropout in direction (the cosine of their effects is "
    "positive) where all are compared with one run of the baseline.",
    source="ours, of v1's published code; v1 3.3, figure 10",
    needs=("piled", "dropout_rates"),
)
@each_layers
def test_a_shared_baseline_makes_repeats_agree_with_dropout(study: Study, layers: str) -> Question:
    return Agreement(
        SCALE_AND_SHAPE, layers, group=study.unused, like=dropped_out(study), replicate=BASELINE
    )


@claim(
    "control-as-coded",
    "Arms that repeat the baseline agree with dropout in direction where each is compared with a "
    "run of the baseline of its own.",
    source="ours: a negative control",
    guards="as coded",
    needs=("piled", "dropout_rates"),
)
@each_layers
@called("agree")
def test_repeats_do_not_agree_with_dropout(study: Study, called: str, layers: str) -> Question:
    return Agreement(
        SCALE_AND_SHAPE, layers, group=study.unused, like=dropped_out(study), replicate=study.no_op
    )


@claim(
    "control-as-coded",
    "An augmented set that is made and not used costs accuracy.",
    source="ours: a negative control",
    guards="as coded",
    needs=("piled", "augmentations"),
)
@id_and_ood
@called("accuracy")
def test_what_is_not_used_costs_nothing(study: Study, called: str, where: str) -> Question:
    return Contrast(Score("accuracy", where), study.unused, FALLS)
