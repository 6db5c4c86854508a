"""The flow-matching generator: it learns a planted toy, its draws are the seed's, and its knobs do
what they say.
"""

import msgspec
import numpy as np
import pytest
import torch

from ddiv.common.errors import TrialFailed
from ddiv.diversity import pixel_vectors, vendi_score
from ddiv.generate import flow
from ddiv.generate.check import BadSamples
from ddiv.treatment import Flow, Setting

CPU = torch.device("cpu")
SPEC = Flow(side=8, width=48, steps=250, batch=32, lr=3e-3, seed=1000)
SIDE, CLASSES = 16, 2
PLAIN = Setting("plain")


def toy(n=120, seed=0):
    """Class 0 is bright on the left, class 1 on the right; brightness and place of a spot vary."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % CLASSES
    images = rng.integers(0, 60, (n, 3, SIDE, SIDE)).astype(np.uint8)
    for image, label in zip(images, labels):
        image[:, :, label * 8 : label * 8 + 8] = rng.integers(150, 250)
        row = rng.integers(0, 12)
        image[rng.integers(3), row : row + 4] = 120
    return images, labels


def sides(images):
    """1 where the right half is brighter than the left."""
    return (images[..., 8:].mean((1, 2, 3)) > images[..., :8].mean((1, 2, 3))).astype(int)


@pytest.fixture(scope="module")
def fitted():
    torch.set_num_threads(1)
    return flow.fit(*toy(), CLASSES, SPEC, CPU)


def drawn(fitted, setting=PLAIN, seed=0, n=60):
    labels = np.arange(n) % CLASSES
    return flow.sample(fitted.weights, CLASSES, SPEC, setting, labels, SIDE, seed, CPU), labels


def test_samples_show_their_class(fitted):
    images, labels = drawn(fitted)
    assert images.shape == (60, 3, SIDE, SIDE) and images.dtype == np.uint8
    assert np.mean(sides(images) == labels) > 0.9


def test_the_loss_falls(fitted):
    assert np.mean(fitted.losses[-10:]) < 0.5 * np.mean(fitted.losses[:5])


def test_swapped_labels_are_learned_as_swapped():
    images, labels = toy()
    swapped = flow.fit(images, 1 - labels, CLASSES, SPEC, CPU)
    found, asked = drawn(swapped)
    assert np.mean(sides(found) == asked) < 0.1


def test_draws_are_the_seeds_own(fitted):
    assert np.array_equal(drawn(fitted)[0], drawn(fitted)[0])
    assert not np.array_equal(drawn(fitted)[0], drawn(fitted, seed=1)[0])


def test_a_fit_is_the_seeds_own_and_leaves_the_global_state():
    short = msgspec.structs.replace(SPEC, steps=5)
    before = torch.random.get_rng_state()
    first, again = (flow.fit(*toy(), CLASSES, short, CPU).weights for _ in range(2))
    other = flow.fit(*toy(), CLASSES, msgspec.structs.replace(short, seed=1001), CPU).weights
    assert torch.equal(torch.random.get_rng_state(), before)
    assert all(np.array_equal(first[name], again[name]) for name in first)
    assert not all(np.array_equal(first[name], other[name]) for name in first)


def test_a_lower_temperature_and_stronger_guidance_make_samples_more_alike(fitted):
    def score(setting):
        images, labels = drawn(fitted, setting, n=120)
        return np.mean(
            [vendi_score(pixel_vectors(images[labels == label])) for label in range(CLASSES)]
        )

    plain = score(PLAIN)
    assert score(Setting("cold", temperature=0.3)) < plain
    assert score(Setting("guided", guidance=3.0, temperature=0.3)) < plain


def test_guidance_of_one_is_none_and_more_exaggerates_the_class(fitted):
    def contrast(setting):
        images, labels = drawn(fitted, setting)
        gaps = images[..., 8:].mean((1, 2, 3)) - images[..., :8].mean((1, 2, 3))
        return np.mean(np.where(labels == 1, gaps, -gaps))

    assert np.array_equal(drawn(fitted)[0], drawn(fitted, Setting("one", guidance=1.0))[0])
    assert (
        contrast(Setting("three", guidance=3.0))
        > contrast(PLAIN)
        > contrast(Setting("none", guidance=0.0)) + 20
    )


def edited(fitted, level, labels, seed=0, images=None):
    images = toy(60)[0] if images is None else images
    return flow.edit(fitted.weights, CLASSES, SPEC, PLAIN, images, labels, level, seed, CPU)


def test_an_edit_of_nothing_but_noise_is_a_sample(fitted):
    found, labels = drawn(fitted)
    assert np.array_equal(edited(fitted, 1.0, labels), found)


def test_edits_leave_the_less_of_an_image_the_more_noise_they_begin_from(fitted):
    images, labels = toy(60)
    kept = flow.through(images, SPEC.side).astype(int)
    changes = [abs(edited(fitted, level, labels) - kept).mean() for level in (0.02, 0.4, 1.0)]
    assert changes[0] < 6 and changes[0] < changes[1] < changes[2]


def test_edits_show_the_class_that_is_asked_for(fitted):
    labels = toy(60)[1]
    assert np.mean(sides(edited(fitted, 0.9, 1 - labels)) == 1 - labels) > 0.9
    assert np.mean(sides(edited(fitted, 0.05, 1 - labels)) == labels) > 0.9
    # Without a class, the image decides.
    assert np.mean(sides(edited(fitted, 0.4, np.full(60, CLASSES))) == labels) > 0.9


def test_edits_take_grey_images_where_the_model_knows_colours_but_not_the_other_way(fitted):
    images, labels = toy(60)
    grey = np.repeat(images[:, :1], 3, axis=1)
    assert edited(fitted, 0.4, labels, images=grey).shape == images.shape
    one_channel = {"outputs.bias": np.zeros(64, np.float16)}
    with pytest.raises(BadSamples, match="learned grey images"):
        flow.edit(one_channel, CLASSES, SPEC, PLAIN, images, labels, 0.4, 0, CPU)


@pytest.mark.parametrize("level", [0, -0.1, 1.1, float("nan")])
def test_a_level_of_an_edit_lies_on_the_path(fitted, level):
    with pytest.raises(ValueError, match=r"noise level in \(0, 1\], got"):
        edited(fitted, level, toy(60)[1])


@pytest.mark.parametrize("side,to", [(8, 16), (16, 16), (12, 32)])
def test_images_of_the_models_side_survive_the_way_there_and_back(side, to):
    small = torch.rand(5, 3 * side * side, generator=torch.Generator().manual_seed(0)) * 2 - 1
    large = (flow.decode(small, side, to) * 255).round().to(torch.uint8)
    assert torch.allclose(flow.encode(large, side), small, atol=0.05)


def test_enlarging_is_torchs_bilinear_interpolation():
    small = torch.rand(2, 3, 8, 8)
    large = torch.nn.functional.interpolate(small, (32, 32), mode="bilinear", align_corners=False)
    assert torch.allclose(flow.decode((small * 2 - 1).flatten(1), 8, 32), large, atol=1e-5)


def test_grey_images_stay_grey():
    images, labels = toy()
    grey = np.repeat(images[:, :1], 3, axis=1)
    fitted = flow.fit(grey, labels, CLASSES, msgspec.structs.replace(SPEC, steps=60), CPU)
    found, _ = drawn(fitted)
    assert fitted.weights["outputs.bias"].shape == (64,)
    assert np.array_equal(found[:, 0], found[:, 1]) and np.array_equal(found[:, 0], found[:, 2])


def test_a_diverging_fit_says_so():
    with pytest.raises(TrialFailed, match="lower its learning rate"):
        flow.fit(*toy(), CLASSES, msgspec.structs.replace(SPEC, lr=1e30, steps=100), CPU)


def test_broken_weights_give_no_images(fitted):
    broken = fitted.weights | {"outputs.bias": np.full_like(fitted.weights["outputs.bias"], np.nan)}
    with pytest.raises(BadSamples, match="NaN"):
        flow.sample(broken, CLASSES, SPEC, PLAIN, np.zeros(4, int), SIDE, 0, CPU)


@pytest.mark.parametrize(
    "images", [np.zeros((0, 3, 16, 16), np.uint8), np.zeros((4, 3, 16, 12), np.uint8)]
)
def test_only_square_images_can_be_learned(images):
    with pytest.raises(BadSamples, match="square"):
        flow.fit(images, np.zeros(len(images), int), 1, SPEC, CPU)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Setting("none", steps=0),
        lambda: Setting("cold", temperature=-1),
        lambda: Flow(8, 0, 10),
        lambda: Flow(8, 8, 0),
    ],
)
def test_impossible_specs_are_refused(make):
    with pytest.raises(ValueError, match="at least"):
        make()


def test_a_generator_is_not_larger_than_the_images():
    with pytest.raises(ValueError, match="larger than the study's"):
        flow.encode(torch.zeros(1, 3, 16, 16, dtype=torch.uint8), 32)
