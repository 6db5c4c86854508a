"""`ddiv report` on a run whose files are damaged, and into places that cannot be written."""

import subprocess
import sys
from pathlib import Path

import pytest

from ddiv.cli.main import main
from ddiv.run import run as runs
from ddiv.trial.store import Store
from tests.support.small_disk import fill, small_disk
from tests.support.troubled import RUN, store_of_run


@pytest.fixture
def store(tmp_path) -> Store:
    return store_of_run(tmp_path / "store")


@pytest.fixture
def report(store, capsys):
    """`ddiv report` of this store: (status, stderr)."""
    runs.save_ended(store, RUN, 1.0)

    def run(out: Path | str, *arguments: str) -> tuple[int, str]:
        status = main(["report", "--store", str(store.root), "--out", str(out), *arguments])
        return status, capsys.readouterr().err

    return run


def files_of(store):
    return runs.folder(store, RUN.id)


DAMAGE = {"empty": b"", "zeros": b"\0" * 4096, "cut": b'{"id":"2', "gone": None}


@pytest.mark.parametrize("how", DAMAGE)
def test_a_question_that_is_damaged_is_left_out_with_a_word_on_the_page(
    report, store, tmp_path, how
):
    path = min((files_of(store) / "asked").iterdir())
    path.unlink() if DAMAGE[how] is None else path.write_bytes(DAMAGE[how])
    status, told = report(tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text()
    assert status == 1 and "1 question of the run" in told and "1 question of the run" in page
    assert "run the same tests again" in page.lower() and "Traceback" not in told


@pytest.mark.parametrize("how", DAMAGE)
def test_a_run_that_is_damaged_is_one_clear_line(report, store, tmp_path, how):
    path = files_of(store) / "run.json"
    path.unlink() if DAMAGE[how] is None else path.write_bytes(DAMAGE[how])
    for arguments in (("--run", RUN.id), ()):
        status, told = report(tmp_path / "page.html", *arguments)
        assert status and RUN.id in told and "run the same tests again" in told
        assert "Traceback" not in told and not (tmp_path / "page.html").exists()


@pytest.mark.parametrize("tail", [b'{"key":"00', b"\0" * 512, b"{}\n"], ids=["cut", "zeros", "no"])
def test_a_journal_that_was_cut_does_not_hold_up_the_page(report, store, tmp_path, tail):
    (files_of(store) / "journal.jsonl").write_bytes(tail)
    _, told = report(tmp_path / "page.html")
    assert "1 damaged line" in told and "1 damaged line" in (tmp_path / "page.html").read_text()


def test_a_page_that_finds_no_room_leaves_the_old_one(report, tmp_path):
    with small_disk(tmp_path / "disk", 64) as disk:
        (disk / "page.html").write_text("old")
        fill(disk)
        status, told = report(disk / "page.html")
        assert status == 1 and "page.html cannot be written: No space left" in told
        assert "Free some space, or name another file" in told and told.count("\n") <= 2
        assert (disk / "page.html").read_text() == "old"
        assert sorted(path.name for path in disk.iterdir()) == ["ballast", "page.html"]


def test_a_page_into_a_folder_that_is_not_there_makes_it(report, tmp_path):
    report(tmp_path / "a" / "b" / "page.html")
    assert "fine" in (tmp_path / "a" / "b" / "page.html").read_text()


@pytest.mark.parametrize("out", ["/dev/full", "/", "/dev/null/page.html"])
def test_a_place_that_takes_no_page_is_one_clear_line(report, out):
    status, told = report(out)
    (line,) = told.splitlines()
    assert status == 1 and line.startswith(f"ddiv: {out} cannot be written: ")


def test_a_full_standard_output_is_told(report, store, tmp_path):
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    command = [sys.executable, "-m", "ddiv", "trials", "--store", str(store.root)]
    with open("/dev/full", "wb") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, check=False, text=True)
    assert done.returncode == 1
    assert done.stderr.splitlines() == ["ddiv: No space left on device. Free some space"]
