"""Datasets as pure data, without numpy or torch; `ddiv.data.load.load` loads them."""

from __future__ import annotations

import re
from typing import ClassVar, Literal

from ddiv.common.values import Value, require_name
from ddiv.study.tables import Tables, TableSet

DIGITS = 1797  # in scikit-learn


class World(Value, frozen=True, tag="world"):
    """The embedded image world (`ddiv.data.worlds.images`): 60 classes at 32 x 32, five domains."""

    train_per_class: int
    test_per_class: int
    version: int
    seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        self.at_least(1, "train_per_class", "test_per_class", "version")
        self.at_least(0, "seed")

    @property
    def test_domains(self) -> tuple[str, ...]:
        """The names of the test sets in `Study.domains`."""
        return ("real", "clipart", "infograph", "painting", "sketch")


class Digits(Value, frozen=True, tag="digits"):
    """scikit-learn's handwritten digits, enlarged from 8 x 8 to `side` x `side`; 10 classes."""

    train: int
    side: int = 16
    split_seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        self.at_least(1, "side")
        self.at_least(0, "split_seed")
        if not 0 < self.train < DIGITS:
            raise ValueError(
                f"digits has {DIGITS} images: train must lie between 1 and {DIGITS - 1}, got "
                f"{self.train}"
            )

    @property
    def test_domains(self) -> tuple[str, ...]:
        """The names of the test sets in `Study.domains`."""
        return ("digits",)


class ComplaintsWorld(Value, frozen=True, tag="complaints-world"):
    """The embedded world of consumer complaints (`ddiv.data.worlds.complaints`).

    Its texts are short, its domains four registers.
    """

    train_per_class: int
    test_per_class: int
    version: int
    seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        self.at_least(1, "train_per_class", "test_per_class", "version")
        self.at_least(0, "seed")

    @property
    def test_domains(self) -> tuple[str, ...]:
        """The names of the test sets in `Study.domains`."""
        return ("letter", "phone", "terse", "typos")


class TwoComplaints(ComplaintsWorld, frozen=True, tag="two-complaints"):
    """The same world with two classes: complaints about money, and about conduct.

    As many classes as the texts published with the paper have.
    """


class CartPole(Value, frozen=True, tag="cart-pole"):
    """What a controller of a cart with a pole does (`ddiv.data.worlds.cart_pole`).

    An example is what sensors read at the last `history` moments, and its class the level of the
    controller's force, of 64. The cart differs between the domains, the controller does not.
    """

    train_per_class: int
    test_per_class: int
    version: int
    history: int = 16
    seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        self.at_least(1, "train_per_class", "test_per_class", "version", "history")
        self.at_least(0, "seed")

    @property
    def test_domains(self) -> tuple[str, ...]:
        """The names of the test sets in `Study.domains`."""
        return ("as designed", "long pole", "heavy pole", "rough track")


