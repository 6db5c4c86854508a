"""Every figure of a page as a file: drawn from the page's own data, inert and repeatable."""

import math
import xml.etree.ElementTree as ET

import msgspec
import pytest

from ddiv.report.figure_files import drawing, figures
from ddiv.report.figures import drawn
from ddiv.report.schema import (
    BarsPlot,
    CurvesPlot,
    DosePlot,
    PairedPlot,
    RelationPlot,
    RelationPoint,
    Series,
)
from tests.support.sample_page import sample_page

PAGE = sample_page(6)
SHOWN = dict(figures(PAGE))


def on_axes(plot, curves=()):
    with drawn.page() as (_, axes):
        drawn.onto(axes, plot, curves)
        return axes


def test_every_figure_has_a_name_of_its_own():
    plots = [
        plot
        for claim in PAGE.claims
        for finding in claim.findings
        for plot in (finding.plot, finding.curves)
        if plot
    ]
    of_pictures = [name for name in SHOWN if name.startswith("figure-fig-")]
    assert len(SHOWN) - len(of_pictures) - len([n for n in SHOWN if "layers" in n]) >= len(plots)
    assert all(name.replace("-", "").isalnum() and len(name) < 90 for name in SHOWN)
    kinds = {"fig-1", "fig-2", "fig-3", "fig-5", "fig-9"}
    assert all(any(kind in name for name in of_pictures) for kind in kinds)
    assert set(dict(figures(PAGE, "fig-3"))) <= set(SHOWN)


@pytest.mark.parametrize("kind", ["svg", "pdf"])
def test_the_same_figure_is_the_same_file(kind):
    name = next(name for name in SHOWN if name.endswith("-curves"))
    first, second = drawing(SHOWN[name], kind), drawing(SHOWN[name], kind)
    assert first == second and first.startswith({"svg": b"<?xml", "pdf": b"%PDF"}[kind])
    if kind == "svg":
        assert ET.fromstring(first).tag.endswith("svg")


def test_one_of_each_picture_is_drawn():
    for start in ("figure-fig-1-", "figure-fig-2-", "figure-fig-3-", "figure-fig-5-"):
        name = next(name for name in SHOWN if name.startswith(start))
        assert b"</svg>" in drawing(SHOWN[name], "svg")


def test_a_ladder_is_drawn_as_it_was_measured():
    rows = (Series(0, (0.0, 1.0, None)), Series(1, (0.0, 3.0, 5.0), (0.0, 1.0, 2.0)))
    axes = on_axes(DosePlot(xlabel="rate", ylabel="alpha", x=(0.0, 0.1, 0.2), series=rows))
    means = {line.get_label(): list(line.get_ydata()) for line in axes.lines}
    assert means["as claimed (mean, 2 seeds)"] == [0.0, 2.0, 5.0]
    assert means["specific (mean, 1 seed)"] == [0.0, 1.0, 2.0]
    assert list(axes.lines[1].get_xdata()) == [0.0, 0.1, 0.2] and axes.get_xlabel() == "rate"
    spread = DosePlot(xlabel="", ylabel="", x=(0.0, 1e-5, 5e-3), series=rows)
    assert list(on_axes(spread).lines[1].get_xdata()) == [0, 1, 2]


def test_curves_have_the_band_that_is_not_specific():
    finding = next(f for claim in PAGE.claims for f in claim.findings if f.curves)
    axes = on_axes(finding.curves, PAGE.curves)
    assert {"learning rate", "length"} <= set(axes.get_legend_handles_labels()[1])
    assert axes.get_xscale() == "log"
    squares = [line for line in axes.lines if line.get_marker() == "s" and line.get_ms() == 5]
    known = [point for point in finding.curves.points if point.x is not None]
    drawn_at = [float(line.get_xdata()[0]) for line in squares]
    assert [x for x in drawn_at if x == x] == pytest.approx([math.exp(p.x) for p in known])


HOSTILE = "$\\frac{1}$ & <script>"


@pytest.mark.parametrize(
    "plot",
    [
        DosePlot(xlabel="", ylabel="", x=(), series=()),
        PairedPlot(ylabel=HOSTILE, arms=(HOSTILE,), series=(Series(0, (1.0,)),)),
        BarsPlot(ylabel=HOSTILE, x=(HOSTILE,) * 9, series=(Series(0, (None,) * 9),)),
        RelationPlot(xlabel=HOSTILE, ylabel="", points=(RelationPoint(HOSTILE, HOSTILE, 1, 2),)),
        CurvesPlot(ylabel="", curves=7, seeds=(), points=()),
    ],
)
def test_empty_and_hostile_plots_are_drawn(plot):
    file = drawing(lambda axes: drawn.onto(axes, plot), "svg")
    assert b"<script" not in file and ET.fromstring(file) is not None


def test_nothing_to_draw_is_no_figure():
    bare = msgspec.structs.replace(PAGE, claims=(), pictures=())
    assert not dict(figures(bare))


@pytest.mark.parametrize("joined, style", [(True, "-"), (False, "None")])
def test_the_points_of_a_path_are_joined_and_those_of_arms_are_not(joined, style):
    points = tuple(RelationPoint(f"{k}", "noise", float(k), float(k)) for k in range(3))
    with drawn.page() as (_, axes):
        drawn.onto(axes, RelationPlot(xlabel="x", ylabel="y", points=points, joined=joined))
        assert [line.get_linestyle() for line in axes.lines] == [style]
