"""Folders of images: layouts, splits, digests, what is refused; and the shared copy of PACS."""

import errno
import hashlib
import os
import re
import shutil
from collections import Counter
from pathlib import Path

import msgspec
import numpy as np
import pytest
from PIL import Image

from ddiv import trial as trials
from ddiv.data.folder import absent_images, load_images, pinned
from ddiv.data.load import absent_data as absent_data
from ddiv.data.load import load
from ddiv.data.root import BadData, NoData
from ddiv.profiles.choose import profile
from ddiv.study import Images
from ddiv.treatment import BASELINE
from tests.support.image_files import colours, flat, fresh_root
from tests.support.paths import SHARED_DATA

CLASSES = ("cat", "dog", "eel")


@pytest.fixture
def root(tmp_path, monkeypatch):
    return fresh_root(tmp_path, monkeypatch)


def fill(folder: Path, count: int, part: int = 0) -> None:
    """`count` images of each class; the colour of each is (class, number, part)."""
    for label, name in enumerate(CLASSES):
        for number in range(count):
            flat(folder / name / f"{number}.png", (label, number, part))


def made(spec: Images):
    """The dataset, whose labels are checked against the colours, and the colours to train on and by
    domain.
    """
    data = load_images(pinned(spec))
    shown = {domain: colours(images) for domain, (images, _) in data.tests.items()}
    for seen, labels in [
        (colours(data.inputs), data.labels),
        *((shown[name], data.tests[name][1]) for name in shown),
    ]:
        assert [label for label, *_ in seen] == list(labels)
    assert tuple(data.tests) == spec.test_domains
    return data, colours(data.inputs), shown


# --- layouts and splits ---------------------------------------------------------------------------


def test_classes_are_divided_by_the_hash_of_their_files_paths(root):
    fill(root / "mine" / "pets", 20)
    data, train, tests = made(Images("mine/pets", side=8, split_seed=3))
    assert data.classes == CLASSES and data.inputs.shape[1:] == (3, 8, 8)
    for label, name in enumerate(CLASSES):
        paths = {number: f"mine/pets/{name}/{number}.png" for number in range(20)}
        order = sorted(
            paths, key=lambda number: hashlib.sha256(f"3/{paths[number]}".encode()).digest()
        )
        assert {number for one, number, _ in tests["pets"] if one == label} == {*order[:5]}
        assert {number for one, number, _ in train if one == label} == {*order[5:]}


def test_the_test_images_do_not_depend_on_how_many_train(root):
    fill(root / "pets", 12)
    _, all_train, all_tests = made(Images("pets", side=8))
    _, train, tests = made(Images("pets", side=8, per_class=4, test_per_class=2))
    assert (
        Counter(label for label, *_ in train)
        == Counter(label for label, *_ in tests["pets"] * 2)
        == {0: 4, 1: 4, 2: 4}
    )
    assert (
        {*train} < {*all_train}
        and {*tests["pets"]} < {*all_tests["pets"]}
        and not {*train} & {*all_tests["pets"]}
    )
    assert made(Images("pets", side=8, per_class=4))[2] == all_tests


@pytest.mark.parametrize("share, held", [(0.01, 1), (0.5, 2), (0.99, 3)])
def test_at_least_one_image_of_a_class_is_on_each_side(root, share, held):
    fill(root / "pets", 4)
    assert len(made(Images("pets", side=8, test_share=share))[2]["pets"]) == 3 * held


@pytest.mark.parametrize("words", [("train", "test"), ("Training", "validation"), ("train", "val")])
def test_a_split_of_the_folder_s_own_is_taken(root, words):
    fill(root / "pets" / words[0], 5, part=1)
    fill(root / "pets" / words[1], 3, part=2)
    _, train, tests = made(Images("pets", side=8))
    assert {*train} == {(label, number, 1) for label in range(3) for number in range(5)}
    assert {*tests["pets"]} == {(label, number, 2) for label in range(3) for number in range(3)}


def test_test_goes_before_validation_and_other_folders_are_no_part(root):
    for part, name in enumerate(("train", "val", "test", "unlabelled")):
        fill(root / "pets" / name, 2, part)
    _, train, tests = made(Images("pets", side=8))
    assert {part for *_, part in train} == {0} and {part for *_, part in tests["pets"]} == {2}


