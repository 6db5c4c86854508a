"""What the page makes of evidence: marks of findings, controls, the list, studies together, seeds
spent.
"""

from __future__ import annotations

import json
import re

import msgspec
import pytest

from ddiv.report.schema import (
    Claim,
    Controls,
    Evidence,
    Expected,
    Family,
    Listed,
    ListedClaims,
    OverStudies,
    Page,
    Spent,
    StudyCard,
)
from ddiv.report.text import POWER
from tests.support.made_pages import marks, of, one
from tests.support.parsed_page import parse, whole
from tests.support.paths import ROOT


@pytest.mark.parametrize(
    "verdict, shown", [("supported", "20.5"), ("contradicted", "20.5"), ("inconclusive", "0.475")]
)
def test_the_evidence_shown_is_that_of_the_verdict(verdict, shown):
    page = parse(of(one(verdict)))
    (cell,) = page.all("span", class_="e")
    assert re.search(rf'<span class="num e"[^>]*>{shown}</span>', whole(of(one(verdict))))
    assert (
        cell["title"]
        == {
            "contradicted": "0.036 for, 20.5 against",
            "supported": "20.5 for, 0.036 against",
            "inconclusive": "0.475 for, 0.104 against",
        }[verdict]
    )
    assert "6, decided at 6" in page.text and "(20 decides)" in page.text


@pytest.mark.parametrize(
    "alpha, seeds, capital", [(0.05, "6 seeds", "20.5"), (0.01, "9 seeds", "154")]
)
def test_the_reader_is_told_what_decides_and_how_many_seeds_can(alpha, seeds, capital):
    text = parse(msgspec.structs.replace(of(one("supported")), alpha=alpha)).text
    assert (
        f"{1 / alpha:g} = 1/α is at most α = {alpha:g}" in text
        and f"{seeds} that all agree make {capital}" in text
    )


def entry(verdict: str) -> Expected:
    return Expected(verdict, "2026-01-15", "Because of the weather.")


@pytest.mark.parametrize(
    "verdict, expected, standing, said",
    [
        ("supported", None, "", ""),
        ("contradicted", None, "", ""),
        ("contradicted", None, "sure", "Not as expected: 1 contradicted without an entry"),
        ("contradicted", None, "unexpected", "1 verdict is unexpected, not sure among all"),
        ("contradicted", "contradicted", "expected", "Known non-reproduction"),
        ("inconclusive", "inconclusive", "expected", "Known non-reproduction"),
        ("supported", "contradicted", "sure", "1 with another verdict than the ledger expects"),
        ("supported", "contradicted", "unexpected", "it is supported , not sure among all"),
        ("inconclusive", "contradicted", "weakened", "1 verdict is in the ledger and not decided"),
        ("not run", "contradicted", "", "The ledger expects contradicted"),
    ],
)
def test_a_finding_is_told_as_it_stands_beside_the_ledger(verdict, expected, standing, said):
    page = of(one(verdict, expected=entry(expected) if expected else None, standing=standing))
    parsed = parse(page)
    text = parsed.text.replace("supported,", "supported ,")
    marked = {"sure": {"data-surprise"}, "unexpected": {"data-unexpected"}}.get(standing, set())
    assert marks(page) == [marked] and said in text
    assert (
        bool(parsed.all("p", class_="alarm")) == ("Not as expected" in text) == (standing == "sure")
    )
    known = standing == "expected"
    ringed = len(parsed.all("span", class_="known")) - 2  # two are in the explanations
    assert ringed == 2 * known and ("Known non-reproduction" in text) == known
    assert ("Because of the weather." in text) == ("since 2026-01-15" in text) == bool(expected)


def test_an_expected_inconclusive_is_counted_as_expected():
    text = parse(
        of(
            one("inconclusive", expected=entry("inconclusive"), standing="expected"),
            one("inconclusive"),
            one("contradicted", standing="sure"),
        )
    ).text
    assert "2 are inconclusive" not in text  # in the order of VERDICTS
    assert (
        "1 is contradicted (none of them expected) and 2 inconclusive (1 of them expected)." in text
    )
    assert "Not as expected: 1 contradicted without an entry" in text


