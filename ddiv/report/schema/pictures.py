"""The paper's pictures beside ours."""

from __future__ import annotations

from msgspec import Struct


class Says(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A statement of the paper on a picture, and what it is compared with.

    Either `check` names a comparison of `pictures`, which reads `space`, `place` or `view`; or a
    `metric` is compared. Then a `group` moves it this `way`, or two groups move it `alike` or
    `unlike`, or the first of two groups moves it `further`.
    """

    text: str
    check: str = ""
    space: str = ""
    place: str = ""
    view: str = ""
    metric: str = ""
    group: str = ""
    way: int = 0
    alike: tuple[str, str] | None = None
    unlike: tuple[str, str] | None = None
    further: tuple[str, str] | None = None


class PaperMeaning(Struct, frozen=True, forbid_unknown_fields=True):
    """A row of the paper's table 1: what a change of a metric means, for weights and spectrum."""

    metric: str
    rises: tuple[str, str]
    falls: tuple[str, str]
    paper: dict[str, int]  # treatment -> 1 where the paper sees it rise, -1 where it falls


class PaperPicture(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A figure or table as `paper.toml` describes it."""

    id: str
    label: str = ""
    title: str = ""
    source: str = ""
    kind: str
    caption: str = ""
    claims: tuple[str, ...] = ()
    tower: str = ""
    groups: tuple[str, ...] = ()  # of arms
    pairs: tuple[tuple[str, str], ...] = ()  # of metrics
    by: str | None = None  # "pair": a panel a pair of metrics, else a panel a study
    view: str | None = None  # group of layers
    needs: tuple[str, ...] = ()  # groups of arms without which there is nothing to show
    says: tuple[Says, ...] = ()
    meaning: tuple[PaperMeaning, ...] = ()


class Compared(Struct, frozen=True):
    """One statement of the paper against one study."""

    text: str
    holds: bool | None  # whether its sign is the paper's; None where it is so in part
    title: str
    seeds: str = ""  # such as "4/5": how many agree with the paper


class StatementRow(Struct, frozen=True):
    """One statement of the paper; None where a study has nothing to compare."""

    text: str
    here: dict[str, Compared | None]  # study -> what it says


class Went(Struct, frozen=True):
    """A study in which a treatment moved a metric this way."""

    study: str
    seeds: str  # such as "4/5"
    all: bool  # whether all of its seeds agree


class Way(Struct, frozen=True, kw_only=True):
    """One direction of a metric."""

    word: str  # "rises" or "falls"
    arrow: str
    weights: str  # what it means for the weights
    spectrum: str  # what it means for the spectrum
    went: dict[str, tuple[Went, ...]]  # by treatment
    paper: tuple[str, ...]  # treatments that go this way in the paper


class Meaning(Struct, frozen=True):
    """A metric of table 1."""

    metric: str
    ways: tuple[Way, ...]


class Picture(PaperPicture, frozen=True, kw_only=True):
    """A picture with what the studies of a run have to show in it."""

    studies: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()  # sentences
    rows: tuple[StatementRow, ...] = ()
    meanings: tuple[Meaning, ...] = ()  # in place of rows, of table 1
