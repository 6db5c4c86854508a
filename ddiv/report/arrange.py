"""The page arranged for the template.

Verdicts are counted, claims grouped, and anchors and plots numbered.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from ddiv.evidence import judge
from ddiv.report import headline, places, specific
from ddiv.report.columns import AUTHORS, is_coded
from ddiv.report.figures.scores import score_table
from ddiv.report.figures.strip import digits, dots, strip, values
from ddiv.report.overview import overview
from ddiv.report.schema import (
    Arranged,
    ArrangedAnswer,
    ArrangedClaim,
    ArrangedDeparture,
    ArrangedFamily,
    ArrangedFinding,
    ArrangedPicture,
    Cell,
    Claim,
    Columns,
    Controls,
    Counts,
    Finding,
    Link,
    OverStudies,
    Page,
    Plot,
    Spent,
    TableAnswer,
    Tally,
)
from ddiv.report.text import VERDICTS, count, is_number, key

MANY_FINDINGS = 40  # beyond this the claims start closed


def arrange(page: Page) -> Arranged:
    """What the template shows of a `clean` page."""
    plots: list[Plot] = []
    trials: dict[str, int] = {}
    claims = _claims(page, plots, trials)
    findings = tuple(finding for claim in claims for finding in claim.findings)
    tested = [finding for finding in findings if not finding.guards]
    titles = study_titles(page)
    columns = _columns(titles, findings)
    over = defaultdict(list)
    for row in page.over_studies if len(columns) > 1 else ():
        over[row.claim].append(row)
    claims = [_in_matrix(claim, columns, over[claim.id]) for claim in claims]
    families = _families(page, claims)
    controls = {_controls_of(name, page): row for name, row in page.controls.items() if row.of}
    alpha = page.alpha if is_number(page.alpha) and 1e-9 < page.alpha < 1 else None
    return Arranged(
        titles={study: titles.get(study, study) for study in columns},
        overview=(seen := overview(families)),
        takeaway=headline.takeaway(seen) if seen else "",
        families=families,
        findings=findings,
        tally=tally(findings),
        tested=tally(tested),
        held=Controls(
            sum(row.held for row in controls.values()), sum(row.of for row in controls.values())
        ),
        alarming=any(row.failed for row in controls.values()),
        over_studies=any(claim.over for claim in claims),
        summary=headline.summary(page, [c for c in claims if not c.guards], tested, columns),
        alarms=headline.alarms(findings, controls),
        notes=headline.notes(findings),
        open_claims=len(findings) <= MANY_FINDINGS,
        tables=tuple(score_table(one.scores) for one in page.materials if one.scores),
        pictures=tuple(_pictures(page, claims)),
        decides=1 / alpha if alpha else None,
        agreeing=_agreeing(alpha) if alpha else None,
        three_columns=any(claim.columns for claim in claims),
        departures=tuple(_departures(page, claims)),
        specific=specific.section(claims, columns, _family_titles(page), page.controls),
        saved=page.spent.fixed - page.spent.trials if page.spent else None,
        most_findings=_most_findings(page.spent),
        plots=tuple(plots),
        trials=tuple(trials),
    )


def study_titles(page: Page) -> dict[str, str]:
    """The title of each study of the page, by its id."""
    return {study.id: study.title or study.id for study in page.studies if study.id}


def tally(findings: Sequence[ArrangedFinding]) -> Tally:
    """Findings counted by verdict, as claimed and specific, and by mark."""
    return Tally(
        claimed=_counts(f.verdict for f in findings),
        specific=_counts(f.specific_verdict for f in findings if f.specific_verdict),
        known=Counter(f.verdict for f in findings if f.known),
        surprise=sum(f.surprise for f in findings),
        unexpected=sum(f.unexpected for f in findings),
        differs=sum(f.differs for f in findings),
        divided=sum(f.divided for f in findings),
        starred=sum(f.starred for f in findings),
        starred_specific=sum(f.starred_specific for f in findings),
        failing=sum(f.failing for f in findings),
        negligible=sum(f.negligible for f in findings),
        hardly_trained=sum(f.hardly_trained for f in findings),
    )


def _counts(words: Iterable[str]) -> Counts:
    counts = Counter(words)
    known = [(word, counts.pop(word)) for word in VERDICTS if counts[word]]
    return (*known, *((word, n) for word, n in counts.items() if n))


# --- claims and findings ------------------------------------------------------------------------


def _claims(page: Page, plots: list[Plot], trials: dict[str, int]) -> list[ArrangedClaim]:
    """The claims in their order; their plots are appended to `plots`, and their trials numbered."""
    taken: set[str] = set()
    starred = [
        set(listed.tests if listed else ()) for listed in (page.listed, page.listed_specific)
    ]
    return [_claim(claim, plots, trials, taken, starred) for claim in page.claims]


def _claim(
    claim: Claim,
    plots: list[Plot],
    trials: dict[str, int],
    taken: set[str],
    starred: Sequence[set[str]],
) -> ArrangedClaim:
    anchor = places.anchor("c", claim.id, taken)
    scales = _scales(claim)
    findings = []
    for finding in claim.findings:
        unit = finding.evidence.unit if finding.evidence else ""
        place = f"{anchor[2:]} {finding.study} {finding.variant}"
        most = scales.get((finding.study, unit), 0.0)
        shown = _finding(finding, claim, starred, most, places.anchor("f", place, taken), plots)
        numbers = places.ranges(trials.setdefault(key, len(trials)) for key in finding.trials)
        findings.append(msgspec.structs.replace(shown, place=anchor, places=numbers))
    fields = msgspec.structs.asdict(claim) | {"findings": tuple(findings)}
    columns = _three_columns(claim, findings)
    return ArrangedClaim(**fields, anchor=anchor, tally=tally(findings), columns=columns)


def _three_columns(claim: Claim, findings: Sequence[ArrangedFinding]) -> Columns | None:
    if not claim.paper and not claim.tables:
        return None
    described, coded = ([f for f in findings if is_coded(f.study) == of] for of in (False, True))
    return Columns(
        paper=claim.paper,
        tables=tuple(map(_answered, claim.tables)),
        tables_tally=_counts(one.verdict for one in claim.tables if one.of),
        described=_counts(f.verdict for f in described if f.study != AUTHORS),
        coded=_counts(f.verdict for f in coded),
    )


def _answered(one: TableAnswer) -> ArrangedAnswer:
    shown = [f"{name} {agree} of {of}" for name, agree, of in one.groups if name]
    return ArrangedAnswer(
        **{name: getattr(one, name) for name in TableAnswer.__struct_fields__},
        strip=dots(one.effects, one.verdict),
        by_group=", ".join(shown),
    )


def _finding(
    finding: Finding,
    claim: Claim,
    starred: Sequence[set[str]],
    most: float,
    anchor: str,
    plots: list[Plot],
) -> ArrangedFinding:
    """The finding with its marks: what it is besides its verdict.

    A control must not come out supported. `starred` are the tests on the lists, as claimed and
    specific. `most` is the end of its strip's scale. Its plots are appended to `plots`.
    """
    verdict, evidence, beyond = finding.verdict, finding.evidence, finding.specific
    definitions = [word for _, word in finding.definitions]
    judged = beyond if claim.judged_by == "specific" else evidence
    failing = bool(claim.guards) and judged is not None and judged.verdict == "supported"
    evalue = None
    if evidence:
        evalue = evidence.e_against if verdict == "contradicted" else evidence.e_for
    fields = msgspec.structs.asdict(finding)
    fields["statement"] = finding.statement or claim.statement
    return ArrangedFinding(
        **fields,
        anchor=anchor,
        key=key(verdict),
        of=claim.id,
        guards=claim.guards,
        evalue=evalue,
        digits=digits(most),
        strip=strip(evidence, beyond, most),
        plot_id=_numbered(finding.plot, plots),
        curves_id=_numbered(finding.curves, plots),
        holds=definitions.count("supported"),
        specific_verdict=beyond.verdict if beyond else None,
        known=finding.standing == "expected",
        surprise=finding.standing == "sure" and not claim.guards,
        unexpected=finding.standing == "unexpected",
        differs=beyond is not None and beyond.verdict != verdict,
        divided=len(set(definitions)) > 1,
        starred=finding.test in starred[0],
        starred_specific=finding.test in starred[1],
        failing=failing,
    )


def _numbered(plot: Plot | None, plots: list[Plot]) -> int | None:
    """The plot's place among the page's, to which it is appended."""
    if plot is None:
        return None
    plots.append(plot)
    return len(plots) - 1


def _scales(claim: Claim) -> dict[tuple[str, str], float]:
    """The largest value of a claim's strips by study and unit.

    All strips of a claim in one study and unit share a scale; studies can differ by orders of
    magnitude.
    """
    scales: dict[tuple[str, str], float] = defaultdict(float)
    for finding in claim.findings:
        for evidence in filter(None, (finding.evidence, finding.specific)):
            scale = finding.study, evidence.unit
            scales[scale] = max([scales[scale], *map(abs, values(evidence))])
    return scales


def _columns(titles: dict[str, str], findings: Sequence[Finding]) -> list[str]:
    """The studies that have findings: those that the page describes first."""
    asked = dict.fromkeys(finding.study for finding in findings)
    return [study for study in dict.fromkeys([*titles, *asked]) if study in asked]


def _in_matrix(
    claim: ArrangedClaim, columns: Sequence[str], over: Sequence[OverStudies]
) -> ArrangedClaim:
    """The claim with its row of the table of claims and studies."""
    groups = [[f for f in claim.findings if f.study == study] for study in columns]
    return msgspec.structs.replace(
        claim,
        cells=tuple(map(_cell, groups)),
        over=tuple(over),
        over_tally=_counts(row.verdict for row in over),
    )


def _cell(findings: Sequence[ArrangedFinding]) -> Cell | None:
    if not findings:
        return None
    counted = tally(findings)
    words = [word for word, _ in counted.claimed]
    verdict = words[0] if len(words) == 1 else None
    return Cell(tally=counted, verdict=verdict, n=len(findings), study=findings[0].study)


def _families(page: Page, claims: Sequence[ArrangedClaim]) -> tuple[ArrangedFamily, ...]:
    """The families that have claims: those that the page names first."""
    titles = _family_titles(page)
    members: dict[str, list[ArrangedClaim]] = {name: [] for name in titles}
    for claim in claims:
        members.setdefault(claim.family or "other claims", []).append(claim)
    controls = {name: row for name, row in page.controls.items() if row.of}
    taken: set[str] = set()
    return tuple(
        ArrangedFamily(
            places.anchor("family", name, taken),
            titles.get(name, name),
            tuple(group),
            controls.get(name),
        )
        for name, group in members.items()
        if group
    )


def _family_titles(page: Page) -> dict[str, str]:
    return {family.id: family.title or family.id for family in page.families}


def _controls_of(family: str, page: Page) -> str:
    """What the controls of a family are called that may have no claims."""
    return _family_titles(page).get(family, family.capitalize())


def _departures(page: Page, claims: Sequence[ArrangedClaim]) -> Iterable[ArrangedDeparture]:
    """The departures of the published code, with what the run says of the claims they bear on."""
    asked = {claim.id: claim for claim in claims if claim.id}
    for one in page.departures:
        links = (tuple(_link(name, asked) for name in names) for names in (one.touched, one.asked))
        bears_on, measured = links
        yield ArrangedDeparture(**msgspec.structs.asdict(one), bears_on=bears_on, measured=measured)


def _link(name: str, asked: Mapping[str, ArrangedClaim]) -> Link:
    if name not in asked:
        return Link(name)
    return Link(name, asked[name].anchor, asked[name].tally.claimed)


def _pictures(page: Page, claims: Sequence[ArrangedClaim]) -> Iterable[ArrangedPicture]:
    """The pictures with links to their claims, and the verdicts of those that the run asked."""
    asked = {claim.id: claim for claim in claims if claim.id}
    for picture in page.pictures:
        links = tuple(_link(name, asked) for name in picture.claims)
        yield ArrangedPicture(**msgspec.structs.asdict(picture), links=links)


# --- small helpers ------------------------------------------------------------------------------


def _most_findings(spent: Spent | None) -> int:
    """The length of the longest bar of seeds."""
    return max((n for _, n in spent.by_seeds), default=1) if spent else 1


def _agreeing(alpha: float) -> tuple[str, float]:
    """The seeds at which a verdict falls if all agree, in words, and the evidence then."""
    seeds = 1
    while (evidence := judge([1.0] * seeds, alpha=alpha)).verdict != "supported":
        seeds += 1
    return count(seeds, "seed"), evidence.e_for
