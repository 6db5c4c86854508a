"""Data of the user's own: a study file registers it, what it returns is checked, its source names
it.
"""

import msgspec
import numpy as np
import pytest
import torch
from PIL import Image

from ddiv.data.dataset import Dataset
from ddiv.data.load import absent_data as absent_data
from ddiv.data.load import load
from ddiv.data.own import checked, load_own, of_torch, own_data
from ddiv.data.root import BadData, NoData
from ddiv.profiles.choose import profile
from ddiv.profiles.study_file import BadStudyFile, of_file
from ddiv.study import Own
from tests.support.claims_run import claims

FILE = """
import msgspec
import numpy as np
from ddiv.data.own import own_data
from ddiv.data.load import Dataset
from ddiv.profiles.choose import profile

SIDE = 16


def stripes() -> Dataset:
    images = np.zeros((8, 3, SIDE, SIDE), np.uint8)
    images[::2, :, ::2] = 255
    labels = np.arange(8) % 2
    return Dataset(images, labels, {"stripes": (images, labels)}, ("striped", "plain"))


SMOKE = profile("smoke").studies[0]
STUDY = msgspec.structs.replace(SMOKE, name="mine", data=own_data(stripes), domains=("stripes",))
"""
SPEC, TEXTS = Own("mine", "0" * 64), Own("mine", "0" * 64, texts=True)
IMAGES, LABELS = np.zeros((6, 3, 8, 8), np.uint8), np.array([0, 1, 2] * 2)


def dataset(inputs=IMAGES, labels=LABELS, tests=None, classes=("a", "b", "c")) -> Dataset:
    return Dataset(inputs, labels, {"d": (inputs, labels)} if tests is None else tests, classes)


SPLIT = """

def halves(seed: int) -> Dataset:
    data = stripes()
    order = np.random.RandomState(seed).permutation(8)
    train, test = order[:4], order[4:]
    return Dataset(
        data.inputs[train] + 0, np.arange(4) % 2, {"d": (data.inputs[test], np.arange(4) % 2)},
        data.classes
    )


def by_name(*, seed=3):
    return halves(seed)


SPLIT = msgspec.structs.replace(STUDY, name="split", data=own_data(halves), domains=("d",))
NAMED = msgspec.structs.replace(STUDY, name="named", data=own_data(stripes), domains=("stripes",))
STUDIES = (SPLIT, NAMED)
"""


def test_a_function_with_a_seed_is_given_that_of_the_replicate(tmp_path):
    (tmp_path / "mine.py").write_text(FILE + SPLIT)
    split, fixed = of_file(tmp_path / "mine.py").studies
    assert fixed.data.seed is None and fixed.data_of(0) == fixed.data_of(1) == fixed.data
    specs = [split.data_of(seed) for seed in range(6)]
    assert len({spec.seed for spec in specs}) == 6
    drawn = {load(spec).tests["d"][0].tobytes() for spec in specs}
    assert len(drawn) > 1
    again = load_own(specs[0]).tests["d"][0]
    assert np.array_equal(load(specs[0]).tests["d"][0], again)


def test_a_seed_that_cannot_be_given_is_refused(tmp_path):
    (tmp_path / "mine.py").write_text(FILE + SPLIT + "own_data(by_name)")
    with pytest.raises(BadStudyFile, match=r"called as by_name\(seed\), and cannot be"):
        of_file(tmp_path / "mine.py")


def test_a_study_file_gives_its_own_data(tmp_path):
    (tmp_path / "mine.py").write_text(FILE)
    (study,) = of_file(tmp_path / "mine.py").studies
    data = load(study.data)
    assert (
        data.inputs.shape == (8, 3, 16, 16)
        and data.inputs[0, 0, 0, 0] == 255
        and data.labels.dtype == np.int64
    )
    assert study.spaces == ("pixel", "embedding") and absent_data(study.data) is None


def test_the_source_of_the_function_and_of_what_it_uses_names_the_data(tmp_path):
    versions = {
        "one": FILE,
        "moved": "# elsewhere\n" + FILE,
        "other": FILE.replace("% 2", "// 4"),
        "smaller": FILE.replace("SIDE = 16", "SIDE = 8"),
    }
    for name, text in versions.items():
        (tmp_path / f"{name}.py").write_text(text)
    specs = {name: of_file(tmp_path / f"{name}.py").studies[0].data for name in versions}
    assert (
        specs["one"] == specs["moved"]
        and len({*specs.values()}) == 3
        and specs["one"].name == "stripes"
    )
    assert load_own(specs["one"]).labels.tolist() != load_own(specs["other"]).labels.tolist()
    assert load_own(specs["smaller"]).inputs.shape == (8, 3, 8, 8)


@pytest.mark.parametrize("texts, spaces", [(True, ("embedding",)), (False, ("pixel", "embedding"))])
def test_texts_have_no_pixels(texts, spaces):
    study = msgspec.structs.replace(profile("smoke").studies[0], data=Own("mine", "0" * 64, texts))
    assert study.spaces == spaces


