"""The page as frozen values: what a run is gathered into, and what the templates show of it.

`Page` is gathered from the store (`ddiv.report.gather`) and rendered (`ddiv.report.render`). Fields
with a default may be left out: the page then shows "—" or leaves a section out. NaN and infinities
count as missing, but an interval whose end is missing is open there. Strings are text, never
markup.

`Arranged` and the values below it are what the templates read: the page's data with verdicts
counted, claims grouped, and anchors and plots numbered (`ddiv.report.arrange`).

Values that the page's script draws become JSON under their own field names; there, a field that has
its default is left out.
"""

from __future__ import annotations

from typing import TypedDict

from markupsafe import Markup
from msgspec import Struct, field

# A name and its value, as a line of a card shows them.
Fact = tuple[str, str | float | None]

# A class and a text of it.
Quote = tuple[str, str]

# Table of a metric: a row an arm, in it one value a seed; None where there is none.
Rows = tuple[tuple[float | None, ...], ...]

# --- plots of findings --------------------------------------------------------------------------


class Series(Struct, frozen=True, omit_defaults=True):
    """One seed of a plot."""

    seed: int
    y: tuple[float | None, ...]
    # the same against the baseline at equal fit, None where it could not be matched
    matched: tuple[float | None, ...] | None = None


class DosePlot(Struct, frozen=True, tag="dose", tag_field="kind", kw_only=True):
    """A curve a seed over the doses of a ladder."""

    xlabel: str
    ylabel: str
    x: tuple[float, ...]  # doses
    series: tuple[Series, ...]


class PairedPlot(
    Struct, frozen=True, tag="paired", tag_field="kind", kw_only=True, omit_defaults=True
):
    """A line a seed from arm to arm."""

    xlabel: str | None = None
    ylabel: str
    arms: tuple[str, ...]
    series: tuple[Series, ...]


class BarsPlot(Struct, frozen=True, tag="bars", tag_field="kind", kw_only=True):
    """A bar a name, its height the mean over seeds, with a dot a seed."""

    ylabel: str
    x: tuple[str, ...]  # names
    series: tuple[Series, ...]


class RelationPoint(Struct, frozen=True):
    """One arm.

    The script has a marker for each group of `Treatment.group`, and for "very large dropout" and
    "further augmentation".
    """

    label: str
    group: str
    x: float | None
    y: float | None


class RelationPlot(Struct, frozen=True, tag="relation", tag_field="kind", kw_only=True):
    """Two numbers of each arm."""

    xlabel: str
    ylabel: str
    points: tuple[RelationPoint, ...]


class FitPoint(Struct, frozen=True, kw_only=True):
    """One finding in the section "Fit or regularisation?"."""

    x: float  # effect at equal epochs, standardised
    y: float  # effect at equal fit, in the same unit
    family: str
    anchor: str | None  # of the finding
    kept: bool  # whether both verdicts are the same
    decided: bool  # whether one of them is not "inconclusive"
    name: str
    lines: tuple[str, ...]


class FitPlot(Struct, frozen=True, tag="fit", tag_field="kind"):
    """The effects of a study at equal fit against those at equal epochs."""

    families: tuple[str, ...]
    points: tuple[FitPoint, ...]


FindingPlot = DosePlot | PairedPlot | BarsPlot | RelationPlot

Plot = FindingPlot | FitPlot

# --- claims and findings ------------------------------------------------------------------------


class Evidence(Struct, frozen=True, kw_only=True):
    """`ddiv.evidence.Evidence` with the seeds it comes from, its unit and its method in words."""

    verdict: str = ""
    e_for: float | None = None
    e_against: float | None = None
    effect: float | None = None
    interval: tuple[float | None, float | None] | None = None
    level: float | None = None
    standardised: float | None = None
    n: int | None = None
    decided_at: int | None = None  # number of seeds
    unit: str = ""
    effects: tuple[float | None, ...] = ()  # one a seed
    seeds: tuple[int, ...] = ()
    method: str = ""


class Expected(Struct, frozen=True):
    """What the ledger of known non-reproductions says of a finding."""

    verdict: str
    since: str  # ISO date
    reason: str


