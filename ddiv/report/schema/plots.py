"""The plots of findings."""

from __future__ import annotations

from msgspec import Struct


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
