"""The catalogue as one table: claim x study -> verdict, effect, interval, seeds, and verdict again.

    python benchmarks/catalogue.py [--store FOLDER] [--recheck]

Takes the store's latest run of the profile's own seeds, and its latest run of other seeds for the
column "again". --recheck first makes the second of these: it puts every claim that was contradicted
or inconclusive to seeds 100 and on, to tell findings from flukes. Writes
benchmarks/results/catalogue.md and .json.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path

from ddiv.finding import Finding, Reader, answer
from ddiv.finding.wording import explained
from ddiv.report.text import number
from ddiv.run import run as runs
from ddiv.trial.store import Store

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
        unsupported = [test for test, each in first.items() if each.evidence.verdict != "supported"]
        recheck(unsupported, options.store)
    again = findings(store, lambda run: run.seeds[0] != 0)
    rows = [row(finding, again.get(test)) for test, finding in first.items()]
    counts = Counter(each["verdict"] for each in rows)
    same = Counter(each["again"] == each["verdict"] for each in rows if each["again"])
    results = {
        "command": "python benchmarks/catalogue.py --recheck",
        "verdicts": counts,
        "rechecked": same.total(),
        "same verdict again": same[True],
        "rows": rows,
    }
    (OUT / "catalogue.json").write_text(json.dumps(results, indent=1) + "\n", "utf-8")
    (OUT / "catalogue.md").write_text(table(rows, counts, same), "utf-8")
    print(dict(counts), "rechecked:", same.total(), "same again:", same[True])


def findings(store: Store, wanted: Callable[[runs.Run], bool]) -> dict[str, Finding]:
    """The findings of the latest run that `wanted` takes, by test; empty where there is none."""
    for path in sorted(store.root.glob("runs/*/run.json"), reverse=True):
        run = runs.load(store, path.parent.name)
        asked = runs.load_asked(store, run.id)
        if asked and wanted(run):
            reader = Reader(store)
            return {
                each.test: answer(each, reader)
                for each in asked
                if not each.not_applicable and not each.error
            }
    return {}


def recheck(tests: list[str], store: Path) -> None:
    """Put these tests to other seeds, in the same store.

    A test that fails stops nothing: the table tells with which verdict.
    """
    quiet = ["-n", "2", "-q", "--no-header", "--tb=no", "--first-seed", str(AGAIN)]
    where = ["--store", str(store), "--report", str(store / "again.html")]
    command = [sys.executable, "-m", "pytest", *tests, *quiet, *where]
    subprocess.run(command, cwd=ROOT, check=False)


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
        "specific": finding.specific.verdict if finding.specific else None,
        "negligible": bool(finding.negligible),
        "again": again and again.evidence.verdict,
        "effect again": again and again.evidence.effect,
        "why": asked.expected.reason if asked.expected else explained(finding),
    }


def table(rows: list[dict], counts: Counter, same: Counter) -> str:
    verdicts = ", ".join(f"{count} {verdict}" for verdict, count in counts.items())
    columns = (
        *("claim", "study", "variant", "verdict", "effect", "interval", "claimed", "seeds"),
        *("specific", "again", "explanation"),
    )
    head = (
        "# The catalogue on the embedded profile\n\n"
        f"`python benchmarks/catalogue.py --recheck`: {verdicts}. "
        f"Of {same.total()} that were not supported, {same[True]} came out the same with seeds "
        f'{AGAIN} and on (column "again").\n\n'
        "A control is a claim made to fail: inconclusive or contradicted is how it should come "
        "out.\n\n"
    )
    lines = [line(columns), "|" + "---|" * len(columns), *(line(cells(each)) for each in rows)]
    return head + "\n".join(lines) + "\n"


def line(texts: Iterable[str]) -> str:
    return f"| {' | '.join(texts)} |"


def cells(fields: dict) -> tuple[str, ...]:
    return (
        fields["claim"] + " (control)" * fields["control"],
        fields["study"],
        fields["variant"],
        fields["verdict"] + ", negligible" * fields["negligible"],
        number(fields["effect"], sign=True),
        " to ".join(number(float(end), sign=True) for end in fields["interval"]),
        fields["claimed"],
        str(fields["seeds"]),
        fields["specific"] or "",
        f"{fields['again']} ({number(fields['effect again'], sign=True)})"
        if fields["again"]
        else "",
        (fields["why"] or "").replace("|", "/"),
    )


if __name__ == "__main__":
    main()
