"""Answers that were paid for, on disk, so that no request is paid for twice."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from ddiv.common.drafts import draft_of, sweep
from ddiv.common.errors import TrialFailed
from ddiv.common.files import contents, write_atomically
from ddiv.common.paths import cache_folder
from ddiv.generate.openai_answers import verdict


def default_folder() -> Path:
    """$DDIV_TEXTS, or ddiv/texts in the user's cache folder. Raises NoHome without either."""
    return cache_folder("DDIV_TEXTS", "texts", lasting=True)


# A field of another name is one whose name was damaged: without its sum an answer would pass.
class _Kept(msgspec.Struct, forbid_unknown_fields=True):
    request: dict[str, Any]
    answer: str
    sum: str = ""  # SHA-256 of the answer; earlier versions wrote none


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

    def get(self, path: Path, body: dict[str, Any]) -> str | None:
        """The server's answer to this body as it came, or None where there is none that can be
        used.
        """
        try:
            kept = msgspec.json.decode(contents(path), type=_Kept)
        except (OSError, ValueError, RecursionError):
            # The file is absent or damaged, so the answer is asked for again.
            return None
        # A disk may give another file's contents: whole, and the answer to something else.
        asked = msgspec.json.encode(kept.request, order="sorted")
        if asked != msgspec.json.encode(body, order="sorted"):
            return None
        whole = not kept.sum or kept.sum == _sum(kept.answer)
        return kept.answer if whole and _is_worth_keeping(kept.answer) else None

    def put(self, path: Path, body: dict[str, Any], answer: str) -> None:
        """Keep an answer, unless there is nothing in it: then the next run asks again.

        Raises TrialFailed where the folder cannot be written.
        """
        if not _is_worth_keeping(answer):
            return
        try:
            write_atomically(path, msgspec.json.encode(_Kept(body, answer, _sum(answer))))
        except OSError as error:
            raise self._unwritable(error) from error

    def forget(self, path: Path) -> None:
        """Delete an answer, where it is kept."""
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise self._unwritable(error) from error

    def check_writable(self) -> None:
        """Raise TrialFailed where the folder cannot be written, before anything is paid for."""
        sweep(self.folder, *self.folder.glob("*/"))
        probe = draft_of(self.folder / "probe")
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


def _sum(answer: str) -> str:
    return hashlib.sha256(answer.encode()).hexdigest()


def _is_worth_keeping(answer: str) -> bool:
    """Whether this is an answer that was paid for, or a server's refusal of the prompt."""
    return verdict(answer) in ("answer", "refused")
