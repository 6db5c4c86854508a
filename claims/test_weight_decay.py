"""Weight decay and the weight spectrum (v1 section 3.2, figure 3).

"Increasing weight decay leads to a drop of alpha significantly, and it decreases the matrix
entropy, which causes a more heavy-tailed ESD. Similar to dropout, weight decay reduces the size of
the weight matrix. Smaller weight decay values make the overall size of the weight matrix shrink
more effectively."
"""

from ddiv.claim import All, Contrast, Question, Trend
from ddiv.claim.declare import claim, each, each_layers
from ddiv.evidence import FALLS, RISES
from ddiv.outcome import Metric, Spectral
from ddiv.study import Study


@claim(
    "wd-alpha",
    "More weight decay, smaller power-law exponent: a heavier tail.",
    source="v1 3.2, figure 3",
    needs=("decays",),
    headline=True,
)
@each_layers
def test_decay_lowers_alpha(study: Study, layers: str) -> Question:
    return Trend(Spectral("alpha", layers), study.decay(), FALLS)


@claim(
    "wd-entropy",
    "More weight decay, smaller matrix entropy.",
    source="v1 3.2",
    needs=("decays",),
    headline=True,
)
@each_layers
def test_decay_lowers_entropy(study: Study, layers: str) -> Question:
    return Trend(Spectral("entropy_normalised", layers), study.decay(), FALLS)


@claim(
    "wd-frobenius",
    "Weight decay shrinks the weights: the Frobenius norm falls.",
    source="v1 3.2",
    needs=("decays",),
    headline=True,
)
@each_layers
def test_decay_lowers_frobenius_norm(study: Study, layers: str) -> Question:
    return Trend(Spectral("frobenius_norm", layers), study.decay(), FALLS)


@claim(
    "wd-spectral",
    "Weight decay diminishes the largest eigenvalue.",
    source="v1 3.2, summary",
    needs=("decays",),
)
@each_layers
def test_decay_lowers_spectral_norm(study: Study, layers: str) -> Question:
    return Trend(Spectral("spectral_norm", layers), study.decay(), FALLS)


@claim(
    "wd-small-shrinks-more",
    "Among weight decays above 0 the smaller ones shrink the weights more: the least lowers the "
    "Frobenius norm, and from there the norm rises with decay.",
    source="v1 3.2",
    needs=("decays",),
    on=lambda study: len(study.decays) > 1,
)
@each_layers
def test_smaller_decay_shrinks_more(study: Study, layers: str) -> Question:
    """Doses that do nothing shrink least of all, so a ladder that reaches down to them asks the
    claim a harder question.
    """
    norm, decays = Spectral("frobenius_norm", layers), study.decay()[1:]
    (_, least), *_ = decays
    return All((Trend(norm, decays, RISES), Contrast(norm, (least,), FALLS)))


@claim(
    "wd-nonrandom",
    'Weight decay enlarges the "nonrandom part" of the weights: more eigenvalues in the tail '
    "(num_pl_spikes), and a bulk that is small beside the largest one (MP soft rank).",
    source="v1 3.2, summary",
    needs=("decays",),
)
@each_layers
@each(metric=("num_pl_spikes", "mp_soft_rank"))
def test_decay_enlarges_the_nonrandom_part(study: Study, metric: Metric, layers: str) -> Question:
    direction = RISES if metric == "num_pl_spikes" else FALLS
    return Trend(Spectral(metric, layers), study.decay(), direction)
