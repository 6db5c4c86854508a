"""The digest of a class of a user's, and what has no digest: one line that says what to do."""

import linecache
from pathlib import Path

import pytest

from ddiv.common.digests import source_digest
from ddiv.profiles import python_file

CLASSES = """
from ddiv.common.values import Value
from helper import Base

SIZE = 3
TABLE = {}


class Net(Base):
    def forward(self):
        return SIZE


class Bare(Net):
    pass


class Part(Value, frozen=True):
    amount: float

    def loss(self, outputs):
        TABLE[1] = outputs


class Other(Part, frozen=True):
    def loss(self, outputs):
        TABLE[2] = outputs


def encoder():
    return 1


PARTS = (Part(0.1), Other(2))
"""
BASES = "class Base:\n    def grow(self): return 1\nclass Beside: pass\n"


@pytest.fixture
def classes(tmp_path):
    """The digests of these names of the file with one text in place of another."""

    def digests(*names, old="", new="", base=BASES):
        folder = tmp_path / f"run{len([*tmp_path.iterdir()])}"
        folder.mkdir()
        (folder / "helper.py").write_text(base)
        (folder / "classes.py").write_text(CLASSES.replace(old, new) if old else CLASSES)
        found = python_file.run(folder / "classes.py")
        return [source_digest(found[name]) for name in names]

    return digests


def test_a_class_is_named_by_itself_and_what_it_uses_and_its_bases(classes):
    net, bare = classes("Net", "Bare")
    for change in [
        {"old": "return SIZE", "new": "return -SIZE"},
        {"old": "SIZE = 3", "new": "SIZE = 4"},
        {"base": BASES.replace("return 1", "return 2")},
    ]:
        new, below = classes("Net", "Bare", **change)
        assert new != net and below != bare
    assert classes("Net", "Bare", base=BASES.replace("Beside", "Near")) == [net, bare]
    assert classes("Net", old="return 1", new="return 2") == [net]
    assert classes("Net") == [net]


def test_values_of_ddiv_s_kinds_do_not_count_for_others(classes):
    names = ("Net", "Part", "encoder")
    plain = classes(*names)
    assert classes(*names, old="TABLE[2]", new="TABLE[3]") == plain
    assert classes(*names, old="Other(2)", new="Other(3)") == plain
    assert classes("Part", old="TABLE[1]", new="TABLE[3]") != plain[1:2]


class Local:
    def method(self):
        return 1


def nested():
    class Inner:
        pass

    return Inner


def twice():
    return 1


first = twice


def twice():
    return 2


@pytest.mark.parametrize(
    "text", ["class X:\n    def f(self): pass", "class X: pass", "def X(): pass"]
)
@pytest.mark.parametrize("name", ["<stdin>", "<ipython-input-1-abc>", "/tmp/ipykernel_1/2.py"])
def test_what_a_notebook_or_a_prompt_defines_is_told_to_go_into_a_file(text, name):
    space = {"__name__": "of_no_file"}
    lines = [line + "\n" for line in text.splitlines()]
    linecache.cache[name] = (len(text), None, lines, name)  # as IPython and Python 3.13 do
    exec(compile(text, name, "exec"), space)
    with pytest.raises(ValueError, match=r"from no file .a notebook.*top level of a \.py file$"):
        source_digest(space["X"])
    del linecache.cache[name]


@pytest.mark.parametrize(
    "thing, why",
    [
        (nested(), "is defined within a function"),
        (Local.method, r"is not at the top level of test_digests\.py"),
        (int, "comes from no file"),
        (Path, "belongs to an installed package"),
        (first, r"is one of several of this name in test_digests\.py"),
        (twice, r"is one of several of this name in test_digests\.py"),
    ],
)
def test_what_no_file_of_the_user_s_defines_once_is_refused(thing, why):
    with pytest.raises(ValueError, match=f"{why}.*: its source is a part of the store's keys"):
        source_digest(thing)


def test_a_class_of_a_module_that_another_took_the_name_of_is_refused(tmp_path):
    for folder in (tmp_path / "one", tmp_path / "two"):
        folder.mkdir()
        (folder / "mine.py").write_text(f"class Bare: pass\nclass Place: at = {folder.name!r}\n")
    old = python_file.run(tmp_path / "one" / "mine.py")["Bare"]
    assert source_digest(python_file.run(tmp_path / "two" / "mine.py")["Bare"])
    with pytest.raises(ValueError, match="comes from no file"):
        source_digest(old)
