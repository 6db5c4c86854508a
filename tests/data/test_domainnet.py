"""DomainNet in miniature, as lists and zip archives: which classes and images are taken, and what a
damaged copy says.
"""

import hashlib
import io
import shutil
import zipfile
from pathlib import Path

import pytest
from PIL import Image

from ddiv.data.domainnet import absent_domainnet, load_domainnet, of_archive
from ddiv.data.load import absent_data as absent_data
from ddiv.data.root import BadData, NoData
from ddiv.study import DomainNet
from tests.support.image_files import colours, fresh_root

DOMAINS = ("real", "clipart", "sketch")
CLASSES = ("aircraft_carrier", "airplane", "alarm_clock", "ambulance", "The_Eiffel_Tower")
# a class that one domain cannot test, as DomainNet's own lists have it
MISSING = ("sketch", "airplane")
TRAIN, TEST = 6, 4


@pytest.fixture
def root(tmp_path, monkeypatch):
    return fresh_root(tmp_path, monkeypatch)


def colour(domain: str, label: int, number: int) -> tuple[int, int, int]:
    return (label, number, DOMAINS.index(domain))


def written(root: Path, bad_member: str = "") -> Path:
    """Lists grouped by class and archives as the authors' server has them."""
    folder = root / "domainnet"
    folder.mkdir()
    for domain in DOMAINS:
        lists = {"train": [], "test": []}
        with zipfile.ZipFile(folder / f"{domain}.zip", "w") as archive:
            for label, name in enumerate(CLASSES):
                for number in range(TRAIN + TEST):
                    path = f"{domain}/{name}/{domain}_{label + 1:03d}_{number:06d}.png"
                    image = io.BytesIO()
                    Image.new("RGB", (9, 7), colour(domain, label, number)).save(
                        image, format="PNG"
                    )
                    archive.writestr(path, image.getvalue())
                    part = "train" if number < TRAIN else "test"
                    if part == "train" or (domain, name) != MISSING:
                        lists[part].append(f"{path} {label}\n")
            if bad_member:
                archive.writestr(bad_member, b"x")
        for part, lines in lists.items():
            (folder / f"{domain}_{part}.txt").write_text("".join(lines))
    return folder


def spec(**changes) -> DomainNet:
    return DomainNet(**{"domains": DOMAINS, "side": 8, "classes": 3, "train": 1000} | changes)


# --- which images ---------------------------------------------------------------------------------


def test_the_first_classes_that_every_domain_can_test_are_taken(root):
    written(root)
    data = load_domainnet(spec())
    assert data.classes == ("aircraft_carrier", "alarm_clock", "ambulance")
    numbers = [0, 2, 3]
    assert {*zip(colours(data.inputs), data.labels)} == {
        (colour("real", number, place), label)
        for label, number in enumerate(numbers)
        for place in range(TRAIN)
    }
    for domain in DOMAINS:
        images, labels = data.tests[domain]
        assert {*zip(colours(images), labels)} == {
            (colour(domain, number, TRAIN + place), label)
            for label, number in enumerate(numbers)
            for place in range(TEST)
        }


def test_fewer_images_are_the_first_by_hash(root):
    written(root)
    data = load_domainnet(spec(train=7, test_per_class=2, split_seed=5))
    paths = {
        f"domainnet/real/{CLASSES[label]}/real_{label + 1:03d}_{number:06d}.png": colour(
            "real", label, number
        )
        for label in (0, 2, 3)
        for number in range(TRAIN)
    }
    first = sorted(paths, key=lambda path: hashlib.sha256(f"5/{path}".encode()).digest())[:7]
    assert {*colours(data.inputs)} == {paths[path] for path in first}
    everything = load_domainnet(spec())
    for domain, (images, labels) in data.tests.items():
        assert sorted(labels) == [0, 0, 1, 1, 2, 2] and {*colours(images)} < {
            *colours(everything.tests[domain][0])
        }


def test_unpacked_folders_give_what_archives_give(root, tmp_path):
    folder = written(root)
    packed = load_domainnet(spec())
    for domain in DOMAINS[:2]:
        with zipfile.ZipFile(folder / f"{domain}.zip") as archive:
            archive.extractall(folder)
        (folder / f"{domain}.zip").unlink()
    unpacked = load_domainnet(spec())
    assert (packed.inputs == unpacked.inputs).all() and (packed.labels == unpacked.labels).all()
    assert all((packed.tests[domain][0] == unpacked.tests[domain][0]).all() for domain in DOMAINS)


def test_the_paper_s_subset_is_the_default():
    default = DomainNet()
    assert (default.classes, default.train, default.domains[0]) == (142, 50_000, "real") and len(
        default.domains
    ) == 5
    assert default.test_domains == default.domains


