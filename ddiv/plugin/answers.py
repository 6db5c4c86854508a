"""What the tests of claims came to: one answer for every question.

A plugin may run a test several times (`--reruns`, `--count`, xdist's `--dist each`). Then the last
report on a question counts, and no other.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

import pytest

from ddiv.evidence import Pooled, Row, pooled_controls
from ddiv.finding.wording import Tally, tally

# The properties of a report that say what came of its test, and of which verdicts the ledger does
# not know.
VERDICT, ERROR = "ddiv verdict", "ddiv error"
UNEXPECTED, WEAKENED = "ddiv unexpected", "ddiv weakened"

# The attribute of a report that names its question. Reports travel with theirs from workers.
QUESTION = "ddiv_question"

# The attribute of a report on a test that is skipped because its study cannot be asked it.
UNASKED = "ddiv_unasked"

MOST_REASONS = 5  # that are told


class Answers:
    """A plugin of pytest's that keeps the last report on every question."""

    def __init__(self) -> None:
        self._last: dict[str, pytest.TestReport] = {}
        self._unasked: dict[str, str] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        question = getattr(report, QUESTION, None)
        answered = ERROR in dict(report.user_properties) or (
            report.when == "call" and verdict(report) is not None
        )
        if question is not None and answered and str(report.outcome) != "rerun":
            self._last[question] = report
        if report.skipped and not hasattr(report, "wasxfail") and hasattr(report, UNASKED):
            self._unasked[report.nodeid] = getattr(report, UNASKED)

    def answered(self) -> list[str]:
        """The questions that have an answer; another thread may ask."""
        return list(self._last)

    def unasked(self) -> Iterator[str]:
        """Why tests were skipped, in lines."""
        yield from not_asked(self._unasked.values())

    def tally(self) -> Tally:
        """How many questions have which verdict, and how many came to an error."""
        answers = list(self._last.values())
        verdicts = ((verdict(report), hasattr(report, "wasxfail")) for report in answers)
        counted = [(word, expected) for word, expected in verdicts if word is not None]
        return tally(counted, len(answers) - len(counted))

    def told(self, name: str) -> list[str]:
        """What reports tell under this property, in the order of the tests' ends."""
        properties = map(_properties, self._last.values())
        return [str(each[name]) for each in properties if name in each]

    def pooled(self, alpha: float) -> dict[str, Pooled]:
        """By family, all of its negative controls as one."""
        properties = map(_properties, self._last.values())
        return pooled_controls(
            [
                Row(
                    each["ddiv guards"],
                    str(each["ddiv study"]),
                    2 * float(str(each["ddiv evidence for"])),
                    withheld="ddiv withheld" in each,
                )
                for each in properties
                if "ddiv guards" in each and VERDICT in each
            ],
            alpha,
        )

    def hardly_trained(self) -> int:
        """How many verdicts rest on arms that hardly fit their training set."""
        return len(self.told("ddiv hardly trained"))


def not_asked(reasons: Iterable[str]) -> Iterator[str]:
    """Why tests are skipped, in a line for each of the most frequent of these reasons."""
    counted = Counter(reasons).most_common()
    for reason, count in counted[:MOST_REASONS]:
        yield f"{count} not asked: {reason}"
    if rest := counted[MOST_REASONS:]:
        others = sum(count for _, count in rest)
        yield f"{others} not asked for other reasons (a run with -rs tells all)"


def verdict(report: pytest.TestReport) -> str | None:
    """The verdict that a report tells of; None where it tells of none."""
    word = _properties(report).get(VERDICT)
    return None if word is None else str(word)


def _properties(report: pytest.TestReport) -> dict[str, object]:
    return dict(report.user_properties)
