"""The cache of decoded images: pixels against torch's own resizing, modes, one decoding for all,
damage and full disks.
"""

import errno
import hashlib
import os
import warnings
from collections import Counter
from multiprocessing.pool import ThreadPool
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image, ImageFile
from torchvision.transforms.v2 import functional as F

from ddiv.data import decoded as cache
from ddiv.data.decoded import (
    Example,
    Source,
    dataset,
    decoded,
    drawn,
    of_array,
    of_files,
    pixels,
    ranked,
)
from ddiv.data.root import BadData
from tests.support.drafts import dead_draft
from tests.support.image_files import EPS, colours, flat, fresh_root, ghostscript, noise


@pytest.fixture
def root(tmp_path, monkeypatch):
    return fresh_root(tmp_path, monkeypatch)


def files(root, count: int = 5) -> list[Source]:
    return [
        *of_files(
            root, [flat(root / f"{number}.png", (number, 0, 0)).name for number in range(count)]
        )
    ]


def stored(root) -> list:
    return [path for path in (root.parent / "decoded").glob("*") if path.suffix != ".lock"]


# --- pixels -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "height, width, side", [(61, 40, 24), (33, 100, 24), (50, 50, 24), (11, 17, 32)]
)
def test_pixels_are_those_of_torch_s_resizing(height, width, side):
    image = noise(0, height, width)
    tensor = torch.from_numpy(image).permute(2, 0, 1)
    wanted = F.center_crop(F.resize(tensor, [side], antialias=True), [side]).numpy().astype(int)
    found = pixels(Image.fromarray(image), side)
    assert found.shape == (3, side, side) and found.dtype == np.uint8
    assert np.abs(found - wanted).max() <= 1


def test_an_image_of_the_right_size_is_left_as_it_is():
    image = noise(1, 24, 24)
    assert (pixels(Image.fromarray(image), 24) == image.transpose(2, 0, 1)).all()


def test_images_of_all_modes_become_rgb(tmp_path):
    rgb = noise(2, 16, 16)
    image = Image.fromarray(rgb)
    grey = np.asarray(image.convert("L"))
    deep = tmp_path / "deep.png"
    Image.fromarray(grey.astype(np.uint16) * 257).save(deep)
    few = image.quantize(8)
    saved = tmp_path / "few.gif"
    few.save(saved)
    for made, wanted in [
        (Image.fromarray(grey), np.stack([grey] * 3)),
        (Image.open(deep), np.stack([grey] * 3)),
        (image.convert("1"), np.stack([np.asarray(image.convert("1")) * 255] * 3)),
        (Image.open(saved), np.asarray(few.convert("RGB")).transpose(2, 0, 1)),
        (image.convert("CMYK"), rgb.transpose(2, 0, 1)),
    ]:
        assert np.abs(pixels(made, 16).astype(int) - wanted).max() <= 1, made.mode


def test_transparent_pixels_are_white_whatever_lies_under_them():
    rgba = np.dstack([noise(3, 16, 16), np.full((16, 16), 255, np.uint8)])
    rgba[:8, :, 3] = 0
    found = pixels(Image.fromarray(rgba), 16)
    assert (found[:, :8] == 255).all() and (
        found[:, 8:] == rgba[8:, :, :3].transpose(2, 0, 1)
    ).all()
    palette = Image.fromarray(noise(3, 16, 16)).quantize(4)
    palette.info["transparency"] = palette.getpixel((0, 0))
    assert (pixels(palette, 16)[:, 0, 0] == 255).all()


@pytest.mark.parametrize(
    "orientation, turned",
    [
        (1, lambda image: image),
        (2, lambda image: image[:, ::-1]),
        (3, lambda image: np.rot90(image, 2)),
        (6, lambda image: np.rot90(image, -1)),
    ],
)
def test_images_are_turned_upright_as_their_camera_says(tmp_path, orientation, turned):
    image, exif = noise(4, 16, 16), Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(image).save(tmp_path / "a.png", exif=exif)
    assert (pixels(Image.open(tmp_path / "a.png"), 16) == turned(image).transpose(2, 0, 1)).all()


