"""Pages of a few findings whose verdicts are simply stated."""

from __future__ import annotations

from ddiv.report.schema import Claim, Evidence, Finding, Page
from tests.support.parsed_page import parse


def one(verdict: str, **more) -> Finding:
    e_for, e_against = {"supported": (20.5, 0.0357), "contradicted": (0.0357, 20.5)}.get(
        verdict, (0.475, 0.104)
    )
    evidence = Evidence(verdict=verdict, e_for=e_for, e_against=e_against, n=6, decided_at=6)
    fields = {"test": "t", "study": "s", "variant": "v", "evidence": evidence} | more
    return Finding(verdict=verdict, **fields)


def of(*findings: Finding, guards: str = "", **more) -> Page:
    """A page of one claim."""
    claim = Claim(id="c", family="f", findings=findings, guards=guards)
    return Page(alpha=0.05, claims=(claim,), **more)


def marks(page: Page) -> list[set[str]]:
    """The marks of each finding's row: the flags that the filters look for."""
    names = [
        "differs",
        "negligible",
        "surprise",
        "unexpected",
        "divided",
        "starred",
        "starred_specific",
        "failing",
    ]
    return [
        {f"data-{name}" for name in names} & set(row)
        for row in parse(page).all("details", class_="finding")
    ]


def specific(verdict: str) -> Evidence:
    return Evidence(verdict=verdict, effect=0.5, n=6)
