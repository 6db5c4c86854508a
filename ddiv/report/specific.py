"""The section "A slower optimiser alone": how much of what is supported is specific."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from ddiv.report.schema import (
    ArrangedClaim,
    ArrangedFinding,
    BothVerdicts,
    Controls,
    SlowerRow,
    SpecificCount,
    SpecificSection,
    Unspecific,
)
from ddiv.report.text import count

# The claim that a slower optimiser alone shows what is said of treatments; its findings are the
# headline outcomes.
SLOWER = "q-fit-or-regularisation"

# What the controls of the specific verdict guard.
GUARDED = "specific"

UNKNOWN = "the reason is not recorded"


def section(
    claims: Sequence[ArrangedClaim],
    studies: Sequence[str],
    families: Mapping[str, str],
    controls: Mapping[str, Controls],
) -> SpecificSection | None:
    """The section on these claims, negative controls among them or not; None where nothing has a
    specific verdict, nor says why it has none. `families` are titles and `controls` those of each
    family, by its id.
    """
    slower = next((claim for claim in claims if claim.id == SLOWER), None)
    others = [claim for claim in claims if not claim.guards and claim is not slower]
    findings = [f for claim in claims for f in claim.findings]
    if not any(f.specific or f.specific_note for f in findings):
        return None
    asked = {f.study for f in slower.findings if f.evidence} if slower else set()
    columns = tuple(study for study in studies if study in asked)
    return SpecificSection(
        sentence=_sentence([f for claim in others for f in claim.findings], bool(slower)),
        statement=slower.statement if slower else "",
        studies=columns,
        rows=tuple(_rows(slower.findings, columns)) if slower else (),
        counts=tuple(_counts(others, families)),
        without=tuple(_without(others)),
        controls=controls.get(GUARDED),
    )


def _rows(findings: Sequence[ArrangedFinding], studies: Sequence[str]) -> Iterator[SlowerRow]:
    """A row a variant, in the order in which they are asked."""
    for variant in dict.fromkeys(f.variant for f in findings):
        cells = {f.study: f for f in findings if f.variant == variant and f.evidence}
        if cells:
            yield SlowerRow(variant, tuple(_both(cells.get(study)) for study in studies))


def _both(finding: ArrangedFinding | None) -> BothVerdicts | None:
    if finding is None:
        return None
    return BothVerdicts(finding.verdict, finding.specific_verdict, finding.anchor)


def _counts(
    claims: Sequence[ArrangedClaim], families: Mapping[str, str]
) -> Iterator[SpecificCount]:
    """The families that have supported findings, in the order of their claims."""
    for family in dict.fromkeys(claim.family for claim in claims):
        findings = [f for claim in claims if claim.family == family for f in claim.findings]
        supported, compared, kept = counted(findings)
        if supported:
            yield SpecificCount(families.get(family, family or "—"), supported, compared, kept)


def counted(findings: Sequence[ArrangedFinding]) -> tuple[int, int, int]:
    """How many are supported as claimed, how many of these have a specific verdict, and how many of
    these it supports too.
    """
    supported = [f for f in findings if f.verdict == "supported"]
    compared = [f for f in supported if f.specific_verdict]
    return len(supported), len(compared), sum(f.specific_verdict == "supported" for f in compared)


def _sentence(findings: Sequence[ArrangedFinding], others: bool) -> str:
    """`others`: the findings are those besides the ones on a slower optimiser."""
    supported, compared, kept = counted(findings)
    if not supported:
        return f"No {'other ' * others}finding is supported as claimed."
    found = "other finding" if others else "finding"
    without = supported - compared
    have = "has" if without == 1 else "have"
    return (
        f"Of the {count(supported, found)} supported as claimed, "
        f"{kept:,} {'is' if kept == 1 else 'are'} specific too"
        + (f"; {without:,} {have} no specific verdict." if without else ".")
    )


def _without(claims: Sequence[ArrangedClaim]) -> Iterator[Unspecific]:
    """The claims that were answered, none of them with a specific verdict, by the reason."""
    by_reason: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for claim in claims:
        answered = [f for f in claim.findings if f.evidence]
        if answered and not any(f.specific for f in answered):
            notes = dict.fromkeys(f.specific_note for f in answered if f.specific_note)
            why = claim.unspecific or "; ".join(filter(None, notes)) or UNKNOWN
            by_reason[why].append((claim.id, claim.anchor))
    for why, group in by_reason.items():
        yield Unspecific(why, tuple(group))
