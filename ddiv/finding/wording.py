"""Findings in words: for a failing test, for the report."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import get_args

from ddiv.claim import OfData, Question
from ddiv.common.printed import command, one_line, operand
from ddiv.evidence import Evidence, Verdict
from ddiv.finding import surprise
from ddiv.finding.asked import Asked
from ddiv.finding.finding import Finding
from ddiv.finding.published import by_sign
from ddiv.finding.seeds import undecided
from ddiv.finding.together import row
from ddiv.treatment import BASELINE

# A single name for pytest's -k; other names would be an expression, or none that it can read.
_EXPRESSION = re.compile(r"(?!-)[\w:+.\[\]\\/-]+")


def in_three_lines(finding: Finding, options: Sequence[str] = ()) -> str:
    """The claim, the measurement, and the command that repeats it under the run's `options`."""
    asked = finding.asked
    where = asked.study.name + (f", {asked.variant}" if asked.variant else "")
    by = " as specific" if asked.claim.judged_by == "specific" else ""
    return (
        f"{one_line(asked.claim.id)} is {finding.judged.verdict}{by} on {one_line(where)}: "
        f"{one_line(asked.claim.statement)}\n"
        f"measured: {one_line(measured(finding))}{one_line(_beside(finding))}\n"
        f"rerun just this: {rerun(asked, options)}"
    )


def _beside(finding: Finding) -> str:
    """What else is told of a finding: that its effect is negligible, and its other verdict."""
    negligible = "; negligible" if finding.negligible else ""
    if finding.asked.claim.judged_by == "specific":
        return f"{negligible}; as claimed: {finding.evidence.verdict}"
    return negligible + (f"; specific: {finding.specific.verdict}" if finding.specific else "")


def measured(finding: Finding) -> str:
    """The effect with its interval, unit, seeds and evidence in one line."""
    evidence, question = finding.judged, finding.asked.question
    low, high = evidence.interval
    claimed = "rises" if question.direction > 0 else "falls"
    size = f"median effect {evidence.effect:+.4g} [{low:+.4g}, {high:+.4g}] {question.unit}"
    if evidence.p is not None:
        told = by_sign(finding.asked, finding.judged_effects, evidence)
        return f"{size}, claimed: {claimed}; {told} ({finding.asked.alpha:g} decides)"
    return (
        f"{size}, claimed: {claimed}; {evidence.n} seeds, evidence {evidence.e_for:.3g} for and "
        f"{evidence.e_against:.3g} against ({1 / finding.asked.alpha:g} decides)"
    )


def explained(finding: Finding, most: int | None = None) -> str:
    """Why a finding is contradicted or inconclusive, in a sentence or two; "" for a supported one.

    The reason is the ledger's where that expects the verdict, else it is read off the evidence.
    most: the seeds after which the run asks for no more (None: not said).
    """
    asked, evidence = finding.asked, finding.evidence
    if evidence.verdict == "supported":
        return ""
    if asked.expected and asked.expected.verdict == evidence.verdict:
        return asked.expected.reason
    decides, seeds = 1 / asked.alpha, _by_sign(evidence, asked.question.direction)
    if evidence.p is not None:
        seeds = by_sign(asked, finding.effects, evidence)
        if not finding.withheld:
            return f"{seeds} ({asked.alpha:g} decides). There are no further studies."
    if evidence.verdict == "contradicted":
        return (
            f"{seeds}: the evidence against it passed {decides:g} at {evidence.decided_at} seeds."
        )
    if finding.withheld:
        caveats = [caveat for caveat in finding.caveats if "decides nothing" in caveat]
        why = caveats[0] if caveats else "The fits behind it cannot be relied on."
        return f"{seeds}. {why}"
    if asked.claim.control:
        return f"{seeds}: a negative control, as expected."
    weighed = (
        f"{seeds}: evidence {evidence.e_for:.3g} for it and {evidence.e_against:.3g} against "
        f"({decides:g} decides)."
    )
    return weighed + _more_seeds(finding, most)


def _by_sign(evidence: Evidence, direction: int) -> str:
    """How many seeds agree with the claim, go against it and show nothing."""
    effects = [effect * direction for effect in evidence.effects]
    agree, against = sum(effect > 0 for effect in effects), sum(effect < 0 for effect in effects)
    none = evidence.n - agree - against
    counts = [f"{agree} of {evidence.n} seeds {'agrees' if agree == 1 else 'agree'} with the claim"]
    if against:
        counts.append(f"{against} {'goes' if against == 1 else 'go'} against it")
    if none:
        counts.append(f"{none} {'shows' if none == 1 else 'show'} no effect")
    return ", ".join(counts)


def _more_seeds(finding: Finding, most: int | None) -> str:
    """Whether more seeds could still decide, and why there are no more."""
    if most is None:
        return ""
    if finding.evidence.n >= most:
        return f" The limit of {most} seeds is reached (--max-seeds allows more)."
    if undecided(finding, most):
        return f" More seeds, up to {most}, may decide it; this run did not get to them."
    return (
        f" No more seeds were spent: even if all up to {most} agreed from here on, neither verdict "
        "would be reached."
    )


