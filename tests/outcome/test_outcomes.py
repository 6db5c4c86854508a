"""Outcomes read off records: against closed forms and an independent calibration error."""

import msgspec
import numpy as np
import pytest

from ddiv import outcome
from ddiv.outcome import (
    Coverage,
    Outcome,
    Outside,
    Score,
    Snapshot,
    Spectral,
    Truncated,
    definitions,
    ece,
    effect,
    passes,
    reliability,
    value,
)
from ddiv.profiles.choose import profile
from ddiv.spectra import random_matrix as rmt
from ddiv.treatment import BASELINE
from ddiv.trial import trial
from ddiv.trial.store import Record, Store


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
    outputs, labels = (
        logits - np.log(np.exp(logits).sum(1, keepdims=True)),
        rng.integers(0, 10, 500),
    )
    confidence, correct = np.exp(outputs).max(1), outputs.argmax(1) == labels
    expected = 0.0
    for low in np.linspace(0, 1, 16)[:-1]:
        inside = (confidence > low) & (confidence <= low + 1 / 15)
        if inside.any():
            expected += inside.mean() * abs(correct[inside].mean() - confidence[inside].mean())
    assert ece(outputs, labels) == pytest.approx(expected, abs=1e-12)


def test_a_sure_and_right_network_is_calibrated():
    assert ece(log_probabilities(np.array([1 - 1e-12] * 4)), np.zeros(4, int)) < 1e-9


@pytest.mark.parametrize("taken", ["id", "ood", "train"])
def test_a_domain_with_the_name_of_another_score_is_never_read_as_it(taken):
    """All wrong in a domain called "id" was read as right out of domain."""
    outputs, facts = log_probabilities(np.array([0.9, 0.9])), {"clean": {"accuracy": 1, "loss": 0}}
    arrays = {f"log_probabilities/{domain}": outputs for domain in ("real", taken)}
    arrays |= {"labels/real": np.array([0, 0]), f"labels/{taken}": np.array([1, 1])}
    job = trial(profile("smoke").studies[0], BASELINE, 0)
    record = Record(job, facts | {"domains": ["real", taken]}, arrays)
    with pytest.raises(ValueError, match=f"a domain cannot be called '{taken}'"):
        _ = outcome.Trained(record, {}).after


def state(alphas, reliable, loss=1.0, norms=(1.0, 2.0, 3.0)) -> Snapshot:
    table = {
        "alpha": np.array(alphas),
        "frobenius_norm": np.array(norms),
        "reliable": np.array(reliable, float),
    }
    return Snapshot(
        table,
        np.array(["encoder", "encoder", "classifier"]),
        {"accuracy/id": 0.5, "loss/train": loss},
    )


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


CURVE = [
    state([1, 1, 1], [1, 1, 1], loss=np.e**4, norms=(1.0, 2.0, 3.0)),
    state([2, 2, 2], [1, 0, 1], loss=np.e**2, norms=(3.0, 2.0, 1.0)),
    state([4, 4, 4], [1, 1, 1], loss=np.e**0, norms=(3.0, 2.0, 1.0)),
]


def alphas(states) -> list[float]:
    return [float(state.table["alpha"][0]) for state in states]


def test_a_curve_is_known_between_neighbours_linearly_in_log_loss_and_layer_by_layer():
    (between,) = passes(CURVE, np.e**1)
    assert between.table["alpha"].tolist() == [3, 3, 3]
    assert between.table["reliable"].tolist() == [1, 0, 1]
    assert between.scores["accuracy/id"] == 0.5
    (early,) = passes(CURVE, np.e**3.5)
    assert early.table["frobenius_norm"] == pytest.approx(np.array([1.5, 2.0, 2.5]))
    assert alphas(passes(CURVE, np.e**4)) == [1] and alphas(passes(CURVE, np.e**2)) == [2]


def test_nothing_is_extrapolated():
    assert passes(CURVE, np.e**4.01) == [] == passes(CURVE, np.e**-0.01)
    assert passes(CURVE[:1], np.e**4.01) == [] and passes([], 1.0) == []


def test_a_curve_that_turns_passes_a_loss_twice():
    assert alphas(passes([*CURVE, CURVE[0]], np.e**2)) == [2, 2.5]
    assert alphas(passes([*CURVE, CURVE[1]], np.e**1)) == [3, 3]


def test_definitions_begin_with_the_one_asked_for():
    names = [one.metric for one in definitions(Spectral("hill_alpha", "classifier"))]
    assert names[0] == "hill_alpha" and set(names) == {"alpha", "hill_alpha", "hill_alpha_half"}
    both = definitions(Spectral("alpha", "encoder"), convolutions=True)
    assert len(both) == 6 and {one.convolution for one in both} == {"pooled", "flat"}
    assert definitions(Spectral("stable_rank", "encoder")) == [Spectral("stable_rank", "encoder")]


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


# --- what random matrix theory says, computed when asked for --------------------------------------


def noise(seed: int) -> np.ndarray:
    return (
        np.linalg.svd(np.random.default_rng(seed).normal(size=(80, 60)), compute_uv=False)[::-1]
        ** 2
    )


