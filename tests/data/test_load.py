"""Datasets: shapes, splits, balance, and the digits against torch's own interpolation."""

import importlib
import os

import numpy as np
import pytest
import torch

from ddiv.data.load import load
from ddiv.data.root import BadData
from ddiv.data.worlds import kept
from ddiv.data.worlds.images import FINETUNE_CLASSES, render
from ddiv.models.embedders import spaces_of
from ddiv.profiles.choose import profile
from ddiv.study import Digits, World

STUDIES = [study for study in profile("embedded").studies if study.data]


@pytest.mark.parametrize("study", STUDIES, ids=lambda study: study.name)
def test_a_study_gets_what_it_names(study):
    data = load(study.data)
    assert tuple(data.tests) == study.domains and len(data.inputs) >= study.view_size
    for inputs, labels in [(data.inputs, data.labels), *data.tests.values()]:
        if "pixel" in study.spaces:
            assert inputs.dtype == np.uint8 and inputs.shape[1] == 3
        else:
            assert (
                inputs.dtype == object
                and inputs.ndim == 1
                and all(isinstance(text, str) for text in inputs)
            )
        assert len(inputs) == len(labels) and spaces_of(inputs) == study.spaces
        assert set(labels) == set(range(len(data.classes)))


def test_digits_are_enlarged_as_torch_does_it():
    from sklearn.datasets import load_digits

    data, spec = load(Digits(500)), Digits(500)
    order = np.random.default_rng(spec.split_seed).permutation(1797)[:500]
    grey = torch.from_numpy(load_digits().images[order][:, None] * 255 / 16)
    large = torch.nn.functional.interpolate(grey, (16, 16), mode="bilinear", align_corners=False)
    assert np.abs(data.inputs[:, :1] - large.numpy()).max() <= 0.5 + 1e-9


def test_digits_for_training_and_testing_are_disjoint():
    data = load(Digits(500))
    assert len(data.inputs) + len(data.tests["digits"][0]) == 1797


@pytest.mark.parametrize("train", [0, 1797])
def test_digits_need_something_on_both_sides(train):
    with pytest.raises(ValueError, match=r"1,?797|1797"):
        load(Digits(train))


def test_world_images_for_training_are_not_in_the_test_set():
    data = load(profile("embedded").studies[0].data)
    seen = {image.tobytes() for image in data.inputs}
    assert len(seen) == len(data.inputs)
    assert not any(image.tobytes() in seen for images, _ in data.tests.values() for image in images)


def test_another_version_of_the_world_is_refused():
    with pytest.raises(ValueError, match="install the ddiv that made it"):
        load(World(1, 1, version=999))


@pytest.fixture
def worlds(tmp_path, monkeypatch):
    """The folder that pictures of worlds are kept in."""
    monkeypatch.setenv("DDIV_CACHE", str(tmp_path / "kept"))
    load.cache_clear()
    yield tmp_path / "kept"
    load.cache_clear()


def anew(spec):
    load.cache_clear()
    return load(spec)


def same(one, other) -> bool:
    pairs = [(one.inputs, other.inputs), (one.labels, other.labels)]
    pairs += [(a, b) for name in one.tests for a, b in zip(one.tests[name], other.tests[name])]
    return all(np.array_equal(*pair) for pair in pairs) and list(one.tests) == list(other.tests)


def test_pictures_of_a_world_are_drawn_once(worlds, monkeypatch):
    first = load(World(2, 1, 1, seed=5))
    (file,) = worlds.iterdir()
    assert isinstance(first.inputs, np.memmap) and first.inputs.shape == (120, 3, 32, 32)
    expected = render(FINETUNE_CLASSES, np.repeat(range(60), 1), "sketch", 11)
    assert np.array_equal(first.tests["sketch"][0], expected)
    before = file.stat().st_ino
    assert same(anew(World(2, 1, 1, seed=5)), first) and file.stat().st_ino == before
    load(World(2, 1, 1, seed=5)).inputs[:] = 0  # of this process alone
    assert same(anew(World(2, 1, 1, seed=5)), first)
    file.write_bytes(file.read_bytes()[:-1] + b"?")  # a damaged one is drawn anew
    assert same(anew(World(2, 1, 1, seed=5)), first) and file.stat().st_ino != before


def test_a_world_that_cannot_be_kept_is_drawn_each_time(worlds, monkeypatch):
    worlds.write_text("no folder")
    first = load(World(1, 1, 1, seed=6))
    assert not isinstance(first.inputs, np.memmap) and same(anew(World(1, 1, 1, seed=6)), first)


def test_no_more_pictures_of_worlds_are_kept_than_may_be(worlds, monkeypatch):
    monkeypatch.setattr(kept, "MOST_BYTES", 3 * 6 * 60 * 3072 + 10_000)
    for seed in range(6):
        load(World(1, 1, 1, seed=seed))
    newest = {*worlds.iterdir()}
    assert len(newest) == 3
    for path in newest:
        os.utime(path, (0, 0))  # as if nothing had read it for years
    load(World(1, 1, 1, seed=9))
    assert len({*worlds.iterdir()}) == 1


def test_datasets_stay_in_memory_up_to_a_size(monkeypatch):
    load.cache_clear()
    specs = [Digits(100, split_seed=seed) for seed in range(4)]
    one = sum(each.nbytes for each in (load(specs[0]).inputs, load(specs[0]).tests["digits"][0]))
    loads = importlib.import_module("ddiv.data.load")
    monkeypatch.setattr(loads, "MOST_BYTES", 2 * one)
    held = [load(spec) for spec in specs]
    assert load(specs[3]) is held[3] and load(specs[2]) is held[2]
    assert load(specs[1]) is not held[1]
    monkeypatch.setattr(loads, "MOST_BYTES", one // 2)
    assert load(specs[0]) is load(specs[0])  # the last one in any case
    load.cache_clear()


@pytest.mark.parametrize("spec", [Digits(100, side=10**6), World(10**12, 1, 1)], ids=str)
def test_data_beyond_the_memory_are_told_in_one_line(spec):
    """For them numpy is asked for petabytes."""
    with pytest.raises(BadData, match="do not fit into this machine's memory"):
        load(spec)