def test_a_split_without_a_test_folder_is_divided(root):
    fill(root / "pets" / "train", 8)
    _, train, tests = made(Images("pets", side=8))
    assert len(train) == 18 and len(tests["pets"]) == 6 and not {*train} & {*tests["pets"]}


def test_a_class_may_be_called_train(root):
    for label, name in enumerate(("bus", "test", "train")):
        for number in range(4):
            flat(root / "vehicles" / name / f"{number}.png", (label, number, 0))
    assert made(Images("vehicles", side=8))[0].classes == ("bus", "test", "train")


def test_the_first_domain_trains_and_all_test(root):
    for part, domain in enumerate(("sketch", "photo", "painting", "unused")):
        fill(root / "pets" / domain, 8, part)
    _, train, tests = made(Images("pets", domains=("photo", "sketch", "painting"), side=8))
    assert {part for *_, part in train} == {1} and len(train) == 18
    assert [{part for *_, part in tests[domain]} for domain in ("sketch", "photo", "painting")] == [
        {0},
        {1},
        {2},
    ]
    assert {domain: len(seen) for domain, seen in tests.items()} == {
        "photo": 6,
        "sketch": 24,
        "painting": 24,
    }
    assert not {*train} & {*tests["photo"]}


def test_names_need_not_be_text(root):
    fill(root / "pets", 4)
    for number in range(2):
        os.rename(
            root / "pets" / "cat" / f"{number}.png",
            os.fsencode(root / "pets" / "cat") + b"/\xff%d.png" % number,
        )
    assert len(made(Images("pets", side=8))[1]) == 9


def test_files_that_are_no_images_and_hidden_folders_are_passed_over(root):
    fill(root / "pets", 4)
    before = pinned(Images("pets"))
    flat(root / "pets" / "overview.png", (0, 0, 0))
    flat(root / "pets" / ".trash" / "cat" / "1.png", (0, 0, 0))
    flat(root / "pets" / "__MACOSX" / "cat" / "1.png", (0, 0, 0))
    (root / "pets" / "cat" / "Thumbs.db").write_bytes(b"x")
    (root / "pets" / "labels.csv").write_text("x")
    assert pinned(Images("pets")) == before and len(made(Images("pets", side=8))[1]) == 9


# --- the digest -----------------------------------------------------------------------------------


def test_a_digest_is_that_of_names_and_contents_wherever_they_lie(root, tmp_path, monkeypatch):
    fill(root / "pets", 3)
    spec = pinned(Images("pets", side=8))
    names = [f"{name}/{number}.png" for name in CLASSES for number in range(3)]
    contents = [(root / "pets" / name).read_bytes() for name in names]
    lines = [
        f"{name}\n{hashlib.sha256(content).hexdigest()}\n" for name, content in zip(names, contents)
    ]
    assert (
        spec.digest == hashlib.sha256("".join(lines).encode()).hexdigest() and pinned(spec) is spec
    )
    shutil.copytree(root / "pets", tmp_path / "elsewhere" / "pets")
    monkeypatch.setenv("DDIV_DATA", str(tmp_path / "elsewhere"))
    assert (
        pinned(Images("pets", side=8)) == spec
        and (load_images(spec).labels == load(spec).labels).all()
    )


@pytest.mark.parametrize(
    "change",
    [
        lambda folder: os.remove(folder / "cat" / "0.png"),
        lambda folder: flat(folder / "cat" / "9.png", (0, 0, 0)),
        lambda folder: flat(folder / "cat" / "0.png", (0, 0, 0), (90, 70)),
        lambda folder: os.rename(folder / "cat" / "0.png", folder / "cat" / "x.png"),
    ],
)
def test_a_folder_that_changed_is_refused_with_both_remedies(root, change):
    fill(root / "pets", 3)
    spec = pinned(Images("pets", side=8))
    change(root / "pets")
    now = pinned(Images("pets")).digest
    with pytest.raises(
        BadData,
        match=f"{spec.digest}, and what lies there has {now}: put the files .*take the new digest",
    ):
        load_images(spec)


