"""Data augmentation and the weight spectrum (v1 section 3.3, figures 4 and 9 to 12).

"Diverse data can reduce the Frobenius norm and increase the matrix entropy, thus shrinking the size
of weight matrix in the same fashion of dropout and weight decay. Moreover, its change magnitude is
comparable with that of dropout. ... Overall, more resembling behaviors of shape metrics have been
seen in the pair of data diversity and dropout than in the pair of data diversity and weight decay.
... However, diverse data sometimes has opposite effects on shape metrics as compared with those of
weight decay." Its summary adds that they are "limiting the maximum influence of any single weight
correlation direction and making the weight matrix less complex", which table 1 says of a larger
alpha. Figure 9: "More metrics from both scale and shape sides to compare dropout with data
augmentations. These plots strengthen our conclusion". Figure 10, averaged over the vision encoder's
layers: "Even though the way they shape the distribution of eigenvalues is similar, diverse data
changes of scale side to a larger value than dropout."

v1 adds noise "with a ratio of 0.1, 0.3, and 0.5". noise10, noise30 and noise50 have these numbers
as deviations on the range of a pixel; the published code multiplies them by .1, so its noise is ten
times weaker.
"""

import pytest

from ddiv.claim import (
    Agreement,
    Alike,
    AsFar,
    Contrast,
    Correlation,
    Further,
    Question,
    Resemblance,
    SomewhereOpposed,
    Trend,
)
from ddiv.claim.declare import claim, each, each_layers, each_space
from ddiv.evidence import FALLS, RISES
from ddiv.outcome import Metric, Spectral, Vendi
from ddiv.study import Space, Study
from ddiv.treatment import BASELINE
from fixtures.arms import SCALE, SCALE_AND_SHAPE, SHAPE, augmented, called, decayed, dropped_out

# The two shape metrics that have claims of their own.
MAIN_SHAPE: tuple[Metric, ...] = ("alpha", "entropy_normalised")
# What diversity does, by metric, where it is a dose.
DOSE = pytest.mark.parametrize(
    "metric, direction",
    [
        ("frobenius_norm", FALLS),
        ("spectral_norm", FALLS),
        ("entropy_normalised", RISES),
        ("alpha", RISES),
    ],
    ids=["frobenius", "spectral", "entropy", "alpha"],
)
NOISES = ("noise10", "noise30", "noise50")
# Figures 9, 11 and 12 add these to the metrics that have claims of their own. Of the norms only the
# logarithms are asked about: in one layer they move as the norms do.
PANEL = ("stable_rank", "mp_soft_rank", "num_pl_spikes", "log_norm", "log_spectral_norm")


@claim(
    "aug-frobenius",
    "Augmentation lowers the Frobenius norm of the classification layer.",
    source="v1 3.3, figure 4",
    needs=("augmentations",),
    headline=True,
    each={"augmentation": lambda study: study.augmentations},
)
def test_augmentation_lowers_frobenius_norm(study: Study, augmentation: str) -> Question:
    return Contrast(
        Spectral("frobenius_norm", "classifier"), (study.augmentation(augmentation),), FALLS
    )


@claim(
    "aug-frobenius",
    "Augmentation lowers the Frobenius norm (mean over the augmentations).",
    source="v1 3.3, figures 4 and 10",
    needs=("augmentations",),
    headline=True,
)
@each_layers
@called("mean")
def test_augmentations_on_average_lower_frobenius_norm(
    study: Study, called: str, layers: str
) -> Question:
    return Contrast(Spectral("frobenius_norm", layers), augmented(study), FALLS)


@claim(
    "aug-frobenius",
    "Cutout, CutMix and mixup lower the Frobenius norm of the classification layer too.",
    source="ours, after v1 3.3",
    needs=("further_augmentations",),
    each={"augmentation": lambda study: study.further_augmentations},
)
def test_further_augmentation_lowers_frobenius_norm(study: Study, augmentation: str) -> Question:
    return Contrast(
        Spectral("frobenius_norm", "classifier"), (study.augmentation(augmentation),), FALLS
    )