def test_definitions_are_one_line_and_marked_where_the_verdict_depends_on_them():
    words = (("alpha", "supported"), ("hill alpha", "inconclusive"), ("alpha (flat)", "supported"))
    page = of(
        one("supported", definitions=words),
        one("supported", definitions=(words[0], words[2])),
        one("supported"),
    )
    text = parse(page).text
    assert (
        "Holds under 2 of 3 definitions: alpha supported , hill alpha inconclusive , "
        "alpha (flat) supported" in text
    )
    assert "Holds under 2 of 2 definitions" in text and marks(page) == [
        {"data-divided"},
        set(),
        set(),
    ]
    assert "depends on the definition (1)" in text


def test_the_list_is_starred_and_counted():
    page = of(
        one("supported", test="a"),
        one("supported", test="b"),
        one("inconclusive", test="c"),
        listed=Listed(alpha=0.05, of=3, tests=("a", "c")),
    )
    assert marks(page) == [{"data-starred"}, set(), {"data-starred"}]
    parsed = parse(page)
    assert len(parsed.all("span", class_="star")) == 2
    repeating = msgspec.structs.replace(page.listed, repeats=2)
    again = parse(msgspec.structs.replace(page, listed=repeating)).text
    assert "; 2 findings that repeat another's draws did not count again." in again
    assert (
        "1 of the 2 supported, and 1 finding not supported alone, are on the list that keeps "
        "false discoveries at 5 %" in parsed.text
    )


def test_a_control_that_is_supported_fails_loudly_and_one_that_is_contradicted_does_not():
    guarding = Claim(
        id="c", family="f", guards="f", findings=(one("supported"), one("contradicted"))
    )
    page = Page(
        alpha=0.05,
        claims=(guarding, Claim(id="d", family="g", findings=(one("supported"),))),
        controls={"f": Controls(3, 4), "g": Controls(2, 2)},
        families=(Family("f", "Family F"),),
    )
    parsed = parse(page)
    assert marks(page) == [{"data-failing"}, set(), set()]
    assert (
        "Negative controls came out supported: Family F (1 of 4). Supported verdicts of that family"
        in parsed.text
    )
    assert "5 of 6 held" in parsed.text and "of 1 finding 1 is supported." in parsed.text
    loud = [a for a in parsed.all("span", class_="alarm") if "title" in a]
    # matrix and section
    assert len(loud) == 2 and parsed.text.count("only 3 of 4 controls held") == 2
    assert (
        len(parsed.all("span", class_="held")) == 2
        and parsed.text.count("2 of 2 controls held") == 2
    )
    assert "negative control of: f" in parsed.text
    quiet = parse(msgspec.structs.replace(page, controls={"g": Controls(2, 2)})).text
    assert "came out supported:" not in quiet


def test_controls_that_fail_together_are_as_loud():
    controls = {"f": Controls(4, 4, 50.0, 40.0, 3), "specific": Controls(2, 2, 1.5, 40.0, 2)}
    page = of(one("supported"), controls=controls)
    parsed = parse(page)
    assert "Negative controls came out supported: F (all of them pooled)." in parsed.text
    assert "6 of 6 held" in parsed.text and "4 of 4 controls held, but not pooled" in parsed.text
    titles = [a.get("title", "") for a in parsed.all("span", class_="alarm")]
    assert any("over 3 studies their evidence is 50.0, and 40 would fail" in t for t in titles)
    held = msgspec.structs.replace(page, controls={"f": Controls(4, 4, 39.0, 40.0, 3)})
    assert "came out supported:" not in parse(held).text


def test_the_power_of_pooled_controls_is_the_one_that_was_simulated():
    """The least over families of as many studies, in whole per cent, from benchmarks/results."""
    found = json.loads((ROOT / "benchmarks/results/controls-power.json").read_text("utf-8"))

    def least(probability, way, studies):
        return min(
            row[f"{way}, {signs} signs"][probability]["fails pooled"]
            for row in found["by family"].values()
            for signs in ("same", "independent")
            if row["studies"] == studies
        )

    shares = [least("0.9", way, studies) for way in ("cold", "stored") for studies in (3, 2, 1)]
    shares += [least("0.7", way, 3) for way in ("cold", "stored")]
    assert re.findall(r"(\d+) %", POWER) == [str(int(100 * share)) for share in shares]
    assert POWER in " ".join((ROOT / "docs/explanation/evidence.md").read_text("utf-8").split())
    controls = {"f": Controls(1, 1)}
    assert POWER in parse(of(one("supported"), controls=controls)).text


