"""Arms of a part of a user's own have a marker and a place in the legend of every plot."""

import html
import json
import re
from importlib.resources import files

import pytest

from tests.support.browser import chromium, open_in_browser

PAGE = """<!doctype html><meta charset="utf-8"><body><script>
const plain = (x) => `${x}`, show = (x) => `${x}`;
%s
const group = (name, i) => ({ label: name, group: name, x: i, y: i });
const p = { xlabel: "x", ylabel: "y", points: ["label smoothing", "dropout", "cutout", "mine"].map(group) };
const drawn = [KINDS.relation(p), KINDS.relation({ ...p, points: p.points.slice(2) })];
document.documentElement.dataset.drawn = JSON.stringify(drawn.map((one) => one.traces.map(
  (trace) => [trace.name, trace.showlegend ?? one.layout.showlegend, trace.marker.symbol, trace.marker.color])));
</script>"""  # noqa: E501


@pytest.mark.skipif(chromium() is None, reason="no chromium or google-chrome binary found")
def test_families_of_a_users_own_are_told_apart(tmp_path):
    script = (files("ddiv.report") / "assets" / "plots.js").read_text()
    (tmp_path / "page.html").write_text(PAGE % script)
    opened = open_in_browser(tmp_path / "page.html", budget_ms=100)
    assert not opened.console
    first, second = json.loads(html.unescape(opened.data("data-drawn")))
    assert [name for name, *_ in first] == ["label smoothing", "dropout", "cutout", "mine"]
    assert all(legend for _, legend, *_ in first)
    assert len({symbol for _, _, symbol, _ in first}) == len({color for *_, color in first}) == 4
    assert second == first[2:]  # the same in all plots of a page
    known = re.findall(r'symbol: "([\w-]+)"', script.partition("const OTHERS")[0])
    assert not {symbol for name, _, symbol, _ in first if name != "dropout"} & set(known)
