"""A client of servers that speak OpenAI's protocol, with many requests at once and with retries.

The `openai` package does the retries: on 429, 5xx, timeouts and broken connections, with
exponential back-off and jitter, and it obeys Retry-After. It is imported where it is needed, since
that takes a second. The key is read from the environment when the first request is sent. Nothing
here holds it, and it is struck out of every answer.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from ddiv.common.printed import one_line
from ddiv.generate.openai_answers import refusal
from ddiv.generate.openai_http import UNSENDABLE, transport
from ddiv.generate.openai_http import NoAccess as NoAccess

if TYPE_CHECKING:
    from openai import AsyncOpenAI

KEY, BASE_URL = "OPENAI_API_KEY", "OPENAI_BASE_URL"

CONCURRENCY, TIMEOUT = "DDIV_OPENAI_CONCURRENCY", "DDIV_OPENAI_TIMEOUT"

OPENAI = "https://api.openai.com/v1"

GRACE_SECONDS = 10.0  # time for requests under way to end when a run is broken off

# Statuses with which servers refuse a prompt: bad request, forbidden, too large, unprocessable.
REFUSING = (400, 403, 413, 422)

# A shorter key is a local server's dummy ("none", "EMPTY"), and texts may hold it as a word.
SECRET_LENGTH = 16

_Body = dict[str, Any]

_Keep = Callable[[int, str], None]


def _base_url() -> str:
    return os.environ.get(BASE_URL, "").strip() or OPENAI


def _number(variable: str, default: float) -> float:
    text = os.environ.get(variable, "").strip() or str(default)
    try:
        return float(text)
    except ValueError:
        raise NoAccess(
            f"{variable} is {text!r}: set it to a number, or leave it out for {default:g}"
        ) from None


def _whole_number(variable: str, default: int) -> int:
    number = _number(variable, default)
    if not number.is_integer():
        raise NoAccess(f"{variable} is {number:g}: set it to a whole number, or leave it out")
    return int(number)


@dataclass(frozen=True)
class Client:
    """How a server is reached. Requests do not depend on it.

    `base_url` is $OPENAI_BASE_URL or OpenAI's own. At most `concurrency` requests
    ($DDIV_OPENAI_CONCURRENCY) are under way in this process. An answer that is not whole after
    `timeout` seconds ($DDIV_OPENAI_TIMEOUT) is given up, and a request is tried up to `retries`
    times more. Raises NoAccess where one of these cannot be used.
    """

    base_url: str = field(default_factory=_base_url)
    concurrency: int = field(default_factory=lambda: _whole_number(CONCURRENCY, 8))
    timeout: float = field(default_factory=lambda: _number(TIMEOUT, 300))
    retries: int = 6

    def __post_init__(self) -> None:
        # The URL goes into logs and records. One that may hold a password is refused and not shown.
        if not _is_address(self.base_url):
            raise NoAccess(
                f"{BASE_URL} must be like http://host:port/v1, without user, password or query; "
                f"the key goes into {KEY}"
            )
        if not 1 <= self.concurrency <= 100 or not self.timeout > 0 or self.retries < 0:
            raise NoAccess(
                f"1 to 100 requests at once ({CONCURRENCY}), a timeout above 0 seconds ({TIMEOUT}) "
                f"and 0 or more retries are needed, got {self.concurrency}, {self.timeout:g} and "
                f"{self.retries}"
            )

    def ask(self, bodies: Sequence[_Body], keep: _Keep, arrived: Callable[[int], None]) -> int:
        """Send these bodies of chat completions.

        As each answer comes, `keep` gets its number and its JSON text, and then `arrived` gets the
        number. The answer to a prompt that the server refuses is its error
        (`openai_answers.refusal`). `arrived` may raise. Then, as on a failure or on Ctrl-C, nothing
        more is sent; requests under way have GRACE_SECONDS to end, and their answers are kept,
        because they are paid for. Returns how many attempts brought no answer; those that ran into
        the timeout may have been charged.

        Raises NoAccess (no key, no connection, refused), and the errors of `keep` and `arrived`.
        """
        return asyncio.run(self._all(bodies, keep, arrived)) if bodies else 0

    async def _all(
        self, bodies: Sequence[_Body], keep: _Keep, arrived: Callable[[int], None]
    ) -> int:
        waiting, retried = iter(enumerate(bodies)), 0
        running: set[asyncio.Task[tuple[int, int]]] = set()
        async with self._api() as api:
            try:
                while True:
                    free = self.concurrency - len(running)
                    running |= {
                        asyncio.create_task(self._one(api, *item, keep))
                        for item in islice(waiting, free)
                    }
                    if not running:
                        return retried
                    done, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
                    failures = [error for task in done if (error := task.exception())]
                    if failures:
                        raise failures[0]
                    for number, retries in (task.result() for task in done):
                        retried += retries
                        arrived(number)
            finally:
                if running:
                    _, late = await asyncio.wait(running, timeout=GRACE_SECONDS)
                    for task in late:
                        task.cancel()
                    await asyncio.gather(*running, return_exceptions=True)

    async def _one(
        self, api: AsyncOpenAI, number: int, body: _Body, keep: _Keep
    ) -> tuple[int, int]:
        """Send one body and keep its answer. Returns its number, and how often it was retried."""
        import openai

        failure, text, retries = None, "", 0
        try:
            response = await api.chat.completions.with_raw_response.create(**body)
            text, retries = response.text, response.retries_taken
        except NoAccess:
            raise
        except openai.APIStatusError as error:
            text = error.response.text
            if error.status_code not in REFUSING or not refusal(text):
                failure = self._explained(error, body["model"])
        except openai.OpenAIError as error:
            failure = self._explained(error, body["model"])
        except Exception as error:
            # Resolvers and encoders raise all sorts of errors on strange addresses and headers.
            failure = NoAccess(f"{UNSENDABLE} ({_message(error)})")
        # Raised here and not above, so that the library's error is not attached to it: that error
        # holds the request, and with it the key.
        if failure is not None:
            raise failure
        keep(number, _without_key(text))
        return number, retries

    def _api(self) -> AsyncOpenAI:
        try:
            import httpx2
            from openai import AsyncOpenAI
        except ImportError as error:
            raise NoAccess(
                f"texts from OpenAI's models need the package openai, 3 or later ({error}): "
                "pip install 'openai>=3'"
            ) from None
        try:
            return AsyncOpenAI(
                api_key=_key(),
                base_url=self.base_url,
                max_retries=self.retries,
                timeout=httpx2.Timeout(self.timeout, connect=min(10, self.timeout)),
                http_client=transport(self.timeout),
            )
        except httpx2.InvalidURL as error:
            cause = _message(error)
        raise NoAccess(f"{self.base_url} is no address ({cause}): correct {BASE_URL}")

    def _explained(self, error: Exception, model: str) -> NoAccess:
        """The error of the openai package as one that says what the user can do."""
        import openai

        tries = f"{self.retries + 1} attempts"
        asked = error.response.headers if isinstance(error, openai.APIStatusError) else {}
        if wait := asked.get("retry-after", "")[:40]:
            # The package waits two minutes at most, and gives up where more is asked for.
            tries = f"{tries} at most, and asks to wait (Retry-After: {wait!r})"
        kept = "What was answered is kept: the next run asks only for the rest."
        match error:
            case openai.AuthenticationError() | openai.PermissionDeniedError():
                # The server's own words are left out, because they may quote the key.
                return NoAccess(
                    f"{self.base_url} refuses the key in {KEY} (HTTP {error.status_code}): set one "
                    f"that is valid there and may use {model}"
                )
            case openai.NotFoundError():
                return NoAccess(
                    f"{self.base_url} has no model {model!r} or no chat completions "
                    f"({_message(error)}): take a model that it has into the study's generator, or "
                    f"correct {BASE_URL}"
                )
            case openai.RateLimitError():
                return NoAccess(
                    f"{self.base_url} refuses more requests for now ({_message(error)}) in "
                    f"{tries}: see to quota and rate limit, or ask less at once with "
                    f"{CONCURRENCY}. {kept}"
                )
            case openai.APITimeoutError():
                return NoAccess(
                    f"{self.base_url} gave no whole answer within {self.timeout:g} s in {tries}: "
                    f"allow more seconds in {TIMEOUT}, or ask less at once with {CONCURRENCY}. "
                    f"{kept}"
                )
            case openai.APIConnectionError():
                cause = _message(error.__cause__ or error)
                return NoAccess(
                    f"{self.base_url} cannot be reached ({cause}) in {tries}: start the server, or "
                    f"correct {BASE_URL}. {kept}"
                )
            case openai.InternalServerError():
                return NoAccess(
                    f"{self.base_url} fails ({_message(error)}) in {tries}: try again later. {kept}"
                )
            case openai.APIStatusError() if error.status_code < 400:
                # Not followed: it would take the key to wherever it leads.
                return NoAccess(
                    f"{self.base_url} answers with a redirection (HTTP {error.status_code}): put "
                    f"the address where it leads into {BASE_URL}, with https and /v1 if it has them"
                )
        return NoAccess(
            f"{self.base_url} does not take the request ({_message(error)}): take a model that "
            "knows structured output (json_schema), or other values of the study's generator and "
            "setting"
        )


def _is_address(url: str) -> bool:
    """Whether this is the address of a server, with nothing in it that may be a secret."""
    try:
        parts = urlsplit(url)
        secret = "@" in parts.netloc or parts.query or parts.fragment
        (parts.hostname or "").encode("idna")
        return (
            parts.scheme in ("http", "https")
            and bool(parts.hostname)
            and parts.port != 0
            and not secret
            and url.isprintable()
            and " " not in url
        )
    except ValueError:  # no such port, brackets that do not close, labels that are too long
        return False


def _key() -> str:
    key = os.environ.get(KEY, "").strip()
    if not key:
        raise NoAccess(
            f"{KEY} is not set: put your key into it (any word will do for a local server without "
            f"keys, named in {BASE_URL})"
        )
    if not (key.isascii() and key.isprintable() and " " not in key):
        raise NoAccess(f"{KEY} holds white space or a character that no key has: set it anew")
    return key


def _without_key(text: str) -> str:
    key = os.environ.get(KEY, "").strip()
    return text.replace(key, "[key]") if len(key) >= SECRET_LENGTH else text


def _message(error: BaseException) -> str:
    """The first 200 characters of an error's message on one line."""
    return _without_key(one_line(error))[:200] or type(error).__name__
