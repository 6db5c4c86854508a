"""Files that are written whole or not at all."""

import errno
import os
import stat
from pathlib import Path

import pytest

from ddiv.common.files import contents, listed, make_folder, rename_durably, write_atomically
from tests.support.flushes import watch_flushes


def test_atomic_writing_keeps_the_old_file_when_the_new_one_fails(tmp_path, monkeypatch):
    path = tmp_path / "page.html"
    write_atomically(path, b"old")

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="No space left"):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old" and [p.name for p in tmp_path.iterdir()] == ["page.html"]


def test_a_durable_file_and_every_new_folder_above_it_are_flushed_after_the_rename(
    tmp_path, monkeypatch
):
    flushed = watch_flushes(monkeypatch)
    path = tmp_path / "a" / "b" / "page.html"
    write_atomically(path, b"new")
    assert {path, tmp_path / "a" / "b", tmp_path / "a", tmp_path} == {*flushed}
    assert flushed[-1] == path.parent and flushed.index(path) < len(flushed) - 1
    del flushed[:]
    write_atomically(path, b"newer")
    assert flushed == [path, path.parent]
    write_atomically(path, b"newest", durable=False)
    assert flushed == [path, path.parent]


def test_a_folder_is_flushed_before_and_after_it_gets_its_name(tmp_path, monkeypatch):
    flushed = watch_flushes(monkeypatch)
    draft, target = tmp_path / "draft", tmp_path / "records" / "target"
    draft.mkdir()
    make_folder(target.parent)
    rename_durably(draft, target)
    assert flushed == [tmp_path, target, target.parent]


@pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOTSUP])
def test_a_file_system_that_flushes_no_folders_is_written_to(tmp_path, monkeypatch, number):
    fsync = os.fsync

    def files_only(handle):
        if stat.S_ISDIR(os.fstat(handle).st_mode):
            raise OSError(number, os.strerror(number))
        fsync(handle)

    monkeypatch.setattr(os, "fsync", files_only)
    write_atomically(tmp_path / "page.html", b"new")
    assert (tmp_path / "page.html").read_bytes() == b"new"


@pytest.mark.parametrize("stop", [KeyboardInterrupt, MemoryError])
def test_a_write_that_is_broken_off_leaves_no_draft(tmp_path, monkeypatch, stop):
    def broken_off(*_):
        raise stop

    monkeypatch.setattr(os, "replace", broken_off)
    with pytest.raises(stop):
        write_atomically(tmp_path / "page.html", b"new")
    assert not [*tmp_path.iterdir()]


def test_only_what_ends_is_read(tmp_path):
    (tmp_path / "file").write_bytes(b"text")
    (tmp_path / "link").symlink_to("file")
    os.mkfifo(tmp_path / "pipe")
    assert contents(tmp_path / "file") == contents(tmp_path / "link") == b"text"
    for path in (tmp_path / "pipe", Path("/dev/zero")):
        with pytest.raises(OSError, match="a pipe or a device"):
            contents(path)
    with pytest.raises(IsADirectoryError):
        contents(tmp_path)


def test_a_folder_that_a_link_hides_is_not_absent(tmp_path):
    (tmp_path / "link").symlink_to("nowhere")
    assert listed(tmp_path) == ["link"] and listed(tmp_path / "absent" / "below") == []
    for path in (tmp_path / "link", tmp_path / "link" / "below"):
        with pytest.raises(OSError, match="a link to what is not there"):
            listed(path)
