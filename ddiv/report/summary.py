"""What all findings of a run say together: seeds spent, the list of e-BH, claims over studies,
controls.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable

import msgspec

from ddiv import evidence
from ddiv.finding import Asked, Finding, Unanswered, row
from ddiv.report.schema import Controls, Listed, ListedClaims, OverStudies, Spent
from ddiv.run import run as runs


def spent(run: runs.Run, findings: Iterable[Finding]) -> Spent:
    """Seeds and trials that the claims took, beside what they would have taken with the most seeds
    for each.
    """
    findings = list(findings)
    everything = {job for finding in findings for job in _with_most(finding.asked, run).jobs()}
    return Spent(
        first=len(run.seeds),
        most=run.max_seeds,
        budget=run.budget,
        trials=len({job for finding in findings for job in finding.jobs}),
        fixed=len(everything),
        by_seeds=tuple(sorted(Counter(len(finding.asked.seeds) for finding in findings).items())),
    )


def _with_most(asked: Asked, run: runs.Run) -> Asked:
    """The question with the most seeds that it may have."""
    if asked.study.fixed_sample:
        return asked
    return msgspec.structs.replace(asked, seeds=tuple(range(run.most(asked))))


def listed(findings: Iterable[Finding], alpha: float, specific: bool = False) -> Listed:
    """The findings that e-BH lists as supported, as claimed or by what is specific: of these at
    most a share `alpha` is expected to be listed wrongly.

    Findings of equal draws, such as those of two claims that put the same question to a study, are
    one discovery: `repeats` tells how many were not counted again.
    """
    weighed = _weighed(findings, specific)
    chosen = evidence.rows_listed([taken for _, taken in weighed], alpha)
    return Listed(
        alpha=alpha,
        of=chosen.of,
        repeats=chosen.repeats,
        tests=tuple(
            finding.asked.test for i, (finding, _) in enumerate(weighed) if i in chosen.chosen
        ),
    )


def _weighed(findings: Iterable[Finding], specific: bool) -> list[tuple[Finding, evidence.Row]]:
    """The findings that are no controls and have this evidence, as the lists take it."""
    weighed = []
    for finding in findings:
        found = finding.specific if specific else finding.evidence
        if found and not finding.asked.claim.control:
            weighed.append((finding, row(finding, specific)))
    return weighed


def claims_listed(
    findings: Iterable[Finding], alpha: float, specific: bool = False
) -> evidence.Listed:
    """The claims, as (id, variant), that e-BH lists as holding on some study."""
    rows = [taken for _, taken in _weighed(findings, specific)]
    return evidence.claims_over_studies(rows, alpha)


def counted(chosen: evidence.Listed, alpha: float) -> ListedClaims:
    """How many claims a list has."""
    return ListedClaims(
        alpha=alpha, of=chosen.of, listed=len(chosen.chosen), repeats=chosen.repeats
    )


def with_products(
    rows: Iterable[OverStudies], claimed: evidence.Listed, specific: evidence.Listed
) -> tuple[OverStudies, ...]:
    """The claims over studies with the products of their evidence, and whether they are listed."""
    return tuple(
        msgspec.structs.replace(
            over,
            product=claimed.evalues.get(what),
            listed=what in claimed.chosen,
            specific_product=specific.evalues.get(what),
            specific_listed=what in specific.chosen,
        )
        for over in rows
        if (what := (over.claim, over.variant))
    )


def over_studies(
    findings: Iterable[Finding], alpha: float, lacking: Iterable[tuple[Asked, Unanswered]] = ()
) -> tuple[OverStudies, ...]:
    """One verdict over the studies of the run for every claim and variant: that it holds on all of
    them, or somewhere.

    What a study withheld as unreliable is evidence of nothing: it counts 0 for and 0 against. Where
    a study is among the `lacking`, by an error or because the run ended before, there is no verdict
    over all.
    """
    without: dict[tuple[str, str], dict[str, str]] = defaultdict(dict)
    for asked, no in lacking:
        if no.word != "not applicable":
            without[asked.claim.id, asked.variant][asked.study.name] = no.word
    grouped: dict[tuple[str, str], list[Finding]] = defaultdict(list)
    for finding in findings:
        if not finding.asked.claim.control:
            grouped[finding.asked.claim.id, finding.asked.variant].append(finding)
    rows = []
    for (claim, variant), group in grouped.items():
        somewhere = group[0].asked.claim.somewhere
        words: dict[str, str] = {
            finding.asked.study.name: finding.evidence.verdict for finding in group
        }
        if missing := without[claim, variant]:
            word = "error" if "error" in missing.values() else "not run"
            place = OverStudies(claim=claim, variant=variant, somewhere=somewhere)
            rows.append(msgspec.structs.replace(place, verdict=word, studies=words | missing))
            continue
        verdict, e_for, e_against = evidence.over_studies(
            [_reliable(finding) for finding in group], alpha, somewhere
        )
        rows.append(
            OverStudies(
                claim=claim,
                variant=variant,
                verdict=verdict,
                e_for=e_for,
                e_against=e_against,
                somewhere=somewhere,
                studies=words,
            )
        )
    return tuple(rows)


def _reliable(finding: Finding) -> evidence.Evidence:
    if finding.withheld:
        return msgspec.structs.replace(finding.evidence, e_for=0.0, e_against=0.0)
    return finding.evidence


def controls(findings: Iterable[Finding], alpha: float) -> dict[str, Controls]:
    """For each family of claims: how many of its negative controls held, that is, were not
    supported, and the evidence of all of them pooled.
    """
    held: dict[str, list[bool]] = defaultdict(list)
    rows = []
    for finding in findings:
        if family := finding.asked.claim.guards:
            held[family].append(finding.judged.verdict != "supported")
            rows.append(row(finding))
    pooled = evidence.pooled_controls(rows, alpha)
    return {family: _controls(each, pooled.get(family)) for family, each in held.items()}


def _controls(held: list[bool], pooled: evidence.Pooled | None) -> Controls:
    if pooled is None:
        return Controls(sum(held), len(held))
    return Controls(sum(held), len(held), pooled.evalue, pooled.bar, pooled.studies)
