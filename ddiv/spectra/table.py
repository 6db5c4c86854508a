"""An analysis as text: a line a matrix, as many columns as the terminal takes, and footnotes."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from statistics import median
from string import ascii_lowercase
from typing import TYPE_CHECKING, NamedTuple

from ddiv.common.printed import one_line

if TYPE_CHECKING:
    from ddiv.spectra.analysis import Analysis, Layer

GAP = "  "

SHORTEST_NAME = 24

REASONS_SHOWN = 6


class Column(NamedTuple):
    """A column's head and one text a row.

    keep: on a narrow terminal, columns with the smallest are left out first; right: aligned so.
    """

    head: str
    cells: list[str]
    keep: int
    right: bool = True


def text(analysis: Analysis, *, width: int | None = None, verbose: bool = False) -> str:
    """The whole answer: table, footnotes, medians, phases and what was skipped.

    An exponent whose fit cannot be relied on carries letters, explained below the table; the
    medians leave it out. width: in characters, None for any; verbose: every skipped parameter by
    name, not only counts by reason.
    """
    layers = analysis.layers
    marks = _marks(reason for layer in layers for reason in layer.fit.reasons)
    lines = [*table(_columns(layers, marks), width), ""]
    for reason, mark in marks.items():
        weak = sum(reason in layer.fit.reasons for layer in layers)
        lines.append(f"{mark}  {weak} with an alpha that is not reliable: {reason}")
    if strange := sum(layer.mp is not None and not layer.mp.accepted for layer in layers):
        lines.append(
            f"*  {strange} whose Marchenko-Pastur fit is not accepted: soft rank and spikes only "
            "describe"
        )
    lines += [medians(layers), *_phases(layers), *left_out(analysis.skipped, verbose)]
    return "\n".join(lines)


def table(columns: Sequence[Column], width: int | None) -> list[str]:
    """Header and rows, aligned.

    Until the lines fit ``width``, the first column is shortened and then others are left out.
    """
    shown = list(columns)
    sizes = {c.head: max(map(len, (c.head, *c.cells))) for c in shown}

    def over() -> int:
        """By how many characters the lines are too long; 0 or less where they fit."""
        if width is None:
            return 0
        return sum(sizes[c.head] + len(GAP) for c in shown) - len(GAP) - width

    def shorten(at_least: int) -> None:
        size = sizes[shown[0].head]
        sizes[shown[0].head] = max(min(at_least, size), size - over())

    if over() > 0:
        shorten(SHORTEST_NAME)
    while over() > 0 and len(shown) > 2:
        shown.remove(min(shown[1:], key=lambda c: c.keep))
    if len(shown) < len(columns):
        sizes[shown[0].head] = max(map(len, (shown[0].head, *shown[0].cells)))
    if over() > 0:
        shorten(8)
    lines = []
    for row in zip(*((c.head, *c.cells) for c in shown)):
        cells = []
        for column, cell in zip(shown, row):
            size = sizes[column.head]
            cell = _shortened(cell, size)
            cells.append(cell.rjust(size) if column.right else cell.ljust(size))
        lines.append(GAP.join(cells).rstrip())
    if left := [c.head for c in columns if c not in shown and c.head.strip()]:
        lines.append(f"(too narrow for {', '.join(left)}; --csv has all)")
    return lines


def left_out(skipped: Sequence[tuple[str, str]], verbose: bool = False) -> list[str]:
    """Lines on the parameters that were not analysed: counts by reason, or each by name."""
    if not skipped:
        return ["nothing was skipped"]
    lines = [f"skipped {plural(len(skipped), 'parameter')}:"]
    if verbose:
        return [*lines, *(f"  {one_line(name)}: {one_line(reason)}" for name, reason in skipped)]
    reasons = Counter(reason for _, reason in skipped).most_common()
    lines += [f"{n:>5}  {one_line(reason)}" for reason, n in reasons[:REASONS_SHOWN]]
    if rest := reasons[REASONS_SHOWN:]:
        lines.append(f"{sum(n for _, n in rest):>5}  for {len(rest)} other reasons (--verbose)")
    return lines


def plural(n: int, one: str, many: str | None = None) -> str:
    """A number of things: "1 matrix", "2 matrices"; many: by default `one` and an s."""
    return f"{n} {one if n == 1 else many or one + 's'}"


def number(value: float | None, decimals: int | None = None) -> str:
    """A number with these decimals, or with three significant digits; a dash for None and NaN."""
    if value is None or math.isnan(value):
        return "—"
    return f"{value:#.3g}".rstrip(".") if decimals is None else f"{value:.{decimals}f}"


def size(layer: Layer) -> str:
    """The sides of the matrix, after the number of slices if they are pooled."""
    return (f"{layer.count} of " if layer.count > 1 else "") + f"{layer.N}×{layer.M}"


def _columns(layers: Sequence[Layer], marks: dict[str, str]) -> list[Column]:
    def column(head: str, keep: int, cell: Callable[[Layer], str], right: bool = True) -> Column:
        return Column(head, [cell(layer) for layer in layers], keep, right)

    def metric(name: str, decimals: int | None = None) -> Callable[[Layer], str]:
        return lambda layer: number(layer.metrics.get(name), decimals)

    def marked(layer: Layer) -> str:
        return "".join(sorted(marks[reason] for reason in layer.fit.reasons))

    columns = [
        column("layer", 99, lambda x: one_line(x.name), right=False),
        column("kind", 50, lambda x: x.kind, right=False),
        column("N×M", 60, size),
        column("alpha", 98, lambda x: number(x.fit.alpha, 2)),
        column("±", 70, lambda x: number(x.fit.sigma, 2)),
        column(" ", 97, marked, right=False),
    ]
    if any(layer.alpha_interval for layer in layers):
        columns.append(column("95 % of alpha", 65, _interval))
    columns += [
        column("D", 80, lambda x: number(x.fit.D, 3)),
        column("tail", 30, lambda x: str(x.fit.tail_size)),
        column("stable rank", 40, metric("stable_rank", 1)),
        column("‖W‖₂", 45, metric("spectral_norm")),
        column("entropy", 20, metric("entropy_normalised", 3)),
    ]
    if any(layer.mp for layer in layers):
        columns += [
            column("soft rank", 25, lambda x: number(x.mp.soft_rank if x.mp else None, 3)),
            column("spikes", 35, _spikes),
        ]
    if any(layer.random is not None for layer in layers):
        columns.append(column("‖W‖₂ permuted", 36, _permuted_norm))
    if any(layer.comparison for layer in layers):
        columns.append(column("best tail", 42, _best_tail, right=False))
    if any(layer.phase for layer in layers):
        columns.append(column("phase", 90, lambda x: x.phase.name if x.phase else "—", right=False))
    return columns


def _interval(layer: Layer) -> str:
    if layer.alpha_interval is None or math.isnan(layer.alpha_interval[0]):
        return "—"
    return "{:.2f} to {:.2f}".format(*layer.alpha_interval)


def _spikes(layer: Layer) -> str:
    return f"{layer.mp.num_spikes}{' ' if layer.mp.accepted else '*'}" if layer.mp else "—"


def _permuted_norm(layer: Layer) -> str:
    return "—" if layer.random is None else number(layer.random[-1] ** 0.5)


def _best_tail(layer: Layer) -> str:
    return layer.comparison.best if layer.comparison else "—"


def _marks(reasons: Iterable[str]) -> dict[str, str]:
    """A letter for each reason, most frequent first."""
    return {
        reason: ascii_lowercase[i % 26]
        for i, (reason, _) in enumerate(Counter(reasons).most_common())
    }


def medians(layers: Sequence[Layer]) -> str:
    """A line on a model: medians over its layers, of alpha and D over the reliable fits only."""
    reliable = [layer for layer in layers if layer.fit.reliable]
    parts = [plural(len(layers), "matrix", "matrices")]
    if reliable:
        alpha, D = _median(x.fit.alpha for x in reliable), _median(x.fit.D for x in reliable)
        over = plural(len(reliable), "reliable fit")
        parts.append(f"medians over {over}: alpha {number(alpha, 2)}, D {number(D, 3)}")
    else:
        parts.append("no reliable fit, so no median alpha")
    stable, entropy = (
        _median(x.metrics[name] for x in layers) for name in ("stable_rank", "entropy_normalised")
    )
    parts.append(f"medians over all: stable rank {number(stable, 1)}, entropy {number(entropy, 3)}")
    return "; ".join(parts)


def _phases(layers: Sequence[Layer]) -> list[str]:
    counts = Counter(layer.phase.name for layer in layers if layer.phase).most_common()
    return ["phases: " + ", ".join(f"{n} {name}" for name, n in counts)] if counts else []


def _median(values: Iterable[float]) -> float:
    there = [value for value in values if not math.isnan(value)]
    return median(there) if there else math.nan


def _shortened(cell: str, size: int) -> str:
    """A name cut in the middle, since names of layers differ at both ends."""
    if len(cell) <= size:
        return cell
    front = (size - 1) // 2
    return f"{cell[:front]}…{cell[len(cell) - (size - 1 - front) :]}"
