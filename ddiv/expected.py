"""Claims known not to hold on a study: read from `claims/expected.toml` beside the tests.

An entry makes a contradicted verdict an expected failure and any other verdict a failure, so that a change
is noticed. (The seam for the ledger: a later version keeps since-when and more in the same place.)
"""

from __future__ import annotations

import tomllib
from functools import lru_cache
from pathlib import Path

import msgspec

FILE = Path("claims") / "expected.toml"


class Entry(msgspec.Struct, frozen=True):
    """One known non-reproduction. `variant` is the test's ("classifier", "auto, ood"; "" where it has none)."""

    profile: str
    claim: str
    study: str
    reason: str
    variant: str = ""


class BadLedger(ValueError):
    """The file cannot be read; the message names the file and the fault."""


@lru_cache
def entries(path: Path) -> dict[tuple[str, str, str, str], Entry]:
    """Entries by (profile, claim, study, variant); empty where there is no file. Raises BadLedger."""
    if not path.exists():
        return {}
    try:
        rows = msgspec.convert(tomllib.loads(path.read_text(encoding="utf-8")).get("contradicted", []), list[Entry])
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise BadLedger(f"{path} cannot be read: {error}. Each [[contradicted]] entry needs profile, claim, study "
                        f"and reason, and may have a variant.") from error
    return {(row.profile, row.claim, row.study, row.variant): row for row in rows}


def entry(profile: str, claim: str, study: str, variant: str, path: Path) -> Entry | None:
    """The entry that expects this claim to be contradicted on this study, or None."""
    return entries(path).get((profile, claim, study, variant))
