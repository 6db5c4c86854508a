"""The section "Fit or regularisation?": how much of each effect is left at equal clean training
loss.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from ddiv.report.text import count, in_a_row, is_number, number, share


def section(
    rows: list[dict], findings: list[dict], titles: dict[str, str], plots: list[dict]
) -> dict[str, Any] | None:
    """The sentence, one plot for each study (appended to `plots`) and the rows of the table; None
    without rows.
    """
    if not rows:
        return None
    anchors = {f["test"]: f["anchor"] for f in findings if f.get("test")}
    rows = [
        dict(row, study=row.get("study") or "—", anchor=anchors.get(row.get("test")))
        for row in rows
    ]
    panels, families = [], list(dict.fromkeys(str(row.get("family") or "—") for row in rows))
    for study in dict.fromkeys(row["study"] for row in rows):
        here = [row for row in rows if row["study"] == study]
        points = [
            _point(row)
            for row in here
            if is_number(row.get("equal")) and is_number(row.get("matched"))
        ]
        if points:
            panels.append(
                {
                    "title": titles.get(study, study),
                    "plot": len(plots),
                    "left_out": len(here) - len(points),
                }
            )
            plots.append({"kind": "fit", "families": families, "points": points})
    return {"rows": rows, "panels": panels, "sentence": _sentence(rows)}


def _point(row: dict) -> dict:
    def line(name: str, effect: str, standardised: str, verdict: str) -> str:
        return (
            f"{name}: {number(row.get(effect), True)} {row.get('unit') or ''} "
            f"({number(row[standardised], True)} sd), {row.get(verdict)}"
        )

    return {
        "x": row["equal"],
        "y": row["matched"],
        "family": str(row.get("family") or "—"),
        "anchor": row["anchor"],
        "kept": row.get("verdict") == row.get("matched_verdict"),
        "decided": {row.get("verdict"), row.get("matched_verdict")} != {"inconclusive"},
        "name": ", ".join(filter(None, (row.get("claim"), row.get("variant")))),
        "lines": [
            line("equal epochs", "effect", "equal", "verdict"),
            line("equal fit", "matched_effect", "matched", "matched_verdict"),
            f"share left: {share(row.get('share'))}",
        ],
    }


def _sentence(rows: list[dict]) -> str:
    supported = [row for row in rows if row.get("verdict") == "supported"]
    if not supported:
        return "No effect was supported at equal epochs."
    at_fit = Counter(row.get("matched_verdict") or "unmatched" for row in supported)
    order = ("supported", "contradicted", "inconclusive", "unmatched")
    words = [word for word in dict.fromkeys([*order, *at_fit]) if at_fit[word]]
    verb = "is" if at_fit[words[0]] == 1 else "are"
    parts = [
        f"{at_fit[words[0]]:,} {verb} {words[0]}",
        *(f"{at_fit[word]:,} {word}" for word in words[1:]),
    ]
    return f"Of the {count(len(supported), 'finding')} supported at equal epochs, at equal fit {in_a_row(parts)}."
