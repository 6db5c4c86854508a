"""Complaints from CSV files: reading, cleaning, what is dropped and counted, splits, and the shared
real files.
"""

import csv
import os
import random
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from ddiv.common.digests import file_digest as digest
from ddiv.data.complaints import NARRATIVE_COLUMNS, clean, loaded, select
from ddiv.data.csv_file import BadTable, find, read
from ddiv.data.load import load
from ddiv.data.root import NoData
from ddiv.study import Complaints
from tests.support.paths import SHARED_DATA

SOME = "0" * 64
OFFICIAL = [
    "Product",
    "Date received",
    "Sub-product",
    "Issue",
    "Consumer complaint narrative",
    "Company",
    "Complaint ID",
]
ROLES = {"narrative": NARRATIVE_COLUMNS, "product": ("product",), "sub_product": ("sub_product",)}


def written(path: Path, *rows, encoding="utf-8") -> Path:
    with open(path, "w", newline="", encoding=encoding) as file:
        csv.writer(file).writerows(rows)
    return path


def table(**classes) -> dict[str, list[str]]:
    """So many different narratives of each class."""
    rows = [
        (f"{label} complaint number {number}", label)
        for label, count in classes.items()
        for number in range(count)
    ]
    return {"narrative": [text for text, _ in rows], "product": [label for _, label in rows]}


def labelled(data) -> list[set[tuple[str, str]]]:
    """The texts for training and those for testing, each with the name of its class."""
    return [
        {(text, data.classes[label]) for text, label in zip(inputs, labels)}
        for inputs, labels in [(data.inputs, data.labels), data.tests["complaints"]]
    ]


# --- reading --------------------------------------------------------------------------------------


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_the_cfpb_s_own_export_is_read(tmp_path, encoding):
    long = "word " * 50_000  # more than csv's own limit of 128 KiB for a field
    path = written(
        tmp_path / "a.csv",
        OFFICIAL,
        ["Mortgage", "1", "FHA", "i", 'He said ""no"",\nthen – “yes”\0', "c", "7"],
        [],
        ["Debt", "2", "", "i", long, "c", "8"],
        encoding=encoding,
    )
    before = csv.field_size_limit()
    assert read(path, ROLES) == {
        "narrative": ['He said ""no"",\nthen – “yes”\0', long],
        "product": ["Mortgage", "Debt"],
        "sub_product": ["FHA", ""],
    }
    assert csv.field_size_limit() == before


@pytest.mark.parametrize(
    "name",
    [
        "NARRATIVE",
        "Consumer Complaint Narrative",
        "consumer_complaint_narrative",
        "complaint_what_happened",
    ],
)
def test_names_of_columns_are_compared_loosely(tmp_path, name):
    path = written(tmp_path / "a.csv", ["sub-PRODUCT ", name, "Product"], ["s", "n", "p"])
    assert read(path, ROLES) == {"narrative": ["n"], "product": ["p"], "sub_product": ["s"]}


@pytest.mark.parametrize(
    "content, message",
    [
        (b"", "is empty"),
        (
            b"text,Product,issue\na,b,c\n",
            "no single column named 'narrative' or .*; its columns are 'text', 'Product', 'issue'",
        ),
        (b"narrative;product;sub_product\na;b;c\n", "convert the file to commas"),
        (b"narrative,product,sub_product,Product\na,b,c,d\n", "no single column named 'product'"),
        (b"narrative,product,sub_product\na,b,c\nd,e\n", r"line 3: 2 fields under a header of 3"),
        (
            b'narrative,product,sub_product\na,b,c\n"never closed,b,c\nd,e,f\n',
            "unexpected end of data.* begins after line 2",
        ),
        (b'narrative,product,sub_product\n"a "quoted" word",b,c\n', "expected after"),
        (b"narrative,product,sub_product\nna\xefve,b,c\n", "not UTF-8 text .a byte 0xef"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "not UTF-8 text"),
        (b"PK\x03\x04\x14\0\0\0\x08\0\xd5\xff", "unpack it"),
        ("narrative,product\n".encode("utf-16"), "iconv -f UTF-16 -t"),
        ("narrative,product\n".encode("utf-16-le"), "NUL bytes in its header.*iconv -f UTF-16LE"),
        (b"narrative\tproduct\tsub_product\na\tb\tc\n", "convert the file to commas"),
        (b"\n\n\n", "no single column"),
        (b"<!DOCTYPE html>\n<html><body>404</body></html>\n", "its columns are '<!DOCTYPE html>'"),
    ],
)
def test_what_is_no_such_csv_file_is_one_clear_error(tmp_path, content, message):
    path = tmp_path / "a.csv"
    path.write_bytes(content)
    with pytest.raises(BadTable, match=message):
        read(path, ROLES)


