"""The report's page: complete, closed to the network, and inert whatever its strings say."""

from __future__ import annotations

import base64
import copy
import json
import re
import xml.etree.ElementTree as ET

import msgspec
import pytest

from ddiv.report import render
from ddiv.report.figures.pictures import pictures
from ddiv.report.packing import LETTERS
from ddiv.report.schema import (
    Accuracy,
    BarsPlot,
    Claim,
    ContactSheet,
    Controls,
    CurvesPlot,
    DosePlot,
    EstimatesLine,
    EstimatesPlot,
    Evidence,
    Family,
    FamilyCurves,
    Finding,
    GeneratorSheet,
    Listed,
    Material,
    OverStudies,
    Page,
    PairedPlot,
    Picture,
    RelationPlot,
    RelationPoint,
    ScoreCell,
    ScoreRow,
    Scores,
    Series,
    Spent,
    StudyCard,
)
from ddiv.report.text import duration, interval, number, share
from tests.support.browser import chromium, open_in_browser
from tests.support.parsed_page import HOSTILE, packed, parse, whole
from tests.support.sample_page import sample_page

needs_browser = pytest.mark.skipif(
    chromium() is None, reason="no chromium or google-chrome binary found"
)
# Of the sample page's pictures: figures 1 to 12 in their order, and the layers.
PANELS = sum((2, 3, 2, 2, 4, 1, 1, 2, 6, 3, 6, 6, 1))


def findings(page: Page) -> list[Finding]:
    return [finding for claim in page.claims for finding in claim.findings]


def drawn(finding: Finding) -> int:
    """How many plots a finding has."""
    return (finding.plot is not None) + (finding.curves is not None)


KINDS = ("verdict", "kind", "group", "image", "view", "views", "metrics", "pairs", "by", "groups")


def poison(value):
    """The same structure with every string a hostile one, but those that say what kind of thing
    something is.
    """
    if isinstance(value, msgspec.Struct):
        fields = msgspec.structs.asdict(value)
        return type(value)(**{k: v if k in KINDS else poison(v) for k, v in fields.items()})
    if isinstance(value, dict):
        return {k: poison(v) for k, v in value.items()}
    if isinstance(value, tuple):
        return tuple(map(poison, value))
    return f"{value}{HOSTILE}" if isinstance(value, str) else value


# --- structure ------------------------------------------------------------------------------------


def test_every_claim_and_finding_is_there_once():
    page = sample_page(14)
    parsed = parse(page)
    assert len(parsed.all("details", class_="claim")) == len(page.claims) == 15
    rows = parsed.all("details", class_="finding")
    assert len(rows) == len(findings(page)) > 100
    assert sorted(r["data-study"] for r in rows) == sorted(f.study for f in findings(page))
    ids = [a["id"] for _, a in parsed.elements if "id" in a]
    assert len(ids) == len(set(ids))
    linked = [a["href"][1:] for a in parsed.all("a") if a["href"].startswith("#")]
    assert set(linked) <= set(ids)
    plots = json.loads(parsed.scripts["data"])["plots"]
    assert (
        len(plots) == len(parsed.all("div", class_="plot")) == sum(drawn(f) for f in findings(page))
    )
    assert {p["kind"] for p in plots} == {"dose", "paired", "bars", "relation", "curves"}


def test_the_sample_has_the_types_of_the_schema():
    msgspec.convert(msgspec.to_builtins(sample_page(14)), Page)


def test_summary_counts_in_words():
    page = sample_page(14)
    text = parse(page).text
    tested = [f for claim in page.claims if not claim.guards for f in claim.findings]
    assert len(tested) < len(findings(page))  # negative controls are counted apart
    for verdict in ("supported", "contradicted", "inconclusive", "not applicable", "not run"):
        n = sum(f.verdict == verdict for f in tested)
        assert n and re.search(rf"\b{n} (are )?{verdict}", text), verdict
    contradicted = [f for f in tested if f.verdict == "contradicted"]
    expected = sum(f.expected is not None and f.expected.verdict == f.verdict for f in contradicted)
    assert expected and f"({expected} of them expected)" in text


