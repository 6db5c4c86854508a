"""Files that people name are whole or as they were; why one cannot be written is told."""

import os
import resource
import stat
import threading
from contextlib import contextmanager
from pathlib import Path

import pytest

from ddiv.common.errors import NotWritten
from ddiv.common.outputs import write_output


@contextmanager
def largest_file(size: int):
    """No file can become larger, as on a disk with so much room."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_page_that_does_not_fit_leaves_the_old_one_whole(tmp_path):
    path = tmp_path / "page.html"
    path.write_bytes(b"old")
    with largest_file(1000), pytest.raises(NotWritten, match=r"page\.html cannot .*ulimit -f"):
        write_output(path, b"x" * 10_000)
    assert path.read_bytes() == b"old" and [*tmp_path.iterdir()] == [path]


def test_folders_are_made_and_links_stay_links(tmp_path):
    page, link = tmp_path / "new" / "folder" / "page.html", tmp_path / "latest.html"
    link.symlink_to(page)
    write_output(link, b"page")
    assert link.is_symlink() and page.read_bytes() == b"page"


@pytest.mark.parametrize(
    "place, message",
    [
        (".", "Is a directory. Name a file, not a folder"),
        ("file/page.html", "Move away the file that lies where a folder is needed"),
        ("x" * 300, "File name too long"),
    ],
)
def test_a_place_where_no_file_can_be_is_one_clear_line(tmp_path, place, message):
    (tmp_path / "file").touch()
    with pytest.raises(NotWritten, match=message) as caught:
        write_output(tmp_path / place, b"page")
    assert "\n" not in str(caught.value) and "Errno" not in str(caught.value)
    assert [*tmp_path.iterdir()] == [tmp_path / "file"]


def test_a_full_device_is_told_and_stays_a_device():
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    with pytest.raises(NotWritten, match=r"/dev/full cannot be written: No space left.*Free some"):
        write_output(Path("/dev/full"), b"page")
    assert stat.S_ISCHR(os.stat("/dev/full").st_mode)


def test_a_pipe_is_written_into_and_not_replaced(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()), daemon=True)
    reader.start()
    write_output(pipe, b"page" * 100_000)
    reader.join(10)
    assert read == [b"page" * 100_000] and stat.S_ISFIFO(os.stat(pipe).st_mode)