@claim(
    "aug-entropy",
    "Augmentation raises the matrix entropy of the classification layer.",
    source="v1 3.3",
    needs=("augmentations",),
    each={"augmentation": lambda study: study.augmentations},
    headline=True,
)
def test_augmentation_raises_entropy(study: Study, augmentation: str) -> Question:
    return Contrast(
        Spectral("entropy_normalised", "classifier"), (study.augmentation(augmentation),), RISES
    )


@claim(
    "aug-entropy",
    "Augmentation raises the matrix entropy (mean over the augmentations).",
    source="v1 3.3, figures 4 and 10",
    needs=("augmentations",),
    headline=True,
)
@each_layers
@called("mean")
def test_augmentations_on_average_raise_entropy(study: Study, called: str, layers: str) -> Question:
    return Contrast(Spectral("entropy_normalised", layers), augmented(study), RISES)


@claim(
    "aug-alpha",
    "Augmentation raises the power-law exponent, as dropout does (mean over the augmentations): it "
    'makes the weight matrix "less complex", which is a larger exponent in table 1.',
    source="v1 3.3, summary, figures 4 and 10",
    needs=("augmentations",),
    headline=True,
)
@each_layers
@called("mean")
def test_augmentations_on_average_raise_alpha(study: Study, called: str, layers: str) -> Question:
    return Contrast(Spectral("alpha", layers), augmented(study), RISES)


@claim(
    "aug-like-dropout",
    "Augmentation moves the spectrum more like dropout than like weight decay: in shape, as the "
    "paper has seen, and, asked apart, in scale.",
    source="v1 3.3; v2",
    needs=("augmentations", "dropout_rates", "decays"),
    headline=True,
)
@each_layers
@each(of=("shape", "scale"))
def test_augmentation_resembles_dropout(study: Study, of: str, layers: str) -> Question:
    """Apart, since in one vector the one would hide the other. All three shrink the weights, says
    the paper, so scale may tell nothing.
    """
    return Resemblance(
        SHAPE if of == "shape" else SCALE,
        layers,
        group=augmented(study),
        like=dropped_out(study),
        unlike=decayed(study),
    )


@claim(
    "aug-like-dropout",
    "Augmentation and dropout move each metric of the classification layer the same way.",
    source="v1 3.3, figures 3 and 4",
    needs=("augmentations", "dropout_rates"),
    headline=True,
)
@pytest.mark.parametrize("metric", ["alpha", "entropy_normalised", "frobenius_norm"])
@called("agree")
def test_augmentation_and_dropout_agree_on_each_metric(
    study: Study, called: str, metric: Metric
) -> Question:
    """Both in one quadrant of the figures, whose axes are a metric of shape and the norm."""
    return Alike(Spectral(metric, "classifier"), augmented(study), dropped_out(study))


@claim(
    "aug-magnitude",
    "The size of augmentation's effect on the spectrum is comparable with that of dropout: "
    "augmentations on average move it further than the least of the dropout arms, and less far "
    "than the one that moves it furthest.",
    source="v1 3.3",
    needs=("augmentations", "dropout_rates"),
)
@each_layers
def test_augmentation_moves_as_far_as_dropout(study: Study, layers: str) -> Question:
    return AsFar(SCALE_AND_SHAPE, layers, group=augmented(study), family=dropped_out(study))


@claim(
    "aug-opposes-decay",
    "Augmentation and weight decay have opposite effects on a shape metric somewhere: alpha or "
    "entropy, of the classification layer or over the encoder.",
    source="v1 3.3, summary",
    needs=("augmentations", "decays"),
    somewhere=True,
)
def test_augmentation_sometimes_opposes_decay(study: Study) -> Question:
    shape = tuple(
        Spectral(metric, layers) for metric in MAIN_SHAPE for layers in ("classifier", "encoder")
    )
    return SomewhereOpposed(shape, augmented(study), decayed(study))


@claim(
    "enc-average",
    "Averaged over the encoder's layers, augmentation and dropout move the spectrum the same way: "
    "the cosine of their effects is positive.",
    source="v1 appendix, figure 10",
    needs=("augmentations", "dropout_rates"),
)
@called("cosine")
def test_augmentation_and_dropout_agree_over_the_encoder(study: Study, called: str) -> Question:
    return Agreement(
        SCALE_AND_SHAPE,
        "encoder",
        group=augmented(study),
        like=dropped_out(study),
        replicate=study.no_op,
    )


