"""Examples of data: a study's test examples, and a generator's samples beside real ones of the same
classes.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import product
from typing import Any

import msgspec
import numpy as np

from ddiv.common.arrays import Array
from ddiv.common.errors import TrialFailed
from ddiv.common.texts import are_texts
from ddiv.data.dataset import Dataset, Shown
from ddiv.data.load import load
from ddiv.finding import Reader
from ddiv.report.schema import ContactSheet, GeneratorSheet, Quote, SampleRow
from ddiv.report.text import is_number
from ddiv.study import Data, Study
from ddiv.treatment import NGram, OpenAI
from ddiv.trial import Samples, sampling
from ddiv.trial.facts import samples_of
from ddiv.trial.store import Record

CLASSES = 10  # columns of a sheet

EACH = 2  # images of a class in a sheet of samples

TEXTS = 4  # texts in a row of samples, each of another class

FINE, COARSE = 90, 60  # qualities of WebP

SMALL = 16  # pixels of a side up to which images are kept exactly

# The measures of `ddiv.generate.quality` in words; a number that is not named here is shown under
# its own name.
MEASURES = {
    "accuracy samples": "accuracy on them of a classifier trained on real data",
    "accuracy real": "… and on real data",
    **{
        f"vendi/{space} {of}": f"Vendi Score ({space}){what}"
        for space in ("pixel", "embedding")
        for of, what in (("samples", ""), ("real", ", of as many real ones"))
    },
    **{
        f"nearest/{space} {of}": f"{what} ({space})"
        for space in ("pixel", "embedding")
        for of, what in (
            ("samples", "median distance to the nearest training example"),
            ("real", "… from held-out real ones"),
            ("copies", "share nearer to one than 99 % of real ones are: copies"),
            ("singled_out", "share that single one out as 1 % of real ones do"),
            (
                "nearer_training",
                "share nearer to training than to test examples, .5 for fresh ones",
            ),
        )
    },
    "copied samples": "share of which more than half stands in one training text, word for word",
    "copied real": "… of held-out real ones",
}


def of_studies(studies: Iterable[Study]) -> tuple[ContactSheet, ...]:
    """The sheets of studies; of data alike but for their draws, such as one world's, the first."""
    alike: dict[str, list[ContactSheet]] = {}
    for sheet in filter(None, map(of_study, studies)):
        alike.setdefault(sheet.caption, []).append(sheet)
    return tuple(
        msgspec.structs.replace(
            first,
            caption=f"{caption} {', '.join(one.study for one in others)}: other draws of these.",
        )
        if others
        else first
        for caption, (first, *others) in alike.items()
    )


def of_study(study: Study) -> ContactSheet | None:
    """Test images of ten classes, a row a domain; of texts those of four classes.

    None where the data, which no record holds, is not on this machine.
    """
    if study.data is None or (data := _loaded(study.data_of(0))) is None:
        return None
    if are_texts(data.inputs):
        return ContactSheet(
            study=study.name,
            caption=f"Test texts of {TEXTS} of {len(data.classes)} classes.",
            texts={
                domain: _quoted(Shown(*pair), data.classes) for domain, pair in data.tests.items()
            },
        )
    shown = _some(len(data.classes))
    rows = [
        [images[np.flatnonzero(labels == label)[0]] for label in shown]
        for images, labels in data.tests.values()
    ]
    names = ", ".join(data.classes[i] for i in shown)
    return ContactSheet(
        study=study.name,
        image=image(rows, exact=False),
        caption=f"Test images of {len(shown)} of {len(data.classes)} classes ({names}); "
        f"rows: {', '.join(data.tests)}.",
    )


