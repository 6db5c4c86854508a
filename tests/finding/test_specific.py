"""What is specific: on planted records, in which arms lie on, beside and beyond the two curves."""

from dataclasses import replace

import msgspec
import numpy as np
import pytest

from ddiv.claim import Agreement, AsFar, Contrast, Resemblance, Trend
from ddiv.claim.bench import Unmatched
from ddiv.evidence import FALLS, RISES
from ddiv.finding import Reader, SeedBench, answer
from ddiv.finding.calibration import name_of
from ddiv.finding.specific import LOSS_FLOOR, benches, nearest, shrunk
from ddiv.outcome import Score, Spectral, effect, value
from ddiv.study.optimisation import MEMBERS
from ddiv.treatment import (
    BASELINE,
    Augmentation,
    Dropout,
    Length,
    NoOp,
    Rate,
    Treatment,
    WeightDecay,
)
from ddiv.trial import trial
from tests.support import planted
from tests.support.planted import EXACT, Levels, with_five_eigenvalues
from tests.support.smoke import STUDY, ask

NORM = Spectral("frobenius_norm", "encoder")
STRONG = Treatment.of(WeightDecay(0.1))
WEAK = Treatment.of(WeightDecay(1e-3))
NO_OP = Treatment.of(NoOp())
SHRINKS = Contrast(NORM, (STRONG,), FALLS)
SEEDS = tuple(range(8))

# The clean loss of each member and its scale: the same losses on both curves, by other scales.
FAMILY = {
    Treatment.of(Rate(0.25)): (1.0, -3.0),
    Treatment.of(Rate(0.5)): (0.1, -2.0),
    BASELINE: (0.01, 0.0),
    Treatment.of(Rate(2.0)): (0.002, 1.0),
    Treatment.of(Length(0.4)): (1.0, -3.0),
    Treatment.of(Length(0.7)): (0.1, -1.0),
    Treatment.of(Length(1.5)): (0.002, 1.0),
    NO_OP: (0.01, 0.0),
}


class Planted(Reader):
    """Planted records, and a calibration."""

    def __init__(self, records, calibration=EXACT):
        super().__init__(None, records)
        self.given = calibration

    def calibration(self, study):
        return self.given, "" if self.given else "it says how to get one"


def of(arm, seed, loss, levels):
    levels = Levels(scale=levels) if isinstance(levels, float) else levels
    made = planted.record(trial(STUDY, arm, seed), STUDY, levels)
    return replace(made, facts={**made.facts, "clean": {"loss": loss, "accuracy": 1.0}})


def reader(arms, calibration=EXACT, family=None, seeds=SEEDS):
    """`arms` and the members of the family with a loss and levels, or such pairs by seed."""
    records = {}
    for arm, given in ((FAMILY | (family or {})) | arms).items():
        for seed in seeds:
            loss, levels = given[seed] if isinstance(given, list) else given
            records[trial(STUDY, arm, seed)] = of(arm, seed, loss, levels)
    return Planted(records, calibration)


def margins(**by_metric):
    """A calibration with these margins of the encoder's metrics."""
    known = {name_of(Spectral(metric, "encoder")): by for metric, by in by_metric.items()}
    return msgspec.convert(msgspec.to_builtins(EXACT) | {"margins": known}, planted.Calibration)


def norm(scale: float) -> float:
    return value(NORM, planted.trained(STUDY, False, Levels(scale=scale)).after)


def found(question, arms, calibration=EXACT, family=None, seeds=SEEDS):
    return answer(ask(question, seeds=seeds), reader(arms, calibration, family, seeds))


def specific_effect(loss, scale, **more):
    (row, *_) = found(SHRINKS, {STRONG: (loss, scale)}, **more).specific_effects
    return row[0]


# --- one arm against two curves -------------------------------------------------------------------


