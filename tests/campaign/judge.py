"""What was seen -> faults, each of one of the kinds that must not occur."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.campaign import seen
from tests.campaign.target import Done, words

KINDS = {
    "lost": "a finished record (or paid answer) is gone, or had to be made again",
    "twice": "a record was trained twice",
    "read corrupt": "a finding differs from the undisturbed run's, and no error was said",
    "verdict from an error": "a verdict is shown where a record could not be read",
    "traceback": "a traceback, an INTERNALERROR or a raw error was printed",
    "unnoticed flip": "a damaged byte with meaning changed an output, or nothing told of it",
    "hang": "a command did not end, or waited without a word",
    "wrong end": "after the fault was over, a rerun did not end like the undisturbed run",
}

RAW = re.compile(
    r"Traceback \(most recent call last\)|INTERNALERROR|^\S+\.py:\d+: \w*(?:Error|Exception)\b"
    r"|Fatal Python error"
    r"|^E +\S*(?:OSError|DecodeError|ValidationError|KeyError|NotFoundError|PermissionError)\b",
    re.MULTILINE,
)
# How a command tells that something could not be read.
TOLD = re.compile(
    r"damaged|corrupt|cannot be read|could not be read|unreadable|\berrors?\b|does not match"
    r"|do not match|not readable|is empty|is missing",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Fault:
    """One fault: its kind, what was done before it, and where it was seen."""

    kind: str
    what: str


def of_output(done: Done) -> list[Fault]:
    """Raw errors and hangs of one command."""
    faults = []
    if done.hung:
        faults.append(Fault("hang", f"{words(done.command)} did not end:\n{done.text[-1500:]}"))
    if found := RAW.search(done.text):
        around = done.text[max(0, found.start() - 300) : found.end() + 2500]
        faults.append(Fault("traceback", f"{words(done.command)}:\n{around}"))
    return faults


def of_records(
    store: Path, before: Mapping[str, tuple[int, int]], damaged: Iterable[str] = ()
) -> list[Fault]:
    """Finished records that are gone or were written again, and records trained twice."""
    after, harmed = seen.finished(store), set(damaged)
    faults = [
        Fault("lost", f"the record {key} is {'written again' if key in after else 'gone'}")
        for key, stamp in before.items()
        if key not in harmed and after.get(key) != stamp
    ]
    return faults + [
        Fault("twice", f"the record {key} was trained {times} times")
        for key, times in seen.trained(store).items()
        if times > 1 and key not in harmed
    ]


def of_page(
    page: seen.Page | None, right: seen.Page, done: Done, flipped: bool = False
) -> list[Fault]:
    """What a page says that the undisturbed one does not.

    Findings without a verdict are no fault here: an error may be shown in their place.
    """
    if page is None:
        return []
    told = bool(TOLD.search(done.text)) or any(
        TOLD.search(row) for row in page.rows.values() if not has_verdict(row)
    )
    faults = []
    for name, row in page.rows.items():
        if has_verdict(row) and row != right.rows.get(name):
            kind = "verdict from an error" if told else "read corrupt"
            text = f"{words(done.command)}: {row!r} in place of {right.rows.get(name)!r}"
            faults.append(Fault(kind, text))
            if flipped and not told:
                faults.append(Fault("unnoticed flip", text))
    if not faults and not told and set(page.rows) == set(right.rows) and page != right:
        kinds = ("read corrupt", "unnoticed flip")[: 1 + flipped]
        faults += [Fault(kind, f"{words(done.command)}: plots differ") for kind in kinds]
    return faults


def of_end(page: seen.Page | None, right: seen.Page, done: Done) -> list[Fault]:
    """Whether a run after the fault ends like the undisturbed one."""
    if page == right:
        return []
    faults = of_page(page, right, done)
    if not faults:
        faults = [Fault("wrong end", f"{words(done.command)}:\n{done.text[-1500:]}")]
    return faults


def has_verdict(row: str) -> bool:
    return any(word in row.split(" | ")[2] for word in seen.VERDICTS)
