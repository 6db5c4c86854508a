"""What surrounds a run: the locale, the home folder, and how pytest finds its settings."""

import tempfile

import pytest

from ddiv.cli import doctor
from ddiv.cli.main import main
from ddiv.plugin.options import Options
from ddiv.plugin.start import with_paths
from tests.plugin.test_foreign_project import project, run
from tests.support.claims_run import claims
from tests.support.paths import ROOT

ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}

STUDY = """
name = "mésanges"
title = "Mésanges — été"
domains = ["digits"]
dropout_rates = [0.1, 0.3]
data = {type = "digits", train = 120}
backbone = {type = "resnet18", width = 4}
recipe = {epochs = 1, batch = 40, lr = 5e-3}
"""


def test_names_and_texts_beyond_the_locale_do_no_harm(tmp_path):
    """A study, its file, the store and the page have names that an ASCII terminal cannot show."""
    (tmp_path / "étude.toml").write_text(STUDY, "utf-8")
    folder = tmp_path / "dépôt"
    folder.mkdir()
    options = ("--study", str(tmp_path / "étude.toml"), "--seeds", "1", "--max-seeds", "1")
    done = claims(folder, *options, "-k", "drop-frobenius", "-n", "0", **ASCII)
    assert done.returncode == 0 and "2 inconclusive" in done.stdout, done.stdout + done.stderr
    assert "Mésanges — été" in (folder / "page.html").read_text("utf-8")


def test_a_name_that_workers_cannot_be_sent_is_told_in_one_line(tmp_path):
    (tmp_path / "étude.toml").write_text(STUDY, "utf-8")
    study = ("--study", str(tmp_path / "étude.toml"))
    done = claims(tmp_path, *study, "-n", "2", **ASCII)
    lines = [line for line in (done.stdout + done.stderr).splitlines() if line]
    assert done.returncode == 4 and len(lines) == 1 and "set LC_ALL=C.UTF-8" in lines[0], lines


@pytest.mark.parametrize("theirs", [None, "pyproject.toml", "conftest.py"])
def test_a_store_that_pytest_takes_for_tests_is_told_in_one_line(tmp_path, theirs):
    """Bare `pytest --store FOLDER`: pytest looks for its settings in FOLDER if it is there.

    FOLDER may lie in another project.
    """
    here, store = tmp_path / "project", tmp_path / "other" / "store"
    store.mkdir(parents=True)
    if theirs:
        text = "[tool.pytest.ini_options]\n" if theirs == "pyproject.toml" else "THEIRS = 1\n"
        (tmp_path / "other" / theirs).write_text(text, "utf-8")
    project(here, conftest=(ROOT / "conftest.py").read_text("utf-8"))
    (here / "pyproject.toml").write_text("[tool.pytest.ini_options]\n", "utf-8")
    done = run(here, "--store", str(store))
    lines = [line for line in (done.stdout + done.stderr).splitlines() if line]
    assert done.returncode == 4 and len(lines) == 1, lines
    assert f"write --store={store}" in lines[0]
    assert run(here, f"--store={store}").returncode == 5  # no tests


def test_a_home_folder_is_filled_in_wherever_a_path_is_named(tmp_path, monkeypatch, capsys):
    """`--store=~/x` and `DDIV_STORE='~/x'` reach ddiv as they are written."""
    monkeypatch.setenv("HOME", str(tmp_path))
    given = with_paths(Options(store="~/a", study="$HOME/b.py", data_root="~/c", report="~/d"))
    assert given == Options(
        store=f"{tmp_path}/a",
        study=f"{tmp_path}/b.py",
        data_root=f"{tmp_path}/c",
        report=f"{tmp_path}/d",
    )
    monkeypatch.setenv("DDIV_STORE", "~/records")
    (tmp_path / "records" / "trials").mkdir(parents=True)
    for arguments in (["trials"], ["trials", "--store=~/records"]):
        assert main(arguments) == 0
        assert capsys.readouterr().out == f"0 of 0 records in {tmp_path}/records\n"


@pytest.mark.parametrize("home", ["/dev/null", ""])
def test_the_doctor_tells_where_caches_are_without_a_home(monkeypatch, home):
    monkeypatch.setenv("HOME", home)
    monkeypatch.setattr("os.access", lambda *_: False)
    for variable in ("XDG_CACHE_HOME", *doctor.CACHES):
        monkeypatch.delenv(variable, raising=False)
    found = doctor._caches()
    assert found.mark == "note" and "there is no home folder to write into" in found.found
    # Folders that are named are the user's own choice, wherever they lie.
    for variable in doctor.CACHES:
        monkeypatch.setenv(variable, f"{tempfile.gettempdir()}/ddiv-mine/cache")
    assert doctor._caches().mark == "ok"
