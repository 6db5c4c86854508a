"""Answers that were paid for, on disk, so that no request is paid for twice."""

from __future__ import annotations

import hashlib
import uuid
from dataclasses import dataclass
from pathlib import Path

import msgspec

from ddiv.errors import TrialFailed
from ddiv.store import cache_folder, write_atomically


def default_folder() -> Path:
    """$DDIV_TEXTS, or ddiv/texts in the user's cache folder."""
    return cache_folder("DDIV_TEXTS", "texts")


class _Kept(msgspec.Struct):
    request: dict
    answer: str


@dataclass(frozen=True)
class AnswerCache:
    """JSON files by the SHA-256 of a server's address and a request's body, each with request and
    answer; whole or absent.

    The address is in the name because a local server may call its model as it likes: what it wrote
    must never pass for another's.
    """

    folder: Path

    def path(self, base_url: str, body: dict) -> Path:
        """The file of the answer to this body from this server."""
        digest = hashlib.sha256(msgspec.json.encode((base_url, body), order="sorted")).hexdigest()
        return self.folder / digest[:2] / f"{digest}.json"

    def get(self, path: Path) -> str | None:
        """The server's answer as it came, or None where there is none that can be read."""
        try:
            return msgspec.json.decode(path.read_bytes(), type=_Kept).answer
        except (OSError, msgspec.DecodeError):
            # absent, or torn by a dying disk: it is asked for anew
            return None

    def put(self, path: Path, body: dict, answer: str) -> None:
        """Keep an answer. Raises TrialFailed where the folder cannot be written."""
        try:
            write_atomically(path, msgspec.json.encode(_Kept(body, answer)))
        except OSError as error:
            raise self._unwritable(error) from error

    def check_writable(self) -> None:
        """Raise TrialFailed before anything is paid for, rather than with the first answer in hand."""
        probe = self.folder / f"probe.{uuid.uuid4().hex[:8]}"
        try:
            write_atomically(probe, b"x")
            probe.unlink()
        except OSError as error:
            raise self._unwritable(error) from error

    def _unwritable(self, error: OSError) -> TrialFailed:
        return TrialFailed(
            f"the folder of paid answers {self.folder} cannot be written: {error.strerror or error}. Free "
            "some space, or name another folder in DDIV_TEXTS"
        )