# --- cleaning -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "raw, wanted",
    [
        (
            "On XX/XX/2023, I paid {$1400.00} to XXXX XXXX.\n\nThey said no !",
            "On, I paid $1400 to. They said no!",
        ),
        ("XX/XX/XXXX and XX/XX/year> and XXXX/XXXX/2020 and XX/XX/23", "and and and"),
        (
            "more than {>= $1,000,000}, {$.50} and { {$65.25}",
            "more than $1,000,000, $.50 and $65.25",
        ),
        ("I owe $ XXXX and {$XXXX} to them", "I owe and to them"),
        (
            "XXXX 's agent, the consumer 's agent and my bank's",
            "agent, the consumer's agent and my bank's",
        ),
        ("my loan inXXXX, accountXXXX1234", "my loan in, account 1234"),
        (
            "my bank ( NFCU ) [ XXXX ] has '' lost '' 5 % ; why ?",
            'my bank (NFCU) has " lost " 5%; why?',
        ),
        ("Exxon, XXL and XX stay", "Exxon, XXL and XX stay"),
        ("torn\x00by\x07control \r\n characters", "torn by control characters"),
        ("wait ... and I was told XXXX, XXXX, XXXX : nothing", "wait... and I was told, nothing"),
        ("XXXX XX/XX/XXXX ( XXXX ) \n", ""),
    ],
)
def test_narratives_are_cleaned_as_stated(raw, wanted):
    assert clean(raw) == wanted
    assert clean(wanted) == wanted


def test_a_long_run_of_one_character_is_no_hang():
    """Read once for each of its characters, such a text takes many minutes."""
    characters = "xX{ $'([,\t"
    code = (
        "from ddiv.data.complaints import clean\n"
        f"for character in {characters!r}:\n"
        "    print(len(clean('a ' + character * 500_000)) <= 500_002)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=120
    )
    assert done.stdout.split() == ["True"] * len(characters)


# --- what is kept ---------------------------------------------------------------------------------


def test_every_row_is_accounted_for():
    rows = table(a=40, b=20, rare=3)
    rows["narrative"] += ["", " \n", "XXXX ( XX/XX/2020 )"]  # empty
    rows["product"] += ["a", "b", "a"]
    rows["narrative"] += ["no label", "none either"]
    rows["product"] += ["", "  "]
    # duplicates
    rows["narrative"] += [
        "A complaint, number 3!",
        "a  complaint XXXX number 3",
        "b complaint number 4",
    ]
    rows["product"] += ["a", "a", "b"]
    rows["narrative"] += ["A COMPLAINT NUMBER 5"]  # contradicts a 5
    rows["product"] += ["b"]
    data, facts = select(rows, Complaints(SOME, rare="drop", test_share=0.25, per_class=12))
    assert facts._asdict() == {
        "rows": 72,
        "empty": 3,
        "unlabelled": 2,
        "elsewhere": 0,
        "duplicates": 3,
        "contradictory": 2,
        "rare": {"rare": 3},
        "surplus": 20,
        "training": {"a": 12, "b": 12},
        "tests": {"complaints": {"a": 10, "b": 5}},
    }
    assert data.classes == ("a", "b")
    assert len(data.inputs) == 24 and len(data.tests["complaints"][0]) == 15
    train, test = labelled(data)
    assert len(train) == 24 and not train & test
    assert all(text[0].lower() == label for text, label in train | test)
    assert not any(text.lower() == "a complaint number 5" for text, _ in train | test)
    assert data.inputs.dtype == object and data.labels.dtype == np.int64
    assert all(type(text) is str for text in data.inputs)


def test_rows_sum_up_whatever_the_table():
    rng = random.Random(1000)
    rows = {"narrative": [], "product": [], "issue": [], "source": []}
    for _ in range(3000):
        rows["narrative"].append(
            " ".join(rng.choices(["XXXX", "loan", "Loan!", "card", "fee"], k=rng.randrange(6)))
        )
        rows["product"].append(rng.choice(["p", "q", ""]))
        rows["issue"].append(rng.choice("xxxy"))
        rows["source"].append(rng.choice("mno"))
    spec = Complaints(
        SOME,
        label=("product", "issue"),
        domain="source",
        domains=("n", "m"),
        rare="drop",
        min_per_class=2,
        balanced=True,
        per_class=3,
    )
    data, facts = select(rows, spec)
    parts = [facts.rare, facts.training, *facts.tests.values()]
    assert (
        facts.rows
        == 3000
        == sum(facts[1:6]) + facts.surplus + sum(sum(part.values()) for part in parts)
    )
    assert min(facts[1:6]) > 0
    assert set(data.classes) <= {"p: x", "p: y", "q: x", "q: y"}