def test_floating_point_pixels_are_refused():
    with pytest.raises(ValueError, match="8 bits"):
        pixels(Image.fromarray(np.ones((8, 8), np.float32)), 8)


# --- the cache ----------------------------------------------------------------------------------


def counted(sources):
    """The sources with a count of how often each is opened."""
    opened = Counter()

    def watched(one):
        def open_it():
            opened[one.name] += 1
            return one.open()

        return one._replace(open=open_it)

    return [watched(one) for one in sources], opened


def test_images_are_decoded_once_in_their_order(root):
    sources, opened = counted(files(root, 9))
    first = decoded(sources, 4)
    assert first.shape == (9, 3, 4, 4) and colours(first) == [(number, 0, 0) for number in range(9)]
    again = decoded(sources, 4)
    assert isinstance(again, np.memmap) and (again == first).all()
    assert opened == {one.name: 1 for one in sources} and len(stored(root)) == 1
    assert decoded(sources, 5).shape == (9, 3, 5, 5) and len(stored(root)) == 2


def test_who_asks_at_once_waits_for_the_one_that_decodes(root):
    sources, opened = counted(files(root, 40))
    with ThreadPool(6) as pool:
        found = pool.map(lambda _: decoded(sources, 4), range(6))
    assert all((one == found[0]).all() for one in found) and set(opened.values()) == {1}


def test_writing_into_the_array_changes_nothing_on_disk(root):
    sources = files(root)
    with warnings.catch_warnings(action="error"):  # torch warns of arrays that cannot be written
        torch.from_numpy(decoded(sources, 4)).zero_()
    assert colours(decoded(sources, 4))[4] == (4, 0, 0)


def test_a_file_that_changed_is_decoded_anew(root):
    assert colours(decoded(files(root, 2), 4)) == [(0, 0, 0), (1, 0, 0)]
    os.utime(flat(root / "1.png", (9, 9, 9)), ns=(1, 1))
    assert colours(decoded([*of_files(root, ["0.png", "1.png"])], 4)) == [(0, 0, 0), (9, 9, 9)]


def test_equal_names_sizes_and_times_in_two_places_are_two_images(root, tmp_path):
    other = tmp_path / "other"
    for place, colour in ((root, (1, 0, 0)), (other, (2, 0, 0))):
        os.utime(flat(place / "a" / "x.bmp", colour), ns=(5, 5))
    for place, colour in ((root, (1, 0, 0)), (other, (2, 0, 0)), (root, (1, 0, 0))):
        assert colours(decoded([*of_files(place, ["a/x.bmp"])], 4)) == [colour]


def test_a_link_to_another_place_is_followed(root, tmp_path):
    link = tmp_path / "link"
    for number in range(3):
        os.utime(flat(tmp_path / f"{number}" / "x.bmp", (number, 0, 0)), ns=(5, 5))
        link.unlink(missing_ok=True)
        link.symlink_to(tmp_path / f"{number}")
        assert colours(decoded([*of_files(link, ["x.bmp"])], 4)) == [(number, 0, 0)]


def test_an_image_replaced_with_its_size_and_time_kept_is_decoded_anew(root):
    for colour in ((1, 0, 0), (2, 0, 0)):
        os.utime(flat(root / "x.bmp", colour), ns=(5, 5))
        assert colours(decoded([*of_files(root, ["x.bmp"])], 4)) == [colour]


def test_every_flipped_bit_of_the_cache_is_noticed(root):
    sources, opened = counted(files(root, 2))
    wanted = decoded(sources, 4).copy()
    (path,) = stored(root)
    whole = path.read_bytes()
    places = [*range(0, len(whole), 9), len(whole) - 1]
    for place in places:
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 4]) + whole[place + 1 :])
        assert (decoded(sources, 4) == wanted).all(), place
    assert set(opened.values()) == {1 + len(places)} and path.read_bytes() == whole


