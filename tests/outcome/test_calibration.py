"""Calibration errors: what sampling alone shows, and estimates without it, against independent
computations and simulation.
"""

import numpy as np
import pytest

from ddiv.outcome import Score, definitions, ece
from ddiv.outcome.calibration import ece_debiased, ece_floor, ece_mass, mean_deviation


def outputs_of(confidences, classes=10) -> np.ndarray:
    """Rows whose top class is 0 with the given confidence, the rest shared evenly."""
    rest = (1 - np.asarray(confidences)) / (classes - 1)
    return np.log(np.stack([confidences, *[rest] * (classes - 1)], axis=1))


def drawn(seed: int, samples: int) -> tuple[np.ndarray, np.ndarray]:
    """(log-probabilities, labels) of a network that is calibrated in even seeds and guesses on most
    samples in odd ones.
    """
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(samples, 10)) * 2.5
    outputs = (logits - np.log(np.exp(logits).sum(1, keepdims=True))).astype(np.float32)
    if seed % 2:
        known = rng.random(samples) < 0.35
        return outputs, np.where(known, outputs.argmax(1), rng.integers(0, 10, samples))
    shares = np.exp(outputs.astype(float))
    return outputs, np.array([rng.choice(10, p=row / row.sum()) for row in shares])


# What `unbiased_square_ce` of uncertainty-calibration 0.1.4, the package of Kumar et al., gives for
# `drawn(seed, 600)` in 15 bins of `get_equal_bins`.
KUMAR = (0.0015582138114707447, 0.07913438303142578, -0.0010907322114436632, 0.05730911553353669)


@pytest.mark.parametrize("seed, expected", [*enumerate(KUMAR)])
def test_the_debiased_estimate_is_that_of_the_papers_authors(seed, expected):
    found = ece_debiased(*drawn(seed, 600))
    assert np.sign(found) * found**2 == pytest.approx(expected, rel=1e-12)


def test_the_debiased_estimate_is_0_on_average_where_a_network_is_calibrated():
    """Where the binned error is not."""
    rng, squares, plain = np.random.default_rng(0), [], []
    for _ in range(300):
        confidences = rng.uniform(0.2, 1, 150)
        outputs = outputs_of(confidences)
        labels = np.where(rng.random(150) < confidences, 0, 1)
        debiased = ece_debiased(outputs, labels)
        squares.append(np.sign(debiased) * debiased**2)
        plain.append(ece(outputs, labels))
    error = np.std(squares) / np.sqrt(len(squares))
    assert abs(np.mean(squares)) < 3 * error and np.mean(plain) > 0.08
    assert min(squares) < -3 * error


def test_bins_of_equal_mass_do_not_split_equal_confidences():
    """Else the order of the samples, which is by class, would say what each bin's accuracy is."""
    outputs, labels = outputs_of(np.full(90, 0.6)), (np.arange(90) >= 54).astype(int)
    for kind in (ece_mass, ece_debiased):
        apart = [kind(outputs, labels[order]) for order in (np.arange(90), np.arange(90)[::-1])]
        assert apart[0] == pytest.approx(apart[1], abs=1e-7)
    assert ece_mass(outputs, labels) == pytest.approx(0, abs=1e-12)
    assert ece_debiased(outputs, labels) == pytest.approx(-np.sqrt(0.6 * 0.4 / 89))


def exact(probabilities) -> float:
    """E|S - E S|, from the distribution of the sum itself."""
    weights = np.ones(1)
    for p in probabilities:
        weights = np.convolve(weights, [1 - p, p])
    return float(weights @ np.abs(np.arange(len(weights)) - np.sum(probabilities)))


@pytest.mark.parametrize("samples", [1, 2, 7, 60, 500])
@pytest.mark.parametrize("p", [0.07, 0.5, 0.93, 0.9999])
def test_the_mean_deviation_of_equals_is_exact(samples, p):
    probabilities = np.full(samples, p)
    assert mean_deviation(probabilities) == pytest.approx(exact(probabilities), rel=1e-9)


@pytest.mark.parametrize("low", [0.1, 0.4, 0.7, 14 / 15])
@pytest.mark.parametrize("samples", [3, 40, 300])
def test_the_mean_deviation_within_a_bin_is_near_the_exact_one(samples, low):
    rng = np.random.default_rng(samples)
    even = rng.uniform(low, low + 1 / 15, samples)
    uneven = np.where(rng.random(samples) < 0.1, low, low + 1 / 15 - 1e-9)
    assert mean_deviation(even) == pytest.approx(exact(even), rel=0.02)
    assert mean_deviation(uneven) == pytest.approx(exact(uneven), rel=0.04)


@pytest.mark.parametrize("samples", [40, 400])
def test_the_floor_is_what_calibrated_networks_show_on_average(samples):
    rng = np.random.default_rng(samples)
    confidences = 1 - 0.8 * rng.beta(0.4, 2, samples)
    outputs = outputs_of(confidences).astype(np.float32)
    found = [ece(outputs, np.where(rng.random(samples) < confidences, 0, 1)) for _ in range(2000)]
    floor = ece_floor(outputs, np.zeros(samples, int))
    assert floor == pytest.approx(np.mean(found), rel=0.02)
    assert floor == ece_floor(outputs, np.ones(samples, int))


def test_a_sure_network_has_no_floor():
    sure = np.array([[1e-7, -20.0], [0.0, -20.0]], dtype=np.float32)
    assert ece_floor(sure, np.array([0, 0])) == 0


def test_definitions_of_the_calibration_error():
    kinds = [one.kind for one in definitions(Score("ece", "id"))]
    assert kinds == ["ece", "ece_mass", "ece_debiased"]
    assert [one.kind for one in definitions(Score("ece_floor", "id"))] == ["ece_floor"]