@claim(
    "enc-average",
    "Averaged over the encoder's layers, augmentation and dropout move each metric the same way.",
    source="v1 appendix, figure 10",
    needs=("augmentations", "dropout_rates"),
)
@pytest.mark.parametrize(
    "metric", ["alpha", "entropy_normalised", "frobenius_norm", "spectral_norm"]
)
@called("agree")
def test_augmentation_and_dropout_agree_on_each_metric_over_the_encoder(
    study: Study, called: str, metric: Metric
) -> Question:
    return Alike(Spectral(metric, "encoder"), augmented(study), dropped_out(study))


@claim(
    "enc-average",
    "Averaged over the encoder's layers, augmentation moves its scale further than dropout does.",
    source="v1 appendix, figure 10",
    needs=("augmentations", "dropout_rates"),
)
@pytest.mark.parametrize("metric", ["frobenius_norm", "spectral_norm"])
@called("further")
def test_augmentation_moves_scale_further_over_the_encoder(
    study: Study, called: str, metric: Metric
) -> Question:
    return Further(
        Spectral(metric, "encoder"), augmented(study), dropped_out(study), against="mean"
    )


@claim(
    "metric-panel",
    "Augmentation and dropout move the further scale and shape metrics of the classification layer "
    "the same way.",
    source="v1 appendix, figures 9, 11 and 12",
    needs=("augmentations", "dropout_rates"),
)
@pytest.mark.parametrize("metric", PANEL)
def test_augmentation_and_dropout_agree_on_further_metrics(
    study: Study, metric: Metric
) -> Question:
    return Alike(Spectral(metric, "classifier"), augmented(study), dropped_out(study))


@claim(
    "aug-spectral",
    "Augmentation lowers the spectral norm (mean over the augmentations): it limits the largest "
    "influence of any single direction.",
    source="v1 3.3, summary",
    needs=("augmentations",),
)
@each_layers
@called("mean")
def test_augmentations_on_average_lower_spectral_norm(
    study: Study, called: str, layers: str
) -> Question:
    return Contrast(Spectral("spectral_norm", layers), augmented(study), FALLS)


@claim(
    "aug-dose",
    "Diversity is a dose: the more noise is added to images (a tenth, three tenths, a half), the "
    "further the classification layer's spectrum moves as augmentation moves it.",
    source="v1, title, figures 4, 9 and 12 (their colours)",
    on=lambda study: study.trains and {*NOISES} <= {*study.augmentations},
)
@called("noise")
@DOSE
def test_more_noise_moves_the_spectrum_further(
    study: Study, called: str, metric: Metric, direction: int
) -> Question:
    ladder = tuple((int(name[5:]) / 100, study.augmentation(name)) for name in NOISES)
    return Trend(Spectral(metric, "classifier"), ((0.0, BASELINE), *ladder), direction)


@claim(
    "aug-dose",
    "Diversity is a dose: over the augmentations, the more diverse the training set by its Vendi "
    "Score, the further the classification layer's spectrum moves as augmentation moves it.",
    source="v1, title, figures 4, 9 and 12 (their colours)",
    needs=("augmentations", "view_size"),
)
@each_space
@called("Vendi Score")
@DOSE
def test_more_diversity_moves_the_spectrum_further(
    study: Study, called: str, space: Space, metric: Metric, direction: int
) -> Question:
    """Over the baseline and all augmentations; that some of them move it at all is not asked."""
    arms = (BASELINE, *augmented(study))
    return Correlation(Vendi(space), Spectral(metric, "classifier"), arms, 0.0, direction)


@claim(
    "aug-exceeds-noise",
    "Augmentation moves the spectrum further than a repeat of the baseline does (mean over the "
    "augmentations): its change exceeds the noise floor.",
    source="v2, failure signatures",
    needs=("augmentations", "dropout_rates"),
)
@each_layers
@each(metric=SCALE + MAIN_SHAPE)
def test_augmentation_moves_beyond_noise(study: Study, metric: Metric, layers: str) -> Question:
    return Further(Spectral(metric, layers), augmented(study), (study.no_op,))
