"""Claims and their findings, as the page shows them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping

import msgspec

from ddiv import evidence as judged
from ddiv.finding import Asked, Reader, Unanswered, standing
from ddiv.finding import Finding as Answer
from ddiv.finding.published import labels
from ddiv.finding.wording import explained, rerun, rerun_claim, unspecific
from ddiv.report.columns import paper_says, tables_say
from ddiv.report.figures.plots import plot
from ddiv.report.schema import Claim, CurvesPlot, Evidence, Expected, Finding
from ddiv.run import run as runs

EXACTLY = "exact two-sided sign test over published studies, on the effects of one run an arm"


def claims(
    asked: Iterable[Asked],
    findings: Mapping[str, Finding],
    run: runs.Run,
    curves: Mapping[str, CurvesPlot],
) -> Iterator[Claim]:
    """The claims in the order in which they are asked, each with all of its findings. `findings`
    and `curves`, which are plots, are by test.
    """
    groups: dict[str, list[Asked]] = defaultdict(list)
    for one in asked:
        groups[one.claim.id].append(one)
    for name, group in groups.items():
        claim = group[0].claim
        yield Claim(
            id=name,
            family=claim.family,
            statement=claim.statement,
            source=claim.source,
            guards=claim.guards,
            judged_by=claim.judged_by,
            unspecific="" if _has_specific(group) else unspecific(group[0].question),
            direction=_direction(group),
            command=rerun_claim(group[0], run.options),
            paper=paper_says(name),
            tables=tables_say(name) if paper_says(name) else (),
            findings=tuple(
                msgspec.structs.replace(findings[one.test], curves=curves.get(one.test))
                for one in group
            ),
        )


def _has_specific(asked: Iterable[Asked]) -> bool:
    return any(one.question.has_specific for one in asked)


def finding(asked: Asked, answered: Answer | Unanswered, reader: Reader, run: runs.Run) -> Finding:
    """A question with what it came to, as the page shows it."""
    shown = Finding(
        test=asked.test,
        study=asked.study.name,
        variant=asked.variant,
        statement=asked.claim.statement,
        direction=_direction([asked]),
        expected=_expected(asked),
        command=rerun(asked, run.options),
    )
    if isinstance(answered, Unanswered):
        return msgspec.structs.replace(shown, verdict=answered.word, note=answered.reason)
    return msgspec.structs.replace(
        shown,
        verdict=answered.evidence.verdict,
        standing=standing(answered),
        caveats=answered.caveats,
        definitions=answered.definitions,
        evidence=_evidence(answered.evidence, asked, asked.seeds),
        specific=_evidence(answered.specific, asked, asked.seeds) if answered.specific else None,
        specific_note=answered.specific_note,
        negligible=bool(answered.negligible),
        hardly_trained=answered.hardly_trained,
        trials=answered.jobs,
        plot=plot(answered, reader),
        explained=explained(answered, run.most(asked)),
        derived=answered.derived,
    )


def _direction(asked: Iterable[Asked]) -> str | None:
    """What is claimed of the effect; None where questions of one claim say different things."""
    words = {"rises" if one.question.direction > 0 else "falls" for one in asked}
    return words.pop() if len(words) == 1 else None


def _expected(asked: Asked) -> Expected | None:
    entry = asked.expected
    return Expected(entry.verdict, entry.since.isoformat(), entry.reason) if entry else None


def _evidence(evidence: judged.Evidence, asked: Asked, seeds: tuple[int, ...]) -> Evidence:
    return Evidence(
        **msgspec.structs.asdict(evidence)
        | {
            "seeds": seeds,
            "unit": asked.question.unit,
            "method": EXACTLY if asked.study.fixed_sample else asked.question.method,
            "labels": labels(asked),
        }
    )
