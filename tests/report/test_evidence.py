"""What the page makes of evidence: marks of findings, controls, the list, studies together, seeds
spent, equal fit.
"""

from __future__ import annotations

import json
import re

import msgspec
import pytest

from ddiv.report import render
from ddiv.report.schema import (
    Claim,
    Controls,
    Evidence,
    Expected,
    Family,
    Finding,
    FitRow,
    Listed,
    OverStudies,
    Page,
    Spent,
    StudyCard,
)
from tests.support.parsed_page import parse


def one(verdict: str, **more) -> Finding:
    e_for, e_against = {"supported": (20.5, 0.0357), "contradicted": (0.0357, 20.5)}.get(
        verdict, (0.475, 0.104)
    )
    evidence = Evidence(verdict=verdict, e_for=e_for, e_against=e_against, n=6, decided_at=6)
    fields = {"test": "t", "study": "s", "variant": "v", "evidence": evidence} | more
    return Finding(verdict=verdict, **fields)


def of(*findings: Finding, guards: str = "", **more) -> Page:
    """A page of one claim."""
    claim = Claim(id="c", family="f", findings=findings, guards=guards)
    return Page(alpha=0.05, claims=(claim,), **more)


def marks(page: Page) -> list[set[str]]:
    """The marks of each finding's row: the flags that the filters look for."""
    names = {"data-differs", "data-surprise", "data-divided", "data-starred", "data-failing"}
    return [names & set(row) for row in parse(page).all("details", class_="finding")]


@pytest.mark.parametrize(
    "verdict, shown", [("supported", "20.5"), ("contradicted", "20.5"), ("inconclusive", "0.475")]
)
def test_the_evidence_shown_is_that_of_the_verdict(verdict, shown):
    page = parse(of(one(verdict)))
    (cell,) = page.all("span", class_="e")
    assert re.search(rf'<span class="num e"[^>]*>{shown}</span>', render(of(one(verdict))))
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
    "verdict, expected, surprise",
    [
        ("supported", None, False),
        ("inconclusive", None, False),
        ("contradicted", None, True),
        ("contradicted", "contradicted", False),
        ("inconclusive", "inconclusive", False),
        ("supported", "contradicted", True),
        ("inconclusive", "contradicted", True),
        ("contradicted", "inconclusive", True),
        ("not run", "contradicted", False),
    ],
)
def test_a_verdict_that_the_ledger_does_not_expect_is_a_surprise(verdict, expected, surprise):
    page = of(one(verdict, expected=entry(expected) if expected else None))
    text = parse(page).text
    assert (marks(page) == [{"data-surprise"}]) == ("Not as expected" in text) == surprise
    known = expected == verdict
    ringed = len(parse(page).all("span", class_="known")) - 2  # two are in the explanations
    assert ringed == 3 * known and ("Known non-reproduction" in text) == known
    assert ("Because of the weather." in text) == ("since 2026-01-15" in text) == bool(expected)


def test_an_expected_inconclusive_is_counted_as_expected():
    text = parse(
        of(
            one("inconclusive", expected=entry("inconclusive")),
            one("inconclusive"),
            one("contradicted"),
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
        "Holds under 2 of 3 definitions: alpha ✓ supported , hill alpha ? inconclusive , "
        "alpha (flat) ✓ supported" in text
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
    assert (
        "; 2 findings that put another claim's question to the same study did not count again."
        in again
    )
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
    html, parsed = render(page), parse(page)
    assert len(parsed.all("td", class_="over")) == 1
    assert re.search(r'<td class="over ">.*1&nbsp;.*supported.*1&nbsp;.*inconclusive', html)
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
        "w ? inconclusive (1 study)" in parsed.text
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


def fit_row(verdict: str, matched: str, equal: float | None = -2.0, **more) -> FitRow:
    fields = {"claim": "c", "study": "s", "variant": "v", "test": "t", "family": "f"}
    if matched != "unmatched":
        fields |= {"matched_effect": -0.05, "matched": -0.5, "share": 0.25}
    return FitRow(
        verdict=verdict,
        unit="norm",
        matched_verdict=matched,
        effect=-0.2,
        equal=equal,
        **fields | more,
    )


def test_fit_or_regularisation_is_a_picture_a_table_and_a_sentence():
    rows = (
        fit_row("supported", "supported"),
        fit_row("supported", "inconclusive", study="r", test="elsewhere"),
        fit_row("inconclusive", "inconclusive", None),
        fit_row("supported", "unmatched", note="never that loss"),
    )
    page = of(one("supported"), fit=rows, studies=(StudyCard(id="s", title="Study S"),))
    parsed = parse(page)
    plots = json.loads(parsed.scripts["data"])["plots"]
    assert [plot["kind"] for plot in plots] == ["fit", "fit"] and [
        len(plot["points"]) for plot in plots
    ] == [1, 1]
    (kept,), (lost,) = (plot["points"] for plot in plots)
    assert (kept["x"], kept["y"], kept["kept"], lost["kept"]) == (-2.0, -0.5, True, False)
    assert kept["anchor"] in {a.get("id") for a in parsed.all("details")} and lost["anchor"] is None
    assert kept["lines"] == [
        "equal epochs: −0.200 norm (−2.00 sd), supported",
        "equal fit: −0.050 norm (−0.500 sd), supported",
        "share left: 25 %",
    ]
    assert (
        "Of the 3 findings supported at equal epochs, at equal fit 1 is supported, "
        "1 inconclusive and 1 unmatched." in parsed.text
    )
    assert "2 findings without a spread or an equal fit" in parsed.text and "Study S" in parsed.text
    # after those of the table of findings
    cells = [a.get("data-v") for a in parsed.all("td", class_="num") if "data-v" in a][2:]
    assert cells == ["-0.2", "-0.05", "0.25"] * 3 + ["-0.2", "", ""]
    assert {"title": "never that loss"} in parsed.all("td")
    assert "Fit or regularisation?" not in parse(of(one("supported"))).text