def test_an_image_replaced_by_one_of_its_size_is_another_and_digests_are_kept(root):
    fill(root / "pets", 3)
    flat(root / "pets" / "cat" / "x.bmp", (0, 9, 0))
    before = pinned(Images("pets"))
    flat(root / "pets" / "cat" / "x.bmp", (0, 8, 0))
    after = pinned(Images("pets"))
    assert before != after and {
        one.read_text() for one in Path(os.environ["DDIV_CACHE"]).glob("*.digest")
    } == {before.digest, after.digest}


def test_a_spec_without_a_digest_is_not_loaded(root):
    fill(root / "pets", 3)
    with pytest.raises(BadData, match=r"digest \(none\)"):
        load_images(Images("pets", side=8))


def test_a_trial_of_images_is_stored_and_read_back(root):
    spec = Images("pets", "a" * 64, domains=("photo", "sketch"))
    study = msgspec.structs.replace(
        profile("smoke").studies[0], data=spec, domains=spec.test_domains
    )
    job = trials.trial(study, BASELINE, 0)
    assert trials.decode(trials.canonical(job)) == job and str(
        root
    ).encode() not in trials.canonical(job)


# --- what is refused ------------------------------------------------------------------------------


def test_what_is_not_there_is_told_in_one_line(root):
    assert "no folder" in absent_images(Images("pets")) and absent_data(
        Images("pets")
    ) == absent_images(Images("pets"))
    assert pinned(Images("pets")) == Images("pets")
    fill(root / "pets" / "photo", 2)
    assert absent_images(Images("pets", domains=("photo",))) is None
    spec = Images("pets", domains=("photo", "sketch"))
    assert re.search(
        r"has no folder sketch: put that domain's images there, .* \(its folders: photo\)$",
        absent_images(spec),
    )
    with pytest.raises(NoData, match="sketch"):
        load_images(spec)


def test_an_empty_folder_is_told(root):
    (root / "pets").mkdir()
    with pytest.raises(BadData, match=r"holds no image .*CLASS/FILE"):
        pinned(Images("pets"))


def test_a_forgotten_domain_is_not_taken_for_a_class(root):
    fill(root / "pets" / "photo", 2)
    fill(root / "pets" / "sketch", 2)
    told = r"has the domains photo, sketch, .* domains=\('photo', 'sketch'\)"
    with pytest.raises(BadData, match=told):
        pinned(Images("pets"))
    (root / "pets" / "sketch").rename(root / "pets" / "test")
    with pytest.raises(BadData, match=r"photo/cat/0.png, deeper than CLASS/FILE: name its domains"):
        pinned(Images("pets"))


def test_one_domain_names_itself(root):
    """With the key of a spec that names it, whatever lies beside its folder."""
    fill(root / "pets" / "photo", 4)
    flat(root / "pets" / "cover.png", (0, 0, 0))
    spec = pinned(Images("pets"))
    assert spec == pinned(Images("pets", domains=("photo",))) and spec.domains == ("photo",)
    assert tuple(load_images(spec).tests) == ("photo",)


def test_two_folders_to_train_on_are_one_too_many(root):
    fill(root / "pets" / "train", 2)
    fill(root / "pets" / "training", 2)
    with pytest.raises(BadData, match="train and training"):
        pinned(Images("pets"))


def test_a_class_with_one_image_cannot_be_divided(root):
    fill(root / "pets", 3)
    flat(root / "pets" / "fox" / "0.png", (0, 0, 0))
    with pytest.raises(BadData, match="the class 'fox' has one image"):
        made(Images("pets", side=8))


@pytest.mark.parametrize(
    "domain, said",
    [
        ("sketch", "'eel' has no example in the domain 'sketch'"),
        ("photo", "'eel' has no example in the training set"),
    ],
)
def test_a_class_that_a_domain_lacks_is_named(root, domain, said):
    fill(root / "pets" / "photo", 3)
    fill(root / "pets" / "sketch", 3)
    shutil.rmtree(root / "pets" / domain / "eel")
    with pytest.raises(BadData, match=f"{said}.*leave that domain out"):
        made(Images("pets", domains=("photo", "sketch"), side=8))


def test_one_class_is_no_classification(root):
    for number in range(4):
        flat(root / "pets" / "cat" / f"{number}.png", (0, 0, 0))
    with pytest.raises(BadData, match="needs two"):
        made(Images("pets", side=8))