class Finding(Struct, frozen=True, kw_only=True):
    """One claim in one study and one variant."""

    test: str = ""  # id of the pytest item
    study: str = "—"
    variant: str = ""
    verdict: str = "not run"  # a word of `text.VERDICTS`
    # statement and direction of its own, where claims of one id say several things
    statement: str = ""
    direction: str | None = None
    expected: Expected | None = None
    note: str | None = None  # why it is not applicable, or was not run
    caveats: tuple[str, ...] = ()
    # name and verdict: the same question by other definitions of its metric
    definitions: tuple[tuple[str, str], ...] = ()
    evidence: Evidence | None = None  # at equal epochs
    matched: Evidence | None = None  # at equal clean training loss
    matched_note: str | None = None
    explained: str = ""  # why it is not supported
    # name, value, low and high end of a 95 % interval
    derived: tuple[tuple[str, float | None, float | None, float | None], ...] = ()
    plot: FindingPlot | None = None
    trials: tuple[str, ...] = ()  # keys of the records
    command: str = ""  # that asks it again


class Claim(Struct, frozen=True, kw_only=True):
    """One claim of the paper, or a negative control."""

    id: str = ""
    family: str = ""
    statement: str = ""
    source: str = ""  # where the paper says it
    direction: str | None = None  # "rises", "falls"; None where its findings differ in it
    command: str = ""  # that asks it again
    guards: str = ""  # the family that it is a negative control of
    findings: tuple[Finding, ...] = ()


class Family(Struct, frozen=True):
    """A family of claims."""

    id: str
    title: str


class Controls(Struct, frozen=True):
    """Of a family's negative controls: how many held, that is, were not supported."""

    held: int
    of: int


class Listed(Struct, frozen=True, kw_only=True):
    """The findings that are selected together as supported (e-BH)."""

    alpha: float  # share of the list that may be wrong
    of: int  # questions that were put
    repeats: int = 0  # findings that repeat another one's question
    tests: tuple[str, ...] = ()  # on the list, with those that repeat one on it


class OverStudies(Struct, frozen=True, kw_only=True):
    """One verdict on a claim's variant over all studies of the run."""

    claim: str = ""
    variant: str = ""
    verdict: str = ""
    e_for: float | None = None
    e_against: float | None = None
    somewhere: bool = False  # whether one study is enough for it to hold
    studies: dict[str, str] = field(default_factory=dict)  # study -> verdict


class Spent(Struct, frozen=True, kw_only=True):
    """Seeds and trials that a run took."""

    first: int  # seeds to start with
    most: int  # seeds
    budget: float | None = None  # seconds after which no seeds are added
    trials: int  # that were measured
    fixed: int  # trials that the most seeds for every claim would have taken
    by_seeds: tuple[tuple[int, int], ...] = ()  # seeds, and how many findings took that many


class FitRow(Struct, frozen=True, kw_only=True):
    """How much of one finding's effect is left at equal clean training loss."""

    claim: str = ""
    study: str = "—"
    variant: str = ""
    test: str = ""
    family: str = ""
    unit: str = ""
    note: str | None = None
    verdict: str = ""
    effect: float | None = None  # at equal epochs
    equal: float | None = None  # the same, standardised
    matched_verdict: str = ""
    matched_effect: float | None = None  # at equal fit
    matched: float | None = None  # the same over the spread at equal epochs
    share: float | None = None  # matched_effect / effect


# --- what a study can show: the data of pictures and tables -------------------------------------


class ChangedArm(Struct, frozen=True, omit_defaults=True):
    """One arm of a table of changes."""

    label: str
    group: str
    dose: float | None = None  # 0 to 1, relative to the largest dose of its kind
    diversity: float | None = None  # embedding Vendi Score of its images


class LayerChanges(Struct, frozen=True):
    """The changes layer by layer."""

    names: tuple[str, ...]
    kinds: tuple[str, ...]
    # metric -> group -> one value a layer, the median over seeds
    values: dict[str, dict[str, tuple[float | None, ...]]]


class Changes(Struct, frozen=True, kw_only=True):
    """How training changed the spectra of a study: metric after less metric before training."""

    seeds: tuple[int, ...]
    views: tuple[str, ...]  # groups of layers
    metrics: tuple[str, ...]
    values: dict[str, dict[str, Rows]]  # group of layers -> metric -> a row an arm
    arms: tuple[ChangedArm, ...]
    layers: LayerChanges


class ClassCount(Struct, frozen=True, omit_defaults=True, kw_only=True):
    """The diversity of a training set of few classes."""

    count: float  # classes
    n: int  # examples, the same for every count
    pixel: tuple[float, ...] | None = None  # Vendi Scores, one a view
    embedding: tuple[float, ...] | None = None


