"""Findings in words: for a failing test, for the report."""

from __future__ import annotations

from ddiv.finding import Asked, Finding


def in_three_lines(finding: Finding) -> str:
    """What was claimed, what was measured, and how to look at it again."""
    asked = finding.asked
    where = asked.study.name + (f", {asked.variant}" if asked.variant else "")
    beside = f"; fit-matched: {finding.matched.verdict}" if finding.matched else ""
    return (f"{asked.claim.id} is {finding.evidence.verdict} on {where}: {asked.claim.statement}\n"
            f"measured: {measured(finding)}{beside}\n"
            f"rerun just this: {rerun(asked)}")


def measured(finding: Finding) -> str:
    """The effect with its interval, unit, seeds and evidence in one line."""
    evidence, question = finding.evidence, finding.asked.question
    low, high = evidence.interval
    claimed = "rises" if question.direction > 0 else "falls"
    return (f"median effect {evidence.effect:+.4g} [{low:+.4g}, {high:+.4g}] {question.unit}, claimed: {claimed}; "
            f"{evidence.n} seeds, evidence {evidence.e_for:.3g} for and {evidence.e_against:.3g} against "
            f"({1 / finding.asked.alpha:g} decides)")


def properties(finding: Finding) -> dict[str, object]:
    """What JUnit XML tells of a finding: name -> value, all under "ddiv"."""
    evidence, asked = finding.evidence, finding.asked
    verdict = f"control {evidence.verdict}" if asked.claim.control else evidence.verdict
    return {"ddiv verdict": verdict, "ddiv claim": asked.claim.id, "ddiv study": asked.study.name, "ddiv variant": asked.variant,
            "ddiv effect": evidence.effect, "ddiv unit": asked.question.unit, "ddiv seeds": evidence.n,
            "ddiv evidence for": evidence.e_for, "ddiv evidence against": evidence.e_against,
            **({"ddiv fit-matched verdict": finding.matched.verdict} if finding.matched else {}),
            **({"ddiv expected verdict": asked.expected.verdict} if asked.expected else {})}


def rerun(asked: Asked) -> str:
    return f'pytest "{asked.test}"'


def tally(verdicts: list[str | None], expected: list[bool]) -> str:
    """How many claims have which verdict, and how many of these the ledger expects."""
    parts = []
    for name in ("supported", "contradicted", "inconclusive"):
        known = sum(verdict == name and was for verdict, was in zip(verdicts, expected))
        parts.append(f"{verdicts.count(name)} {name}" + (f" ({known} of them expected)" if known else ""))
    held = [verdict != "control supported" for verdict in verdicts if verdict and verdict.startswith("control ")]
    return ", ".join(parts) + (f"; {sum(held)} of {len(held)} controls held" if held else "")
