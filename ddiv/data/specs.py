"""Datasets as pure data, without numpy or torch; `ddiv.datasets.load` gives them life."""

from __future__ import annotations

import re
from typing import Literal, get_args

import msgspec


class World(msgspec.Struct, frozen=True, tag="world"):
    """The embedded image world (`ddiv.data.world`): 60 classes at 32 x 32, five rendering domains."""

    train_per_class: int
    test_per_class: int
    version: int
    seed: int = 0


class Digits(msgspec.Struct, frozen=True, tag="digits"):
    """scikit-learn's handwritten digits, enlarged from 8 x 8 to `side` x `side`; 10 classes, no
    domains.
    """

    train: int
    side: int = 16
    split_seed: int = 0


class ComplaintsWorld(msgspec.Struct, frozen=True, tag="complaints-world"):
    """The embedded world of consumer complaints (`ddiv.data.complaints_world`): short texts, four
    registers as domains.
    """

    train_per_class: int
    test_per_class: int
    version: int
    seed: int = 0


class Complaints(msgspec.Struct, frozen=True, tag="complaints"):
    """Consumer complaints from a CSV file of the CFPB's database (`ddiv.data.complaints`), named by
    its SHA-256.

    Without a digest it is the file complaints.csv of the data root, whose digest a run fills in.

    A class is the value of the `label` columns, joined by ": "; `narrative` names the column of
    texts (empty: the usual names). Of the `domain` column's values `domains` are used, the first is
    trained on; neither: one domain, "complaints".

    `test_share` of each class is for testing, and at most `per_class` texts (0: all) of the rest
    for training; all texts of further domains test. `balanced`: every class of a domain has as many
    texts as its rarest. A class with fewer than `min_per_class` different texts in the first
    domain, or none in another, is an error or dropped (`rare`). Texts are cut after `max_words`
    words (0: whole).
    """

    digest: str
    label: tuple[str, ...] = ("product",)
    narrative: str = ""
    domain: str = ""
    domains: tuple[str, ...] = ()
    test_share: float = 0.25
    per_class: int = 0
    balanced: bool = False
    min_per_class: int = 10
    rare: Literal["error", "drop"] = "error"
    max_words: int = 0
    split_seed: int = 0

    def __post_init__(self):
        if self.digest and not re.fullmatch("[0-9a-f]{64}", self.digest):
            raise ValueError(
                f"a file of complaints is named by its SHA-256, 64 hexadecimal digits, got {self.digest!r}"
            )
        if (
            not self.label
            or len(set(self.domains)) < len(self.domains)
            or bool(self.domain) != bool(self.domains)
        ):
            raise ValueError(
                "complaints need a label column, and a domain column with different domains or neither of "
                f"them, got {self}"
            )
        if (
            not 0 < self.test_share < 1
            or self.min_per_class < 2
            or min(self.per_class, self.max_words) < 0
        ):
            raise ValueError(
                "test_share lies in (0, 1), min_per_class is at least 2, per_class and max_words are at least "
                f"0, got {self}"
            )


class Images(msgspec.Struct, frozen=True, tag="images"):
    """A folder of images below the data root: CLASS/FILE, SPLIT/CLASS/FILE or DOMAIN/CLASS/FILE
    (`ddiv.data.folder`).

    `folder` is its name there ("pacs96", "mine/birds"), `digest` the SHA-256 of names and contents
    (`ddiv.data.folder.pinned` fills it in). Of `domains` the first is trained on, the others are
    out of distribution; without them there is one, called as the folder. Where the folder has no
    split of its own, `test_share` of each class is for testing. At most `per_class` images of a
    class train, and at most `test_per_class` of each in each domain test (0: all). The shorter side
    is resized to `side`, and the centre is kept.
    """

    folder: str
    digest: str = ""
    domains: tuple[str, ...] = ()
    side: int = 224
    per_class: int = 0
    test_per_class: int = 0
    test_share: float = 0.25
    split_seed: int = 0

    def __post_init__(self):
        _require_sizes(self, self.per_class, self.test_per_class)
        if self.folder.startswith("/") or {"", ".", ".."} & {*self.folder.split("/")}:
            raise ValueError(
                f'a folder is named from the data root on, without . and .., as "mine/birds", got {self}'
            )
        if self.digest and not re.fullmatch("[0-9a-f]{64}", self.digest):
            raise ValueError(
                f"the digest of a folder's listing is a SHA-256, 64 hexadecimal digits, or empty, got {self}"
            )
        if len({*self.domains}) < len(self.domains) or any(
            "/" in one or one in ("", ".", "..") for one in self.domains
        ):
            raise ValueError(f"domains are different names of subfolders, got {self}")
        if not 0 < self.test_share < 1:
            raise ValueError(f"test_share lies in (0, 1), got {self}")

    @property
    def test_domains(self) -> tuple[str, ...]:
        """What `Study.domains` calls the test sets of this data."""
        return self.domains or (self.folder.rsplit("/", 1)[-1],)


