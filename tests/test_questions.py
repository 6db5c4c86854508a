"""Questions of claims, answered from made-up states in which the answer is known."""

import msgspec
import numpy as np
import pytest

from ddiv.claim import Bench, Contrast, Largest, NotApplicable, Opposite, Resemblance, Trend, Unmatched, cosine, jobs
from ddiv.evidence import FALLS, RISES, judge
from ddiv.finding import Asked
from ddiv.outcome import Score, Snapshot, Spectral, Vendi
from ddiv.profiles import profile
from ddiv.treatment import BASELINE, Augmentation, Dropout, Treatment, WeightDecay
from ddiv.trial import View

PROFILE = profile("embedded")
WORLD, DIGITS = PROFILE.studies
ALPHA = Spectral("alpha", "classifier")
METRICS = ("alpha", "entropy_raw", "frobenius_norm")
AUTO, NOISE = Treatment.of(Augmentation("auto")), Treatment.of(Augmentation("noise10"))


def state(**table) -> Snapshot:
    values = {"alpha": 3.0, "entropy_raw": 2.0, "frobenius_norm": 5.0, "reliable": 1.0, **table}
    return Snapshot({k: np.array([float(v)]) for k, v in values.items()}, np.array(["classifier"]), {"accuracy/id": values["alpha"] / 10})


def bench(states: dict, vendi: dict = {}, baseline=None) -> Bench:
    base = baseline or (lambda arm: states.get(BASELINE, state()))
    return Bench(lambda arm: states.get(arm, state()), base, lambda arm: vendi.get(arm, {"pixel": 5.0, "embedding": 5.0}))


def ladder_states(ladder, slope) -> dict:
    return {arm: state(alpha=3 + slope * i) for i, (_, arm) in enumerate(ladder)}


@pytest.mark.parametrize("slope", [0.5, -0.25, 0.0])
def test_trend_is_the_slope_per_step(slope):
    question = Trend(ALPHA, WORLD.dropout(), RISES)
    assert question.answer(bench(ladder_states(WORLD.dropout(), slope))) == pytest.approx(slope)


def test_trend_uses_the_doses_that_can_be_matched():
    ladder = WORLD.dropout()
    states = ladder_states(ladder, 0.5)

    def baseline(arm, unmatched=(ladder[-1][1],)):
        if arm in unmatched:
            raise Unmatched("no")
        return states[BASELINE]

    question = Trend(ALPHA, ladder, RISES)
    assert question.answer(bench(states, baseline=baseline)) == pytest.approx(0.5)
    with pytest.raises(Unmatched):
        question.answer(bench(states, baseline=lambda arm: baseline(arm, [arm for _, arm in ladder[2:]])))


def test_contrast_is_the_mean_difference():
    states = {AUTO: state(alpha=4), NOISE: state(alpha=2.5)}
    assert Contrast(ALPHA, (AUTO, NOISE), RISES).answer(bench(states)) == pytest.approx(0.25)
    assert Contrast(Score("accuracy", "id"), (AUTO,), RISES).answer(bench(states)) == pytest.approx(0.1)


@pytest.mark.parametrize("first, second, expected", [(1, -1, 1), (2, -0.5, 1), (1, 1, -1), (-1, -1, -1), (1, 0, 0)])
def test_opposite_is_positive_where_slopes_oppose(first, second, expected):
    states = {**ladder_states(WORLD.dropout(), first), **ladder_states(WORLD.decay(), second)}
    assert Opposite(ALPHA, WORLD.dropout(), WORLD.decay()).answer(bench(states)) == pytest.approx(expected)


def resemblance(**directions) -> float:
    arms = {"group": AUTO, "like": Treatment.of(Dropout(0.1)), "unlike": Treatment.of(WeightDecay(0.1))}
    states = {arms[name]: state(**{m: getattr(state().table[m], "item")() + d for m, d in zip(METRICS, direction)})
              for name, direction in directions.items()}
    return Resemblance(METRICS, "classifier", (AUTO,), (arms["like"],), (arms["unlike"],)).answer(bench(states))


