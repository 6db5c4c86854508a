"""The outcomes of ddiv's own that are functions of outputs or of eigenvalues, by name.

They have the signatures of a user's own (`ddiv.outcome.own`), and say their unit and which way is
good in the same words.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

from ddiv.study.measures import Better


class Measure(NamedTuple):
    """A function with the unit of what it returns, and which way is good."""

    function: Callable[..., Any]
    unit: str
    better: Better


# (log_probabilities (n, classes) float32, labels (n,)) -> number
OF_OUTPUTS: dict[str, Measure] = {}

# (eigenvalues (..., k) ascending float64, N, M) -> numbers (...)
OF_SPECTRUM: dict[str, Measure] = {}

FunctionT = TypeVar("FunctionT", bound=Callable[..., Any])


def built_in(
    table: dict[str, Measure], *, unit: str, better: Better = "neither"
) -> Callable[[FunctionT], FunctionT]:
    """Enter a function into one of the tables under its name."""

    def enter(function: FunctionT) -> FunctionT:
        table[function.__name__] = Measure(function, unit, better)
        return function

    return enter
