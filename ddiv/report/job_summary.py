"""A run beside the ledger, in Markdown for the summary of a CI job (`ddiv ledger --changes`)."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import msgspec

from ddiv.finding import Asked, Finding, standing
from ddiv.finding.ledger import Entry, Place
from ddiv.finding.wording import Tally, rerun, tally
from ddiv.run.run import Run

HEAD = ("claim", "study", "variant", "from", "to", "effect", "interval", "seeds", "again")


def job_summary(
    run: Run, answered: Sequence[tuple[Asked, Finding | None]], known: Mapping[Place, Entry]
) -> str:
    """The counts of a run's verdicts, and a table of those that are not what the ledger says.

    `answered`: every question of the run with its finding, None where the run came to none, with
    its `error` then. Listed are verdicts other than the ledger's, contradicted claims that it does
    not list, and controls that came out supported, with those that fail no run ("not sure" among
    all of its questions, "told only"); errors are counted first.
    """
    verdicts = [
        (asked, finding, _expected(run, asked, known)) for asked, finding in answered if finding
    ]
    rows = [row for verdict in verdicts if (row := _change(run, *verdict))]
    unanswered = [asked for asked, finding in answered if not finding and not asked.not_applicable]
    failed = [asked for asked in unanswered if asked.failed]
    errors = "1 error, " if len(failed) == 1 else f"{len(failed)} errors, " if failed else ""
    differ = "verdict differs" if len(rows) == 1 else "verdicts differ"
    title = f"{errors}{len(rows) or 'no'} {differ} from the ledger"
    began = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(run.started))
    lines = [
        f"## ddiv: {title if answered else 'no claim could be asked'}",
        "",
        f"Profile {escaped(run.profile)}, run {run.id} of {began}, "
        f"{len(run.seeds)} to {run.max_seeds} seeds: {_counts(verdicts, len(failed))}.",
        "",
    ]
    if not answered:
        lines += [
            "The data or weights of every study chosen are absent, or the run ended before. "
            "What is missing, and how to get it: "
            f"<code>{escaped(run.command)} --plan</code>",
            "",
        ]
    if unanswered:
        first = escaped((failed or unanswered)[0].error or "the run ended before")
        claims = f"{len(unanswered)} claim{'s' * (len(unanswered) > 1)}"
        lines += [f"{claims} came to no verdict; the first: {first}", ""]
    if rows:
        lines += [_row(HEAD), _row(["---"] * len(HEAD)), *map(_row, rows), ""]
    return "\n".join(lines)


def _counts(verdicts: Iterable[tuple[Asked, Finding, Entry | None]], errors: int) -> Tally:
    words = (
        (
            "control " * asked.claim.control + finding.judged.verdict,
            expected is not None and expected.verdict == finding.judged.verdict,
        )
        for asked, finding, expected in verdicts
    )
    return tally(words, errors)


def _expected(run: Run, asked: Asked, known: Mapping[Place, Entry]) -> Entry | None:
    return known.get((run.profile, asked.claim.id, asked.study.name, asked.variant))


def _change(
    run: Run, asked: Asked, finding: Finding, expected: Entry | None
) -> tuple[str, ...] | None:
    """The row of a finding; None where its verdict is what the ledger says."""
    evidence = finding.judged
    before = _before(asked, evidence.verdict, expected)
    if not before:
        return None
    low, high = evidence.interval
    return (
        escaped(asked.claim.id),
        escaped(asked.study.name),
        escaped(asked.variant),
        escaped(before),
        f"**{evidence.verdict}**" + _standing(asked, finding, expected),
        escaped(f"{evidence.effect:+.4g} {asked.question.unit}"),
        escaped(f"[{low:+.4g}, {high:+.4g}]"),
        str(evidence.n),
        f"<code>{escaped(rerun(asked, run.options))}</code>",
    )


def _standing(asked: Asked, finding: Finding, expected: Entry | None) -> str:
    """Whether a change would fail a run beside this ledger: "" where it would."""
    beside = replace(finding, asked=msgspec.structs.replace(asked, expected=expected))
    word = standing(beside)
    return {"unexpected": ", not sure", "weakened": ", told only"}.get(word, "")


def _before(asked: Asked, verdict: str, expected: Entry | None) -> str:
    """What the ledger says of a finding; "" where it says the same as the verdict."""
    if asked.claim.control:
        return "control" if verdict == "supported" else ""
    if expected is None:
        return "not in the ledger" if verdict == "contradicted" else ""
    return f"{expected.verdict} since {expected.since}" if expected.verdict != verdict else ""


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def escaped(text: str) -> str:
    """Text as Markdown that shows it as it is, on one line and in the cell of a table too."""
    return re.sub(r"([\\`*_\[\]<>|&~$])", r"\\\1", " ".join(text.split()))