def test_between_the_two_curves_nothing_is_specific():
    """At a loss of .1 the curves are at scales of -2 and -1."""
    assert specific_effect(0.1, -1.5) == 0
    finding = found(SHRINKS, {STRONG: (0.1, -1.5)})
    assert finding.evidence.verdict == "supported" and finding.specific.verdict == "inconclusive"
    assert finding.specific_note is None and finding.specific_unmatched == ()


@pytest.mark.parametrize("scale, curve", [(0.0, -1.0), (-3.0, -2.0)])
def test_beyond_both_the_nearer_curve_counts(scale, curve):
    assert specific_effect(0.1, scale) == pytest.approx(norm(scale) - norm(curve))


def test_a_margin_shrinks_an_effect_and_hides_a_small_one():
    whole = norm(-3.0) - norm(-2.0)
    half = margins(frobenius_norm=abs(whole) / 2)
    assert specific_effect(0.1, -3.0, calibration=half) == pytest.approx(whole / 2)
    assert specific_effect(0.1, -3.0, calibration=margins(frobenius_norm=2 * abs(whole))) == 0


def test_between_members_a_curve_is_linear_in_the_logarithm_of_loss():
    middle = 10**-1.5  # half-way between .1 and .01 on both curves
    assert specific_effect(middle, 0.0) == pytest.approx(
        norm(0.0) - (norm(-1.0) + norm(0.0)) / 2, rel=1e-9
    )


def test_a_curve_that_passes_a_loss_twice_must_be_left_behind_twice():
    """The highest rate fits worse again, with large weights: at .1 the curve is at -2 and at 1."""
    bent = {Treatment.of(Rate(2.0)): (0.1, 1.0)}
    assert specific_effect(0.1, 0.0, family=bent) == 0
    assert specific_effect(0.1, 2.0, family=bent) == pytest.approx(norm(2.0) - norm(1.0))


@pytest.mark.parametrize(
    "loss, said",
    [
        (2.0, "decay 0.1: no learning rate leads to its clean loss 2"),
        (0.0015, "no learning rate leads to its clean loss 0.0015"),
        (LOSS_FLOOR / 2, "its clean loss 0.0005 lies below 0.001"),
        (0.0, "its clean loss 0 lies below 0.001"),
    ],
)
def test_an_arm_beyond_the_curves_or_below_the_floor_cannot_be_matched(loss, said):
    finding = found(SHRINKS, {STRONG: (loss, -3.0)})
    assert finding.evidence.verdict == "supported" and finding.specific.verdict == "inconclusive"
    assert set(finding.specific_effects) == {(0.0,)} and finding.specific_unmatched == SEEDS
    assert finding.specific_note.startswith("cannot be matched at 8 of 8 seeds (seed 0: ")
    assert said in finding.specific_note


@pytest.mark.parametrize("lost, verdict", [(3, "supported"), (4, "inconclusive")])
def test_up_to_a_quarter_of_the_seeds_may_be_ties(lost, verdict):
    """After nine seeds that agree, which decide it."""
    seeds = range(9 + lost)
    arms = {STRONG: [(0.1 if seed < 9 else 9.0, -3.0) for seed in seeds]}
    finding = found(SHRINKS, arms, seeds=tuple(seeds))
    assert finding.specific.n == 9 + lost and finding.specific.verdict == verdict
    assert finding.specific_unmatched == tuple(seeds[9:]) and "9.0" not in finding.specific_note
    assert set(finding.specific_effects[9:]) == {(0.0,)}
    counted = "which count as no effect" in finding.specific_note
    assert counted == (verdict == "supported")


def test_a_member_of_the_family_is_compared_with_the_others():
    """With itself in the curve it would be on it; here it is off the line through the others."""
    slower = Treatment.of(Rate(0.5))
    off = {slower: (0.1, 2.0)}
    finding = found(Contrast(NORM, (slower,), RISES), {}, family=off)
    line = (norm(-3.0) + norm(0.0)) / 2  # of the rates x .25 and x 1 at a loss of .1
    expected = nearest([norm(2.0) - line, norm(2.0) - norm(-1.0)])
    assert finding.specific_effects[0] == pytest.approx((expected,)) and expected > 0
    end = Treatment.of(Rate(0.25))
    assert found(Contrast(NORM, (end,), FALLS), {}).specific_unmatched == SEEDS  # none beyond it


