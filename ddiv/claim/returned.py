"""Whether what the body of a claim returned can be asked, before anything is trained for it."""

from __future__ import annotations

import inspect
import re
from typing import get_args

import msgspec

from ddiv.claim.bench import TooFewArms
from ddiv.claim.needed import Question
from ddiv.claim.question import Asking
from ddiv.outcome.own import Maker
from ddiv.treatment import Treatment

# JSON's words for what Python has.
_WORDS = {"array": "tuple", "object": "dict", "null": "None or NaN"}

# What JSON calls an object where it is a part of a question: a treatment, or else an outcome.
_OF_OURS = ("expected a Treatment", 'expected an outcome, such as Spectral("alpha")')


class BadQuestion(ValueError):
    """The body of a claim returned nothing that a study can be asked; the message says why."""


def checked(returned: object) -> Question:
    """The question that was returned, as a record of the run gives it back (lists as tuples).

    Raises BadQuestion, and TooFewArms where it names no arm.
    """
    if returned is None:
        raise BadQuestion("its body returns None: is a `return` missing?")
    if inspect.iscoroutine(returned):
        returned.close()  # else Python warns that nobody awaited it
    kinds = get_args(Question)
    if not isinstance(returned, kinds):
        known = ", ".join(kind.__name__ for kind in kinds)
        raise BadQuestion(
            f"its body returns {_a(returned)}, and a claim returns a question (from ddiv.claim: "
            f"{known})"
        )
    question = _as_read_back(returned)
    for part in question.parts():
        _require_arms(part)
        if part.direction not in (1, -1):
            raise BadQuestion(
                f"the direction of {type(part).__name__} is {part.direction}, and it has to be "
                "RISES or FALLS (ddiv.evidence)"
            )
    return question


def _as_read_back(question: Question) -> Question:
    kind = type(question)
    try:
        return msgspec.json.decode(msgspec.json.encode(question), type=kind)
    except msgspec.ValidationError as error:
        raise BadQuestion(f"{kind.__name__}: {_in_python(str(error), question)}") from error
    except (TypeError, ValueError, AttributeError, RecursionError) as error:  # cannot be written
        held = [getattr(part, name) for part in question.parts() for name in part.__struct_fields__]
        if uncalled := next((each for each in held if isinstance(each, Maker)), None):
            raise BadQuestion(f"{kind.__name__} holds {uncalled!r}: call it") from error
        raise BadQuestion(f"{kind.__name__} holds what no record can hold: {error}") from error


def _in_python(message: str, question: Question) -> str:
    """A message of msgspec's on a question, in the words of one who wrote it in Python."""
    said, _, place = message.partition(" - at ")
    place = place.strip("`").removeprefix("$.")
    wanted, _, got = said.partition(", got ")
    needs = _OF_OURS["outcome" in place] if wanted == "Expected `object`" else _words(wanted)
    value = getattr(question, place, None)  # None where the place is within a field
    if value is None:
        return f"`{place}`: {needs}" + (f", got {_words(got)}" if got else "")
    hint = ""
    if isinstance(value, dict):
        hint = f": write tuple({place}.items())"
    elif isinstance(value, Treatment):
        hint = ": write (arm,) for a single one"
    return f"its `{place}` is {_a(value)}, {needs}{hint}"


def _words(said: str) -> str:
    plain = re.sub(r"`(array|object|null)`", lambda found: f"`{_WORDS[found[1]]}`", said)
    return plain[:1].lower() + plain[1:]


def _require_arms(question: Asking) -> None:
    """Raise TooFewArms where no treatment is named: a mean over none says nothing."""
    for name in ("treatments", "group", "others"):
        if getattr(question, name, None) == ():
            raise TooFewArms(f"`{name}` of {type(question).__name__} names no treatment")


def _a(value: object) -> str:
    noun = type(value).__name__
    return f"{'an' if noun[:1].lower() in 'aeiou' else 'a'} {noun}"