class DiverseArm(Struct, frozen=True, omit_defaults=True, kw_only=True):
    """The diversity of an arm's training set, and the accuracy that it led to."""

    label: str
    group: str
    pixel: tuple[float, ...] | None = None  # Vendi Scores, one a view
    embedding: tuple[float, ...] | None = None
    table: bool  # whether it is an arm of the paper's table 2
    id: float | None = None  # mean accuracy in domain
    ood: float | None = None  # mean accuracy out of domain


class Correlation(Struct, frozen=True):
    """Of mean Vendi Score and mean accuracy, over arms."""

    pearson: float
    spearman: float
    arms: int


class Diversity(Struct, frozen=True, kw_only=True):
    """The diversity of a study's training set under every treatment of data."""

    n: int  # examples
    classes: tuple[ClassCount, ...]
    arms: tuple[DiverseArm, ...]  # that of the plain data first
    correlations: dict[str, Correlation]  # by "pixel/id" and the like


class Histogram(TypedDict):
    """Densities of bins of equal width."""

    start: float
    width: float
    y: list[float]


class Points(TypedDict):
    """A line of points; without a y there is none."""

    x: list[float]
    y: list[float | None]


class Law(TypedDict):
    """A fitted Marchenko-Pastur law."""

    x: list[float]
    y: list[float]
    edges: list[float]
    accepted: bool


class PowerLaw(TypedDict):
    """A fitted power law."""

    alpha: float
    xmin: float
    share: float  # of the eigenvalues that follow it


class RandomCurves(TypedDict):
    """The curves of the permuted weights."""

    linear: list[float]  # densities on the bins of the spectrum
    log: Points
    ccdf: Points


class Curves(TypedDict, total=False):
    """One spectrum to draw, see `ddiv.report.figures.spectra.figure`."""

    linear: Histogram
    beyond: int
    largest: float
    n: int
    zeros: int
    log: Points
    ccdf: Points
    mp: Law
    spikes: list[float]
    fit: PowerLaw
    random: RandomCurves


class DenseLayer(Struct, frozen=True, omit_defaults=True, kw_only=True):
    """The spectrum of one layer after and before training; numbers are those after it."""

    name: str
    kind: str
    after: Curves
    before: Curves
    alpha: float | None = None
    reliable: bool  # whether alpha can be relied on
    tail: int  # eigenvalues in the fitted tail
    of: int  # eigenvalues


class Densities(Struct, frozen=True):
    """The spectra of a baseline's layers."""

    seed: int
    layers: tuple[DenseLayer, ...]


class ScoreCell(Struct, frozen=True):
    """One number of a table of scores."""

    mean: float | None = None
    sd: float | None = None  # over seeds
    delta: float | None = None  # mean paired difference from the baseline
    paper: float | None = None  # the paper's number
    paper_delta: float | None = None  # and its difference from the paper's baseline


class ScoreRow(Struct, frozen=True):
    """The scores of one arm; None where a column has none."""

    arm: str
    cells: tuple[ScoreCell | None, ...]
    group: str = ""


class Scores(Struct, frozen=True, kw_only=True):
    """A table of accuracy and calibration."""

    study: str
    columns: tuple[str, ...]  # such as "in domain acc"
    rows: tuple[ScoreRow, ...]  # arms of the paper's table
    further: tuple[ScoreRow, ...] = ()
    # "higher", "lower" or None a column; where it is too short, the column's name tells
    better: tuple[str | None, ...] = ()
    note: str = ""


class Material(Struct, frozen=True):
    """All that one study can show; None where the store has nothing of it."""

    study: str
    tower: str = ""  # the kind of network, such as "clip vit"
    changes: Changes | None = None
    diversity: Diversity | None = None
    densities: Densities | None = None
    scores: Scores | None = None


# --- the paper's pictures -----------------------------------------------------------------------


