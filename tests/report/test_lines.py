"""The panels of questions of experiments, as the page's script draws them."""

import html
import json
from importlib.resources import files

import pytest

from ddiv.report.figures import drawn
from ddiv.report.schema import LinesPlot, Series
from tests.support.browser import chromium, open_in_browser

PAGE = """<!doctype html><meta charset="utf-8"><body><script>
const plain = (x) => `${x}`, show = (x) => `${x}`;
%s
const series = (...ys) => ys.map((y, seed) => ({ seed, y }));
const p = { xlabel: "step", ylabel: "accuracy", x: [1, 2, 3], names: ["one", "other"], series: [series([0, 1, 2], [2, 3, 6]), series([1, 1, 1], [1, 1, 1])] };
const drawn = [p, { ...p, x: [1, 2, 300] }, { ...p, x: ["OR", "IPW", "TMLE"] }].map(KINDS.lines);
document.documentElement.dataset.drawn = JSON.stringify(drawn.map((one) => ({ ticks: one.layout.xaxis.ticktext ?? null, traces: one.traces.map(
  (trace) => ({ name: trace.name ?? null, x: trace.x, y: trace.y })) })));
</script>"""  # noqa: E501


@pytest.mark.skipif(chromium() is None, reason="no chromium or google-chrome binary found")
def test_each_name_has_a_line_a_seed_and_their_mean(tmp_path):
    assets = files("ddiv.report") / "assets"
    script = "\n".join((assets / name).read_text("utf-8") for name in ("plots.js", "lines.js"))
    (tmp_path / "page.html").write_text(PAGE % script)
    opened = open_in_browser(tmp_path / "page.html", budget_ms=100)
    assert not opened.console
    even, far, named = json.loads(html.unescape(opened.data("data-drawn")))
    assert [trace["name"] for trace in even["traces"]] == [None, None, "one", None, None, "other"]
    assert [trace["y"] for trace in even["traces"][:3]] == [[0, 1, 2], [2, 3, 6], [1, 2, 4]]
    assert even["ticks"] is None and even["traces"][0]["x"] == [1, 2, 3]
    # Doses of several orders of magnitude and names stand side by side.
    assert far["ticks"] == ["1", "2", "300"] and far["traces"][0]["x"] == [0, 1, 2]
    assert named["ticks"] == ["OR", "IPW", "TMLE"]


def test_a_file_has_the_same_lines():
    rows = (Series(0, (0.0, 1.0)), Series(1, (2.0, 4.0)))
    plot = LinesPlot(
        xlabel="step", ylabel="y", x=(1, 2), names=("one", "other"), series=(rows,) * 2
    )
    with drawn.page() as (_, axes):
        drawn.onto(axes, plot)
    assert [list(line.get_ydata()) for line in axes.lines[:3]] == [[0, 1], [2, 4], [1, 2.5]]
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["one", "other"]
    assert axes.get_xlabel() == "step" and list(axes.lines[0].get_xdata()) == [1, 2]
