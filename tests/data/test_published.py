"""The published datasets in miniature, written in the true format of each: what is read, and what a
damaged copy says.
"""

import hashlib
import pickle

import numpy as np
import pytest
import scipy.io
from PIL import Image
from torchvision import datasets

from ddiv.data import published
from ddiv.data.load import absent_data as absent_data
from ddiv.data.published import LAYOUTS, absent_published, load_published
from ddiv.data.root import BadData, NoData
from ddiv.study import Published, PublishedName
from tests.support.image_files import flat, fresh_root, noise

SMALL = {
    "cifar10": (10, 4),
    "cifar100": (6, 3),
    "imagenette": (6, 3),
    "flowers102": (204, 102),
    "stanford-cars": (6, 3),
}


@pytest.fixture
def root(tmp_path, monkeypatch):
    for name, (train, test) in SMALL.items():
        monkeypatch.setitem(LAYOUTS, name, LAYOUTS[name]._replace(train=train, test=test))
    return fresh_root(tmp_path, monkeypatch)


def md5(path) -> str:
    return hashlib.md5(path.read_bytes()).hexdigest()


# --- miniatures -----------------------------------------------------------------------------------


def cifar(
    root,
    monkeypatch,
    kind,
    batches: dict[str, int],
    labels_key: str,
    meta: str,
    meta_key: str,
    classes: int,
):
    """Batches as Krizhevsky's: pickled dictionaries of rows of 3,072 bytes, channel after channel;
    the last one tests.
    """
    folder = root / kind.base_folder
    folder.mkdir()
    wanted = {}
    for place, (name, count) in enumerate(batches.items()):
        images = np.stack([noise(10 * place + number, 32, 32) for number in range(count)])
        labels = [number % classes for number in range(count)]
        rows = images.transpose(0, 3, 1, 2).reshape(count, -1)
        batch = {"batch_label": name, labels_key: labels, "data": rows, "filenames": ["x"] * count}
        (folder / name).write_bytes(pickle.dumps(batch, 2))
        wanted[name] = {
            (image.transpose(2, 0, 1).tobytes(), label) for image, label in zip(images, labels)
        }
    (folder / meta).write_bytes(
        pickle.dumps({meta_key: [f"class {number}" for number in range(classes)]}, 2)
    )
    lists = [[name, md5(folder / name)] for name in batches]
    monkeypatch.setattr(kind, "train_list", lists[:-1])
    monkeypatch.setattr(kind, "test_list", lists[-1:])
    monkeypatch.setattr(
        kind, "meta", {"filename": meta, "key": meta_key, "md5": md5(folder / meta)}
    )
    return wanted


def cifar10(root, monkeypatch):
    return cifar(
        root,
        monkeypatch,
        datasets.CIFAR10,
        {"data_batch_1": 6, "data_batch_2": 4, "test_batch": 4},
        "labels",
        "batches.meta",
        "label_names",
        2,
    )


def cifar100(root, monkeypatch):
    return cifar(
        root,
        monkeypatch,
        datasets.CIFAR100,
        {"train": 6, "test": 3},
        "fine_labels",
        "meta",
        "fine_label_names",
        3,
    )


