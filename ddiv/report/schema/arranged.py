"""The page as the templates read it: verdicts counted, claims grouped, anchors and plots numbered
(`ddiv.report.arrange`).
"""

from __future__ import annotations

from markupsafe import Markup
from msgspec import Struct

from ddiv.report.schema.findings import (
    Claim,
    Controls,
    Departure,
    Finding,
    OverStudies,
    PaperSays,
    TableAnswer,
)
from ddiv.report.schema.material import ScoreCell, ScoreRow
from ddiv.report.schema.pictures import Picture
from ddiv.report.schema.plots import Plot

# Words and how often each came, in the order of `text.VERDICTS`.
Counts = tuple[tuple[str, int], ...]


class Tally(Struct, frozen=True, kw_only=True):
    """Findings counted: their verdicts, and their marks."""

    claimed: Counts  # verdicts as claimed
    specific: Counts  # verdicts on what is specific
    known: dict[str, int]  # verdict -> how many of it the ledger expects
    surprise: int
    unexpected: int
    differs: int
    divided: int
    starred: int
    starred_specific: int
    failing: int
    negligible: int
    hardly_trained: int


class ArrangedFinding(Finding, frozen=True, kw_only=True):
    """A finding with its marks, and its place on the page."""

    anchor: str
    place: str = ""  # anchor of the claim
    places: str = ""  # its trials, as numbers of the page's and ranges of these
    key: str  # CSS class of the verdict
    of: str  # id of the claim
    guards: str  # that of the claim
    evalue: float | None  # evidence against for a contradicted finding, else that for
    digits: int | None  # decimals of its effects
    strip: Markup  # SVG of the effects
    plot_id: int | None = None  # index among the page's plots
    curves_id: int | None = None
    holds: int  # definitions under which it is supported
    specific_verdict: str | None
    known: bool  # the ledger expects the verdict
    surprise: bool  # a surprise that is sure, and fails the run
    unexpected: bool  # a surprise that is not sure
    differs: bool  # has another specific verdict
    divided: bool  # has another verdict under another definition
    starred: bool  # is on the list
    starred_specific: bool  # is on the list of what is specific
    failing: bool  # is a negative control that came out supported, not only by luck


class Cell(Struct, frozen=True, kw_only=True):
    """The findings of a claim in one study."""

    tally: Tally
    verdict: str | None  # where all have the same
    n: int
    study: str


class ArrangedAnswer(TableAnswer, frozen=True, kw_only=True):
    """What the authors' tables say in one variant, with its dots."""

    strip: Markup  # SVG of the effects
    by_group: str  # "ViT 4 of 4, ..."


class Columns(Struct, frozen=True, kw_only=True):
    """A claim's three columns: the paper, its authors' tables, and retraining."""

    paper: PaperSays | None
    tables: tuple[ArrangedAnswer, ...]
    tables_tally: Counts  # verdicts of the variants that the tables answer
    described: Counts  # of findings on studies that do what the text says
    coded: Counts  # on studies that do what the published code does


class ArrangedClaim(Claim, frozen=True, kw_only=True):
    """A claim with its findings counted, and its place on the page."""

    anchor: str
    findings: tuple[ArrangedFinding, ...]
    tally: Tally
    cells: tuple[Cell | None, ...] = ()  # one a study
    over: tuple[OverStudies, ...] = ()  # one a variant
    over_tally: Counts = ()
    columns: Columns | None = None  # None of claims that are not the paper's


class ArrangedFamily(Struct, frozen=True):
    """A family with its claims, and its place on the page."""

    anchor: str
    title: str
    claims: tuple[ArrangedClaim, ...]
    controls: Controls | None


class Link(Struct, frozen=True):
    """A claim that a picture is about; without an anchor the run did not ask it."""

    id: str
    anchor: str | None = None
    tally: Counts = ()


class ArrangedDeparture(Departure, frozen=True, kw_only=True):
    """A departure of the published code, with links to the claims that it bears on and to those
    that measure it.
    """

    bears_on: tuple[Link, ...]
    measured: tuple[Link, ...]


class ArrangedPicture(Picture, frozen=True, kw_only=True):
    """A picture with links to its claims."""

    links: tuple[Link, ...]


