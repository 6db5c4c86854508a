"""The ledger of known non-reproductions: `claims/ledger.toml`, read by people and by the plugin.

An entry names a claim that is known not to come out supported on a study, with the verdict to
expect, the date since when, and the reason that we see. A claim that comes out as expected is an
expected failure. If it comes out supported, or a claim without an entry contradicted, that is a
surprise, and fails the run where it is sure (`ddiv.finding.surprise`).
"""

from __future__ import annotations

import datetime
import json
import tomllib
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Literal

import msgspec

from ddiv.common.errors import cause
from ddiv.common.files import contents
from ddiv.common.printed import is_shown

# profile, claim, study, variant
Place = tuple[str, str, str, str]

FILE = Path("claims") / "ledger.toml"

# Raise this when a ledger comes to say what a reader of today would misunderstand; the file then
# says so in a line `format = 2` before the first entry.
FORMAT = 1


class Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One known non-reproduction.

    `variant` is the test's ("classifier", "auto, ood"; "" where it has none).
    """

    profile: str
    claim: str
    study: str
    verdict: Literal["contradicted", "inconclusive"]
    since: datetime.date
    reason: str
    variant: str = ""

    @property
    def place(self) -> Place:
        return self.profile, self.claim, self.study, self.variant


class _File(msgspec.Struct, forbid_unknown_fields=True):
    format: int = 1
    entry: list[Entry] = []


class BadLedger(ValueError):
    """The file cannot be read; the message names the file and the fault."""


def at_hand() -> Path:
    """The ledger of the project that one stands in, or else of the claims installed with ddiv."""
    installed = Path(__file__).parents[1] / FILE
    return installed if installed.exists() and not FILE.exists() else FILE


@lru_cache
def entries(path: Path) -> dict[Place, Entry]:
    """Entries by (profile, claim, study, variant); empty where there is no file.

    Raises BadLedger.
    """
    if not path.exists():
        return {}
    try:
        content = tomllib.loads(contents(path).decode("utf-8"))
        if (made := content.get("format", 1)) != FORMAT:
            raise BadLedger(
                f"{path} is of format {made}, and this ddiv reads format {FORMAT}: a newer one "
                "wrote it, so update ddiv"
            )
        rows = msgspec.convert(content, _File).entry
    except BadLedger:
        raise
    except OSError as error:
        raise BadLedger(f"{path} cannot be read: {cause(error)}") from error
    except (ValueError, RecursionError) as error:  # no TOML, other fields, no UTF-8, too deep
        raise BadLedger(
            f"{path} cannot be read: {error}. Each [[entry]] needs profile, claim, study, verdict "
            "(contradicted or inconclusive), since (a date) and reason, and may have a variant. "
            "If a newer ddiv wrote the file, update ddiv."
        ) from error
    known: dict[Place, Entry] = {}
    for row in rows:
        if not row.reason.strip():
            raise BadLedger(
                f"{path}: the entry of {row.claim} on {row.study} gives no reason. Say why it does "
                "not reproduce."
            )
        if row.place in known:
            raise BadLedger(
                f"{path}: there are two entries of {row.claim} on {row.study} "
                f"({row.variant or 'no variant'})."
            )
        known[row.place] = row
    return known


def entry(profile: str, claim: str, study: str, variant: str, path: Path) -> Entry | None:
    """What the ledger expects of this claim on this study, or None."""
    return entries(path).get((profile, claim, study, variant))


def speaks_of(profile: str, path: Path) -> bool:
    """Whether the ledger has entries of a profile, so that what it does not list is a surprise."""
    return any(place[0] == profile for place in entries(path))


def as_toml(row: Entry) -> str:
    """An entry as it stands in the file."""
    names = {
        "profile": row.profile,
        "claim": row.claim,
        "study": row.study,
        "variant": row.variant,
        "verdict": row.verdict,
    }
    lines = [f"{name} = {_quoted(value)}" for name, value in names.items() if value]
    end = f"since = {row.since}", f"reason = {_quoted(row.reason)}", ""
    return "\n".join(["[[entry]]", *lines, *end])


def _quoted(text: str) -> str:
    """JSON strings are TOML strings; what a terminal would obey is escaped in them too."""
    written = json.dumps(text, ensure_ascii=False)
    return "".join(c if is_shown(c) else f"\\U{ord(c):08x}" for c in written)


def proposals(
    answered: Mapping[Place, str], known: Mapping[Place, Entry], reason: str, today: datetime.date
) -> tuple[list[Entry], list[tuple[Entry, str]]]:
    """The changes that verdicts by place call for: new entries of contradicted claims, and entries
    whose verdict is now another.
    """
    new = [
        Entry(profile, claim, study, "contradicted", today, reason, variant)
        for (profile, claim, study, variant), verdict in answered.items()
        if verdict == "contradicted" and (profile, claim, study, variant) not in known
    ]
    changed = [
        (known[place], verdict)
        for place, verdict in answered.items()
        if place in known and known[place].verdict != verdict
    ]
    return new, changed
