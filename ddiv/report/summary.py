"""What all findings of a run say together: seeds spent, the list of e-BH, claims over studies,
controls, fit.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from statistics import stdev

import msgspec

from ddiv import evidence
from ddiv import run as runs
from ddiv.finding import Finding
from ddiv.outcome import Outcome


def spent(run: runs.Run, findings: Iterable[Finding]) -> dict:
    """Seeds and trials that the claims took, beside what they would have taken with the most seeds
    for each.
    """
    findings = list(findings)
    taken = {job for finding in findings for job in finding.jobs}
    everything = {
        job
        for finding in findings
        for job in msgspec.structs.replace(finding.asked, seeds=tuple(range(run.max_seeds))).jobs()
    }
    return {
        "first": len(run.seeds),
        "most": run.max_seeds,
        "budget": run.budget,
        "trials": len(taken),
        "fixed": len(everything),
        "by_seeds": sorted(Counter(len(finding.asked.seeds) for finding in findings).items()),
    }


def listed(findings: Iterable[Finding], alpha: float) -> dict:
    """The claims that e-BH lists as supported: of these at most a share `alpha` is expected to be
    listed wrongly.

    Where two claims put the same question to the same study, one discovery isn't counted as two:
    `repeats` tells how often.
    """
    same: dict[tuple, list[Finding]] = defaultdict(list)
    for finding in findings:
        if not finding.asked.claim.control:
            same[finding.asked.study.name, finding.asked.question].append(finding)
    groups = list(same.values())
    evalues = [0.0 if group[0].withheld else group[0].evidence.evalue for group in groups]
    chosen = evidence.ebh(evalues, alpha) if groups else ()
    return {
        "alpha": alpha,
        "of": len(groups),
        "repeats": sum(map(len, groups)) - len(groups),
        "tests": [finding.asked.test for i in chosen for finding in groups[i]],
    }


def over_studies(findings: Iterable[Finding], alpha: float) -> list[dict]:
    """One verdict over the studies of the run for every claim and variant: that it holds on all of
    them, or somewhere.

    What a study withheld as unreliable is evidence of nothing: it counts 0 for and 0 against.
    """
    grouped: dict[tuple[str, str], list[Finding]] = defaultdict(list)
    for finding in findings:
        if not finding.asked.claim.control:
            grouped[finding.asked.claim.id, finding.asked.variant].append(finding)
    rows = []
    for (claim, variant), group in grouped.items():
        somewhere = group[0].asked.claim.somewhere
        verdict, e_for, e_against = evidence.over_studies(
            [_reliable(finding) for finding in group], alpha, somewhere
        )
        rows.append(
            {
                "claim": claim,
                "variant": variant,
                "verdict": verdict,
                "e_for": e_for,
                "e_against": e_against,
                "somewhere": somewhere,
                "studies": {
                    finding.asked.study.name: finding.evidence.verdict for finding in group
                },
            }
        )
    return rows


def _reliable(finding: Finding) -> evidence.Evidence:
    nothing = {"e_for": 0.0, "e_against": 0.0} if finding.withheld else {}
    return msgspec.structs.replace(finding.evidence, **nothing)


def controls(findings: Iterable[Finding]) -> dict[str, dict]:
    """For each family of claims: how many of its negative controls held, that is, were not
    supported.
    """
    tally: dict[str, dict] = {}
    for finding in findings:
        if family := finding.asked.claim.guards:
            row = tally.setdefault(family, {"held": 0, "of": 0})
            row["of"] += 1
            row["held"] += finding.evidence.verdict != "supported"
    return tally


def fit(findings: Iterable[Finding]) -> list[dict]:
    """How much of each effect remains at equal fit (q-fit-or-regularisation): claims on spectra and
    calibration.

    `equal` and `matched` are standardised by the seed-to-seed spread of the first, so they share an
    axis.
    """
    rows = []
    for finding in findings:
        asked, here, there = finding.asked, finding.evidence, finding.matched
        outcome = next(iter(asked.question.outcomes()))
        if asked.claim.control or not asked.question.fit_matters or _is_accuracy(outcome):
            continue
        # None: one seed, or no spread
        scale = 1 / stdev(here.effects) if here.standardised is not None else None
        rows.append(
            {
                "claim": asked.claim.id,
                "study": asked.study.name,
                "variant": asked.variant,
                "test": asked.test,
                "family": asked.claim.family,
                "unit": asked.question.unit,
                "verdict": here.verdict,
                "matched_verdict": there.verdict if there else "unmatched",
                "effect": here.effect,
                "matched_effect": there.effect if there else None,
                "equal": here.effect * scale if scale else None,
                "matched": there.effect * scale if scale and there else None,
                "share": there.effect / here.effect if there and here.effect else None,
                "note": finding.matched_note,
            }
        )
    return rows


def _is_accuracy(outcome: Outcome) -> bool:
    return getattr(outcome, "kind", None) == "accuracy"