def test_matrix_has_a_cell_for_each_claim_and_study_with_glyph_and_word():
    page = sample_page(3)
    html = render(page)
    matrix = html[html.index('<table class="matrix"') :].partition("</table>")[0]
    assert matrix.count("data-claim=") == len(page.claims) == 4
    single = next(c.findings[0] for c in page.claims if len(c.findings) == 2)
    assert f"{single.verdict}</span>" in matrix  # a word, not only a glyph
    # and for those who hear it, after a count
    assert re.search("[0-9]<i> (supported|contradicted|inconclusive)</i>", matrix)
    assert 'class="specific"' in matrix


def test_table_puts_the_baseline_first_and_the_best_in_bold():
    cells = (ScoreCell(0.4, delta=0.1, paper=0.85, paper_delta=-0.02), ScoreCell(0.2, delta=-0.1))
    scores = Scores(
        study="s",
        columns=("OOD acc", "OOD ECE", "OOD Vendi"),
        rows=(
            ScoreRow("auto", (*cells, ScoreCell(9.0))),
            ScoreRow("baseline", (ScoreCell(0.3), ScoreCell(0.3), None), "baseline"),
        ),
    )
    materials = (Material("s", scores=scores),)
    html = whole(Page(materials=materials, pictures=pictures(materials)))
    table = html[
        html.index('class="results"') : html.index("</table>", html.index('class="results"'))
    ]
    assert table.index(">baseline<") < table.index(">auto<")
    assert re.findall(r'class="best[^>]*>([^<]*)', table) == ["0.400", "0.200"]
    assert "+.100" in table and "−.100" in table and "—" in table
    (printed,) = re.findall(r'class="printed"[^>]*>([^<]*)<small>([^<]*)', table)
    assert printed == ("0.850", "−.020")


def test_one_script_and_no_address_to_load_from():
    page = sample_page(2)
    parsed, html = parse(page), render(page)
    assert not any("src" in a for a in parsed.all("script"))
    scripts = re.findall(r"<script([^>]*)>", html)
    assert sorted(scripts) == sorted(
        ["", *(f' type="text/plain" id="packed-{name}"' for name in packed(html))]
    )
    assert set(packed(html)) == {"data", "index", "parts", "images"}
    for _, attributes in parsed.elements:
        for name in ("src", "href", "action", "poster", "srcset"):
            assert (attributes.get(name) or "#").startswith(("#", "data:image/png;base64,"))
    assert not re.search(
        r"@import|url\(", "".join(re.findall(r"<style>(.*?)</style>", render(page), re.DOTALL))
    )


UNKNOWN = Evidence(effect=float("nan"))
ENDLESS = Evidence(interval=(1, float("inf")), effects=(None, 1.0))
EVERYWHERE = Page(
    claims=(
        Claim(
            id="a", guards="f", findings=(Finding(definitions=(("d", ""),), evidence=Evidence()),)
        ),
    ),
    spent=Spent(first=1, most=1, trials=1, fixed=1),
    listed=Listed(alpha=0.05, of=0),
    controls={"f": Controls(0, 0)},
    over_studies=(OverStudies(),),
    curves=(
        FamilyCurves(study="", members=(), rates=(), lengths=(), seeds=(), x=(), y=(), margin=0),
    ),
)
BARE = Page(
    studies=(StudyCard(), StudyCard(id="s", baseline=(Accuracy("id"),))),
    materials=(Material("s"),),
    pictures=(Picture(id="p", kind="scores"),),
    generators=(
        GeneratorSheet(study="s", generator="g", classes=(), each=0, rows=(), measures=()),
    ),
    contact_sheets=(ContactSheet(),),
    families=(Family("f", ""),),
    settings=(("a", None),),
)


@pytest.mark.parametrize(
    "page",
    [
        Page(),
        Page(claims=(Claim(),)),
        Page(claims=(Claim(findings=(Finding(),)),)),
        Page(claims=(Claim(id="a", findings=(Finding(verdict="surprising", evidence=UNKNOWN),)),)),
        Page(claims=(Claim(id="a", findings=(Finding(study="s", evidence=ENDLESS),)),)),
        EVERYWHERE,
        Page(alpha=0),
        BARE,
    ],
)
def test_parts_may_be_missing(page):
    before = copy.deepcopy(page)
    parsed = parse(page)
    assert "—" in parsed.text and "None" not in parsed.text and "NaN" not in parsed.scripts["data"]
    assert repr(page) == repr(before)


def test_an_empty_page_says_what_to_do():
    assert "pytest claims" in parse(Page()).text


