"""An analysis as text: a line a matrix, as many columns as the terminal takes, and what to know
with them.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from statistics import median
from string import ascii_lowercase
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from ddiv.spectra.analysis import Analysis, Layer

GAP = "  "
SHORTEST_NAME = 24
REASONS_SHOWN = 6


class Column(NamedTuple):
    """head and one text a row; ``keep``: the column with the smallest goes first where the terminal
    is narrow.
    """

    head: str
    cells: list[str]
    keep: int
    right: bool = True


def text(analysis: Analysis, *, width: int | None = None, verbose: bool = False) -> str:
    """The whole answer: table, footnotes, medians, phases and what was skipped. width: in
    characters, None for any.

    An exponent whose fit cannot be relied on carries letters, explained below the table; the
    medians leave it out. verbose: every skipped parameter by name, not only counts by reason.
    """
    layers = analysis.layers
    marks = _marks(reason for layer in layers for reason in layer.fit.reasons)
    lines = table(_columns(layers, marks), width) + [""]
    for reason, mark in marks.items():
        weak = _count(layers, lambda x, r=reason: r in x.fit.reasons)
        lines.append(f"{mark}  {weak} with an alpha that is not reliable: {reason}")
    if strange := _count(layers, lambda x: x.mp is not None and not x.mp.accepted):
        lines.append(
            f"*  {strange} whose Marchenko-Pastur fit is not accepted: soft rank and spikes only describe"
        )
    lines += [medians(layers), *_phases(layers), *left_out(analysis.skipped, verbose)]
    return "\n".join(lines)


def table(columns: Sequence[Column], width: int | None) -> list[str]:
    """Header and rows, aligned; the first column is shortened, then others are left out, until it
    fits ``width``.
    """
    shown = list(columns)
    sizes = {c.head: max(map(len, (c.head, *c.cells))) for c in shown}

    def too_wide() -> bool:
        return width is not None and sum(sizes[c.head] + len(GAP) for c in shown) - len(GAP) > width

    def shorten(at_least: int) -> None:
        over = sum(sizes[c.head] + len(GAP) for c in shown) - len(GAP) - width
        sizes[shown[0].head] = max(min(at_least, sizes[shown[0].head]), sizes[shown[0].head] - over)

    if too_wide():
        shorten(SHORTEST_NAME)
    while too_wide() and len(shown) > 2:
        shown.remove(min(shown[1:], key=lambda c: c.keep))
    if len(shown) < len(columns):
        sizes[shown[0].head] = max(map(len, (shown[0].head, *shown[0].cells)))
    if too_wide():
        shorten(8)
    lines = []
    for row in zip(*((c.head, *c.cells) for c in shown)):
        cells = [_shortened(cell, sizes[c.head]) for c, cell in zip(shown, row)]
        lines.append(
            GAP.join(
                cell.rjust(sizes[c.head]) if c.right else cell.ljust(sizes[c.head])
                for c, cell in zip(shown, cells)
            ).rstrip()
        )
    if left := [c.head for c in columns if c not in shown and c.head.strip()]:
        lines.append(f"(too narrow for {', '.join(left)}; --csv has all)")
    return lines


def left_out(skipped: Sequence[tuple[str, str]], verbose: bool = False) -> list[str]:
    """What was not analysed: by reason with counts, or each by name."""
    if not skipped:
        return ["nothing was skipped"]
    lines = [f"skipped {plural(len(skipped), 'parameter')}:"]
    if verbose:
        return lines + [f"  {plain(name)}: {plain(reason)}" for name, reason in skipped]
    reasons = Counter(reason for _, reason in skipped).most_common()
    lines += [f"{n:>5}  {plain(reason)}" for reason, n in reasons[:REASONS_SHOWN]]
    if rest := reasons[REASONS_SHOWN:]:
        lines.append(f"{sum(n for _, n in rest):>5}  for {len(rest)} other reasons (--verbose)")
    return lines


def plain(text: object) -> str:
    """Text from a file, without what a terminal would obey."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in str(text))


def plural(n: int, one: str, many: str | None = None) -> str:
    return f"{n} {one if n == 1 else many or one + 's'}"


def number(value: float | None, decimals: int | None = None) -> str:
    """So many decimals, or three significant digits; a dash for what there is not."""
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

    columns = [
        column("layer", 99, lambda x: plain(x.name), right=False),
        column("kind", 50, lambda x: x.kind, right=False),
        column("N×M", 60, size),
        column("alpha", 98, lambda x: number(x.fit.alpha, 2)),
        column("±", 70, lambda x: number(x.fit.sigma, 2)),
        column(
            " ",
            97,
            lambda x: "".join(sorted(marks[reason] for reason in x.fit.reasons)),
            right=False,
        ),
    ]
    if any(layer.alpha_interval for layer in layers):
        columns.append(
            column(
                "95 % of alpha",
                65,
                lambda x: (
                    "—"
                    if x.alpha_interval is None or math.isnan(x.alpha_interval[0])
                    else "{:.2f} to {:.2f}".format(*x.alpha_interval)
                ),
            )
        )
    columns += [
        column("D", 80, lambda x: number(x.fit.D, 3)),
        column("tail", 30, lambda x: str(x.fit.tail_size)),
        column("stable rank", 40, metric("stable_rank", 1)),
        column("‖W‖₂", 45, metric("spectral_norm")),
        column("entropy", 20, metric("entropy_normalised", 3)),
    ]
    if any(layer.mp for layer in layers):
        columns += [
            column("soft rank", 25, lambda x: number(x.mp and x.mp.soft_rank, 3)),
            column(
                "spikes",
                35,
                lambda x: f"{x.mp.num_spikes}{' ' if x.mp.accepted else '*'}" if x.mp else "—",
            ),
        ]
    if any(layer.random is not None for layer in layers):
        columns.append(
            column(
                "‖W‖₂ permuted",
                36,
                lambda x: "—" if x.random is None else number(x.random[-1] ** 0.5),
            )
        )
    if any(layer.comparison for layer in layers):
        columns.append(
            column(
                "best tail", 42, lambda x: x.comparison.best if x.comparison else "—", right=False
            )
        )
    if any(layer.phase for layer in layers):
        columns.append(column("phase", 90, lambda x: x.phase.name if x.phase else "—", right=False))
    return columns


def _marks(reasons: Iterable[str]) -> dict[str, str]:
    """A letter for each reason, most frequent first."""
    return {
        reason: ascii_lowercase[i % 26]
        for i, (reason, _) in enumerate(Counter(reasons).most_common())
    }


def medians(layers: Sequence[Layer]) -> str:
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
    phases = Counter(layer.phase.name for layer in layers if layer.phase)
    return (
        ["phases: " + ", ".join(f"{n} {name}" for name, n in phases.most_common())]
        if phases
        else []
    )


def _median(values: Iterable[float]) -> float:
    there = [value for value in values if not math.isnan(value)]
    return median(there) if there else math.nan


def _count(layers: Sequence[Layer], which: Callable[[Layer], bool]) -> int:
    return sum(map(which, layers))


def _shortened(cell: str, size: int) -> str:
    """The middle goes: names of layers differ at both ends."""
    if len(cell) <= size:
        return cell
    front = (size - 1) // 2
    return f"{cell[:front]}…{cell[len(cell) - (size - 1 - front) :]}"
