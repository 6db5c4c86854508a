"""The catalogue as one table: claim x study -> verdict, effect, interval, seeds, and what became of
it in a second block of seeds.

    python benchmarks/catalogue.py [--store FOLDER] [--recheck]

Takes the store's latest run of the profile's own seeds, and its latest one of other seeds for the
column "again". --recheck first makes the latter: it puts every claim that was contradicted or
inconclusive to seeds 100 and on, to tell findings from flukes. Writes
benchmarks/results/catalogue.md and .json.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

from ddiv import run as runs
from ddiv.finding import Finding, Reader, answer
from ddiv.report.text import number
from ddiv.store import Store
from ddiv.wording import explained

ROOT, OUT = Path(__file__).resolve().parent.parent, Path(__file__).parent / "results"
AGAIN = 100


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--store",
        type=Path,
        default=ROOT / ".ddiv",
        help="the folder with the run's records (default: .ddiv)",
    )
    parser.add_argument(
        "--recheck",
        action="store_true",
        help="first run the contradicted and the inconclusive with other seeds",
    )
    options = parser.parse_args()
    store = Store(options.store)
    first = findings(store, lambda run: run.seeds[0] == 0)
    if options.recheck:
        recheck(
            [one.asked.test for one in first.values() if one.evidence.verdict != "supported"],
            options.store,
        )
    again = findings(store, lambda run: run.seeds[0] != 0)
    rows = [row(one, again.get(test)) for test, one in first.items()]
    counts = Counter(one["verdict"] for one in rows)
    same = Counter(one["again"] == one["verdict"] for one in rows if one["again"])
    (OUT / "catalogue.json").write_text(
        json.dumps(
            {
                "command": "python benchmarks/catalogue.py --recheck",
                "verdicts": counts,
                "rechecked": same.total(),
                "same verdict again": same[True],
                "rows": rows,
            },
            indent=1,
        )
        + "\n"
    )
    (OUT / "catalogue.md").write_text(table(rows, counts, same))
    print(dict(counts), "rechecked:", same.total(), "same again:", same[True])


def findings(store: Store, wanted) -> dict[str, Finding]:
    """The findings of the latest run that `wanted` takes, by test; empty where there is none."""
    for path in sorted(store.root.glob("runs/*/run.json"), reverse=True):
        run = runs.load(store, path.parent.name)
        asked = runs.load_asked(store, run.id)
        if asked and wanted(run):
            reader = Reader(store)
            return {
                one.test: answer(one, reader)
                for one in asked
                if not one.not_applicable and not one.error
            }
    return {}


def recheck(tests: list[str], store: Path) -> None:
    """Put these tests to other seeds, in the same store.

    What they fail with is the table's to tell.
    """
    subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            *tests,
            "-n",
            "2",
            "-q",
            "--no-header",
            "--tb=no",
            "--first-seed",
            str(AGAIN),
            "--store",
            str(store),
            "--report",
            str(store / "again.html"),
        ],
        cwd=ROOT,
        check=False,
    )


def row(finding: Finding, again: Finding | None) -> dict:
    asked, evidence = finding.asked, finding.evidence
    low, high = evidence.interval
    return {
        "claim": asked.claim.id,
        "study": asked.study.name,
        "variant": asked.variant,
        "control": asked.claim.control,
        "verdict": evidence.verdict,
        "effect": evidence.effect,
        "interval": [str(low), str(high)],
        "seeds": evidence.n,
        "unit": asked.question.unit,
        "claimed": "rises" if asked.question.direction > 0 else "falls",
        "matched": finding.matched.verdict if finding.matched else None,
        "again": again and again.evidence.verdict,
        "effect again": again and again.evidence.effect,
        "why": asked.expected.reason if asked.expected else explained(finding),
    }


def table(rows: list[dict], counts: Counter, same: Counter) -> str:
    head = (
        "# The catalogue on the embedded profile\n\n`python benchmarks/catalogue.py --recheck`: "
        + ", ".join(f"{count} {verdict}" for verdict, count in counts.items())
        + f'. Of {same.total()} that were not supported, {same[True]} came out the same with seeds {AGAIN} and on (column "again").\n'
        "\nA control is a claim made to fail: inconclusive or contradicted is how it should come out.\n\n"
        "| claim | study | variant | verdict | effect | interval | claimed | seeds | fit-matched | again | explanation |\n"
        "|---|---|---|---|---|---|---|---|---|---|---|\n"
    )
    return head + "".join(
        f"| {one['claim']}{' (control)' * one['control']} | {one['study']} | {one['variant']} | {one['verdict']} | {number(one['effect'], sign=True)} "
        f"| {' to '.join(number(float(end), sign=True) for end in one['interval'])} | {one['claimed']} | {one['seeds']} | {one['matched'] or ''} "
        f"| {again(one)} | {(one['why'] or '').replace('|', '/')} |\n"
        for one in rows
    )


def again(one: dict) -> str:
    return f"{one['again']} ({number(one['effect again'], sign=True)})" if one["again"] else ""


if __name__ == "__main__":
    main()
