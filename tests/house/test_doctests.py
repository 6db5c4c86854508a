"""The examples in docstrings give what they show."""

import doctest
import importlib

import pytest

from tests.support.paths import ROOT

MODULES = [
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    for path in sorted((ROOT / "ddiv").rglob("*.py"))
    if ">>>" in path.read_text("utf-8")
]


def test_there_are_examples():
    assert MODULES


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_of_a_module_hold(name):
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] == "ddiv":
            raise
        pytest.skip(f"needs {error.name}, which is not installed")
    results = doctest.testmod(module)
    assert results.attempted > 0 and results.failed == 0
