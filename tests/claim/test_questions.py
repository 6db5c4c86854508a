"""Questions of claims, answered from made-up states in which the answer is known."""

import msgspec
import numpy as np
import pytest

from ddiv.claim import (
    Agreement,
    Alike,
    All,
    AsFar,
    Bench,
    Change,
    Contrast,
    Correlation,
    Further,
    Largest,
    Mixing,
    MoreCorrelated,
    NotApplicable,
    NoWorse,
    Opposite,
    Resemblance,
    RiseThenFall,
    Separated,
    SomewhereOpposed,
    Threshold,
    TracksBetter,
    Trend,
    Unmatched,
    cosine,
    data_view,
    jobs,
)
from ddiv.evidence import FALLS, RISES
from ddiv.outcome import Score, Snapshot, Spectral, Vendi, Weighted
from ddiv.profiles import studies
from ddiv.treatment import BASELINE, Augmentation, Classes, Dropout, Treatment, WeightDecay
from ddiv.treatment.names import AUGMENTATIONS
from ddiv.trial import DataView, Trial, trial
from tests.support.claim_cases import DIGITS, EVERYTHING, WORLD

ALPHA = Spectral("alpha", "classifier")
METRICS = ("alpha", "entropy_raw", "frobenius_norm")
AUTO, NOISE = Treatment.of(Augmentation("auto")), Treatment.of(Augmentation("noise10"))


def state(**table) -> Snapshot:
    values = {"alpha": 3.0, "entropy_raw": 2.0, "frobenius_norm": 5.0, "reliable": 1.0, **table}
    return Snapshot(
        {k: np.array([float(v)]) for k, v in values.items()},
        np.array(["classifier"]),
        {"accuracy/id": values["alpha"] / 10},
    )


def bench(states: dict, vendi: dict | None = None) -> Bench:
    vendi = vendi or {}
    plain = {"pixel": 5.0, "embedding": 5.0}
    return Bench(
        lambda arm: states.get(arm, state()),
        lambda outcome, arm: vendi.get(arm, plain)[outcome.key],
        lambda arm: state(alpha=6),
    )


def ladder_states(ladder, slope) -> dict:
    return {arm: state(alpha=3 + slope * i) for i, (_, arm) in enumerate(ladder)}


@pytest.mark.parametrize("slope", [0.5, -0.25, 0.0])
def test_trend_is_the_slope_per_step(slope):
    question = Trend(ALPHA, WORLD.dropout(), RISES)
    assert question.answer(bench(ladder_states(WORLD.dropout(), slope))) == pytest.approx((slope,))


class Missing(Bench, frozen=True, kw_only=True):
    """A bench on which some arms have no effect."""

    unmatched: tuple[Treatment, ...]

    def effect(self, outcome, arm, base=BASELINE):
        if arm in self.unmatched:
            raise Unmatched(arm.label)
        return super().effect(outcome, arm, base)


def missing(states: dict, *unmatched: Treatment) -> Missing:
    whole = bench(states)
    return Missing(whole.state, whole.of_data, unmatched=unmatched)


def test_a_trend_needs_every_dose():
    ladder = WORLD.dropout()
    states, question = ladder_states(ladder, 0.5), Trend(ALPHA, ladder, RISES)
    assert question.answer(missing(states)) == pytest.approx((0.5,))
    with pytest.raises(Unmatched, match=ladder[-1][1].label):
        question.answer(missing(states, ladder[-1][1]))


def test_in_a_mean_a_quarter_of_the_arms_may_lack_an_effect_and_count_as_0():
    arms = tuple(map(WORLD.augmentation, AUGMENTATIONS[:8]))
    states = dict.fromkeys(arms, state(alpha=4))
    question = Contrast(ALPHA, arms, RISES)
    assert question.answer(missing(states, *arms[:2])) == pytest.approx((6 / 8,))
    with pytest.raises(Unmatched, match=arms[0].label):
        question.answer(missing(states, *arms[:3]))
    with pytest.raises(Unmatched):
        Contrast(ALPHA, arms[:1], RISES).answer(missing(states, arms[0]))


