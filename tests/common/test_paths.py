"""Folders that users name, and what stands in for a home folder that is not there."""

import os
import pwd
import stat
import tempfile
from pathlib import Path

import pytest

from ddiv.common import paths
from ddiv.common.paths import NoHome, as_text, cache_folder, expanded, named, of_text


@pytest.fixture(autouse=True)
def places(tmp_path, monkeypatch):
    """A home folder and one for temporary files, below the test's own."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.delenv("OURS", raising=False)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    for name in ("home", "temporary"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path)
    paths._temporary.cache_clear()
    yield tmp_path
    paths._temporary.cache_clear()


@pytest.mark.parametrize(
    "written, meant",
    [
        ("~/x", "{0}/home/x"),
        ("$HOME/x", "{0}/home/x"),
        ("${HOME}/x", "{0}/home/x"),
        ("~nobody-of-this-name/x", "~nobody-of-this-name/x"),
        ("$NOTHING_OF_THIS_NAME/x", "$NOTHING_OF_THIS_NAME/x"),
        ("a/~", "a/~"),
    ],
)
def test_home_and_variables_are_filled_in(places, monkeypatch, written, meant):
    assert expanded(written) == Path(meant.format(places))
    monkeypatch.setenv("OURS", written)
    assert named("OURS") == cache_folder("OURS", "things") == Path(meant.format(places))


def test_what_exists_as_it_is_written_is_meant_so(places):
    (places / "$HOME").mkdir()
    assert expanded("$HOME") == Path("$HOME")


def test_an_empty_variable_is_none(monkeypatch):
    monkeypatch.setenv("OURS", "")
    assert named("OURS") is None


@pytest.mark.parametrize("place, meant", [("~/c", "home/c"), ("relative", "home/.cache")])
def test_the_cache_folder_follows_xdg(places, monkeypatch, place, meant):
    monkeypatch.setenv("XDG_CACHE_HOME", place)
    assert cache_folder("OURS", "things") == places / meant / "ddiv" / "things"


def nobody(number):
    raise KeyError(number)


def no_home(monkeypatch):
    monkeypatch.delenv("HOME")
    monkeypatch.setattr(pwd, "getpwuid", nobody)


def home_is_a_device(monkeypatch):
    monkeypatch.setenv("HOME", "/dev/null")


@pytest.mark.parametrize("break_it", [no_home, home_is_a_device])
def test_without_a_home_folder_caches_are_of_the_users_own(places, monkeypatch, break_it):
    break_it(monkeypatch)
    folder = cache_folder("OURS", "things")
    mine = places / "temporary" / f"ddiv-{os.getuid()}"
    assert folder == mine / "things" and paths.is_temporary(folder)
    assert stat.S_IMODE(mine.stat().st_mode) == 0o700
    if break_it is no_home:
        with pytest.raises(NoHome, match="let OURS name a folder"):
            cache_folder("OURS", "answers", lasting=True)


def test_a_folder_that_others_may_write_is_not_taken_for_ones_own(places, monkeypatch):
    no_home(monkeypatch)
    usual = places / "temporary" / f"ddiv-{os.getuid()}"
    usual.mkdir()
    usual.chmod(0o777)
    folder = cache_folder("OURS", "things").parent
    assert folder != usual and stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_cache_that_may_only_be_read_is_still_read(places, monkeypatch):
    there = places / "home" / ".cache" / "ddiv" / "things"
    there.mkdir(parents=True)
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert cache_folder("OURS", "things") == there
    assert paths.is_temporary(cache_folder("OURS", "others"))


def test_a_path_that_is_no_utf_8_becomes_text_that_can_be_stored():
    assert as_text(os.fsdecode(b"d\xe9")) == "d\N{REPLACEMENT CHARACTER}"
    assert as_text("é") == "é" and of_text("é") == "é"
    assert as_text("\udcc3\udca9") == "é"  # as Python reads it under an ASCII locale