def test_a_regulariser_is_specific_and_a_slower_optimiser_is_not():
    at_same_loss = found(SHRINKS, {STRONG: [(0.01, -1.0 - 0.1 * seed) for seed in SEEDS]})
    assert at_same_loss.evidence.verdict == at_same_loss.specific.verdict == "supported"
    slower = Treatment.of(Rate(0.7))
    on_curve = found(Contrast(NORM, (slower,), FALLS), {slower: (10**-1.5, -0.9)})
    assert on_curve.evidence.verdict == "supported" and on_curve.specific.verdict == "inconclusive"
    assert set(on_curve.specific_effects) == {(0.0,)}


@pytest.mark.parametrize("best, expected", [("baseline", 0.05), ("rate x 0.5", 0.0)])
def test_accuracy_must_go_beyond_the_most_accurate_optimiser_too(best, expected):
    """The arm gains .05 on all curves at its loss; the rate that one would choose gains .1."""
    score, slower = Score("accuracy", "id"), Treatment.of(Rate(0.5))
    chosen = msgspec.structs.replace(EXACT, best=best)
    arms = {STRONG: (0.01, Levels(accuracy=1.0)), slower: (0.1, Levels(accuracy=2.0))}
    finding = found(Contrast(score, (STRONG,), RISES), arms, chosen)
    assert finding.effects[0] == pytest.approx((0.05,))
    assert finding.specific_effects[0] == pytest.approx((expected,))
    # A spectrum has no better and worse, so nothing is chosen by it.
    assert found(SHRINKS, {STRONG: (0.01, -1.0)}, chosen).specific.verdict == "supported"
    # Asked about itself, the chosen one is no rival of its own.
    itself = found(
        Contrast(score, (slower,), RISES), arms, msgspec.structs.replace(EXACT, best=slower.label)
    )
    assert itself.specific_effects[0][0] > 0


# --- several arms ---------------------------------------------------------------------------------


def test_a_trend_of_one_unmatched_dose_is_a_tie():
    ladder = ((0.0, BASELINE), (1e-3, WEAK), (0.1, STRONG))
    trend = Trend(NORM, ladder, FALLS)
    whole = found(trend, {WEAK: (0.01, -1.0), STRONG: (0.01, -2.0)})
    assert np.allclose(whole.specific_effects, whole.effects)
    lost = found(trend, {WEAK: (0.01, -1.0), STRONG: (5.0, -2.0)})
    assert set(lost.specific_effects) == {(0.0,)} and "decay 0.1" in lost.specific_note


def test_sizes_are_those_of_what_is_specific():
    arms = {WEAK: (0.01, -1.0), STRONG: (0.01, -3.0), NO_OP: (0.1, -1.5)}
    question = AsFar(("frobenius_norm",), "encoder", (STRONG,), (WEAK, NO_OP))
    finding = found(question, arms)
    assert finding.specific_effects[0][1] < 0 < finding.specific_effects[0][0]
    only = found(AsFar(("frobenius_norm",), "encoder", (WEAK,), (NO_OP, STRONG)), arms)
    assert only.specific.verdict == "supported"  # NO_OP's effect is none beyond the curves


# --- directions -----------------------------------------------------------------------------------

METRICS = ("frobenius_norm", "spectral_norm")
AUTO, DROPPED = Treatment.of(Augmentation("auto")), Treatment.of(Dropout(0.05))


def agreement(arms, **more):
    question = Agreement(METRICS, "encoder", (AUTO,), (DROPPED,), NO_OP)
    return found(question, arms, **more)


def test_two_groups_beyond_both_curves_agree_or_oppose():
    same = agreement({AUTO: (0.1, -3.0), DROPPED: (0.1, -2.9)})
    assert same.specific.verdict == "supported" and same.specific_effects[0] == pytest.approx((1,))
    apart = agreement({AUTO: (0.1, -3.0), DROPPED: (0.1, 0.5)})
    assert apart.specific_effects[0] == pytest.approx((-1,))


