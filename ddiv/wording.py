"""Findings in words: for a failing test, for the report."""

from __future__ import annotations

from ddiv.evidence import Evidence
from ddiv.finding import Asked, Finding


def in_three_lines(finding: Finding) -> str:
    """What was claimed, what was measured, and how to look at it again."""
    asked = finding.asked
    where = asked.study.name + (f", {asked.variant}" if asked.variant else "")
    beside = f"; fit-matched: {finding.matched.verdict}" if finding.matched else ""
    return (f"{asked.claim.id} is {finding.evidence.verdict} on {where}: {asked.claim.statement}\n"
            f"measured: {measured(finding.evidence, asked)}{beside}\n"
            f"rerun just this: {rerun(asked)}")


def measured(evidence: Evidence, asked: Asked) -> str:
    """The effect with its interval, unit, seeds and p-values in one line."""
    low, high = evidence.interval
    claimed = "rises" if asked.question.direction > 0 else "falls"
    return (f"median effect {evidence.effect:+.4g} [{low:+.4g}, {high:+.4g}] {asked.question.unit}, claimed: {claimed}; "
            f"{len(evidence.effects)} seeds, p = {evidence.p_for:.3g} for, {evidence.p_against:.3g} against")


def rerun(asked: Asked) -> str:
    return f'pytest "{asked.test}"'