def test_labels_that_would_make_one_class_of_two_are_refused():
    columns = [("a: b", "c"), ("a", "b: c")]
    rows = [(f"words {place} {pair}", *pair) for pair in columns for place in range(9)]
    texts, product, issue = map(list, zip(*rows))
    spec = Complaints("0" * 64, label=("product", "issue"), min_per_class=2)
    with pytest.raises(BadTable, match="two classes would both be called 'a: b: c'"):
        select({"narrative": texts, "product": product, "issue": issue}, spec)


def test_equal_texts_are_recognised_after_the_cut():
    rows = table(a=20, b=20)
    rows["narrative"] = [
        f"{text} and then another ending {number}"
        for number, text in enumerate(rows["narrative"] * 2)
    ]
    rows["product"] *= 2
    data, facts = select(rows, Complaints(SOME, max_words=4))
    assert facts.duplicates == 40
    assert {len(text.split()) for text in data.inputs} == {4}


# --- the split ------------------------------------------------------------------------------------


def test_each_class_is_split_by_the_share():
    _, facts = select(table(a=100, b=40, c=10), Complaints(SOME, test_share=0.3))
    assert facts.tests == {"complaints": {"a": 30, "b": 12, "c": 3}}
    assert facts.training == {"a": 70, "b": 28, "c": 7}


@pytest.mark.parametrize("share", [0.01, 0.99])
def test_the_smallest_class_still_has_a_text_on_each_side(share):
    _, facts = select(table(a=2, b=2), Complaints(SOME, test_share=share, min_per_class=2))
    assert facts.training == facts.tests["complaints"] == {"a": 1, "b": 1}


def test_the_test_set_does_not_depend_on_the_size_of_the_training_set():
    rows = table(a=100, b=40)
    (small, tests), (large, same) = (
        labelled(select(rows, Complaints(SOME, per_class=count))[0]) for count in (10, 25)
    )
    assert len(small) == 20 and small < large and len(large) == 50
    assert tests == same


def test_the_split_depends_on_texts_and_seed_alone():
    rows = table(a=100, b=40)
    order = random.Random(1001).sample(range(140), 140)
    shuffled = {name: [column[place] for place in order] for name, column in rows.items()}
    first, again, other = (
        select(*asked)[0]
        for asked in [
            (rows, Complaints(SOME)),
            (shuffled, Complaints(SOME)),
            (rows, Complaints(SOME, split_seed=1)),
        ]
    )
    assert (
        first.inputs.tolist() == again.inputs.tolist()
        and first.labels.tolist() == again.labels.tolist()
    )
    shared = labelled(first)[1] & labelled(other)[1]
    assert 0 < len(shared) < 20  # of 35; independent halves would share about 9


def test_balanced_classes_are_as_large_as_the_rarest():
    _, facts = select(table(a=100, b=40, c=60), Complaints(SOME, balanced=True))
    assert facts.training == dict.fromkeys("abc", 30) and facts.tests[
        "complaints"
    ] == dict.fromkeys("abc", 10)
    assert facts.surplus == 80


def test_further_domains_only_test():
    rows = table(a=60, b=60, c=40)
    rows["source"] = (["home"] * 40 + ["away"] * 20) * 2 + ["home"] * 40
    rows["narrative"].append("a complaint number 0")  # stands at home already
    rows["product"].append("a")
    rows["source"].append("away")
    spec = Complaints(SOME, domain="source", domains=("home", "away"), rare="drop")
    data, facts = select(rows, spec)
    assert data.classes == ("a", "b") and facts.rare == {"c": 40} and facts.duplicates == 1
    assert facts.tests == {"home": {"a": 10, "b": 10}, "away": {"a": 20, "b": 20}}
    texts = [set(data.inputs), *(set(inputs) for inputs, _ in data.tests.values())]
    assert sum(map(len, texts)) == len(set.union(*texts)) == 120


