"""The tests of claims in a folder, read without pytest, and the questions that they put to studies.

`pytest claims` collects the same tests; here no run is needed, so that pages can be written of them
(`ddiv catalogue`) and tests can go through them all.
"""

from __future__ import annotations

import importlib.util
import itertools
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from ddiv.claim.bench import NotApplicable
from ddiv.claim.declare import ClaimTest, parameters
from ddiv.claim.needed import Question, jobs
from ddiv.study import Study


class Collected(NamedTuple):
    """A test of a claim, and the file that defines it."""

    test: ClaimTest
    file: Path


def tests_in(files: Iterable[Path]) -> list[Collected]:
    """The tests of claims that these files define, in the files' order.

    Raises ValueError on a file that cannot be imported, and on a declaration that is wrong.
    """
    return [Collected(test, path) for path in files for test in _tests(path)]


def _tests(path: Path) -> Iterator[ClaimTest]:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # Claims import what they share from a folder beside theirs.
    beside = str(path.resolve().parent.parent)
    if beside not in sys.path:
        sys.path.insert(0, beside)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise ValueError(f"{path} cannot be imported: {error}") from error
    for value in vars(module).values():
        if hasattr(value, "ask") and hasattr(value, "claim"):
            if value.fault:
                raise ValueError(f"{path}: {value.__name__}: {value.fault}")
            yield value


def values_of(test: ClaimTest, studies: Iterable[Study]) -> Iterator[dict[str, Any]]:
    """The arguments of each call of a test's body, by name: those of `each` and of
    `pytest.mark.parametrize`, on the studies that the test is put to.
    """
    names, rows = parameters(test, studies)
    marks = [mark.args for mark in getattr(test, "pytestmark", []) if mark.name == "parametrize"]
    for row in rows:
        for chosen in itertools.product(*(_rows(*given) for given in marks)):
            own = dict(zip(names, row))
            yield own | {name: value for one in chosen for name, value in one.items()}


def _rows(names: str | Iterable[str], given: Iterable[Any], *_: Any) -> list[Mapping[str, Any]]:
    split = [name.strip() for name in names.split(",")] if isinstance(names, str) else [*names]
    rows = (getattr(row, "values", row) if not isinstance(row, Mapping) else row for row in given)
    return [dict(zip(split, row if len(split) > 1 else (row,))) for row in rows]


def question(test: ClaimTest, values: Mapping[str, Any]) -> Question | None:
    """The question that a test puts to the study in `values`; None where the study lacks what the
    question asks for.
    """
    try:
        asked = test.ask(**values)
        jobs(asked, values["study"], (0,))
    except NotApplicable:
        return None
    return asked