def test_data_that_no_study_file_gives_is_told():
    assert "file of this run defines the own data 'mine'" in absent_data(SPEC)
    with pytest.raises(NoData, match="'mine'"):
        load_own(SPEC)


def broken():
    raise FileNotFoundError("no birds.csv")


def greedy(folder):
    return folder


def test_a_function_that_fails_is_told():
    with pytest.raises(BadData, match="the own data broken raised FileNotFoundError: no birds"):
        load_own(own_data(broken))


@pytest.mark.parametrize(
    "function, said",
    [
        (len, "top level"),
        (eval("lambda: None"), "top level"),
        (3, "top level"),
        (greedy, r"called as greedy\(\), and cannot be: missing a required argument: 'folder'"),
    ],
)
def test_what_has_no_source_or_needs_arguments_is_refused(function, said):
    with pytest.raises(ValueError, match=said):
        own_data(function)


def test_good_data_passes():
    assert checked(dataset(labels=LABELS.astype(np.uint8)), SPEC).labels.dtype == np.int64
    texts = np.array(["x", "y", "z"], dtype=object)
    assert checked(dataset(texts, LABELS[:3]), TEXTS).inputs is texts


@pytest.mark.parametrize(
    "made, said",
    [
        ((IMAGES, LABELS), "returned tuple"),
        (
            dataset(inputs=IMAGES.transpose(0, 2, 3, 1)),
            r"uint8 \(n, 3, h, w\), got uint8 \(6, 8, 8, 3\)",
        ),
        (dataset(inputs=IMAGES / 255), "got float64"),
        (dataset(inputs=[*IMAGES]), "a numpy array, got list"),
        (
            dataset(labels=[0, 1, 2] * 2),
            "the labels of the training set are a numpy array, got list",
        ),
        (dataset(labels=LABELS[:5]), r"whole numbers \(6,\), got"),
        (dataset(labels=LABELS * 1.0), "got float64"),
        (dataset(labels=LABELS + 1), r"0\.\.2"),
        (dataset(labels=LABELS - 1), r"0\.\.2"),
        (dataset(labels=LABELS // 2), "'c' has no example in the training set"),
        (dataset(tests={}), "no test set"),
        (dataset(tests={"d": (IMAGES, LABELS // 2)}), "'c' has no example in the domain 'd'"),
        (dataset(tests={"d": (IMAGES[..., :4], LABELS)}), "one size"),
        (dataset(tests={"d": (IMAGES[:0], LABELS[:0])}), "one for each input"),
        (dataset(classes=("a", "b", "a")), "different names"),
        (dataset(classes=(0, 1, 2)), "different names"),
        (dataset(inputs=np.array(["x"] * 6, dtype=object)), "texts=True"),
        (dataset(inputs=np.array([IMAGES[0]] * 6 + [0], dtype=object)[:6]), "images uint8"),
        (dataset(inputs=np.ma.masked_equal(IMAGES, 1)), "a numpy array, got MaskedArray"),
        (dataset(inputs=IMAGES[..., :0]), "images are uint8"),
        (dataset(labels=LABELS.astype("m8[s]")), "got timedelta64"),
        (dataset(labels=np.array([0, 1, np.nan] * 2)), "got float64"),
        (dataset(labels=np.array([0, 1, 2**64 - 1] * 2, dtype=np.uint64)), r"0\.\.2"),
        (dataset(labels=LABELS.astype(object)), "got object"),
        (dataset(tests=[(IMAGES, LABELS)]), "tests is a dictionary"),
        (dataset(tests={"d": IMAGES}), "tests is a dictionary"),
        (dataset(classes=None), "got NoneType"),
        (dataset(classes="abc"), "got str"),
        (dataset(classes=("a", "b", "\x1b[2J")), "control characters"),
    ],
)
def test_what_is_no_such_dataset_is_told(made, said):
    with pytest.raises(BadData, match=said):
        checked(made, SPEC)


@pytest.mark.parametrize(
    "inputs, said",
    [(IMAGES, "texts=False"), (np.array([1, 2, 3] * 2, dtype=object), "texts are str")],
)
def test_what_are_no_texts_is_told(inputs, said):
    with pytest.raises(BadData, match=said):
        checked(dataset(inputs), TEXTS)


class Squares(torch.utils.data.Dataset):
    def __init__(self, kind):
        self.kind = kind

    def __len__(self):
        return 6

    def __getitem__(self, index):
        pixels = np.full((8, 8, 3), index, np.uint8)
        tensor = torch.from_numpy(pixels).permute(2, 0, 1)
        return {
            "pil": Image.fromarray(pixels),
            "grey": Image.fromarray(pixels[..., 0]),
            "tensor": tensor,
            "float": tensor / 255,
            "last": torch.from_numpy(pixels),
        }[self.kind], torch.tensor(index % 3)


@pytest.mark.parametrize("kind", ["pil", "grey", "tensor"])
def test_torchs_datasets_become_arrays(kind):
    made = checked(of_torch(Squares(kind), {"d": Squares("pil")}, ("a", "b", "c")), SPEC)
    assert (
        made.inputs.shape == (6, 3, 8, 8)
        and made.inputs[:, 0, 0, 0].tolist() == [*range(6)]
        and made.labels.tolist() == [0, 1, 2] * 2
    )
    assert (made.tests["d"][0] == made.inputs).all()


@pytest.mark.parametrize("kind", ["float", "last"])
def test_images_that_others_normalised_are_refused(kind):
    with pytest.raises(ValueError, match="leave ToTensor, Normalize and augmentations out"):
        of_torch(Squares(kind), {}, ("a", "b", "c"))


GREYS = np.arange(64, dtype=np.uint16).reshape(8, 8) * 1000


@pytest.mark.parametrize(
    "image, wanted",
    [
        (Image.fromarray(GREYS), GREYS >> 8),
        (Image.fromarray(np.dstack([GREYS.astype(np.uint8)] * 3 + [GREYS * 0]).astype("u1")), 255),
        (Image.fromarray((GREYS > 9000) * np.uint8(255)).convert("1"), (GREYS > 9000) * 255),
    ],
)
def test_pil_images_of_any_mode_become_8_bits_on_white(image, wanted):
    made = of_torch([(image, 0)], {}, ("a", "b"))
    assert (made.inputs == np.broadcast_to(wanted, (1, 3, 8, 8))).all()


@pytest.mark.parametrize("dtype", [np.float32, np.int32])
def test_pil_images_without_a_range_are_refused(dtype):
    with pytest.raises(ValueError, match="pixels have no range: save it with 8"):
        of_torch([(Image.fromarray(GREYS.astype(dtype)), 0)], {}, ("a", "b"))


@pytest.mark.parametrize(
    "image", [GREYS, IMAGES[0].astype(np.uint16), torch.zeros(3, 8, 8).to_sparse(), "x.png", None]
)
def test_what_is_no_image_is_one_clear_error(image):
    with pytest.raises(ValueError, match="an image"):
        of_torch([(image, 0)], {}, ("a", "b"))


@pytest.mark.parametrize(
    "label", [-1, 0.5, float("nan"), float("inf"), "1", None, [1], np.array([1, 2]), torch.ones(2)]
)
def test_absurd_labels_are_refused(label):
    with pytest.raises(ValueError, match="a whole number from 0 on, got"):
        of_torch([(IMAGES[0], label)], {}, ("a", "b"))


@pytest.mark.parametrize("label", [1, 1.0, np.uint8(1), np.array([1]), torch.tensor(1), True])
def test_labels_may_be_numbers_of_any_kind(label):
    assert of_torch([(IMAGES[0], label)], {}, ("a", "b")).labels.tolist() == [1]


@pytest.mark.parametrize(
    "pairs, said",
    [
        ([], "the training set is empty"),
        ([IMAGES[0]], "holds pairs"),
        ([(IMAGES[0], 0, 1)], "holds pairs"),
        ([(IMAGES[0], 0), (IMAGES[0, :, :4], 0)], "resize them to one size"),
    ],
)
def test_what_are_no_pairs_is_one_clear_error(pairs, said):
    with pytest.raises(ValueError, match=said):
        of_torch(pairs, {}, ("a", "b"))


ONE_CLAIM = ("-k", "drop-frobenius and classifier and not scratch")


def test_a_plan_and_a_run_say_that_the_domains_are_others(tmp_path):
    (tmp_path / "mine.py").write_text(FILE.replace('domains=("stripes",)', 'domains=("squares",)'))
    chosen = ("--study", str(tmp_path / "mine.py"), "-q", *ONE_CLAIM)
    planned = claims(tmp_path, *chosen, "--plan")
    done = claims(tmp_path, *chosen, "--seeds", "1", "--max-seeds", "1")
    said = "has the domains ('stripes',), and the study says ('squares',)"
    assert (
        planned.returncode != 0
        and said in planned.stderr + planned.stdout
        and "INTERNALERROR" not in planned.stdout
    )
    assert (
        done.returncode == 4
        and said in done.stdout + done.stderr
        and "Traceback" not in done.stdout + done.stderr
        and not (tmp_path / "page.html").exists()  # nothing was asked
    )


def test_a_plan_of_data_that_cannot_be_made_is_an_error(tmp_path):
    (tmp_path / "mine.py").write_text(FILE.replace("return Dataset", "return eval('list')"))
    done = claims(tmp_path, "--study", str(tmp_path / "mine.py"), "-q", "--plan", *ONE_CLAIM)
    assert (
        done.returncode != 0
        and "the own data stripes raised TypeError" in done.stderr + done.stdout
    )
    # What the key cannot follow is said once, in one line.
    told = [line for line in done.stdout.splitlines() if line.startswith("stripes: its trials")]
    assert len(told) == 1 and "eval (mine.py, line 15)" in told[0]