class Says(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A statement of the paper on a picture, and what it is compared with.

    Either `check` names a comparison of `pictures`, which reads `space`, `place` or `view`; or a
    `metric` is compared. Then a `group` moves it this `way`, or two groups move it `alike` or
    `unlike`, or the first of two groups moves it `further`.
    """

    text: str
    check: str = ""
    space: str = ""
    place: str = ""
    view: str = ""
    metric: str = ""
    group: str = ""
    way: int = 0
    alike: tuple[str, str] | None = None
    unlike: tuple[str, str] | None = None
    further: tuple[str, str] | None = None


class PaperMeaning(Struct, frozen=True, forbid_unknown_fields=True):
    """A row of the paper's table 1: what a change of a metric means, for weights and spectrum."""

    metric: str
    rises: tuple[str, str]
    falls: tuple[str, str]
    paper: dict[str, int]  # treatment -> 1 where the paper sees it rise, -1 where it falls


class PaperPicture(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A figure or table as `paper.toml` describes it."""

    id: str
    label: str = ""
    title: str = ""
    source: str = ""
    kind: str
    caption: str = ""
    claims: tuple[str, ...] = ()
    tower: str = ""
    groups: tuple[str, ...] = ()  # of arms
    pairs: tuple[tuple[str, str], ...] = ()  # of metrics
    by: str | None = None  # "pair": a panel a pair of metrics, else a panel a study
    view: str | None = None  # group of layers
    needs: tuple[str, ...] = ()  # groups of arms without which there is nothing to show
    says: tuple[Says, ...] = ()
    meaning: tuple[PaperMeaning, ...] = ()


class Compared(Struct, frozen=True):
    """One statement of the paper against one study."""

    text: str
    holds: bool | None  # whether its sign is the paper's; None where it is so in part
    title: str
    seeds: str = ""  # such as "4/5": how many agree with the paper


class StatementRow(Struct, frozen=True):
    """One statement of the paper; None where a study has nothing to compare."""

    text: str
    here: dict[str, Compared | None]  # study -> what it says


class Went(Struct, frozen=True):
    """A study in which a treatment moved a metric this way."""

    study: str
    seeds: str  # such as "4/5"
    all: bool  # whether all of its seeds agree


class Way(Struct, frozen=True, kw_only=True):
    """One direction of a metric."""

    word: str  # "rises" or "falls"
    arrow: str
    weights: str  # what it means for the weights
    spectrum: str  # what it means for the spectrum
    went: dict[str, tuple[Went, ...]]  # by treatment
    paper: tuple[str, ...]  # treatments that go this way in the paper


class Meaning(Struct, frozen=True):
    """A metric of table 1."""

    metric: str
    ways: tuple[Way, ...]


class Picture(PaperPicture, frozen=True, kw_only=True):
    """A picture with what the studies of a run have to show in it."""

    studies: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()  # sentences
    rows: tuple[StatementRow, ...] = ()
    meanings: tuple[Meaning, ...] = ()  # in place of rows, of table 1


# --- sheets -------------------------------------------------------------------------------------


class ContactSheet(Struct, frozen=True, kw_only=True):
    """Examples of a study's data, as one image or as quoted texts."""

    study: str = ""
    caption: str = ""
    png: str | None = None  # data URL
    texts: dict[str, tuple[Quote, ...]] | None = None  # by domain


class SampleRow(Struct, frozen=True, kw_only=True):
    """Samples of a generator in one setting and round, or real examples beside them."""

    name: str
    seed: int | None = None
    png: str | None = None  # data URL: one strip of images
    texts: tuple[Quote, ...] | None = None
    quality: dict[str, float] = field(default_factory=dict)  # by measure


class GeneratorSheet(Struct, frozen=True, kw_only=True):
    """Samples of a study's generator; the first row is of real training data."""

    study: str
    generator: str
    classes: tuple[str, ...]  # a column of the images each
    each: int  # images of every class
    rows: tuple[SampleRow, ...]
    measures: tuple[str, ...]  # of the samples' quality, in the order in which they are shown


# --- the page -----------------------------------------------------------------------------------


class RunFacts(Struct, frozen=True, kw_only=True):
    """How a run went."""

    seconds: float | None = None
    trials_trained: int | None = None
    trials_reused: int | None = None
    seconds_per_trial: float | None = None
    workers: int | None = None
    device: str = ""


class Domain(Struct, frozen=True):
    """A domain of a study's data."""

    id: str
    role: str  # "in domain" or "out of domain"


class Accuracy(Struct, frozen=True):
    """Accuracy of the baseline in one place, 0 to 1."""

    name: str
    mean: float | None = None
    sd: float | None = None  # over seeds


class StudyCard(Struct, frozen=True, kw_only=True):
    """What a study is."""

    id: str = ""
    title: str = ""
    description: str = ""
    facts: tuple[Fact, ...] = ()
    domains: tuple[Domain, ...] = ()
    baseline: tuple[Accuracy, ...] = ()


class Page(Struct, frozen=True, kw_only=True):
    """All that a page shows."""

    title: str = ""
    subtitle: str = ""
    generated: str = ""  # ISO time
    profile: str = ""
    command: str = ""  # how the run was started
    alpha: float | None = None  # level of each test
    seeds: tuple[int, ...] = ()  # to start with
    run: RunFacts | None = None
    spent: Spent | None = None
    listed: Listed | None = None
    over_studies: tuple[OverStudies, ...] = ()
    controls: dict[str, Controls] = field(default_factory=dict)  # by family
    fit: tuple[FitRow, ...] = ()
    studies: tuple[StudyCard, ...] = ()
    families: tuple[Family, ...] = ()
    claims: tuple[Claim, ...] = ()
    materials: tuple[Material, ...] = ()
    pictures: tuple[Picture, ...] = ()
    contact_sheets: tuple[ContactSheet, ...] = ()
    generators: tuple[GeneratorSheet, ...] = ()
    settings: tuple[Fact, ...] = ()
    versions: tuple[Fact, ...] = ()
    hardware: tuple[Fact, ...] = ()
    warnings: tuple[str, ...] = ()


# --- arranged for the templates -----------------------------------------------------------------

# Words and how often each came, in the order of `text.VERDICTS`.
Counts = tuple[tuple[str, int], ...]


class Tally(Struct, frozen=True, kw_only=True):
    """Findings counted: their verdicts, and their marks."""

    equal: Counts  # verdicts at equal epochs
    matched: Counts  # verdicts at equal fit
    known: dict[str, int]  # verdict -> how many of it the ledger expects
    surprise: int
    differs: int
    divided: int
    starred: int
    failing: int


class ArrangedFinding(Finding, frozen=True, kw_only=True):
    """A finding with its marks, and its place on the page."""

    anchor: str
    key: str  # CSS class of the verdict
    of: str  # id of the claim
    guards: str  # that of the claim
    evalue: float | None  # evidence against for a contradicted finding, else that for
    digits: int | None  # decimals of its effects
    strip: Markup  # SVG of the effects
    plot_id: int | None = None  # index among the page's plots
    holds: int  # definitions under which it is supported
    matched_verdict: str | None
    known: bool  # the ledger expects the verdict
    surprise: bool  # the ledger does not expect the verdict
    differs: bool  # has another verdict at equal fit
    divided: bool  # has another verdict under another definition
    starred: bool  # is on the list
    failing: bool  # is a negative control that came out supported


class Cell(Struct, frozen=True, kw_only=True):
    """The findings of a claim in one study."""

    tally: Tally
    verdict: str | None  # where all have the same
    n: int
    study: str


class ArrangedClaim(Claim, frozen=True, kw_only=True):
    """A claim with its findings counted, and its place on the page."""

    anchor: str
    findings: tuple[ArrangedFinding, ...]
    tally: Tally
    cells: tuple[Cell | None, ...] = ()  # one a study
    over: tuple[OverStudies, ...] = ()  # one a variant
    over_tally: Counts = ()


class ArrangedFamily(Struct, frozen=True):
    """A family with its claims."""

    title: str
    claims: tuple[ArrangedClaim, ...]
    controls: Controls | None


class Link(Struct, frozen=True):
    """A claim that a picture is about; without an anchor the run did not ask it."""

    id: str
    anchor: str | None = None
    tally: Counts = ()


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


class Panel(Struct, frozen=True):
    """One study's plot in the section "Fit or regularisation?"."""

    title: str
    plot: int  # index among the page's plots
    left_out: int  # findings that have no point in it


class ArrangedFitRow(FitRow, frozen=True, kw_only=True):
    """A row with a link to its finding."""

    anchor: str | None


class FitSection(Struct, frozen=True):
    """The section "Fit or regularisation?"."""

    rows: tuple[ArrangedFitRow, ...]
    panels: tuple[Panel, ...]
    sentence: str


class Arranged(Struct, frozen=True, kw_only=True):
    """The names that the template knows, beside the page itself."""

    titles: dict[str, str]  # of the studies that have findings, in the order of columns
    families: tuple[ArrangedFamily, ...]
    findings: tuple[ArrangedFinding, ...]
    plots: tuple[Plot, ...]
    tally: Tally
    tested: Tally  # without negative controls
    held: Controls  # of all families
    over_studies: bool  # whether a claim has a verdict over studies
    summary: str
    alarms: tuple[str, ...]
    open_claims: bool  # whether claims start open
    tables: tuple[ScoreTable, ...]
    pictures: tuple[ArrangedPicture, ...]
    decides: float | None  # evidence at which a verdict falls
    agreeing: tuple[str, float] | None  # seeds that all agree, in words, and the evidence then
    fit: FitSection | None
    saved: int | None  # trials, by adding seeds only where they can decide
    most_findings: int  # length of the longest bar of seeds
