"""Synthetic data in place of real data (v1 sections 2.1.2, 3.4 and 4, table 2; v2).

"Synthetic training datasets are created by replacing a certain proportion (15%, 25%, and 35%) of
real images with SD-generated images." 2.1.2: "synthetic data itself is less diverse than real data
but when it is combined with real data, the combined dataset can often reach a higher diversity
score." 3.4: "infusing a larger proportion of synthetic data into the training dataset may not bring
additional benefits; instead, it can decrease the model's performance ... The more iterations of
retraining, the less diverse the generated synthetic data will be." 4: "models trained solely on
synthetic data do not outperform those trained on real data." "They suggest adding fixed real data
to break the loop and to improve the quality of generated images." v2: "mixing ratios above 0.5
begin to hurt accuracy with some synthetic datasets, but thresholds vary (up to 0.7 for Dvf and 1.0
for Dadd)"; "synthetic data augmentation introduces genuinely new information while traditional
augmentations recombine existing data".

Shares here count synthetic examples, and so, by the published figures, do v2's ratios: the largest
share of synthetic texts whose accuracy is not below the baseline's is .5, .7 and 1.0 there. In the
names of the published files of two of the three sets the number is the share of REAL rows.

5: "incorporating a small amount of synthetic data enhances average model performance on both ID and
OOD tasks" (table 2: 85.85 % against 85.27 % in distribution).

Each is asked of every setting of a study's generator.
"""

import pytest

from ddiv.claim import All, Contrast, Largest, Mixing, NoWorse, Question, RiseThenFall, Trend
from ddiv.claim.declare import claim, each_space, id_and_ood
from ddiv.evidence import FALLS, RISES
from ddiv.outcome import Coverage, Score, Vendi
from ddiv.study import TABLE_SHARES, Space, Study
from ddiv.treatment import OtherSeed
from fixtures.arms import EACH_SETTING, augmented, called

# Two points of accuracy: nobody who gains out of distribution would mind this loss.
MARGIN = 0.02


@claim(
    "synth-less-diverse",
    "Synthetic data alone is less diverse than real data.",
    source="v1 2.1.2",
    needs=("settings", "view_size"),
    each=EACH_SETTING,
)
@each_space
def test_synthetic_images_are_less_diverse(study: Study, space: Space, setting: str) -> Question:
    return Contrast(Vendi(space), (study.synthetic(1.0, setting),), FALLS)


@claim(
    "synth-less-diverse",
    "Real data mixed with synthetic data is more diverse than real data alone.",
    source="v1 2.1.2",
    needs=("settings", "view_size"),
    each=EACH_SETTING,
)
@pytest.mark.parametrize(
    "called, share",
    [("15 % mixed in", 0.15), ("50 % mixed in", 0.5)],
    ids=["15-percent", "50-percent"],
)
@each_space
def test_mixed_images_are_more_diverse(
    study: Study, space: Space, setting: str, called: str, share: float
) -> Question:
    return Contrast(Vendi(space), (study.synthetic(share, setting),), RISES)


@claim(
    "synth-new-information",
    "Synthetic data covers more of held-out real data than as many augmented examples do (mean "
    "over the augmentations).",
    source="v2, mechanism 3",
    needs=("settings", "augmentations", "view_size"),
    each=EACH_SETTING,
)
@each_space
def test_synthetic_images_cover_held_out_real_ones(
    study: Study, space: Space, setting: str
) -> Question:
    """New and real, both: energy outside the span of the real data, which noise has most of, is not
    asked for.
    """
    synthetic = study.synthetic(1.0, setting)
    return Contrast(Coverage(space), augmented(study), FALLS, base=synthetic)


@claim(
    "synth-15-ood",
    "15 % synthetic data in place of real data improves accuracy out of distribution.",
    source="v1 3.4, table 2",
    needs=("settings",),
    headline=True,
    each=EACH_SETTING,
)
def test_few_synthetic_images_raise_ood_accuracy(study: Study, setting: str) -> Question:
    return Contrast(Score("accuracy", "ood"), (study.synthetic(0.15, setting),), RISES)


@claim(
    "q-synth-added",
    "15 % synthetic data added to all real data improves accuracy out of distribution.",
    source="ours",
    needs=("settings",),
    each=EACH_SETTING,
)
def test_few_added_images_raise_ood_accuracy(study: Study, setting: str) -> Question:
    """Nothing real is lost. Epochs stay, so there are more steps: see the specific verdict."""
    return Contrast(Score("accuracy", "ood"), (study.added(0.15, setting),), RISES)