def trained_record() -> Record:
    """Two layers of noise; after training the encoder's has a spike, and between them two
    checkpoints lie.
    """
    spiked = np.append(noise(1)[:-1], 2000.0)
    before, after = np.concatenate([noise(0), noise(1)]), np.concatenate([noise(0), spiked])
    layers = [
        {"name": name, "kind": "linear", "shape": [80, 60, 1], "view": view, "eigenvalues": 60}
        for name, view in (("head", "classifier"), ("encoder.fc1", "encoder"))
    ]
    clean = [{"loss": 2.0, "accuracy": 0.1}, {"loss": 0.5, "accuracy": 1.0}]
    outputs, labels = log_probabilities(np.array([0.8, 0.9])), np.array([0, 0])
    facts = {"layers": layers, "clean": clean[1], "domains": ["real"], "trajectory": clean}
    arrays = {
        "eigenvalues/before": before,
        "eigenvalues/after": after,
        "trajectory/eigenvalues": np.stack([before, after]),
        "labels/real": labels,
        "log_probabilities/real": outputs,
        "trajectory/log_probabilities/real": np.stack([outputs] * 2),
    }
    return Record(trial(profile("smoke").studies[0], BASELINE, 1000), facts, arrays)


@pytest.fixture
def computed(monkeypatch) -> list[str]:
    """The groups that were computed, one entry each time."""
    groups, table = [], rmt.table
    monkeypatch.setattr(
        rmt, "table", lambda group, spectra: groups.append(group) or table(group, spectra)
    )
    return groups


DISTANCE, PHASE = Spectral("mp_ks", "encoder"), Spectral("phase", "encoder")


def test_random_matrix_theory_is_computed_for_what_is_asked_and_once(computed, tmp_path):
    read = outcome.read(trained_record(), Store(tmp_path))
    assert (
        value(Spectral("spectral_norm", "all"), read.after) > 0
        and passes(read.trajectory, 1.0)
        and not computed
    )
    assert value(DISTANCE, read.after) > 1 and value(PHASE, read.after) == 2
    assert value(DISTANCE, read.after) > value(
        Spectral("mp_ks", "classifier"), read.after
    ) and computed == ["mp"]
    assert (
        value(DISTANCE, read.before) < 1
        and value(PHASE, read.before) == 0
        and computed == ["mp"] * 2
    )
    value(Spectral("llr_exponential", "encoder"), read.after)
    assert computed == ["mp", "mp", "tail"]


def test_what_was_computed_is_read_from_the_store(computed, tmp_path):
    first = value(DISTANCE, outcome.read(trained_record(), Store(tmp_path)).after)
    assert value(
        DISTANCE, outcome.read(trained_record(), Store(tmp_path)).after
    ) == first and computed == ["mp"]
    for file in tmp_path.glob("mp-*/*"):
        file.write_bytes(b"damaged")
    assert (
        value(DISTANCE, outcome.read(trained_record(), Store(tmp_path)).after) == first
        and computed == ["mp"] * 2
    )


def test_at_equal_fit_it_is_interpolated_like_every_other_metric(computed):
    read = outcome.read(trained_record())
    (between,) = passes(read.trajectory, 1.0)
    assert value(DISTANCE, between) == pytest.approx(
        (value(DISTANCE, read.before) + value(DISTANCE, read.after)) / 2
    )
    assert effect(DISTANCE, read.after, read.before) > 0 and len(computed) == 4


def test_layers_in_which_a_phase_cannot_be_told_do_not_count_and_that_is_told():
    table = {"regularised": np.array([1.0, np.nan, 0.0, 1.0]), "phase": np.full(4, np.nan)}
    snapshot = Snapshot(table, np.array(["encoder"] * 4), {})
    assert value(Spectral("regularised", "encoder"), snapshot) == pytest.approx(2 / 3)
    assert reliability(Spectral("regularised", "encoder"), snapshot, snapshot) == 3 / 4
    assert np.isnan(value(PHASE, snapshot)) and reliability(PHASE, snapshot, snapshot) == 0


def test_definitions_of_the_tail_and_of_the_distance_from_noise():
    assert [one.tail for one in definitions(Truncated("tail", "all"))] == ["power-law", "mp-edge"]
    assert [one.tail for one in definitions(Truncated("bulk", "all", tail="mp-edge"))] == [
        "mp-edge",
        "power-law",
    ]
    assert [one.metric for one in definitions(DISTANCE)] == ["mp_ks", "mp_bulk_ks"]
    assert {
        one.convolution for one in definitions(Spectral("mp_ks", "all"), convolutions=True)
    } == {"pooled", "flat"}


def test_outcomes_of_the_span_are_written_down_whole():
    outcome = Outside("embedding", 0.99)
    assert msgspec.json.decode(msgspec.json.encode(outcome), type=Outside) == outcome
    assert outcome.key != Outside("embedding").key != Outside("pixel").key
    covered = Coverage("embedding", 1)
    assert msgspec.json.decode(msgspec.json.encode(covered), type=Outcome) == covered
    assert [one.neighbours for one in definitions(covered)] == [1, 5, 3]
    assert len({one.key for one in (*definitions(covered), Coverage("pixel"))}) == 4