def test_claims_with_equal_names_keep_their_own_anchors():
    twice = (Finding(study="s", variant="v"),) * 2
    parsed = parse(Page(claims=(Claim(id="a b", findings=twice), Claim(id="a-b", findings=twice))))
    ids = [a["id"] for a in parsed.all("details") if "id" in a]
    assert len(ids) == len(set(ids)) == 8  # with the table of all findings


@pytest.mark.parametrize(
    "value, text",
    [
        (0.031249, "0.031"),
        (-0.0004, "−0.0004"),
        (1.234, "1.23"),
        (-12.34, "−12.3"),
        (1234.5, "1234"),
        (7, "7"),
        (0, "0"),
        (-1e-9, "−1.0e−09"),
        (None, "—"),
        ("twelve", "twelve"),
        (-0.0, "0.000"),
    ],
)
def test_numbers_are_short(value, text):
    assert number(value) == text


@pytest.mark.parametrize(
    "ends, text",
    [
        ((-0.5, 1.25), "[−0.5, +1.2]"),
        ((None, 1.25), "(−∞, +1.2]"),
        ((-0.5, None), "[−0.5, ∞)"),
        ((None, None), "no bounds yet"),
        (None, "—"),
    ],
)
def test_an_end_that_the_seeds_are_too_few_for_is_open(ends, text):
    assert interval(ends, 1) == text


def test_infinite_ends_of_an_interval_reach_the_page_as_open():
    evidence = Evidence(effect=1.0, interval=(0.5, float("inf")), effects=(0.75, 1.0), level=0.95)
    finding = Finding(verdict="inconclusive", evidence=evidence)
    html = whole(Page(claims=(Claim(findings=(finding,)),)))
    # row and its table; a line to the strip's edge
    assert html.count("[+0.50, ∞)") == 2 and 'd="M88 6H120"' in html


def test_shares_are_whole_per_cent():
    assert [share(x) for x in (0.384, -0.34, -0.0, 12, -11.0, None)] == [
        "38 %",
        "−34 %",
        "0 %",
        "> 1000 %",
        "< −1000 %",
        "—",
    ]


def test_signs_and_durations():
    assert [number(x, True, 2) for x in (0.5, -0.5, 0.001, -0.001)] == [
        "+0.50",
        "−0.50",
        "0.00",
        "0.00",
    ]
    assert [duration(x) for x in (12.34, 125, 4000, None)] == ["12.3 s", "2 min", "1 h 07 min", "—"]


# --- hostile strings ------------------------------------------------------------------------------


def test_hostile_strings_are_text():
    render(poison(sample_page(1))).encode("utf-8")  # a lone surrogate would not go
    poisoned = poison(sample_page(6))
    parsed = parse(poisoned)
    for block in re.findall(r'id="packed-\w+">([^<]*)<', render(poisoned)):
        assert set(block.encode()) <= set(LETTERS)
    plots = json.loads(parsed.scripts["data"])["plots"]
    assert HOSTILE.replace("\ud800", "?") in plots[0]["xlabel"]
    assert len(parsed.all("script")) == len(packed(render(poisoned))) + 2  # and the opened data
    assert not any(name.startswith("on") for _, a in parsed.elements for name in a)
    assert all(a["href"].startswith("#") for a in parsed.all("a"))
    assert "<img src=x onerror" in parsed.text and "{{7*7}}" in parsed.text


@pytest.mark.parametrize(
    "png",
    [
        "https://example.org/x.png",
        "javascript:alert(1)",
        "data:text/html;base64,AAAA",
        "data:image/svg+xml;base64,AAAA",
        'data:image/png;base64,AAAA" onload="x',
        None,
    ],
)
def test_only_embedded_bitmaps_are_shown(png):
    assert not parse(Page(contact_sheets=(ContactSheet(caption="c", image=png),))).all("img")


# --- in a browser ---------------------------------------------------------------------------------


@pytest.fixture
def opened(tmp_path):
    def open_page(page: Page, suffix: str = "", script: str | None = None, **options):
        html = render(page)
        if script:  # a visitor's hands; the page's own policy would refuse them
            html = re.sub(r"<meta http-equiv[^>]*>", "", html).replace(
                "</body>", f"<script>{script}</script></body>"
            )
        path = tmp_path / "page.html"
        path.write_text(html, "utf-8")
        return open_in_browser(path, suffix, **options)

    return open_page


