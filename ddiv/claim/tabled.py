"""What published tables can answer, and which of a study's sets have all that a question reads."""

from __future__ import annotations

from collections.abc import Iterator

from ddiv.claim.bench import NotApplicable
from ddiv.claim.groups import NO_OP, Agreement, Alike, Opposite, Resemblance, SomewhereOpposed
from ddiv.claim.question import Asking
from ddiv.outcome import Outcome, Score, Vendi, why_not
from ddiv.study import Study, TableArm, Tables, TableSet


def replicates(question: Asking, study: Study) -> tuple[int, ...]:
    """The sets of a study of published tables, by number, that can answer a question.

    Sets that lack an arm, or a score of one, are left out of it. Raises NotApplicable, with the
    reason, where no set can answer it, and where no tables could.
    """
    assert isinstance(study.data, Tables)
    for outcome in question.outcomes():
        if reason := why_not(outcome):
            raise NotApplicable(reason)
    lacking = [list(_lacking(question, one)) for one in study.data.sets]
    if all(lacking):
        # What the set lacks that has most of what is asked for.
        raise NotApplicable(f"no set of tables has {min(lacking, key=len)[0]}")
    return tuple(number for number, reasons in enumerate(lacking) if not reasons)


def left_out(question: Asking, study: Study) -> dict[str, str]:
    """The sets, by label, that are left out of a question, and why."""
    assert isinstance(study.data, Tables)
    found: dict[str, str] = {}
    for one in study.data.sets:
        if reason := next(_lacking(question, one), ""):
            # An arm that is there, and has scores only, was left out for a reason.
            arms = [one.arm(treatment) for treatment in question.arms()]
            told = one.note if any(arm and not arm.has_spectra for arm in arms) else ""
            found[one.label] = told or f"without {reason}"
    return found


def shares_baseline(question: Asking) -> bool:
    """Whether a question compares directions from two replicates of the baseline."""
    return any(map(_doubles, question.parts()))


def _doubles(part: Asking) -> bool:
    return isinstance(part, Resemblance | Agreement) and part.replicate == NO_OP


def goes_together(question: Asking) -> bool:
    """Whether a question asks of two groups of arms whether they move an outcome alike, or opposite
    ways: both are measured from one baseline.
    """
    return isinstance(question, Alike | Opposite | SomewhereOpposed)


def _lacking(question: Asking, one: TableSet) -> Iterator[str]:
    """What a question reads and a set has not."""
    for part in question.parts():
        for treatment in dict.fromkeys(part.arms()):
            if treatment == NO_OP and _doubles(part):
                continue  # the one baseline of a set has to stand for both
            arm = one.arm(treatment)
            for outcome in part.outcomes():
                if not _has(arm, outcome):
                    yield f"{_what(outcome)} of the arm {treatment.label}"


def _has(arm: TableArm | None, outcome: Outcome) -> bool:
    match outcome:
        case _ if arm is None:
            return False
        case Vendi(space=space):
            return getattr(arm, space) is not None
        case Score(kind=kind):
            return arm.has_spectra and getattr(arm, kind) is not None
    return arm.has_spectra


def _what(outcome: Outcome) -> str:
    return outcome.label if isinstance(outcome, Vendi | Score) else "a table"
