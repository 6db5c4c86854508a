"""The experiments behind claims/test_causal.py: estimators and generators where truth is known."""

import numpy as np
import pytest
from scipy.special import expit
from scipy.stats import spearmanr

from fixtures import causal_tables as ours

ROWS = 40_000


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(0)
    law = ours.truth(1.0)
    made = law.table(ours.covariates(rng, ROWS), rng)
    return made, law.ate(made.W), law


def test_the_effect_is_confounded_and_differs_from_row_to_row(table):
    made, ate, law = table
    naive = made.Y[made.A == 1].mean() - made.Y[made.A == 0].mean()
    assert abs(naive - ate) > 0.05
    assert (law.outcome(made.W, 1.0) - law.outcome(made.W, 0.0)).std() > 0.1


@pytest.mark.parametrize("right", ["both", "propensity", "outcome"])
def test_two_estimators_need_one_nuisance_only(table, right):
    made, ate, law = table
    g = np.clip(law.propensity(made.W), ours.LEAST, 1 - ours.LEAST)
    of = ours.Nuisances(g, law.outcome(made.W, 1.0), law.outcome(made.W, 0.0))
    if right == "propensity":
        of = of._replace(treated=np.full(ROWS, 0.5), untreated=np.full(ROWS, 0.3))
    if right == "outcome":
        of = of._replace(g=np.full(ROWS, 0.4))
    assert ours.aipw(made, of) == pytest.approx(ate, abs=0.02)
    assert ours.tmle(made, of) == pytest.approx(ate, abs=0.02)
    assert (abs(ours.outcome_regression(made, of) - ate) < 0.01) == (right != "propensity")
    assert (abs(ours.ipw(made, of) - ate) < 0.02) == (right != "outcome")


def test_fitted_mechanisms_are_the_law(table):
    made, ate, _ = table
    found = ours.mechanisms(made)
    assert found.ate(made.W) == pytest.approx(ate, abs=0.02)
    assert found.table(made.W, np.random.default_rng(1)).Y.mean() == pytest.approx(
        made.Y.mean(), abs=0.01
    )


def test_a_copula_keeps_columns_and_their_ranks():
    rng = np.random.default_rng(0)
    x = rng.normal(size=4000)
    z = x + rng.normal(size=4000)
    binary = (rng.random(4000) < expit(each) for each in (x, z))
    rows = np.column_stack([np.exp(x), z, *binary])
    drawn = ours.of_copula(rows, 20_000, rng)
    assert {*drawn[:, 2]} == {*drawn[:, 3]} == {0.0, 1.0}
    assert np.allclose(np.median(drawn[:, :2], axis=0), np.median(rows[:, :2], axis=0), atol=0.1)
    assert drawn[:, 2].mean() == pytest.approx(rows[:, 2].mean(), abs=0.02)
    for other in (1, 2):
        expected = spearmanr(rows[:, 0], rows[:, other]).statistic
        assert spearmanr(drawn[:, 0], drawn[:, other]).statistic == pytest.approx(
            expected, abs=0.03
        )


@pytest.mark.parametrize("how", [each for each in ours.GENERATORS if each != "again"])
def test_synthetic_tables_are_tables(table, how):
    made, ate, _ = table
    some = ours.Table(*(column[:2000] for column in made))
    drawn = ours.synthesised(some, 8000, how, np.random.default_rng(2))
    assert drawn.W.shape == (8000, 5) and {*drawn.A} == {*drawn.Y} == {0.0, 1.0}
    assert abs(drawn.A.mean() - some.A.mean()) < 0.1
    effect = ours.aipw(drawn, ours.nuisances(drawn))
    if how in ("untreated", "shuffled"):
        assert abs(effect) < 0.04
    if how == "hybrid":
        assert effect == pytest.approx(ate, abs=0.06)
