"""Questions of claims, answered from made-up states in which the answer is known."""

import msgspec
import numpy as np
import pytest

from ddiv.claim import (
    Bench, Contrast, Largest, NotApplicable, Opposite, Resemblance, Trend, Unmatched, cosine, depends_on_fit, jobs)
from ddiv.evidence import FALLS, RISES
from ddiv.finding import Asked
from ddiv.outcome import DEFINITIONS, Score, Snapshot, Spectral, Vendi
from ddiv.treatment import BASELINE, Augmentation, Dropout, Treatment, WeightDecay
from ddiv.trial import View
from tests.claim_cases import CASES, DIGITS, PROFILE, WORLD

ALPHA = Spectral("alpha", "classifier")
METRICS = ("alpha", "entropy_raw", "frobenius_norm")
AUTO, NOISE = Treatment.of(Augmentation("auto")), Treatment.of(Augmentation("noise10"))


def state(**table) -> Snapshot:
    values = {"alpha": 3.0, "entropy_raw": 2.0, "frobenius_norm": 5.0, "reliable": 1.0, **table}
    return Snapshot({k: np.array([float(v)]) for k, v in values.items()}, np.array(["classifier"]),
                    {"accuracy/id": values["alpha"] / 10})


def bench(states: dict, vendi: dict = {}, baseline=None) -> Bench:
    base = baseline or (lambda arm: states.get(BASELINE, state()))
    plain = {"pixel": 5.0, "embedding": 5.0}
    return Bench(lambda arm: states.get(arm, state()), base, lambda arm: vendi.get(arm, plain))


def ladder_states(ladder, slope) -> dict:
    return {arm: state(alpha=3 + slope * i) for i, (_, arm) in enumerate(ladder)}


@pytest.mark.parametrize("slope", [0.5, -0.25, 0.0])
def test_trend_is_the_slope_per_step(slope):
    question = Trend(ALPHA, WORLD.dropout(), RISES)
    assert question.answer(bench(ladder_states(WORLD.dropout(), slope))) == pytest.approx((slope,))


def test_trend_uses_the_doses_that_can_be_matched():
    ladder = WORLD.dropout()
    states = ladder_states(ladder, 0.5)

    def baseline(arm, unmatched=(ladder[-1][1],)):
        if arm in unmatched:
            raise Unmatched("no")
        return states[BASELINE]

    question = Trend(ALPHA, ladder, RISES)
    assert question.answer(bench(states, baseline=baseline)) == pytest.approx((0.5,))
    with pytest.raises(Unmatched, match="only 1 of 4 doses"):
        question.answer(bench(states, baseline=lambda arm: baseline(arm, [arm for _, arm in ladder[2:]])))


def test_contrast_is_the_mean_difference():
    states = {AUTO: state(alpha=4), NOISE: state(alpha=2.5)}
    assert Contrast(ALPHA, (AUTO, NOISE), RISES).answer(bench(states)) == pytest.approx((0.25,))
    assert Contrast(Score("accuracy", "id"), (AUTO,), RISES).answer(bench(states)) == pytest.approx((0.1,))


def test_contrast_with_another_base_leaves_the_baseline_out():
    """Two arms at hand are compared with each other, whatever the baseline is matched to."""
    states = {AUTO: state(alpha=4), NOISE: state(alpha=2.5)}
    question = Contrast(ALPHA, (AUTO,), RISES, base=NOISE)
    assert question.answer(bench(states, baseline=lambda arm: state(alpha=99))) == pytest.approx((1.5,))
    assert list(question.arms()) == [NOISE, AUTO] and not depends_on_fit(question)
    vendi = {AUTO: {"pixel": 9.0}, NOISE: {"pixel": 7.0}}
    assert Contrast(Vendi("pixel"), (AUTO,), RISES, base=NOISE).answer(bench({}, vendi)) == pytest.approx((2.0,))


@pytest.mark.parametrize("first, second, verdict", [
    (1, -1, "supported"), (-2, 0.5, "supported"), (1, 1, "contradicted"), (-1, -1, "contradicted"),
    (1, 0, "inconclusive")])
def test_opposite_is_about_the_signs_of_two_slopes(first, second, verdict):
    states = {**ladder_states(WORLD.dropout(), first), **ladder_states(WORLD.decay(), second)}
    question = Opposite(ALPHA, WORLD.dropout(), WORLD.decay())
    effects = question.answer(bench(states))
    assert effects == pytest.approx((first, second))
    assert question.judge([effects] * 7, 0.05).verdict == verdict


def resemblance(**directions) -> float:
    arms = {"group": AUTO, "like": Treatment.of(Dropout(0.1)), "unlike": Treatment.of(WeightDecay(0.1))}
    states = {arms[name]: state(**{m: getattr(state().table[m], "item")() + d for m, d in zip(METRICS, direction)})
              for name, direction in directions.items()}
    return Resemblance(METRICS, "classifier", (AUTO,), (arms["like"],), (arms["unlike"],)).answer(bench(states))[0]


