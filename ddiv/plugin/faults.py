"""What is wrong with a test of a claim, in a line at the place where its author can mend it."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from types import CodeType

import pytest

from ddiv.claim.declare import ClaimTest
from ddiv.claim.returned import BadQuestion
from ddiv.common.raised import place, seen
from ddiv.finding import Asked


class BadTest(ValueError):
    """A test of a claim cannot be asked; the message says why and what to do."""


# These say all themselves; of other errors the kind is part of what they say.
_PLAIN = (BadTest, BadQuestion, pytest.fail.Exception)


def of_declaration(test: ClaimTest, cls: type | None) -> str:
    """What is wrong with the declaration of a test in this class, if any; "" where nothing is."""
    if cls is not None and not isinstance(
        inspect.getattr_static(cls, test.__name__, None), staticmethod
    ):
        return f"it is a method of {cls.__name__}: write it as a function of the file"
    own = inspect.signature(test.ask).parameters
    if not test.fault and (unknown := [name for name in test.each if name not in own]):
        return f"`each` gives values of {unknown[0]!r}, which is none of its parameters"
    return test.fault


def of_error(error: BaseException, test: ClaimTest, what: str = "") -> str:
    """An error of the author's code, with the line where that raised it."""
    said = str(error) if isinstance(error, _PLAIN) else f"{type(error).__name__}: {error}"
    where = place(error, _code(test).co_filename)
    return f"{what}: {said}{where}" if what else f"{said}{where}"


def line(item: pytest.Function, fault: str) -> str:
    """The fault with the test that it is of, and the place where that stands."""
    code = _code(item.obj)
    return f"{seen(code.co_filename)}:{code.co_firstlineno}: {item.originalname}: {fault}"


def require_values(test: ClaimTest, arguments: Mapping[str, object]) -> None:
    """Raise BadTest where a parameter of a claim has no value, as a fixture has none."""
    for name, parameter in inspect.signature(test.ask).parameters.items():
        named = parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
        if named and parameter.default is parameter.empty and name not in arguments:
            raise BadTest(
                f"its parameter {name!r} has no value: give it some by @each({name}=...). "
                "Fixtures have none when the body runs, which only says what to ask"
            )


class Namesakes:
    """The names of the questions so far: a claim, a study and a name among the claim's tests.

    The report and the ledger know a finding by these, and by nothing else.
    """

    def __init__(self) -> None:
        self._tests: dict[tuple[str, str, str], str] = {}

    def require_new(self, item: pytest.Function, asked: Asked) -> None:
        """Note the name of a question. Raises BadTest where another test has it."""
        name = (asked.claim.id, asked.study.name, asked.variant)
        there = self._tests.setdefault(name, asked.test)
        if there != asked.test:
            raise BadTest(
                f"{there} is of a claim {asked.claim.id!r} too, and nothing tells them apart: give "
                'one another id, or a name of its own by @each(called="...")'
            )


def _code(test: ClaimTest) -> CodeType:
    code: CodeType = inspect.unwrap(test.ask).__code__
    return code
