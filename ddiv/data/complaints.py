"""Real consumer complaints: narratives in CSV files, exports of the CFPB's complaint database.

A spec names its file by the SHA-256 of the bytes; the file lies anywhere below the folder that
DDIV_DATA names.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from operator import attrgetter
from typing import NamedTuple

import msgspec
import numpy as np

from ddiv.common.digests import file_digest
from ddiv.data.csv_file import LISTED, BadTable, find, read
from ddiv.data.dataset import Dataset
from ddiv.data.root import data_root
from ddiv.study import Complaints

# In ddiv's own files, in the CFPB's export, in its interface's answers.
NARRATIVE_COLUMNS = ("narrative", "consumer complaint narrative", "complaint what happened")


class Facts(NamedTuple):
    """The counts of a file's rows by their use: `rows` is the sum of all the others.

    `empty` rows have no narrative, or nothing but redactions; `unlabelled` ones lack a label;
    `elsewhere` are those of domains that the spec doesn't name. Of texts that are equal but for
    case, punctuation and redactions one stays (`duplicates`), or none where their labels differ
    (`contradictory`). `rare` counts the texts of each class left out as too rare, `surplus` what
    balance and `per_class` leave over. `training` is by class, `tests` by domain and class.
    """

    rows: int
    empty: int
    unlabelled: int
    elsewhere: int
    duplicates: int
    contradictory: int
    rare: Mapping[str, int]
    surplus: int
    training: Mapping[str, int]
    tests: Mapping[str, Mapping[str, int]]


class Complaint(NamedTuple):
    """A cleaned narrative, its class, its domain, and its rank in the random order of a seed."""

    text: str
    label: str
    domain: str
    rank: bytes


def pinned(spec: Complaints) -> Complaints:
    """The spec with a digest.

    Where it has none, it gets that of its `file` in the data root, if there is one.
    Raises BadTable where that cannot be read.
    """
    path = data_root() / spec.file
    if spec.digest or not os.path.isfile(path):
        return spec
    try:
        return msgspec.structs.replace(spec, digest=file_digest(path))
    except OSError as error:
        raise BadTable(f"{path} cannot be read ({error.strerror}): allow it") from error


def load_complaints(spec: Complaints) -> Dataset:
    """The complaints of a spec: texts as str, arrays of objects (n,); labels int64 (n,).

    Labels are numbers into the sorted classes. Raises NoData where the file is not at hand,
    BadTable where it cannot be used.
    """
    return loaded(spec)[0]


@lru_cache(maxsize=4)
def loaded(spec: Complaints) -> tuple[Dataset, Facts]:
    """The dataset of `load_complaints`, and how the file's rows were used. Raises as that does."""
    narrative = (spec.narrative,) if spec.narrative else NARRATIVE_COLUMNS
    columns = (*spec.label, spec.domain) if spec.domain else spec.label
    roles = {"narrative": narrative} | {name: (name,) for name in columns}
    return select(read(find(spec.digest, spec.file), roles), spec)


_STEPS = [
    (re.compile(pattern), replacement)
    for pattern, replacement in [
        (r"[\x00-\x1f\x7f]+", " "),
        # {$1400.00}, {>= $1,000,000}. Bounded, and below begun where a run begins, so that a long
        # run is not read once for each of its characters.
        (r"\{[\s{]{0,40}(?:>=\s*)?\$\s*([\d,.]*?\d)(?:\.00)?\s*\}", r"$\1"),
        (
            r"(?<![Xx])[Xx]{2,}/[Xx]{2,}(?:/(?:[Xx]+|\d+|\w+>)?)?",
            " ",
        ),  # XX/XX/XXXX, XX/XX/2023, XX/XX/year>
        (r"(?:\{\s*)?(?:\$\s*)?[Xx]{4,}(?:\s*\})?(?: ?'s\b)?", " "),
        (r"''|``", '"'),
        (r"[(\[{]\s*[)\]}]", " "),  # brackets that held nothing but redactions
        (r"\s+", " "),
        (r" (?:(?=[,.;:!?%)\]])|(?<=[(\[] )|(?<=\w )(?='s\b))", ""),
        (r"(?<=[,;:])(?: ?[,;:])+", ""),
    ]
]


def clean(narrative: str) -> str:
    """A narrative as plain text in one line, letter case as it is.

    Redactions (XXXX, also within words; XX/XX/XXXX, XX/XX/2023) are taken out together with
    brackets that hold nothing else; {$1400.00} becomes $1400; '' becomes a double quote; spaces
    before punctuation and after opening brackets go, as do separators after separators and all
    further white space. On lower-cased and stripped texts only redactions change.
    """
    for pattern, replacement in _STEPS:
        narrative = pattern.sub(replacement, narrative)
    return narrative.strip()


