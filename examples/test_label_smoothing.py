"""Label smoothing and the spectrum of the classification layer.

Szegedy et al. (2016, arXiv 1512.00567): with hard labels the logit of the right class
is driven ever further above the others, and smoothed labels prevent it. Müller, Kornblith and
Hinton (2019, arXiv 1906.02629): smoothing draws examples of a class into a tight cluster, as far
from the templates of all other classes, and it calibrates. That this shows in the weights of the
layer is our reading of the two.
"""

from elsewhere import LabelSmoothing, ladder, unevenness

from ddiv.claim import Contrast, Trend, claim, each
from ddiv.evidence import FALLS
from ddiv.outcome import Score, Spectral
from ddiv.treatment import Treatment

SMOOTHED = ladder(LabelSmoothing, 0.1, 0.3)


@claim(
    "smooth-norm",
    "More label smoothing, smaller weights of the classification layer, which spread the logits.",
    source="ours, after Szegedy et al. 2016",
)
@each(metric=("frobenius_norm", "spectral_norm"))
def test_label_smoothing_shrinks_the_classifier(study, metric):
    return Trend(Spectral(metric, "classifier"), SMOOTHED, FALLS)


@claim(
    "smooth-even",
    "More label smoothing, more equal eigenvalues of the classification layer, as of templates "
    "that are equally far from each other.",
    source="ours, after Müller et al. 2019",
)
def test_label_smoothing_evens_the_classifier(study):
    return Trend(unevenness("classifier"), SMOOTHED, FALLS)


@claim("smooth-ece", "Label smoothing lowers the calibration error.", source="Müller et al. 2019")
def test_label_smoothing_calibrates(study):
    return Contrast(Score("ece", "id"), (Treatment.of(LabelSmoothing(0.1)),), FALLS)


@claim(
    "control-smooth",
    "A treatment that does nothing shrinks the weights of the classification layer.",
    source="ours: a negative control",
    guards="label smoothing",
)
def test_no_op_does_not_look_like_label_smoothing(study):
    return Contrast(Spectral("frobenius_norm", "classifier"), (study.no_op,), FALLS)
