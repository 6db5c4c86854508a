"""Requests to a chat model for new texts of a class, and the reading of its answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import msgspec
import numpy as np

from ddiv.common.draws import stream
from ddiv.generate.openai_answers import completion, refusal
from ddiv.generate.openai_cost import CHARACTERS_PER_TOKEN
from ddiv.treatment import OpenAI, Setting

# v2 does not print its prompts; these are ours. {count} and {shown} are filled in.
TASKS = {
    "additional": (
        "Write {count} additional, new texts of this category. Each tells of another case: let "
        "them differ from the examples and from one another in what happened, in whom it concerns, "
        "amounts, dates, wording, tone and length."
    ),
    "variations": (
        "Write {count} variations of the examples, taking the {shown} examples in turn. Each keeps "
        "what its example reports and its tone, and says it in other words, with other names, "
        "amounts and dates."
    ),
}

_INSTRUCTION = (
    "You write realistic texts of one kind: {kind}. They train a classifier of texts into the "
    "categories {categories}. You give each text with the category of this list that it fits best."
)

_DEMAND = (
    "Real examples of the category {category}, as a JSON list ({cut} marks where one was cut):\n"
    "{examples}\n\n{task} Keep to the language, the format and the degree of care of the examples. "
    "Write whole texts of at most {words} words, without titles, numbers or remarks."
)

CUT = " [...]"

ITEM_TOKENS = 24  # JSON's punctuation and the category beside a text, in an answer


@dataclass(frozen=True)
class Request:
    """One request: the number of the class, the number of texts, and the body as it is sent."""

    label: int
    count: int
    body: dict[str, Any]


class Reading(NamedTuple):
    """An answer to a request.

    `kind` is "usable" where there was a list of texts to read. `texts` are the texts of the class
    asked for, `misclassed` is the number of those of another class. `tokens` are those of prompt
    and answer, None where the server does not tell.
    """

    kind: Literal["usable", "refused", "truncated", "malformed"]
    texts: tuple[str, ...] = ()
    misclassed: int = 0
    tokens: tuple[int, int] | None = None
    model: str = ""


def request(
    spec: OpenAI,
    setting: Setting,
    classes: Sequence[str],
    label: int,
    own: Sequence[str],
    draw: int,
    count: int,
    seed: int,
) -> Request:
    """The `draw`-th request for texts of a class; it asks for `count` texts.

    `own` are the real training texts of the class. The request follows from the arguments alone:
    neither other classes nor the order of answers matter. Examples are taken from the class's texts
    in a random order, and each is shown once before any is shown again.
    """
    name = classes[label]
    shown = [
        _shortened(text, spec.max_tokens * CHARACTERS_PER_TOKEN)
        for text in _examples(own, spec.examples, draw, stream(seed, f"openai/{name}"))
    ]
    words = spec.max_tokens * 2 // 3  # a token is about 3/4 of an English word
    demand = _DEMAND.format(
        category=_json(name),
        cut=CUT.strip(),
        examples=_json(shown),
        task=TASKS[setting.variant].format(count=count, shown=len(shown)),
        words=words,
    )
    instruction = _INSTRUCTION.format(kind=spec.kind, categories=_json(list(classes)))
    body: dict[str, Any] = {
        "model": spec.model,
        "messages": [
            {"role": "system", "content": instruction},
            {"role": "user", "content": demand},
        ],
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "texts", "strict": True, "schema": _schema(classes)},
        },
        "temperature": setting.temperature,
        "max_completion_tokens": count * (spec.max_tokens + ITEM_TOKENS + _tokens(name)),
        # Another draw must be another request, or the cache would give the same answer.
        "seed": stream(seed, f"openai/{name}/{draw}") % 2**31,
    }
    if spec.reasoning_effort is not None:
        body["reasoning_effort"] = spec.reasoning_effort
    return Request(label, count, body)


def read(answer: str, asked: Request, classes: Sequence[str]) -> Reading:
    """Read a server's answer to the request `asked`: a chat completion, or a refusal."""
    if refusal(answer):
        return Reading("refused", tokens=(0, 0))
    found = completion(answer)
    if found is None:
        return Reading("malformed")
    reading = Reading("usable", tokens=found.tokens, model=found.model)
    if found.refusal or found.ended == "content_filter":
        return reading._replace(kind="refused")
    if found.ended == "length":
        return reading._replace(kind="truncated")
    try:
        content = msgspec.json.decode(found.content, type=_Content)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return reading._replace(kind="malformed")
    items = content.texts[: asked.count]
    if any(item.category not in classes for item in items):
        return reading._replace(kind="malformed")
    texts = tuple(item.text.strip() for item in items if item.category == classes[asked.label])
    return reading._replace(texts=texts, misclassed=len(items) - len(texts))


class _Item(msgspec.Struct):
    text: str
    category: str


class _Content(msgspec.Struct):
    texts: list[_Item]


def _schema(classes: Sequence[str]) -> dict[str, Any]:
    item = {
        "type": "object",
        "additionalProperties": False,
        "required": ["text", "category"],
        "properties": {
            "text": {"type": "string"},
            "category": {"type": "string", "enum": list(classes)},
        },
    }
    return {
        "type": "object",
        "additionalProperties": False,
        "required": ["texts"],
        "properties": {"texts": {"type": "array", "items": item}},
    }


def _examples(own: Sequence[str], count: int, draw: int, seed: int) -> list[str]:
    """The examples of the `draw`-th request: each pass shows all texts, in an order of its own."""
    number, window = divmod(draw, max(1, len(own) // count))
    order = np.random.default_rng((seed, number)).permutation(len(own))
    return [own[place] for place in order[window * count : (window + 1) * count]]


def _shortened(text: str, characters: int) -> str:
    if len(text) <= characters:
        return text
    return text[:characters].rsplit(maxsplit=1)[0] + CUT


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()


def _tokens(text: str) -> int:
    return -(-len(text) // CHARACTERS_PER_TOKEN)