def select(table: Mapping[str, Sequence[str]], spec: Complaints) -> tuple[Dataset, Facts]:
    """The dataset that a spec makes of a table, and the facts.

    `table` holds columns by role: "narrative", and those of the spec's label and domain. SHA-256
    over the split seed and the text decides which texts test, train or are left over: no text is on
    both sides, and the test texts are the same whatever `per_class` is. Raises BadTable where there
    is nothing to train or test on.
    """
    names = spec.domains or ("complaints",)
    lost: Counter[str] = Counter()
    pools = _distinct(_complaints(table, spec, names, lost), lost)
    classes, rare = _classes(pools, names, spec, lost)
    training: list[Complaint] = []
    tests: dict[str, list[Complaint]] = {}
    for domain in names:
        by_class = [sorted(pools[domain, label], key=attrgetter("rank")) for label in classes]
        if spec.balanced:
            rarest = min(map(len, by_class))
            by_class = [texts[:rarest] for texts in by_class]
        tests[domain] = []
        for texts in by_class:
            count = _for_testing(len(texts), spec.test_share) if domain == names[0] else len(texts)
            tests[domain] += texts[:count]
            training += texts[count:][: spec.per_class or None]
    distinct = sum(len(pools[domain, label]) for domain in names for label in classes)
    facts = Facts(
        rows=len(table["narrative"]),
        empty=lost["empty"],
        unlabelled=lost["unlabelled"],
        elsewhere=lost["elsewhere"],
        duplicates=lost["duplicates"],
        contradictory=lost["contradictory"],
        rare=rare,
        surplus=distinct - len(training) - sum(map(len, tests.values())),
        training=_counts(training, classes),
        tests={domain: _counts(texts, classes) for domain, texts in tests.items()},
    )
    arrays = {domain: _arrays(texts, classes) for domain, texts in tests.items()}
    return Dataset(*_arrays(training, classes), arrays, classes), facts


def _for_testing(count: int, share: float) -> int:
    return min(max(round(share * count), 1), count - 1)  # at least one on each side


def _complaints(
    table: Mapping[str, Sequence[str]], spec: Complaints, names: Sequence[str], lost: Counter[str]
) -> Iterator[Complaint]:
    columns: dict[str, list[str]] = {}  # of each class
    for place, narrative in enumerate(table["narrative"]):
        domain = table[spec.domain][place].strip() if spec.domain else names[0]
        label = [table[column][place].strip() for column in spec.label]
        text = " ".join(clean(narrative).split()[: spec.max_words or None])
        folded = " ".join(re.findall(r"\w+", text.casefold()))
        if not folded:
            lost["empty"] += 1
        elif not all(label):
            lost["unlabelled"] += 1
        elif domain not in names:
            lost["elsewhere"] += 1
        else:
            name = ": ".join(label)
            if columns.setdefault(name, label) != label:
                raise BadTable(
                    f"two classes would both be called {name!r}, {columns[name]} and {label}: "
                    "rename one in the file, or take fewer label columns"
                )
            rank = hashlib.sha256(f"{spec.split_seed}/{folded}".encode()).digest()
            yield Complaint(text, name, domain, rank)


def _distinct(
    complaints: Iterable[Complaint], lost: Counter[str]
) -> dict[tuple[str, str], list[Complaint]]:
    """By domain and class, the first of the complaints that share a rank.

    Where their classes differ, none is taken.
    """
    alike: dict[bytes, list[Complaint]] = defaultdict(list)
    for complaint in complaints:
        alike[complaint.rank].append(complaint)
    pools: dict[tuple[str, str], list[Complaint]] = defaultdict(list)
    for first, *others in alike.values():
        if any(other.label != first.label for other in others):
            lost["contradictory"] += 1 + len(others)
        else:
            lost["duplicates"] += len(others)
            pools[first.domain, first.label].append(first)
    return pools


def _classes(
    pools: Mapping[tuple[str, str], Sequence[Complaint]],
    names: Sequence[str],
    spec: Complaints,
    lost: Counter[str],
) -> tuple[tuple[str, ...], dict[str, int]]:
    """The classes in alphabetical order, and how many texts each class that is too rare has."""
    if absent := [name for name in names if not any(domain == name for domain, _ in pools)]:
        reasons = [f"{count} {reason}" for reason, count in lost.items() if count]
        dropped = ", ".join(reasons) or "none"
        raise BadTable(
            f"the file has no usable narrative in the domain {' or '.join(map(repr, absent))} "
            f"(rows dropped: {dropped}): look at it, and at the columns and domains that the study "
            "names"
        )
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for (domain, label), texts in pools.items():
        counts[label][domain] = len(texts)
    kept = {
        label
        for label, by_domain in counts.items()
        if by_domain[names[0]] >= spec.min_per_class and all(by_domain[name] for name in names)
    }
    rare = {label: counts[label].total() for label in sorted(counts) if label not in kept}
    needed = f"{spec.min_per_class} different texts"
    if len(names) > 1:
        needed += f" in {names[0]!r} and one in each other domain"
    if rare and spec.rare == "error":
        listed = ", ".join([f"{label!r} ({count})" for label, count in rare.items()][:LISTED])
        listed += ", ..." * (len(rare) > LISTED)
        raise BadTable(
            f"{len(rare)} of {len(counts)} classes have less than {needed}: {listed}. Drop them "
            '(rare="drop"), lower min_per_class, or take another label'
        )
    if len(kept) < 2:
        raise BadTable(
            f"{len(kept)} of {len(counts)} classes have {needed}, a classifier needs two: take "
            "another label or domain, lower min_per_class, or give a larger file"
        )
    return tuple(sorted(kept)), rare


def _counts(complaints: Iterable[Complaint], classes: Sequence[str]) -> dict[str, int]:
    counts = Counter(complaint.label for complaint in complaints)
    return {label: counts[label] for label in classes}


def _arrays(
    complaints: Iterable[Complaint], classes: Sequence[str]
) -> tuple[np.ndarray, np.ndarray]:
    # By rank: neighbours are of any class, so any number from the start are a random sample.
    ordered = sorted(complaints, key=attrgetter("rank"))
    numbers = {label: number for number, label in enumerate(classes)}
    return (
        np.array([complaint.text for complaint in ordered], dtype=object),
        np.array([numbers[complaint.label] for complaint in ordered], dtype=np.int64),
    )