def test_an_image_that_does_not_decode_is_named(root):
    fill(root / "pets", 3)
    (root / "pets" / "dog" / "1.png").write_bytes(b"no image")
    with pytest.raises(BadData, match=r"pets/dog/1.png cannot be decoded"):
        made(Images("pets", side=8))


@pytest.mark.parametrize(
    "name", ["x.heic", "x.AVIF", "x.jfif", "x.jpg_large", "x", "x.eps", "x.svg", "x.jpg.bak"]
)
@pytest.mark.parametrize("alone", [False, True])
def test_a_picture_that_would_not_be_read_is_named(root, name, alone):
    fill(root / "pets", 3)
    content = (root / "pets" / "cat" / "0.png").read_bytes()
    if alone:
        shutil.rmtree(root / "pets" / "cat")
        (root / "pets" / "cat").mkdir()
    (root / "pets" / "cat" / name).write_bytes(content)
    with pytest.raises(BadData, match=f"cat/{name} is a picture, and its name ends in none of"):
        pinned(Images("pets"))


@pytest.mark.parametrize("split", ["", "train", "test", "photo"])
@pytest.mark.parametrize("file", [None, "notes.txt", "x.npy", "deeper/notes.txt", ".hidden.png"])
def test_a_class_folder_without_an_image_is_named(root, split, file):
    domains = ("photo", "sketch") if split == "photo" else ()
    for part in {"": [""], "photo": domains}.get(split, ["train", "test"]):
        fill(root / "pets" / part, 3)
    empty = root / "pets" / split / "fox"
    empty.mkdir()
    if file:
        (empty / file).parent.mkdir(exist_ok=True)
        (empty / file).write_bytes(b"none")
    with pytest.raises(BadData, match=r"fox holds no image \(.*take it away"):
        pinned(Images("pets", domains=domains))


def test_a_folder_to_test_on_without_images_is_not_passed_over(root):
    fill(root / "pets" / "train", 3)
    (root / "pets" / "test" / "cat").mkdir(parents=True)
    with pytest.raises(BadData, match="test/cat holds no image"):
        pinned(Images("pets"))


def test_files_of_other_systems_and_notes_are_passed_over(root):
    fill(root / "pets", 4)
    before = pinned(Images("pets"))
    for name in ("._0.png", ".DS_Store", "Thumbs.db", "desktop.ini", "labels.csv", "README", "BM"):
        (root / "pets" / "cat" / name).write_bytes(b"BM, no picture")
    assert pinned(Images("pets")) == before


def test_endings_in_capitals_count(root):
    fill(root / "pets", 4)
    for path in (root / "pets").rglob("*.png"):
        path.rename(path.with_suffix(".PNG"))
    assert len(made(Images("pets", side=8))[1]) == 9


@pytest.mark.parametrize(
    "put, said",
    [
        (lambda path: os.mkfifo(path), "is a pipe, a socket or a device"),
        (lambda path: path.symlink_to("/nowhere/x.png"), "is a link that leads nowhere"),
        (lambda path: path.symlink_to(path), "is a link that leads nowhere"),
        (lambda path: path.symlink_to(path.parent), "is a link to a folder that it lies in"),
        (lambda path: path.symlink_to(path.parent.parent), "is a link to a folder that it lies in"),
    ],
)
@pytest.mark.parametrize("where", ["fox", "cat/x.png", "cat/x"])
def test_what_is_no_file_is_told_and_hangs_nothing(root, where, put, said):
    fill(root / "pets", 3)
    put(root / "pets" / where)
    with pytest.raises(BadData, match=f"{where}.* {said}"):
        pinned(Images("pets"))


def test_a_part_that_the_study_does_not_read_may_hold_anything(root):
    fill(root / "pets" / "train", 3)
    fill(root / "pets" / "test", 3)
    (root / "pets" / "raw" / "empty").mkdir(parents=True)
    os.mkfifo(root / "pets" / "raw" / "x.png")
    (root / "pets" / "raw" / "lost").symlink_to("/nowhere")
    assert len(made(Images("pets", side=8))[1]) == 9


def test_a_linked_class_folder_is_a_class(root, tmp_path):
    fill(tmp_path / "elsewhere", 4)
    (root / "pets").mkdir()
    for name in CLASSES:
        (root / "pets" / name).symlink_to(tmp_path / "elsewhere" / name)
    assert len(made(Images("pets", side=8))[1]) == 9


