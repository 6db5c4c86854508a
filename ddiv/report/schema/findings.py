"""Claims and their findings."""

from __future__ import annotations

from msgspec import Struct, field

from ddiv.report.schema.plots import FindingPlot


class Evidence(Struct, frozen=True, kw_only=True):
    """`ddiv.evidence.Evidence` with the seeds it comes from, its unit and its method in words."""

    verdict: str = ""
    e_for: float | None = None
    e_against: float | None = None
    effect: float | None = None
    interval: tuple[float | None, float | None] | None = None
    level: float | None = None
    standardised: float | None = None
    n: int | None = None
    decided_at: int | None = None  # number of seeds
    unit: str = ""
    effects: tuple[float | None, ...] = ()  # one a seed
    seeds: tuple[int, ...] = ()
    method: str = ""


class Expected(Struct, frozen=True):
    """What the ledger of known non-reproductions says of a finding."""

    verdict: str
    since: str  # ISO date
    reason: str


class Finding(Struct, frozen=True, kw_only=True):
    """One claim in one study and one variant."""

    test: str = ""  # id of the pytest item
    study: str = "—"
    variant: str = ""
    verdict: str = "not run"  # a word of `text.VERDICTS`
    # statement and direction of its own, where claims of one id say several things
    statement: str = ""
    direction: str | None = None
    expected: Expected | None = None
    note: str | None = None  # why it has no verdict
    caveats: tuple[str, ...] = ()
    # name and verdict: the same question by other definitions of its metric
    definitions: tuple[tuple[str, str], ...] = ()
    evidence: Evidence | None = None  # at equal epochs
    matched: Evidence | None = None  # at equal clean training loss
    matched_note: str | None = None
    explained: str = ""  # why it is not supported
    # name, value, low and high end of a 95 % interval
    derived: tuple[tuple[str, float | None, float | None, float | None], ...] = ()
    plot: FindingPlot | None = None
    trials: tuple[str, ...] = ()  # keys of the records
    command: str = ""  # that asks it again


class Claim(Struct, frozen=True, kw_only=True):
    """One claim of the paper, or a negative control."""

    id: str = ""
    family: str = ""
    statement: str = ""
    source: str = ""  # where the paper says it
    direction: str | None = None  # "rises", "falls"; None where its findings differ in it
    command: str = ""  # that asks it again
    guards: str = ""  # the family that it is a negative control of
    findings: tuple[Finding, ...] = ()


class Family(Struct, frozen=True):
    """A family of claims."""

    id: str
    title: str


class Controls(Struct, frozen=True):
    """Of a family's negative controls: how many held, that is, were not supported."""

    held: int
    of: int


class Listed(Struct, frozen=True, kw_only=True):
    """The findings that are selected together as supported (e-BH)."""

    alpha: float  # share of the list that may be wrong
    of: int  # questions that were put
    repeats: int = 0  # findings that repeat another one's question
    tests: tuple[str, ...] = ()  # on the list, with those that repeat one on it


class OverStudies(Struct, frozen=True, kw_only=True):
    """One verdict on a claim's variant over all studies of the run."""

    claim: str = ""
    variant: str = ""
    verdict: str = ""
    e_for: float | None = None
    e_against: float | None = None
    somewhere: bool = False  # whether one study is enough for it to hold
    studies: dict[str, str] = field(default_factory=dict)  # study -> verdict


class Spent(Struct, frozen=True, kw_only=True):
    """Seeds and trials that a run took."""

    first: int  # seeds to start with
    most: int  # seeds
    budget: float | None = None  # seconds after which no seeds are added
    trials: int  # that were measured
    fixed: int  # trials that the most seeds for every claim would have taken
    by_seeds: tuple[tuple[int, int], ...] = ()  # seeds, and how many findings took that many


class FitRow(Struct, frozen=True, kw_only=True):
    """How much of one finding's effect is left at equal clean training loss."""

    claim: str = ""
    study: str = "—"
    variant: str = ""
    test: str = ""
    family: str = ""
    unit: str = ""
    note: str | None = None
    verdict: str = ""
    effect: float | None = None  # at equal epochs
    equal: float | None = None  # the same, standardised
    matched_verdict: str = ""
    matched_effect: float | None = None  # at equal fit
    matched: float | None = None  # the same over the spread at equal epochs
    share: float | None = None  # matched_effect / effect