@claim(
    "q-synth-or-blur",
    "15 % synthetic data in place of real data improves accuracy out of distribution beyond what "
    "as many real images do that are only as blurred.",
    source="ours",
    on=lambda study: study.draws_small,
    each=EACH_SETTING,
)
def test_few_synthetic_images_do_more_than_blur(study: Study, setting: str) -> Question:
    synthetic, blurred = study.synthetic(0.15, setting), study.blurred(0.15, setting)
    return Contrast(Score("accuracy", "ood"), (synthetic,), RISES, base=blurred)


@claim(
    "synth-15-id",
    f"15 % synthetic data does not cost more than {100 * MARGIN:g} points of accuracy in "
    "distribution.",
    source="v1 3.4, table 2",
    needs=("settings",),
    each=EACH_SETTING,
)
def test_few_synthetic_images_cost_no_accuracy(study: Study, setting: str) -> Question:
    return NoWorse(Score("accuracy", "id"), (study.synthetic(0.15, setting),), MARGIN)


@claim(
    "synth-15-id-gain",
    "15 % synthetic data improves accuracy in distribution.",
    source="v1 5, table 2",
    needs=("settings",),
    each=EACH_SETTING,
)
def test_few_synthetic_images_raise_accuracy(study: Study, setting: str) -> Question:
    """Beside `synth-15-id`, which asks for no cost only: a gain is what v1 says."""
    return Contrast(Score("accuracy", "id"), (study.synthetic(0.15, setting),), RISES)


@claim(
    "synth-15-best",
    "15 % synthetic data is better out of distribution than every augmentation.",
    source="v1 table 2",
    needs=("settings", "augmentations"),
    each=EACH_SETTING,
)
def test_few_synthetic_images_beat_every_augmentation(study: Study, setting: str) -> Question:
    return Largest(Score("accuracy", "ood"), study.synthetic(0.15, setting), augmented(study))


@claim(
    "synth-25-ood",
    "25 % synthetic data still improves accuracy out of distribution.",
    source="v1 table 2",
    needs=("settings",),
    each=EACH_SETTING,
)
def test_a_quarter_of_synthetic_images_raises_ood_accuracy(study: Study, setting: str) -> Question:
    return Contrast(Score("accuracy", "ood"), (study.synthetic(0.25, setting),), RISES)


@claim(
    "synth-35-ood",
    "35 % synthetic data no longer improves accuracy out of distribution: it lowers it.",
    source="v1 table 2",
    needs=("settings",),
    each=EACH_SETTING,
)
def test_a_third_of_synthetic_images_lowers_ood_accuracy(study: Study, setting: str) -> Question:
    return Contrast(Score("accuracy", "ood"), (study.synthetic(0.35, setting),), FALLS)


@claim(
    "synth-15-ece",
    "15 % synthetic data lowers the calibration error out of distribution.",
    source="v1 3.4, table 2",
    needs=("settings",),
    each=EACH_SETTING,
)
def test_few_synthetic_images_lower_calibration_error(study: Study, setting: str) -> Question:
    return Contrast(Score("ece", "ood"), (study.synthetic(0.15, setting),), FALLS)


@claim(
    "synth-15-ece-id",
    "15 % synthetic data leaves the calibration error in distribution as it is: not higher by more "
    f"than {MARGIN:g}.",
    source="v1 table 2",
    needs=("settings",),
    each=EACH_SETTING,
)
def test_few_synthetic_images_cost_no_calibration(study: Study, setting: str) -> Question:
    return NoWorse(Score("ece", "id"), (study.synthetic(0.15, setting),), MARGIN, FALLS)


@claim(
    "synth-more-is-less",
    "Out of distribution accuracy falls as the synthetic share rises from 15 to 25 and 35 %.",
    source="v1 3.4, table 2",
    needs=("settings",),
    each=EACH_SETTING,
)
@called("trend")
def test_more_synthetic_images_are_worse(study: Study, setting: str, called: str) -> Question:
    ladder = tuple((share, study.synthetic(share, setting)) for share in TABLE_SHARES)
    return Trend(Score("accuracy", "ood"), ladder, FALLS)