def test_resemblance_is_a_difference_of_cosines():
    assert resemblance(group=(1, 1, -1), like=(1, 1, -1), unlike=(-1, -1, 1)) == pytest.approx(2)
    assert resemblance(group=(-1, -1, -1), like=(1, 1, -1), unlike=(-1, -1, -1)) < 0
    assert resemblance(group=(0, 0, 0), like=(1, 1, -1), unlike=(-1, -1, 1)) == 0
    assert cosine(np.zeros(3), np.ones(3)) == 0


def test_largest_is_the_lead_over_the_next():
    vendi = {BASELINE: {"pixel": 4.0}, AUTO: {"pixel": 9.0}, NOISE: {"pixel": 7.0}}
    assert Largest(Vendi("pixel"), AUTO, (NOISE,)).answer(bench({}, vendi)) == pytest.approx(2)
    assert Largest(Vendi("pixel"), NOISE, (AUTO,)).answer(bench({}, vendi)) == pytest.approx(-2)


def every_claim():
    """(id, question) of every claim in claims/ on both embedded studies, as pytest would ask it."""
    import importlib.util
    from itertools import product
    from pathlib import Path

    for path in sorted((Path(__file__).parents[1] / "claims").glob("test_*.py")):
        spec = importlib.util.spec_from_file_location(path.stem, path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        for name, test in vars(module).items():
            if hasattr(test, "claim"):
                marks = [mark.args for mark in getattr(test, "pytestmark", []) if mark.name == "parametrize"]
                rows = [[dict(zip(names.split(", "), row if ", " in names else (row,))) for row in given] for names, given in marks]
                for study, chosen in product(PROFILE.studies, product(*rows)):
                    values = {name: value for row in chosen for name, value in row.items()}
                    words = "-".join(value for value in values.values() if isinstance(value, str))
                    yield pytest.param(test, study, values, id=f"{test.claim.id}-{study.name}-{words}")


EVERY_CLAIM = list(every_claim())


def flat(study):
    """States in which no treatment does anything."""
    table = {m: np.array([2.0, 3.0]) for m in ("alpha", "hill_alpha", "entropy_raw", "entropy_normalised", "frobenius_norm",
                                               "spectral_norm", "stable_rank", "num_pl_spikes", "reliable")}
    scores = {f"{kind}/{where}": 0.5 for kind in ("accuracy", "ece") for where in ("train", "id", "ood", *study.domains)}
    same = Snapshot(table, np.array(["encoder", "classifier"]), scores)
    return Bench(lambda arm: same, lambda arm: same, lambda arm: {"pixel": 3.0, "embedding": 4.0})


@pytest.mark.parametrize("test, study, given", EVERY_CLAIM)
def test_the_baseline_in_place_of_every_treatment_is_inconclusive(test, study, given):
    question = test.ask(study=study, **given)
    effects = [question.answer(flat(study))] * 5
    assert judge(effects, question.direction).verdict == "inconclusive"


@pytest.mark.parametrize("test, study, given", EVERY_CLAIM)
def test_a_question_survives_being_written_down(test, study, given):
    asked = Asked(test.claim, study, "x", test.ask(study=study, **given), (0, 1), PROFILE.embedder, 0.05, "a::b")
    again = msgspec.json.decode(msgspec.json.encode(asked), type=Asked)
    assert again == asked
    try:
        assert again.jobs() == asked.jobs()
    except NotApplicable:
        assert study is DIGITS


def test_diversity_asks_for_views_and_trains_nothing():
    needed = jobs(Contrast(Vendi("pixel"), (AUTO,), RISES), WORLD, PROFILE.embedder, (0, 1, 2))
    assert all(isinstance(job, View) for job in needed)
    # The plain training set is one view whatever the seed.
    assert len(set(needed)) == 4


def test_out_of_distribution_claims_do_not_apply_without_domains():
    with pytest.raises(NotApplicable, match="no out-of-distribution domain"):
        jobs(Contrast(Score("accuracy", "ood"), (AUTO,), FALLS), DIGITS, PROFILE.embedder, (0,))
