"""The claims about closed forms as a table: verdict, effect, interval, seeds, and what they cost.

    pytest claims/test_mechanism.py --store FOLDER
    python benchmarks/closed_forms.py --store FOLDER

Takes the store's latest run. Writes benchmarks/results/closed_forms.md.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from pathlib import Path

import numpy as np
from catalogue import OUT, ROOT, findings, line

from ddiv.common.machine import processor_name
from ddiv.finding import Finding, Reader
from ddiv.report.text import number
from ddiv.trial import Experiment
from ddiv.trial.store import Store

COLUMNS = (
    *("claim", "variant", "verdict", "median effect", "interval", "claimed", "seeds"),
    *("seconds a seed", "what the effect is"),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--store", type=Path, default=ROOT / ".ddiv")
    store = Store(parser.parse_args().store)
    found = [
        each
        for each in findings(store, lambda run: run.seeds[0] == 0).values()
        if any(True for _ in each.asked.question.numbers())
    ]
    (OUT / "closed_forms.md").write_text(table(found, Reader(store)), "utf-8")
    print(f"{len(found)} findings")


def table(found: list[Finding], reader: Reader) -> str:
    """The findings as Markdown, and the mean seconds of an experiment by its function."""
    seconds: dict[str, dict[str, float]] = defaultdict(dict)
    rows = []
    for finding in found:
        jobs = [job for job in finding.asked.jobs() if isinstance(job, Experiment)]
        spent = {job: reader.record(job).facts["provenance"]["seconds"] for job in jobs}
        for job, by in spent.items():
            seconds[job.call.name][str(job)] = by
        rows.append(line(cells(finding, sum(spent.values()) / len(finding.asked.seeds))))
    costs = (f"{name} {np.mean([*by.values()]):.2g} s ({len(by)})" for name, by in seconds.items())
    head = (
        "# The mechanism in closed form\n\n"
        "`pytest claims/test_mechanism.py`, then `python benchmarks/closed_forms.py`. Effects are "
        "numbers less their bounds, so a claim of equality falls. A control is a claim made to "
        f"fail.\n\nMean seconds of an experiment on {processor_name()}, and how many: "
        f"{', '.join(costs)}. Experiments are shared between claims.\n\n"
    )
    return head + "\n".join([line(COLUMNS), "|" + "---|" * len(COLUMNS), *rows]) + "\n"


def cells(finding: Finding, seconds: float) -> tuple[str, ...]:
    asked, evidence = finding.asked, finding.evidence
    return (
        asked.claim.id + " (control)" * asked.claim.control,
        asked.variant,
        evidence.verdict,
        number(evidence.effect, sign=True),
        " to ".join(number(end, sign=True) for end in evidence.interval),
        "rises" if asked.question.direction > 0 else "falls",
        str(evidence.n),
        f"{seconds:.2g}",
        asked.question.unit.replace("|", "/"),
    )


if __name__ == "__main__":
    main()
