"""What all findings of a run say together: seeds spent, the list of e-BH, claims over studies,
controls, fit.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from statistics import stdev

import msgspec

from ddiv import evidence
from ddiv.finding import Asked, Finding, Unanswered
from ddiv.outcome import Score
from ddiv.report.schema import Controls, FitRow, Listed, OverStudies, Spent
from ddiv.run import run as runs


def spent(run: runs.Run, findings: Iterable[Finding]) -> Spent:
    """Seeds and trials that the claims took, beside what they would have taken with the most seeds
    for each.
    """
    findings = list(findings)
    everything = {
        job
        for finding in findings
        for job in msgspec.structs.replace(finding.asked, seeds=tuple(range(run.max_seeds))).jobs()
    }
    return Spent(
        first=len(run.seeds),
        most=run.max_seeds,
        budget=run.budget,
        trials=len({job for finding in findings for job in finding.jobs}),
        fixed=len(everything),
        by_seeds=tuple(sorted(Counter(len(finding.asked.seeds) for finding in findings).items())),
    )


def listed(findings: Iterable[Finding], alpha: float) -> Listed:
    """The claims that e-BH lists as supported: of these at most a share `alpha` is expected to be
    listed wrongly.

    Where two claims put the same question to the same study, one discovery isn't counted as two:
    `repeats` tells how often.
    """
    groups = _by_question(findings)
    evalues = [0.0 if group[0].withheld else group[0].evidence.evalue for group in groups]
    chosen = evidence.ebh(evalues, alpha) if groups else ()
    return Listed(
        alpha=alpha,
        of=len(groups),
        repeats=sum(map(len, groups)) - len(groups),
        tests=tuple(finding.asked.test for i in chosen for finding in groups[i]),
    )


def _by_question(findings: Iterable[Finding]) -> list[list[Finding]]:
    """The findings that are no controls, those of one study and question together."""
    groups = defaultdict(list)
    for finding in findings:
        asked = finding.asked
        if not asked.claim.control:
            groups[asked.study.name, asked.question].append(finding)
    return list(groups.values())


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


def controls(findings: Iterable[Finding]) -> dict[str, Controls]:
    """For each family of claims: how many of its negative controls held, that is, were not
    supported.
    """
    held: dict[str, list[bool]] = defaultdict(list)
    for finding in findings:
        if family := finding.asked.claim.guards:
            held[family].append(finding.evidence.verdict != "supported")
    return {family: Controls(sum(each), len(each)) for family, each in held.items()}


def fit(findings: Iterable[Finding]) -> tuple[FitRow, ...]:
    """How much of each effect remains at equal fit: claims on spectra and calibration."""
    return tuple(_fit_row(finding) for finding in findings if _is_compared(finding))


def _is_compared(finding: Finding) -> bool:
    claim, question = finding.asked.claim, finding.asked.question
    outcome = next(iter(question.outcomes()))
    of_accuracy = isinstance(outcome, Score) and outcome.kind == "accuracy"
    return not claim.control and question.fit_matters and not of_accuracy


def _fit_row(finding: Finding) -> FitRow:
    """`equal` and `matched` are both standardised by the seed-to-seed spread at equal epochs, so
    that they share an axis.
    """
    asked, here, there = finding.asked, finding.evidence, finding.matched
    # None: one seed, or no spread
    scale = 1 / stdev(here.effects) if here.standardised is not None else None
    return FitRow(
        claim=asked.claim.id,
        study=asked.study.name,
        variant=asked.variant,
        test=asked.test,
        family=asked.claim.family,
        unit=asked.question.unit,
        verdict=here.verdict,
        matched_verdict=there.verdict if there else "unmatched",
        effect=here.effect,
        matched_effect=there.effect if there else None,
        equal=here.effect * scale if scale else None,
        matched=there.effect * scale if scale and there else None,
        share=there.effect / here.effect if there and here.effect else None,
        note=finding.matched_note,
    )
