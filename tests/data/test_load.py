"""Datasets: shapes, splits, balance, and the digits against torch's own interpolation."""

import numpy as np
import pytest
import torch

from ddiv.data.load import load
from ddiv.data.root import BadData
from ddiv.models.embedders import spaces_of
from ddiv.profiles.choose import profile
from ddiv.study import Digits, World


@pytest.mark.parametrize("study", profile("embedded").studies, ids=lambda study: study.name)
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


@pytest.mark.parametrize("spec", [Digits(100, side=10**6), World(10**12, 1, 1)], ids=str)
def test_data_beyond_the_memory_are_told_in_one_line(spec):
    """For them numpy is asked for petabytes."""
    with pytest.raises(BadData, match="do not fit into this machine's memory"):
        load(spec)