def test_claims_over_studies_are_listed_as_claimed_and_as_specific():
    over = OverStudies(
        claim="c",
        variant="v",
        verdict="inconclusive",
        product=900.0,
        listed=True,
        specific_product=0.5,
        studies={"s": "inconclusive", "r": "inconclusive"},
    )
    page = of(
        one("inconclusive"),
        one("inconclusive", study="r"),
        over_studies=(over,),
        claims_listed=ListedClaims(alpha=0.05, of=12, listed=3),
        claims_listed_specific=ListedClaims(alpha=0.05, of=10, listed=1),
    )
    parsed = parse(page)
    assert (
        "Over all studies, 3 of 12 claims and their variants are listed as claimed, "
        "and 1 of 10 as specific." in parsed.text
    )
    titles = [a.get("title", "") for a in parsed.all("span")]
    assert any("product over studies 900, specific 0.500" in title for title in titles)
    assert len(parsed.all("span", class_="star")) == 1
    both = msgspec.structs.replace(over, specific_listed=True)
    again = parse(msgspec.structs.replace(page, over_studies=(both,)))
    labels = [a["aria-label"] for a in again.all("span", class_="star")]
    assert labels == ["on the list, as claimed", "on the list, specific"]


def test_the_middle_of_the_seeds_is_shown_where_the_interval_is_open():
    evidence = Evidence(
        verdict="inconclusive",
        effect=0.5,
        interval=(None, None),
        spread=(0.25, 0.75),
        spread_level=0.75,
        effects=(0.25, 0.5, 0.75),
        n=3,
    )
    text = parse(of(one("inconclusive", evidence=evidence))).text
    assert "no bounds yet" in text and "middle of the seeds [+0.250, +0.750] (75 %)" in text
    assert "middle of the seeds [" not in parse(of(one("inconclusive"))).text


def test_a_study_says_what_its_verdicts_are_conditional_on():
    card = StudyCard(id="s", title="Study S", conditional="one pool of 9 images & more")
    parsed = parse(of(one("supported"), studies=(card,)))
    assert "Verdicts are conditional on one pool of 9 images & more." in parsed.text
    assert "conditional" not in parse(of(one("supported"), studies=(StudyCard(id="s"),))).text


def test_studies_together_have_a_column_and_a_line():
    supported = OverStudies(
        claim="c",
        variant="v",
        verdict="supported",
        e_for=20.5,
        e_against=0.03,
        studies={"s": "supported", "r": "supported"},
    )
    inconclusive = OverStudies(
        claim="c",
        variant="w",
        verdict="inconclusive",
        e_for=0.4,
        e_against=1.5,
        studies={"s": "inconclusive"},
    )
    rows = (supported, inconclusive)
    page = of(
        one("supported"),
        one("supported", study="r"),
        one("inconclusive", variant="w"),
        over_studies=rows,
    )
    html, parsed = whole(page), parse(page)
    assert len(parsed.all("td", class_="over")) == 1
    assert re.search(r'<td class="over"[^>]*>.*1<i> supported.*1<i> inconclusive', html)
    titles = [a["title"] for a in parsed.all("span") if "for every study" in a.get("title", "")]
    assert titles == [
        "s: supported; r: supported; evidence 20.5 for every study, 0.030 against",
        "s: inconclusive; evidence 0.400 for every study, 1.50 against",
    ]
    rows_somewhere = tuple(msgspec.structs.replace(row, somewhere=True) for row in rows)
    somewhere = parse(msgspec.structs.replace(page, over_studies=rows_somewhere))
    assert (
        "for some study" in str([a.get("title") for a in somewhere.all("span")])
        and "somewhere" in somewhere.text
    )
    assert (
        "w inconclusive (1 study)" in parsed.text
        and "every study supports it on its own" in parsed.text
    )
    alone = parse(of(one("supported"), over_studies=rows[:1]))
    assert (
        not alone.all("td", class_="over")
        and not alone.all("p", class_="over")
        and "All studies." not in alone.text
    )


def test_what_the_run_spent_is_beside_what_fixed_seeds_would_have():
    spent = Spent(first=3, most=7, budget=1800, trials=194, fixed=239, by_seeds=((3, 5), (6, 20)))
    page = parse(Page(spent=spent))
    assert (
        "started with 3 seeds and was given more, up to 7, only while" in page.text
        and "at most 30 min" in page.text
    )
    assert "took 194 trials; 7 seeds for every claim would have taken 239, 45 more." in page.text
    assert [a["style"] for a in page.all("i")] == ["width:25.0%", "width:100.0%"]
