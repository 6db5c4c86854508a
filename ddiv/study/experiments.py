"""Experiments: functions that draw, compute and return named numbers, as values.

    @experiment(error="distance from ridge, in distances of least squares from ridge")
    def decayed(draws, solver: str = "gd") -> dict[str, float]:
        X = draws.numpy("inputs").normal(size=(200, 20))
        ...
        return {"error": ...}

A decorated function makes numbers for claims: `decayed("error", solver="adam")`. The function is
given a `ddiv.trial.at_hand.Draws`, and its further parameters are its options. All numbers of one
call are of one job, `ddiv.trial.Experiment`: its key is made of the function's source and options,
of the study and of the seed. Nothing here needs torch or numpy.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from ddiv.common.digests import source_digest
from ddiv.common.own import OwnValue, know
from ddiv.common.values import Value, require_name
from ddiv.study.measures import options_of


class OwnExperiment(OwnValue, frozen=True, tag="own-experiment"):
    """A call of an experiment with these options, which returns `numbers`, by their names."""

    numbers: tuple[str, ...] = ()


class Number(Value, frozen=True, tag="number"):
    """A number that an experiment returns; `meaning` says what it measures, with its unit."""

    experiment: OwnExperiment
    name: str
    meaning: str

    @property
    def label(self) -> str:
        options = self.experiment.options
        details = [f"{name.replace('_', ' ')} {value}" for name, value in options]
        return self.meaning + (f" ({', '.join(details)})" if details else "")


class ExperimentMaker:
    """What a decorated function becomes: it makes numbers. `function` is the function itself."""

    def __init__(self, function: Callable[..., Any], meanings: dict[str, str]) -> None:
        self.function, self.meanings = function, meanings
        self.__name__, self.__doc__ = function.__name__, function.__doc__
        self.__module__ = function.__module__
        # Claims' files may import it from each other, in any order.
        self._source = source_digest(function, asked_by=False)
        self.signature = inspect.signature(function)
        parameters = list(self.signature.parameters.values())
        if (
            not parameters
            or parameters[0].kind not in (inspect.Parameter.POSITIONAL_ONLY, _EITHER)
            or any(each.kind not in (_EITHER, each.KEYWORD_ONLY) for each in parameters[1:])
            or any(each.name == "number" for each in parameters[1:])
        ):
            raise ValueError(
                f"the experiment {self.__name__} takes its draws and then its options, each by a "
                f"name of its own, but not `number`, got {self.signature}"
            )
        know(OwnExperiment, self._source, function)

    def __call__(self, number: str, **options: Any) -> Number:
        """The number of this name, of the function called with these options.

        Raises ValueError on a name that it does not return, and on options that it does not take,
        lacks, or that are neither text nor number.
        """
        name = self.__name__
        if number not in self.meanings:
            raise ValueError(
                f"the experiment {name} returns no number {number!r:.80}; it returns: "
                f"{', '.join(self.meanings)}"
            )
        settled = options_of(f"the experiment {name}", self.signature, options, 1)
        called = OwnExperiment(name, self._source, settled, tuple(self.meanings))
        return Number(called, number, self.meanings[number])

    def __repr__(self) -> str:
        number = next(iter(self.meanings))
        return f"<the experiment {self.__name__}, of which {self.__name__}({number!r}) is a number>"


_EITHER = inspect.Parameter.POSITIONAL_OR_KEYWORD


def experiment(
    bare: None = None, /, **meanings: str
) -> Callable[[Callable[..., Any]], ExperimentMaker]:
    """Make a function of draws an experiment; `meanings` are the numbers that it returns, by name,
    each with what it measures.

    The function draws from the `draws` that it is given, and from nothing else, and returns a
    mapping from just these names to finite numbers. Raises ValueError on a function that no file
    defines at its top level.
    """
    if bare is not None or not meanings:
        raise ValueError(
            "the decorator of an experiment names its numbers: "
            '@experiment(error="what it measures, and in which unit")'
        )
    for name, meaning in meanings.items():
        require_name(f"what the number {name} of an experiment measures", meaning)
    return lambda function: ExperimentMaker(function, meanings)
