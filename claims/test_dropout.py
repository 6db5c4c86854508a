"""Dropout and the weight spectrum (v1 section 3.2, figures 3 and 8).

"Compared with the baseline, on multiple test datasets, dropout tends to increase the value of
alpha, reduce the Frobenius Norm, and increase the matrix entropy with an increasing dropout rate."
The summary adds that dropout and weight decay "diminish the largest eigenvalue". Figure 8:
"combinations with dropout and weight decay, as well as the very large dropout can make more intense
changes in both scale and shape side": that they can somewhere, not that they do everywhere.

"Matrix entropy" is WeightWatcher's here and in all claims, as v1's numbers are: that of the
eigenvalues' shares of their sum, divided by the logarithm of the rank. The formula that v1 prints,
-sum(lambda log lambda), has the scale of the weights in it; its verdict stands beside, as a further
definition.
"""

import pytest

from ddiv.claim import Further, Opposite, Question, Trend
from ddiv.claim.declare import claim, each, each_layers
from ddiv.evidence import FALLS, RISES
from ddiv.outcome import Metric, Spectral
from ddiv.study import Study
from ddiv.treatment import Dropout, Placement, Treatment, WeightDecay

PLACES: dict[str, Placement] = {"head-only": "head", "encoder-only": "encoder"}
one_place = pytest.mark.parametrize("where", [*PLACES])
# Shape and scale.
each_metric = pytest.mark.parametrize(
    "metric", ["alpha", "entropy_normalised", "frobenius_norm", "spectral_norm"]
)


def combinations(study: Study) -> dict[str, tuple[float, float]]:
    """Rates of dropout and decays of the combined arms, by the arms' names."""
    return {
        study.combination(rate, decay).label: (rate, decay) for rate, decay in study.combinations
    }


@claim(
    "drop-alpha",
    "More dropout, larger power-law exponent: a less heavy-tailed spectrum.",
    source="v1 3.2, figure 3",
    needs=("dropout_rates",),
    headline=True,
)
@each_layers
def test_dropout_raises_alpha(study: Study, layers: str) -> Question:
    return Trend(Spectral("alpha", layers), study.dropout(), RISES)


@claim(
    "drop-entropy",
    "More dropout, larger matrix entropy.",
    source="v1 3.2",
    needs=("dropout_rates",),
    headline=True,
)
@each_layers
def test_dropout_raises_entropy(study: Study, layers: str) -> Question:
    return Trend(Spectral("entropy_normalised", layers), study.dropout(), RISES)


@claim(
    "drop-entropy",
    "More dropout, larger matrix entropy.",
    source="v1 3.2",
    needs=("single_placement_rates",),
)
@one_place
def test_dropout_in_one_place_raises_entropy(study: Study, where: str) -> Question:
    return Trend(Spectral("entropy_normalised", "classifier"), study.dropout(PLACES[where]), RISES)


@claim(
    "drop-frobenius",
    "More dropout, smaller weights: the Frobenius norm falls.",
    source="v1 3.2",
    needs=("dropout_rates",),
    headline=True,
)
@each_layers
def test_dropout_lowers_frobenius_norm(study: Study, layers: str) -> Question:
    return Trend(Spectral("frobenius_norm", layers), study.dropout(), FALLS)


@claim(
    "drop-frobenius",
    "More dropout, smaller weights: the Frobenius norm falls.",
    source="v1 3.2",
    needs=("single_placement_rates",),
)
@one_place
def test_dropout_in_one_place_lowers_frobenius_norm(study: Study, where: str) -> Question:
    return Trend(Spectral("frobenius_norm", "classifier"), study.dropout(PLACES[where]), FALLS)


@claim(
    "drop-spectral",
    "Dropout diminishes the largest eigenvalue.",
    source="v1 3.2, summary",
    needs=("dropout_rates",),
)
@each_layers
def test_dropout_lowers_spectral_norm(study: Study, layers: str) -> Question:
    return Trend(Spectral("spectral_norm", layers), study.dropout(), FALLS)


@claim(
    "shape-diverges",
    "Dropout and weight decay move the shape metrics opposite ways.",
    source="v1 3.2, summary",
    needs=("dropout_rates", "decays"),
)
@each_layers
@each(metric=("alpha", "entropy_normalised"))
def test_dropout_and_decay_oppose_in_shape(study: Study, metric: Metric, layers: str) -> Question:
    return Opposite(Spectral(metric, layers), study.dropout(), study.decay())


@claim(
    "drop-very-large",
    "Very large dropout before the classification layer moves its scale and shape further than "
    "the largest ordinary rate there.",
    source="v1 appendix, figure 8",
    needs=("very_large_dropout", "single_placement_rates"),
    somewhere=True,
)
@each_metric
@pytest.mark.parametrize("arm", ["very large"])
def test_very_large_dropout_goes_further(study: Study, arm: str, metric: Metric) -> Question:
    _, largest = max(study.dropout("head"), key=lambda rung: rung[0])
    return Further(Spectral(metric, "classifier"), (study.very_large,), (largest,))


@claim(
    "drop-very-large",
    "Dropout and weight decay together move the classification layer's scale and shape further "
    "than either alone.",
    source="v1 appendix, figure 8",
    needs=("combinations",),
    somewhere=True,
    each={"arm": combinations},
)
@each_metric
def test_combinations_go_further_than_their_parts(
    study: Study, arm: str, metric: Metric
) -> Question:
    rate, decay = combinations(study)[arm]
    return Further(
        Spectral(metric, "classifier"),
        (study.combination(rate, decay),),
        (Treatment.of(Dropout(rate)), Treatment.of(WeightDecay(decay))),
    )