def of_generator(study: Study, seeds: Sequence[int], reader: Reader) -> GeneratorSheet | None:
    """Samples of each setting and round of a study's generator, at the first seed that the store
    has of them.

    None where the store has no samples, or the data is not on this machine.
    """
    if study.generator is None:
        return None
    drawn = list(_drawn(study, seeds, reader))
    if not drawn or (data := _loaded(drawn[0][0].data)) is None:
        return None
    texts = are_texts(data.inputs)
    shown = _some(len(data.classes), TEXTS if texts else CLASSES)

    def row(
        name: str, seed: int | None, examples: Shown, quality: Mapping[str, float]
    ) -> SampleRow:
        return SampleRow(
            name=name,
            seed=seed,
            image=None if texts else _strip(*examples, shown),
            texts=_quoted(examples, data.classes) if texts else None,
            quality=dict(quality),
        )

    kind = "texts" if texts else "images"
    rows = [row(f"real training {kind}", None, Shown(data.inputs, data.labels), {})]
    for job, record in drawn:
        quality = _numbers(record.facts.get("quality") or {})
        rows.append(row(_name(job), job.seed, samples_of(record), quality))
    return GeneratorSheet(
        study=study.name,
        generator=", ".join(
            dict.fromkeys(study.drawn_by(setting.name)[0].label for setting in study.settings)
        ),
        classes=tuple(data.classes[i] for i in shown),
        each=EACH,
        rows=tuple(rows),
        measures=_in_order({name for row in rows for name in row.quality}),
    )


def _drawn(study: Study, seeds: Sequence[int], reader: Reader) -> Iterator[tuple[Samples, Record]]:
    """The samples of each setting and round at the first seed that the store has of them."""
    for setting, round in product(study.settings, range(1, max(study.rounds, 1) + 1)):
        generator, _ = study.drawn_by(setting.name)
        jobs = (sampling(study, generator, setting, round, seed) for seed in seeds)
        if job := next(filter(reader.has, jobs), None):
            yield job, reader.record(job)


def _loaded(data: Data) -> Dataset | None:
    try:
        return load(data)
    except TrialFailed:
        return None


def _name(job: Samples) -> str:
    setting = job.setting
    variant = f"{setting.variant}, " if isinstance(job.generator, NGram | OpenAI) else ""
    later = f", round {job.round}" if job.round > 1 else ""
    return (
        f"{setting.name}: {variant}guidance {setting.guidance:g}, "
        f"temperature {setting.temperature:g}{later}"
    )


def _numbers(quality: Mapping[str, Any], under: str = "") -> dict[str, float]:
    """The numbers of a record's fact "quality" by what they say."""
    numbers: dict[str, float] = {}
    for name, value in quality.items():
        path = f"{under} {name}".strip()
        if isinstance(value, dict):
            numbers |= _numbers(value, path)
        elif is_number(value):
            numbers[MEASURES.get(path, path)] = value
    return numbers


def _in_order(measures: set[str]) -> tuple[str, ...]:
    """Those that `MEASURES` names in its order, then the others."""
    known = [name for name in MEASURES.values() if name in measures]
    return (*known, *sorted(measures - set(known)))


def _some(classes: int, columns: int = CLASSES) -> Array:
    return np.unique(np.linspace(0, classes - 1, columns).astype(int))


def _quoted(drawn: Shown, classes: Sequence[str]) -> tuple[Quote, ...]:
    """The first text of each of a few classes, with the class's name."""
    return tuple(
        (classes[label], str(drawn.inputs[np.flatnonzero(drawn.labels == label)[0]]))
        for label in _some(len(classes), TEXTS)
        if label in drawn.labels
    )


def _strip(images: Array, labels: Array, shown: Array) -> str:
    """`EACH` rows; a class without that many images leaves its place black."""
    blank = np.zeros_like(images[0])
    places = [np.flatnonzero(labels == label) for label in shown]
    return image(
        [[images[place[k]] if k < len(place) else blank for place in places] for k in range(EACH)]
    )


def image(rows: Sequence[Sequence[Array]], exact: bool = True) -> str:
    """A grid of images, each uint8 (3, h, w), as a data URL.

    Samples are to be judged, so theirs is `exact`: of images of a few pixels without any loss, of
    larger ones with one that is not seen at four times the size. A sheet of data only shows what
    the data are, in half the space. A Pillow that was built without WebP writes PNG.
    """
    from PIL import Image, features

    side = rows[0][0].shape[1]
    grid = np.concatenate([np.concatenate(row, axis=2) for row in rows], axis=1).transpose(1, 2, 0)
    buffer = io.BytesIO()
    kind = "webp" if features.check("webp") else "png"
    drawn = Image.fromarray(np.ascontiguousarray(grid))
    quality, lossless = FINE if exact else COARSE, exact and side <= SMALL
    drawn.save(buffer, format=kind.upper(), quality=quality, lossless=lossless)
    return f"data:image/{kind};base64," + base64.b64encode(buffer.getvalue()).decode()
