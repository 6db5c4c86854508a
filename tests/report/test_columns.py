"""The three columns of a claim, and where the published code departs from the paper's text."""

import importlib
import re

import pytest

from ddiv.claim.declare import ClaimTest
from ddiv.report.arrange import arrange
from ddiv.report.columns import departures, is_coded, paper_says, tables_say
from ddiv.report.schema import Claim, Departure, Evidence, Finding, Page, PaperSays, TableAnswer
from tests.support.parsed_page import HOSTILE, parse, whole
from tests.support.paths import ROOT


def claim_ids(*sources: str) -> set[str]:
    """The ids of all claims whose sources begin so."""
    found = set()
    for path in sorted((ROOT / "claims").glob("test_*.py")):
        module = importlib.import_module(f"claims.{path.stem}")
        tests: list[ClaimTest] = [each for each in vars(module).values() if hasattr(each, "ask")]
        found |= {t.claim.id for t in tests if t.claim.source.startswith(sources)}
    return found


def finding(study, verdict="supported"):
    evidence = Evidence(verdict=verdict, e_for=30.0, e_against=0.1, effect=1.0, effects=(1.0,), n=1)
    return Finding(test=f"t-{study}", study=study, verdict=verdict, evidence=evidence)


def answer(**changed):
    fields = {
        "variant": "classifier",
        "verdict": "supported",
        "agree": 9,
        "of": 10,
        "p": 0.0215,
        "effects": (-0.5, *(0.1 * i for i in range(1, 10))),
        "labels": tuple(f"study-{i}" for i in range(10)),
        "groups": (("ViT", 4, 4), ("RN50", 5, 6)),
        "unit": "norm",
    }
    return TableAnswer(**fields | changed)


def page(*tables, paper=None, studies=("world", "world-as-coded", "authors"), **more):
    said = paper or PaperSays("the norm falls", "from 2 to 1")
    findings = tuple(map(finding, studies))
    claim = Claim(id="c-1", family="x", statement="S", findings=findings, paper=said, tables=tables)
    other = Claim(id="c-2", family="x", statement="Ours", findings=findings[:1])
    return Page(claims=(claim, other), **more)


def test_a_claim_shows_the_paper_the_tables_and_retraining():
    html = whole(page(answer(), answer(variant="encoder", verdict="contradicted", agree=0)))
    parse(page(answer()))
    three = re.search(
        r'<table class="three">.*?</tbody></table>\s*</td>.*?</table>', html, re.DOTALL
    )[0]
    for said in (
        "the norm falls",
        "from 2 to 1",
        "9 of 10 studies agree",
        "p = 0.02",
        "ViT 4 of 4, RN50 5 of 6",
    ):
        assert said in three, said
    assert three.count('<path class="dots"') == 2 and "study-3" in three
    columns = arrange(page(answer())).families[0].claims[0].columns
    # The authors' own tables are nothing that was retrained.
    assert columns.described == columns.coded == (("supported", 1),)
    assert arrange(page(answer())).families[0].claims[1].columns is None


def test_the_matrix_has_the_columns():
    html = whole(page(answer(), answer(variant="encoder", verdict="contradicted", agree=0)))
    head = re.search(r'<table class="matrix".*?</thead>', html, re.DOTALL)[0]
    assert re.search(r"the paper</th>.*their tables</th>.*>world</th>", head)
    row = re.search(r'<tr data-claim="c-c-1">.*?</tr>', html, re.DOTALL)[0]
    assert "the norm falls" in row and "1<i> supported" in row and "1<i> contradicted" in row
    plain = Page(claims=(Claim(id="c", family="x", statement="S", findings=(finding("world"),)),))
    assert "their tables</th>" not in whole(plain)


def test_what_the_tables_cannot_say_is_told():
    html = whole(
        page(answer(verdict="not applicable", of=0, agree=0, p=None, note="no eigenvalues"))
    )
    assert "no eigenvalues" in html
    assert "cannot be asked of them" in whole(page())
    without = whole(page(answer(), studies=("authors",)))
    assert without.count("not asked here") == 2


def test_strings_of_the_columns_are_text():
    told = answer(variant=HOSTILE, unit=HOSTILE, caveats=(HOSTILE,), groups=((HOSTILE, 1, 2),))
    departure = Departure(
        text=HOSTILE, code=HOSTILE, known=HOSTILE, tables=HOSTILE, touched=(HOSTILE,)
    )
    shown = page(told, paper=PaperSays(HOSTILE, HOSTILE), departures=(departure,))
    elements = parse(shown).elements
    assert not [tag for tag, given in elements if tag == "img" or "onerror" in given]


def test_departures_link_to_the_claims_of_the_run():
    departure = Departure(
        text="t", code="c", known="inferred", touched=("c-1", "elsewhere"), asked=("c-2",)
    )
    html = whole(page(answer(), departures=(departure,)))
    table = re.search(r'<details class="departures".*?</details>', html, re.DOTALL)[0]
    assert '<a href="#c-c-1">c-1</a>' in table and '<a href="#c-c-2">c-2</a>' in table
    assert "elsewhere" in table and "inferred" in table
    assert "departures" not in re.search(r"<nav.*?</nav>", whole(page(answer())), re.DOTALL)[0]


def test_every_claim_of_the_paper_has_its_words():
    unsaid = {claim for claim in claim_ids("v1", "v2") if not paper_says(claim)}
    assert not unsaid


def test_every_departure_is_of_known_standing_and_names_claims_that_there_are():
    known = claim_ids("")
    for one in departures():
        assert one.known in ("confirmed", "inferred", "suspected") and one.text and one.code
        assert {*one.touched, *one.asked} <= known, one.text


@pytest.mark.parametrize(
    "claim, verdict", [("wd-frobenius", "supported"), ("vendi-aug-embedding", "contradicted")]
)
def test_shipped_answers_are_shown(claim, verdict):
    rows = tables_say(claim)
    assert {row.verdict for row in rows} == {verdict} and all(row.of for row in rows)
    answered = [bool(row.of) for row in tables_say("aug-ece")]
    assert answered == sorted(answered, reverse=True) and True in answered and False in answered


def test_studies_as_coded_are_known_by_their_names():
    assert is_coded("clip-world-as-coded") and not is_coded("clip-world")