@claim(
    "synth-more-is-less",
    "Out of distribution 15 % synthetic data is better than 25 %, and that better than 35 %.",
    source="v1 3.4, table 2",
    needs=("settings",),
    each=EACH_SETTING,
)
@called("each step")
def test_each_step_of_synthetic_share_is_worse(study: Study, setting: str, called: str) -> Question:
    less, some, more = (study.synthetic(share, setting) for share in TABLE_SHARES)
    return All(
        (
            Contrast(Score("accuracy", "ood"), (some,), FALLS, base=less),
            Contrast(Score("accuracy", "ood"), (more,), FALLS, base=some),
        )
    )


@claim(
    "synth-only-loses",
    "Training on synthetic data alone is worse than on real data.",
    source="v1 4; He et al. 2022",
    needs=("settings",),
    each=EACH_SETTING,
)
@id_and_ood
def test_synthetic_images_alone_lose(study: Study, setting: str, where: str) -> Question:
    return Contrast(Score("accuracy", where), (study.synthetic(1.0, setting),), FALLS)


@claim(
    "synth-collapse",
    "The samples of a generator retrained on its own output are less diverse round after round.",
    source="v1 3.4; Alemohammad et al. 2023",
    needs=("settings", "rounds", "view_size"),
    each=EACH_SETTING,
)
@each_space
def test_retrained_generators_lose_diversity(study: Study, space: Space, setting: str) -> Question:
    ladder = tuple(
        (round, study.synthetic(1.0, setting, round)) for round in range(1, study.rounds + 1)
    )
    return Trend(Vendi(space), ladder, FALLS)


@claim(
    "collapse-anchored",
    "With the real data kept beside its samples, a retrained generator is spared most of the loss: "
    "its last round is nearer in diversity to the first round than to the last without them.",
    source="v1 4; Alemohammad et al. 2023",
    needs=("settings", "rounds", "view_size"),
    on=lambda study: study.rounds > 1,
    each=EACH_SETTING,
)
@each_space
@called("diversity")
def test_real_data_in_the_loop_stop_the_collapse(
    study: Study, space: Space, setting: str, called: str
) -> Question:
    """The mean of the two is half-way; where the loop loses nothing, there is nothing to spare."""
    anchored = study.anchored(1.0, setting, study.rounds)
    first, last = (study.synthetic(1.0, setting, round) for round in (1, study.rounds))
    return Contrast(Vendi(space), (first, last), FALLS, base=anchored)


@claim(
    "collapse-anchored",
    "With the real data kept beside its samples, a retrained generator's last samples are better: "
    "they cover more of held-out real data than without them.",
    source="v1 4; Alemohammad et al. 2023",
    needs=("settings", "rounds", "view_size"),
    on=lambda study: study.rounds > 1,
    each=EACH_SETTING,
)
@each_space
@called("quality")
def test_real_data_in_the_loop_keep_quality(
    study: Study, space: Space, setting: str, called: str
) -> Question:
    last = study.synthetic(1.0, setting, study.rounds)
    return Contrast(
        Coverage(space), (study.anchored(1.0, setting, study.rounds),), RISES, base=last
    )


@claim(
    "mix-threshold",
    "Over the synthetic share accuracy is flat or rising up to a half, and falls in the end.",
    source="v2, open question 2",
    needs=("settings", "shares"),
    each=EACH_SETTING,
)
@id_and_ood
def test_accuracy_falls_past_a_mixing_ratio(study: Study, setting: str, where: str) -> Question:
    return Mixing(Score("accuracy", where), study.mixing(setting), MARGIN)


@claim(
    "q-optimal-mix",
    "Some mixture of real and synthetic data is more accurate than real data alone and than "
    "synthetic data alone; the best share is reported.",
    source="v2, open question 2",
    needs=("settings", "shares"),
    each=EACH_SETTING,
)
@id_and_ood
def test_a_mixture_is_best(study: Study, setting: str, where: str) -> Question:
    return RiseThenFall(Score("accuracy", where), study.mixing(setting))


@claim(
    "control-synthetic",
    "One draw of samples is more diverse than another draw from the same generator and setting.",
    source="ours: a negative control",
    guards="synthetic",
    needs=("settings", "view_size"),
)
@each_space
def test_two_draws_of_samples(study: Study, space: Space) -> Question:
    drawn = study.synthetic(1.0)
    return Contrast(Vendi(space), (drawn + OtherSeed(),), RISES, base=drawn)
