"""The rows of the catalogue beyond the paper's own: verdict, effect, interval, seeds, and cost.

    pytest claims --store FOLDER
    python benchmarks/rows.py --store FOLDER [--out benchmarks/results/rows-full.md]

Takes the store's latest run, and of its findings those of the numbered rows 7 and on of
`claims/rows.toml` (those before are in results/closed_forms.md), with their controls. Writes
benchmarks/results/rows.md.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from pathlib import Path

from catalogue import OUT, ROOT, findings, line
from closed_forms import COLUMNS, cells

from ddiv.cli.catalogue import ROWS, rows_of
from ddiv.common.machine import processor_name
from ddiv.finding import Finding, Reader
from ddiv.run import run as runs
from ddiv.trial.store import Store

# Rows 1 to 6 are the mechanism.
FIRST = 7

# Studies that were made for these rows; their controls belong to them.
OWN = (
    *("initialisations", "feature-noise", "causal-tables", "digits-shapes", "digits-generated"),
    *("clip-two-starts", "policy-cartpole", "planted-spectra", "small-nets", "merged-weights"),
    *("digits-generated-resnet", "digits-shapes-resnet", "gru-complaints", "mixer-world"),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--store", type=Path, default=ROOT / ".ddiv")
    parser.add_argument("--out", type=Path, default=OUT / "rows.md")
    options = parser.parse_args()
    store = Store(options.store)
    numbered = rows_of(ROOT / "claims" / ROWS).numbered
    ids = {name for row, names in numbered.items() if int(row) >= FIRST for name in names}
    found = [
        each
        for each in findings(store, lambda run: run.seeds[0] == 0).values()
        if each.asked.claim.id in ids or each.asked.study.name in OWN
    ]
    newest = runs.latest(store)
    options.out.write_text(table(found, Reader(store), newest.command if newest else ""), "utf-8")
    print(f"{len(found)} findings")


def table(found: list[Finding], reader: Reader, command: str) -> str:
    """The findings as Markdown, with the seconds that a study of these rows took in all."""
    seconds: dict[str, dict[str, float]] = defaultdict(dict)
    rows = []
    for finding in sorted(found, key=lambda each: (each.asked.claim.id, each.asked.study.name)):
        asked, jobs = finding.asked, finding.asked.jobs()
        spent = {str(job): reader.record(job).facts["provenance"]["seconds"] for job in jobs}
        seconds[asked.study.name] |= spent
        name, variant, *others = cells(finding, sum(spent.values()) / len(asked.seeds))
        rows.append(line((name, asked.study.name, variant, *others)))
    costs = ", ".join(
        f"{name} {sum(by.values()):.0f} s" for name, by in seconds.items() if name in OWN
    )
    claim, *others = COLUMNS
    head = (
        "# The rows of neighbouring papers, of open questions, and those that the first reading "
        f"missed\n\n`{command}`, then `python benchmarks/rows.py`. The embedded profile has small "
        "sizes, some with too few seeds to decide; `full` has larger ones. A control is a claim "
        f"made to fail. Seconds are of one core of {processor_name()}, beside other work; trials "
        f"are shared between claims. Of the studies made for these rows: {costs}.\n\n"
    )
    names = (claim, "study", *others)
    return head + "\n".join([line(names), "|" + "---|" * len(names), *rows]) + "\n"


if __name__ == "__main__":
    main()
