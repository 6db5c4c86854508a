"""Two studies that are trained in seconds, and what an undisturbed run says of them.

`pictures`: a small network on a folder of PNG files (records, derived tables, decoded images).
`answers`: texts that a server is paid for (the cache of answers), and views of them.
"""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass
from pathlib import Path

from tests.campaign import judge, seen
from tests.campaign.target import LEAST, TIMES, Done, Running, Target

PICTURES = """\
from ddiv.study import Images, Recipe, ResNet18, Study

STUDY = Study(
    name="pictures", title="Patches of noise in four colours",
    data=Images("patches", side=16, per_class=12), domains=("patches",),
    backbone=ResNet18(width=4, stem_stride=2),
    recipe=Recipe(epochs=3, batch=16, lr=5e-3, checkpoints=(0, 1, 2, 3)),
    dropout_rates=(0.05, 0.2), decays=(1e-3, 1e-1))
"""
ANSWERS = """\
import random

import numpy as np

from ddiv.data.dataset import Dataset
from ddiv.data.own import own_data
from ddiv.models.own import own_model
from ddiv.study import Lsa, Recipe, Study
from ddiv.treatment import OpenAI, Setting


def texts():
    rng = random.Random(1)
    words = "fee card loan bank late letter wrong call".split()
    def some(count):
        labels = np.arange(count) % 3
        made = [" ".join(rng.choices(words, k=9)) + f" {i} {n}" for i, n in enumerate(labels)]
        return np.array(made, dtype=object), labels
    return Dataset(*some(24), {"texts": some(12)}, ("cards", "loans", "other"))


def bag(width):
    raise RuntimeError("the campaign trains no network on texts")


STUDY = Study(
    name="answers", title="Texts of a server", data=own_data(texts, texts=True), domains=("texts",),
    backbone=own_model(bag, width=2), recipe=Recipe(epochs=1, batch=8, lr=1e-3),
    generator=OpenAI(model="loopback", examples=2, per_request=2, max_tokens=40),
    settings=(Setting("new", variant="additional"),), shares=((0.5, 1.0),),
    view_size=24, embedders=(Lsa(4),))
"""


class CannotBegin(Exception):
    """A run without any fault fails already; the message holds its output."""


@dataclass(frozen=True)
class Kind:
    """A study file, the claims that are put to it, and the variable that names its cache."""

    name: str
    study: str
    claims: str
    cache: str


KINDS = {
    "pictures": Kind(
        "pictures",
        PICTURES,
        "(wd-frobenius or drop-frobenius) and not only and not scratch",
        "DDIV_CACHE",
    ),
    "answers": Kind("answers", ANSWERS, "synth-less-diverse", "DDIV_TEXTS"),
}


@dataclass
class Scene:
    """One study in a folder: `store`, `cache` and pages lie in it, so that it can be copied."""

    target: Target
    kind: Kind
    folder: Path
    files: Path  # the study files and the data, which rounds share
    url: str

    @property
    def store(self) -> Path:
        return self.folder / "store"

    @property
    def cache(self) -> Path:
        return self.folder / "cache"

    def environment(self) -> dict[str, str]:
        return {
            "DDIV_CACHE": str(self.folder / "cache"),
            "DDIV_TEXTS": str(self.folder / "cache"),
            "HOME": str(self.folder),
            "XDG_CACHE_HOME": str(self.folder / "xdg"),
            "OPENAI_BASE_URL": self.url,
            "OPENAI_API_KEY": "sk-none",
            "DDIV_OPENAI_TIMEOUT": "20",
        }

    def start(
        self,
        *arguments: str,
        page: str = "page.html",
        workers: int = 2,
        before: tuple[str, ...] = (),
        **environment: str,
    ) -> Running:
        """Start `pytest claims` on the study."""
        return self.target.start(
            *("pytest", "claims", "-p", "no:cacheprovider", "-n", str(workers)),
            *("--study", str(self.files / f"{self.kind.name}_study.py")),
            *("--data-root", str(self.files), "-k", self.kind.claims),
            *("--store", str(self.store), "--report", str(self.folder / page), *arguments),
            before=before,
            **self.environment() | environment,
        )

    def run(self, *arguments: str, page: str = "page.html", workers: int = 2) -> Done:
        return self.start(*arguments, page=page, workers=workers).end()

    def ddiv(self, *arguments: str, before: tuple[str, ...] = ()) -> Done:
        """Run a command of `ddiv` on the store."""
        command = ("ddiv", *arguments, "--store", str(self.store))
        return self.target.start(*command, before=before, **self.environment()).end()

    def page(self, name: str = "page.html") -> seen.Page | None:
        return seen.page(self.folder / name)

    def at(self, folder: Path) -> Scene:
        """The same study in another folder, which is made empty."""
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        return Scene(self.target, self.kind, folder, self.files, self.url)

    def copied(self, folder: Path, parts: tuple[str, ...] = ("store", "cache")) -> Scene:
        """A copy with these parts of it, links to nothing in common."""
        copy = self.at(folder)
        for part in parts:
            if (self.folder / part).exists():
                shutil.copytree(self.folder / part, copy.folder / part, symlinks=True)
        return copy


@dataclass(frozen=True)
class Right:
    """What an undisturbed run leaves: its scene, output and page, and what `ddiv ledger` prints."""

    scene: Scene
    done: Done
    page: seen.Page
    changes: str
    proposed: str


def data(folder: Path) -> None:
    """The study files, and three classes of pictures."""
    import numpy as np
    from PIL import Image

    rng = np.random.default_rng(1000)
    shutil.rmtree(folder, ignore_errors=True)
    for name, colour in {"blue": (60, 90, 200), "grey": (99, 99, 99), "red": (190, 70, 40)}.items():
        (folder / "patches" / name).mkdir(parents=True)
        for number in range(18):
            pixels = rng.normal(colour, 60, (20, 24, 3)).clip(0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(folder / "patches" / name / f"{number}.png")
    for kind in KINDS.values():
        (folder / f"{kind.name}_study.py").write_text(kind.study, encoding="utf-8")


def undisturbed(scene: Scene) -> Right:
    """Run a study without any fault. Raises CannotBegin where that fails already."""
    began = time.monotonic()
    done = scene.run()
    # Other machines, and this one at other hours, take other times.
    took = time.monotonic() - began
    scene.target.patience = max(TIMES * took, LEAST)
    page = scene.page()
    found = {page.verdict(name) for name in page.rows} if page else set()
    if (
        judge.of_output(done)
        or page is None
        or not found & set(seen.VERDICTS)
        or not seen.finished(scene.store)
    ):
        raise CannotBegin(f"an undisturbed run failed:\n{done.text[-4000:]}")
    again = scene.ddiv("report", "--out", str(scene.folder / "report.html"))
    if scene.page("report.html") != page:
        raise CannotBegin(
            f"`ddiv report` says something else than the run did:\n{again.text[-2000:]}"
        )
    changes, proposed = scene.ddiv("ledger", "--changes"), scene.ddiv("ledger", "--propose")
    return Right(scene, done, page, changes.text, proposed.text)
