"""The weighted Vendi Score: alignment with the real data times diversity (v2).

"The weighted Vendi Score effectively distinguishes between synthetic and traditional augmentation
strategies and correlates with model performance." "synthetic data augmentation introduces genuinely
new information, while traditional augmentations recombine existing data, affecting the weighted
Vendi Score differently". "Evaluate the weighted Vendi Score on a broader range of datasets and
augmentation strategies ... to validate its effectiveness". "If model performance degrades with
synthetic data augmentation, the synthetic data may not be aligned with the original data
distribution". The texts at hand do not say how alignment is computed: `ddiv.diversity.weighted` has
several definitions by name, and one of them is the default.
"""

import pytest

from ddiv.claim import Contrast, Correlation, Question, Separated, TracksBetter
from ddiv.claim.declare import claim, id_and_ood
from ddiv.diversity.weighted import DEFINITIONS, RhoDefinition
from ddiv.evidence import RISES
from ddiv.outcome import Rho, Score, Vendi, Weighted
from ddiv.study import Study
from ddiv.treatment import OtherSeed
from fixtures.arms import EACH_SETTING, STRONG, augmented, called

ARMS = ("augmentations", "settings", "view_size", "embedders")

# Nine of ten pairs are in the right order, which Hosmer and Lemeshow (2000) call outstanding
# discrimination.
APART = 0.9


@claim(
    "wvendi-separates",
    "The weighted Vendi Score tells training sets with synthetic data from those with traditional "
    f"augmentation: more than {APART:.0%} of pairs of the two lie in one order.",
    source="v2, mechanism 3",
    needs=ARMS,
    each=EACH_SETTING,
)
def test_weighted_score_tells_synthetic_from_augmented(study: Study, setting: str) -> Question:
    mixed = tuple(arm for _, arm in study.mixing(setting)[1:])
    return Separated(Weighted(), mixed, augmented(study), APART)


@claim(
    "wvendi-predicts",
    "The weighted Vendi Score tracks accuracy better than the plain one, over augmentations and "
    "shares of synthetic data: its rank correlation is positive and higher.",
    source="v2, key results",
    needs=ARMS,
)
@id_and_ood
def test_weighted_score_tracks_accuracy_better(study: Study, where: str) -> Question:
    return TracksBetter(Weighted(), Vendi("embedding"), Score("accuracy", where), study.data_arms)


@claim(
    "q-metric-validity",
    f"The weighted Vendi Score correlates strongly (above {STRONG:g}) with accuracy under every "
    "definition of alignment, and with another embedder.",
    source="v2, next check 2",
    needs=ARMS,
)
@pytest.mark.parametrize(
    "called, embedder", [("own embedder", 0), ("another embedder", 1)], ids=["own", "another"]
)
@pytest.mark.parametrize("rho", DEFINITIONS)
def test_weighted_score_is_valid_under_other_definitions(
    study: Study, rho: RhoDefinition, called: str, embedder: int
) -> Question:
    return Correlation(Weighted(rho, embedder), Score("accuracy", "id"), study.data_arms, STRONG)


@claim(
    "rho-predicts-loss",
    "A low alignment predicts the loss: over the shares of synthetic data, the lower rho the lower "
    "the accuracy.",
    source="v2, failure signatures",
    needs=ARMS,
    each=EACH_SETTING,
)
@id_and_ood
@called("shares")
def test_a_low_alignment_predicts_the_loss(
    study: Study, setting: str, called: str, where: str
) -> Question:
    """Over one generator's shares the two may fall together for want of real data alone; over all
    arms, as below, they need not.
    """
    arms = tuple(arm for _, arm in study.mixing(setting))
    return Correlation(Rho(), Score("accuracy", where), arms, 0.0)


@claim(
    "rho-predicts-loss",
    "A low alignment predicts the loss: over augmentations and shares of synthetic data, the lower "
    "rho the lower the accuracy.",
    source="v2, failure signatures",
    needs=ARMS,
)
@id_and_ood
@called("all arms")
def test_alignment_goes_with_accuracy(study: Study, called: str, where: str) -> Question:
    return Correlation(Rho(), Score("accuracy", where), study.data_arms, 0.0)


@claim(
    "control-weighted",
    "One draw of an augmentation has a larger weighted Vendi Score than another draw of the same.",
    source="ours: a negative control",
    guards="weighted diversity",
    needs=ARMS,
)
def test_two_draws_have_equal_weighted_scores(study: Study) -> Question:
    drawn = study.augmentation(study.augmentations[0])
    return Contrast(Weighted(), (drawn + OtherSeed(),), RISES, base=drawn)