class Complaints(Value, frozen=True, tag="complaints"):
    """Consumer complaints from a CSV file of the CFPB's database (`ddiv.data.complaints`).

    The file is named by its SHA-256. Without a digest it is the file complaints.csv (`file`) of the
    data root, and a run fills in its digest.

    The values of the `label` columns, joined by ": ", name a class; `narrative` names the column of
    texts (empty: the usual names). `domains` are the values of the `domain` column that are used;
    the first is for training. They may be named in the study instead. Without a column there is
    one domain, "complaints".

    `test_share` of each class is for testing, and at most `per_class` texts (0: all) of the rest
    for training; all texts of further domains are for testing. `balanced`: every class of a domain
    has as many texts as its rarest. A class with fewer than `min_per_class` different texts in the
    first domain, or none in another, is an error or dropped (`rare`). Texts are cut after
    `max_words` words (0: whole).
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

    file: ClassVar[str] = "complaints.csv"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.digest and not re.fullmatch("[0-9a-f]{64}", self.digest):
            raise ValueError(
                "a file of complaints is named by its SHA-256, 64 hexadecimal digits, got "
                f"{self.digest!r}"
            )
        different = len(set(self.domains)) == len(self.domains)
        self.at_least(0, "split_seed")
        if not self.label or not different or (self.domains and not self.domain):
            raise ValueError(
                "complaints need a label column, and a domain column where they have domains, "
                f"which are different, got {self}"
            )
        least = min(self.per_class, self.max_words)
        if not 0 < self.test_share < 1 or self.min_per_class < 2 or least < 0:
            raise ValueError(
                "test_share lies in (0, 1), min_per_class is at least 2, per_class and max_words "
                f"are at least 0, got {self}"
            )

    @property
    def test_domains(self) -> tuple[str, ...]:
        """The names of the test sets in `Study.domains`."""
        return self.domains or ("complaints",)


class Tweets(Complaints, frozen=True, tag="tweets"):
    """Short tweets, each a complaint or not: two classes, as the texts published with the paper.

    Those are 3,449 tweets of 15 words on average, 1,232 of one class and 2,217 of the other, split
    into 2,759 / 345 / 345. They are not the complaints of the CFPB; their counts are those of the
    public corpus of Preoţiuc-Pietro, Gaman and Aletras (2019), which they may be.

    A CSV file with the columns text and label is used as `Complaints` says; without a digest it is
    the file complaint-tweets.csv of the data root. The two smaller parts of the published split are
    for testing together: no model is selected.
    """

    label: tuple[str, ...] = ("label",)
    narrative: str = "text"
    test_share: float = 0.2

    file: ClassVar[str] = "complaint-tweets.csv"


class Images(Value, frozen=True, tag="images"):
    """A folder of images below the data root (`ddiv.data.folder`).

    It holds CLASS/FILE, SPLIT/CLASS/FILE or DOMAIN/CLASS/FILE. `folder` is its name there
    ("pacs96", "mine/birds"), `digest` the SHA-256 of names and contents (`ddiv.data.folder.pinned`
    fills it in). The first of `domains` is for training, the others are out of distribution; they
    may be named in the study instead. Without them there is one: that of the folder DOMAIN, or
    else one with the folder's name. Where the folder has no split of its own,
    `test_share` of each class is for testing. At most `per_class` images of a class are for
    training, and at most `test_per_class` of each class in each domain for testing (0: all). The
    shorter side is resized to `side`, and the centre is kept.
    """

    folder: str
    digest: str = ""
    domains: tuple[str, ...] = ()
    side: int = 224
    per_class: int = 0
    test_per_class: int = 0
    test_share: float = 0.25
    split_seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        _require_sizes(self, self.per_class, self.test_per_class)
        if self.folder.startswith(("/", "~")) or {"", ".", ".."} & {*self.folder.split("/")}:
            raise ValueError(
                "a folder is named from the data root (--data-root) on, without . and .., as "
                f'"mine/birds", got {self}'
            )
        if self.digest and not re.fullmatch("[0-9a-f]{64}", self.digest):
            raise ValueError(
                "the digest of a folder's listing is a SHA-256, 64 hexadecimal digits, or empty, "
                f"got {self}"
            )
        paths = [name for name in self.domains if "/" in name or name in ("", ".", "..")]
        if paths or len({*self.domains}) < len(self.domains):
            raise ValueError(f"domains are different names of subfolders, got {self}")
        if not 0 < self.test_share < 1:
            raise ValueError(f"test_share lies in (0, 1), got {self}")

    @property
    def test_domains(self) -> tuple[str, ...]:
        """The names of the test sets in `Study.domains`."""
        return self.domains or (self.folder.rsplit("/", 1)[-1],)


class Arrays(Value, frozen=True, tag="arrays"):
    """Images in a file of numpy arrays (`ddiv.data.arrays`), named by its SHA-256.

    Its test set is the domain "arrays". Resized to `side` as `Images` are (0: left as they are);
    `per_class` and `test_per_class` as there.
    """

    digest: str
    side: int = 0
    per_class: int = 0
    test_per_class: int = 0
    split_seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not re.fullmatch("[0-9a-f]{64}", self.digest):
            raise ValueError(
                "a file of arrays is named by its SHA-256, 64 hexadecimal digits, got "
                f"{self.digest!r}: write Arrays(file_digest(FILE)), with file_digest of "
                "ddiv.common.digests"
            )
        _require_sizes(self, self.per_class, self.test_per_class, least=0)

    @property
    def test_domains(self) -> tuple[str, ...]:
        """The names of the test sets in `Study.domains`."""
        return ("arrays",)


PublishedName = Literal["cifar10", "cifar100", "imagenette", "flowers102", "stanford-cars"]


class Published(Value, frozen=True, tag="published"):
    """One of the paper's datasets that torchvision reads (`ddiv.data.published`).

    Its split is the official one; sizes as in `Images`.
    """

    name: PublishedName
    side: int = 224
    per_class: int = 0
    test_per_class: int = 0
    split_seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        _require_sizes(self, self.per_class, self.test_per_class)

    @property
    def test_domains(self) -> tuple[str, ...]:
        """The names of the test sets in `Study.domains`."""
        return (self.name,)


class DomainNet(Value, frozen=True, tag="domainnet"):
    """DomainNet, cleaned version (`ddiv.data.domainnet`).

    `train` images of `classes` classes of the first domain are for training. The test sets are the
    official ones of each domain, at most `test_per_class` images a class (0: all).
    """

    domains: tuple[str, ...] = ("real", "clipart", "infograph", "painting", "sketch")
    side: int = 224
    classes: int = 142
    train: int = 50_000
    test_per_class: int = 0
    split_seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        known = {"real", "clipart", "infograph", "painting", "sketch", "quickdraw"}
        different = len(set(self.domains)) == len(self.domains)
        if not self.domains or not different or not known.issuperset(self.domains):
            raise ValueError(
                f"DomainNet has the domains {', '.join(sorted(known))}; each can be named once, "
                f"got {self}"
            )
        if not 2 <= self.classes <= 345 or self.train < self.classes:
            raise ValueError(
                f"classes lies between 2 and 345, and train is at least that many, got {self}"
            )
        _require_sizes(self, self.test_per_class)

    @property
    def test_domains(self) -> tuple[str, ...]:
        """The names of the test sets in `Study.domains`."""
        return self.domains


class Own(Value, frozen=True, tag="own-data"):
    """Data that a function in a study file makes (`ddiv.data.own.own_data`).

    It is named by the digest of the function's source. `seed` is what the function is given where
    it has such a parameter, in each replicate another; None where it has none.
    """

    name: str
    source: str
    texts: bool = False
    seed: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        require_name("the name of a function that makes data", self.name)
        if self.seed is not None:
            self.at_least(0, "seed")


def _require_sizes(
    spec: Images | Arrays | Published | DomainNet, *counts: int, least: int = 1
) -> None:
    spec.at_least(0, "split_seed")
    if spec.side < least or min(counts) < 0:
        raise ValueError(
            f"side is at least {least} and numbers of images are at least 0, got {spec}"
        )


Data = (
    World
    | Digits
    | ComplaintsWorld
    | TwoComplaints
    | CartPole
    | Complaints
    | Tweets
    | Images
    | Arrays
    | Published
    | DomainNet
    | Own
    | Tables
    | TableSet
)