class Arrays(msgspec.Struct, frozen=True, tag="arrays"):
    """Images in a file of numpy arrays (`ddiv.data.arrays`), named by its SHA-256; its test set is
    the domain "arrays".

    Resized to `side` as `Images` are (0: left as they are); `per_class` and `test_per_class` as
    there.
    """

    digest: str
    side: int = 0
    per_class: int = 0
    test_per_class: int = 0
    split_seed: int = 0

    def __post_init__(self):
        if not re.fullmatch("[0-9a-f]{64}", self.digest):
            raise ValueError(
                f"a file of arrays is named by its SHA-256, 64 hexadecimal digits, got {self.digest!r}"
            )
        _require_sizes(self, self.per_class, self.test_per_class, least=0)

    @property
    def test_domains(self) -> tuple[str, ...]:
        """What `Study.domains` calls the test sets of this data."""
        return ("arrays",)


PublishedName = Literal["cifar10", "cifar100", "imagenette", "flowers102", "stanford-cars"]


class Published(msgspec.Struct, frozen=True, tag="published"):
    """One of the paper's datasets that torchvision reads (`ddiv.data.published`), in its official
    split; sizes as in `Images`.
    """

    name: PublishedName
    side: int = 224
    per_class: int = 0
    test_per_class: int = 0
    split_seed: int = 0

    def __post_init__(self):
        if self.name not in get_args(PublishedName):
            raise ValueError(
                f"a published dataset is one of {', '.join(get_args(PublishedName))}, got {self.name!r}"
            )
        _require_sizes(self, self.per_class, self.test_per_class)

    @property
    def test_domains(self) -> tuple[str, ...]:
        """What `Study.domains` calls the test sets of this data."""
        return (self.name,)


class DomainNet(msgspec.Struct, frozen=True, tag="domainnet"):
    """DomainNet, cleaned version (`ddiv.data.domainnet`): `train` images of `classes` classes of
    the first domain train.

    The test sets are the official ones of each domain, at most `test_per_class` images a class (0:
    all).
    """

    domains: tuple[str, ...] = ("real", "clipart", "infograph", "painting", "sketch")
    side: int = 224
    classes: int = 142
    train: int = 50_000
    test_per_class: int = 0
    split_seed: int = 0

    def __post_init__(self):
        known = {"real", "clipart", "infograph", "painting", "sketch", "quickdraw"}
        if (
            not self.domains
            or len(set(self.domains)) < len(self.domains)
            or not known.issuperset(self.domains)
        ):
            raise ValueError(
                f"DomainNet has the domains {', '.join(sorted(known))}; each can be named once, got {self}"
            )
        if not 2 <= self.classes <= 345 or self.train < self.classes:
            raise ValueError(
                f"classes lies between 2 and 345, and train is at least that many, got {self}"
            )
        _require_sizes(self, self.test_per_class)

    @property
    def test_domains(self) -> tuple[str, ...]:
        """What `Study.domains` calls the test sets of this data."""
        return self.domains


class Own(msgspec.Struct, frozen=True, tag="own-data"):
    """What a function in a user's study file makes (`ddiv.data.own.own_data`), named by the digest
    of its source.
    """

    name: str
    source: str
    texts: bool = False


def _require_sizes(spec: msgspec.Struct, *counts: int, least: int = 1) -> None:
    if spec.side < least or min(counts) < 0:
        raise ValueError(
            f"side is at least {least} and numbers of images are at least 0, got {spec}"
        )


Data = World | Digits | ComplaintsWorld | Complaints | Images | Arrays | Published | DomainNet | Own
