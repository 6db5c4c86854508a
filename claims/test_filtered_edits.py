"""Edits of images by a generator, filtered by a model that is trained on the originals.

"Diversify your vision datasets with automatic diffusion-based augmentation" (Neural Information
Processing Systems 2023): "To maintain data integrity, a model trained on the original dataset
filters out minimal image edits and those which corrupt class-relevant information."

What the filter does is told against a random one that keeps as many of each class
(`fixtures.edits`).
"""

from functools import partial

from ddiv.claim import Compared, Question, id_and_ood
from ddiv.claim.declare import claim, each
from ddiv.evidence import RISES
from ddiv.study import Number, Study
from fixtures.arms import called, having, network_of
from fixtures.edits import LEVELS, edits

PAPER = "Diversify your vision datasets with automatic diffusion-based augmentation, abstract"

# In the words of tests' names.
AT = {f"t = {level:g}": pool for pool, level in LEVELS.items()} | {"all levels": "all"}


def accuracy(study: Study, arm: str) -> Number:
    """The accuracy of an arm of the study's networks: ResNets or perceptrons."""
    return edits(arm, network=network_of(study))


# Of studies in which images are edited.
editing = partial(claim, source=PAPER, needs="experiments", on=having("filtered edits"))


def more(study: Study, where: str, arm: str, than: str, *beside: str) -> Compared:
    number, reference, *shown = (accuracy(study, f"{where}_{x}") for x in (arm, than, *beside))
    return Compared(number, reference, RISES, beside=tuple(shown))


@editing(
    "filtered-edits",
    "Edits that are neither minimal nor confidently of another class train a more accurate "
    "classifier than as many at random.",
)
@each(level=tuple(AT))
@id_and_ood
def test_the_filter_beats_a_random_one(study: Study, where: str, level: str) -> Question:
    arms = (f"{way}_{AT[level]}" for way in ("filtered", "random", "unfiltered"))
    return more(study, where, *arms, "few")


@editing(
    "filtered-edits",
    "Edits of all levels that are neither minimal nor confidently of another class train a more "
    "accurate classifier than as many of each level at random.",
    source="ours: what the filter does besides choosing levels",
)
@id_and_ood
@each(form="as many of each level")
def test_the_filter_beats_a_random_one_within_levels(
    study: Study, where: str, form: str
) -> Question:
    return more(study, where, "filtered_all", "matched", "random_all")


@editing("filtered-edits", "Filtered edits train a more accurate classifier than all edits.")
@id_and_ood
@each(form="against all edits")
def test_the_filter_beats_none(study: Study, where: str, form: str) -> Question:
    return more(study, where, "filtered_all", "unfiltered_all")


@editing("filtered-edits", "Filtered edits train a more accurate classifier than no edits.")
@id_and_ood
@each(form="against no edits")
def test_filtered_edits_beat_no_edits(study: Study, where: str, form: str) -> Question:
    return more(study, where, "filtered_all", "few")


@editing(
    "filtered-edits",
    "Where as many images of other classes are among the edits, the filter is more accurate than "
    "a random one.",
    source="ours: it shows that a filter that helps is not missed",
)
@each(where=("id",))
@each(form="planted")
def test_planted_images_are_found(study: Study, where: str, form: str) -> Question:
    return more(study, where, "planted_filtered", "planted_random")


@editing(
    "control-edits",
    "One random filter is more accurate than another.",
    source="ours: a negative control",
    guards="filtered edits",
)
@id_and_ood
@called("random filters")
def test_a_random_filter_filters_nothing(study: Study, where: str, called: str) -> Question:
    return more(study, where, "again", "random_all")
