"""The tables of accuracy and calibration, for the template: heads in two rows, the best of a column
marked.
"""

from __future__ import annotations

from ddiv.report.text import is_number

LOWER_IS_BETTER = ("ece", "nll", "brier", "loss", "error")
HIGHER_IS_BETTER = ("acc", "accuracy", "top-1", "auc", "f1")


def score_table(table: dict) -> dict:
    """A material's "scores" (see `render`): heads grouped by their first words, the paper's arms
    apart from the others.
    """
    columns = [str(c) for c in table.get("columns") or []]
    split = [c.rsplit(" ", 1) if " " in c else [c, ""] for c in columns]
    groups: list[list] = []
    for head, _ in split:
        if groups and groups[-1][0] == head:
            groups[-1][1] += 1
        else:
            groups.append([head, 1])
    better = list(table.get("better") or [])
    better += [_better(c) for c in columns[len(better) :]]
    blocks = {
        name: {"rows": _rows(table.get(rows), better)}
        for name, rows in (("paper_like", "rows"), ("others", "further"))
    }
    for block in blocks.values():
        block["deltas"] = any(
            is_number(cell.get("delta")) for row in block["rows"] for cell in row["cells"]
        )
    starts = set()
    for _, width in groups:
        starts.add(sum(w for _, w in groups[: len(starts)]))
    return dict(
        table,
        groups=groups,
        subheads=[tail for _, tail in split],
        better=better,
        **blocks,
        starts=starts,
        two_levels=any(tail for _, tail in split),
    )


def _rows(rows: list[dict] | None, better: list) -> list[dict]:
    rows = [
        dict(row, cells=[dict(cell or {}) for cell in row.get("cells") or []]) for row in rows or []
    ]
    rows.sort(key=lambda row: (row.get("group") or row.get("arm")) != "baseline")
    for i, way in enumerate(better):
        column = [row["cells"][i] for row in rows if len(row["cells"]) > i]
        cells = [cell for cell in column if is_number(cell.get("mean"))]
        if not cells:
            continue
        largest = max(abs(cell["mean"]) for cell in cells)
        digits = 3 if largest < 10 else 2 if largest < 100 else 1
        best = {"higher": max, "lower": min}.get(way, lambda _: None)(
            [round(c["mean"], digits) for c in cells]
        )
        for cell in cells:
            cell["digits"], cell["best"] = (
                digits,
                len(cells) > 1 and round(cell["mean"], digits) == best,
            )
    return rows


def _better(column: str) -> str | None:
    words = column.lower().split()
    if any(word in LOWER_IS_BETTER for word in words):
        return "lower"
    return "higher" if any(word in HIGHER_IS_BETTER for word in words) else None