def test_contrast_is_the_mean_difference():
    states = {AUTO: state(alpha=4), NOISE: state(alpha=2.5)}
    assert Contrast(ALPHA, (AUTO, NOISE), RISES).answer(bench(states)) == pytest.approx((0.25,))
    assert Contrast(Score("accuracy", "id"), (AUTO,), RISES).answer(bench(states)) == pytest.approx(
        (0.1,)
    )


def test_contrast_with_another_base_leaves_the_baseline_out():
    states = {AUTO: state(alpha=4), NOISE: state(alpha=2.5), BASELINE: state(alpha=99)}
    question = Contrast(ALPHA, (AUTO,), RISES, base=NOISE)
    assert question.answer(bench(states)) == pytest.approx((1.5,))
    assert list(question.arms()) == [NOISE, AUTO] and not question.has_specific
    vendi = {AUTO: {"pixel": 9.0}, NOISE: {"pixel": 7.0}}
    assert Contrast(Vendi("pixel"), (AUTO,), RISES, base=NOISE).answer(
        bench({}, vendi)
    ) == pytest.approx((2.0,))


@pytest.mark.parametrize(
    "first, second, verdict",
    [
        (1, -1, "supported"),
        (-2, 0.5, "supported"),
        (1, 1, "contradicted"),
        (-1, -1, "contradicted"),
        (1, 0, "inconclusive"),
    ],
)
def test_opposite_is_about_the_signs_of_two_slopes(first, second, verdict):
    states = {**ladder_states(WORLD.dropout(), first), **ladder_states(WORLD.decay(), second)}
    question = Opposite(ALPHA, WORLD.dropout(), WORLD.decay())
    effects = question.answer(bench(states))
    assert effects == pytest.approx((first, second))
    assert question.judge([effects] * 7, 0.05).verdict == verdict


def resemblance(**directions) -> float:
    arms = {
        "group": AUTO,
        "like": Treatment.of(Dropout(0.1)),
        "unlike": Treatment.of(WeightDecay(0.1)),
    }
    states = {
        arms[name]: state(**{m: state().table[m].item() + d for m, d in zip(METRICS, direction)})
        for name, direction in directions.items()
    }
    return Resemblance(METRICS, "classifier", (AUTO,), (arms["like"],), (arms["unlike"],)).answer(
        bench(states)
    )[0]


def test_resemblance_is_a_difference_of_cosines():
    assert resemblance(group=(1, 1, -1), like=(1, 1, -1), unlike=(-1, -1, 1)) == pytest.approx(2)
    assert resemblance(group=(-1, -1, -1), like=(1, 1, -1), unlike=(-1, -1, -1)) < 0
    assert resemblance(group=(0, 0, 0), like=(1, 1, -1), unlike=(-1, -1, 1)) == 0
    assert cosine(np.zeros(3), np.ones(3)) == 0


def test_largest_is_the_lead_over_each_other():
    vendi = {BASELINE: {"pixel": 4.0}, AUTO: {"pixel": 9.0}, NOISE: {"pixel": 7.0}}
    third = Treatment.of(Augmentation("noise50"))
    vendi[third] = {"pixel": 8.5}
    assert Largest(Vendi("pixel"), AUTO, (NOISE, third)).answer(bench({}, vendi)) == pytest.approx(
        (2, 0.5)
    )
    assert Largest(Vendi("pixel"), NOISE, (AUTO, third)).answer(bench({}, vendi)) == pytest.approx(
        (-2, -1.5)
    )


def test_largest_is_decided_by_the_closest_rival_and_fails_by_any():
    question = Largest(Vendi("pixel"), AUTO, (NOISE, BASELINE))
    assert question.judge([(2.0, 0.5)] * 6, 0.05).verdict == "supported"
    # One other is sometimes ahead: not known. It always is: the claim fails, a seed later than of
    # one comparison.
    assert question.judge([(2.0, 0.5), (2.0, -0.5)] * 4, 0.05).verdict == "inconclusive"
    assert question.judge([(2.0, -0.5)] * 6, 0.05).verdict == "inconclusive"
    assert question.judge([(2.0, -0.5)] * 7, 0.05).verdict == "contradicted"