def shade(label: int) -> tuple[int, int, int]:
    return 16 * (label % 16), 16 * (label // 16), 100


def jpeg(path, label):
    """A flat JPEG in the shade of a class."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (16, 16), shade(label)).save(path, format="JPEG", quality=95, subsampling=0)


def imagenette(root, monkeypatch):
    for label, wnid in enumerate(["n01440764", "n02102040", "n02979186"]):
        for part, count in (("train", 2), ("val", 1)):
            for number in range(count):
                jpeg(root / "imagenette2" / part / wnid / f"{wnid}_{number}.JPEG", label)


def flowers102(root, monkeypatch):
    """Three images of each of the 102 classes: number 3k + 1 trains, 3k + 2 validates, 3k + 3
    tests.
    """
    folder = root / "flowers-102"
    for number in range(1, 307):
        jpeg(folder / "jpg" / f"image_{number:05d}.jpg", (number - 1) // 3)
    scipy.io.savemat(folder / "imagelabels.mat", {"labels": np.arange(306)[None] // 3 + 1})
    parts = {
        name: np.arange(start, 307, 3)[None]
        for start, name in enumerate(("trnid", "valid", "tstid"), start=1)
    }
    scipy.io.savemat(folder / "setid.mat", parts)
    files = datasets.Flowers102._file_dict
    monkeypatch.setattr(
        datasets.Flowers102,
        "_file_dict",
        files | {key: (files[key][0], md5(folder / files[key][0])) for key in ("label", "setid")},
    )


def stanford_cars(root, monkeypatch):
    folder = root / "stanford_cars"
    (folder / "devkit").mkdir(parents=True)
    fields = ["bbox_x1", "bbox_y1", "bbox_x2", "bbox_y2", "class", "fname"]

    def annotations(part: str, count: int):
        rows = []
        for number in range(count):
            label = number % 3 + 1
            jpeg(folder / part / f"{number:05d}.jpg", label - 1)
            rows.append((1, 1, 15, 15, label, f"{number:05d}.jpg"))
        return {
            "annotations": np.array([rows], dtype=[(field, object) for field in fields]).reshape(
                1, count
            )
        }

    scipy.io.savemat(folder / "devkit" / "cars_train_annos.mat", annotations("cars_train", 6))
    scipy.io.savemat(folder / "cars_test_annos_withlabels.mat", annotations("cars_test", 3))
    names = np.array(
        ["AM General Hummer SUV 2000", "Acura RL Sedan 2012", "Acura TL Sedan 2012"], dtype=object
    )
    scipy.io.savemat(folder / "devkit" / "cars_meta.mat", {"class_names": names[None]})


WRITE = {
    "cifar10": cifar10,
    "cifar100": cifar100,
    "imagenette": imagenette,
    "flowers102": flowers102,
    "stanford-cars": stanford_cars,
}


# --- what is read ---------------------------------------------------------------------------------


def test_every_published_name_can_be_read():
    assert {*LAYOUTS} == {*PublishedName.__args__} == {*WRITE}


@pytest.mark.parametrize(
    "name, train, test",
    [("cifar10", ["data_batch_1", "data_batch_2"], "test_batch"), ("cifar100", ["train"], "test")],
)
def test_cifar_is_read_bit_for_bit(root, monkeypatch, name, train, test):
    wanted = WRITE[name](root, monkeypatch)
    data = load_published(Published(name, side=32))
    pairs = [
        {(image.tobytes(), int(label)) for image, label in zip(images, labels)}
        for images, labels in [(data.inputs, data.labels), data.tests[name]]
    ]
    assert pairs == [set.union(*(wanted[batch] for batch in train)), wanted[test]]
    assert data.classes[:2] == ("class 0", "class 1")


@pytest.mark.parametrize(
    "name, classes",
    [
        ("imagenette", ("tench", "English springer", "cassette player")),
        ("flowers102", ("pink primrose", "hard-leaved pocket orchid", "canterbury bells")),
        (
            "stanford-cars",
            ("AM General Hummer SUV 2000", "Acura RL Sedan 2012", "Acura TL Sedan 2012"),
        ),
    ],
)
def test_images_of_files_have_the_labels_of_their_lists(root, monkeypatch, name, classes):
    WRITE[name](root, monkeypatch)
    data = load_published(Published(name, side=8))
    assert (
        data.classes[:3] == classes and tuple(data.tests) == (name,) == Published(name).test_domains
    )
    for count, (images, labels) in zip(SMALL[name], [(data.inputs, data.labels), data.tests[name]]):
        assert images.shape == (count, 3, 8, 8)
        assert np.abs(images.mean((2, 3)) - [shade(label) for label in labels]).max() < 4
        assert len(set(labels)) == len(data.classes)


def test_flowers_train_on_their_training_and_validation_parts(root, monkeypatch):
    flowers102(root, monkeypatch)
    train, test = (
        [int(one.name[-9:-4]) for one in part.sources]
        for part in published.read(Published("flowers102"))
    )
    assert sorted(train) == [number for number in range(1, 307) if number % 3] and test == [
        *range(3, 307, 3)
    ]


def test_fewer_images_are_a_part_of_all(root, monkeypatch):
    cifar10(root, monkeypatch)
    few, everything = (
        load_published(Published("cifar10", 32, per_class=most, test_per_class=most))
        for most in (1, 0)
    )
    assert sorted(few.labels) == sorted(few.tests["cifar10"][1]) == [0, 1]
    assert {one.tobytes() for one in few.inputs} < {one.tobytes() for one in everything.inputs}


# --- damaged copies -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", WRITE)
def test_a_dataset_that_is_not_there_says_how_to_get_it(root, monkeypatch, name):
    spec = Published(name, side=8)
    assert (
        absent_data(spec) == absent_published(spec)
        and absent_published(spec).endswith(f"ddiv fetch {name}")
        and "\n" not in absent_published(spec)
    )
    with pytest.raises(NoData, match=f"ddiv fetch {name}"):
        load_published(spec)
    WRITE[name](root, monkeypatch)
    assert absent_published(spec) is None


@pytest.mark.parametrize(
    "name, file",
    [
        ("cifar10", "cifar-10-batches-py/data_batch_2"),
        ("cifar10", "cifar-10-batches-py/batches.meta"),
        ("cifar100", "cifar-100-python/test"),
        ("flowers102", "flowers-102/imagelabels.mat"),
    ],
)
@pytest.mark.parametrize(
    "damage", [lambda whole: whole[:-1] + b"x", lambda whole: whole[: len(whole) // 2]]
)
def test_a_wrong_checksum_is_told(root, monkeypatch, name, file, damage):
    WRITE[name](root, monkeypatch)
    (root / file).write_bytes(damage((root / file).read_bytes()))
    with pytest.raises(
        BadData, match=f"{name} is not whole .*corrupted.*delete .*ddiv fetch {name}"
    ):
        load_published(Published(name, side=8))


@pytest.mark.parametrize(
    "file",
    ["devkit/cars_meta.mat", "devkit/cars_train_annos.mat", "cars_test_annos_withlabels.mat"],
)
def test_a_truncated_list_of_cars_is_told(root, monkeypatch, file):
    stanford_cars(root, monkeypatch)
    path = root / "stanford_cars" / file
    path.write_bytes(path.read_bytes()[:150])
    with pytest.raises(BadData, match="stanford-cars is not whole"):
        load_published(Published("stanford-cars", side=8))


@pytest.mark.parametrize(
    "name, file, said",
    [
        (
            "imagenette",
            "imagenette2/val/n02102040/n02102040_0.JPEG",
            "imagenette is not whole .*n02102040",
        ),
        (
            "flowers102",
            "flowers-102/jpg/image_00007.jpg",
            "flowers-102/jpg/image_00007.jpg below .*No such file",
        ),
        (
            "stanford-cars",
            "stanford_cars/cars_test/00001.jpg",
            "stanford_cars/cars_test/00001.jpg below .*No such file",
        ),
    ],
)
def test_a_missing_image_is_told(root, monkeypatch, name, file, said):
    WRITE[name](root, monkeypatch)
    (root / file).unlink()
    with pytest.raises(BadData, match=said):
        load_published(Published(name, side=8))


def test_a_copy_that_lacks_images_is_not_taken_for_the_whole(root, monkeypatch):
    imagenette(root, monkeypatch)
    flat(root / "imagenette2" / "train" / "n01440764" / "more.JPEG", (0, 0, 0))
    with pytest.raises(
        BadData, match="7 images to train on and 3 to test on, the official one has 6 and 3: delete"
    ):
        load_published(Published("imagenette", side=8))


def test_an_image_that_does_not_decode_is_named(root, monkeypatch):
    imagenette(root, monkeypatch)
    (root / "imagenette2" / "train" / "n02979186" / "n02979186_1.JPEG").write_bytes(
        b"\xff\xd8\xff no image"
    )
    with pytest.raises(
        BadData, match=r"imagenette2/train/n02979186/n02979186_1.JPEG cannot be decoded"
    ):
        load_published(Published("imagenette", side=8))


def test_the_official_sizes_are_those_of_the_papers():
    sizes = {name: (layout.train, layout.test) for name, layout in published.LAYOUTS.items()}
    assert (
        sizes["cifar100"] == sizes["cifar10"] == (50_000, 10_000)
        and sum(sizes["flowers102"]) == 8_189
    )
    assert sum(sizes["stanford-cars"]) == 16_185 and sum(sizes["imagenette"]) == 13_394
