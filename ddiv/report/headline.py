"""What the run says in a few sentences, and what about it must not be overlooked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from ddiv.report.schema import ArrangedClaim, ArrangedFamily, ArrangedFinding, Listed, Page
from ddiv.report.text import VERDICTS, count, in_a_row, percent


def summary(
    page: Page,
    claims: Sequence[ArrangedClaim],
    findings: Sequence[ArrangedFinding],
    studies: Sequence[str],
) -> str:
    """Verdicts counted in words. `claims` and `findings` are without the negative controls."""
    if not findings:
        return ""
    return (
        f"{count(len(claims), 'claim')} looked at in {count(len(studies), 'study', 'studies')}: "
        f"of {count(len(findings), 'finding')} {in_a_row(_verdicts(findings))}."
        + _listed(page.listed, findings)
        + _kept(findings)
    )


def _verdicts(findings: Sequence[ArrangedFinding]) -> list[str]:
    """Each verdict with its count, and how many of these the ledger expects."""
    counts = Counter(f.verdict for f in findings)
    known = Counter(f.verdict for f in findings if f.known)
    parts: list[str] = []
    for word in (*VERDICTS, *counts):
        if n := counts.pop(word, 0):
            verb = "" if parts else "are " if n != 1 else "is "
            some = "all" if known[word] == n else f"{known[word]:,}" if known[word] else "none"
            note = f" ({some} of them expected)" if known[word] or word == "contradicted" else ""
            said = "errors" if word == "error" and n != 1 else word
            parts.append(f"{n:,} {verb}{said}{note}")
    return parts


def _listed(listed: Listed | None, findings: Sequence[ArrangedFinding]) -> str:
    supported = [f for f in findings if f.verdict == "supported"]
    if not listed or not supported:
        return ""
    on_list = sum(f.starred for f in supported)
    beside = sum(f.starred for f in findings) - on_list
    all_of_them = on_list == len(supported) > 1
    verb = "is" if on_list == 1 and not beside else "are"
    return (
        (" All" if all_of_them else "")
        + f" {on_list:,} "
        + ("supported" if all_of_them else f"of the {len(supported):,} supported")
        + (f", and {count(beside, 'finding')} not supported alone," if beside else "")
        + f" {verb} on the list that keeps false discoveries at {percent(listed.alpha)} (★)"
        + _repeats(listed.repeats)
        + "."
    )


def _repeats(repeats: int) -> str:
    if not repeats:
        return ""
    verb = "puts" if repeats == 1 else "put"
    return (
        f"; {count(repeats, 'finding')} that {verb} another claim's question to the same study "
        "did not count again"
    )


def _kept(findings: Sequence[ArrangedFinding]) -> str:
    both = [f for f in findings if f.verdict == "supported" and f.matched_verdict]
    if not both:
        return ""
    kept = sum(f.matched_verdict == "supported" for f in both)
    return (
        f" Of the {len(both):,} supported at equal epochs that were also compared at equal fit, "
        f"{kept:,} {'stays' if kept == 1 else 'stay'} supported."
    )


def alarms(
    findings: Sequence[ArrangedFinding], families: Sequence[ArrangedFamily]
) -> tuple[str, ...]:
    """Errors, negative controls that came out supported, and verdicts that are not what the ledger
    says.
    """
    return (*_errors(findings), *_failing(families), *_surprises(findings))


def _errors(findings: Sequence[ArrangedFinding]) -> Iterator[str]:
    failed = [f for f in findings if f.verdict == "error"]
    if failed:
        are = "is an error and has" if len(failed) == 1 else "are errors and have"
        yield f"{count(len(failed), 'finding')} {are} no verdict. The first: {failed[0].note}"


def _failing(families: Sequence[ArrangedFamily]) -> Iterator[str]:
    failing = [
        (family.title, row) for family in families if (row := family.controls) and row.held < row.of
    ]
    if failing:
        which = in_a_row([f"{title} ({row.of - row.held} of {row.of})" for title, row in failing])
        them = "that family" if len(failing) == 1 else "those families"
        yield (
            f"Negative controls came out supported: {which}. Supported verdicts of {them} "
            "deserve doubt."
        )


def _surprises(findings: Sequence[ArrangedFinding]) -> Iterator[str]:
    surprises = [f for f in findings if f.surprise]
    if surprises:
        changed = sum(f.expected is not None for f in surprises)
        new = len(surprises) - changed
        parts = [
            (new, "contradicted without an entry in the ledger of known non-reproductions"),
            (changed, "with another verdict than the ledger expects"),
        ]
        yield f"Not as expected: {in_a_row([f'{n:,} {what}' for n, what in parts if n])}."