@pytest.mark.parametrize("direction", [RISES, FALLS])
@pytest.mark.parametrize("effect", [0.5, -0.5])
@pytest.mark.parametrize(
    "make",
    [
        lambda d: Trend(ALPHA, WORLD.dropout(), d),
        lambda d: Contrast(ALPHA, (AUTO,), d),
        lambda d: Resemblance(METRICS, "classifier", (AUTO,), (NOISE,), (BASELINE,), d),
    ],
)
def test_six_seeds_that_agree_decide_by_the_direction_claimed(make, direction, effect):
    expected = "supported" if effect * direction > 0 else "contradicted"
    evidence = make(direction).judge([(effect,)] * 6, 0.05)
    assert (evidence.verdict, evidence.decided_at, evidence.effects) == (expected, 6, (effect,) * 6)
    assert make(direction).judge([(effect,)] * 5, 0.05).verdict == "inconclusive"


@pytest.mark.parametrize(
    "question",
    [
        Trend(ALPHA, WORLD.dropout(), FALLS),
        Contrast(ALPHA, (AUTO,), FALLS, NOISE),
        Opposite(ALPHA, WORLD.dropout(), WORLD.decay()),
    ],
)
def test_another_definition_is_the_same_question(question):
    other = question.replace_outcome(Spectral("hill_alpha", "classifier"))
    assert (
        other
        == msgspec.structs.replace(question, outcome=Spectral("hill_alpha", "classifier"))
        != question
    )


def test_diversity_asks_for_views_and_trains_nothing():
    needed = jobs(Contrast(Vendi("pixel"), (AUTO,), RISES), WORLD, (0, 1, 2))
    assert all(isinstance(job, DataView) for job in needed)
    assert len(set(needed)) == 6  # each replicate draws a training set


def test_out_of_distribution_claims_do_not_apply_without_domains():
    with pytest.raises(NotApplicable, match="no out-of-distribution domain"):
        jobs(Contrast(Score("accuracy", "ood"), (AUTO,), FALLS), DIGITS, (0,))


# --- further questions ----------------------------------------------------------------------------

THIRD = Treatment.of(Augmentation("noise50"))
RATE, DECAY = Treatment.of(Dropout(0.1)), Treatment.of(WeightDecay(0.1))


def test_change_is_after_minus_before_training_in_one_arm():
    question = Change(ALPHA, AUTO, FALLS)
    assert question.answer(bench({AUTO: state(alpha=4)})) == pytest.approx((-2.0,))
    assert (
        list(question.arms()) == [AUTO]
        and not question.has_specific
        and not Change(ALPHA, BASELINE, FALLS).has_specific
    )


@pytest.mark.parametrize("at, expected", [("after", -0.5), ("before", 1.5)])
def test_threshold_is_the_distance_from_a_bound(at, expected):
    question = Threshold(ALPHA, BASELINE, 4.5, RISES, at)
    assert question.answer(bench({BASELINE: state(alpha=4)})) == pytest.approx((expected,))
    assert not question.has_specific and jobs(question, WORLD, (0,)) == [trial(WORLD, BASELINE, 0)]


def test_all_takes_each_part_in_its_own_direction_and_the_weakest_decides():
    parts = (
        Contrast(ALPHA, (AUTO,), RISES),
        Contrast(Spectral("frobenius_norm", "classifier"), (AUTO,), FALLS),
    )
    question = All(parts)
    effects = question.answer(bench({AUTO: state(alpha=4, frobenius_norm=4.5)}))
    assert (
        effects == pytest.approx((1.0, 0.5))
        and question.judge([effects] * 6, 0.05).verdict == "supported"
    )
    assert question.judge([(1.0, -0.5)] * 7, 0.05).verdict == "contradicted"
    assert (
        question.has_specific and not All((*parts, Threshold(ALPHA, AUTO, 1.0, RISES))).has_specific
    )


