"""Surprises: verdicts that the ledger does not know, and which of them are sure.

The exit status of a run must depend neither on the processor nor on luck. Of hundreds of true
effects some are too weak to be seen at every run, and of hundreds of questions without one a few
reach the bar of a single question. So a verdict that the ledger does not know gets more seeds
(`ddiv.finding.seeds`), and it fails the run only where its e-value reaches the number of all
questions of the run, divided by alpha: by Markov's inequality and the union bound, a run in which
the ledger is right fails with probability alpha at most, whenever it stops. The other surprises
are told.
"""

from __future__ import annotations

from typing import Literal

from ddiv.common.printed import one_line
from ddiv.evidence import Evidence, Verdict
from ddiv.finding.asked import Asked
from ddiv.finding.finding import Finding

# A verdict beside the ledger: what that expects; inconclusive, where it knows a contradiction; a
# surprise that is sure, or not; nothing to be told.
Standing = Literal["expected", "weakened", "sure", "unexpected", ""]


def standing(finding: Finding) -> Standing:
    """What a finding is beside the ledger."""
    if is_surprise(finding):
        return "sure" if is_sure(finding) else "unexpected"
    known, verdict = finding.asked.expected, finding.judged.verdict
    if known and not finding.asked.claim.control:
        return "expected" if verdict == known.verdict else "weakened"
    return ""


def is_surprise(finding: Finding) -> bool:
    """Whether the ledger does not know this verdict: a contradiction that it does not list, a claim
    that it lists and that is supported, a control that is supported.

    Where no ledger speaks of the profile a contradiction is a verdict like any other.
    """
    asked, verdict = finding.asked, finding.judged.verdict
    if asked.claim.control:
        return verdict == "supported"
    if verdict == "supported":
        return asked.expected is not None
    known = asked.expected and asked.expected.verdict
    return verdict == "contradicted" and asked.ledger and known != verdict


def is_sure(finding: Finding) -> bool:
    """Whether the evidence for a surprise is enough among all questions of its run."""
    return evalue(finding.judged, finding.judged.verdict) >= sure_at(finding.asked)


def evalue(evidence: Evidence, side: Verdict) -> float:
    """The e-value of one side alone: all of the capital is bet on it."""
    return 2 * (evidence.e_for if side == "supported" else evidence.e_against)


def sure_at(asked: Asked) -> float:
    """The e-value from which a surprise is sure, less the rounding of one that reaches it."""
    return asked.among / asked.level * (1 - 1e-12)


def told(finding: Finding) -> str:
    """What is told of a finding beside the ledger, in a line; "" where nothing is."""
    asked, evidence, known = finding.asked, finding.judged, finding.asked.expected
    variant = f", {asked.variant}" if asked.variant else ""
    name = f"{asked.claim.id} on {asked.study.name}{variant}"
    match standing(finding):
        case "unexpected":
            control = "a control, " if asked.claim.control else ""
            before = f" (before: {known.verdict}, since {known.since})" if known else ""
            return one_line(
                f"{control}{name} is {evidence.verdict}{before}, not sure: {enough(finding)}"
            )
        case "weakened" if known:
            return one_line(
                f"{name} is inconclusive (before: {known.verdict}, since {known.since}): evidence "
                f"{_short(evalue(evidence, known.verdict))} at {evidence.n} seeds"
            )
    return ""


def enough(finding: Finding) -> str:
    """The evidence for a surprise, beside what is enough."""
    asked, evidence = finding.asked, finding.judged
    among = f"among {asked.among} questions" if asked.among > 1 else "of a single question"
    return (
        f"evidence {_short(evalue(evidence, evidence.verdict))} at {evidence.n} seeds, where "
        f"{_short(asked.among / asked.level)} is enough {among}"
    )


def _short(evalue: float) -> str:
    return f"{evalue:.3g}" if evalue < 1000 else f"{evalue:,.0f}"
