"""The three columns of each claim of the paper, and what each departure of the code comes to.

    ddiv findings --store FOLDER --json described.json     # of a run of the studies as described
    ddiv findings --store FOLDER --json coded.json         # of a run of those as coded
    python benchmarks/columns.py described.json coded.json > benchmarks/results/columns.md

Counts are of variants by studies. Controls are left out.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

from catalogue import line

from ddiv.report.columns import departures, is_coded, paper_says, tables_say
from ddiv.report.text import number

Row = dict[str, Any]

VERDICTS = ("supported", "contradicted", "inconclusive")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("described", type=Path)
    parser.add_argument("coded", type=Path)
    options = parser.parse_args()
    described, coded = (
        [row for row in json.loads(path.read_text("utf-8"))["rows"] if not row["control_of"]]
        for path in (options.described, options.coded)
    )
    print("# What the paper says, what its own tables say, what retraining says\n")
    print(
        "Made by `python benchmarks/columns.py`. Tables: verdicts over the authors' studies, a "
        "variant each, where they can be asked. Retraining: variants by studies, as the text "
        f"describes them ({studies(described)}) and as the published code has them "
        f"({studies(coded)}).\n"
    )
    print(
        lines(
            ("claim", "the paper", "its tables", "as described", "as coded"),
            claims(described, coded),
        )
    )
    print("\n## Where the code departs from the text\n")
    names = (
        "departure",
        "known",
        "claim, variant",
        "study",
        "verdict",
        "median effect",
        "seeds",
        "effect",
    )
    print(lines(names, consequences(coded)))


def studies(rows: Iterable[Row]) -> str:
    """Studies of the paper's claims as coded, or the others that have their like."""
    return ", ".join(sorted({row["study"] for row in rows if paper_says(row["claim"])}))


def claims(described: Sequence[Row], coded: Sequence[Row]) -> Iterable[Sequence[str]]:
    for claim in dict.fromkeys(row["claim"] for row in chain(described, coded)):
        says = paper_says(claim)
        if not says:
            continue
        yield (
            claim,
            f"{says.direction}{f' ({says.number})' if says.number else ''}",
            counts(one.verdict for one in tables_say(claim) if one.of),
            counts(row["verdict"] for row in described if row["claim"] == claim),
            counts(r["verdict"] for r in coded if r["claim"] == claim and is_coded(r["study"])),
        )


def consequences(coded: Sequence[Row]) -> Iterable[Sequence[str]]:
    for one in departures():
        for row in coded:
            if row["claim"] not in one.asked or row["verdict"] not in VERDICTS:
                continue
            name = ", ".join(filter(None, (row["claim"], row["variant"])))
            interval = f" [{signed(row['low'])}, {signed(row['high'])}]" * (row["low"] is not None)
            yield (
                one.code,
                one.known,
                name,
                row["study"],
                row["verdict"],
                signed(row["effect"]) + interval,
                str(len(row["seeds"])),
                row["unit"]
                if row["unit"] in row["outcome"]
                else f"{row['outcome']}, {row['unit']}",
            )


def counts(verdicts: Iterable[str]) -> str:
    """Such as "3 supported, 1 inconclusive"; a dash where there is none."""
    tally = Counter(verdicts)
    return ", ".join(f"{tally[v]} {v}" for v in VERDICTS if tally[v]) or "-"


def signed(value: float | None) -> str:
    return "-" if value is None else number(value, sign=True)


def lines(names: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    return "\n".join([line(names), "|" + "---|" * len(names), *map(line, rows)])


if __name__ == "__main__":
    main()
