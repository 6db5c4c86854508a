"""What is told in detail beside a verdict: estimates over seeds with their intervals."""

import numpy as np
import pytest
from scipy import stats

from ddiv import evidence
from ddiv.finding import answer
from ddiv.finding.estimates import RIVAL
from ddiv.report.figures.plots import plot
from ddiv.report.schema import EstimatesPlot
from tests.support.claim_cases import APPLICABLE
from tests.support.claim_worlds import SEEDS, planted


def test_intervals_are_students_and_leave_out_what_is_not_known():
    values = np.random.default_rng(1).normal(size=(6, 3))
    values[0, 2] = np.nan
    mean, low, high = evidence.student(values)
    for column in range(3):
        known = values[~np.isnan(values[:, column]), column]
        expected = stats.t.interval(0.95, len(known) - 1, known.mean(), stats.sem(known))
        assert (low[column], high[column]) == pytest.approx(expected)
        assert mean[column] == pytest.approx(known.mean())
    mean, low, high = evidence.student([[1.0, np.nan]])
    assert mean[0] == 1 and np.isnan([mean[1], *low, *high]).all()
    with pytest.raises(ValueError, match=r"\(3,\)"):
        evidence.student([1.0, 2.0, 3.0])


def told(claim: str, start: str):
    """The planted finding of a claim's first variant that begins so, and its plot."""
    case = next(
        case for case in APPLICABLE if case.claim.id == claim and case.variant.startswith(start)
    )
    reader = planted(case.question, case.study, "supported")
    finding = answer(case.asked(SEEDS), reader)
    return finding, plot(finding, reader)


def test_a_slope_is_told_by_layer_beside_the_one_that_the_optimiser_has():
    """Planted optimisers leave the spectrum as it is."""
    finding, drawn = told("q-alpha-gradient", "noise50, encoder")
    trained, rival = finding.estimates
    assert trained.seeds == len(SEEDS) and len(trained.at) == len({*trained.at}) > 1
    assert all(0 < low < value < high for value, low, high in zip(*trained[2:5]))
    assert rival.name == RIVAL and np.abs(rival.values).max() < 1e-9
    assert isinstance(drawn, EstimatesPlot) and drawn.x == trained.at and len(drawn.lines) == 2
    assert finding.derived[0].low < finding.derived[0].value < finding.derived[0].high


def test_a_ratio_is_told_over_time():
    finding, drawn = told("q-finetune-vs-scratch", "augmentation, size, frobenius_norm")
    arms, repeats = finding.estimates
    assert arms.ratio and arms.at[-1] == "end" and arms.values[-1] > 1
    assert np.isnan(repeats.values).all()  # planted repeats are the baseline
    assert drawn.ratio and drawn.xlabel == "epoch" and drawn.lines[1].y[-1] is None
