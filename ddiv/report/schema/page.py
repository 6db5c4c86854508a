"""The page as it is gathered from the store (`ddiv.report.gather`)."""

from __future__ import annotations

from msgspec import Struct, field

from ddiv.report.schema.common import Fact
from ddiv.report.schema.findings import (
    Claim,
    Controls,
    Departure,
    Family,
    Listed,
    ListedClaims,
    OverStudies,
    Spent,
)
from ddiv.report.schema.material import Material
from ddiv.report.schema.pictures import Picture
from ddiv.report.schema.plots import FamilyCurves
from ddiv.report.schema.sheets import ContactSheet, GeneratorSheet


class RunFacts(Struct, frozen=True, kw_only=True):
    """How a run went."""

    seconds: float | None = None
    trials_trained: int | None = None
    trials_reused: int | None = None
    seconds_per_trial: float | None = None
    workers: int | None = None
    device: str = ""


class Domain(Struct, frozen=True):
    """A domain of a study's data."""

    id: str
    role: str  # "in domain" or "out of domain"


class Accuracy(Struct, frozen=True):
    """Accuracy of the baseline in one place, 0 to 1."""

    name: str
    mean: float | None = None
    sd: float | None = None  # over seeds


class StudyCard(Struct, frozen=True, kw_only=True):
    """What a study is."""

    id: str = ""
    title: str = ""
    description: str = ""
    facts: tuple[Fact, ...] = ()
    domains: tuple[Domain, ...] = ()
    baseline: tuple[Accuracy, ...] = ()
    conditional: str = ""  # what its verdicts are conditional on


class CrossChecked(Struct, frozen=True, kw_only=True):
    """One layer's metrics here and by WeightWatcher."""

    study: str
    layer: str
    shape: tuple[int, int]
    alpha: tuple[float, float]  # ours, WeightWatcher's
    entropy: tuple[float, float]
    apart: float  # the largest relative difference of a metric
    column: str  # the metric that has it, by WeightWatcher's name
    agrees: bool


class CrossCheck(Struct, frozen=True):
    """Layers drawn from a run, analysed by WeightWatcher too; note: why there is none."""

    version: str | None
    rows: tuple[CrossChecked, ...]
    note: str = ""


class Progress(Struct, frozen=True, kw_only=True):
    """How far a run is that goes on while its page is written."""

    done: int  # trials measured
    of: int  # trials that it needs, as far as is known
    answered: int  # questions
    asked: int
    seconds: float  # since its start
    again: float = 60.0  # seconds until the page is written again


class Page(Struct, frozen=True, kw_only=True):
    """All that a page shows."""

    title: str = ""
    run_id: str = ""
    progress: Progress | None = None  # None of a run that has ended
    subtitle: str = ""
    generated: str = ""  # ISO time, in UTC
    profile: str = ""
    command: str = ""  # how the run was started
    alpha: float | None = None  # level of each test
    seeds: tuple[int, ...] = ()  # to start with
    run: RunFacts | None = None
    spent: Spent | None = None
    listed: Listed | None = None
    listed_specific: Listed | None = None
    claims_listed: ListedClaims | None = None
    claims_listed_specific: ListedClaims | None = None
    over_studies: tuple[OverStudies, ...] = ()
    controls: dict[str, Controls] = field(default_factory=dict)  # by family
    curves: tuple[FamilyCurves, ...] = ()  # those that the findings' plots show
    studies: tuple[StudyCard, ...] = ()
    families: tuple[Family, ...] = ()
    claims: tuple[Claim, ...] = ()
    materials: tuple[Material, ...] = ()
    pictures: tuple[Picture, ...] = ()
    contact_sheets: tuple[ContactSheet, ...] = ()
    generators: tuple[GeneratorSheet, ...] = ()
    departures: tuple[Departure, ...] = ()  # of the published code from the paper's text
    crosscheck: CrossCheck | None = None
    settings: tuple[Fact, ...] = ()
    versions: tuple[Fact, ...] = ()
    hardware: tuple[Fact, ...] = ()
    warnings: tuple[str, ...] = ()
