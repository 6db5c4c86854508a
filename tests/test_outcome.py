"""Outcomes read off records: against closed forms and an independent calibration error."""

import numpy as np
import pytest

from ddiv import outcome
from ddiv.outcome import Score, Snapshot, Spectral, definitions, ece, effect, matched, value


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


def alphas(match) -> list[float]:
    return [float(state.table["alpha"][0]) for state in match]


def test_matching_interpolates_in_log_loss_and_keeps_the_checkpoints_around():
    match = matched(TRAJECTORY, np.e**1)
    assert match.between.table["alpha"].tolist() == [3, 3, 3] and match.between.table["reliable"].tolist() == [1, 0, 1]
    assert alphas(match) == [2, 3, 4]
    assert alphas(matched(TRAJECTORY, np.e**4)) == [1, 1, 1] and alphas(matched(TRAJECTORY, np.e**0)) == [4, 4, 4]


def test_a_loss_that_the_baseline_never_passes_is_unmatched():
    assert matched(TRAJECTORY, np.e**5) is None and matched(TRAJECTORY, np.e**-1) is None
    # Within 10 % of the last state it counts as that state, and where in between is not known.
    assert alphas(matched(TRAJECTORY, 0.95)) == [2, 4, 4]


def test_definitions_begin_with_the_one_asked_for():
    names = [one.metric for one in definitions(Spectral("hill_alpha", "classifier"))]
    assert names[0] == "hill_alpha" and set(names) == {"alpha", "hill_alpha", "hill_alpha_half"}
    both = definitions(Spectral("alpha", "encoder"), convolutions=True)
    assert len(both) == 6 and {one.convolution for one in both} == {"pooled", "flat"}
    assert definitions(Spectral("stable_rank", "encoder")) == [Spectral("stable_rank", "encoder")]
    assert [one.kind for one in definitions(Score("ece", "id"))] == ["ece", "ece_mass"]


def test_a_convolution_counts_under_one_matricisation():
    table = {"spectral_norm": np.array([1.0, 10.0, 100.0])}
    snapshot = Snapshot(table, np.array(["encoder", "encoder/flat", "encoder/pooled"]), {})
    assert value(Spectral("spectral_norm", "encoder"), snapshot) == (1 + 100) / 2
    assert value(Spectral("spectral_norm", "encoder", "flat"), snapshot) == (1 + 10) / 2


def test_ece_of_equal_mass_by_hand():
    # Two bins of two: (.5, .6) with one right, (.8, .9) with both right.
    outputs, labels = log_probabilities(np.array([0.8, 0.5, 0.9, 0.6])), np.array([0, 1, 0, 0])
    expected = (abs(1 - 1.1) + abs(2 - 1.7)) / 4
    assert ece(outputs, labels, 2, equal_mass=True) == pytest.approx(expected)
