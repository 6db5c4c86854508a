"""A study's data for pictures and tables."""

from __future__ import annotations

from typing import TypedDict

from msgspec import Struct

from ddiv.report.schema.common import Rows


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
