"""`ddiv new`: what it writes runs as it is, and what it cannot write it refuses in a line."""

import ast
import shlex
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ddiv.cli.main import main
from ddiv.cli.new import batch_for
from ddiv.profiles.study_file import of_file
from tests.plugin.test_foreign_project import INSTALLED, run


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def new(capsys, *arguments: str) -> list[str]:
    """The lines that are printed, after a run that must succeed."""
    assert main(["new", *arguments]) == 0
    return capsys.readouterr().out.splitlines()


def photographs(folder: Path, *classes: str) -> None:
    for name in classes:
        (folder / name).mkdir(parents=True)
        for number in range(4):
            pixels = np.full((8, 8, 3), 20 * number, np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{number}.png")


@pytest.mark.slow
@pytest.mark.skipif(not INSTALLED, reason="pytest does not know of ddiv's plugin")
def test_the_four_run_together_as_they_are_written(folder, capsys):
    lines = []
    for kind, name in (
        ("claim", "dropout_shrinks"),
        ("treatment", "label_smoothing"),
        ("outcome", "sharpness"),
        ("study", "my_study"),
    ):
        lines.append(new(capsys, kind, name))
    assert lines[0][1].split() == ["pytest", "test_dropout_shrinks.py", "--profile", "smoke"]
    words = shlex.split(lines[3][-1])
    assert words == ["pytest", "label_smoothing.py", "--study", "my_study.py"]
    files = ["test_dropout_shrinks.py", "label_smoothing.py", "sharpness.py"]
    done = run(folder, *files, "--study", "my_study.py", "--seeds", "1", "--max-seeds", "1", "-q")
    assert done.returncode == 0 and "4 inconclusive" in done.stdout, done.stdout + done.stderr
    assert "warning" not in done.stdout.casefold(), done.stdout
    for path in folder.glob("*.py"):
        assert len(path.read_text("utf-8").splitlines()) <= 40


@pytest.mark.slow
@pytest.mark.skipif(not INSTALLED, reason="pytest does not know of ddiv's plugin")
def test_an_experiment_runs_as_it_is_written(folder, capsys):
    lines = new(capsys, "experiment", "mean_error")
    assert lines[1].split() == ["pytest", "mean_error.py", "--study", "mean_error.py"]
    done = run(folder, *shlex.split(lines[1])[1:], "-q")
    assert done.returncode == 0 and "1 supported" in done.stdout, done.stdout + done.stderr
    assert "warning" not in done.stdout.casefold(), done.stdout
    assert len((folder / "mean_error.py").read_text("utf-8").splitlines()) <= 40


def test_a_study_and_a_claim_are_not_referred_to_an_experiment(folder, capsys):
    new(capsys, "experiment", "a_mean")
    lines = new(capsys, "study", "my_study")
    assert lines[1].split() == ["ddiv", "new", "claim", "my_claim"]
    assert shlex.split(new(capsys, "claim", "mine")[1])[-1] == "my_study.py"


def test_a_study_of_photographs_has_their_domains(folder, capsys, monkeypatch):
    photographs(folder / "data" / "flat birds", "jay", "robin")
    photographs(folder / "data" / "sorts", *(f"{d}/{c}" for d in ("oil", "ink") for c in "ab"))
    monkeypatch.setenv("DDIV_DATA", str(folder / "data"))
    monkeypatch.setenv("DDIV_CACHE", str(folder / "cache"))
    lines = new(capsys, "study", "birds", "--images", "data/flat birds")
    root = str(folder / "data")
    assert shlex.split(lines[-1])[-4:] == ["--study", "birds.py", "--data-root", root]
    new(capsys, "study", "sorts", "--images", "data/sorts")
    (birds,), (sorts,) = (of_file(folder / f"{name}.py").studies for name in ("birds", "sorts"))
    assert birds.domains == ("flat birds",) and sorts.domains == ("ink", "oil")
    # Six images to train on, of the eight that there are in the folder or in a domain.
    assert birds.recipe.batch == sorts.recipe.batch == 2
    layouts = "# Below --data-root: CLASS/FILE, train/CLASS/FILE beside test/CLASS/FILE, or DOMAIN"
    assert layouts in (folder / "birds.py").read_text("utf-8")


@pytest.mark.parametrize(
    "counts, batch",
    [
        ({"a": 4, "b": 2}, 2),
        ({"a": 40, "b": 40}, 20),
        ({"train/a": 30, "Train/b": 1, "train/b": 30, "test/a": 900}, 20),
        ({"oil/a": 900, "ink/a": 9, "ink/b": 11}, 5),
        ({"a": 900}, 20),  # no more than a hundred of a class
        ({"a": 900, "b": 60}, 40),
    ],
)
def test_a_batch_suits_the_images_that_there_are(counts, batch):
    files = [(*name.split("/"), f"{n}.png") for name, count in counts.items() for n in range(count)]
    assert batch_for(files) == batch


def test_a_name_may_have_a_folder_before_it_and_next_is_what_is_there(folder, capsys):
    (folder / "my claims").mkdir()
    new(capsys, "study", "my claims/mine")
    lines = new(capsys, "claim", "my claims/test_drop")
    words = ["pytest", "my claims/test_drop.py", "--study", "my claims/mine.py"]
    assert shlex.split(lines[1]) == words and len(lines) == 2
    text = (folder / "my claims" / "test_drop.py").read_text("utf-8")
    assert "def test_drop(" in text and '"drop",' in text


@pytest.mark.parametrize(
    "kind, name, said",
    [
        ("study", "queue", "'queue' is the name of a module that others import"),
        ("treatment", "torch", "'torch' is the name of a module that others import"),
        ("outcome", "conftest", "'conftest' is the name of a module that others import"),
        ("study", "ddiv", "'ddiv' is the name of a module that others import"),
        ("study", "smoke", "'smoke' is a profile of ddiv's own"),
        ("outcome", "accuracy", "ddiv has an outcome called 'accuracy'"),
        ("experiment", "draws", "the file uses the name 'draws' for something else"),
        ("experiment", "Study", "the file uses the name 'Study' for something else"),
        ("outcome", "Trend", "the file uses the name 'Trend' for something else"),
        ("treatment", "part", "the file uses the name 'Part' for something else"),
        ("claim", "a-b", "'a-b' is no name in Python: try a_b"),
        ("study", "3d.py", "'3d.py' is no name in Python: try _3d"),
        ("study", "class", "'class' is no name in Python: try _class"),
        ("study", "x/y", "there is no folder x: make it first"),
        ("study", "there", "there.py is there already: choose another name"),
    ],
)
def test_what_cannot_be_written_is_refused_in_a_line(folder, capsys, kind, name, said):
    (folder / "there.py").write_text("mine", "utf-8")
    assert main(["new", kind, name]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1 and said in lines[0]
    assert [path.name for path in folder.iterdir()] == ["there.py"]
    assert (folder / "there.py").read_text("utf-8") == "mine"


@pytest.mark.parametrize("images", ["nowhere", "empty"])
def test_photographs_that_are_not_there_are_told_before_anything_is_written(folder, capsys, images):
    (folder / "empty").mkdir()
    assert main(["new", "study", "mine", "--images", images]) == 2
    assert images in capsys.readouterr().err and not (folder / "mine.py").exists()
    assert main(["new", "claim", "mine", "--images", "empty"]) == 2
    assert "a claim is put to any" in capsys.readouterr().err


@pytest.mark.parametrize("kind", ["study", "claim", "treatment", "outcome", "experiment"])
@pytest.mark.parametrize("name", ["mine", "été_2", "A_b", "_x", "test_y", "data", "name", "words"])
def test_any_name_makes_python(folder, capsys, kind, name):
    new(capsys, kind, name)
    (path,) = folder.iterdir()
    assert path.stem.removeprefix("test_") == name.removeprefix("test_")
    text = path.read_text("utf-8")
    ast.parse(text)
    assert not any(word in text for word in ("NAME", "DASHED", "WORDS", "CLASS", "DATA", "KIND"))
