"""The plots of findings."""

from __future__ import annotations

from msgspec import Struct


class Series(Struct, frozen=True, omit_defaults=True):
    """One seed of a plot."""

    seed: int
    y: tuple[float | None, ...]
    # what of it is specific, None where an arm cannot be matched
    specific: tuple[float | None, ...] | None = None


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


class LinesPlot(Struct, frozen=True, tag="lines", tag_field="kind", kw_only=True):
    """Several named curves over the same places, each with a line a seed and their mean."""

    xlabel: str
    ylabel: str
    x: tuple[float | str, ...]  # numbers in their order, or names
    names: tuple[str, ...]
    series: tuple[tuple[Series, ...], ...]  # a row a name


class RelationPoint(Struct, frozen=True):
    """One arm.

    The script has a marker for each group of `Treatment.group`, and for "very large dropout" and
    "further augmentation".
    """

    label: str
    group: str
    x: float | None
    y: float | None


class RelationPlot(
    Struct, frozen=True, tag="relation", tag_field="kind", kw_only=True, omit_defaults=True
):
    """Two numbers of each arm; the points of a group are `joined` in their order, or not."""

    xlabel: str
    ylabel: str
    points: tuple[RelationPoint, ...]
    joined: bool = False


class EstimatesLine(Struct, frozen=True, kw_only=True):
    """Estimates at the places of a plot, with the ends of their 95 % intervals."""

    label: str
    y: tuple[float | None, ...]
    low: tuple[float | None, ...]
    high: tuple[float | None, ...]


class EstimatesPlot(Struct, frozen=True, tag="estimates", tag_field="kind", kw_only=True):
    """Lines of estimates over places such as layers or epochs; with `ratio` on a log axis."""

    xlabel: str
    ylabel: str
    x: tuple[str, ...]  # names
    lines: tuple[EstimatesLine, ...]
    ratio: bool = False


class FamilyCurves(Struct, frozen=True, kw_only=True):
    """The optimiser's family on one outcome of a study, as two curves a seed.

    `x` is the log of a member's clean training loss less that of the baseline's, `y` the change of
    the outcome against the baseline, each (seeds, members). `rates` and `lengths` are places among
    the `members`, in the order of the factors; the baseline is in both.
    """

    study: str
    members: tuple[str, ...]
    rates: tuple[int, ...]
    lengths: tuple[int, ...]
    seeds: tuple[int, ...]
    x: tuple[tuple[float | None, ...], ...]
    y: tuple[tuple[float | None, ...], ...]
    margin: float  # an effect within it of a curve is not specific
    best: int | None = None  # the member that an effect on accuracy or calibration has to pass too


class ArmPoint(Struct, frozen=True, omit_defaults=True):
    """An arm beside the curves: means over seeds, and each seed where it is the only arm."""

    label: str
    x: float | None
    y: float | None
    by_seed: tuple[tuple[float | None, float | None], ...] = ()


class CurvesPlot(Struct, frozen=True, tag="curves", tag_field="kind", kw_only=True):
    """The arms of a finding beside the curves of the optimiser's family, which many findings share.

    `curves` is their place in `Page.curves`, `seeds` are those of the finding.
    """

    ylabel: str
    curves: int
    seeds: tuple[int, ...]
    points: tuple[ArmPoint, ...]


FindingPlot = DosePlot | PairedPlot | BarsPlot | LinesPlot | RelationPlot | EstimatesPlot

Plot = FindingPlot | CurvesPlot