def unspecific(question: Question) -> str:
    """Why there is no verdict on what is specific of a question (`Asking.has_specific`)."""
    if any(isinstance(outcome, OfData) for outcome in question.outcomes()):
        return "it is about data, which no optimiser changes"
    if any(True for _ in question.numbers()):
        return "it is about an experiment, in which no network is compared with the baseline"
    if BASELINE not in question.arms():
        return "it does not compare trained networks with the baseline"
    return (
        "the loss on the clean training set tells nothing of its arms' training (another seed, "
        "random labels, dropout at evaluation), or is what they set (batch sizes)"
    )


def properties(finding: Finding) -> dict[str, object]:
    """A finding's properties in JUnit XML: name -> value, all under "ddiv"."""
    evidence, asked, told = finding.judged, finding.asked, surprise.told(finding)
    verdict = f"control {evidence.verdict}" if asked.claim.control else evidence.verdict
    return {
        "ddiv verdict": verdict,
        "ddiv claim": asked.claim.id,
        "ddiv study": asked.study.name,
        "ddiv variant": asked.variant,
        "ddiv effect": evidence.effect,
        "ddiv unit": asked.question.unit,
        "ddiv seeds": evidence.n,
        "ddiv evidence for": evidence.e_for,
        "ddiv evidence against": evidence.e_against,
        **({"ddiv specific verdict": finding.specific.verdict} if finding.specific else {}),
        **({"ddiv specific note": finding.specific_note} if finding.specific_note else {}),
        **({"ddiv negligible": "yes"} if finding.negligible else {}),
        **({"ddiv hardly trained": "yes"} if finding.hardly_trained else {}),
        **({"ddiv expected verdict": asked.expected.verdict} if asked.expected else {}),
        **({"ddiv guards": asked.claim.guards} if asked.claim.control else {}),
        **({"ddiv withheld": "yes"} if row(finding).withheld else {}),
        **({f"ddiv {surprise.standing(finding)}": told} if told else {}),
    }


def rerun(asked: Asked, options: Sequence[str] = ()) -> str:
    """The command that asks this again under the run's `options`, typed where that was."""
    return command("pytest", operand(asked.test), *options)


def rerun_claim(asked: Asked, options: Sequence[str] = ()) -> str:
    """The command that asks every question of a claim again, one of which is `asked`.

    Tests of one claim lie in one folder, or in one file where that is the folder one stands in.
    """
    name, file = asked.claim.id, PurePath(asked.test.partition("[")[0].partition("::")[0])
    if _EXPRESSION.fullmatch(name) and name not in ("and", "or", "not"):
        place = file if file.parent == PurePath() else file.parent
        return command("pytest", operand(str(place)), "-k", name, *options)
    return command("pytest", operand(asked.test.partition("[")[0]), *options)


@dataclass(frozen=True)
class Tally:
    """Counts of claims by verdict, of those that the ledger expects, of controls that held, and of
    errors, which are no verdicts.
    """

    verdicts: Mapping[str, int]
    expected: Mapping[str, int]
    controls: int
    held: int
    errors: int = 0

    @property
    def claims(self) -> int:
        return sum(self.verdicts.values()) + self.controls + self.errors

    @property
    def counts(self) -> dict[str, int]:
        """By name, as JUnit XML has them.

        A contradicted claim that is expected counts under its own name only.
        """
        unexpected = {name: count - self.expected[name] for name, count in self.verdicts.items()}
        expected = {
            f"expected-{name}": count
            for name, count in self.expected.items()
            if name != "supported"
        }
        controls = {"controls held": self.held, "controls supported": self.controls - self.held}
        return unexpected | expected | controls | {"errors": self.errors}

    def __str__(self) -> str:
        parts = [f"{count} {name}{self._expected(name)}" for name, count in self.verdicts.items()]
        if self.errors:
            parts.append(f"{self.errors} error{'s' * (self.errors > 1)}")
        controls = f"; {self.held} of {self.controls} controls held" if self.controls else ""
        return ", ".join(parts) + controls

    def _expected(self, verdict: str) -> str:
        expected = self.expected[verdict]
        return f" ({expected} of them expected)" if expected else ""


def tally(verdicts: Iterable[tuple[str, bool]], errors: int = 0) -> Tally:
    """Count (verdict, whether the ledger expects it), with controls under "control VERDICT"."""
    counted = Counter(verdicts)

    def total(verdict: str) -> int:
        return counted[verdict, False] + counted[verdict, True]

    controls = sum(
        count for (verdict, _), count in counted.items() if verdict.startswith("control ")
    )
    return Tally(
        {name: total(name) for name in get_args(Verdict)},
        {name: counted[name, True] for name in get_args(Verdict)},
        controls,
        controls - total("control supported"),
        errors,
    )