def test_parts_of_data_and_of_networks_ask_for_views_and_trials_of_their_own_arms():
    question = All((Contrast(Vendi("pixel"), (AUTO,), RISES), Contrast(ALPHA, (NOISE,), RISES)))
    needed = jobs(question, WORLD, (3,))
    assert {(type(job), job.treatment) for job in needed} == {
        (DataView, BASELINE),
        (DataView, AUTO),
        (Trial, BASELINE),
        (Trial, NOISE),
    }


@pytest.mark.parametrize("direction, shift", [(RISES, 0.02), (FALLS, -0.02)])
def test_no_worse_shifts_the_difference_by_its_margin(direction, shift):
    question = NoWorse(Score("accuracy", "id"), (AUTO,), 0.02, direction)
    effect = question.answer(bench({AUTO: state(alpha=2.9)}))
    assert effect == pytest.approx((-0.01 + shift,))
    assert question.judge([effect] * 6, 0.05).verdict == "supported"


def test_further_compares_sizes_of_effects_and_not_their_signs():
    states = {AUTO: state(alpha=1), RATE: state(alpha=4), DECAY: state(alpha=2.5)}
    assert Further(ALPHA, (AUTO,), (RATE, DECAY)).answer(bench(states)) == pytest.approx((2 - 1,))
    assert Further(ALPHA, (AUTO,), (RATE, DECAY), "mean").answer(bench(states)) == pytest.approx(
        (2 - 0.25,)
    )
    assert Further(ALPHA, (RATE, DECAY), (AUTO,)).answer(bench(states)) == pytest.approx(
        (0.25 - 2,)
    )


@pytest.mark.parametrize(
    "second, verdict", [(2.0, "supported"), (-2.0, "contradicted"), (0.0, "inconclusive")]
)
@pytest.mark.parametrize("way", [1, -1])
def test_alike_is_about_the_signs_of_two_groups(way, second, verdict):
    question = Alike(ALPHA, (AUTO,), (RATE,))
    effects = question.answer(
        bench({AUTO: state(alpha=3 + way), RATE: state(alpha=3 + way * second)})
    )
    assert (
        effects == pytest.approx((way, way * second))
        and question.judge([effects] * 7, 0.05).verdict == verdict
    )


def test_the_second_of_two_groups_may_have_a_baseline_of_its_own():
    question = Alike(ALPHA, (AUTO,), (RATE,), second_base=NOISE)
    states = {AUTO: state(alpha=4), RATE: state(alpha=4), NOISE: state(alpha=6)}
    assert question.answer(bench(states)) == pytest.approx((1, -2))
    assert {*question.arms()} == {BASELINE, AUTO, RATE, NOISE}
    plain = msgspec.structs.replace(question, second_base=BASELINE)
    assert plain.has_specific and not question.has_specific


def test_noise_of_a_shared_baseline_makes_no_two_groups_alike_nor_agree():
    """Neither group does anything; each has noise of its own, and the baseline's enters both
    effects.
    """
    rng, alike, agreed, naive = np.random.default_rng(5), 0, 0, 0
    question = Alike(ALPHA, (AUTO,), (RATE,))
    cosines = Agreement(METRICS, "classifier", (AUTO,), (RATE,), replicate=NOISE)
    for _ in range(60):
        noise = rng.normal(size=(9, 4, len(METRICS)))
        noise[:, 2:] *= 0.1  # means of many arms have less of it
        benches = [
            bench(
                {
                    arm: state(**{m: 5 + by for m, by in zip(METRICS, row)})
                    for arm, row in zip((BASELINE, NOISE, AUTO, RATE), rows)
                }
            )
            for rows in noise
        ]
        alike += (
            question.judge([question.answer(one) for one in benches], 0.05).verdict == "supported"
        )
        agreed += (
            cosines.judge([cosines.answer(one) for one in benches], 0.05).verdict == "supported"
        )
        same = msgspec.structs.replace(cosines, replicate=BASELINE)
        naive += same.judge([same.answer(one) for one in benches], 0.05).verdict == "supported"
    assert alike <= 4 and agreed <= 4 and naive > 50