def test_what_lies_behind_the_images_in_the_cache_is_noticed(root):
    sources, opened = counted(files(root))
    decoded(sources, 4)
    (path,) = stored(root)
    path.write_bytes(path.read_bytes() + b"x")
    assert colours(decoded(sources, 4))[3] == (3, 0, 0) and set(opened.values()) == {2}


def test_a_library_that_lets_pillow_fill_torn_images_changes_nothing(root, monkeypatch):
    Image.fromarray(noise(0, 64, 64)).save(root / "x.jpg")
    (root / "x.jpg").write_bytes((root / "x.jpg").read_bytes()[:-200])
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    with pytest.raises(BadData, match=r"x\.jpg cannot be decoded"):
        decoded([*of_files(root, ["x.jpg"])], 4)


def test_no_program_is_started_for_an_image(root, tmp_path, monkeypatch):
    ran = ghostscript(tmp_path, monkeypatch)
    (root / "x.png").write_bytes(EPS)
    with pytest.raises(BadData, match=r"x\.png cannot be decoded .*no picture of the formats JPEG"):
        decoded([*of_files(root, ["x.png"])], 4)
    assert not ran.exists()


def test_a_pipe_in_the_place_of_an_image_is_told_at_once(root):
    os.mkfifo(root / "x.png")
    with pytest.raises(BadData, match=r"x.png below .* is no file"):
        [*of_files(root, ["x.png"])]


@pytest.mark.parametrize("size", [(1, 2_000_000), (2_000_000, 1)])
def test_a_long_and_thin_image_does_not_fill_the_memory(size):
    with pytest.raises(ValueError, match="too many: crop it"):
        pixels(Image.new("1", size), 24)
    with pytest.raises(ValueError, match="no pixels"):
        pixels(Image.new("RGB", (0, 5)), 24)


@pytest.mark.parametrize("left", [0, 40, 150])
def test_a_cache_file_that_was_cut_short_is_made_anew(root, left):
    sources = files(root)
    wanted = decoded(sources, 4).copy()
    (path,) = stored(root)
    path.write_bytes(path.read_bytes()[:left])
    assert (decoded(sources, 4) == wanted).all()


def test_what_a_killed_process_left_is_no_obstacle(root):
    sources = files(root)
    decoded(sources, 4)
    (path,) = stored(root)
    path.rename(path.with_suffix(".part"))
    assert colours(decoded(sources, 4))[3] == (3, 0, 0) and stored(root) == [path]


def test_what_a_killed_process_left_is_swept_also_where_it_is_of_other_images(root):
    sources = files(root)
    decoded(sources, 4)
    (path,) = stored(root)
    left = [dead_draft(path), dead_draft(path.with_stem("0123456789abcdef0123456789abcdef-9"))]
    decoded(sources, 4)
    assert not any(draft.exists() for draft in left) and stored(root) == [path]


