"""Findings in words: what is copied into a shell asks the same again and does nothing else."""

import shlex
from datetime import date

import msgspec
import pytest

from ddiv.claim import Change, Contrast
from ddiv.evidence import RISES
from ddiv.finding import ledger
from ddiv.finding.wording import (
    in_three_lines,
    measured,
    properties,
    rerun,
    rerun_claim,
    unspecific,
)
from ddiv.outcome import Vendi
from ddiv.treatment import OtherSeed, Treatment
from tests.support.made_findings import FALLING, NORM, RISING, STRONG, found

OPTIONS = ("--study", "my $(touch gone).toml", "--seeds", "3")


def asked(test="claims/test_a.py::test_b[a-one]", claim="drop-alpha"):
    return found(FALLING, claim=claim, test=test).asked


@pytest.mark.parametrize(
    "test",
    [
        "claims/test_a.py::test_b[a-$(touch gone)]",
        "claims/test_a.py::test_b[a-`touch gone`]",
        'my claims/test_a.py::test_b[a-it\'s "called"]',
        "claims/test_a.py::test_b[a-!!]",
    ],
)
def test_a_rerun_line_is_quoted_for_a_shell(test):
    line = rerun(asked(test), OPTIONS)
    assert shlex.split(line) == ["pytest", test, *OPTIONS]
    for piece in shlex.split(line, posix=False):
        assert "$" not in piece or piece.startswith("'")


@pytest.mark.parametrize(
    "claim, words",
    [
        ("drop-alpha", ["claims", "-k", "drop-alpha"]),
        ("a.b:c/d[e]+f", ["claims", "-k", "a.b:c/d[e]+f"]),
        ("two words", ["claims/test_a.py::test_b"]),
        ("a or b", ["claims/test_a.py::test_b"]),
        ("not", ["claims/test_a.py::test_b"]),
        ("-x", ["claims/test_a.py::test_b"]),
        ("$(touch gone)", ["claims/test_a.py::test_b"]),
    ],
)
def test_all_of_a_claim_is_named_as_pytest_can_read_it(claim, words):
    assert shlex.split(rerun_claim(asked(claim=claim), OPTIONS)) == ["pytest", *words, *OPTIONS]


def test_the_lines_of_a_failure_stay_three_and_are_only_shown():
    finding = found(FALLING, claim="a\x1b[2J", variant="b\nPASSED")
    lines = in_three_lines(finding, ["--study", "a\nb\x1b]0;.toml"]).split("\n")
    assert len(lines) == 3 and all(map(str.isprintable, lines))
    assert shlex.split(lines[2].partition("--study")[0])[-1] == finding.asked.test


def test_both_verdicts_are_told_of_a_finding_and_that_it_is_negligible():
    finding = found(FALLING, specific=RISING, negligible=True)
    first, second, _ = in_three_lines(finding).split("\n")
    assert first.startswith("a is supported on one")
    assert second.endswith("; negligible; specific: contradicted")
    told = properties(finding)
    assert told["ddiv verdict"] == "supported" and told["ddiv specific verdict"] == "contradicted"
    assert told["ddiv negligible"] == "yes"
    without = properties(found(FALLING))
    assert "ddiv specific verdict" not in without and "ddiv negligible" not in without
    assert without["ddiv specific note"] == "never that loss"
    assert "specific:" not in in_three_lines(found(FALLING))


def test_a_claim_that_is_judged_by_what_is_specific_is_told_by_it():
    finding = found(FALLING, specific=RISING, judged_by="specific", guards="specific")
    first, second, _ = in_three_lines(finding).split("\n")
    assert first.startswith("a is contradicted as specific on one")
    assert second.endswith("; as claimed: supported")
    assert "+1.25" in measured(finding) and properties(finding)["ddiv effect"] == 1.25
    assert properties(finding)["ddiv verdict"] == "control contradicted"


@pytest.mark.parametrize(
    "question, words",
    [
        (Contrast(Vendi("pixel"), (STRONG,), RISES), "about data"),
        (Change(NORM, STRONG, RISES), "does not compare trained networks"),
        (Contrast(NORM, (Treatment.of(OtherSeed()),), RISES), "tells nothing of its arms"),
    ],
)
def test_a_question_without_a_specific_verdict_says_why(question, words):
    assert not question.has_specific and words in unspecific(question)


def test_a_proposed_entry_is_toml_that_a_terminal_only_shows(tmp_path):
    reason = 'a\x1b[2J "b"\x7f\x9b\u202e\nc é'
    entry = ledger.Entry("p", "c", "s", "contradicted", date.today(), reason)
    text = ledger.as_toml(entry)
    assert all(line.isprintable() for line in text.split("\n"))
    (tmp_path / "ledger.toml").write_text(text, "utf-8")
    (back,) = ledger.entries(tmp_path / "ledger.toml").values()
    assert back == msgspec.structs.replace(entry, reason=back.reason) and back.reason == reason
