"""The README's study of a user's own, word for word."""

import re
from pathlib import Path

import numpy as np
from PIL import Image

from ddiv.profiles.study_file import of_file
from ddiv.study import ResNet18
from tests.support.claims_run import claims
from tests.support.paths import ROOT


def example(language: str) -> str:
    section = (ROOT / "README.md").read_text().split("## A study of your own")[1]
    return re.search(rf"```{language}\n(.*?)```", section, re.DOTALL)[1]


def birds(folder: Path) -> None:
    """Four species in 300 pictures: of the classes' colours, in noise."""
    rng = np.random.default_rng(1000)
    for species, colour in [
        ("crow", (40, 40, 50)),
        ("finch", (200, 180, 60)),
        ("jay", (60, 90, 200)),
        ("robin", (190, 70, 40)),
    ]:
        (folder / species).mkdir(parents=True)
        for number in range(75):
            pixels = np.clip(rng.normal(colour, 60, (40, 48, 3)), 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(folder / species / f"{number}.png")


def test_the_readmes_study_is_asked_what_it_can_answer(tmp_path):
    birds(tmp_path / "data" / "birds")
    (tmp_path / "my_study.py").write_text(example("python"))
    chosen = (
        *("--study", str(tmp_path / "my_study.py"), "--data-root", str(tmp_path / "data")),
        "-q",
    )
    planned = claims(tmp_path, *chosen, "--plan")
    assert planned.returncode == 0 and "my-birds" in planned.stdout, (
        planned.stdout[-2000:] + planned.stderr[-2000:]
    )
    assert not (tmp_path / "store" / "trials").exists()
    asked = [
        "--seeds",
        "1",
        "--max-seeds",
        "1",
        "-k",
        "drop-frobenius or (aug-frobenius and classifier or vendi-aug-pixel) and augmix",
    ]
    done = claims(tmp_path, *chosen, *asked)
    assert done.returncode == 0 and re.search(r"[1-9]\d* inconclusive", done.stdout), (
        done.stdout[-2000:] + done.stderr[-2000:]
    )
    assert (
        "no study of this run has single_placement_rates" in done.stdout
        and "empty parameter set" not in done.stdout
    )
    assert "my-birds" in (tmp_path / "page.html").read_text()


def test_the_readmes_table_is_a_study(tmp_path, monkeypatch):
    birds(tmp_path / "birds")
    monkeypatch.setenv("DDIV_DATA", str(tmp_path))
    (tmp_path / "mine.toml").write_text(example("toml"))
    (study,) = of_file(tmp_path / "mine.toml").studies
    assert (study.dropout_rates, study.backbone, study.data.digest != "") == (
        (0.1, 0.3),
        ResNet18(16),
        True,
    )
