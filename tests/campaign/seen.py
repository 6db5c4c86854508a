"""A store and a page as they are seen from outside: by their files' names and bytes."""

from __future__ import annotations

import html
import json
import re
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tests.support.parsed_page import opened

VERDICTS = ("supported", "contradicted", "inconclusive")

# Sure to be on the disk: `done` was seen this long before the fault, so its writer had gone on.
SETTLED = 0.3


def finished(store: Path) -> dict[str, tuple[int, int]]:
    """The finished records: key -> what changes when one is written again."""
    found = {}
    for mark in store.glob("trials/*/done"):
        with suppress(OSError):
            status = mark.stat()
            found[mark.parent.name] = (status.st_ino, status.st_mtime_ns)
    return found


def settled(store: Path) -> dict[str, tuple[int, int]]:
    """The records that had been finished for a moment."""
    now = time.time_ns()
    return {
        key: stamp
        for key, stamp in finished(store).items()
        if now - (store / "trials" / key / "done").stat().st_ctime_ns > SETTLED * 1e9
    }


def trained(store: Path) -> Counter[str]:
    """How often each key stands in the journals of the store's runs."""
    keys: Counter[str] = Counter()
    for path in store.glob("runs/*/journal.jsonl"):
        for line in path.read_bytes().split(b"\n"):
            if found := re.search(rb'"key":\s*"([0-9a-f]+)"', line):
                keys[found[1].decode()] += 1
    return keys


@dataclass(frozen=True)
class Page:
    """What a report says: the rows of its table of findings, and the numbers of its plots."""

    rows: dict[str, str]  # finding -> "verdict | effect | interval | seeds | ..."
    plots: str

    def verdict(self, finding: str) -> str:
        return next((word for word in VERDICTS if word in self.rows[finding].split(" | ")[2]), "")


def page(path: Path) -> Page | None:
    """A written report; None where there is none."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    text, rows = opened(text), {}
    for one in text.split('<details class="finding"')[1:]:
        name, row = re.match(
            r' id="([^"]*)".*?<summary[^>]*>(.*?)</summary>', one, re.DOTALL
        ).groups()
        evidence = re.search(r'<table class="evidence">.*?</table>', one, re.DOTALL)
        cells = [re.sub(r"<[^>]*>", "", cell) for cell in re.split(r"</span><span\b[^>]*>", row)]
        numbers = re.sub(r"<[^>]*>", " ", evidence[0]) if evidence else ""
        rows[name] = html.unescape(" | ".join(map(str.strip, [*cells, numbers])))
    data = re.search(r'<script id="data">(.*?)</script>', text, re.DOTALL)
    plots = json.loads(data[1]).get("plots") if data else None
    return Page(rows, json.dumps(plots, sort_keys=True))
