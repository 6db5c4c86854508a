"""Files of numpy arrays: their layouts, what is refused; and the shared subset of CIFAR-10."""

import io
import pickle
import zipfile
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from ddiv.common.digests import file_digest
from ddiv.data.arrays import load_arrays
from ddiv.data.load import absent_data, load
from ddiv.data.root import BadData, NoData
from ddiv.study import Arrays
from tests.support.image_files import fresh_root, noise
from tests.support.paths import SHARED_DATA


@pytest.fixture
def root(tmp_path, monkeypatch):
    return fresh_root(tmp_path, monkeypatch)


IMAGES = np.stack([noise(seed, 8, 8) for seed in range(12)])
LABELS = np.arange(12) % 3
GOOD = {"x_train": IMAGES[:9], "y_train": LABELS[:9], "x_test": IMAGES[9:], "y_test": LABELS[9:]}


def written(root: Path, **changes) -> Arrays:
    path = root / "deep" / "mine.npz"
    path.parent.mkdir(exist_ok=True)
    np.savez(path, **{name: array for name, array in (GOOD | changes).items() if array is not None})
    return Arrays(file_digest(path))


def pairs(images, labels) -> set:
    return {(image.tobytes(), int(label)) for image, label in zip(images, labels)}


@pytest.mark.parametrize("kind", [np.uint8, np.int64])
@pytest.mark.parametrize("layout", [lambda x: x, lambda x: x.transpose(0, 3, 1, 2)])
def test_images_and_labels_stay_together(root, layout, kind):
    spec = written(
        root,
        x_train=layout(GOOD["x_train"]),
        x_test=layout(GOOD["x_test"]),
        y_train=LABELS[:9].astype(kind)[:, None],
    )
    data = load_arrays(spec)
    assert (
        data.classes == ("0", "1", "2")
        and data.labels.dtype == np.int64
        and tuple(data.tests) == spec.test_domains
    )
    assert pairs(data.inputs, data.labels) == pairs(IMAGES[:9].transpose(0, 3, 1, 2), LABELS[:9])
    assert pairs(*data.tests["arrays"]) == pairs(IMAGES[9:].transpose(0, 3, 1, 2), LABELS[9:])


@pytest.mark.parametrize(
    "grey", [lambda x: x[..., 0], lambda x: x[..., :1], lambda x: x[..., :1].transpose(0, 3, 1, 2)]
)
def test_grey_images_get_three_channels(root, grey):
    data = load_arrays(written(root, x_train=grey(GOOD["x_train"]), x_test=grey(GOOD["x_test"])))
    wanted = IMAGES[:9, None, :, :, 0].repeat(3, axis=1)
    assert pairs(data.inputs, data.labels) == pairs(wanted, LABELS[:9])


def test_images_are_resized_and_counted_as_the_spec_says(root):
    spec = written(root, classes=np.array(["a", "b", "c"]))
    data = load_arrays(Arrays(spec.digest, side=4, per_class=2))
    assert data.inputs.shape == (6, 3, 4, 4) and data.classes == ("a", "b", "c")
    assert sorted(data.labels) == [0, 0, 1, 1, 2, 2]


@pytest.mark.parametrize(
    "changes, said",
    [
        ({"y_test": None}, "has no array 'y_test'"),
        (
            {"x_train": GOOD["x_train"].astype(np.float32)},
            r"x_train in .* is float32 \(9, 8, 8, 3\)",
        ),
        ({"x_test": GOOD["x_test"][..., :2]}, "x_test in .* is uint8"),
        ({"y_train": LABELS[:8]}, "y_train in .* labels are 9 whole numbers"),
        ({"y_train": LABELS[:9] * 1.0}, "y_train in .* is float64"),
        ({"y_train": LABELS[:9] - 1}, "whole numbers from 0 on"),
        ({"classes": np.array(["a", "b"])}, "names 2 classes and has labels up to 2"),
        ({"classes": np.array(["a", "b", "c", "d"])}, "'d' has no example"),
        ({"y_train": LABELS[:9].astype(object)}, "numbers and text only"),
        ({"x_test": GOOD["x_test"][:, :6]}, "not square, or of several sizes"),
    ],
)
def test_what_cannot_be_used_is_one_clear_error(root, changes, said):
    with pytest.raises(BadData, match=said):
        load_arrays(written(root, **changes))


def test_a_file_that_is_no_archive_is_told(root):
    (root / "mine.npz").write_bytes(b"no archive")
    with pytest.raises(BadData, match="cannot be read"):
        load_arrays(Arrays(file_digest(root / "mine.npz")))


