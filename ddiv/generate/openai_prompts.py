"""What a chat model is asked for new texts of a class, and what its answers say."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import msgspec
import numpy as np

from ddiv.draws import stream
from ddiv.generate.openai_cost import CHARACTERS_PER_TOKEN
from ddiv.source import OpenAI, Setting

# v2 does not print its prompts; these are ours. {count}, {kind}, {words} and {shown} are filled in.
TASKS = {
    "additional": "Write {count} additional, new texts of this category. Each tells of another case: let them differ from "
    "the examples and from one another in what happened, in whom it concerns, amounts, dates, wording, tone "
    "and length.",
    "variations": "Write {count} variations of the examples, taking the {shown} examples in turn. Each keeps what its "
    "example reports and its tone, and says it in other words, with other names, amounts and dates.",
}
CUT = " [...]"
ITEM_TOKENS = 24  # JSON's punctuation and the category beside a text, in an answer


class Request(NamedTuple):
    """One request: the class (a number) and how many texts it asks for, and its body as it is sent."""

    label: int
    count: int
    body: dict


class Reading(NamedTuple):
    """An answer: its texts that have the class asked for, how many had another one, and the tokens
    it cost.

    `kind` is "usable" wherever there was a list of texts to read. `tokens` is None where the server
    does not tell.
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
    """The `draw`-th request for texts of a class, whose real training texts are `own`; asks for
    `count` texts.

    All of it follows from the arguments: neither other classes nor the order of answers matter.
    Examples are taken from the class's texts in a random order, so that every one has been shown
    before any is shown again.
    """
    name = classes[label]
    shown = [
        _shortened(text, spec.max_tokens * CHARACTERS_PER_TOKEN)
        for text in _examples(own, spec.examples, draw, stream(seed, f"openai/{name}"))
    ]
    words = spec.max_tokens * 2 // 3  # a token is about 3/4 of an English word
    task = TASKS[setting.variant].format(count=count, shown=len(shown))
    body = {
        "model": spec.model,
        "messages": [
            {
                "role": "system",
                "content": f"You write realistic texts of one kind: {spec.kind}. They train a classifier of texts into the categories "
                f"{_json(list(classes))}. You give each text with the category of this list that it fits best.",
            },
            {
                "role": "user",
                "content": f"Real examples of the category {_json(name)}, as a JSON list ({CUT.strip()} marks where one was cut):\n"
                f"{_json(shown)}\n\n{task} Keep to the language, the format and the degree of care of the examples. Write "
                f"whole texts of at most {words} words, without titles, numbers or remarks.",
            },
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
    """What a server's answer (the body of a chat completion) holds for the request that it answers."""
    try:
        completion = msgspec.json.decode(answer, type=_Completion)
        choice = completion.choices[0]
    except (msgspec.DecodeError, IndexError):
        return Reading("malformed")
    usage = completion.usage
    told = {
        "tokens": usage and (usage.prompt_tokens, usage.completion_tokens),
        "model": completion.model or "",
    }
    if choice.message.refusal or choice.finish_reason == "content_filter":
        return Reading("refused", **told)
    if choice.finish_reason == "length":
        return Reading("truncated", **told)
    try:
        items = msgspec.json.decode(choice.message.content or "", type=_Content).texts[
            : asked.count
        ]
    except msgspec.DecodeError:
        return Reading("malformed", **told)
    if any(item.category not in classes for item in items):
        return Reading("malformed", **told)
    fitting = tuple(item.text.strip() for item in items if item.category == classes[asked.label])
    return Reading("usable", fitting, len(items) - len(fitting), **told)


class _Usage(msgspec.Struct):
    prompt_tokens: int = 0
    completion_tokens: int = 0


class _Message(msgspec.Struct):
    content: str | None = None
    refusal: str | None = None


class _Choice(msgspec.Struct):
    message: _Message
    finish_reason: str | None = None


class _Completion(msgspec.Struct):
    choices: list[_Choice]
    usage: _Usage | None = None
    model: str | None = None


class _Item(msgspec.Struct):
    text: str
    category: str


class _Content(msgspec.Struct):
    texts: list[_Item]


def _schema(classes: Sequence[str]) -> dict:
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
    passed, window = divmod(draw, max(1, len(own) // count))
    order = np.random.default_rng((seed, passed)).permutation(len(own))
    return [own[place] for place in order[window * count : (window + 1) * count]]


def _shortened(text: str, characters: int) -> str:
    if len(text) <= characters:
        return text
    return text[:characters].rsplit(maxsplit=1)[0] + CUT


def _json(value) -> str:
    return msgspec.json.encode(value).decode()


def _tokens(text: str) -> int:
    return -(-len(text) // CHARACTERS_PER_TOKEN)
