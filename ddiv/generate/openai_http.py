"""The transport below the `openai` package: whole answers in bounded time and of bounded size.

The package retries what a status of 5xx tells. What comes as a success and is no answer (a proxy's
page, an error in the body) is therefore handed to it as such a status.
"""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

from ddiv.common.errors import TrialFailed
from ddiv.common.printed import one_line
from ddiv.generate.openai_answers import excerpt, verdict

if TYPE_CHECKING:
    import httpx2

LARGEST = 1 << 24  # bytes of an answer; the longest that a model gives are a hundredth of it


UNSENDABLE = (
    "the request cannot be sent as it is: a header (OPENAI_ORG_ID, OPENAI_PROJECT_ID, "
    "OPENAI_CUSTOM_HEADERS) or the address (OPENAI_BASE_URL) holds a character that none may have: "
    "set it anew, or leave it out"
)


class NoAccess(TrialFailed):
    """A server of texts cannot be used: key, address, model, quota. The message says what to do."""


def transport(timeout: float) -> httpx2.AsyncClient:
    """A client that gives up an answer that is not whole after `timeout` seconds.

    httpx2's own timeouts are for the time between two bytes, so a server that sends a byte now and
    then never reaches them.

    Raises NoAccess where the environment names a proxy or certificates that cannot be used.
    """
    import httpx2

    class WholeAnswers(httpx2.AsyncClient):
        async def send(self, request: httpx2.Request, **options: Any) -> httpx2.Response:
            try:
                async with asyncio.timeout(timeout):
                    return await _whole(await super().send(request, **options | {"stream": True}))
            except TimeoutError:
                raise httpx2.ReadTimeout(
                    "the answer was not whole in time", request=request
                ) from None
            except (httpx2.LocalProtocolError, httpx2.UnsupportedProtocol, ValueError):
                # Not with the library's error behind it: that holds the request, and with it the
                # key. So it is raised below.
                pass
            raise NoAccess(UNSENDABLE)

    try:
        return WholeAnswers()
    except Exception as error:  # of a proxy's address, of a certificate, of a package for SOCKS
        raise NoAccess(
            "a proxy or certificates that the environment names cannot be used "
            f"({one_line(error)[:200]}): correct HTTP_PROXY, HTTPS_PROXY, ALL_PROXY, "
            "NO_PROXY, SSL_CERT_FILE or SSL_CERT_DIR"
        ) from None


async def _whole(answer: httpx2.Response) -> httpx2.Response:
    """The answer with its body, or what stands for it where it is none."""
    try:
        text = await _text(answer)
    finally:
        await answer.aclose()
    status, headers = answer.status_code, dict(answer.headers)
    # The body is given whole and unpacked.
    for name in ("content-encoding", "content-length", "transfer-encoding"):
        headers.pop(name, None)
    headers["content-type"] = "application/json; charset=utf-8"
    if text is None:
        status, text = 502, _error(f"more than {LARGEST >> 20} MiB come, or packed many times")
        headers["x-should-retry"] = "false"  # it may have been charged
    elif answer.is_success and (kind := verdict(text)) in ("none", "refused"):
        status = 400 if kind == "refused" else 502
        if kind == "none":
            text = _error(f"with a success that is no chat completion: {excerpt(text)}")
    return type(answer)(status, headers=headers, text=text, request=answer.request)


def _error(message: str) -> str:
    return json.dumps({"error": {"message": message}})


async def _text(answer: httpx2.Response) -> str | None:
    """The body of an answer; None where it is too large or packed more than once."""
    if "," in answer.headers.get("content-encoding", ""):
        return None  # each time that it is packed makes a bomb a thousand times as large
    content = bytearray()
    async for block in answer.aiter_bytes():
        content += block
        if len(content) > LARGEST:
            return None
    # JSON is UTF-8, whatever a server says of it.
    return content.decode("utf-8", "replace")
