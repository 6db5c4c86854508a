"""`ddiv calibrate`: trains the optimisation controls of a study and writes what they say."""

import multiprocessing
import os
import time
from functools import partial
from pathlib import Path

import msgspec
import pytest

from ddiv.cli import calibrate
from ddiv.cli.main import main
from ddiv.finding import Reader, calibrating
from ddiv.finding.calibration import Calibration, path_in
from ddiv.profiles.study_file import of_file
from ddiv.trial.store import Store
from tests.support.pretended import until

STUDIES = """
import msgspec
from ddiv.profiles.choose import profile
(SMOKE,) = profile("smoke").studies
recipe = msgspec.structs.replace(SMOKE.recipe, epochs=1, checkpoints=())
STUDIES = tuple(
    msgspec.structs.replace(SMOKE, name=name, recipe=recipe) for name in ("one", "two")
)
"""


@pytest.fixture
def studies(tmp_path, monkeypatch):
    """A file of studies that are calibrated on two seeds."""
    monkeypatch.setattr(calibrating, "SEEDS", calibrating.SEEDS[:2])
    monkeypatch.setattr(calibrating, "FEWEST", 2)
    path = tmp_path / "mine.py"
    path.write_text(STUDIES)
    return path


def run(studies, *more):
    store = studies.parent / "store"
    return main(["calibrate", "--study", str(studies), "--store", str(store), *more]), Store(store)


def test_it_calibrates_a_study_of_a_users_own_and_only_once(studies, capsys):
    status, store = run(studies, "--only", "one", "-n", "1")
    assert status == 0 and "one: " in capsys.readouterr().out
    one, _ = of_file(studies).studies
    found, note = Reader(store).calibration(one)
    assert note == "" and found.seeds == calibrating.SEEDS and found.margins and found.noise
    trained = {path: path.stat().st_mtime_ns for path in store.root.glob("trials/*/done")}
    text = path_in(store.root, one).read_bytes()
    assert len(trained) == 28 and run(studies, "--only", "one", "-n", "1")[0] == 0
    assert trained == {path: path.stat().st_mtime_ns for path in store.root.glob("trials/*/done")}
    assert path_in(store.root, one).read_bytes() == text


def test_with_ship_it_writes_into_the_package(studies, tmp_path, monkeypatch):
    monkeypatch.setattr(calibrate, "SHIPPED", tmp_path / "package")
    status, store = run(studies, "--only", "two", "-n", "1", "--ship")
    assert status == 0 and not (store.root / "calibrations").exists()
    written = (tmp_path / "package" / "two.json").read_bytes()
    assert msgspec.json.decode(written, type=Calibration).study == "two"


@pytest.mark.parametrize(
    "options, said",
    [
        (["--profile", "nothing"], "there is no profile 'nothing'"),
        (["--profile", "smok"], "there is no profile 'smok' (smoke?); choose one of: embedded"),
        (["--only", "nothing"], "there is no study 'nothing'; there are: clip-world"),
        (["--study", "absent.py"], "there is no file absent.py"),
        (["-n", "0"], "-n is the number of trials at once, got 0"),
    ],
)
def test_errors_of_use_are_a_line(options, said, tmp_path, capsys):
    assert main(["calibrate", "--store", str(tmp_path), *options]) == 2
    assert said in capsys.readouterr().err


def test_help_says_what_it_is_for(capsys):
    with pytest.raises(SystemExit):
        main(["calibrate", "--help"])
    out = capsys.readouterr().out
    assert "ddiv calibrate --study my_study.py" in out and "--ship" in out


@pytest.mark.slow
def test_several_processes_share_the_trials(tmp_path, capfd):
    """With the seeds as they are: a process of its own reads no test's patches."""
    path = tmp_path / "mine.py"
    path.write_text(STUDIES)
    status, store = run(path, "--only", "one", "-n", "2")
    assert status == 0 and len([*store.root.glob("trials/*/done")]) == 112
    assert capfd.readouterr().err == ""


def _hang(folder: Path, worker: int) -> bool:
    (folder / f"worker-{worker}").write_text(str(os.getpid()))
    time.sleep(600)
    return True


def _start_two(folder: Path) -> None:
    for worker in (0, 1):
        context = multiprocessing.get_context("spawn")
        context.Process(target=calibrate._exit_with, args=(partial(_hang, folder), worker)).start()
    time.sleep(600)


def test_who_trains_ends_with_the_process_that_asked_for_it(tmp_path):
    asker = multiprocessing.get_context("spawn").Process(target=_start_two, args=(tmp_path,))
    asker.start()
    files = [tmp_path / f"worker-{worker}" for worker in (0, 1)]
    until(lambda: all(file.exists() and file.read_text() for file in files), 120)
    pids = [int(file.read_text()) for file in files]
    asker.kill()
    asker.join()
    until(lambda: not any(map(_lives, pids)))


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