def test_agreement_is_a_cosine():
    states = {
        AUTO: state(alpha=4, entropy_raw=1),
        RATE: state(alpha=5, entropy_raw=0),
        DECAY: state(alpha=2, entropy_raw=3),
    }
    for like, expected in ((RATE, 1), (DECAY, -1)):
        question = Agreement(METRICS, "classifier", (AUTO,), (like,), replicate=NOISE)
        assert question.answer(bench(states)) == pytest.approx((expected,))


@pytest.mark.parametrize("alpha, inside", [(3.5, True), (3.05, False), (6.0, False), (2.5, True)])
def test_as_far_asks_whether_an_effect_is_as_long_as_those_of_a_family(alpha, inside):
    states = {AUTO: state(alpha=alpha), RATE: state(alpha=3.2), DECAY: state(alpha=4)}
    effects = AsFar(("alpha",), "classifier", (AUTO,), (RATE, DECAY)).answer(bench(states))
    assert (min(effects) > 0) == inside


def test_somewhere_opposed_needs_one_outcome_only():
    question = SomewhereOpposed((ALPHA, Spectral("entropy_raw", "classifier")), (AUTO,), (DECAY,))
    states = {AUTO: state(alpha=4, entropy_raw=3), DECAY: state(alpha=5, entropy_raw=1)}
    effects = question.answer(bench(states))
    assert effects == pytest.approx((1, 2, 1, -1))
    assert question.judge([effects] * 7, 0.05).verdict == "supported"
    assert question.judge([(1, 2, -1, -1)] * 7, 0.05).verdict == "contradicted"


def of_classes(*scores) -> tuple[RiseThenFall, Bench]:
    ladder = tuple((count, Treatment.of(Classes(count))) for count in range(1, len(scores) + 1))
    return RiseThenFall(Vendi("pixel"), ladder), bench(
        {}, {arm: {"pixel": by} for (_, arm), by in zip(ladder, scores)}
    )


@pytest.mark.parametrize(
    "scores, verdict",
    [
        ((2, 4, 5, 3), "supported"),
        ((2, 3, 4, 5), "contradicted"),
        ((5, 4, 3, 2), "contradicted"),
        ((5, 2, 3, 5), "contradicted"),
        ((3, 3, 3, 3), "inconclusive"),
    ],
)
def test_rise_then_fall_wants_a_peak_above_both_ends(scores, verdict):
    question, at = of_classes(*scores)
    effects = question.answer(at)
    assert effects == pytest.approx([score - scores[0] for score in scores[1:]])
    assert question.judge([effects] * 7, 0.05).verdict == verdict
    with pytest.raises(ValueError, match="3 rungs or more, got 2"):
        RiseThenFall(Vendi("pixel"), question.ladder[:2])


def test_correlation_over_arms_is_above_or_below_a_bar():
    arms = (BASELINE, AUTO, NOISE, THIRD)
    vendi = {
        arm: {"pixel": 5.0 + i, "embedding": 5.0 + by}
        for i, (arm, by) in enumerate(zip(arms, (0, 1, 9, 3)))
    }
    states = {arm: state(alpha=3 + i**3) for i, arm in enumerate(arms)}
    assert Correlation(Vendi("pixel"), Score("accuracy", "id"), arms, 0.5).answer(
        bench(states, vendi)
    ) == pytest.approx((0.5,))
    linear = np.corrcoef(range(4), [0, 1, 8, 27])[0, 1]
    pearson = Correlation(Vendi("pixel"), Score("accuracy", "id"), arms, 0.5, kind="pearson")
    assert pearson.answer(bench(states, vendi)) == pytest.approx((linear - 0.5,))
    assert Correlation(Vendi("pixel"), Vendi("embedding"), arms, 0.9, FALLS).answer(
        bench({}, vendi)
    ) == pytest.approx((0.8 - 0.9,))
    assert pearson.answer(bench({}, vendi)) == (0.0,)  # one outcome is the same everywhere
    needed = jobs(pearson, WORLD, (0,))
    assert (
        {type(job) for job in needed} == {Trial, DataView}
        and len(needed) == 8
        and not pearson.has_specific
    )
    with pytest.raises(ValueError, match="3 arms or more"):
        Correlation(Vendi("pixel"), Vendi("embedding"), arms[:2], 0.5)


