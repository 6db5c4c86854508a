"""Expansion of a small data set by a generator, guided or not.

"Expanding small-scale datasets with guided imagination" (Neural Information Processing Systems
2023): "class-maintained information boosting and sample diversity promotion. These criteria are
verified to be essential for effective dataset expansion: GIF-SD obtains 13.5% higher model accuracy
on natural image datasets than unguided expansion with SD".

Here 150 digits are expanded sixfold by a small generator (`fixtures.expansion`).
"""

from functools import partial

from ddiv.claim import Compared, Question
from ddiv.claim.declare import claim, each
from ddiv.evidence import RISES
from ddiv.study import Number, Study
from fixtures.arms import called, having, network_of
from fixtures.expansion import CRITERIA, expansion

PAPER = "Expanding small-scale datasets with guided imagination, abstract"


def accuracy(study: Study, arm: str) -> Number:
    """The accuracy of an arm of the study's networks: ResNets or perceptrons."""
    return expansion(arm, network=network_of(study))


# Of studies in which a small data set is expanded.
expanding = partial(claim, source=PAPER, needs="experiments", on=having("guided expansion"))


def more(study: Study, arm: str, than: str, *beside: str) -> Compared:
    shown = tuple(accuracy(study, name) for name in beside)
    return Compared(accuracy(study, arm), accuracy(study, than), RISES, beside=shown)


@expanding("guided-expansion", "Guided expansion is more accurate than expansion at random.")
@called("guided")
def test_guided_expansion_beats_random_expansion(study: Study, called: str) -> Question:
    left_out = [f"without_{name}" for name in CRITERIA]
    return more(study, "guided", "random", "few", *left_out)


@expanding(
    "guided-expansion", "Expansion by all criteria is more accurate than with this one left out."
)
@each(without=CRITERIA)
def test_each_criterion_is_essential(study: Study, without: str) -> Question:
    return more(study, "guided", f"without_{without}")


@expanding("guided-expansion", "Guided expansion is more accurate than no expansion.")
@called("expanded")
def test_guided_expansion_beats_none(study: Study, called: str) -> Question:
    return more(study, "guided", "few")


@expanding(
    "guided-expansion",
    "Expansion at random is more accurate than no expansion.",
    source="ours: what guidance is compared with",
)
@called("unguided")
def test_unguided_expansion_beats_none(study: Study, called: str) -> Question:
    return more(study, "random", "few")


@expanding(
    "guided-expansion",
    "Where half of the candidates show another class, choosing consistent ones is more accurate "
    "than choosing at random.",
    source="ours: it shows that a guide that helps is not missed",
)
@called("planted")
def test_planted_candidates_are_found(study: Study, called: str) -> Question:
    return more(study, "planted_consistent", "planted_random")


@expanding(
    "control-expansion",
    "Expansion by the guide's scores in random order is more accurate than at random.",
    source="ours: a negative control",
    guards="guided expansion",
)
@called("scores permuted")
def test_permuted_scores_guide_nothing(study: Study, called: str) -> Question:
    return more(study, "shuffled", "random")