class ArrangedCell(ScoreCell, frozen=True):
    """A cell with the decimals of its column."""

    digits: int | None = None
    best: bool = False  # of its column


class ArrangedRow(ScoreRow, frozen=True, kw_only=True):
    """A row in which every column has a cell."""

    cells: tuple[ArrangedCell, ...]


class Block(Struct, frozen=True):
    """Rows of a table of scores."""

    rows: tuple[ArrangedRow, ...]
    deltas: bool  # whether a cell has a difference from the baseline


class ScoreTable(Struct, frozen=True, kw_only=True):
    """A table of scores with its heads in two rows."""

    study: str
    columns: tuple[str, ...]
    note: str
    groups: tuple[tuple[str, int], ...]  # a head and how many columns stand under it
    subheads: tuple[str, ...]
    two_levels: bool  # whether there are subheads
    starts: frozenset[int]  # columns that begin a group
    better: tuple[str | None, ...]
    paper_like: Block
    others: Block


class BothVerdicts(Struct, frozen=True):
    """A finding's two verdicts, in a cell of the table "A slower optimiser alone"."""

    claimed: str
    specific: str | None  # None where it has none
    anchor: str


class SlowerRow(Struct, frozen=True):
    """One headline outcome of a slower optimiser, with a cell a study."""

    outcome: str
    cells: tuple[BothVerdicts | None, ...]


class SpecificCount(Struct, frozen=True):
    """Of a family's findings that are supported as claimed: those with a specific verdict, and
    those that it supports too.
    """

    family: str
    supported: int
    compared: int
    specific: int


class Unspecific(Struct, frozen=True):
    """Claims without a specific verdict, as (id, anchor), and why they have none."""

    why: str
    claims: tuple[tuple[str, str], ...]


class SpecificSection(Struct, frozen=True, kw_only=True):
    """The section "A slower optimiser alone"."""

    sentence: str
    statement: str  # that of the claim whose findings are the rows
    studies: tuple[str, ...]
    rows: tuple[SlowerRow, ...]
    counts: tuple[SpecificCount, ...]
    without: tuple[Unspecific, ...]
    controls: Controls | None  # members held out of the family, which must not be specific


class Share(Struct, frozen=True, kw_only=True):
    """How many of the answered questions hold."""

    counts: Counts  # of the answers
    holds: int
    of: int


class OverviewRow(Struct, frozen=True, kw_only=True):
    """All claims, or those of a family, as the first screen shows them."""

    title: str
    anchor: str  # "" of the row of all
    claimed: Share  # findings, as claimed
    specific: Share | None  # those with a specific verdict
    tables: Share | None  # variants that the authors' tables answer
    waiting: int  # findings that the run has not come to


class Overview(Struct, frozen=True, kw_only=True):
    """The picture of the first screen."""

    rows: tuple[OverviewRow, ...]
    has_specific: bool
    has_tables: bool


class Arranged(Struct, frozen=True, kw_only=True):
    """The names that the template knows, beside the page itself."""

    titles: dict[str, str]  # of the studies that have findings, in the order of columns
    overview: Overview | None  # None where nothing is answered
    families: tuple[ArrangedFamily, ...]
    findings: tuple[ArrangedFinding, ...]
    plots: tuple[Plot, ...]
    tally: Tally
    tested: Tally  # without negative controls
    held: Controls  # of all families, not pooled
    alarming: bool  # whether a family's controls failed
    over_studies: bool  # whether a claim has a verdict over studies
    summary: str
    takeaway: str  # what the first screen shows, in a sentence
    alarms: tuple[str, ...]
    notes: tuple[str, ...]  # what is told and alarms nobody
    open_claims: bool  # whether claims start open
    tables: tuple[ScoreTable, ...]
    pictures: tuple[ArrangedPicture, ...]
    decides: float | None  # evidence at which a verdict falls
    agreeing: tuple[str, float] | None  # seeds that all agree, in words, and the evidence then
    specific: SpecificSection | None
    three_columns: bool  # whether a claim has them
    departures: tuple[ArrangedDeparture, ...]
    trials: tuple[str, ...]  # keys, each once
    saved: int | None  # trials, by adding seeds only where they can decide
    most_findings: int  # length of the longest bar of seeds
