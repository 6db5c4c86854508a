"""Answers that were paid for, on disk, so that no request is paid for twice."""

from __future__ import annotations

import hashlib
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from ddiv.common.errors import TrialFailed
from ddiv.common.files import cache_folder, write_atomically


def default_folder() -> Path:
    """$DDIV_TEXTS, or ddiv/texts in the user's cache folder."""
    return cache_folder("DDIV_TEXTS", "texts")


class _Kept(msgspec.Struct):
    request: dict[str, Any]
    answer: str


@dataclass(frozen=True)
class AnswerCache:
    """JSON files, each with a request and its answer; a file is whole or absent.

    A file's name is the SHA-256 of the server's address and the request's body. The address is part
    of it because a local server may give its model any name, and its answers must never pass for
    another server's.
    """

    folder: Path

    def path(self, base_url: str, body: dict[str, Any]) -> Path:
        """The file of the answer to this body from this server."""
        digest = hashlib.sha256(msgspec.json.encode((base_url, body), order="sorted")).hexdigest()
        return self.folder / digest[:2] / f"{digest}.json"

    def get(self, path: Path) -> str | None:
        """The server's answer as it came, or None where there is none that can be read."""
        try:
            return msgspec.json.decode(path.read_bytes(), type=_Kept).answer
        except (OSError, msgspec.DecodeError):
            # The file is absent or damaged, so the answer is asked for again.
            return None

    def put(self, path: Path, body: dict[str, Any], answer: str) -> None:
        """Keep an answer. Raises TrialFailed where the folder cannot be written."""
        try:
            write_atomically(path, msgspec.json.encode(_Kept(body, answer)))
        except OSError as error:
            raise self._unwritable(error) from error

    def check_writable(self) -> None:
        """Raise TrialFailed where the folder cannot be written, before anything is paid for."""
        probe = self.folder / f"probe.{uuid.uuid4().hex[:8]}"
        try:
            write_atomically(probe, b"x")
            probe.unlink()
        except OSError as error:
            raise self._unwritable(error) from error

    def _unwritable(self, error: OSError) -> TrialFailed:
        return TrialFailed(
            f"the folder of paid answers {self.folder} cannot be written: "
            f"{error.strerror or error}. Free some space, or name another folder in DDIV_TEXTS"
        )
