"""Effects that are too small to matter."""

import pytest

from ddiv.claim import Alike, Change, Contrast, NoWorse, Threshold, Trend
from ddiv.evidence import FALLS, RISES
from ddiv.finding.calibration import Calibration, name_of
from ddiv.finding.negligible import SMALLEST, in_unit, negligible
from ddiv.outcome import Score, Spectral
from ddiv.treatment import BASELINE, Dropout, Treatment

NORM, ACCURACY = Spectral("frobenius_norm", "encoder"), Score("accuracy", "id")
ARM = Treatment.of(Dropout(0.5))
LADDER = ((0.0, BASELINE), (0.1, Treatment.of(Dropout(0.1))), (0.5, ARM))


def calibrated(**noise: float) -> Calibration:
    return Calibration(
        study="any",
        fingerprint="",
        seeds=(0, 1),
        best="",
        accuracy={},
        margins={},
        noise=noise,
        matched={},
    )


KNOWN = calibrated(**{name_of(NORM): 0.1, name_of(ACCURACY): 0.02})


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize(
    "question, effect",
    [
        (Contrast(NORM, (ARM,), FALLS), SMALLEST * 0.1),
        (Contrast(ACCURACY, (ARM,), RISES), SMALLEST * 0.02),
        (Trend(NORM, LADDER, FALLS), SMALLEST * 0.1 / 2),  # from the lowest dose to the highest
    ],
)
def test_an_effect_below_the_smallest_of_interest_is_negligible(question, effect, sign):
    """Whatever its sign, and whichever is claimed."""
    assert negligible(question, sign * effect * 0.99, KNOWN) is True
    assert negligible(question, sign * effect * 1.01, KNOWN) is False


@pytest.mark.parametrize("direction", [RISES, FALLS])
def test_a_margin_is_not_part_of_an_effect(direction):
    question = NoWorse(ACCURACY, (ARM,), 0.05, direction)
    assert in_unit(question, direction * 0.05) == 0
    assert negligible(question, direction * 0.05 + 0.009, KNOWN) is True
    assert negligible(question, direction * 0.05 - 0.011, KNOWN) is False


@pytest.mark.parametrize(
    "question",
    [
        Threshold(NORM, BASELINE, 1.0, RISES),
        Change(NORM, BASELINE, RISES),
        Alike(NORM, (ARM,), (ARM,)),
    ],
)
def test_what_is_no_difference_between_arms_is_not_called_negligible(question):
    assert negligible(question, 0.0, KNOWN) is None


def test_without_a_spread_nothing_is_called_negligible():
    question = Contrast(NORM, (ARM,), FALLS)
    assert negligible(question, 0.0, None) is None
    assert negligible(question, 0.0, calibrated()) is None
