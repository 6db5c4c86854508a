"""Learning rate and batch size against the power-law exponent.

Martin and Mahoney (2018, arXiv 1810.01075): training a small network with smaller and smaller
batches, and nothing else changed, takes the spectra of its layers from near-random to heavy-tailed;
the exponent alpha is our measure of it. Smith and Le (2018, arXiv 1710.06451): the noise of SGD
grows with the learning rate over the batch size. That a larger rate therefore acts as a smaller
batch does, on spectra too, is our conclusion from the two and said by neither.
"""

from elsewhere import LearningRate, ladder

from ddiv.claim import Contrast, Trend, claim
from ddiv.evidence import FALLS, RISES
from ddiv.outcome import Spectral

ALPHA = Spectral("alpha", "encoder")  # the median over the hidden layers


@claim(
    "batch-alpha",
    "Larger batches, larger exponents of the hidden layers: less heavy tails.",
    source="Martin and Mahoney 2018",
    needs="batches",
)
def test_larger_batches_raise_alpha(study):
    return Trend(ALPHA, study.by_batch(), RISES)


@claim(
    "rate-alpha",
    "A larger learning rate, smaller exponents of the hidden layers: heavier tails.",
    source="ours, after Smith and Le 2018 and Martin and Mahoney 2018",
)
def test_larger_rates_lower_alpha(study):
    return Trend(ALPHA, ladder(LearningRate, 0.25, 4.0, without=1.0), FALLS)


@claim(
    "control-rate",
    "A treatment that does nothing lowers the exponents of the hidden layers.",
    source="ours: a negative control",
    guards="rate and batch",
)
def test_no_op_does_not_look_like_a_larger_rate(study):
    return Contrast(ALPHA, (study.no_op,), FALLS)
