"""Claims and their findings."""

from __future__ import annotations

from msgspec import Struct, field

from ddiv.report.schema.plots import CurvesPlot, FindingPlot


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
    # the seeds' order statistics about the median, and their level; it decides nothing
    spread: tuple[float | None, float | None] | None = None
    spread_level: float | None = None
    p: float | None = None  # of the exact test, where the replicates are a fixed sample
    labels: tuple[str, ...] = ()  # of these replicates, in the order of `effects`


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
    # beside the ledger (`ddiv.finding.surprise`): "expected", "weakened", "sure", "unexpected", ""
    standing: str = ""
    note: str | None = None  # why it has no verdict
    caveats: tuple[str, ...] = ()
    # name and verdict: the same question by other definitions of its metric
    definitions: tuple[tuple[str, str], ...] = ()
    evidence: Evidence | None = None  # as claimed: against the baseline at equal epochs
    specific: Evidence | None = None  # beyond the curves of the optimiser's family
    specific_note: str | None = None  # why there is none, or what it lacks
    negligible: bool = False  # the median effect is inside what an arm that does nothing shows
    hardly_trained: bool = False  # rests, at least in part, on arms that hardly fit their training
    explained: str = ""  # why it is not supported
    # name, value, low and high end of a 95 % interval
    derived: tuple[tuple[str, float | None, float | None, float | None], ...] = ()
    plot: FindingPlot | None = None
    curves: CurvesPlot | None = None  # its arms beside the curves of the optimiser's family
    trials: tuple[str, ...] = ()  # keys of the records
    command: str = ""  # that asks it again


class PaperSays(Struct, frozen=True):
    """What the paper says of a claim: the direction in words, and the number where it gives one."""

    direction: str
    number: str = ""


class TableAnswer(Struct, frozen=True, kw_only=True):
    """What the authors' published tables say of a claim in one variant.

    - `agree` of `of` studies have the claimed direction; `p`: of the exact two-sided sign test;
    - `effects`: one a study (`labels`), in `unit`, of the weakest comparison where there are
      several; `direction`: 1 where they rise as claimed, -1 where they fall;
    - `groups`: (backbone, agree, of); `note`: why there is no answer.
    """

    variant: str
    verdict: str
    agree: int = 0
    of: int = 0
    p: float | None = None
    effects: tuple[float, ...] = ()
    labels: tuple[str, ...] = ()
    unit: str = ""
    direction: int = 1
    groups: tuple[tuple[str, int, int], ...] = ()
    caveats: tuple[str, ...] = ()
    note: str = ""


class Departure(Struct, frozen=True, kw_only=True):
    """Where the published code or tables depart from the paper's text, in our words.

    `known`: "confirmed", "inferred" or "suspected". `tables`: what the tables show of the
    consequence. `asked`: claims whose findings measure it; `touched`: claims that it bears on.
    """

    text: str
    code: str
    known: str
    tables: str = ""
    touched: tuple[str, ...] = ()
    asked: tuple[str, ...] = ()


class Claim(Struct, frozen=True, kw_only=True):
    """One claim of the paper, or a negative control."""

    id: str = ""
    family: str = ""
    statement: str = ""
    source: str = ""  # where the paper says it
    direction: str | None = None  # "rises", "falls"; None where its findings differ in it
    command: str = ""  # that asks it again
    guards: str = ""  # the family that it is a negative control of
    unspecific: str = ""  # why none of its findings can have a specific verdict
    judged_by: str = "claimed"  # or "specific": the verdict that decides whether its test passes
    findings: tuple[Finding, ...] = ()
    paper: PaperSays | None = None
    tables: tuple[TableAnswer, ...] = ()


class Family(Struct, frozen=True):
    """A family of claims."""

    id: str
    title: str


class Controls(Struct, frozen=True):
    """Of a family's negative controls: how many held, that is, were not supported, and the evidence
    of all of them pooled, which must not reach the `bar` either.
    """

    held: int
    of: int
    pooled: float | None = None
    bar: float | None = None
    studies: int = 0

    @property
    def failed(self) -> bool:
        """Whether one of them came out supported, or all of them as one."""
        return self.held < self.of or self.pooled_failed

    @property
    def pooled_failed(self) -> bool:
        return self.pooled is not None and self.bar is not None and self.pooled >= self.bar


class Listed(Struct, frozen=True, kw_only=True):
    """The findings that are selected together as supported (e-BH)."""

    alpha: float  # share of the list that may be wrong
    of: int  # questions that were put
    repeats: int = 0  # findings whose draws are those of another
    tests: tuple[str, ...] = ()  # on the list, with those that repeat one on it


class ListedClaims(Struct, frozen=True, kw_only=True):
    """The claims that are selected together as holding on some study: how many."""

    alpha: float
    of: int
    listed: int
    repeats: int = 0


class OverStudies(Struct, frozen=True, kw_only=True):
    """One verdict on a claim's variant over all studies of the run."""

    claim: str = ""
    variant: str = ""
    verdict: str = ""
    e_for: float | None = None
    e_against: float | None = None
    somewhere: bool = False  # whether one study is enough for it to hold
    studies: dict[str, str] = field(default_factory=dict)  # study -> verdict
    # that it holds on some study: the product of the studies' evidence, and whether it is listed
    product: float | None = None
    listed: bool = False
    # the same of what is specific
    specific_product: float | None = None
    specific_listed: bool = False


class Spent(Struct, frozen=True, kw_only=True):
    """Seeds and trials that a run took."""

    first: int  # seeds to start with
    most: int  # seeds
    budget: float | None = None  # seconds after which no seeds are added
    trials: int  # that were measured
    fixed: int  # trials that the most seeds for every claim would have taken
    by_seeds: tuple[tuple[int, int], ...] = ()  # seeds, and how many findings took that many
