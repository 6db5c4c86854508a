"""Quality of generated images: planted copies, wrong classes and sameness are found."""

import msgspec
import numpy as np
import pytest
import torch

from ddiv.data.dataset import Dataset
from ddiv.data.load import load
from ddiv.generate.quality import accuracies, copying, nearest, quality
from ddiv.models.clip import clip_model, resized
from ddiv.models.shipped import embedded_weights
from ddiv.study import Clip, Digits
from ddiv.treatment import Flow, Setting

DATA = Digits(train=120, side=16, split_seed=1000)
SPEC = Flow(side=8, width=64, steps=150, batch=32, lr=3e-3, seed=1000)
SETTING = Setting("plain", steps=4)
NOISE = np.random.default_rng(0)


def images(n=3, side=8):
    return NOISE.integers(0, 256, (n, 3, side, side)).astype(np.uint8)


# --- quality ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def clip():
    torch.set_num_threads(1)
    return clip_model(Clip(embedded_weights()))


@pytest.fixture(scope="module")
def real():
    """120 digits to train on, 300 to test on, and 120 further ones that nobody has seen."""
    whole = load(DATA)
    tests, truth = whole.tests["digits"]
    data = Dataset(
        whole.inputs, whole.labels, {"digits": (tests[:300], truth[:300])}, whole.classes
    )
    return data, tests[300:420], truth[300:420]


def test_fresh_real_images_are_judged_as_real(real, clip):
    data, fresh, labels = real
    found = quality(fresh, labels, data, clip)
    assert found["accuracy"]["samples"] == pytest.approx(found["accuracy"]["real"], abs=0.12)
    for space in ("pixel", "embedding"):
        assert found[f"vendi/{space}"]["samples"] == pytest.approx(
            found[f"vendi/{space}"]["real"], rel=0.1
        )
        assert found[f"nearest/{space}"]["samples"] == pytest.approx(
            found[f"nearest/{space}"]["real"], rel=0.1
        )
        assert (
            found[f"nearest/{space}"]["copies"] < 0.06
            and found[f"nearest/{space}"]["singled_out"] < 0.06
        )
        assert found[f"nearest/{space}"]["nearer_training"] == pytest.approx(0.5, abs=0.15)
    msgspec.json.encode(found)


@pytest.mark.parametrize("noise", [0, 3])
def test_planted_copies_are_found(real, clip, noise):
    data, fresh, labels = real
    copies = np.clip(
        data.inputs[:60] + NOISE.integers(-noise, noise + 1, data.inputs[:60].shape), 0, 255
    ).astype(np.uint8)
    found = quality(
        np.concatenate([copies, fresh[:60]]),
        np.concatenate([data.labels[:60], labels[:60]]),
        data,
        clip,
    )
    assert found["nearest/pixel"]["copies"] == pytest.approx(0.5, abs=0.04)
    assert found["nearest/pixel"]["singled_out"] == pytest.approx(0.5, abs=0.04)
    assert found["nearest/pixel"]["nearer_training"] == pytest.approx(0.75, abs=0.08)


def test_samples_of_the_wrong_class_and_of_one_picture_are_found(real, clip):
    data, fresh, labels = real
    wrong = quality(fresh, (labels + 1) % 10, data, clip)
    assert wrong["accuracy"]["samples"] < 0.1 < wrong["accuracy"]["real"]
    same = quality(np.repeat(fresh[:1], 120, axis=0), labels, data, clip)
    assert same["vendi/pixel"]["samples"] == pytest.approx(1)
    assert same["vendi/embedding"]["samples"] == pytest.approx(1, abs=1e-3)


def test_the_reference_accuracy_is_of_images_held_out():
    rows, labels = NOISE.normal(size=(300, 40)), NOISE.integers(0, 3, 300)
    # nothing to learn: right on its own rows, at chance on others
    found = accuracies(rows, labels, rows, labels)
    assert found["real"] == pytest.approx(1 / 3, abs=0.1) and found["samples"] > found["real"] + 0.1


def test_a_judge_needs_two_images_a_class():
    with pytest.raises(ValueError, match="at least two test examples"):
        accuracies(
            NOISE.normal(size=(4, 2)),
            np.arange(4),
            NOISE.normal(size=(7, 2)),
            np.array([0, 1, 2, 3, 0, 1, 2]),
        )


def test_nearest_distances_are_those_of_brute_force():
    rows, others = NOISE.normal(size=(20, 5)), NOISE.normal(size=(30, 5))
    brute = np.sort(np.linalg.norm(rows[:, None] - others[None], axis=2))
    assert np.allclose(nearest(rows, others, 2), brute[:, :2].T, atol=1e-5)
    assert np.allclose(nearest(rows, np.concatenate([others, rows])), 0, atol=1e-2)


def test_smoothness_alone_is_no_copying():
    signal = NOISE.normal(size=(900, 3)) @ NOISE.normal(size=(3, 200))
    noisy = signal + NOISE.normal(size=signal.shape)
    found = copying(signal[:300], noisy[300:600], noisy[600:])
    assert found["copies"] > 0.9 and found["singled_out"] < 0.1
    assert found["nearer_training"] == pytest.approx(0.5, abs=0.1)


def test_resizing_leaves_the_right_size_alone():
    given = images(side=32)
    assert resized(given, 32) is given and resized(given, 16).shape == (3, 3, 16, 16)


def test_a_large_set_is_resized_in_batches_to_the_same_pixels(monkeypatch):
    given, sizes, interpolate = images(70, 20), [], torch.nn.functional.interpolate
    whole = resized(given, 32)
    monkeypatch.setattr("ddiv.models.clip.BATCH", 32)
    monkeypatch.setattr(
        torch.nn.functional,
        "interpolate",
        lambda some, *rest, **how: sizes.append(len(some)) or interpolate(some, *rest, **how),
    )
    assert np.array_equal(resized(given, 32), whole) and sizes == [32, 32, 6]
