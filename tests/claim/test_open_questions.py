"""Slopes by layer and arms from two starts, from made-up states in which the answer is known."""

import msgspec
import numpy as np
import pytest

from ddiv.claim import Bench, Slope, TwoStarts
from ddiv.claim.bench import TooFewArms
from ddiv.claim.declare import claim
from ddiv.evidence import FALLS, RISES
from ddiv.outcome import Snapshot, Spectral, Vendi
from ddiv.treatment import BASELINE, Again, Augmentation, FromScratch, Traced, Treatment
from tests.support.claim_cases import WORLD

NOISE = tuple(Treatment.of(Augmentation(f"noise{i}0")) for i in (1, 3, 5))
HILL = Spectral("hill_alpha", "encoder")
LAYERS = 5


def state(values, **more) -> Snapshot:
    """A network of five layers of an encoder."""
    names = np.array([f"layer:l{i}" for i in range(LAYERS)])
    groups = np.array([[""] * LAYERS, [""] * LAYERS, names])
    table = {"hill_alpha": values, "entropy_normalised": values, **more}
    rows = {name: np.broadcast_to(np.asarray(row, float), (LAYERS,)) for name, row in table.items()}
    return Snapshot(
        {**rows, "reliable": np.ones(LAYERS)}, np.array(["encoder"] * LAYERS), {}, groups
    )


def bench(states, vendi=None, paths=None) -> Bench:
    return Bench(
        states.__getitem__,
        lambda outcome, arm: (vendi or {})[arm],
        path=lambda arm: (paths or {}).get(arm, ()),
    )


# --- slopes -------------------------------------------------------------------------------------


def sloping(by_layer, doubling: bool = True):
    """Each arm is twice as diverse as the one before, and layers go with the log of that."""
    arms = (BASELINE, *NOISE)
    states = {arm: state(3 + i * np.log(2) * np.asarray(by_layer)) for i, arm in enumerate(arms)}
    return bench(states, {arm: 10 * 2.0 ** (i * doubling) for i, arm in enumerate(arms)})


def test_the_slope_is_per_unit_of_the_log_of_the_score_of_each_layer_and_of_the_median_one():
    by_layer = [0.5, -1, 2, 1, 0]
    question = Slope(HILL, Vendi("pixel"), NOISE, RISES)
    assert question.answer(sloping(by_layer)) == pytest.approx((0.5,))
    (curve,) = question.told(sloping(by_layer))
    assert curve.at == ("l0", "l1", "l2", "l3", "l4") and curve.values == pytest.approx(by_layer)
    assert question.has_specific and question.judge([(0.5,)] * 6, 0.05).verdict == "supported"
    falls = Slope(HILL, Vendi("pixel"), NOISE, FALLS)
    assert falls.judge([(0.5,)] * 6, 0.05).verdict == "contradicted"
    assert question.derived([(0.5,), (0.7,)])[0].value == pytest.approx(0.6)


def test_arms_that_are_all_as_diverse_have_no_slope():
    question = Slope(HILL, Vendi("pixel"), NOISE, RISES)
    assert question.answer(sloping([1] * 5, doubling=False)) == (0.0,)


def test_a_slope_needs_a_gradient():
    with pytest.raises(TooFewArms, match="2 arms or more, got 1"):
        Slope(HILL, Vendi("pixel"), NOISE[:1], RISES)


# --- two starts ---------------------------------------------------------------------------------

FINE, SCRATCH = NOISE[0] + Traced(), NOISE[0] + Traced() + FromScratch()
BASES = BASELINE, Treatment.of(Traced(), FromScratch())
REPEATS = Treatment.of(Again(1), Traced()), Treatment.of(Again(1), Traced(), FromScratch())
PROFILE = np.array([0.1, 0.3, -0.2, 0.5, 0.0])


def asked(compared, *, times=()) -> TwoStarts:
    metrics = ("hill_alpha", "entropy_normalised") if compared == "direction" else ("hill_alpha",)
    return TwoStarts(compared, metrics, "encoder", (FINE,), (SCRATCH,), BASES, REPEATS, times)


def started(fine, scratch, still=0.0, idle=0.0) -> dict:
    """States by their log effects; from scratch all is twice as large to begin with."""
    effects = {BASES[0]: 0, BASES[1]: 0, FINE: fine, SCRATCH: scratch}
    effects |= {REPEATS[0]: still, REPEATS[1]: idle}
    return {
        arm: state((6 if arm.part(FromScratch) else 3) * np.exp(np.zeros(LAYERS) + effect))
        for arm, effect in effects.items()
    }


