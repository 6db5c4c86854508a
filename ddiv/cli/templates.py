"""The files that `ddiv new` begins for a user; each runs as it is.

`NAME`, `DASHED`, `WORDS` and `CLASS` stand for a name as Python, a report, a sentence and a class
have it.
"""

DATA_OF_DIGITS = "    data=Digits(train=120, side=16),  # scikit-learn's handwritten digits"

DATA_OF_IMAGES = """\
    # Below --data-root: CLASS/FILE, train/CLASS/FILE beside test/CLASS/FILE, or DOMAIN/CLASS/FILE.
    data=Images(FOLDER, side=32, per_class=PER_CLASS),DOMAINS"""

STUDY = '''\
"""A study: the data, the model, how it is trained, and the doses that claims may ask for."""

from ddiv.study import KIND, Recipe, ResNet18, Study

STUDY = Study(
    name="DASHED",  # in ids of tests and in the report
    title="A very small ResNet-18 on SUBJECT",
DATA
    # A network of your own: ddiv.models.own.own_model. Others: ddiv/study/backbones.py
    backbone=ResNet18(width=4, stem_stride=2),
    recipe=Recipe(epochs=3, batch=BATCH, lr=5e-3),
    dropout_rates=(0.05, 0.2),  # brings the claims that need `dropout_rates`
    # More doses bring more of ddiv's own claims:
    # decays=(1e-3, 1e-1), augmentations=("auto", "noise30"),
)
'''

CLAIM = '''\
"""A claim, put to every study of a run: pytest test_NAME.py --study my_study.py"""

from ddiv.claim import Trend, claim, each_layers
from ddiv.evidence import FALLS
from ddiv.outcome import Spectral


@claim(
    "DASHED",  # the claim's id, by which the report knows it and -k finds it
    "More dropout, smaller weights.",  # what it says
    source="ours",  # where that is said: the paper and the passage
    needs=("dropout_rates",),  # studies without these fields are not asked
)
@each_layers  # a test for each: `layers` is "classifier", then "encoder"
def test_NAME(study, layers):
    # A question, and no answer: ddiv trains the arms, seed by seed, and judges.
    # Other questions: help(ddiv.claim); other outcomes: help(ddiv.outcome.kinds).
    return Trend(Spectral("frobenius_norm", layers), study.dropout(), FALLS)
'''

TREATMENT = '''\
"""A treatment, and a claim about it: pytest NAME.py --study my_study.py"""

from torch.nn import functional

from ddiv.claim import Trend, claim
from ddiv.evidence import FALLS
from ddiv.outcome import Spectral
from ddiv.treatment import BASELINE, Part, Treatment


class CLASS(Part, frozen=True):
    """Labels that are not sure. Fields are doses; other hooks than `loss`: help(Part)."""

    amount: float

    def loss(self, outputs, labels):  # (n, classes) and (n,) -> the loss of each example, (n,)
        amount = self.amount
        return functional.cross_entropy(outputs, labels, label_smoothing=amount, reduction="none")


@claim("DASHED", "The more WORDS, the smaller the weights.", source="ours")
def test_NAME(study):
    arms = [(amount, Treatment.of(CLASS(amount))) for amount in (0.1, 0.3)]
    ladder = ((0.0, BASELINE), *arms)  # (dose, treatment), the baseline first
    return Trend(Spectral("frobenius_norm", "classifier"), ladder, FALLS)
'''

OUTCOME = '''\
"""An outcome, and a claim about it: pytest NAME.py --study my_study.py"""

import torch
from torch.nn.functional import cross_entropy

from ddiv.claim import Trend, claim
from ddiv.evidence import FALLS
from ddiv.outcome import of_network


# Computed when a network is trained. What can be read off stored records takes `of_outputs` or
# `of_spectrum` (help(ddiv.outcome.own)). Name NAME() in the `outcomes` of your study, and all of
# its trials have it.
@of_network(unit="nats", better="lower")
def NAME(trained, radius=0.1):
    """The rise of the training loss where each weight moves at random by `radius` of its size."""
    weights = list(trained.network.parameters())
    with torch.no_grad():
        kept, before = [weight.clone() for weight in weights], mean_loss(trained)
        for weight in weights:
            noise = torch.randn(weight.shape, generator=trained.draws).to(weight)
            weight.mul_(1 + radius * noise)
        rise = mean_loss(trained) - before
        for weight, value in zip(weights, kept):  # as it was: training goes on with this network
            weight.copy_(value)
    return rise


def mean_loss(trained):
    sums = [cross_entropy(trained.network(x), y, reduction="sum") for x, y in trained.batches()]
    return float(sum(sums)) / len(trained.labels)


@claim("DASHED", "More dropout, less WORDS.", source="ours", needs=("dropout_rates",))
def test_NAME(study):
    return Trend(NAME(), study.dropout(), FALLS)
'''

EXPERIMENT = '''\
"""An experiment, a claim about it, and the study that is asked: pytest NAME.py --study NAME.py"""

from ddiv.claim import Graded, claim
from ddiv.evidence import FALLS
from ddiv.study import Study, experiment

# No data and no model are needed; with `data=...`, what a replicate draws of it is `draws.data`.
STUDIES = (Study(name="DASHED", title="Experiments on WORDS", experiments=("NAME",)),)


# The decorator names the numbers that the function returns, each with what it measures.
@experiment(error="distance of the mean of draws from the true mean, in deviations")
def NAME(draws, count=10):  # further parameters are options: words and numbers
    drawn = draws.numpy("numbers").normal(size=count)  # a stream a purpose, drawn from nowhere else
    return {"error": float(abs(drawn.mean()))}


@claim(
    "DASHED",  # the claim's id, by which the report knows it and -k finds it
    "The more draws, the nearer their mean is to the true one.",  # what it says
    source="ours",  # where that is said: the paper and the passage
    needs="experiments",
    on=lambda study: "NAME" in study.experiments,
)
def test_NAME(study):
    # A question, and no answer. Others: help(ddiv.claim.experiments).
    ladder = tuple((count, NAME("error", count=count)) for count in (1, 100, 10000))
    return Graded(ladder, FALLS, along="draws")
'''