@needs_browser
@pytest.mark.parametrize("suffix", ["#all", "?all"])
def test_all_plots_are_drawn_without_a_word_or_a_request(opened, suffix):
    page = sample_page(6)
    seen = opened(page, suffix)
    total = sum(drawn(f) for f in findings(page)) + PANELS
    assert seen.data("data-plots-total") == seen.data("data-plots-drawn") == str(total)
    assert "data-failed" not in re.sub(r"<script.*?</script>", "", seen.dom, flags=re.DOTALL)
    assert seen.console == [] and seen.requests == []


@needs_browser
def test_nothing_is_drawn_before_it_is_looked_at(opened):
    seen = opened(sample_page(14))
    assert seen.data("data-plots-drawn") == seen.data("data-plots-total") == "0"
    dom = re.sub(r"<script.*?</script>", "", seen.dom, flags=re.DOTALL)
    assert 'class="finding"' not in dom and 'class="claim"' in dom  # packed still
    assert seen.console == []


# One seed has no interval, and where an arm did nothing there is no ratio.
ESTIMATES = (
    EstimatesLine(label="arms", y=(1.5, 2.0), low=(1.0, None), high=(2.2, None)),
    EstimatesLine(label="repeats", y=(None, 0.5), low=(None, 0.1), high=(None, 0.9)),
)

EMPTY_PLOTS = Page(
    claims=(
        Claim(
            findings=tuple(
                Finding(plot=plot, curves=CurvesPlot(ylabel="", curves=0, seeds=(0,), points=()))
                for plot in (
                    DosePlot(xlabel="", ylabel="", x=(), series=()),
                    PairedPlot(ylabel="", arms=(), series=()),
                    BarsPlot(ylabel="", x=(), series=()),
                    RelationPlot(xlabel="", ylabel="", points=()),
                    EstimatesPlot(xlabel="", ylabel="", x=(), lines=()),
                    *(
                        EstimatesPlot(
                            xlabel="layer", ylabel="", x=("a", "b"), lines=ESTIMATES, ratio=ratio
                        )
                        for ratio in (True, False)
                    ),
                )
            )
        ),
    ),
    materials=(Material("s"),),
    pictures=(Picture(id="p", kind="scale-shape"),),
)


@needs_browser
@pytest.mark.parametrize("page", [Page(), EMPTY_PLOTS])
def test_a_minimal_page_is_quiet(opened, page):
    seen = opened(page, "#all")
    assert seen.console == [] and seen.requests == []
    assert seen.data("data-plots-total") == seen.data("data-plots-drawn")


@needs_browser
def test_words_of_a_plane_do_not_cover_each_other(opened):
    points = tuple(RelationPoint(f"path {i}", "g", i / 1000, i / 900) for i in range(7))
    far = (RelationPoint("far", "g", 5.0, 5.0),)
    plot = RelationPlot(xlabel="x", ylabel="y", joined=True, points=points + far)
    finding = Finding(study="s", evidence=ENDLESS, plot=plot)
    script = """setTimeout(() => {
      const words = [...document.querySelectorAll(".plot text")];
      const named = words.filter((node) => /^path/.test(node.textContent));
      const boxes = named.map((node) => node.getBoundingClientRect());
      const meet = (a, b) => a.left < b.right && b.left < a.right
        && a.top + 2 < b.bottom && b.top + 2 < a.bottom;
      const pairs = boxes.flatMap((a, i) => boxes.slice(i + 1).filter((b) => meet(a, b)));
      Object.assign(document.documentElement.dataset, { words: boxes.length, meet: pairs.length });
    }, 3000)"""
    seen = opened(Page(claims=(Claim(id="c", findings=(finding,)),)), "#all", script)
    assert (seen.data("data-words"), seen.data("data-meet")) == ("7", "0") and not seen.console


@needs_browser
@pytest.mark.slow
def test_hostile_strings_do_nothing_in_a_browser(opened):
    page = poison(sample_page(5))
    seen = opened(page, "#all")
    assert seen.data("data-plots-drawn") == seen.data("data-plots-total") != "0"
    assert "<title>pwned" not in seen.dom and seen.requests == [] and seen.console == []
    hover = """setTimeout(() => { const out = [];
      for (const slot of document.querySelectorAll(".plot[data-drawn]"))
        for (const mark of slot.querySelectorAll("path[transform]")) {
          const [x, y] = mark.getAttribute("transform").match(/[\\d.]+/g);
          const box = slot.getBoundingClientRect();
          const at = {clientX: box.left + +x, clientY: box.top + +y};
          slot.dispatchEvent(new PointerEvent("pointermove", at));
          const tip = document.querySelector(".tip");
          out.push(+(!tip.hidden && tip.textContent.includes("onerror") && !tip.children.length));
        }
      const bad = "[onerror], svg a, img:not([src^='data:'])";
      document.documentElement.dataset.hovered = out.reduce((a, b) => a + b, 0);
      document.documentElement.dataset.bad = document.querySelectorAll(bad).length;
    }, 30000)"""
    seen = opened(page, "#all", hover)
    assert int(seen.data("data-hovered")) > 10 and seen.data("data-bad") == "0"
    assert "<title>pwned" not in seen.dom and seen.requests == []


