"""Findings in words: what is copied into a shell asks the same again and does nothing else."""

import shlex
from datetime import date

import msgspec
import pytest

from ddiv.finding import ledger
from ddiv.finding.wording import in_three_lines, rerun, rerun_claim
from tests.support.made_findings import FALLING, found

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


def test_a_proposed_entry_is_toml_that_a_terminal_only_shows(tmp_path):
    reason = 'a\x1b[2J "b"\x7f\x9b\u202e\nc é'
    entry = ledger.Entry("p", "c", "s", "contradicted", date.today(), reason)
    text = ledger.as_toml(entry)
    assert all(line.isprintable() for line in text.split("\n"))
    (tmp_path / "ledger.toml").write_text(text, "utf-8")
    (back,) = ledger.entries(tmp_path / "ledger.toml").values()
    assert back == msgspec.structs.replace(entry, reason=back.reason) and back.reason == reason
