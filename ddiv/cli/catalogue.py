"""`ddiv catalogue`: a page of all claims that a folder tests, written from the tests themselves."""

from __future__ import annotations

import argparse
import sys
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from ddiv.claim import Claim
from ddiv.claim.collected import Collected, question, tests_in, values_of
from ddiv.common.outputs import write_output
from ddiv.common.paths import expanded
from ddiv.common.printed import one_line
from ddiv.study import Study

HELP = "write a page of all claims: what each says, where it is tested, and on which studies"

# The profiles whose studies are told, the smaller one first.
TIERS = ("embedded", "full")

FOLDER, PAGE, ROWS = Path("claims"), Path("docs/reference/catalogue.md"), "rows.toml"


class Entry(NamedTuple):
    """A test of a claim: its file and name, the studies of each tier that it is put to, and whether
    some question has a specific verdict.
    """

    claim: Claim
    file: str
    test: str
    studies: Mapping[str, Sequence[str]]
    specific: bool

    @property
    def verdicts(self) -> str:
        """Which verdicts the test comes to."""
        if self.claim.control:
            kind = "specific" if self.claim.judged_by == "specific" else "as claimed"
            return f"control of {self.claim.guards} ({kind})"
        more = [
            name
            for name, there in (
                ("specific", self.specific),
                ("headline", self.claim.headline),
                ("over all studies: somewhere", self.claim.somewhere),
            )
            if there
        ]
        return ", ".join(["as claimed", *more])


