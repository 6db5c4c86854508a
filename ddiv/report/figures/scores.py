"""The tables of accuracy and calibration for the template.

Heads stand in two rows, and the best of a column is marked.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from ddiv.report.schema import ArrangedCell, ArrangedRow, Block, ScoreRow, Scores, ScoreTable

LOWER_IS_BETTER = ("ece", "nll", "brier", "loss", "error")

HIGHER_IS_BETTER = ("acc", "accuracy", "top-1", "auc", "f1")


def score_table(table: Scores) -> ScoreTable:
    """Heads grouped by their first words, the paper's arms apart from the others."""
    heads = [_split(column) for column in table.columns]
    groups: list[tuple[str, int]] = []
    starts = set()
    for i, (head, _) in enumerate(heads):
        if groups and groups[-1][0] == head:
            groups[-1] = head, groups[-1][1] + 1
        else:
            groups.append((head, 1))
            starts.add(i)
    better = (*table.better, *map(_better, table.columns[len(table.better) :]))
    return ScoreTable(
        study=table.study,
        columns=table.columns,
        note=table.note,
        groups=tuple(groups),
        subheads=tuple(tail for _, tail in heads),
        two_levels=any(tail for _, tail in heads),
        starts=frozenset(starts),
        better=better,
        paper_like=_block(table.rows, better),
        others=_block(table.further, better),
    )


def _split(column: str) -> tuple[str, str]:
    """The head of a column, and its last word where it has several."""
    head, _, tail = column.rpartition(" ")
    return (head, tail) if head else (column, "")


def _block(rows: Sequence[ScoreRow], better: Sequence[str | None]) -> Block:
    """The rows, the baseline's first, with the best of each column marked."""
    first = sorted(rows, key=lambda row: (row.group or row.arm) != "baseline")
    table = [[_cell(row, i) for i in range(len(row.cells))] for row in first]
    for i, way in enumerate(better):
        column = [cells for cells in table if len(cells) > i and cells[i].mean is not None]
        for cells, cell in zip(column, _column([cells[i] for cells in column], way)):
            cells[i] = cell
    arranged = tuple(
        ArrangedRow(row.arm, row.group, cells=tuple(cells)) for row, cells in zip(first, table)
    )
    return Block(arranged, any(cell.delta is not None for cells in table for cell in cells))


def _cell(row: ScoreRow, i: int) -> ArrangedCell:
    cell = row.cells[i]
    return ArrangedCell(**msgspec.structs.asdict(cell)) if cell else ArrangedCell()


def _column(cells: Sequence[ArrangedCell], way: str | None) -> list[ArrangedCell]:
    """The cells of a column that have a mean, with the column's decimals; the best is marked."""
    means = [cell.mean for cell in cells if cell.mean is not None]
    if not means:
        return []
    largest = max(map(abs, means))
    digits = 3 if largest < 10 else 2 if largest < 100 else 1
    rounded = [round(mean, digits) for mean in means]
    best = max(rounded) if way == "higher" else min(rounded) if way == "lower" else None
    return [
        msgspec.structs.replace(cell, digits=digits, best=len(cells) > 1 and mean == best)
        for cell, mean in zip(cells, rounded)
    ]


def _better(column: str) -> str | None:
    words = column.lower().split()
    if any(word in LOWER_IS_BETTER for word in words):
        return "lower"
    return "higher" if any(word in HIGHER_IS_BETTER for word in words) else None