def test_resemblance_is_a_difference_of_cosines():
    assert resemblance(group=(1, 1, -1), like=(1, 1, -1), unlike=(-1, -1, 1)) == pytest.approx(2)
    assert resemblance(group=(-1, -1, -1), like=(1, 1, -1), unlike=(-1, -1, -1)) < 0
    assert resemblance(group=(0, 0, 0), like=(1, 1, -1), unlike=(-1, -1, 1)) == 0
    assert cosine(np.zeros(3), np.ones(3)) == 0


def test_largest_is_the_lead_over_each_other():
    vendi = {BASELINE: {"pixel": 4.0}, AUTO: {"pixel": 9.0}, NOISE: {"pixel": 7.0}}
    third = Treatment.of(Augmentation("noise50"))
    vendi[third] = {"pixel": 8.5}
    assert Largest(Vendi("pixel"), AUTO, (NOISE, third)).answer(bench({}, vendi)) == pytest.approx((2, 0.5))
    assert Largest(Vendi("pixel"), NOISE, (AUTO, third)).answer(bench({}, vendi)) == pytest.approx((-2, -1.5))


def test_largest_is_decided_by_the_closest_rival_and_fails_by_any():
    question = Largest(Vendi("pixel"), AUTO, (NOISE, BASELINE))
    assert question.judge([(2.0, 0.5)] * 6, 0.05).verdict == "supported"
    # One other is sometimes ahead: not known. It always is: the claim fails, a seed later than of one comparison.
    assert question.judge([(2.0, 0.5), (2.0, -0.5)] * 4, 0.05).verdict == "inconclusive"
    assert question.judge([(2.0, -0.5)] * 6, 0.05).verdict == "inconclusive"
    assert question.judge([(2.0, -0.5)] * 7, 0.05).verdict == "contradicted"


@pytest.mark.parametrize("direction", [RISES, FALLS])
@pytest.mark.parametrize("effect", [0.5, -0.5])
@pytest.mark.parametrize("make", [lambda d: Trend(ALPHA, WORLD.dropout(), d), lambda d: Contrast(ALPHA, (AUTO,), d),
                                  lambda d: Resemblance(METRICS, "classifier", (AUTO,), (NOISE,), (BASELINE,), d)])
def test_six_seeds_that_agree_decide_by_the_direction_claimed(make, direction, effect):
    expected = "supported" if effect * direction > 0 else "contradicted"
    evidence = make(direction).judge([(effect,)] * 6, 0.05)
    assert (evidence.verdict, evidence.decided_at, evidence.effects) == (expected, 6, (effect,) * 6)
    assert make(direction).judge([(effect,)] * 5, 0.05).verdict == "inconclusive"


@pytest.mark.parametrize("question", [
    Trend(ALPHA, WORLD.dropout(), FALLS), Contrast(ALPHA, (AUTO,), FALLS, NOISE),
    Opposite(ALPHA, WORLD.dropout(), WORLD.decay())])
def test_another_definition_is_the_same_question(question):
    other = question.replace_outcome(Spectral("hill_alpha", "classifier"))
    assert other == msgspec.structs.replace(question, outcome=Spectral("hill_alpha", "classifier")) != question


def flat(study):
    """States in which no treatment does anything."""
    spectral = [name for names in DEFINITIONS for name in names if not name.startswith("ece")]
    table = {m: np.array([2.0, 3.0]) for m in (*spectral, "stable_rank", "num_pl_spikes", "reliable")}
    places = ("train", "id", "ood", *study.domains)
    scores = {f"{kind}/{where}": 0.5 for kind in ("accuracy", "ece") for where in places}
    same = Snapshot(table, np.array(["encoder", "classifier"]), scores)
    return Bench(lambda arm: same, lambda arm: same, lambda arm: {"pixel": 3.0, "embedding": 4.0})


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_baseline_in_place_of_every_treatment_is_inconclusive(case):
    effects = case.question.answer(flat(case.study))
    assert not any(effects)
    assert case.question.judge([effects] * 12, 0.05).verdict == "inconclusive"


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_question_survives_being_written_down(case):
    asked = case.asked((0, 1))
    again = msgspec.json.decode(msgspec.json.encode(asked), type=Asked)
    assert again == asked
    try:
        assert again.jobs() == asked.jobs()
    except NotApplicable:
        assert case.study is DIGITS


def test_diversity_asks_for_views_and_trains_nothing():
    needed = jobs(Contrast(Vendi("pixel"), (AUTO,), RISES), WORLD, PROFILE.embedder, (0, 1, 2))
    assert all(isinstance(job, View) for job in needed)
    # The plain training set is one view whatever the seed.
    assert len(set(needed)) == 4


def test_out_of_distribution_claims_do_not_apply_without_domains():
    with pytest.raises(NotApplicable, match="no out-of-distribution domain"):
        jobs(Contrast(Score("accuracy", "ood"), (AUTO,), FALLS), DIGITS, PROFILE.embedder, (0,))
