"""What a server sent: a chat model's answer, a prompt that it refuses, or neither.

Gateways, filters and local servers keep to the protocol more or less. Only what is needed is looked
at, so that an answer that was paid for is never lost for something beside its text.
"""

from __future__ import annotations

import json
import re
from typing import Any, Literal, NamedTuple

from ddiv.common.printed import one_line

# Codes and types of errors by which a server refuses one prompt, in small letters without other
# signs. Another prompt may pass.
REFUSALS = (
    "contentfilter",
    "contentpolicyviolation",
    "contextlengthexceeded",
    "contextwindowexceeded",
    "exceedcontextsize",
    "invalidprompt",
    "moderationblocked",
    "responsibleaipolicyviolation",
    "stringabovemaxlength",
)

# Some servers give no such code, only words.
_IN_WORDS = re.compile(
    r"\bcontext (length|window|size)|(input|prompt|request) was flagged", re.IGNORECASE
)

_EXCERPT = 200  # characters of what is no answer, for an error

Verdict = Literal["answer", "refused", "empty", "none"]


class Completion(NamedTuple):
    """The parts of a chat completion that are looked at. `tokens` are None where untold.

    `tokens` are those of prompt and answer, `ended` is the reason why the answer ends.
    """

    content: str
    refusal: bool
    ended: str
    model: str
    tokens: tuple[int, int] | None


def verdict(text: str) -> Verdict:
    """What a server sent.

    "answer": a completion with a text, or with the reason why there is none, which was paid for.
    "refused": an error that means this one prompt. "empty": a completion without anything in it.
    "none": no completion, but an error, a proxy's page or anything else.
    """
    body = _decoded(text)
    if refusal(text):
        return "refused"
    if not isinstance(body, dict) or not isinstance(body.get("choices"), list):
        return "none"
    found = completion(text)
    if found is None or found.ended == "error":
        return "empty"
    told = found.content or found.refusal or found.ended in ("length", "content_filter")
    return "answer" if told else "empty"


def completion(text: str) -> Completion | None:
    """The first choice of a chat completion; None where there is none."""
    body = _decoded(text)
    body = body if isinstance(body, dict) else {}
    choices = body.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices else None
    message = choice.get("message") if isinstance(choice, dict) else None
    if not isinstance(choice, dict) or not isinstance(message, dict):
        return None
    usage = body.get("usage")
    counts = [
        _count(usage.get(name)) if isinstance(usage, dict) else None
        for name in ("prompt_tokens", "completion_tokens")
    ]
    prompt, answer = counts
    return Completion(
        _content(message.get("content")),
        bool(message.get("refusal")),
        _text(choice.get("finish_reason")),
        _text(body.get("model")),
        None if prompt is None or answer is None else (prompt, answer),
    )


def refusal(text: str) -> str:
    """What a server says against one prompt; "" where this is no error, or one of another kind."""
    body = _decoded(text)
    if not isinstance(body, dict) or body.get("choices"):
        return ""
    error = body.get("error", body)
    if not isinstance(error, dict):
        error = {"message": error}
    inner = error.get("innererror")
    codes = [error.get("code"), error.get("type"), isinstance(inner, dict) and inner.get("code")]
    squashed = [re.sub("[^a-z]", "", _text(code).lower()) for code in codes]
    named = [known for known in REFUSALS if any(known in code for code in squashed)]
    message = one_line(_text(error.get("message")))
    if named or _IN_WORDS.search(message):
        return (message or named[0])[:_EXCERPT]
    return ""


def excerpt(text: str) -> str:
    """The beginning of what is no answer, for an error: an error's message where there is one."""
    body = _decoded(text)
    error = body.get("error") if isinstance(body, dict) else None
    message = error.get("message") if isinstance(error, dict) else error
    shown = one_line(_text(message) or text[: 10 * _EXCERPT]).strip()
    return shown[:_EXCERPT] or "an empty body"


def _decoded(text: str) -> Any:
    try:
        return json.loads(text.removeprefix("\ufeff"))
    except (ValueError, RecursionError):
        return None


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _content(value: object) -> str:
    """The text of a message, which some servers cut into parts."""
    if isinstance(value, list):
        return "".join(_text(part.get("text")) for part in value if isinstance(part, dict))
    return _text(value)


def _count(value: object) -> int | None:
    """A number of tokens; None where it is none. Some servers write it as a float or as text."""
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            return None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return int(value) if 0 <= value < 1e12 else None
