"""The first screen: what holds as claimed, what of it is specific, what the authors' tables say."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from ddiv.report.schema import (
    ArrangedClaim,
    ArrangedFamily,
    ArrangedFinding,
    Counts,
    Overview,
    OverviewRow,
    Share,
)
from ddiv.report.text import VERDICTS

# The verdicts that answer a question; the other words say why there is no answer.
ANSWERS = tuple(VERDICTS)[:3]


def overview(families: Sequence[ArrangedFamily]) -> Overview | None:
    """The picture of a run, a row a family below one of all; None where nothing is answered.

    Negative controls are counted apart from it, as everywhere on the page.
    """
    rows = [row for family in families if (row := _row(family.title, family.anchor, family.claims))]
    everything = _row("All claims", "", [claim for one in families for claim in one.claims])
    if everything is None:
        return None
    return Overview(
        rows=(everything, *(rows if len(rows) > 1 else ())),
        has_specific=any(row.specific for row in rows),
        has_tables=any(row.tables for row in rows),
    )


def _row(title: str, anchor: str, claims: Iterable[ArrangedClaim]) -> OverviewRow | None:
    tested = [claim for claim in claims if not claim.guards]
    findings = [finding for claim in tested for finding in claim.findings]
    claimed = _share(Counter(one.verdict for one in findings))
    if claimed is None:
        return None
    return OverviewRow(
        title=title,
        anchor=anchor,
        claimed=claimed,
        specific=_share(Counter(_specific(findings))),
        tables=_share(Counter(_of_tables(tested))),
        waiting=sum(one.verdict == "not run" for one in findings),
    )


def _specific(findings: Iterable[ArrangedFinding]) -> Iterator[str]:
    return (one.specific_verdict for one in findings if one.specific_verdict)


def _of_tables(claims: Iterable[ArrangedClaim]) -> Iterator[str]:
    for claim in claims:
        for word, n in claim.columns.tables_tally if claim.columns else ():
            yield from [word] * n


def _share(words: Counter[str]) -> Share | None:
    counts: Counts = tuple((word, words[word]) for word in ANSWERS if words[word])
    if not counts:
        return None
    return Share(counts=counts, holds=words["supported"], of=sum(n for _, n in counts))