@pytest.mark.parametrize("content", [b"no image", b"", None])
def test_an_image_that_does_not_decode_is_named(root, content):
    sources = files(root)
    whole = (root / "3.png").read_bytes()
    (root / "3.png").write_bytes(whole[: len(whole) // 2] if content is None else content)
    with pytest.raises(
        BadData, match=r"the image 3.png cannot be decoded .*replace it, or take it out"
    ):
        decoded(sources, 4)
    assert stored(root) == []


def test_a_missing_image_is_named(root):
    with pytest.raises(BadData, match=r"a/b.png below .*No such file.*anew"):
        [*of_files(root, ["a/b.png"])]


def test_a_disk_without_room_is_said_before_decoding(root, monkeypatch):
    sources, opened = counted(files(root))
    monkeypatch.setattr(cache.shutil, "disk_usage", lambda folder: SimpleNamespace(free=100))
    with pytest.raises(BadData, match=r"0.0 GB are needed .*DDIV_CACHE"):
        decoded(sources, 4)
    assert not opened


def test_a_disk_that_fills_up_is_one_clear_error(root, monkeypatch):
    def full(handle):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(cache.os, "fsync", full)
    with pytest.raises(BadData, match=r"No space left on device.*free some space"):
        decoded(files(root), 4)
    assert stored(root) == []


def test_long_work_says_how_far_it_is(root, monkeypatch, capsys):
    monkeypatch.setattr(cache, "QUIET_SECONDS", 0.0)
    monkeypatch.setattr(cache, "CHUNK", 2)
    decoded(files(root, 6), 4)
    said = capsys.readouterr().err.splitlines()
    assert [line.split(",")[0] for line in said] == [
        "images decoded: 2 of 6",
        "images decoded: 4 of 6",
    ]


def test_arrays_are_named_by_their_content(root):
    images = np.stack([noise(seed, 8, 8) for seed in range(3)])
    assert (decoded(of_array("x", images), 8) == images.transpose(0, 3, 1, 2)).all()
    assert (decoded(of_array("x", images[::-1]), 8) == images[::-1].transpose(0, 3, 1, 2)).all()


# --- which examples -----------------------------------------------------------------------------


def examples(count: int) -> list[Example]:
    return [Example(Source(f"a/{number}.png", "", None), number % 3) for number in range(count)]


def test_examples_are_ranked_by_hash_wherever_they_came_from():
    some = examples(30)
    wanted = sorted(
        some, key=lambda one: hashlib.sha256(b"7/" + one.source.name.encode()).hexdigest()
    )
    assert ranked(some, 7) == ranked(some[::-1], 7) == wanted != ranked(some, 8)
    few = ranked(some, 7, per_class=4)
    assert Counter(one.label for one in few) == {0: 4, 1: 4, 2: 4}
    assert [one for one in ranked(some, 7, per_class=6) if one in few] == few


def test_replicates_decode_what_they_draw_from_once(root):
    """A set that is few of its pool does not wait for the others."""
    whole = [Example(one, number % 2) for number, one in enumerate(files(root, 40))]
    sources, opened = counted([one.source for one in whole])
    whole = [Example(one, number % 2) for number, one in enumerate(sources)]

    def drawn_by(seed, per_class):
        chosen = drawn(whole, seed, per_class)
        data = dataset(chosen, {"d": chosen}, ["a", "b"], 4, [whole])
        numbers = [int(one.source.name.removesuffix(".png")) for one in chosen]
        assert [red for red, *_ in colours(data.inputs)] == numbers
        assert data.labels.tolist() == [number % 2 for number in numbers]
        return data

    few = drawn_by(1, 2)
    assert len(opened) == 4 and isinstance(few.inputs, np.memmap)
    some = [drawn_by(seed, 10).inputs for seed in range(5)]
    assert {*opened.values()} <= {1, 2} and len(opened) == 40 and len(stored(root)) == 2
    assert len({each.tobytes() for each in some}) == 5
    # All of it is the same at every seed, and stays on disk.
    everything = [drawn_by(seed, 0).inputs for seed in (0, 1)]
    assert all(isinstance(each, np.memmap) for each in everything)
    assert np.array_equal(*everything) and len(stored(root)) == 2


@pytest.mark.parametrize(
    "training, test, said",
    [
        ([0, 1], [0, 1, 2], "'c' has no example in the training set"),
        ([0, 1, 2], [1], r"'a' \(and 1 more\) has no example in the domain 'd'"),
    ],
)
def test_every_class_needs_an_example_everywhere(training, test, said):
    of = {one.label: one for one in examples(3)}
    with pytest.raises(BadData, match=said):
        dataset(
            [of[label] for label in training],
            {"d": [of[label] for label in test]},
            ["a", "b", "c"],
            8,
        )
