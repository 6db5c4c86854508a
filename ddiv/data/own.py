"""Data of the user's own: a function in a study file that returns a `ddiv.data.dataset.Dataset`.

    def birds() -> Dataset:
        tests = {"photo": MyBirds(train=False), "sketch": MySketches()}
        return of_torch(MyBirds(train=True), tests, classes=NAMES)

    STUDY = Study(..., data=own_data(birds), domains=("photo", "sketch"), ...)

A function with a parameter `seed` is given another number in each replicate, to draw or to split
its data anew:

    def halves(seed: int) -> Dataset:
        train, test = train_test_split(EXAMPLES, random_state=seed)
        ...

Without torch's datasets: `Dataset(inputs, labels, tests, classes)`, images as arrays uint8 (n, 3,
h, w). Every process of a run reads the study file, so every process has the function.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, SupportsInt

import numpy as np
from PIL import Image

from ddiv.common.errors import TrialFailed
from ddiv.common.own import absent, called, made, own
from ddiv.common.pictures import in_rgb
from ddiv.common.texts import are_texts
from ddiv.data.dataset import Dataset
from ddiv.data.decoded import require_all
from ddiv.data.root import BadData, NoData
from ddiv.study import Own


def own_data(function: Callable[..., Dataset], texts: bool = False) -> Own:
    """The spec of the data, images or `texts`, that a function makes.

    Every process that needs the data calls the function, so it must make the same each time. Where
    it has a parameter `seed`, it is given a whole number from 0 to 2**32 - 1, in each replicate
    another; without one all replicates have the same data, and verdicts are conditional on them.

    The function's source (`ddiv.common.digests.source_digest`) names the data, and so do the files
    of yours that it imports: when they change, trials are made anew. Files that it reads are no
    part of the name (pytest says so), so change something in it (a version, say) when they change.
    Raises ValueError on anything but a function at the top level of a file, and on one that needs
    other arguments.
    """
    if _takes_seed(function):
        return own(Own, function, {}, ("seed",), texts=texts, seed=0)
    return own(Own, function, {}, texts=texts)


def _takes_seed(function: object) -> bool:
    if not callable(function) or isinstance(function, type):
        return False  # `own` says what is wrong
    try:
        return "seed" in inspect.signature(function).parameters
    except (TypeError, ValueError):
        return False


def load_own(spec: Own) -> Dataset:
    """The dataset that the function of a spec makes.

    Raises NoData where no study file gives one, BadData where it fails or makes no such dataset.
    """
    if reason := absent(spec):
        raise NoData(reason)
    try:
        data = made(spec) if spec.seed is None else called(spec, spec.seed)
    except (NoData, BadData):
        raise
    except TrialFailed as error:
        raise BadData(str(error)) from error
    return checked(data, spec)


def checked(data: Dataset, spec: Own) -> Dataset:
    """The dataset with labels int64.

    Raises BadData, naming the part, where it is not as `Dataset` describes it.
    """

    def require(right: bool, text: str) -> None:
        if not right:
            raise BadData(f"the data {spec.name!r} of the study file: {text}")

    require(
        isinstance(data, Dataset),
        f"the function returned {type(data).__name__}, and a ddiv.data.dataset.Dataset is needed, "
        "which ddiv.data.own.of_torch makes of torch's datasets",
    )
    require(
        isinstance(data.classes, Sequence | np.ndarray) and not isinstance(data.classes, str),
        f"classes are the names of the classes, got {type(data.classes).__name__}",
    )
    classes = tuple(data.classes)
    require(
        all(isinstance(name, str) for name in classes) and len(set(classes)) == len(classes),
        f"classes are different names, got {classes!r:.200}",
    )
    require(
        isinstance(data.tests, Mapping)
        and all(isinstance(part, tuple) and len(part) == 2 for part in data.tests.values()),
        'tests is a dictionary {"name": (inputs, labels)}',
    )
    require(len(data.tests) > 0, 'there is no test set: give tests={"name": (inputs, labels)}')
    parts = {
        "the training set": (data.inputs, data.labels),
        **{f"the domain {name!r}": test for name, test in data.tests.items()},
    }
    for name, (inputs, labels) in parts.items():
        _require_arrays(require, name, inputs, labels)
        _require_inputs(require, name, inputs, spec.texts)
        _require_labels(require, name, labels, inputs, len(classes))
        require_all(name, labels, classes)
    shapes = {inputs.shape[1:] for inputs, _ in parts.values()}
    require(len(shapes) < 2, f"all images have one size, got {sorted(shapes)}")
    tests = {
        name: (inputs, labels.astype(np.int64)) for name, (inputs, labels) in data.tests.items()
    }
    return Dataset(data.inputs, data.labels.astype(np.int64), tests, classes)


Require = Callable[[bool, str], None]  # raises an error with the text unless the condition holds


def _require_arrays(require: Require, name: str, inputs: object, labels: object) -> None:
    for kind, value in (("inputs", inputs), ("labels", labels)):
        require(
            isinstance(value, np.ndarray) and not isinstance(value, np.ma.MaskedArray),
            f"the {kind} of {name} are a numpy array, got {type(value).__name__}",
        )


def _require_inputs(require: Require, name: str, inputs: np.ndarray, texts: bool) -> None:
    are = are_texts(inputs)
    require(
        not are or (inputs.ndim == 1 and all(isinstance(text, str) for text in inputs)),
        f"texts are str in an array (n,), and images uint8 (n, 3, h, w); the objects of {name} are "
        "neither",
    )
    kind = "texts" if are else "images"
    require(are == texts, f"{name} holds {kind}: give own_data(..., texts={are})")
    if not texts:
        require(
            inputs.dtype == np.uint8
            and inputs.ndim == 4
            and inputs.shape[1] == 3
            and min(inputs.shape[2:]) > 0,
            f"images are uint8 (n, 3, h, w), got {inputs.dtype} {inputs.shape} in {name}",
        )


def _require_labels(
    require: Require, name: str, labels: np.ndarray, inputs: np.ndarray, classes: int
) -> None:
    shape = f"{labels.dtype} {labels.shape}"
    require(
        labels.shape == inputs.shape[:1] and labels.dtype.kind in "iu",
        f"labels are whole numbers ({len(inputs)},), got {shape} in {name}",
    )
    require(
        len(labels) > 0 and 0 <= labels.min() <= labels.max() < classes,
        f"labels lie in 0..{classes - 1}, one for each input; those of {name} do not",
    )


class Pairs(Protocol):
    """A map-style dataset of torch's, or any sequence, of pairs (image, number of its class)."""

    def __len__(self) -> int: ...
    def __getitem__(self, place: int, /) -> tuple[object, SupportsInt]: ...


