"""Findings as the lists over a run take them (`ddiv.evidence.combine`)."""

from __future__ import annotations

from ddiv.evidence import Evidence, Row
from ddiv.finding.finding import Finding


def row(finding: Finding, specific: bool = False) -> Row:
    """A finding's row, as claimed or by what is specific (withheld where there is no such
    evidence). A control's is about the family that it guards, by what it is judged by.
    """
    claim, place = finding.asked.claim, (finding.asked.claim.id, finding.asked.variant)
    by = claim.judged_by == "specific" if claim.control else specific
    evidence = finding.specific if by else finding.evidence
    what = claim.guards if claim.control else place
    study = finding.asked.study.name
    if evidence is None:
        return Row(what, study, 0.0, withheld=True)
    withheld = finding.withheld or _withheld(evidence, finding.asked.alpha)
    return Row(what, study, evidence.evalue, evidence.effects, withheld)


def _withheld(evidence: Evidence, alpha: float) -> bool:
    """Whether the capital decides and the verdict does not say so."""
    most = max(evidence.e_for, evidence.e_against)
    return evidence.verdict == "inconclusive" and most * (1 + 1e-12) >= 1 / alpha
