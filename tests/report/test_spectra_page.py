"""The page of a model's spectra: its curves against the eigenvalues, and the page in a browser."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
import torch

from ddiv.report.figures.spectra import figure, render
from ddiv.spectra.analysis import Analysis, analyse
from ddiv.spectra.matrices import WeightMatrix
from tests.support.browser import chromium, open_in_browser
from tests.support.parsed_page import HOSTILE, Parsed

needs_browser = pytest.mark.skipif(
    chromium() is None, reason="no chromium or google-chrome binary found"
)


def matrix(name: str, weight: torch.Tensor, kind: str = "linear") -> WeightMatrix:
    return WeightMatrix(name, kind, weight, f"{name}.weight")


@pytest.fixture(scope="module")
def analysis() -> Analysis:
    torch.manual_seed(0)
    noise, low = torch.randn(200, 100), torch.randn(90, 20) @ torch.randn(20, 80)
    spiked = noise + 4 * torch.outer(torch.randn(200), torch.randn(100)) / 3
    heavy = torch.randn(300, 200) * (1 - torch.rand(200)) ** -0.6
    return analyse(
        [
            matrix("noise", noise, "q"),
            matrix("spiked", spiked, "k"),
            matrix("heavy", heavy, "mlp"),
            matrix("square", torch.randn(90, 90)),
            matrix("low", low),
            matrix("pooled", torch.randn(9, 30, 20), "conv-pooled"),
            matrix("zero", torch.zeros(20, 20)),
            matrix("one", torch.ones(1, 7)),
            matrix("tiny", torch.randn(3, 2)),
        ],
        [("bias", "a vector"), ("norm", "a vector")],
        randomise=True,
        compare=True,
    )


def by_name(analysis: Analysis) -> dict:
    return {layer.name: layer for layer in analysis.layers}


# --- curves ---------------------------------------------------------------------------------------


def test_curves_of_every_kind_of_spectrum_are_the_eigenvalues(analysis):
    for layer in analysis.layers:
        made, n = figure(layer), len(layer.evals)
        json.dumps(made, allow_nan=False)
        linear = made["linear"]
        inside = sum(linear["y"]) * linear["width"]
        assert inside == pytest.approx(1 - made["beyond"] / n, rel=1e-3), layer.name
        assert made["n"] == n and made["zeros"] == (layer.evals <= 1e-13 * layer.evals[-1]).sum()
        for x, y in zip(made["ccdf"]["x"], made["ccdf"]["y"]):
            assert y == pytest.approx(
                (layer.evals >= x * (1 - 1e-4)).mean(), abs=1e-4 + 1e-4 * y
            ), layer.name
        if layer.evals[-1] > 0:
            assert made["ccdf"]["x"][-1] == pytest.approx(layer.evals[-1], rel=1e-4)
        assert (
            len(made["ccdf"]["x"]) <= 110 and len(made["log"]["x"]) <= 40 and len(linear["y"]) <= 72
        )


def test_the_law_is_scaled_to_the_bulk_and_the_power_law_meets_the_spectrum(analysis):
    layers = by_name(analysis)
    for name in ("noise", "spiked", "square", "pooled"):
        made, fit = figure(layers[name]), layers[name].mp
        x, y = (np.array(made["mp"][key]) for key in "xy")
        share = 1 - fit.num_spikes / made["n"]
        assert np.sum(y) * (x[1] - x[0]) == pytest.approx(share, rel=1e-3), name
        assert made["mp"]["edges"] == pytest.approx([fit.bulk_min, fit.bulk_max], rel=1e-4)
    assert figure(layers["spiked"])["spikes"] == pytest.approx(
        [layers["spiked"].evals[-1]], rel=1e-4
    )
    # Over noise the histogram is the law, up to what bins of a few eigenvalues stray.
    made = figure(layers["noise"])
    linear = made["linear"]
    middle = linear["start"] + (np.arange(len(linear["y"])) + 0.5) * linear["width"]
    law = np.interp(middle, made["mp"]["x"], made["mp"]["y"], left=0, right=0)
    assert np.abs(np.cumsum(law - linear["y"]) * linear["width"]).max() < 0.08
    heavy = layers["heavy"]
    assert figure(heavy)["fit"]["share"] == pytest.approx(
        (heavy.evals >= heavy.fit.xmin).mean(), rel=1e-4
    )
    assert "fit" not in figure(layers["zero"])


def test_a_random_spectrum_is_drawn_on_the_same_bins(analysis):
    for layer in analysis.layers:
        made = figure(layer)
        assert len(made["random"]["linear"]) == len(made["linear"]["y"])
    made = figure(by_name(analysis)["spiked"])
    assert made["random"]["ccdf"]["x"][-1] < made["largest"] / 2


# --- the page -------------------------------------------------------------------------------------


def hostile(analysis: Analysis) -> Analysis:
    return analyse(
        [matrix(f"{HOSTILE} {i}", torch.randn(40, 30), "q") for i in range(2)], [(HOSTILE, HOSTILE)]
    )


def test_the_page_has_a_row_for_each_layer_and_says_what_was_skipped(analysis):
    page = Parsed(
        render(
            analysis, title="a model", source="somewhere", settings={"conv": "both"}, note="noted"
        )
    )
    assert not page.open and [row["id"] for row in page.all("tr") if "id" in row] == [
        f"layer-{i}" for i in range(9)
    ]
    for text in ("a model", "somewhere", "noted.", "2 · a vector", "bias norm", "9 matrices;"):
        assert text in page.text
    stored = json.loads(page.scripts["data"], parse_constant=pytest.fail)
    assert [layer["name"] for layer in stored["layers"]] == [
        layer.name for layer in analysis.layers
    ]
    weak = [layer for layer in analysis.layers if not layer.fit.reliable]
    assert page.text.count("†") == len(weak) + 1 and weak  # and in the words about it
    for layer, told in zip(analysis.layers, stored["layers"]):
        assert told["told"] == list(layer.fit.reasons) and all(
            reason in page.text for reason in layer.fit.reasons
        )


def test_without_fits_or_layers(analysis):
    bare = analyse([matrix("a", torch.randn(40, 30))], mp_definition=None)
    page = Parsed(render(bare, title="x"))
    assert (
        "phase" not in {head.get("data-by") for head in page.all("th")} and "Nothing." in page.text
    )
    with pytest.raises(ValueError, match="no layer was analysed"):
        render(Analysis((), (), {}), title="x")


def test_strings_are_text(analysis):
    html = render(
        hostile(analysis), title=HOSTILE, source=HOSTILE, settings={HOSTILE: HOSTILE}, note=HOSTILE
    )
    page = Parsed(html)
    assert not page.open and not page.all("img") and "pwned" in page.text
    assert re.findall(r"<script[^>]*>", html) == [
        '<script type="application/json" id="data">',
        "<script>",
    ]


def test_three_hundred_layers_stay_small():
    torch.manual_seed(0)
    base = analyse([matrix("blocks.0.attn.q", torch.randn(400, 400))], randomise=True)
    many = Analysis(base.layers * 300, (), base.settings)
    assert len(render(many, title="large")) < 300 * 15_000


# --- in a browser ---------------------------------------------------------------------------------


@pytest.fixture
def opened(tmp_path):
    def open_page(html: str, suffix: str = "", script: str | None = None, **options):
        if script:  # a visitor's hands; the page's own policy would refuse them
            html = re.sub(r"<meta http-equiv[^>]*>", "", html).replace(
                "</body>", f"<script>{script}</script></body>"
            )
        (tmp_path / "page.html").write_text(html, "utf-8")
        return open_in_browser(tmp_path / "page.html", suffix, budget_ms=20_000, **options)

    return open_page


@needs_browser
def test_every_layer_can_be_drawn_without_a_word_or_a_request(opened, analysis):
    script = """(async () => { const root = document.documentElement;
      for (let i = 1; i < 9; i++) {
        document.querySelector(`#layer-${i} th button`).click();
        await new Promise((r) => setTimeout(r, 50)); }
      root.dataset.open = document.querySelectorAll(".detail").length;
      root.dataset.last = document.querySelector(".detail").previousSibling.id;
      const titles = [...document.querySelectorAll(".detail .xtitle")];
      root.dataset.axes = titles.map((n) => n.textContent).join("|");
    })();"""
    seen = opened(render(analysis, title="m"), "", script)
    assert seen.console == [] and seen.requests == []
    assert seen.data("data-plots-drawn") == str(1 + 9 * 3)
    assert seen.data("data-open") == "1" and seen.data("data-last") == "layer-8"
    assert seen.data("data-axes").count("eigenvalue") == 3


@needs_browser
def test_the_page_itself_is_quiet_and_a_link_opens_its_layer(opened, analysis):
    seen = opened(render(analysis, title="m"), "#layer-2")
    assert seen.console == [] and seen.requests == [] and seen.data("data-plots-drawn") == "4"
    assert re.search(r'<tr id="layer-2" data-open=""', seen.dom)


@needs_browser
def test_sorting_and_filtering(opened, analysis):
    script = """const root = document.documentElement, $ = (s) => document.querySelector(s);
      const all = (s) => [...document.querySelectorAll(s)];
      const say = (k, v) => { root.dataset[k] = v; };
      const names = () => all("tbody tr[id]:not([hidden]) th").map((n) => n.textContent).join(" ");
      const change = (node) => node.dispatchEvent(new Event("input", {bubbles: true}));
      const head = $("[data-by=alpha] button"); head.click(); say("up", names()); head.click();
      say("down", names());
      say("sorted", $("[data-by=alpha]").getAttribute("aria-sort"));
      say("below", $(".detail").previousSibling.id);
      $("#kind").value = "linear"; change($("#kind")); say("linear", names());
      say("closed", all(".detail").length);
      $("#q").value = "O"; change($("#q")); say("words", names());
      say("count", $("#shown").textContent);
      $("#q").value = "nothing like it"; change($("#q")); say("none", !$("#nothing").hidden);
      $("#q").value = ""; $("#kind").value = ""; $("#sure").checked = true; change($("#sure"));
      say("sure", names());
      const pick = $("#pick select"); pick.value = "stable_rank";
      pick.dispatchEvent(new Event("change", {bubbles: true}));
      setTimeout(() => say("axis", $("#overview .ytitle").textContent), 500);"""
    seen = opened(render(analysis, title="m"), "", script)
    layers = by_name(analysis)
    fitted = sorted(
        (name for name, layer in layers.items() if np.isfinite(layer.fit.alpha)),
        key=lambda name: layers[name].fit.alpha,
    )
    without = [name for name in layers if name not in fitted]
    assert without and seen.data("data-up").split() == fitted + without
    assert (
        seen.data("data-down").split() == fitted[::-1] + without
        and seen.data("data-sorted") == "descending"
    )
    assert seen.data("data-below") == "layer-0" and seen.data("data-closed") == "0"
    linear = [name for name in seen.data("data-down").split() if layers[name].kind == "linear"]
    assert seen.data("data-linear").split() == linear
    words = [name for name in linear if "o" in name]
    assert (
        seen.data("data-words").split() == words
        and seen.data("data-count") == f"{len(words)} of 9 layers"
    )
    assert seen.data("data-none") == "true" and seen.data("data-axis") == "stable rank"
    assert set(seen.data("data-sure").split()) == {
        name for name in layers if layers[name].fit.reliable
    }


@needs_browser
def test_hostile_names_do_nothing_in_a_browser(opened, analysis):
    html = render(hostile(analysis), title=HOSTILE, source=HOSTILE, note=HOSTILE)
    seen = opened(html)
    assert seen.data("data-plots-drawn") == "4" and "<title>pwned" not in seen.dom
    assert seen.console == [] and seen.requests == []
    hover = """setTimeout(() => { const plot = document.querySelector("#overview");
      const mark = plot.querySelector("path[transform]"), box = plot.getBoundingClientRect();
      const [x, y] = mark.getAttribute("transform").match(/[\\d.]+/g);
      const at = {clientX: box.left + +x, clientY: box.top + +y};
      plot.dispatchEvent(new PointerEvent("pointermove", at));
      const root = document.documentElement, tip = document.querySelector(".tip");
      root.dataset.hovered = +(!tip.hidden && tip.textContent.includes("onerror"));
      root.dataset.bad = document.querySelectorAll("[onerror], svg a, img").length; }, 3000)"""
    seen = opened(html, "", hover)
    assert (
        int(seen.data("data-hovered")) > 0
        and seen.data("data-bad") == "0"
        and "<title>pwned" not in seen.dom
    )
