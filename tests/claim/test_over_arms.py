"""Questions about many arms at once that a single network tells badly, or that chance alone could
answer.
"""

import numpy as np
import pytest

from ddiv.claim import Bench, Change, Correlation, Disagreement, Exhibited, NotApplicable, Threshold
from ddiv.evidence import FALLS, RISES
from ddiv.outcome import Snapshot, Spectral, Vendi
from ddiv.spectra.phase import PHASES
from ddiv.treatment import BASELINE, Augmentation, BatchSize, Dropout, OtherSeed, Treatment
from ddiv.treatment.names import AUGMENTATIONS

ALPHA, PHASE = Spectral("alpha", "classifier"), Spectral("phase", "classifier")
RATES = tuple(Treatment.of(Dropout(rate)) for rate in (0.1, 0.2, 0.3, 0.4))
ARMS = tuple(Treatment.of(Augmentation(name)) for name in AUGMENTATIONS[:6])
AGAIN = tuple(arm + OtherSeed() for arm in ARMS)
LADDER = tuple((size, Treatment.of(BatchSize(size))) for size in (2, 4, 8, 16, 32, 64))


def state(**table: float) -> Snapshot:
    columns = {"alpha": 3.0, "reliable": 1.0, **table}
    return Snapshot(
        {name: np.array([value]) for name, value in columns.items()}, np.array(["classifier"]), {}
    )


def of_states(after: dict, before: Snapshot | None = None) -> Bench:
    return Bench(after.__getitem__, lambda outcome, arm: np.nan, lambda arm: before or state())


def of_scores(pixel: dict, embedding: dict) -> Bench:
    scores = {"pixel": pixel, "embedding": embedding}
    return Bench(lambda arm: state(), lambda outcome, arm: scores[outcome.space][arm])


def test_one_exponent_of_many_does_not_decide():
    """The baseline's fit has gone astray; the median over the networks has not."""
    alphas = dict(zip((BASELINE, *RATES), (31.0, 3.0, 4.0, np.nan, 5.0)))
    bench = of_states({arm: state(alpha=alpha) for arm, alpha in alphas.items()}, state(alpha=8.0))
    alone = Threshold(ALPHA, BASELINE, 6.0, FALLS)
    together = Threshold(ALPHA, BASELINE, 6.0, FALLS, also=RATES)
    assert alone.answer(bench) == (25.0,)
    assert together.answer(bench) == (4.5 - 6.0,)
    assert [*together.arms()] == [BASELINE, *RATES] and "median over 5 arms" in together.method
    assert len([*together.compared(bench)]) == 5
    assert Change(ALPHA, BASELINE, FALLS).answer(bench) == (23.0,)
    assert Change(ALPHA, BASELINE, FALLS, also=RATES).answer(bench) == (4.5 - 8.0,)
    start = Threshold(ALPHA, BASELINE, 6.0, RISES, "before", RATES)
    assert start.answer(bench) == (2.0,)
    nothing = of_states(dict.fromkeys((BASELINE, *RATES), state(alpha=np.nan)))
    assert np.isnan(together.answer(nothing)).all()


def of_phases(*numbers: float) -> Bench:
    return of_states({arm: state(phase=phase) for (_, arm), phase in zip(LADDER, numbers)})


def test_each_value_has_to_be_exhibited():
    question = Exhibited(PHASE, LADDER, PHASES)
    everything, most = of_phases(5, 4, 3, 2, 1, 0), of_phases(5, 4, 3, 2, np.nan, 0)
    assert question.answer(everything) == (1.0,) * 6
    assert question.answer(most) == (1.0, -1.0, 1.0, 1.0, 1.0, 1.0)

    def judged(*benches):
        return question.judge([question.answer(bench) for bench in benches], 0.05)

    assert judged(*[everything] * 7).verdict == "supported"
    assert judged(*[most] * 8).verdict == "contradicted"
    assert judged(*[everything, most] * 4).verdict == "inconclusive"
    assert judged(*[most] * 8).effect == -1.0  # the rarest is the one shown
    shares = {
        found.name: (found.value, found.low, found.high)
        for found in question.derived([question.answer(bench) for bench in [everything, most] * 4])
    }
    assert shares["share of seeds with heavy-tailed"] == (1.0, 1.0, 1.0)
    value, low, high = shares["share of seeds with bleeding-out"]
    assert low < value == 0.5 < high
    assert not question.has_specific and [*question.arms()] == [arm for _, arm in LADDER]
    with pytest.raises(NotApplicable, match="as many rungs, got 5"):
        Exhibited(PHASE, LADDER[:5], PHASES)


