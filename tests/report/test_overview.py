"""The first screen: what holds as claimed, what is specific, what the published tables say."""

import re

import msgspec

from ddiv.report import render
from ddiv.report.packing import as_bytes, as_letters, joined, pack, split, unpack
from ddiv.report.places import anchor, ranges
from ddiv.report.schema import Claim, Evidence, Family, Finding, Page
from tests.support.made_pages import of, one
from tests.support.parsed_page import HOSTILE, Parsed, parse
from tests.support.sample_page import sample_page


def specific(verdict: str) -> Evidence:
    return Evidence(verdict=verdict, e_for=1.0, e_against=1.0, n=6)


def rows(page: Page) -> list[list[str]]:
    """Each line of the picture: its head, then "holds of all" by column."""
    picture = re.search(r'<figure class="overview".*?</figure>', render(page), re.DOTALL)[0]
    lines = re.findall(r'<div class="line[^"]*"><span class="what">(.*?)</div>', picture, re.DOTALL)
    heads = [re.sub(r"<[^>]*>", "", line.partition("</span>")[0]).strip() for line in lines]
    shares = [re.findall(r"<b>(\d+)</b> of (\d+)|share none", line) for line in lines]
    return [[head, *share] for head, share in zip(heads, shares)]


def test_the_key_stands_above_the_rows():
    """The rows are more than a first screen."""
    picture = render(of(one("supported"))).partition('<figure class="overview"')[2]
    assert 0 < picture.index('<p class="key">') < picture.index('<div class="line')


def test_the_picture_counts_what_holds_and_what_is_specific():
    claims = (
        Claim(
            id="a",
            family="dropout",
            findings=(
                one("supported", specific=specific("supported")),
                one("supported", specific=specific("inconclusive")),
                one("contradicted"),
                Finding(verdict="not applicable"),
                Finding(verdict="not run"),
            ),
        ),
        Claim(id="b", family="decay", findings=(one("inconclusive"),)),
        Claim(id="c", family="decay", guards="decay", findings=(one("inconclusive"),)),
    )
    families = (Family("dropout", "Dropout"), Family("decay", "Weight decay"))
    page = Page(alpha=0.05, claims=claims, families=families)
    assert rows(page) == [
        ["All claims 1 not run", ("2", "4"), ("1", "2")],
        ["Dropout 1 not run", ("2", "3"), ("1", "2")],
        ["Weight decay", ("0", "1"), ("", "")],
    ]
    text = parse(page).text
    assert "2 of 4 findings hold as claimed; 1 of 2 hold beyond what slower" in text
    assert "published tables support" not in text


def test_one_finding_is_told_as_one():
    claims = (Claim(id="a", family="dropout", findings=(one("supported"),)),)
    page = Page(alpha=0.05, claims=claims, families=(Family("dropout", "Dropout"),))
    assert "1 of 1 finding holds as claimed." in parse(page).text


def test_what_rests_on_arms_that_hardly_fit_is_told_on_the_first_screen_and_marked():
    found = (one("supported", hardly_trained=True), one("supported"))
    claims = (Claim(id="a", family="dropout", findings=found),)
    page = Page(alpha=0.05, claims=claims, families=(Family("dropout", "Dropout"),))
    head, _, rest = parse(page).text.partition("Claims by study")
    assert "1 of all findings rests, at least in part, on arms that hardly fit" in head
    assert "†" in rest and "hardly trained (1)" in rest
    trained = Claim(id="a", family="dropout", findings=(one("supported"),))
    assert "†" not in parse(Page(claims=(trained,))).text


def test_the_sample_adds_up():
    every, *each = rows(sample_page(14))
    for column in range(1, len(every)):
        for place in (0, 1):
            parts = [int(row[column][place] or 0) for row in each]
            assert sum(parts) == int(every[column][place])


def test_nothing_answered_is_no_picture():
    assert "overview" not in [a.get("id") for _, a in parse(of(Finding(verdict="error"))).elements]


# --- what is packed, and where it is found --------------------------------------------------------


def test_what_is_packed_comes_back():
    value = {"a": ["—", HOSTILE, 0.1, None], "b": Family("f", "F")}
    assert unpack(pack(value)) == {"a": ["—", HOSTILE, 0.1, None], "b": {"id": "f", "title": "F"}}


def test_bytes_come_back_from_letters():
    for size in range(60):
        data = bytes((size * 37 + i * i * 11) % 256 for i in range(size))
        assert as_bytes(as_letters(data)) == data and not {*'"&<'} & {*as_letters(data)}
    assert len(as_letters(bytes(1300))) == 1600  # two letters for 13 bits


def test_parts_come_back_from_what_they_share():
    alike = [
        f'<p class="v x" title="{i}"> a  b\n<b>{i % 2}</b> <i>twelve letters</i></p>'
        for i in range(9)
    ]
    parts = {f"f-{i}": (html, html * 2) for i, html in enumerate(alike)} | {
        "hostile": (HOSTILE, "", "no markup", '<a href="#">" = \'</a>')
    }
    cut = split(parts)
    assert joined(cut) == {place: [*html] for place, html in parts.items()}
    assert len(cut["markup"]) == 2 + 4 and cut["places"][:3] == ["f-0", "", "f-1"]


def test_ranges_name_what_is_listed_once():
    assert ranges([3, 7, 8, 9, 2]) == "3 7-9 2" and ranges([]) == ""


def test_anchors_keep_the_letters_of_every_script():
    taken: set[str] = set()
    names = ["Größe 100 %", "多样性", "diversité/α", "a_b", "a b", "?!"]
    assert [anchor("c", name, taken) for name in names] == [
        "c-größe-100",
        "c-多样性",
        "c-diversité-α",
        "c-a-b",
        "c-a-b-2",
        "c-x",
    ]


def test_a_large_page_is_small_before_it_is_opened():
    """The sample repeated to 2,000 findings; what is packed is not parsed by a browser."""
    page = sample_page(14)
    findings = sum(len(claim.findings) for claim in page.claims)
    times = -(-2000 // findings)
    claims = tuple(
        msgspec.structs.replace(claim, id=f"{claim.id} {i}")
        for i in range(times)
        for claim in page.claims
    )
    html = render(msgspec.structs.replace(page, claims=claims))
    shown = re.sub(r'(id="packed-\w+">)[^<]*', r"\1", html)
    assert len(shown.encode()) < 1_000_000
    assert len(Parsed(shown).all("details", class_="claim")) == len(claims)