# --- damaged copies -------------------------------------------------------------------------------


def test_what_is_not_there_says_how_to_get_it(root):
    assert "no real_train.txt" in absent_domainnet(spec()) == absent_data(spec())
    folder = written(root)
    assert absent_domainnet(spec()) is None
    shutil.move(folder / "clipart.zip", folder / "elsewhere.zip")
    assert "no clipart.zip, nor a folder clipart, in" in absent_domainnet(
        spec()
    ) and absent_domainnet(spec()).endswith("ddiv fetch domainnet")
    with pytest.raises(NoData, match=r"clipart.zip"):
        load_domainnet(spec())


@pytest.mark.parametrize("share", [0.0, 0.5, 0.95])
def test_a_truncated_archive_is_told(root, share):
    path = written(root) / "sketch.zip"
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(BadData, match=r"sketch.zip is no whole zip archive .*ddiv fetch domainnet"):
        load_domainnet(spec())


@pytest.mark.parametrize(
    "member", ["../evil.png", "real/../../evil.png", "/etc/evil.png", "real\\..\\evil.png"]
)
def test_an_archive_that_leads_out_of_its_folder_is_refused(root, member):
    written(root, member)
    with pytest.raises(BadData, match=r"evil.png.* leads out of its folder"):
        load_domainnet(spec())
    assert not [*root.parent.rglob("evil.png")]


@pytest.mark.parametrize(
    "line",
    [
        "real/../../../etc/passwd 0",
        "real/airplane/.. 0",
        "/etc/passwd 0",
        "clipart/airplane/a.png 0",
        "real/a.png 0",
        "real/airplane/a.png",
        "real/airplane/a.png one",
        "",
    ],
)
def test_a_list_with_another_kind_of_line_is_refused(root, line):
    path = written(root) / "real_test.txt"
    path.write_text(line + "\n" + path.read_text())
    with pytest.raises(BadData, match=r'real_test.txt, line 1: .* is not "real/CLASS/FILE LABEL"'):
        load_domainnet(spec())


def test_an_image_that_the_archive_lacks_is_named(root):
    path = written(root) / "real_train.txt"
    path.write_text("real/aircraft_carrier/none.png 0\n" + path.read_text())
    with pytest.raises(BadData, match=r"real.zip has no real/aircraft_carrier/none.png"):
        load_domainnet(spec())


def test_an_image_that_is_damaged_in_its_archive_is_named(root):
    folder = written(root)
    with zipfile.ZipFile(folder / "real.zip") as archive:
        start = archive.getinfo("real/ambulance/real_004_000002.png").header_offset
    whole = bytearray((folder / "real.zip").read_bytes())
    whole[start + 100] ^= 255
    (folder / "real.zip").write_bytes(bytes(whole))
    with pytest.raises(
        BadData, match=r"domainnet/real/ambulance/real_004_000002.png cannot be decoded .*CRC"
    ):
        load_domainnet(spec())


def test_lists_that_contradict_each_other_are_told(root):
    path = written(root) / "clipart_test.txt"
    path.write_text(path.read_text().replace("ambulance", "ambulances"))
    with pytest.raises(BadData, match="class 3 both 'ambulance' and 'ambulances'"):
        load_domainnet(spec())


def test_more_classes_than_there_are_is_told(root):
    written(root)
    with pytest.raises(BadData, match=r"4 classes of DomainNet are in all lists .* asks for 5"):
        load_domainnet(spec(classes=5))


@pytest.mark.parametrize(
    "content, said",
    [
        (b"real/a/\xff.png 1\n", "cannot be read"),
        ("real/a/x.png 1\n".encode("utf-16"), "cannot be read"),
        (b"real/a/x.png " + b"9" * 5000, 'is not "real/CLASS/FILE LABEL"'),
        ("real/a/x.png \u0661".encode(), 'is not "real/CLASS/FILE LABEL"'),
    ],
)
def test_a_damaged_list_is_one_clear_error(root, content, said):
    (written(root) / "real_train.txt").write_bytes(content)
    with pytest.raises(BadData, match=said):
        load_domainnet(DomainNet(DOMAINS, side=8, classes=4, train=5))


def test_a_member_that_would_fill_the_memory_is_refused(tmp_path):
    with (
        zipfile.ZipFile(tmp_path / "real.zip", "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("real/a/x.png", "w") as member,
    ):
        for _ in range(257):
            member.write(bytes(2**20))
    with pytest.raises(BadData, match="would take 269484032 bytes"):
        of_archive(tmp_path / "real.zip", ["real/a/x.png"])