@needs_browser
@pytest.mark.slow
def test_filters_links_and_buttons(opened):
    page = sample_page(14)
    script = """const root = document.documentElement;
      const say = (k, v) => { root.dataset[k] = v; };
      const $ = (s) => document.querySelector(s);
      const shown = () => document.querySelectorAll("#catalogue tbody tr:not([hidden])").length;
      const wait = (ms) => new Promise((r) => setTimeout(r, ms));
      const change = (node) => {
        node.dispatchEvent(new Event("input", {bubbles: true}));
        return wait(300);
      };
      (async () => {
        $("#catalogue").open = true; await wait(500);
        $("[name=verdict][value=con]").checked = true; await change($("[name=verdict]"));
        say("con", shown());
        $("#study").value = "digits"; await change($("#study")); say("conDigits", shown());
        say("count", $("#shown").textContent);
        $("[type=reset]").click(); await wait(300); say("reset", shown());
        $("[value=starred]").checked = true; await change($("[value=starred]"));
        say("starred", shown());
        $("[value=divided]").checked = true; await change($("[value=divided]"));
        say("divided", shown());
        $("[type=reset]").click(); await wait(300);
        const cells = () => [...document.querySelectorAll("#catalogue tbody td:nth-child(5)")];
        const column = () => cells().map((cell) => parseFloat(cell.textContent.replace("−", "-")));
        const ordered = (xs, sign) => {
          const ys = xs.filter((x) => !isNaN(x));
          const rises = ys.every((y, i) => !i || sign * (y - ys[i - 1]) >= 0);
          return rises && xs.slice(ys.length).every(isNaN) && ys.length + " " + xs.length;
        };
        const head = $("#catalogue th:nth-child(5) button"); say("unsorted", ordered(column(), 1));
        head.click(); say("up", ordered(column(), 1)); head.click();
        say("down", ordered(column(), -1));
        say("aria", $("#catalogue [aria-sort]").getAttribute("aria-sort"));
        $("#q").value = "no such words"; await change($("#q"));
        say("none", shown() + " " + !$("#nothing").hidden);
        location.hash = "#c-decay-0"; await wait(300);
        say("jumped", shown() + " " + $("#c-decay-0").open);
        $(".matrix td[data-study=digits] a[href='#c-decay-0']").click(); await wait(300);
        say("marked", document.querySelectorAll(".finding.marked").length);
        $("#c-decay-0 .finding summary").click(); await wait(1500);
        say("one", root.dataset.plotsDrawn);
        $("#open-all").click(); await wait(60000);
        say("all", root.dataset.plotsDrawn === root.dataset.plotsTotal);
        const up = $("#fig-3 [name=y]"); up.value = "entropy_raw";
        up.dispatchEvent(new Event("change", {bubbles: true})); await wait(2000);
        say("again", root.dataset.plotsDrawn === root.dataset.plotsTotal);
        say("axis", $("#fig-3 .ytitle").textContent);
        say("panels", document.querySelectorAll("#fig-3 .plot").length);
        const which = $("#fig-3 [name=study]"); which.value = "digits";
        which.dispatchEvent(new Event("change", {bubbles: true})); await wait(2000);
        const left = document.querySelectorAll("#fig-3 .plot").length;
        say("narrowed", left + " " + $("#fig-3 [name=y]").value);
      })();"""
    seen = opened(page, "", script, budget_ms=120_000)
    of = findings(page)
    contradicted = [f for f in of if f.verdict == "contradicted"]
    digits = [f for f in contradicted if f.study == "digits"]
    assert seen.data("data-con") == str(len(contradicted))
    assert seen.data("data-con-digits") == str(len(digits)) and seen.data("data-count").startswith(
        f"{len(digits)} of "
    )
    assert seen.data("data-reset") == str(len(of)) and seen.data("data-none") == "0 true"
    marked = [f for f in of if f.test in page.listed.tests]
    divided = [f for f in marked if len({word for _, word in f.definitions}) > 1]
    assert (
        seen.data("data-starred") == str(len(marked))
        and seen.data("data-divided") == str(len(divided)) != "0"
    )
    effects = [f.evidence and f.evidence.effect for f in of]
    assert seen.data("data-unsorted") == "false" and seen.data("data-aria") == "descending"
    assert (
        seen.data("data-up")
        == seen.data("data-down")
        == f"{sum(e is not None for e in effects)} {len(effects)}"
    )
    assert seen.data("data-jumped") == f"{len(of)} true"
    of_digits = [f for f in page.claims[1].findings if f.study == "digits"]
    assert seen.data("data-marked") == str(len(of_digits))
    assert int(seen.data("data-one")) >= 1
    assert (
        seen.data("data-all") == seen.data("data-again") == "true"
        and seen.data("data-axis") == "Δ raw entropy"
    )
    assert seen.data("data-panels") == "2" and seen.data("data-narrowed") == "1 entropy_raw"
    assert seen.console == [] and seen.requests == []


