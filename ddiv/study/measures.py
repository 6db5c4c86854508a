"""Outcomes of a user's own, as values: the functions behind them belong to a process.

`ddiv.outcome.own` makes the values; training reads those of trained networks.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from numbers import Real
from typing import Any, Literal

from ddiv.common.own import Option, OwnValue, behind
from ddiv.common.printed import one_line
from ddiv.common.raised import place

Better = Literal["higher", "lower", "neither"]


class OwnMeasure(OwnValue, frozen=True):
    """An outcome of a user's own; `better` says which way is good."""

    unit: str = ""
    better: Better = "neither"

    @property
    def key(self) -> str:
        """The name with the options, as a call of the function would say it."""
        return super().label

    def described(self, *of: str) -> str:
        """What figures and findings call it; `of` says what it is read over."""
        details = [*of, *(f"{name.replace('_', ' ')} {value}" for name, value in self.options)]
        shown = self.name.replace("_", " ") + (f" ({', '.join(details)})" if details else "")
        return f"{shown} [{self.unit}]" if self.unit else shown


class NetworkOutcome(OwnMeasure, frozen=True, tag="own-of-network"):
    """An outcome computed of a trained network, see `ddiv.outcome.of_network`.

    A trial carries those that are computed when it is trained.
    """

    @property
    def label(self) -> str:
        return self.described()


class OutcomeFailed(Exception):
    """An outcome of a user's own cannot be told; the message names it, the cause and the remedy."""


def computed(measure: OwnMeasure, *arguments: object) -> float:
    """What the function behind an outcome returns of these arguments and the outcome's options.

    Raises OutcomeFailed where no file of this run defines the function, where it raises, and where
    it returns anything but a finite number.
    """
    function = behind(measure)
    if function is None:
        file = getattr(measure, "file", "the claim's or the --study file")
        raise OutcomeFailed(
            f"nothing here defines the outcome {measure.name} ({measure.source[:12]}...): run "
            f"pytest with {file} that defines it, unchanged"
        )
    try:
        result = function(*arguments, **dict(measure.options))
    except OutcomeFailed:
        raise
    except Exception as error:
        arrays = any(type(argument).__module__ == "numpy" for argument in arguments)
        of_torch = isinstance(error, TypeError) and "Tensor" in str(error)
        given = " (it is given NumPy arrays)" if arrays and of_torch else ""
        raise OutcomeFailed(
            f"the outcome {measure.key} raised {type(error).__name__}: {one_line(error)}{given}"
            f"{place(error)}"
        ) from error
    return _number(measure, result)


def _number(measure: OwnMeasure, result: Any) -> float:
    # Of torch, too, which this file does without.
    if getattr(result, "ndim", None) == 0 and hasattr(result, "item"):
        result = result.item()
    if isinstance(result, bool) or not isinstance(result, Real):
        shape = getattr(result, "shape", None)
        kind = type(result).__name__ + (f" of shape {tuple(shape)}" if shape is not None else "")
        raise OutcomeFailed(
            f"the outcome {measure.key} is no number but {'nothing' if result is None else kind}: "
            "return one number, as float(...)"
        )
    number = float(result)
    if number - number != 0:
        raise OutcomeFailed(f"the outcome {measure.key} is {number}: return a finite number")
    return number


def united(*outcomes: Iterable[NetworkOutcome]) -> tuple[NetworkOutcome, ...]:
    """The outcomes together, each once, in the order of their names and options.

    Raises ValueError where two of one name are computed by different functions.
    """
    together = list(dict.fromkeys(outcome for some in outcomes for outcome in some))
    first: dict[str, NetworkOutcome] = {}
    for outcome in together:
        known = first.setdefault(outcome.name, outcome)
        if (known.source, known.unit) != (outcome.source, outcome.unit):
            raise ValueError(
                f"two different functions are called {outcome.name}, and both are outcomes of the "
                "same trials: give one of them another name"
            )
    return tuple(sorted(together, key=lambda outcome: (outcome.name, str(outcome.options))))


def options_of(
    called: str, signature: inspect.Signature, given: dict[str, Any], first: int
) -> tuple[tuple[str, Option], ...]:
    """The options of a call, with the function's defaults in, by name.

    called: what messages call the function, "the outcome sharpness", say; first: how many
    parameters are no options. Raises ValueError on options that the function does not take, lacks,
    or that are neither text nor number.
    """
    parameters = list(signature.parameters.values())[first:]
    known = [parameter.name for parameter in parameters]
    if unknown := [option for option in given if option not in known]:
        raise ValueError(
            f"{called} has no option {unknown[0]!r}; it has: {', '.join(known) or 'none'}"
        )
    options = {}
    for parameter in parameters:
        value = given.get(parameter.name, parameter.default)
        if value is parameter.empty:
            raise ValueError(f"{called} needs its option {parameter.name}")
        if not isinstance(value, (str, int, float, bool)):
            raise ValueError(
                f"the option {parameter.name} of {called} is neither text nor number: "
                "such a value names a trial"
            )
        if isinstance(parameter.default, float) and type(value) is int:
            value = float(value)  # 1 and 1.0 are one trial
        options[parameter.name] = value
    return tuple(sorted(options.items()))