def test_groups_between_the_curves_have_no_direction():
    """Half-way between the curves one is above the one and below the other: against one curve each
    they would oppose, whichever way round.
    """
    finding = agreement({AUTO: (0.1, -1.5), DROPPED: (0.1, -1.5)})
    assert finding.evidence.verdict == "supported"
    assert set(finding.specific_effects) == {(0.0,)}


def test_what_is_within_the_margin_has_no_direction():
    gap = 2 * abs(norm(-3.0) - norm(-2.0))
    calibration = margins(frobenius_norm=gap, spectral_norm=10.0)
    finding = agreement({AUTO: (0.1, -3.0), DROPPED: (0.1, -3.0)}, calibration=calibration)
    assert set(finding.specific_effects) == {(0.0,)}


def test_the_groups_are_compared_with_one_curve_each_and_then_with_the_other():
    at = {AUTO: (0.01, -3.0), DROPPED: (0.01, -3.0), NO_OP: (0.01, 1.0)}
    seat = SeedBench(reader(at), STUDY, 0)
    question = Agreement(METRICS, "encoder", (AUTO,), (DROPPED,), NO_OP)
    first, swapped = benches(seat, question, EXACT)
    rates, lengths = norm(-3.0) - norm(0.0), norm(-3.0) - norm(1.0)  # the latter through the no-op
    for bench, own, other in ((first, rates, lengths), (swapped, lengths, rates)):
        assert bench.vector([NORM], (AUTO,)) == pytest.approx([own])
        assert bench.vector([NORM], (DROPPED,), NO_OP) == pytest.approx([other])
    assert len(benches(seat, SHRINKS, EXACT)) == 1


def test_too_many_unmatched_arms_of_a_group_are_a_tie():
    group = tuple(Treatment.of(Augmentation(name)) for name in ("auto", "rand", "noise10"))
    arms = dict.fromkeys(group, (0.01, -2.0)) | {DROPPED: (0.01, -2.0), STRONG: (0.01, 2.0)}
    question = Resemblance(METRICS, "encoder", group, (DROPPED,), (STRONG,))
    assert found(question, arms).specific_unmatched == ()
    lost = found(question, arms | {group[0]: (7.0, -2.0)})
    assert lost.specific_unmatched == SEEDS and "auto" in lost.specific_note
    (bench, _) = benches(
        SeedBench(reader(arms | {group[0]: (7.0, -2.0)}), STUDY, 0), question, EXACT
    )
    with pytest.raises(Unmatched):
        bench.vector([NORM], group)


# --- where there is none --------------------------------------------------------------------------


def test_without_a_calibration_or_a_margin_there_is_none_and_that_is_told():
    none = found(SHRINKS, {STRONG: (0.01, -1.0)}, calibration=None)
    assert (none.specific, none.calibration) == (None, None)
    assert none.specific_note == "it says how to get one"
    lacking = found(SHRINKS, {STRONG: (0.01, -1.0)}, margins(alpha=1.0))
    assert lacking.specific is None and lacking.calibration is not None
    assert lacking.specific_note == "the calibration has no margin for frobenius norm (encoder)"


def test_where_too_few_optimisers_are_matched_the_note_says_so():
    few = msgspec.structs.replace(margins(), matched={"rate x 0.7": 3, "length x 0.85": 7})
    assert found(SHRINKS, {STRONG: (0.01, -1.0)}, few).specific_note == (
        "the calibration has no margin for frobenius norm (encoder): of 16 optimisers held out 10 "
        "could be matched, 20 are needed"
    )