def test_one_outcome_tracks_a_third_better_than_another():
    """Spearman's correlations with accuracy: 1 for the pixel scores, .8 for those of embeddings."""
    arms = (BASELINE, AUTO, NOISE, THIRD)
    vendi = {
        arm: {"pixel": 5.0 + i, "embedding": 5.0 + by}
        for i, (arm, by) in enumerate(zip(arms, (0, 1, 9, 3)))
    }
    states = {arm: state(alpha=3 + i**3) for i, arm in enumerate(arms)}
    question = TracksBetter(Vendi("pixel"), Vendi("embedding"), Score("accuracy", "id"), arms)
    assert question.answer(bench(states, vendi)) == pytest.approx((1.0, 0.2))
    assert question.judge([(0.1, 0.2)] * 6, 0.05).verdict == "supported"
    # further from it than the rival, yet against it
    assert question.judge([(-0.1, 0.2)] * 7, 0.05).verdict == "contradicted"
    assert question.answer(bench({}, vendi)) == (0.0, 0.0) and not question.has_specific
    assert len(jobs(question, WORLD, (0,))) == 8
    with pytest.raises(ValueError, match="3 arms or more"):
        TracksBetter(Vendi("pixel"), Vendi("embedding"), Score("accuracy", "id"), arms[:2])


@pytest.mark.parametrize(
    "first, second, share",
    [
        ((3, 4), (1, 2), 1.0),
        ((1, 2), (3, 4), 1.0),
        ((1, 3), (2, 4), 0.75),
        ((1, 4), (2, 3), 0.5),
        ((2, 3), (2, 1), 0.875),
    ],
)
def test_groups_are_told_apart_by_the_share_of_pairs_in_one_order(first, second, share):
    arms = (AUTO, NOISE, THIRD, BASELINE)
    at = bench({}, {arm: {"pixel": float(by)} for arm, by in zip(arms, (*first, *second))})
    question = Separated(Vendi("pixel"), arms[:2], arms[2:], 0.9)
    assert question.answer(at) == pytest.approx((share - 0.9,))
    assert question.answer(bench({}, {})) == (0.0,)  # all the same
    with pytest.raises(ValueError, match="bar in"):
        Separated(Vendi("pixel"), arms[:2], arms[2:], 1.0)


def test_more_correlated_is_the_difference_of_two_correlations():
    arms = tuple(arm for _, arm in WORLD.decay()[1:])
    others = tuple(Treatment.of(Dropout(rate)) for rate in (0.1, 0.2, 0.3))
    groups = (*zip(arms, (1, 2, 3)), *zip(others, (3, 2, 1)))
    at = bench(
        {arm: state(alpha=i) for arm, i in groups},
        {arm: {"pixel": float(i)} for arms in (arms, others) for i, arm in enumerate(arms)},
    )
    given = Vendi("pixel"), Score("accuracy", "id")
    assert MoreCorrelated(*given, arms, others).answer(at) == pytest.approx((2.0,))
    assert MoreCorrelated(*given, others, arms).answer(at) == pytest.approx((-2.0,))
    assert MoreCorrelated(*given, arms, others).judge([(2.0,)] * 12, 0.05).verdict == "supported"
    assert MoreCorrelated(*given, arms, others).answer(bench({})) == (0.0,)  # all the same
    assert not MoreCorrelated(*given, arms, others).has_specific
    with pytest.raises(NotApplicable, match="a correlation needs 3 arms or more, got 2"):
        MoreCorrelated(*given, arms, others[:2])