def ranked(first: list, again: list) -> dict:
    return dict(zip((*ARMS, *AGAIN), (*first, *again)))


UP, DOWN, NEARLY = [*range(6)], [*range(6)][::-1], [1, 0, 2, 3, 5, 4]


def test_scores_disagree_if_they_rank_otherwise_than_each_does_again():
    question = Disagreement(Vendi("pixel"), Vendi("embedding"), ARMS, AGAIN)
    assert [*question.arms()] == [*ARMS, *AGAIN]
    opposite = of_scores(ranked(UP, UP), ranked(DOWN, DOWN))
    assert question.answer(opposite) == pytest.approx((2.0,))
    # Each ranks the arms a little otherwise on the other draw: below 1, and no disagreement.
    noisy = of_scores(ranked(UP, NEARLY), ranked(NEARLY, UP))
    assert question.answer(noisy) == pytest.approx((np.corrcoef(UP, NEARLY)[0, 1] - 1,))
    assert question.answer(of_scores(ranked(UP, UP), ranked(UP, UP))) == (0.0,)
    # A score that ranks at random disagrees with itself as well.
    random = of_scores(ranked(UP, UP), ranked(UP, DOWN))
    assert question.answer(random)[0] == pytest.approx(-1.0)
    constant = of_scores(ranked(UP, UP), ranked([1.0] * 6, UP))
    assert question.answer(constant) == (0.0,)
    with pytest.raises(ValueError, match="got 5 for 6"):
        Disagreement(Vendi("pixel"), Vendi("embedding"), ARMS, AGAIN[:5])


@pytest.mark.parametrize("lacking", [np.nan, np.inf])
def test_a_seed_at_which_an_arm_has_no_value_has_no_correlation(lacking):
    question = Correlation(Vendi("pixel"), Vendi("embedding"), ARMS, 0.0)
    told = of_scores(ranked(UP, UP), ranked(UP, UP))
    assert question.answer(told) == pytest.approx((1.0,))
    assert question.answer(of_scores(ranked([lacking, *UP[1:]], UP), ranked(UP, UP))) == (0.0,)


def test_scores_that_follow_one_ranking_with_noise_do_not_disagree():
    """The bar can fail, and does not fall the other way by chance: of two scores of one ranking,
    at most half of the seeds say that they disagree.
    """
    rng, question = (
        np.random.default_rng(0),
        Disagreement(Vendi("pixel"), Vendi("embedding"), ARMS, AGAIN),
    )

    def drawn(noise: float) -> dict:
        return ranked(*(np.arange(6) + rng.normal(size=(2, 6)) * noise))

    for one, other in ((1.0, 1.0), (0.3, 3.0), (3.0, 3.0)):
        effects = [question.answer(of_scores(drawn(one), drawn(other)))[0] for _ in range(400)]
        assert np.mean(np.array(effects) > 0) < 0.5


def test_a_correlation_of_the_other_sign_is_told_from_none():
    question = Correlation(Vendi("pixel"), Vendi("embedding"), ARMS, 0.5)
    (against,) = question.derived(
        [question.answer(of_scores(ranked(UP, UP), ranked(DOWN, UP)))] * 3
    )
    assert against.name == "Spearman correlation, mean over seeds" and against.value == -1.0
    (weak,) = question.derived([(0.1 - 0.5,), (-0.1 - 0.5,), (0.0,)])
    assert weak.value == pytest.approx(0.0) and weak.low < 0 < weak.high
    assert question.derived([(0.0,)]) == ()  # no seed with a correlation
