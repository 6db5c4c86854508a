"""A study whose data, model, augmentations, generator and embedder are all a user's own."""

import numpy as np
import pytest

from ddiv.claim.declare import claim, parameters, variant
from ddiv.claim.needed import data_view
from ddiv.plugin import collect
from ddiv.profiles.study_file import BadStudyFile, of_file
from ddiv.study import Lsa, Own, OwnModel, Recipe
from ddiv.treatment import Augmentation, NGram, Setting, Synthetic, Treatment
from ddiv.trial.job import (
    DataView,
    Trial,
    canonical,
    decode,
    key,
    requires,
    trial,
    with_requirements,
)
from ddiv.trial.measure import measure

FILE = """
import numpy as np
import torch
from torch import nn

from ddiv import (
    Dataset, Recipe, Setting, Study, own_augmentation, own_data, own_embedder, own_generator,
    own_model,
)


class Base(nn.Module):
    def forward(self, images):
        return self.fc(self.conv(images).relu().mean((2, 3))).relu()


class SmallNet(Base):
    def __init__(self, width):
        super().__init__()
        self.conv, self.fc = nn.Conv2d(3, 8, 3, stride=2), nn.Linear(8, width)
        self.width, self.dropout_sites = width, (self.conv,)


def noise():
    rng = np.random.default_rng(0)
    labels = np.arange(80) % 4
    images = rng.integers(0, 60, (80, 3, 16, 16)) + 40 * labels[:, None, None, None]
    images = images.astype(np.uint8)
    return Dataset(images, labels, {"noise": (images[:40], labels[:40])}, ("a", "b", "c", "d"))


def darker(images, draws, most=0.5):
    share = 1 - most * torch.rand(len(images), 1, 1, 1, generator=draws, device=draws.device)
    return (images * share).to(torch.uint8)


class Flipped:
    def __init__(self, share=0.5):
        self.share = share

    def __call__(self, images, draws):
        drawn = torch.rand(len(images), 1, 1, 1, generator=draws, device=draws.device)
        return torch.where(drawn < self.share, images.flip(-1), images)


def mirrored(inputs, labels, classes, setting, draws):
    return inputs[..., ::-1] * setting.temperature / 255


def histogram(images):
    return np.stack([np.histogram(image, 32, (0, 255))[0] for image in images])


STUDY = Study(
    name="mine", title="My own", data=own_data(noise), backbone=own_model(SmallNet, width=12),
    recipe=Recipe(epochs=1, batch=20, lr=1e-2),
    augmentations=("auto", own_augmentation(darker, most=0.7), own_augmentation(Flipped)),
    generator=own_generator(mirrored),
    settings=(Setting("plain"), Setting("dark", temperature=0.5)),
    shares=((0.5, 1.0), (0.5, 1.0)),
    embedders=(own_embedder(histogram),), view_size=40)
"""


def read(folder, text=FILE):
    (folder / "mine.py").write_text(text)
    return of_file(folder / "mine.py").studies[0]


def test_every_job_of_a_study_of_one_s_own_is_measured(tmp_path):
    study, records = read(tmp_path), {}
    arms = [study.augmentation(study.augmentations[1]), study.synthetic(0.5, "dark")]
    for arm in arms:
        for job in with_requirements([trial(study, arm, 0), data_view(study, arm, 0)]):
            assert decode(canonical(job)) == job
            records[job] = measure(job, records, "cpu", lambda share: None)
    trained = [records[trial(study, arm, 0)].facts["train_loss"] for arm in arms]
    assert trained[0] != trained[1] and np.isfinite(trained).all()
    view = records[data_view(study, arms[0], 0)].facts
    assert view["settings"]["embedding"]["embedder"].startswith("histogram ")
    assert [arm.label for arm in arms] == ["darker(most=0.7)", "synthetic 50% (dark)"]
    assert {type(part).__name__ for part in study.own} == {
        "Own", "OwnModel", "OwnAugmentation", "OwnGenerator", "OwnEmbedder",
    }  # fmt: skip


@pytest.mark.parametrize(
    "old, new, changed",
    [
        ("return (images * share)", "return (images * share).round()", "darker"),
        ("drawn < self.share", "drawn > self.share", "Flipped"),
        ("temperature / 255", "temperature / 256", "mirrored"),
        ("image, 32, (0, 255)", "image, 16, (0, 255)", "histogram"),
        (".relu().mean((2, 3))).relu()", ".mean((2, 3))).relu()", "SmallNet"),
        ("(0, 60, (80", "(0, 50, (80", "noise"),
        ('title="My own"', 'title="Another"', ""),
    ],
)
def test_a_change_of_one_part_changes_its_name_and_no_other(tmp_path, old, new, changed):
    assert FILE.count(old) == 1
    plain, other = read(tmp_path), read(tmp_path, FILE.replace(old, new))
    different = {a.name for a, b in zip(plain.own, other.own, strict=True) if a != b}
    assert different == ({changed} if changed else set())


@claim("mine", "Claimed.", source="me", each={"augmentation": lambda study: study.augmentations})
def of_each(study, augmentation):
    raise NotImplementedError


def test_the_tests_of_a_claim_are_named_by_augmentations(tmp_path):
    names, rows = parameters(of_each, [read(tmp_path)])
    found = [variant(of_each, dict(zip(names, row))) for row in rows]
    assert found == ["auto", "darker(most=0.7)", "Flipped"]
    assert [collect._in_words(row[-1]) for row in rows] == found


def test_built_in_parts_keep_their_keys():
    data, model = Own("f", "0" * 64), OwnModel("f", "0" * 64, (("width", 3),))
    auto = Augmentation("auto")
    mixed = Treatment.of(auto, Synthetic(0.5, NGram(), Setting("a")))
    asked = Trial(data, model, Recipe(1, 20, 0.01), mixed, 0)
    texts = Own("f", "0" * 64, True)
    view = DataView(texts, Treatment.of(auto), Lsa(3), 4, 0)
    assert key(asked) == "fae0e6fbf1e072e9987f" and key(view) == "35ca5317d50b5b8ae582"
    assert key(requires(asked)[0]) == "3c40adde5cbc84844522"


@pytest.mark.parametrize(
    "old, new, said",
    [
        ("own_augmentation(Flipped))", "own_augmentation(darker, most=0.7))", "different names"),
        ("own_augmentation(Flipped))", "own_augmentation(Recipe))", "installed package"),
        (
            "embedders=(own",
            "extreme_augmentations=(own_augmentation(Flipped, share=0.1),), embedders=(own",
            r"some of the `augmentations`, got Flipped\(share=0.1\)",
        ),
    ],
)
def test_what_is_wrong_with_a_study_of_one_s_own_is_told(tmp_path, old, new, said):
    assert FILE.count(old) == 1
    with pytest.raises(BadStudyFile, match=said):
        read(tmp_path, FILE.replace(old, new))


def test_in_toml_there_are_no_functions(tmp_path):
    (tmp_path / "mine.toml").write_text(
        'name = "a"\ntitle = "a"\ndata = {type = "digits", train = 40}\n'
        'backbone = {type = "resnet18"}\nrecipe = {epochs = 1, batch = 8, lr = 0.1}\n'
        'generator = {type = "own-generater", name = "mirrored"}\n'
    )
    with pytest.raises(BadStudyFile, match="of your own takes a Python file"):
        of_file(tmp_path / "mine.toml")
