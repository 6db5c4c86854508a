"""Outcomes read off records: against closed forms and an independent calibration error."""

import numpy as np
import pytest

from ddiv import outcome
from ddiv.outcome import Score, Snapshot, Spectral, ece, effect, matched, value


def log_probabilities(confidences, classes=3):
    """Rows whose top class is 0 with the given confidence, the rest shared evenly."""
    rest = (1 - np.asarray(confidences)) / (classes - 1)
    return np.log(np.stack([confidences, *[rest] * (classes - 1)], axis=1))


def test_ece_of_a_hand_made_case():
    # Bins of width 1/15: .72 and .73 share one (accuracy 1/2), .95 has another (accuracy 1).
    outputs, labels = log_probabilities(np.array([0.72, 0.73, 0.95])), np.array([0, 1, 0])
    assert ece(outputs, labels) == pytest.approx((2 * abs(0.5 - 0.725) + 1 * abs(1 - 0.95)) / 3)


def test_ece_agrees_with_the_textbook_loop():
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(500, 10)) * 2
    outputs, labels = logits - np.log(np.exp(logits).sum(1, keepdims=True)), rng.integers(0, 10, 500)
    confidence, correct = np.exp(outputs).max(1), outputs.argmax(1) == labels
    expected = 0.0
    for low in np.linspace(0, 1, 16)[:-1]:
        inside = (confidence > low) & (confidence <= low + 1 / 15)
        if inside.any():
            expected += inside.mean() * abs(correct[inside].mean() - confidence[inside].mean())
    assert ece(outputs, labels) == pytest.approx(expected, abs=1e-12)


def test_a_sure_and_right_network_is_calibrated():
    assert ece(log_probabilities(np.array([1 - 1e-12] * 4)), np.zeros(4, int)) < 1e-9


def state(alphas, reliable, loss=1.0, norms=(1.0, 2.0, 3.0)) -> Snapshot:
    table = {"alpha": np.array(alphas), "frobenius_norm": np.array(norms), "reliable": np.array(reliable, float)}
    return Snapshot(table, np.array(["encoder", "encoder", "classifier"]), {"accuracy/id": 0.5, "loss/train": loss})


def test_an_unreliable_fit_does_not_enter_the_effect():
    arm, base = state([3, 99, 4], [1, 0, 1]), state([2, 5, 3.5], [1, 1, 1])
    assert effect(Spectral("alpha", "encoder"), arm, base) == 1
    assert effect(Spectral("alpha", "classifier"), arm, base) == 0.5
    assert outcome.reliability(Spectral("alpha", "encoder"), arm, base) == 0.5


def test_where_no_fit_is_reliable_all_are_used_and_that_is_told():
    arm, base = state([3, 5, 4], [0, 0, 0]), state([2, 2, 2], [1, 1, 1])
    assert effect(Spectral("alpha", "encoder"), arm, base) == 2
    assert outcome.reliability(Spectral("alpha", "encoder"), arm, base) == 0


def test_norms_are_means_over_layers():
    assert value(Spectral("frobenius_norm", "encoder"), state([1, 1, 1], [0, 0, 0])) == 1.5
    assert value(Score("accuracy", "id"), state([1, 1, 1], [1, 1, 1])) == 0.5


TRAJECTORY = [state([1, 1, 1], [1, 1, 1], loss=np.e**4), state([2, 2, 2], [1, 0, 1], loss=np.e**2),
              state([4, 4, 4], [1, 1, 1], loss=np.e**0)]


def test_matching_interpolates_in_log_loss():
    between = matched(TRAJECTORY, np.e**1)
    assert between.table["alpha"].tolist() == [3, 3, 3] and between.table["reliable"].tolist() == [1, 0, 1]
    assert matched(TRAJECTORY, np.e**4).table["alpha"][0] == 1 and matched(TRAJECTORY, np.e**0).table["alpha"][0] == 4


def test_a_loss_that_the_baseline_never_passes_is_unmatched():
    assert matched(TRAJECTORY, np.e**5) is None and matched(TRAJECTORY, np.e**-1) is None
    # Within 10 % of the last state it counts as that state.
    assert matched(TRAJECTORY, 0.95).table["alpha"][0] == 4
