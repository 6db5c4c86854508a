"""Dropout and the weight spectrum (v1 section 3.2, figure 3).

"Compared with the baseline, on multiple test datasets, dropout tends to increase the value of alpha, reduce
the Frobenius Norm, and increase the matrix entropy with an increasing dropout rate." The summary adds that
dropout and weight decay "diminish the largest eigenvalue".
"""

import pytest

from ddiv.claim import Opposite, Trend
from ddiv.evidence import FALLS, RISES
from ddiv.outcome import Spectral
from ddiv.testing import claim

layers = pytest.mark.parametrize("layers", ["classifier", "encoder"])
one_place = pytest.mark.parametrize("where", ["head-only", "encoder-only"])


@claim("drop-alpha", "More dropout, larger power-law exponent: a less heavy-tailed spectrum.",
       source="v1 3.2, figure 3")
@layers
def test_dropout_raises_alpha(study, layers):
    return Trend(Spectral("alpha", layers), study.dropout(), RISES)


@claim("drop-entropy", "More dropout, larger matrix entropy.", source="v1 3.2")
@layers
def test_dropout_raises_entropy(study, layers):
    return Trend(Spectral("entropy_raw", layers), study.dropout(), RISES)


@claim("drop-entropy", "More dropout, larger matrix entropy.", source="v1 3.2")
@one_place
def test_dropout_in_one_place_raises_entropy(study, where):
    return Trend(Spectral("entropy_raw", "classifier"), study.dropout(where.removesuffix("-only")), RISES)


@claim("drop-frobenius", "More dropout, smaller weights: the Frobenius norm falls.", source="v1 3.2")
@layers
def test_dropout_lowers_frobenius_norm(study, layers):
    return Trend(Spectral("frobenius_norm", layers), study.dropout(), FALLS)


@claim("drop-frobenius", "More dropout, smaller weights: the Frobenius norm falls.", source="v1 3.2")
@one_place
def test_dropout_in_one_place_lowers_frobenius_norm(study, where):
    return Trend(Spectral("frobenius_norm", "classifier"), study.dropout(where.removesuffix("-only")), FALLS)


@claim("drop-spectral", "Dropout diminishes the largest eigenvalue.", source="v1 3.2, summary")
@layers
def test_dropout_lowers_spectral_norm(study, layers):
    return Trend(Spectral("spectral_norm", layers), study.dropout(), FALLS)


@claim("shape-diverges", "Dropout and weight decay move the shape metrics opposite ways.", source="v1 3.2, summary")
@layers
@pytest.mark.parametrize("metric", ["alpha", "entropy_raw"])
def test_dropout_and_decay_oppose_in_shape(study, metric, layers):
    return Opposite(Spectral(metric, layers), study.dropout(), study.decay())