def of_torch(train: Pairs, tests: Mapping[str, Pairs], classes: Sequence[str]) -> Dataset:
    """A dataset of torch's map-style datasets, or of any sequences of pairs (image, class number).

    Images are PIL's, or arrays or tensors uint8 (3, h, w), all of one size: ddiv normalises and
    augments them itself. PIL's become RGB on white, and of 16-bit greys the high bits are taken.
    Labels are whole numbers. Raises ValueError on others.
    """
    inputs, labels = _arrays("the training set", train)
    domains = {name: _arrays(f"the domain {name!r}", pairs) for name, pairs in tests.items()}
    return Dataset(inputs, labels, domains, tuple(classes))


def _arrays(part: str, pairs: Pairs) -> tuple[np.ndarray, np.ndarray]:
    images, labels = [], []
    for place in range(len(pairs)):
        pair = pairs[place]
        if not isinstance(pair, tuple | list) or len(pair) != 2:
            raise ValueError(f"{part} holds pairs (image, class number), got {type(pair).__name__}")
        images.append(_pixels(pair[0]))
        labels.append(_label(pair[1]))
    if len(shapes := {image.shape for image in images}) != 1:
        raise ValueError(
            f"{part} has images of the shapes {sorted(shapes)}: resize them to one size in the "
            "dataset"
            if shapes
            else f"{part} is empty"
        )
    return np.stack(images), np.array(labels)


def _label(label: object) -> int:
    try:
        plain: Any = label.item() if hasattr(label, "item") else label  # also a row of one number
        number = int(plain)
        if number == plain and number >= 0:  # `int` would cut 1.5 off and read "1"
            return number
    except (TypeError, ValueError, OverflowError, RuntimeError):
        pass
    raise ValueError(
        f"a label is the number of a class, a whole number from 0 on, got {label!r:.80}"
    )


def _pixels(image: object) -> np.ndarray:
    if isinstance(image, Image.Image):
        return np.asarray(in_rgb(image)).transpose(2, 0, 1)
    try:
        pixels = np.asarray(image.cpu() if hasattr(image, "cpu") else image)
    except (TypeError, ValueError, RuntimeError) as error:
        raise ValueError(f"an image cannot become an array: {error}") from error
    if isinstance(image, np.ma.MaskedArray):
        raise ValueError("an image has a mask: fill it (image.filled(0))")
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or len(pixels) != 3:
        raise ValueError(
            f"an image is PIL's or uint8 (3, h, w), got {pixels.dtype} {pixels.shape}: leave "
            "ToTensor, Normalize and augmentations out of the dataset"
        )
    return pixels