class Rows(NamedTuple):
    """What a catalogue is to cover: rows that bear the id of a claim, and rows by number with the
    ids of the claims that cover them.
    """

    named: Sequence[str]
    numbered: Mapping[str, Sequence[str]]

    def uncovered(self, ids: Iterable[str]) -> list[str]:
        """The ids that rows ask for and no test bears, sorted."""
        wanted = {*self.named, *(id for row in self.numbered.values() for id in row)}
        return sorted(wanted - {*ids})


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of `ddiv catalogue`."""
    parser.add_argument(
        "folder",
        nargs="?",
        type=expanded,
        default=FOLDER,
        metavar="FOLDER",
        help=f"where the tests of claims lie (default: {FOLDER})",
    )
    parser.add_argument(
        "--out",
        type=expanded,
        metavar="FILE",
        default=PAGE,
        help=f"the page, in Markdown (default: {PAGE})",
    )


def run(options: argparse.Namespace) -> int:
    """Write the page; 2 where there are no claims to write of."""
    try:
        found = entries(options.folder)
        rows = rows_of(options.folder / ROWS)
    except ValueError as error:
        print(f"ddiv: {one_line(error)}", file=sys.stderr)
        return 2
    write_output(options.out, page(found, rows).encode())
    ids = {entry.claim.id for entry in found}
    print(f"{one_line(options.out)}: {len(ids)} claims, {len(found)} tests")
    if rows and (missing := rows.uncovered(ids)):
        print(f"rows without a test: {', '.join(missing)}")
    return 0


def entries(folder: Path) -> list[Entry]:
    """The tests of claims in a folder, in the order of its files.

    Raises ValueError where it has none, and as `tests_in`.
    """
    from ddiv.profiles.choose import profile

    files = sorted(folder.glob("test_*.py"))
    if not (collected := tests_in(files)):
        raise ValueError(
            f"no file test_*.py in {folder} tests a claim: name the folder that has them, or run "
            "this where `claims` is"
        )
    tiers = {name: profile(name).studies for name in TIERS}
    return [_entry(each, tiers) for each in collected]


def _entry(of: Collected, tiers: Mapping[str, Sequence[Study]]) -> Entry:
    asked = {tier: [*_asked(of, studies)] for tier, studies in tiers.items()}
    return Entry(
        of.test.claim,
        of.file.name,
        of.test.__name__,
        {tier: [study for study, _ in found] for tier, found in asked.items()},
        any(specific for found in asked.values() for _, specific in found),
    )


def _asked(of: Collected, studies: Sequence[Study]) -> Iterator[tuple[str, bool]]:
    """The names of the studies that a test can be put to, and whether its question there has a
    specific verdict; by the first parameters that a study can be asked of.
    """
    for study in studies:
        questions = (question(of.test, values) for values in values_of(of.test, [study]))
        if (first := next(filter(None, questions), None)) is not None:
            yield study.name, first.has_specific


def rows_of(path: Path) -> Rows | None:
    """The rows that a catalogue is to cover; None where no file names them.

    Raises ValueError on a file of another form.
    """
    if not path.is_file():
        return None
    try:
        told = tomllib.loads(path.read_text("utf-8"))
        return Rows(told["named"], told["numbered"])
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, KeyError) as error:
        raise ValueError(
            f"{path} names no rows ({error}): it is TOML with a list `named` and a table `numbered`"
        ) from error


# --- the page -----------------------------------------------------------------------------------


def page(found: Sequence[Entry], rows: Rows | None = None) -> str:
    """The catalogue in Markdown."""
    return "\n".join([*_head(found), *_coverage(found, rows), *_claims(found)]) + "\n"


def _head(found: Sequence[Entry]) -> Iterator[str]:
    ids, controls = ({e.claim.id for e in found if e.claim.control == is_so} for is_so in (0, 1))
    yield "# The catalogue of claims"
    yield ""
    yield "<!-- Written by `ddiv catalogue` from the tests in claims/. Do not edit it. -->"
    yield ""
    yield (
        f"{len(ids)} claims and {len(controls)} controls, in {len(found)} tests. The page is "
        "written by `ddiv catalogue`, from the tests themselves; a test holds it to them. Verdicts "
        "are in the report of a run, and known non-reproductions, with reasons, in "
        "`claims/ledger.toml`."
    )
    yield ""
    yield (
        "A test is put to every study that has what it needs, for each value of its parameters. "
        "**As claimed** compares at equal epochs, the paper's way; **specific** asks what is "
        "beyond slower, faster, shorter or longer training alone. A **headline** is one of the "
        "paper's main claims, which `full` gives more seeds. A **control** is made to fail: "
        "supported would be a fault."
    )
    yield ""


def _coverage(found: Sequence[Entry], rows: Rows | None) -> Iterator[str]:
    if rows is None:
        return
    tests: dict[str, int] = {}
    for entry in found:
        tests[entry.claim.id] = tests.get(entry.claim.id, 0) + 1
    yield "## What the papers say, and what tests it"
    yield ""
    if missing := rows.uncovered(tests):
        yield f"Without a test: {', '.join(missing)}."
    else:
        yield "No row is without a test."
    yield ""
    yield from _table(("row", "tests"), ((id, str(tests.get(id, "none"))) for id in rows.named))
    yield ""
    yield (
        "Further rows, by number: what the first reading missed, the mechanism, neighbouring "
        "papers and open questions."
    )
    yield ""
    yield from _table(
        ("row", "claims (tests)"),
        (
            (number, ", ".join(f"{id} ({tests.get(id, 'none')})" for id in ids))
            for number, ids in rows.numbered.items()
        ),
    )
    yield ""


def _claims(found: Sequence[Entry]) -> Iterator[str]:
    columns = ("id", "statement", "source", "test", "embedded", "full besides", "verdicts")
    for file in dict.fromkeys(entry.file for entry in found):
        of_file = [entry for entry in found if entry.file == file]
        yield f"## {of_file[0].claim.family.capitalize()}"
        yield ""
        yield f"`claims/{file}`"
        yield ""
        yield from _table(columns, map(_cells, of_file))
        yield ""


def _cells(entry: Entry) -> tuple[str, ...]:
    first, second = (entry.studies[tier] for tier in TIERS)
    return (
        entry.claim.id,
        entry.claim.statement,
        entry.claim.source,
        f"`{entry.test}`",
        ", ".join(first) or "none",
        ", ".join(name for name in second if name not in first),
        entry.verdicts,
    )


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(columns)} |"
    yield "|" + "---|" * len(columns)
    for row in rows:
        yield f"| {' | '.join(cell.replace('|', '/') for cell in row)} |"