def test_size_is_the_excess_of_the_mean_square_from_scratch_beyond_repeats():
    question = asked("size")
    assert question.answer(bench(started(0.3, 0.5))) == pytest.approx((0.4,))
    assert question.answer(bench(started(0.5, -0.3))) == pytest.approx((-0.4,))
    # As much more as repeats do more: nothing.
    assert question.answer(bench(started(0.3, 0.5, still=0.0, idle=0.4))) == pytest.approx(
        (0.0,), abs=1e-7
    )
    assert question.answer(bench(started(0.0, 0.3, idle=0.5))) == pytest.approx((-0.4,))


def test_layers_are_compared_by_rank_whatever_the_size():
    question = asked("layers")
    assert question.answer(bench(started(PROFILE, 7 * PROFILE + 1))) == pytest.approx((1.0,))
    assert question.answer(bench(started(PROFILE, -PROFILE))) == pytest.approx((-1.0,))
    both = started(PROFILE, PROFILE, still=PROFILE, idle=PROFILE)
    assert question.answer(bench(both)) == pytest.approx((0.0,))
    curves = question.told(bench(started(PROFILE, 2 * PROFILE)))
    assert [curve.name for curve in curves] == ["fine-tuned", "from scratch"]
    assert curves[1].values == pytest.approx(2 * PROFILE)


def test_direction_is_the_mean_cosine_over_time():
    question = asked("direction", times=(0.5,))
    end = started(PROFILE, PROFILE)
    first = started(PROFILE, -PROFILE)
    paths = {arm: (at,) for arm, at in first.items()}
    assert question.answer(bench(end)) == pytest.approx((1.0,))
    assert question.answer(bench(end, paths=paths)) == pytest.approx((0.0,), abs=1e-12)
    arms, repeats = question.told(bench(end, paths=paths))
    assert arms.at == ("0.5", "end") and arms.values == pytest.approx((-1, 1))
    assert repeats.values == (0.0, 0.0)


def test_the_ratio_is_told_over_time_and_is_not_known_where_an_arm_did_nothing():
    question = asked("size", times=(0.5,))
    end, first = started(0.2, 0.6), started(0.2, 0.1)
    paths = {arm: (at,) for arm, at in first.items()}
    arms, repeats = question.told(bench(end, paths=paths))
    assert arms.ratio and np.exp(arms.values) == pytest.approx((0.5, 3))
    assert np.isnan(repeats.values).all()


def test_a_layer_without_a_value_in_any_arm_is_left_out():
    states = started(0.3, 0.5)
    values = states[SCRATCH].table["hill_alpha"].copy()
    values[0] = np.nan
    states[SCRATCH] = state(values)
    assert asked("size").answer(bench(states)) == pytest.approx((0.4,))


def test_each_arm_has_one_from_scratch():
    with pytest.raises(TooFewArms, match="got 1 and 2"):
        TwoStarts("size", ("hill_alpha",), "encoder", (FINE,), (SCRATCH,) * 2, BASES, REPEATS)


def test_repeats_in_place_of_arms_are_ahead_as_often_as_behind():
    """Also where training from scratch is far noisier, which a plain ratio would take for more."""
    draws = np.random.default_rng(0)
    ahead = dict.fromkeys(("size", "layers", "direction"), 0)
    for _ in range(400):
        noise = [scale * draws.normal(size=LAYERS) for scale in (0.01, 0.1, 0.01, 0.1)]
        at = bench(started(noise[0], noise[1], still=noise[2], idle=noise[3]))
        for compared in ahead:
            ahead[compared] += asked(compared).answer(at)[0] > 0
    assert all(140 < count < 240 for count in ahead.values()), ahead


def test_a_study_may_name_the_claims_that_alone_are_put_to_it():
    @claim("mine", "It is so.", source="ours")
    def test_mine(study):
        return None

    assert test_mine.applies(WORLD)
    assert test_mine.applies(msgspec.structs.replace(WORLD, only=("other", "mine")))
    assert not test_mine.applies(msgspec.structs.replace(WORLD, only=("other",)))


def test_nothing_is_told_of_a_rival_where_none_is_known():
    assert not asked("size").told_of_rivals and not asked("size").has_specific