def test_another_embedder_is_another_view():
    arms, world = (BASELINE, AUTO, NOISE), studies.clip_world()
    own, another = (
        jobs(Correlation(Weighted(embedder=i), Score("accuracy", "id"), arms, 0.5), world, (0,))
        for i in (0, 1)
    )
    assert {job.embedder for job in own if isinstance(job, DataView)} == {world.embedders[0]}
    assert {job.embedder for job in another if isinstance(job, DataView)} == {world.embedders[1]}
    alone = msgspec.structs.replace(world, embedders=world.embedders[:1])
    with pytest.raises(NotApplicable, match="no second embedder"):
        jobs(Correlation(Weighted(embedder=1), Score("accuracy", "id"), arms, 0.5), alone, (0,))


def test_texts_have_no_pixels():
    texts = studies.bert_complaints()
    arms = tuple(map(texts.augmentation, texts.augmentations))
    with pytest.raises(NotApplicable, match="the data of bert-complaints has no pixels"):
        jobs(Contrast(Vendi("pixel"), arms, RISES), texts, (0,))
    assert jobs(Contrast(Vendi("embedding"), arms, RISES), texts, (0,))


def test_where_a_curve_peaks_has_an_interval():
    question, at = of_classes(2, 4, 5, 3)
    effects = question.answer(at)
    (derived,) = question.derived([effects] * 3)
    top = [rung for rung, _ in question.ladder][2]
    assert derived[1:] == (top, top, top)


def mixing(differences) -> tuple:
    question = Mixing(Score("accuracy", "id"), EVERYTHING.mixing("good"), 0.02)
    states = {
        arm: state(alpha=3 + 10 * by) for (_, arm), by in zip(question.ladder, (0, *differences))
    }
    return question, question.answer(bench(states))


@pytest.mark.parametrize(
    "differences, verdict",
    [
        ((0.01, 0.02, 0.0, 0.0, -0.05, -0.2), "supported"),
        ((-0.01, -0.01, -0.01, -0.01, -0.05, -0.2), "supported"),
        ((-0.1, -0.1, -0.1, -0.1, -0.2, -0.3), "contradicted"),
        ((0.02, 0.02, 0.02, -0.03, -0.05, -0.2), "contradicted"),
        ((0.0, 0.0, 0.0, 0.01, 0.02, 0.05), "contradicted"),
    ],
)
def test_mixing_is_flat_at_first_and_lower_in_the_end(differences, verdict):
    question, effects = mixing(differences)
    assert (
        effects == pytest.approx(differences)
        and question.judge([effects] * 7, 0.05).verdict == verdict
    )


def test_mixing_tells_the_share_from_which_accuracy_falls():
    """By more than the margin of .02: linear between .5, where it is .01 above that, and .7, where
    it is .01 below.
    """
    question, effects = mixing((0.01, 0.01, 0.01, -0.01, -0.03, -0.2))
    (derived,) = question.derived([effects] * 3)
    assert derived[1:] == pytest.approx((0.6, 0.6, 0.6))
    (wider,) = question.derived([effects, mixing((0.01, 0.01, 0.01, -0.01, -0.01, -0.2))[1]] * 3)
    assert 0.6 < wider.value < 0.8 and wider.low < wider.value < wider.high
    assert (
        question.derived([(-0.1,) * 6])[0].value == pytest.approx(0.15 / 5)
        and question.derived([(0.1,) * 6])[0].value == 1
    )


@pytest.mark.parametrize(
    "shares", [(0.15, 0.5, 1.0), (0.0, 0.7, 1.0), (0.0, 0.15, 0.5), (0.0, 0.5, 0.15, 1.0)]
)
def test_a_mixing_ladder_has_a_start_both_halves_and_an_order(shares):
    with pytest.raises(ValueError, match="starts at 0"):
        Mixing(
            Score("accuracy", "id"),
            tuple((share, EVERYTHING.synthetic(share)) for share in shares),
            0.02,
        )


def test_views_of_classes_have_as_many_images_as_the_smallest_count_has():
    sizes = {data_view(DIGITS, Treatment.of(Classes(count)), 0).n for count in DIGITS.class_counts}
    assert sizes == {DIGITS.class_view_size} and data_view(DIGITS, AUTO, 0).n == DIGITS.view_size
    assert data_view(EVERYTHING, Treatment.of(Classes(2)), 0).n == EVERYTHING.view_size
