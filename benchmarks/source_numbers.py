"""The numbers that the sources give, and the measured ones beside them.

    ddiv findings --store FOLDER --json embedded.json     # of one run; others likewise
    python benchmarks/source_numbers.py embedded.json ... > benchmarks/results/numbers.md

Why they differ in size: docs/explanation/numbers.md. Controls and what has no verdict are left out.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from columns import VERDICTS, lines, signed

from ddiv.report.columns import paper_says

Row = dict[str, Any]

# What sources beside the paper give: the number, and of what.
NEIGHBOURS = {
    "init-memory": ("26.5 points", "range of ResNet-9's accuracy on CIFAR-10 over scales"),
    "guided-expansion": ("13.5 %", "more accuracy than unguided expansion with Stable Diffusion"),
    "cutmix-order": ("orders alone", "CutMix before Cutout before no augmentation"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("findings", type=Path, nargs="+")
    rows = [
        row
        for path in parser.parse_args().findings
        for row in json.loads(path.read_text("utf-8"))["rows"]
        if row["verdict"] in VERDICTS and not row["control_of"]
    ]
    print("# The sources' numbers, and ours\n")
    print(
        "Made by `python benchmarks/source_numbers.py`. Medians over seeds with their intervals.\n"
    )
    names = ("claim", "the source", "of", "study", "variant", "ours", "of", "verdict", "seeds")
    print(lines(names, beside(rows)))


def beside(rows: Sequence[Row]) -> Iterable[Sequence[str]]:
    for claim in dict.fromkeys(row["claim"] for row in rows):
        if (told := source(claim)) is None:
            continue
        for row in rows:
            if row["claim"] == claim:
                interval = f" [{signed(row['low'])}, {signed(row['high'])}]"
                yield (
                    claim,
                    *told,
                    f"{row['study']} ({row['profile']})",
                    row["variant"],
                    signed(row["effect"]) + interval * (row["low"] is not None),
                    row["unit"].replace("|", "/"),
                    row["verdict"],
                    str(len(row["seeds"])),
                )


def source(claim: str) -> tuple[str, str] | None:
    """The number that a claim's source gives, and of what; None where it gives none."""
    if claim in NEIGHBOURS:
        return NEIGHBOURS[claim]
    says = paper_says(claim)
    return (says.number, says.direction) if says and says.number else None


if __name__ == "__main__":
    main()
