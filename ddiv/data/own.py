"""Data of the user's own: a function in a study file that returns a `ddiv.datasets.Dataset`.

    def birds() -> Dataset: return of_torch(MyBirds(train=True), {"photo": MyBirds(train=False),
        "sketch": MySketches()}, classes=NAMES)

    STUDY = Study(..., data=own_data(birds), domains=("photo", "sketch"), ...)

Without torch's datasets: `Dataset(inputs, labels, tests, classes)`, images as arrays uint8 (n, 3,
h, w). Every process of a run reads the study file, so every process has the function.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from PIL import Image

from ddiv.data.decoded import require_all
from ddiv.data.root import BadData, NoData
from ddiv.datasets import Dataset, are_texts
from ddiv.own_source import source_digest
from ddiv.study import Own

_FUNCTIONS: dict[Own, Callable[[], Dataset]] = {}


def own_data(function: Callable[[], Dataset], texts: bool = False) -> Own:
    """The spec of what a function makes, images or `texts`; it is called, without arguments, by
    every process that needs it.

    It must make the same each time. Its source names the data (`ddiv.own_source.source_digest`):
    when that changes, trials are made anew. Other files that it reads are no part of the name, so
    change something in it (a version, say) when they change. Raises ValueError on what is no
    function at the top level of a file, or needs arguments.
    """
    digest = source_digest(function)
    try:
        inspect.signature(function).bind()
    except TypeError as error:
        raise ValueError(
            f"own_data takes a function without arguments, got {function!r} ({error})"
        ) from error
    spec = Own(function.__name__, digest, texts)
    _FUNCTIONS[spec] = function
    return spec


def absent(spec: Own) -> str | None:
    """Why the data cannot be made, and what to do; None where it can."""
    if spec in _FUNCTIONS:
        return None
    return (
        f"the data {spec.name!r} is made by a function (source {spec.source[:12]}) that no study file of this run gives "
        "to own_data: run with --study and the file that has it, unchanged"
    )


def load_own(spec: Own) -> Dataset:
    """What the function of a spec makes.

    Raises NoData where no study file gives one, BadData where it fails or makes no such dataset.
    """
    if reason := absent(spec):
        raise NoData(reason)
    try:
        made = _FUNCTIONS[spec]()
    except Exception as error:
        raise BadData(
            f"the function {spec.name!r} of the study file failed: {type(error).__name__}: {error}"
        ) from error
    return checked(made, spec)


def checked(made: Dataset, spec: Own) -> Dataset:
    """The dataset with labels int64.

    Raises BadData, naming the part, where it is not what `Dataset` says.
    """

    def require(right: bool, text: str) -> None:
        if not right:
            raise BadData(f"the data {spec.name!r} of the study file: {text}")

    require(
        isinstance(made, Dataset),
        f"the function returned {type(made).__name__}, and a ddiv.datasets.Dataset is needed, "
        "which ddiv.data.own.of_torch makes of torch's datasets",
    )
    classes = tuple(made.classes)
    require(
        all(isinstance(name, str) for name in classes) and len(set(classes)) == len(classes),
        f"classes are different names, got {classes!r:.200}",
    )
    require(len(made.tests) > 0, 'there is no test set: give tests={"name": (inputs, labels)}')
    parts = {
        "the training set": (made.inputs, made.labels),
        **{f"the domain {name!r}": test for name, test in made.tests.items()},
    }
    shapes = set()
    for name, (inputs, labels) in parts.items():
        for what, value in (("inputs", inputs), ("labels", labels)):
            require(
                isinstance(value, np.ndarray),
                f"the {what} of {name} are a numpy array, got {type(value).__name__}",
            )
        require(
            are_texts(inputs) == spec.texts,
            f"{name} holds {'texts' if are_texts(inputs) else 'images'}: give "
            f"own_data(..., texts={are_texts(inputs)})",
        )
        if spec.texts:
            require(
                inputs.ndim == 1 and all(isinstance(text, str) for text in inputs),
                f"texts are str in an array (n,), those of {name} are not",
            )
        else:
            require(
                inputs.dtype == np.uint8 and inputs.ndim == 4 and inputs.shape[1] == 3,
                f"images are uint8 (n, 3, h, w), got {inputs.dtype} {inputs.shape} in {name}",
            )
            shapes.add(inputs.shape[1:])
        require(
            labels.shape == inputs.shape[:1] and np.issubdtype(labels.dtype, np.integer),
            f"labels are whole numbers ({len(inputs)},), got {labels.dtype} {labels.shape} in {name}",
        )
        require(
            len(labels) > 0 and 0 <= labels.min() <= labels.max() < len(classes),
            f"labels lie in 0..{len(classes) - 1}, one for each input; those of {name} do not",
        )
        require_all(name, labels, classes)
    require(len(shapes) < 2, f"all images have one size, got {sorted(shapes)}")
    tests = {
        name: (inputs, labels.astype(np.int64)) for name, (inputs, labels) in made.tests.items()
    }
    return Dataset(made.inputs, made.labels.astype(np.int64), tests, classes)


def of_torch(train: Sequence, tests: Mapping[str, Sequence], classes: Sequence[str]) -> Dataset:
    """A dataset of torch's map-style datasets, or of any sequences of pairs (image, number of its
    class).

    Images are PIL's, or arrays or tensors uint8 (3, h, w), all of one size: ddiv normalises and
    augments them itself. Raises ValueError on others.
    """

    def arrays(pairs: Sequence) -> tuple[np.ndarray, np.ndarray]:
        images, labels = zip(*(pairs[i] for i in range(len(pairs))))
        return np.stack(list(map(_pixels, images))), np.array([int(label) for label in labels])

    return Dataset(
        *arrays(train), {name: arrays(pairs) for name, pairs in tests.items()}, tuple(classes)
    )


def _pixels(image: object) -> np.ndarray:
    if isinstance(image, Image.Image):
        return np.asarray(image.convert("RGB")).transpose(2, 0, 1)
    found = np.asarray(image)
    if found.dtype != np.uint8 or found.ndim != 3 or len(found) != 3:
        raise ValueError(
            f"an image is PIL's or uint8 (3, h, w), got {found.dtype} {found.shape}: leave ToTensor, Normalize and "
            "augmentations out of the dataset"
        )
    return found
