"""The summary of a run that a workflow shows."""

import time
from dataclasses import replace
from datetime import date
from itertools import pairwise

import msgspec
import pytest

from ddiv.finding.ledger import Entry
from ddiv.report.job_summary import escaped, job_summary
from ddiv.run.run import Run
from tests.support.made_findings import FALLING, RISING, found

RUN = Run(
    "20270102-030405-abc",
    "pytest claims",
    "smoke",
    (0, 1, 2),
    0.05,
    2,
    "cpu",
    False,
    0.0,
    7,
    options=("--profile", "smoke"),
)


def entry(verdict: str, claim: str = "a") -> Entry:
    return Entry("smoke", claim, "one", verdict, date(2026, 1, 2), "why", "")


def summarised(*answered, known=()) -> str:
    return job_summary(RUN, answered, {one.place: one for one in known})


def test_only_what_the_ledger_does_not_say_is_in_the_table():
    answered = [
        (one.asked, one)
        for one in (
            found(FALLING),
            found(RISING, "b"),
            found(RISING, "c"),
            found(FALLING, "d"),
            found(FALLING[:3], "e"),
            found(RISING[:3], "f"),
            found(FALLING, "control", guards="x"),
            found(RISING, "held", guards="x"),
        )
    ]
    text = summarised(
        *answered,
        known=[entry("contradicted", "c"), entry("contradicted", "d"), entry("inconclusive", "f")],
    )
    rows = [line.split(" | ") for line in text.splitlines() if line.startswith("| ")][2:]
    assert [(row[0][2:], row[3], row[4]) for row in rows] == [
        ("b", "not in the ledger", "**contradicted**"),
        ("d", "contradicted since 2026-01-02", "**supported**"),
        ("control", "control", "**supported**"),
    ]
    assert (
        "3 verdicts differ" in text
        and "2 supported, 2 contradicted (1 of them expected), 2 inconclusive (1 of them expected)"
        in text
    )
    assert "1 of 2 controls held" in text and rows[0][7] == "6" and rows[0][5].startswith("+1.25 ")


def test_a_change_that_fails_no_run_says_so():
    """Evidence of 41 is enough for one question and not among a hundred."""
    found_all = [found(RISING, "b"), found(FALLING, "d"), found(RISING[:3], "weak")]
    answered = []
    for among in (1, 100):
        for one in found_all:
            asked = msgspec.structs.replace(one.asked, among=among, ledger=True)
            answered.append((asked, replace(one, asked=asked)))
    text = summarised(*answered, known=[entry("contradicted", "d"), entry("contradicted", "weak")])
    cells = [line.split(" | ")[4] for line in text.splitlines() if line.startswith("| ")][2:]
    assert cells == [
        "**contradicted**",
        "**supported**",
        "**inconclusive**, told only",
        "**contradicted**, not sure",
        "**supported**, not sure",
        "**inconclusive**, told only",
    ]


def test_a_run_as_the_ledger_says_has_no_table_and_claims_without_a_verdict_are_counted():
    one = found(FALLING)
    lost = msgspec.structs.replace(one.asked, error="the disk | is full")
    text = summarised(
        (one.asked, one),
        (lost, None),
        (msgspec.structs.replace(lost, not_applicable="no domains"), None),
    )
    assert "no verdicts differ" in text and "| claim" not in text
    assert r"1 claim came to no verdict; the first: the disk \| is full" in text


HOSTILE = "a|b `c` *d* _e_ <script>x</script> [f](http://x) \\| ~~g~~ & &amp; $h$\n| i | j |"


def test_text_from_outside_is_shown_as_it_is():
    """Read by another program: one table of nine cells a row, in which the text is what it was."""
    markdown = (
        pytest.importorskip("markdown_it", reason="markdown-it-py is not installed")
        .MarkdownIt("commonmark")
        .enable(["table", "strikethrough"])
    )
    one = found(RISING, study=HOSTILE, variant=HOSTILE, test=HOSTILE)
    tokens = markdown.parse(summarised((one.asked, one)))
    cells = [token for before, token in pairwise(tokens) if before.type in ("th_open", "td_open")]
    assert len(cells) == 18
    shown = " ".join(HOSTILE.split())
    for cell in cells[10:12]:
        assert {child.type for child in cell.children} <= {"text", "text_special"}
        assert "".join(child.content for child in cell.children) == shown
    assert escaped("plain-text 1.5 (x)") == "plain-text 1.5 (x)"


def test_the_start_is_told_in_utc_wherever_it_is_read(monkeypatch):
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        assert "of 1970-01-01 00:00 UTC" in summarised((found(FALLING).asked, found(FALLING)))
    finally:
        monkeypatch.undo()
        time.tzset()