@pytest.mark.parametrize(
    "calibration, told",
    [
        (None, "it says how to get one"),
        (margins(alpha=1.0), "the calibration has no margin for frobenius norm (encoder)"),
        (EXACT, "ask the claims once more"),
    ],
)
def test_where_no_calibration_serves_no_member_of_the_family_is_needed(calibration, told):
    asked = msgspec.structs.replace(ask(SHRINKS, seeds=SEEDS), matched=False)
    alone = {job.treatment for job in asked.jobs()}
    assert alone == {BASELINE, STRONG}
    with_family = {job.treatment for job in ask(SHRINKS, seeds=SEEDS).jobs()}
    assert with_family == alone | {*MEMBERS}
    records = {
        trial(STUDY, arm, seed): of(arm, seed, 0.01, -1.0) for arm in alone for seed in SEEDS
    }
    finding = answer(asked, Planted(records, calibration))
    assert finding.specific is None and told in finding.specific_note


def test_what_is_not_asked_against_the_baseline_has_none():
    finding = found(
        Contrast(NORM, (STRONG,), FALLS, base=WEAK), {STRONG: (0.01, -1.0), WEAK: (0.01, 1.0)}
    )
    assert (finding.specific, finding.specific_note, finding.specific_effects) == (None, None, ())


def test_a_verdict_on_fits_that_cannot_be_relied_on_is_withheld():
    """The arm's fits and the baseline's are good; those of its rivals are not."""
    whole = reader({STRONG: (0.1, Levels(exponent=2.0))})
    rivals = [arm for arm, (loss, _) in FAMILY.items() if loss == 0.1]
    for arm in rivals:
        for seed in SEEDS:
            job = trial(STUDY, arm, seed)
            whole.add({job: with_five_eigenvalues(whole.record(job))})
    finding = answer(
        ask(Contrast(Spectral("alpha", "classifier"), (STRONG,), RISES), seeds=SEEDS), whole
    )
    assert not finding.withheld and finding.specific.verdict == "inconclusive"
    assert min(finding.specific.effects) > 0
    assert "only 0% of the fits compared can be relied on" in finding.specific_note


def test_a_claim_is_judged_by_the_verdict_that_it_names():
    question, arms = SHRINKS, {STRONG: (0.1, -1.5)}
    asked = ask(question, seeds=SEEDS)
    by = msgspec.structs.replace(asked.claim, judged_by="specific")
    specific = answer(msgspec.structs.replace(asked, claim=by), reader(arms))
    assert specific.evidence.verdict == "supported" and specific.judged == specific.specific
    assert specific.judged_effects == specific.specific_effects
    claimed = answer(asked, reader(arms))
    assert claimed.judged == claimed.evidence and claimed.judged_effects == claimed.effects
    without = answer(msgspec.structs.replace(asked, claim=by), reader(arms, None))
    assert without.judged.verdict == "inconclusive" and without.judged.n == len(SEEDS)


@pytest.mark.parametrize(
    "values, expected",
    [([1, 2], 1), ([-3, -2], -2), ([-1, 2], 0), ([0, 2], 0), ([1, 2, -4], 0), ([5], 5)],
)
def test_of_several_distances_the_nearest_counts_if_all_have_its_sign(values, expected):
    assert nearest(values) == expected


def test_a_distance_that_has_no_value_stays_without_one():
    assert np.isnan(nearest([1.0, np.nan]))
    assert [shrunk(by, 1.0) for by in (3.0, -3.0, 0.5, -0.5, 0.0)] == [2.0, -2.0, 0.0, 0.0, 0.0]


def test_effects_of_layers_are_taken_layer_by_layer():
    """The encoder has two layers whose norms differ; a curve's state has both, mixed."""
    seat = SeedBench(reader({STRONG: (10**-1.5, 0.0)}), STUDY, 0)
    (bench,) = benches(seat, SHRINKS, EXACT)
    pairs = [*bench.compared(STRONG)]
    assert len(pairs) == 2
    for state, rival in pairs:
        assert rival.layers(NORM).shape == state.layers(NORM).shape
        ratio = rival.layers(NORM) / state.layers(NORM)
        assert np.ptp(ratio) < 1e-9 and ratio.max() < 1 and effect(NORM, state, rival) > 0
