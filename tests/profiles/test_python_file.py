"""A study's Python file finds the files beside it, and only those that are meant."""

import subprocess
import sys
from textwrap import dedent

import pytest

from ddiv.profiles.python_file import run
from ddiv.profiles.study_file import BadStudyFile, of_file


@pytest.fixture(autouse=True)
def untouched():
    """What the process imports from is as before after each test."""
    path, finders, modules = sys.path[:], sys.meta_path[:], set(sys.modules)
    yield
    sys.path[:], sys.meta_path[:] = path, finders
    for name in set(sys.modules) - modules:
        del sys.modules[name]


def write(folder, **files):
    for name, text in files.items():
        path = folder / f"{name.replace('__', '/')}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text), "utf-8")
    return folder / "study.py"


def test_neighbours_are_imported_by_name_also_later_and_in_mere_folders(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "dont_write_bytecode", False)  # some machines set it
    study = write(
        tmp_path,
        helper="VALUE = 'a neighbour'",
        parts__late="VALUE = 'a late one'",
        study="""
            from helper import VALUE

            def late():
                from parts.late import VALUE
                return VALUE
        """,
    )
    names = run(study)
    assert names["VALUE"] == "a neighbour" and names["late"]() == "a late one"
    assert not list(tmp_path.rglob("*.pyc"))


def test_another_files_neighbour_of_the_same_name_is_another(tmp_path):
    for name in ("a", "b", "a"):
        study = write(tmp_path / name, helper=f"VALUE = {name!r}", study="from helper import VALUE")
        assert run(study)["VALUE"] == name


def test_a_changed_neighbour_is_read_anew_however_soon(tmp_path):
    for value in (1, 2):
        study = write(tmp_path, helper=f"VALUE = {value}", study="from helper import VALUE")
        assert run(study)["VALUE"] == value


def test_in_a_package_imports_may_be_relative(tmp_path):
    write(tmp_path / "pack", inner__helper="VALUE = 1", top="VALUE = 2")
    for folder in (tmp_path / "pack", tmp_path / "pack" / "inner"):
        (folder / "__init__.py").touch()
    lines = "from .helper import VALUE as a\nfrom ..top import VALUE as b\nimport helper"
    study = write(tmp_path / "pack" / "inner", study=lines)
    names = run(study)
    assert (names["a"], names["b"], names["helper"].VALUE) == (1, 2, 1)


def test_a_relative_import_without_a_package_is_told_what_helps(tmp_path):
    study = write(tmp_path, helper="", study="from .helper import VALUE")
    with pytest.raises(BadStudyFile, match="leave out the dot"):
        of_file(study)


def test_a_file_of_the_name_of_a_library_does_not_take_its_place(tmp_path):
    """Python's own modules are meant by everybody; a folder without __init__.py is no module."""
    (tmp_path / "msgspec").mkdir()
    write(
        tmp_path,
        queue="raise RuntimeError('taken for the library')",
        study="""
            import queue
            import msgspec

            NAMES = queue.Queue, msgspec.Struct
        """,
    )
    code = f"from pathlib import Path; from ddiv.profiles.python_file import run; \
run(Path({str(tmp_path / 'study.py')!r}))"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_file_may_define_classes_that_look_for_their_module(tmp_path):
    study = write(
        tmp_path,
        study="""
            from __future__ import annotations
            import msgspec

            class Sizes(msgspec.Struct):
                width: int = 3

            WIDTH = msgspec.convert({}, Sizes).width
        """,
    )
    assert run(study)["WIDTH"] == 3


def test_a_file_that_ends_the_program_is_refused(tmp_path):
    with pytest.raises(BadStudyFile, match="it ends the program"):
        of_file(write(tmp_path, study="import sys\nsys.exit()"))


def test_a_toml_file_is_utf_8_whatever_the_locale(tmp_path):
    (tmp_path / "mine.toml").write_bytes(b'title = "\xe9t\xe9"')
    with pytest.raises(BadStudyFile, match="TOML is UTF-8, and its byte 9 is not: save it so"):
        of_file(tmp_path / "mine.toml")
