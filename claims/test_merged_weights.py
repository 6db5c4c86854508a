"""Averages of fine-tuned weights (v1 section 4, after Wortsman et al. 2022).

"Wortsman et al. (2022) demonstrated that merging weights from different fine-tuning models can
improve overall model performance and highlighted the impact of weight manipulation on optimizing
model behavior without retraining."

The small CLIP is fine-tuned in three ways from one start, and the weights are averaged
(`fixtures.merged_weights`). "Improve" is asked twice: beside the mean of what is averaged, and, as
Wortsman et al. ask, beside the best of it on validation images.
"""

from functools import partial

from ddiv.claim import Measured, Question
from ddiv.claim.declare import claim, each, id_and_ood
from ddiv.evidence import RISES
from ddiv.study import Study
from fixtures.arms import having
from fixtures.merged_weights import merged

# Of studies in which fine-tuned weights are averaged.
averaged = partial(claim, source="v1 4", needs="experiments", on=having("merged weights"))


@averaged(
    "merged-weights",
    "Averaged weights of networks fine-tuned from one start are more accurate than these networks "
    "are on average, and than the one of them that is best on validation images.",
)
@id_and_ood
@each(beside=("mean", "best"))
def test_merged_weights_are_more_accurate(study: Study, beside: str, where: str) -> Question:
    return Measured(merged(f"{beside}_{where}"), RISES)


@averaged(
    "control-merged-weights",
    "Averaged weights are more accurate than what is averaged, where all but one of the networks "
    "have their hidden units in another order, which changes nothing of what they do.",
    source="ours: a negative control, as units do not correspond",
    guards="merged weights",
)
@id_and_ood
def test_weights_in_another_order_do_not_merge(study: Study, where: str) -> Question:
    return Measured(merged(f"reordered_{where}"), RISES)
