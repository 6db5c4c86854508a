"""What the page says of what is specific, and of a slower optimiser alone."""

from __future__ import annotations

import re

from ddiv.report.schema import Claim, Controls, Family, Finding, Listed, Page
from ddiv.report.specific import SLOWER
from ddiv.report.text import NEGLIGIBLE, SPECIFIC
from ddiv.study.optimisation import LENGTHS, RATES
from tests.support.made_pages import marks, of, one, specific
from tests.support.parsed_page import parse, whole
from tests.support.paths import ROOT


def test_controls_of_the_specific_verdict_stand_beside_the_table():
    page = of(
        one("supported", specific=specific("supported")), controls={"specific": Controls(1, 2)}
    )
    text = parse(page).text
    assert "must not come out specific: only 1 of 2 controls held" in text
    assert "Negative controls came out supported: Specific (1 of 2)." in text


def test_a_control_that_is_judged_by_the_specific_verdict_fails_by_it():
    findings = (
        one("supported", specific=specific("inconclusive")),
        one("inconclusive", specific=specific("supported")),
    )
    claim = Claim(id="c", guards="specific", judged_by="specific", findings=findings)
    assert [row & {"data-failing"} for row in marks(Page(claims=(claim,)))] == [
        set(),
        {"data-failing"},
    ]


def test_findings_on_the_list_of_what_is_specific_have_a_star_of_their_own():
    page = of(
        one("supported", test="a", specific=specific("supported")),
        one("supported", test="b", specific=specific("inconclusive")),
        listed=Listed(alpha=0.05, of=2, tests=("a", "b")),
        listed_specific=Listed(alpha=0.05, of=2, tests=("a",)),
    )
    assert marks(page)[0] == {"data-starred", "data-starred_specific"}
    assert "data-starred_specific" not in marks(page)[1]
    labels = [a["aria-label"] for a in parse(page).all("span", class_="star")]
    assert labels.count("on the list, specific") == 1 and len(labels) == 3


def test_both_verdicts_stand_in_a_cell_a_row_and_the_table():
    page = of(one("supported", specific=specific("inconclusive")), one("supported", study="r"))
    html, parsed = whole(page), parse(page)
    assert marks(page) == [{"data-differs"}, set()]
    matrix = html[html.index('<table class="matrix"') :].partition("</table>")[0]
    assert re.search(r"supported</span><span class=\"specific\">.*inconclusive", matrix)
    assert matrix.count('class="specific"') == 1  # the other one has no second verdict
    heads = re.findall(r'<th scope="col">([^<]*)</th>', html[html.index('class="evidence"') :])
    assert heads[:2] == ["as claimed", "specific"]
    assert "specific verdict differs (1)" in parsed.text
    assert (
        "Of the 2 supported as claimed, 0 are specific too: beyond what slower, faster, shorter"
        in parsed.text
    )


def test_the_word_is_defined_and_no_proof_is_claimed():
    text = parse(of(one("supported", specific=specific("supported")))).text
    assert text.count(SPECIFIC) == 2  # on the first page, and where the page tells how to read it
    assert "not a proof of regularisation" in SPECIFIC and "fit-matched" not in text
    assert (min(RATES), max(RATES), min(LENGTHS), max(LENGTHS)) == (1 / 4, 2, 0.4, 1.5)
    assert "(rates × 1/4 to × 2, lengths × .4 to × 1.5)" in SPECIFIC


def test_the_documentation_defines_the_word_as_the_page_does():
    told = " ".join((ROOT / "docs/explanation/specific.md").read_text("utf-8").split())
    assert SPECIFIC in told


def slower(*findings: Finding) -> Claim:
    return Claim(id=SLOWER, family="controls", statement="A slower optimiser.", findings=findings)


def test_a_slower_optimiser_has_a_table_of_outcomes_by_study():
    headline = slower(
        one("supported", variant="alpha", specific=specific("inconclusive")),
        one("contradicted", variant="alpha", study="r"),
        one("supported", variant="norm", specific=specific("supported")),
        Finding(study="r", variant="norm", verdict="not applicable"),
    )
    page = Page(alpha=0.05, claims=(headline, Claim(id="c", findings=(one("inconclusive"),))))
    html = whole(page)
    start = html.index('class="slower matrix"')
    table = html[start : html.index("</table>", start)]
    # The first screen tells how much of it is specific, then comes the matrix.
    places = [html.index(f'id="{name}"') for name in ("overview", "findings", "specific")]
    assert places == sorted(places)
    rows = [
        (name, re.findall(r"(supported|contradicted|inconclusive|—|·)</?(?:span|td)", cells))
        for name, cells in re.findall(r'<th scope="row">([^<]*)</th>(.*)</tr>', table)
    ]
    assert rows == [
        ("alpha", ["supported", "inconclusive", "contradicted", "—"]),
        ("norm", ["supported", "supported"]),
    ]
    assert table.count("<td></td>") == 1
    linked = re.findall(r'href="#([^"]*)"', table)
    assert len(linked) == 3 and set(linked) <= {a.get("id") for a in parse(page).all("details")}


def test_what_is_specific_is_counted_by_family_without_controls_and_slower_training():
    both = one("supported", specific=specific("supported"))
    only = one("supported", specific=specific("inconclusive"))
    page = Page(
        alpha=0.05,
        claims=(
            Claim(id="a", family="f", findings=(both, only, one("supported"), one("inconclusive"))),
            Claim(id="b", family="g", findings=(both,)),
            Claim(id="n", family="controls", guards="f", findings=(both,)),
            Claim(id="u", family="h", findings=(one("contradicted"),)),
            slower(both),
        ),
        families=(Family("f", "Family F"),),
    )
    html, text = whole(page), parse(page).text
    assert (
        "Of the 4 other findings supported as claimed, 2 are specific too; "
        "1 has no specific verdict." in text
    )
    table = html[html.index('class="baseline kept"') :]
    table = table[: table.index("</table>")]
    rows = re.findall(r'<th scope="row">([^<]*)</th>', table)
    numbers = [int(n) for n in re.findall(r'<td class="num">(\d+)</td>', table)]
    assert rows == ["Family F", "g"] and numbers == [3, 2, 1, 1, 1, 1]


def test_claims_without_a_specific_verdict_are_named_with_the_reason():
    page = Page(
        alpha=0.05,
        claims=(
            Claim(id="has", findings=(one("supported", specific=specific("supported")),)),
            Claim(id="lacks", findings=(one("supported", specific_note="cannot be matched"),)),
            Claim(id="data", unspecific="it is about data", findings=(one("supported"),)),
            Claim(id="data-2", unspecific="it is about data", findings=(one("supported"),)),
            Claim(id="unanswered", findings=(Finding(verdict="not run"),)),
        ),
    )
    text = parse(page).text
    assert (
        "3 claims without a specific verdict Cannot be matched : lacks "
        "It is about data : data , data-2" in text.replace(":", " :")
    )
    nothing = parse(of(one("supported")))
    assert "A slower optimiser alone" not in nothing.text


def test_an_effect_inside_the_spread_of_doing_nothing_is_called_negligible():
    page = of(one("supported", negligible=True), one("supported"))
    parsed = parse(page)
    assert marks(page) == [{"data-negligible"}, set()]
    assert "Negligible: the median effect is under half of the spread" in parsed.text
    assert "negligible (1)" in parsed.text
    titles = [a.get("title") for a in parsed.all("small", class_="mark")]
    assert titles.count(NEGLIGIBLE) == 1