def test_images_far_below_their_class_are_not_passed_over(root):
    fill(root / "pets", 3)
    flat(root / "pets" / "cat" / "a" / "b" / "c" / "d" / "e" / "x.png", (0, 0, 0))
    with pytest.raises(BadData, match="deeper than CLASS/FILE"):
        pinned(Images("pets"))


def test_a_folder_that_cannot_be_read_is_told(root, monkeypatch):
    fill(root / "pets", 3)
    whole = os.scandir

    def scandir(folder):
        if str(folder).endswith("dog"):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), folder)
        return whole(folder)

    monkeypatch.setattr(os, "scandir", scandir)  # root may read everything
    with pytest.raises(BadData, match=r"pets/dog cannot be read \(Permission denied\)"):
        pinned(Images("pets"))


@pytest.mark.parametrize("name", [b"\xff", b"a\x1b[2J", b"a\nb", b" "])
def test_names_of_classes_that_cannot_be_shown_are_refused(root, name):
    fill(root / "pets", 4)
    os.rename(root / "pets" / "cat", os.fsencode(root / "pets") + b"/" + name)
    with pytest.raises(BadData, match="of a class is empty, or holds control characters"):
        load_images(pinned(Images("pets", side=8)))


@pytest.mark.parametrize(
    "name", ["\u732b", "a b", "'; rm -rf $HOME", "<b>", "\U0001f408\u200d\u2b1b"]
)
def test_names_of_classes_may_be_strange(root, name):
    fill(root / "pets", 4)
    os.rename(root / "pets" / "cat", root / "pets" / name)
    assert name in load_images(pinned(Images("pets", side=8))).classes


def test_32_bit_images_are_refused_and_not_black(root):
    fill(root / "pets", 3)
    Image.fromarray(np.full((8, 8), 200, np.int32)).save(root / "pets" / "cat" / "x.tif")
    with pytest.raises(BadData, match=r"cat/x.tif cannot be decoded \(32-bit pixels have no range"):
        made(Images("pets", side=8))


def test_equal_folders_in_two_roots_are_not_mixed_up(root, tmp_path, monkeypatch):
    for place, part in ((root, 1), (tmp_path / "other", 2)):
        for label, name in enumerate(CLASSES):
            for number in range(4):
                path = flat(place / "pets" / name / f"{number}.bmp", (label, number, part))
                os.utime(path, ns=(5, 5))
    for place, part in ((root, 1), (tmp_path / "other", 2), (root, 1)):
        monkeypatch.setenv("DDIV_DATA", str(place))
        _, train, tests = made(Images("pets", side=8))
        assert {seen for *_, seen in (*train, *tests["pets"])} == {part}


def test_a_digest_that_was_damaged_is_computed_anew(root):
    fill(root / "pets", 3)
    before = pinned(Images("pets"))
    (kept,) = Path(os.environ["DDIV_CACHE"]).glob("*.digest")
    kept.write_text("0" * 64)
    assert pinned(Images("pets")) == before


# --- PACS -----------------------------------------------------------------------------------------


def test_pacs_trains_on_photos_and_tests_on_all_domains(tmp_path, monkeypatch):
    shared = SHARED_DATA
    if not (shared / "pacs96").is_dir():
        pytest.skip(f"no PACS in {shared}: name the folder that holds pacs96 in DDIV_SHARED_DATA")
    monkeypatch.setenv("DDIV_DATA", str(shared))
    monkeypatch.setenv("DDIV_CACHE", str(tmp_path))
    spec = Images(
        "pacs96",
        domains=("photo", "art_painting", "cartoon", "sketch"),
        side=32,
        per_class=20,
        test_per_class=10,
    )
    data = load_images(pinned(spec))
    assert data.classes == ("dog", "elephant", "giraffe", "guitar", "horse", "house", "person")
    assert tuple(data.tests) == spec.domains and data.inputs.shape == (140, 3, 32, 32)
    assert {images.shape for images, _ in data.tests.values()} == {(70, 3, 32, 32)}
    assert len(np.unique(data.inputs.reshape(140, -1), axis=0)) == 140
    # Sketches are black lines on white, photographs are not.
    assert data.tests["sketch"][0].mean() > 220 > 180 > data.tests["photo"][0].mean()
