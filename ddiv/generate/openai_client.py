"""Asking a server that speaks OpenAI's protocol: many requests at once, retries, and errors that
say what to do.

The `openai` package does the retries (429, 5xx, timeouts, broken connections; exponential back-off
with jitter, Retry-After obeyed) and is imported where it is needed: that takes a second. The key is
read from the environment when the first request is sent, is held by nothing here, and is struck out
of whatever a server sends back.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import islice
from urllib.parse import urlsplit

from ddiv.errors import TrialFailed

KEY, BASE_URL = "OPENAI_API_KEY", "OPENAI_BASE_URL"
CONCURRENCY, TIMEOUT = "DDIV_OPENAI_CONCURRENCY", "DDIV_OPENAI_TIMEOUT"
OPENAI = "https://api.openai.com/v1"
GRACE_SECONDS = 10.0  # that requests under way have to end in when a run is broken off
# a shorter key is a local server's dummy ("none", "EMPTY") and may be a word of a text
SECRET_LENGTH = 16


class NoAccess(TrialFailed):
    """A server of texts cannot be used (key, address, model, quota); the message says what to do."""


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


@dataclass(frozen=True)
class Client:
    """How a server is reached; no part of what it is asked.

    `base_url` is $OPENAI_BASE_URL or OpenAI's own; at most `concurrency` requests
    ($DDIV_OPENAI_CONCURRENCY) are under way in this process; an answer that is not whole after
    `timeout` seconds ($DDIV_OPENAI_TIMEOUT) is given up, and a request is tried up to `retries`
    times more. Raises NoAccess where one of these cannot be used.
    """

    base_url: str = field(default_factory=_base_url)
    concurrency: int = field(default_factory=lambda: int(_number(CONCURRENCY, 8)))
    timeout: float = field(default_factory=lambda: _number(TIMEOUT, 300))
    retries: int = 6

    def __post_init__(self):
        # A URL may hold a password, and goes into logs and records: such a one is refused, and not
        # shown.
        parts = urlsplit(self.base_url)
        secret = "@" in parts.netloc or parts.query or parts.fragment
        if parts.scheme not in ("http", "https") or not parts.hostname or secret:
            raise NoAccess(
                f"{BASE_URL} must be like http://host:port/v1, without user, password or query; the key goes "
                f"into {KEY}"
            )
        if not 1 <= self.concurrency <= 100 or not self.timeout > 0 or self.retries < 0:
            raise NoAccess(
                f"1 to 100 requests at once ({CONCURRENCY}), a timeout above 0 seconds ({TIMEOUT}) and 0 or more "
                f"retries are needed, got {self.concurrency}, {self.timeout:g} and {self.retries}"
            )

    def ask(
        self,
        bodies: Sequence[dict],
        keep: Callable[[int, str], None],
        arrived: Callable[[int], None],
    ) -> int:
        """Send these bodies of chat completions; `keep` gets the number and the answer (JSON text)
        of each as it comes.

        `arrived` is told the number too, once the answer is kept, and may raise: then, as on a
        failure or on Ctrl-C, nothing more is sent, and what is under way has GRACE_SECONDS to end
        and is kept, for it is paid for. Returns how many attempts brought no answer; those that ran
        into the timeout may have been charged all the same.

        Raises NoAccess (no key, no connection, refused), and what `keep` and `arrived` raise.
        """
        return asyncio.run(self._all(bodies, keep, arrived)) if bodies else 0

    async def _all(self, bodies: Sequence[dict], keep: Callable, arrived: Callable) -> int:
        waiting, running, retried = iter(enumerate(bodies)), set(), 0
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
                    failures = [task.exception() for task in done if task.exception()]
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

    async def _one(self, api, number: int, body: dict, keep: Callable) -> tuple[int, int]:
        from openai import OpenAIError

        failure = None
        try:
            response = await api.chat.completions.with_raw_response.create(**body)
        except OpenAIError as error:
            failure = self._explained(error, body["model"])
        # Raised out here so that the library's error, which holds the request and so the key, is
        # not part of it.
        if failure is not None:
            raise failure
        keep(number, _without_key(response.text))
        return number, response.retries_taken

    def _api(self):
        try:
            import httpx2
            from openai import AsyncOpenAI
        except ImportError as error:
            raise NoAccess(
                f"texts from OpenAI's models need the package openai, 3 or later ({error}): "
                "pip install 'ddiv[openai]'"
            ) from None

        class WholeAnswers(httpx2.AsyncClient):
            """The timeouts of httpx2 are between two bytes, so a server that trickles would never
            reach them.
            """

            async def send(own, request, **options):
                try:
                    async with asyncio.timeout(self.timeout):
                        return await super().send(request, **options)
                except TimeoutError:
                    raise httpx2.ReadTimeout(
                        "the answer was not whole in time", request=request
                    ) from None

        return AsyncOpenAI(
            api_key=_key(),
            base_url=self.base_url,
            max_retries=self.retries,
            timeout=httpx2.Timeout(self.timeout, connect=min(10, self.timeout)),
            http_client=WholeAnswers(),
        )

    def _explained(self, error: Exception, model: str) -> NoAccess:
        """What a user can do about an error of the openai package."""
        import openai

        tries = f"{self.retries + 1} attempts"
        kept = "What was answered is kept: the next run asks only for the rest."
        match error:
            case openai.AuthenticationError() | openai.PermissionDeniedError():
                # The server's own words are left out: they may quote the key.
                return NoAccess(
                    f"{self.base_url} refuses the key in {KEY} (HTTP {error.status_code}): set one that is "
                    f"valid there and may use {model}"
                )
            case openai.NotFoundError():
                return NoAccess(
                    f"{self.base_url} has no model {model!r} or no chat completions ({_said(error)}): take a "
                    f"model that it has into the study's generator, or correct {BASE_URL}"
                )
            case openai.RateLimitError():
                return NoAccess(
                    f"{self.base_url} refuses more requests for now ({_said(error)}) in {tries}: see to quota "
                    f"and rate limit, or ask less at once with {CONCURRENCY}. {kept}"
                )
            case openai.APITimeoutError():
                return NoAccess(
                    f"{self.base_url} gave no whole answer within {self.timeout:g} s in {tries}: allow more "
                    f"seconds in {TIMEOUT}, or ask less at once with {CONCURRENCY}. {kept}"
                )
            case openai.APIConnectionError():
                return NoAccess(
                    f"{self.base_url} cannot be reached ({_said(error.__cause__ or error)}) in {tries}: start "
                    f"the server, or correct {BASE_URL}. {kept}"
                )
            case openai.InternalServerError():
                return NoAccess(
                    f"{self.base_url} fails ({_said(error)}) in {tries}: try again later. {kept}"
                )
        return NoAccess(
            f"{self.base_url} does not take the request ({_said(error)}): take a model that knows structured "
            "output (json_schema), or other values of the study's generator and setting"
        )


def _key() -> str:
    key = os.environ.get(KEY, "").strip()
    if not key:
        raise NoAccess(
            f"{KEY} is not set: put your key into it (any word will do for a local server without keys, named in "
            f"{BASE_URL})"
        )
    if not (key.isascii() and key.isprintable() and " " not in key):
        raise NoAccess(f"{KEY} holds white space or a character that no key has: set it anew")
    return key


def _without_key(text: str) -> str:
    key = os.environ.get(KEY, "").strip()
    return text.replace(key, "[key]") if len(key) >= SECRET_LENGTH else text


def _said(error: BaseException) -> str:
    """The first 200 characters of an error's message on one line."""
    return _without_key(" ".join(str(error).split()))[:200] or type(error).__name__
