"""Drafts: those of the dead are deleted, those that are being written and what is no draft stay."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ddiv.common.drafts import ABANDONED_SECONDS, alive, draft_of, signature, sweep
from ddiv.common.files import write_atomically

WRITER = """
import sys, time
from pathlib import Path
from ddiv.common.drafts import draft_of
draft = draft_of(Path(sys.argv[1]))
draft.mkdir() if sys.argv[1].endswith("record") else draft.write_bytes(b"half")
print(flush=True)
time.sleep(600)
"""


@pytest.fixture
def writer(tmp_path):
    """Begin to write a file of this name in another process, which hangs in the middle."""
    begun = []

    def begin(name: str) -> subprocess.Popen:
        command = [sys.executable, "-c", WRITER, str(tmp_path / name)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE)
        begun.append(process)
        process.stdout.readline()
        return process

    yield begin
    for process in begun:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("name", ["answer.json", "record"])
def test_the_draft_of_a_killed_process_is_swept_at_once_and_that_of_a_living_one_never(
    tmp_path, writer, name
):
    process = writer(name)
    (draft,) = tmp_path.iterdir()
    os.utime(draft, (time.time() - 2 * ABANDONED_SECONDS,) * 2)  # suspended for hours, say
    sweep(tmp_path)
    assert draft.exists()
    process.kill()
    deadline = time.monotonic() + 10
    # Nobody has buried it yet: the system still lists the process.
    while draft.exists() and time.monotonic() < deadline:
        sweep(tmp_path)
    assert process.returncode is None and not draft.exists()


def test_drafts_from_elsewhere_and_of_earlier_versions_are_swept_when_they_are_old(tmp_path):
    key = "0028b854838e153ec7e0"
    names = [
        f".{key}.json.0123abcd-{os.getpid()}-77.89abcdef",  # another machine, or another boot
        f".{key}.json.89abcdef",
        f"{key}.89abcdef",
        f"{key}{key}-32.part",
    ]
    for name in names:
        (tmp_path / name).touch()
    sweep(tmp_path)
    assert len([*tmp_path.iterdir()]) == len(names)
    for path in tmp_path.iterdir():
        os.utime(path, (time.time() - 2 * ABANDONED_SECONDS,) * 2)
    sweep(tmp_path)
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize(
    "name",
    [
        ".bashrc.deadbeef",
        "notes.part",
        ".hidden",
        "0028b854838e153ec7e0.json",
        "page.html",
        ".page.html.SIGNATURE",
    ],
)
def test_what_is_no_draft_stays_however_old(tmp_path, name):
    name = name.replace("SIGNATURE", signature())
    (tmp_path / name).touch()
    os.utime(tmp_path / name, (0, 0))
    sweep(tmp_path, tmp_path / "absent")
    assert (tmp_path / name).exists()


def test_a_later_process_with_the_same_number_is_another(tmp_path):
    place, pid, began = signature().split("-")
    assert alive(signature()) and alive(f"{place}-{pid}-{int(began) - 1}") is False
    assert alive(f"{place}-{2**40}-1") is False and alive(f"00000000-{pid}-{began}") is None
    assert alive("") is None and alive(f"{place}-x-1") is None


def test_names_as_long_as_a_file_system_takes_are_written(tmp_path):
    path = tmp_path / ("é" * 120 + ".html")
    write_atomically(path, b"page")
    assert path.read_bytes() == b"page" and draft_of(path) != draft_of(path)
    assert draft_of(Path("a")).parent == Path()
