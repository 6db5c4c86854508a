"""What the run says in a few sentences, and what about it must not be overlooked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from ddiv.report.schema import (
    ArrangedClaim,
    ArrangedFinding,
    Controls,
    Listed,
    ListedClaims,
    Overview,
    Page,
    Share,
)
from ddiv.report.specific import SLOWER, counted
from ddiv.report.text import HARDLY, VERDICTS, count, in_a_row, percent


def takeaway(seen: Overview) -> str:
    """The picture of the first screen in a sentence."""
    every = seen.rows[0]
    of = count(every.claimed.of, "finding")
    said = f"{every.claimed.holds:,} of {of} {_hold(every.claimed)} as claimed"
    if every.specific:
        said += (
            f"; {every.specific.holds:,} of {every.specific.of:,} {_hold(every.specific)} beyond "
            "what slower or shorter training does"
        )
    if every.tables:
        said += (
            f"; the authors’ published tables support {every.tables.holds:,} of the "
            f"{every.tables.of:,} variants that they can answer"
        )
    return f"{said}."


def _hold(share: Share) -> str:
    return "holds" if share.of == 1 else "hold"


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
        + _hardly_trained(findings)
        + (_over_studies(page.claims_listed, page.claims_listed_specific) * (len(studies) > 1))
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
    verb = "repeats" if repeats == 1 else "repeat"
    return f"; {count(repeats, 'finding')} that {verb} another's draws did not count again"


def _kept(findings: Sequence[ArrangedFinding]) -> str:
    """What the second verdict leaves of the first."""
    others = [f for f in findings if f.of != SLOWER]
    supported, both, kept = counted(others)
    if not both:
        return ""
    beside = " besides those on a slower optimiser" * (len(others) < len(findings))
    return (
        f" Of the {supported:,} supported as claimed{beside}, {kept:,} "
        f"{'is' if kept == 1 else 'are'} specific too: beyond what slower, faster, shorter and "
        "longer training does."
    )


def _hardly_trained(findings: Sequence[ArrangedFinding]) -> str:
    """What the verdicts are worth whose networks did not learn."""
    hardly = sum(f.hardly_trained for f in findings)
    if not hardly:
        return ""
    rest = "rests" if hardly == 1 else "rest"
    return f" {hardly:,} of all findings {rest}, at least in part, {HARDLY} (†)."


def _over_studies(claimed: ListedClaims | None, specific: ListedClaims | None) -> str:
    """How many claims are listed as holding on some study."""
    if not claimed or not claimed.of:
        return ""
    beyond = f", and {specific.listed:,} of {specific.of:,} as specific" if specific else ""
    return (
        f" Over all studies, {claimed.listed:,} of {count(claimed.of, 'claim')} and their variants "
        f"are listed as claimed{beyond}."
    )


def alarms(
    findings: Sequence[ArrangedFinding], controls: Mapping[str, Controls]
) -> tuple[str, ...]:
    """Errors, negative controls that came out supported, and verdicts that are not what the ledger
    says. `controls` are those of each family, by its title.
    """
    return (*_errors(findings), *_failing(controls), *_surprises(findings))


def _errors(findings: Sequence[ArrangedFinding]) -> Iterator[str]:
    failed = [f for f in findings if f.verdict == "error"]
    if failed:
        are = "is an error and has" if len(failed) == 1 else "are errors and have"
        yield f"{count(len(failed), 'finding')} {are} no verdict. The first: {failed[0].note}"


def _failing(controls: Mapping[str, Controls]) -> Iterator[str]:
    failing = [(title, row) for title, row in controls.items() if row.failed]
    if failing:
        which = in_a_row([f"{title} ({_failed(row)})" for title, row in failing])
        them = "that family" if len(failing) == 1 else "those families"
        yield (
            f"Negative controls came out supported: {which}. Supported verdicts of {them} "
            "deserve doubt."
        )


def _failed(row: Controls) -> str:
    alone = f"{row.of - row.held} of {row.of}" if row.held < row.of else ""
    return " and ".join(filter(None, [alone, "all of them pooled" if row.pooled_failed else ""]))


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


def notes(findings: Sequence[ArrangedFinding]) -> tuple[str, ...]:
    """Verdicts beside the ledger that are told and alarm nobody."""
    unexpected = sum(f.unexpected for f in findings)
    weakened = sum(f.standing == "weakened" for f in findings)
    return (
        *_told(unexpected, "unexpected, not sure among all questions of the run"),
        *_told(weakened, "in the ledger and not decided in this run"),
    )


def _told(n: int, what: str) -> Iterator[str]:
    if n:
        yield f"{count(n, 'verdict')} {'is' if n == 1 else 'are'} {what}."