ODD = "Größe/多样性 100 % #1 “α”"


@needs_browser
def test_links_figures_and_old_browsers(opened):
    """Anchors of any characters are reached, a figure is saved as SVG, and a browser that cannot
    inflate says so.
    """
    plot = PairedPlot(ylabel="<b>alpha</b>", arms=("a", "b"), series=(Series(0, (1.0, 2.0)),))
    odd = Finding(study="s", variant=ODD, evidence=ENDLESS, plot=plot)
    claims = (
        Claim(id=ODD, findings=(odd,)),
        *(Claim(id=f"c{i}", findings=(Finding(study="s"),) * 9) for i in range(5)),
    )
    script = """const root = document.documentElement, $ = (s) => document.querySelector(s);
      const wait = (ms) => new Promise((r) => setTimeout(r, ms));
      const say = (k, v) => { root.dataset[k] = v; };
      URL.createObjectURL = (blob) => { blob.text().then((text) => say("saved", btoa(unescape(
        encodeURIComponent(text))))); return "#"; };
      (async () => {
        location.hash = "#%"; await wait(300); say("closed", document.querySelectorAll(
          ".claim[open]").length);
        const claim = $(".claim"); location.hash = "#" + encodeURIComponent(claim.id);
        await wait(1000); say("claim", claim.open); const finding = claim.querySelector(".finding");
        claim.open = false; await wait(300); location.hash = "#" + finding.id; await wait(1500);
        say("finding", finding.open && claim.open); say("id", finding.id);
        finding.querySelector(".take button").click(); await wait(1500);
      })();"""
    seen = opened(Page(claims=claims), "", script)
    assert seen.data("data-closed") == "0" and seen.data("data-id") == (
        "f-größe-多样性-100-1-α-s-größe-多样性-100-1-α"
    )
    assert seen.data("data-claim") == seen.data("data-finding") == "true"
    saved = base64.b64decode(seen.data("data-saved")).decode()
    assert saved.startswith("<svg") and "&lt;b&gt;alpha&lt;/b&gt;" in saved  # its title
    assert ET.fromstring(saved).get("width") and "var(" not in saved
    old = """delete window.DecompressionStream; const part = document.querySelector("#catalogue");
      part.open = true; setTimeout(() => { document.documentElement.dataset.old = part.textContent;
      }, 500);"""
    seen = opened(Page(claims=claims), "", old)
    assert "too old to open this part" in seen.data("data-old")
    assert seen.console == []


@needs_browser
def test_the_policy_refuses_what_the_page_did_not_bring(tmp_path):
    """And the helper sees it: otherwise "no console error, no request" would say nothing."""
    path = tmp_path / "page.html"
    bad = "<img src='https://example.org/x.png'><script>document.title = 'pwned'</script></body>"
    path.write_text(render(Page()).replace("</body>", bad), "utf-8")
    seen = open_in_browser(path)
    assert len(seen.console) >= 2 and "<title>pwned" not in seen.dom and seen.requests == []
    path.write_text("<img src='https://example.org/x.png'>", "utf-8")
    assert open_in_browser(path).requests == ["https://example.org/x.png"]
