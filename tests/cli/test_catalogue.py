"""The catalogue of claims: the committed page is what the tests say, and no row is without one."""

import re
import textwrap
from pathlib import Path

import pytest

from ddiv.cli.catalogue import ROWS, entries, page, rows_of
from ddiv.cli.main import main
from tests.support.paths import ROOT

CLAIMS, PAGE, SHARED = ROOT / "claims", ROOT / "docs/reference/catalogue.md", ROOT.parent / "shared"


@pytest.fixture(scope="module")
def found():
    return entries(CLAIMS)


@pytest.fixture(scope="module")
def rows():
    return rows_of(CLAIMS / ROWS)


def test_the_committed_page_is_the_one_that_the_tests_make(found, rows):
    assert PAGE.read_text("utf-8") == page(found, rows), "run `ddiv catalogue`, and commit the page"


def test_no_row_is_without_a_test(found, rows):
    assert not [*rows.uncovered(entry.claim.id for entry in found)]


def test_every_claim_is_asked_in_the_embedded_tier_or_known_to_cost_too_much(found):
    """Of an id that no embedded study is asked, all tests are of what only `full` has."""
    asked = {entry.claim.id for entry in found if entry.studies["embedded"]}
    named = {*rows_of(CLAIMS / ROWS).named}
    assert named - asked - {"resnet18-scratch"} == set()
    assert all(entry.studies["full"] for entry in found)


@pytest.mark.skipif(not (SHARED / "rows.md").is_file(), reason="the lists of rows are not here")
def test_the_rows_are_those_of_the_lists(rows):
    first, second = ((SHARED / name).read_text("utf-8") for name in ("claims.md", "rows.md"))
    named = re.findall(r"^\| ([a-z0-9-]+) \|", first, re.MULTILINE)
    assert sorted(rows.named) == sorted({*named} - {"id"})
    items = re.split(r"^(\d+)\. ", second, flags=re.MULTILINE)[1:]
    numbered = dict(zip(items[::2], items[1::2]))
    assert [*rows.numbered] == [*numbered]
    for number, text in numbered.items():
        bold = " ".join(re.findall(r"\*\*(.*?)\*\*", text, re.DOTALL))
        assert {*re.findall(r"[a-z0-9]+(?:-[a-z0-9]+)+", bold)} <= {*rows.numbered[number]}, number


CLAIM = """
from ddiv.claim import Contrast, claim, each_layers
from ddiv.evidence import FALLS
from ddiv.outcome import Spectral


@claim("mine", "Dropout | shrinks.", source="a note", needs="dropout_rates", headline=True)
@each_layers
def test_mine(study, layers):
    return Contrast(Spectral("frobenius_norm", layers), study.dropout()[1][1:], FALLS)


@claim("none", "No-ops do.", source="ours", needs="dropout_rates", guards="mine")
def test_none(study):
    return Contrast(Spectral("frobenius_norm", "encoder"), (study.no_op,), FALLS)
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "test_mine.py").write_text(textwrap.dedent(CLAIM), "utf-8")
    return tmp_path / "mine"


def test_a_page_of_a_users_own_claims(folder, capsys):
    (folder / ROWS).write_text('named = ["mine", "other"]\n[numbered]\n1 = ["none"]\n', "utf-8")
    assert main(["catalogue", "mine", "--out", "page.md"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said == ["page.md: 2 claims, 2 tests", "rows without a test: other"]
    lines = Path("page.md").read_text("utf-8").splitlines()
    (row,) = (line for line in lines if "`test_mine`" in line)
    assert row.startswith("| mine | Dropout / shrinks. | a note | `test_mine` | clip-world, ")
    assert row.endswith(" | as claimed, specific, headline |") and "mini-alexnet" not in row
    assert any(line.endswith("| control of mine (as claimed) |") for line in lines)
    assert "Without a test: other." in lines and "| other | none |" in lines


@pytest.mark.parametrize(
    "change, said",
    [
        (lambda folder: (folder / "test_mine.py").unlink(), "no file test_*.py in mine tests a"),
        (lambda folder: (folder / ROWS).write_text("named = ["), "names no rows"),
        (lambda folder: (folder / ROWS).write_text("other = 1"), "names no rows ('named')"),
        (lambda folder: (folder / "test_a.py").write_text("1 / 0"), "cannot be imported"),
    ],
)
def test_what_cannot_be_written_of_is_told_in_a_line(folder, capsys, change, said):
    change(folder)
    assert main(["catalogue", "mine", "--out", "page.md"]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1 and said in lines[0] and not Path("page.md").exists()
