"""WeightWatcher's tables of networks that somebody else trained, as the data of a study.

Nothing is trained: an arm is two tables, one of the network before training and one after
(`ddiv.data.tables` reads them). A replicate is one published study, with a baseline and arms of its
own, and not a seed: the sets of a study are all that there is.
"""

from __future__ import annotations

import re

from ddiv.common.values import Value, require_name
from ddiv.treatment import Treatment

# What `Study.domains` calls the one test set that such a study's scores may be of.
DOMAIN = "as published"


class TableArm(Value, frozen=True):
    """One arm: its two tables, and what else is known of it.

    `before` and `after` are CSV files below the folder of the set; an arm that has none is read in
    no question on spectra. `accuracy` and `ece` (shares, 0 to 1) are those on the test set in
    domain, `pixel` and `embedding` the Vendi Scores of its training set; None where unknown.
    """

    treatment: Treatment
    before: str = ""
    after: str = ""
    accuracy: float | None = None
    ece: float | None = None
    pixel: float | None = None
    embedding: float | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.before or not self.after:
            lacking = "table before" if not self.before else "table after"
            if self.before or self.after:
                raise ValueError(
                    f"the arm {self.treatment.label} has no {lacking} training: an arm is a pair"
                )
        for name in ("accuracy", "ece"):
            given = getattr(self, name)
            if given is not None and not 0 <= given <= 1:
                raise ValueError(f"`{name}` is a share from 0 to 1, got {given}")

    @property
    def has_spectra(self) -> bool:
        return bool(self.before and self.after)


class TableSet(Value, frozen=True, tag="table-set"):
    """The tables of one published study: a replicate.

    `folder` lies below the data root, "" for the root itself. `group` names what it has in common
    with others of the sets (a backbone, say). A matrix belongs to the classification layer where
    WeightWatcher's `longname` matches `classifier`, to the encoder where it matches one of
    `encoder`, and to neither where it matches one of `without` (a frozen tower, embeddings);
    patterns are those of a shell ("visual.*"). `note`: what a reader of its numbers should know.
    `digest` is the SHA-256 of the tables' contents (`ddiv.data.tables.pinned` fills it in).
    """

    label: str
    folder: str
    arms: tuple[TableArm, ...]
    classifier: str
    encoder: tuple[str, ...] = ("*",)
    without: tuple[str, ...] = ()
    group: str = ""
    note: str = ""
    digest: str = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        require_name("the label of a set of tables", self.label)
        parts = self.folder.split("/") if self.folder else []
        if self.folder.startswith("~") or {"", ".", ".."} & {*parts}:
            raise ValueError(
                "a folder of tables is named from the data root (--data-root) on, without . and "
                f'.., as "mine/tables", got {self.folder!r}'
            )
        if self.digest and not re.fullmatch("[0-9a-f]{64}", self.digest):
            raise ValueError(
                f"the digest of tables is a SHA-256, 64 hexadecimal digits, got {self.digest!r}"
            )
        treatments = [arm.treatment for arm in self.arms]
        if len({*treatments}) < len(treatments):
            twice = next(each for each in treatments if treatments.count(each) > 1)
            raise ValueError(f"{self.label}: two arms are {twice.label}")
        if not any(each.is_baseline for each in treatments):
            raise ValueError(
                f"{self.label}: no arm is the baseline (ddiv.treatment.BASELINE), which the others "
                "are compared with"
            )
        if not self.classifier or not self.encoder:
            raise ValueError(
                f"{self.label}: `classifier` and `encoder` are patterns of WeightWatcher's longname"
            )

    @property
    def test_domains(self) -> tuple[str, ...]:
        """The names of the test sets in `Study.domains`."""
        return (DOMAIN,)

    def arm(self, treatment: Treatment) -> TableArm | None:
        return next((arm for arm in self.arms if arm.treatment == treatment), None)


class Tables(Value, frozen=True, tag="tables"):
    """The sets of a study: the replicate i is the i-th of them.

    `source`: how one gets the tables, for the line that says that they are missing.
    """

    sets: tuple[TableSet, ...]
    source: str = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        labels = [one.label for one in self.sets]
        if not labels or len({*labels}) < len(labels):
            raise ValueError(f"tables are one or more sets of different labels, got {labels}")

    @property
    def test_domains(self) -> tuple[str, ...]:
        """The names of the test sets in `Study.domains`."""
        return (DOMAIN,)
