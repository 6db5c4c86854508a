"""How large a page is, and what it keeps of its numbers."""

import msgspec
import numpy as np

from ddiv.report import render, thinned
from ddiv.report.figures import sheets, words
from ddiv.report.figures.drawn import page as figure
from ddiv.report.schema import ContactSheet, DosePlot, Page, Series
from tests.support.sample_page import sample_page

# Bytes that a further finding of the sample may add, packed with its plot: a tenth more than
# the 499 that were measured.
MOST = 550


def test_a_page_grows_little_with_a_finding():
    bare = {"pictures": (), "materials": (), "generators": (), "contact_sheets": ()}
    pages = [msgspec.structs.replace(sample_page(n), **bare) for n in (14, 42)]
    small, large = (len(render(page).encode()) for page in pages)
    few, many = (sum(len(claim.findings) for claim in page.claims) for page in pages)
    assert (large - small) / (many - few) < MOST


def test_changes_are_kept_to_a_part_of_what_a_plot_shows():
    draw = np.random.default_rng(0)
    values = draw.normal(3, 0.2, (7, 5))
    values[2, 1] = values[0, 3] = np.nan
    rows = tuple(tuple(None if np.isnan(v) else v for v in row) for row in values)
    kept = thinned.stepped(rows)
    first, *others = (np.array(row, dtype=float) for row in kept["rows"])
    again = np.array([first, *(row + np.nan_to_num(first) for row in others)]) * kept["step"]
    assert np.array_equal(np.isnan(again), np.isnan(values))
    assert np.nanmax(np.abs(again - values)) < np.nanstd(values) / 100
    assert thinned.stepped(((None, None),))["rows"] == [[None, None]]
    assert thinned.stepped(((2.0,), (2.0,)))["step"] > 0


def test_a_plot_keeps_the_decimals_that_its_height_shows():
    series = (Series(0, (1234.5678, 1234.9, None)), Series(1, (1234.0, 1236.0, 1235.0)))
    (kept,) = thinned.plots([DosePlot(xlabel="x", ylabel="y", x=(1.0, 2.0, 3.0), series=series)])
    # four significant digits at most, here with no decimals
    assert kept["series"][0]["y"] == [1235.0, 1235.0, None] and kept["x"] == [1.0, 2.0, 3.0]
    wide = (Series(0, (0.00012345, 1.23456)),)
    (kept,) = thinned.plots([DosePlot(xlabel="x", ylabel="y", x=(1.0, 2.0), series=wide)])
    assert kept["series"][0]["y"] == [0.0, 1.235]


def test_sheets_of_data_that_differ_in_their_draws_are_shown_once(monkeypatch):
    monkeypatch.setattr(sheets, "of_study", lambda of: of)
    shown = [ContactSheet(study=name, caption=text) for name, text in zip("abc", "xyx")]
    told = [(one.study, one.caption) for one in sheets.of_studies(shown)]
    assert told == [("a", "x c: other draws of these."), ("b", "y")]


def test_words_of_near_marks_are_put_apart():
    with figure() as (canvas, axes):
        for k, x in enumerate((0.0, 0.001, 0.002, 0.003, 1.0)):
            axes.plot(x, 0.0, "o")
            words.word(axes, f"path {k}", x, 0.0)
        canvas.draw_without_rendering()
        words.spread(axes)
        heights = [text.get_position()[1] for text in axes.texts]
        assert len(set(heights[:4])) == 4 and heights[4] == heights[0] == words.OFFSETS[0]
        seen = [text.arrow_patch.get_visible() for text in axes.texts]
        assert seen == [False, False, True, True, False]


def test_a_page_without_findings_is_small():
    assert len(render(Page()).encode()) < 120_000
