"""What is refused of a generator's images and texts."""

import numpy as np
import pytest

from ddiv.generate.check import BadSamples, checked, checked_texts, require_every_class

NOISE = np.random.default_rng(0)


def images(n=3, side=8):
    return NOISE.integers(0, 256, (n, 3, side, side)).astype(np.uint8)


def test_good_images_pass_as_they_are():
    given = images()
    assert checked(given, 3, 8) is given
    assert np.array_equal(checked(given / 255, 3, 8), given)
    assert np.array_equal(checked((given / 255).astype(np.float32), 3, 8), given)


def spoiled(value):
    given = images() / 255
    given[1, 2, 3, 4] = value
    return given


@pytest.mark.parametrize(
    "given,cause",
    [
        (images(2), "3 images were asked for and the generator gave 2"),
        (images(4), "3 images were asked for and the generator gave 4"),
        (images(side=9), "9 x 9 pixels where the study's have 8 x 8"),
        (images()[:, :1], "shape"),
        (images().transpose(0, 2, 3, 1), "colours first"),
        (images()[0], "shape"),
        (images().astype(np.int64), "type int64"),
        (spoiled(np.nan), "1 of 3 generated images hold NaN"),
        (spoiled(np.inf), "NaN or infinity"),
        (spoiled(1.01), "must lie in"),
        (spoiled(-0.01), "must lie in"),
    ],
)
def test_bad_images_are_refused_with_cause(given, cause):
    with pytest.raises(BadSamples, match=cause):
        checked(given, 3, 8)


def test_a_class_without_images_is_named():
    require_every_class(np.array([0, 1, 2]), ("a", "b", "c"))
    with pytest.raises(BadSamples, match=r"1 of 3 classes have no image .'b'"):
        require_every_class(np.array([0, 2, 2]), ("a", "b", "c"))


def test_good_texts_pass_whatever_holds_them():
    for given_ in (
        ["a", "b c"],
        ("a", "b c"),
        np.array(["a", "b c"]),
        np.array(["a", "b c"], dtype=object),
    ):
        found = checked_texts(given_, 2)
        assert (
            found.dtype == object
            and found.tolist() == ["a", "b c"]
            and all(type(text) is str for text in found)
        )
    assert checked_texts([], 0).shape == (0,)


@pytest.mark.parametrize(
    "texts,cause",
    [
        (["a"], "2 texts were asked for and the generator gave 1"),
        (["a", "b", "c"], "gave 3"),
        ("ab", "one string"),
        (["a", None], "text 1 of 2 is of type NoneType"),
        ([b"a", "b"], "text 0 of 2 is of type bytes"),
        ([["a"], ["b"]], "of type list"),
        (np.array([["a", "b"], ["c", "d"]]), "of type ndarray"),
        (["a", ""], "text 1 of 2 is empty or white space"),
        (["a", " \n\t\u3000"], "empty or white space"),
        (["a\0b", "b"], "NUL"),
        (["a", "b\udc80"], "unpaired surrogate"),
    ],
)
def test_bad_texts_are_refused_with_cause(texts, cause):
    with pytest.raises(BadSamples, match=cause):
        checked_texts(texts, 2)


def test_a_long_bad_text_is_not_quoted_whole():
    with pytest.raises(BadSamples) as error:
        checked_texts(["\0" + 1000 * "x"], 1)
    assert len(str(error.value)) < 300


@pytest.mark.parametrize(
    "images, said",
    [
        (None, r"array of shape \(\)"),
        ([np.zeros((3, 4, 4)), np.zeros((3, 4, 5))], "no array of images"),
        (np.zeros((2, 3, 4, 4), np.uint8), "4 x 4 pixels where the study's have 4 x 6"),
    ],
)
def test_images_of_a_user_s_generator_need_not_be_square(images, said):
    assert checked(np.zeros((2, 3, 4, 6), np.uint8), 2, 4, 6).shape == (2, 3, 4, 6)
    with pytest.raises(BadSamples, match=said):
        checked(images, 2, 4, 6)


def test_what_is_no_list_of_texts_is_told():
    with pytest.raises(BadSamples, match="something of type NoneType where 2 texts were asked"):
        checked_texts(None, 2)
