"""Whether what the body of a claim returned can be asked, before anything is trained for it."""

from __future__ import annotations

import inspect
import re
from difflib import get_close_matches
from typing import get_args

import msgspec

from ddiv.claim.bench import TooFewArms
from ddiv.claim.fields import BadQuestion as BadQuestion
from ddiv.claim.fields import a
from ddiv.claim.needed import Question
from ddiv.claim.question import Asking
from ddiv.outcome.own import Maker

# JSON's words for what Python has.
_WORDS = {"array": "tuple", "object": "dict", "null": "None or NaN"}

# What JSON calls an object where it is a part of a question: a treatment, or else an outcome.
_OF_OURS = ("expected a Treatment", 'expected an outcome, such as Spectral("alpha")')


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
            f"its body returns {a(returned)}, and a claim returns a question (from ddiv.claim: "
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
    if said.startswith("Invalid enum value"):
        return f"`{place}`: {_words(said)}{_meant(said, place, question)}"
    wanted, _, got = said.partition(", got ")
    needs = _OF_OURS["outcome" in place] if wanted == "Expected `object`" else _words(wanted)
    value = getattr(question, place, None)  # None where the place is within a field
    if value is None:
        return f"`{place}`: {needs}" + (f", got {_words(got)}" if got else "")
    return f"its `{place}` is {a(value)}, {needs}"


def _meant(said: str, place: str, question: Question) -> str:
    """The word that was meant, and those that there are."""
    known: tuple[object, ...] = ()
    holder: object = question
    for step in re.findall(r"\w+", place):
        if isinstance(holder, tuple | list):
            holder = holder[int(step)] if step.isdigit() else None
        elif isinstance(holder, msgspec.Struct):
            known = _words_of(type(holder), step)
            holder = getattr(holder, step, None)
    similar = get_close_matches(said.partition("'")[2].rstrip("'"), map(str, known), n=1)
    meant = f", did you mean {similar[0]!r}?" if similar else ""
    return meant + (f" (there are: {', '.join(map(str, known))})" if known else "")


def _words_of(kind: type[msgspec.Struct], name: str) -> tuple[object, ...]:
    """The words that a field holds one or some of."""
    described = msgspec.inspect.type_info(kind)
    assert isinstance(described, msgspec.inspect.StructType)
    held = next((field.type for field in described.fields if field.name == name), None)
    if isinstance(held, msgspec.inspect.VarTupleType):
        held = held.item_type
    return held.values if isinstance(held, msgspec.inspect.LiteralType) else ()


def _words(said: str) -> str:
    plain = re.sub(r"`(array|object|null)`", lambda found: f"`{_WORDS[found[1]]}`", said)
    return plain[:1].lower() + plain[1:]


def _require_arms(question: Asking) -> None:
    """Raise TooFewArms where no treatment is named: a mean over none says nothing."""
    for name in ("treatments", "group", "others"):
        if getattr(question, name, None) == ():
            raise TooFewArms(f"`{name}` of {type(question).__name__} names no treatment")