# --- what cannot be used --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "rows, asked, message",
    [
        (
            table(a=50, b=1, c=3),
            {},
            r"2 of 3 classes have less than 10 different texts: 'b' \(1\), 'c' \(3\)\. Drop them",
        ),
        (
            table(a=50, b=1),
            {"rare": "drop"},
            "1 of 2 classes have 10 different texts, a classifier needs two",
        ),
        (table(a=50), {}, "a classifier needs two"),
        (
            {"narrative": ["", "XXXX"], "product": ["a", "b"]},
            {},
            r"no usable narrative .*\(rows dropped: 2 empty\)",
        ),
        ({"narrative": [], "product": []}, {}, r"no usable narrative .*\(rows dropped: none\)"),
        (
            table(a=50, b=50) | {"source": ["here"] * 100},
            {"domain": "source", "domains": ("here", "Here")},
            "no usable narrative in the domain 'Here'",
        ),
    ],
)
def test_a_table_with_nothing_to_learn_is_one_clear_error(rows, asked, message):
    with pytest.raises(BadTable, match=message):
        select(rows, Complaints(SOME, **asked))


# --- finding the file -----------------------------------------------------------------------------


def test_a_file_is_found_by_its_bytes_wherever_it_lies(tmp_path, monkeypatch):
    monkeypatch.setenv("DDIV_DATA", str(tmp_path))
    (tmp_path / "deep" / "down").mkdir(parents=True)
    written(tmp_path / "other.csv", ["narrative", "product"])
    texts = table(a=30, b=30)
    path = written(
        tmp_path / "deep" / "down" / "mine.CSV", ["Narrative", "Product"], *zip(*texts.values())
    )
    spec = Complaints(digest(path))
    assert find(spec.digest) == path
    data = load(spec)
    assert len(data.inputs) + len(data.tests["complaints"][0]) == 60
    changed = path.stat().st_mtime_ns + 1_000_000_000
    path.write_bytes(path.read_bytes()[::-1])  # as many bytes
    os.utime(path, ns=(changed, changed))
    with pytest.raises(
        NoData,
        match=f"{spec.digest}.* none of the 2 CSV files below .*DDIV_DATA.*consumerfinance.gov",
    ):
        find(spec.digest)


@pytest.mark.parametrize("folder", [None, "nowhere"])
def test_without_a_folder_the_error_says_what_to_set(folder, tmp_path, monkeypatch):
    monkeypatch.delenv("DDIV_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    if folder:
        monkeypatch.setenv("DDIV_DATA", str(tmp_path / folder))
    with pytest.raises(
        NoData, match=f"{SOME}, and DDIV_DATA (names|is not set).*consumerfinance.gov"
    ):
        load(Complaints(SOME))


# --- real files -----------------------------------------------------------------------------------


@pytest.fixture
def shared(monkeypatch) -> Path:
    folder = SHARED_DATA
    if not (folder / "complaints-raw.csv").is_file():
        pytest.skip(
            f"no complaints in {folder}: name the folder that holds complaints-raw.csv"
            " in DDIV_SHARED_DATA"
        )
    monkeypatch.setenv("DDIV_DATA", str(folder))
    return folder


def rows_of(path: Path) -> list[dict[str, str]]:
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_the_processed_file_is_nearly_untouched(shared):
    path = shared / "complaints-processed-5class.csv"
    rows = rows_of(path)
    data, facts = loaded(Complaints(digest(path)))
    assert facts.rows == len(rows) and sum(facts[1:6]) + facts.surplus < 0.01 * len(rows)
    kept = {*data.inputs, *data.tests["complaints"][0]}
    assert all(row["narrative"] in kept or "xxxx" in row["narrative"] for row in rows)
    by_class = Counter(row["product"] for row in rows)
    assert data.classes == tuple(sorted(by_class))
    for label, count in by_class.items():
        assert abs(facts.tests["complaints"][label] - 0.25 * count) < 5


def test_the_raw_file_loses_redactions_and_rows_without_a_label(shared):
    path = shared / "complaints-raw.csv"
    rows = rows_of(path)
    spec = Complaints(digest(path), label=("sub_product", "issue"), rare="drop", min_per_class=20)
    data, facts = loaded(spec)
    assert facts.rows == len(rows)
    assert facts.unlabelled == sum(not (row["sub_product"] and row["issue"]) for row in rows)
    assert facts.duplicates + facts.contradictory < 0.01 * len(rows)
    pairs = Counter(
        f"{row['sub_product']}: {row['issue']}"
        for row in rows
        if row["sub_product"] and row["issue"]
    )
    assert set(data.classes) <= {name for name, count in pairs.items() if count >= 20}
    assert {name for name, count in pairs.items() if count >= 25} <= set(data.classes)
    texts = [*data.inputs, *data.tests["complaints"][0]]
    assert not any(re.search(r"X{4}|XX/XX|\{\$|''|\s\s|\s[,.;:?!]", text) for text in texts)
