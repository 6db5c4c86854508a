"""What data looks like: a study's test examples, and a generator's samples beside real ones of the
same classes.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from typing import Any

import numpy as np

from ddiv.datasets import Dataset, Shown, are_texts, load, samples_of
from ddiv.errors import TrialFailed
from ddiv.finding import Reader
from ddiv.source import NGram, OpenAI
from ddiv.store import Record
from ddiv.study import Study
from ddiv.trial import Samples

CLASSES = 10  # columns of a sheet
EACH = 2  # images of a class in a sheet of samples
TEXTS = 4  # texts in a row of samples, each of another class

# What `ddiv.generate.quality` measures, in words; a number that is not named here is shown under
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


def of_study(study: Study) -> dict[str, Any] | None:
    """Test images of ten classes, a row a domain; of texts those of four classes: "texts": {domain:
    [[class, text]]}.

    None where the data, which no record holds, is not on this machine.
    """
    if (data := _loaded(study)) is None:
        return None
    if are_texts(data.inputs):
        return {
            "study": study.name,
            "caption": f"Test texts of {TEXTS} of {len(data.classes)} classes.",
            "texts": {
                domain: _quoted(Shown(*pair), data.classes) for domain, pair in data.tests.items()
            },
        }
    shown = _some(len(data.classes))
    rows = [
        [images[np.flatnonzero(labels == label)[0]] for label in shown]
        for images, labels in data.tests.values()
    ]
    names = ", ".join(data.classes[i] for i in shown)
    return {
        "study": study.name,
        "png": png(rows),
        "caption": f"Test images of {len(shown)} of {len(data.classes)} classes ({names}); "
        f"rows: {', '.join(data.tests)}.",
    }


def of_generator(study: Study, seeds: Sequence[int], reader: Reader) -> dict[str, Any] | None:
    """Samples of each setting and round of a study's generator, at the first seed that the store
    has of them. ::

        {"study", "generator", "classes": [name], "each", "rows": [{"name", "seed", "png": one strip
         of `each` images of every class, "quality": {measure: number}}], "measures": [name]}

    The first row is of real training images. Of texts a row has, in place of "png", "texts":
    [[class, text]]. None where the store has no samples, or the data is not on this machine.
    """
    if study.generator is None:
        return None
    found = [
        next(
            (
                (seed, reader.record(job))
                for seed in seeds
                if reader.has(job := Samples(study.data, study.generator, setting, round, seed))
            ),
            None,
        )
        for setting in study.settings
        for round in range(1, max(study.rounds, 1) + 1)
    ]
    found = [one for one in found if one]
    if not found or (data := _loaded(study)) is None:
        return None
    texts = are_texts(data.inputs)
    shown = _some(len(data.classes), TEXTS if texts else CLASSES)

    def shape(drawn: Shown) -> dict[str, Any]:
        return {"texts": _quoted(drawn, data.classes)} if texts else {"png": _strip(*drawn, shown)}

    rows = [
        {
            "name": f"real training {'texts' if texts else 'images'}",
            "seed": None,
            "quality": {},
            **shape(Shown(data.inputs, data.labels)),
        }
    ]
    rows += [
        {
            "name": _name(record),
            "seed": seed,
            "quality": _numbers(record.facts.get("quality") or {}),
            **shape(samples_of(record)),
        }
        for seed, record in found
    ]
    return {
        "study": study.name,
        "generator": study.generator.label,
        "classes": [data.classes[i] for i in shown],
        "each": EACH,
        "rows": rows,
        "measures": _in_order({name for row in rows for name in row["quality"]}),
    }


def _loaded(study: Study) -> Dataset | None:
    try:
        return load(study.data)
    except TrialFailed:
        return None


def _name(record: Record) -> str:
    setting, round = record.job.setting, record.job.round
    variant = f"{setting.variant}, " if isinstance(record.job.generator, NGram | OpenAI) else ""
    told = f"{setting.name}: {variant}guidance {setting.guidance:g}, temperature {setting.temperature:g}"
    return told + (f", round {round}" if round > 1 else "")


def _numbers(quality: dict, under: str = "") -> dict[str, float]:
    """The numbers of a record's fact "quality" by what they say."""
    found = {}
    for name, value in quality.items():
        path = f"{under} {name}".strip()
        if isinstance(value, dict):
            found |= _numbers(value, path)
        elif isinstance(value, (int, float)) and not isinstance(value, bool):
            found[MEASURES.get(path, path)] = value
    return found


def _in_order(measures: set[str]) -> list[str]:
    """Those that `MEASURES` names in its order, then the others."""
    known = [name for name in MEASURES.values() if name in measures]
    return known + sorted(measures - set(known))


def _some(classes: int, columns: int = CLASSES) -> np.ndarray:
    return np.unique(np.linspace(0, classes - 1, columns).astype(int))


def _quoted(drawn: Shown, classes: Sequence[str]) -> list[list[str]]:
    """The first text of each of a few classes, with the class's name."""
    shown = [label for label in _some(len(classes), TEXTS) if label in drawn.labels]
    return [
        [classes[label], str(drawn.inputs[np.flatnonzero(drawn.labels == label)[0]])]
        for label in shown
    ]


def _strip(images: np.ndarray, labels: np.ndarray, shown: np.ndarray) -> str:
    """`EACH` rows; a class without that many images leaves its place black."""
    blank = np.zeros_like(images[0])
    places = [np.flatnonzero(labels == label) for label in shown]
    return png(
        [[images[place[k]] if k < len(place) else blank for place in places] for k in range(EACH)]
    )


def png(rows: Sequence[Sequence[np.ndarray]]) -> str:
    """A grid of images, each uint8 (3, h, w), as a data URL."""
    from PIL import Image

    grid = np.concatenate([np.concatenate(row, axis=2) for row in rows], axis=1).transpose(1, 2, 0)
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(grid)).save(buffer, format="PNG")
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()