@pytest.mark.parametrize(
    "changes, said",
    [
        ({"y_test": np.array([0, 1, 10**12])}, "go up to 1000000000000, and 9 images cannot"),
        ({"y_train": np.full(9, 2**64 - 1, np.uint64)}, "go up to 18446744073709551615"),
        ({"y_train": np.arange(9) - np.int8(1)}, "whole numbers from 0 on"),
        ({"y_train": np.full(9, np.nan)}, "y_train in .* is float64"),
        ({"y_train": LABELS[:9].astype(str)}, "y_train in .* is <U"),
        ({"y_train": LABELS[:9].astype("m8[s]")}, "y_train in .* is timedelta64"),
        ({"y_train": np.eye(9, dtype=int)}, "y_train in .* labels are 9 whole numbers"),
        ({"y_train": np.array(0)}, "y_train in .* labels are 9 whole numbers"),
        ({"classes": np.array("cat")}, "classes in .* one name for each class"),
        ({"classes": np.array(["a", "b", "b"])}, "all of them different"),
        ({"classes": np.array(["a", "b", "\x1b[2J"])}, "control characters"),
        ({"classes": np.array(["a", "b", None])}, "numbers and text only"),
        ({"x_train": np.array(5, np.uint8)}, "x_train in .* is uint8"),
        ({"x_train": np.zeros((9, 0, 0, 3), np.uint8)}, "no pixels"),
    ],
)
def test_absurd_arrays_are_one_clear_error(root, changes, said):
    with pytest.raises(BadData, match=said) as caught:
        load_arrays(Arrays(written(root, **changes).digest, side=8))
    assert "\n" not in str(caught.value)


def test_names_of_classes_in_bytes_are_text(root):
    assert load_arrays(written(root, classes=np.array([b"a", b"b", "\xe9".encode()]))).classes == (
        "a",
        "b",
        "\xe9",
    )


def test_a_file_cut_anywhere_is_told(root):
    written(root)
    path = root / "deep" / "mine.npz"
    whole = path.read_bytes()
    for left in range(0, len(whole), len(whole) // 40):
        path.write_bytes(whole[:left])
        with pytest.raises(BadData, match=r"mine.npz cannot be read|has no array"):
            load_arrays(Arrays(file_digest(path)))


def test_a_flipped_bit_is_told_or_harmless(root):
    wanted = load_arrays(written(root))
    path = root / "deep" / "mine.npz"
    whole = path.read_bytes()
    for place in range(0, len(whole), 23):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        with suppress(BadData):
            found = load_arrays(Arrays(file_digest(path)))
            assert (found.inputs == wanted.inputs).all() and (found.labels == wanted.labels).all()


@pytest.mark.parametrize("shape", [(2**40, 8, 8, 3), (10, 8, 8, 3), (2**62, 2**62, 1, 1)])
def test_a_shape_that_its_file_does_not_hold_takes_no_memory(root, shape):
    header, body = io.BytesIO(), io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": "|u1", "fortran_order": False, "shape": shape}
    )
    np.savez(body, **{name: array for name, array in GOOD.items() if name != "x_train"})
    with zipfile.ZipFile(body, "a") as file:
        file.writestr("x_train.npy", header.getvalue() + GOOD["x_train"].tobytes())
    (root / "mine.npz").write_bytes(body.getvalue())
    with pytest.raises(BadData, match="x_train was cut short"):
        load_arrays(Arrays(file_digest(root / "mine.npz")))


@pytest.mark.parametrize("save", [np.save, lambda file, x: pickle.dump([x], file)])
def test_another_kind_of_file_under_the_name_is_told(root, save):
    with open(root / "mine.npz", "wb") as file:
        save(file, IMAGES)
    with pytest.raises(BadData, match="cannot be read"):
        load_arrays(Arrays(file_digest(root / "mine.npz")))


def test_a_file_that_is_not_there_is_told_in_one_line(root):
    spec = Arrays("0" * 64)
    assert (
        absent_data(written(root)) is None
        and "none of the 1 NPZ files" in absent_data(spec)
        and "\n" not in absent_data(spec)
    )
    with pytest.raises(NoData, match="--data-root"):
        load_arrays(spec)


def test_the_subset_of_cifar10_is_read_bit_for_bit(tmp_path, monkeypatch):
    shared = SHARED_DATA
    path = shared / "cifar10-lossless-subset.npz"
    if not path.is_file():
        pytest.skip(
            f"no {path.name} in {shared}: name the folder that holds it in DDIV_SHARED_DATA"
        )
    fresh_root(tmp_path, monkeypatch).joinpath(path.name).symlink_to(path)
    data = load(Arrays(file_digest(path)))
    with np.load(path) as file:
        assert data.classes == tuple(file["classes"]) and data.inputs.shape == (3805, 3, 32, 32)
        assert pairs(data.inputs, data.labels) == pairs(
            file["x_train"].transpose(0, 3, 1, 2), file["y_train"]
        )
        assert pairs(*data.tests["arrays"]) == pairs(
            file["x_test"].transpose(0, 3, 1, 2), file["y_test"]
        )


def test_names_that_are_no_text_are_refused(root):
    names = np.array(["a", "b", "c"])
    names.view(np.uint32)[1] = 0x110000 + 5
    with pytest.raises(BadData, match="holds what is no text"):
        load(written(root, classes=names))
