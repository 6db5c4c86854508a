"""The ledger: what may stand in it, what may not, and how an entry is written down."""

import datetime
import os
import tomllib
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ddiv.finding.ledger import FILE, BadLedger, Entry, as_toml, entries, entry, proposals
from ddiv.profiles.choose import profile
from tests.support.paths import ROOT

ONE = Entry(
    profile="embedded",
    claim="wd-entropy",
    study="clip-world",
    verdict="contradicted",
    since=datetime.date(2026, 11, 22),
    reason="The definition of entropy decides.",
    variant="classifier",
)
WITHOUT_VARIANT = msgspec.structs.replace(ONE, claim="an-id", verdict="inconclusive", variant="")


def written(tmp_path: Path, text: str | bytes) -> Path:
    path = tmp_path / "ledger.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def lines(**changes) -> str:
    """ONE as TOML with some lines in other words; None leaves a line out."""
    values = {
        "profile": '"embedded"',
        "claim": '"wd-entropy"',
        "study": '"clip-world"',
        "verdict": '"contradicted"',
        "since": "2026-11-22",
        "reason": '"Why."',
        "variant": '"classifier"',
    } | changes
    return "\n".join(
        [
            "[[entry]]",
            *(f"{name} = {value}" for name, value in values.items() if value is not None),
            "",
        ]
    )


def test_a_ledger_is_read_by_place(tmp_path):
    path = written(tmp_path, "# known\n\n" + as_toml(ONE) + "\n# more\n" + as_toml(WITHOUT_VARIANT))
    assert entries(path) == {
        ("embedded", "wd-entropy", "clip-world", "classifier"): ONE,
        ("embedded", "an-id", "clip-world", ""): WITHOUT_VARIANT,
    }
    assert entry("embedded", "wd-entropy", "clip-world", "classifier", path) == ONE
    assert entry("embedded", "an-id", "clip-world", "", path) == WITHOUT_VARIANT


@pytest.mark.parametrize(
    "elsewhere",
    [
        ("smoke", "wd-entropy", "clip-world", "classifier"),
        ("embedded", "drop-entropy", "clip-world", "classifier"),
        ("embedded", "wd-entropy", "resnet18-digits", "classifier"),
        ("embedded", "wd-entropy", "clip-world", "encoder"),
        ("embedded", "wd-entropy", "clip-world", ""),
        ("embedded", "an-id", "clip-world", "classifier"),
    ],
)
def test_an_entry_speaks_of_its_own_place_only(tmp_path, elsewhere):
    path = written(tmp_path, as_toml(ONE) + as_toml(WITHOUT_VARIANT))
    assert entry(*elsewhere, path) is None


def test_no_file_and_no_entries_expect_nothing(tmp_path):
    assert (
        entries(tmp_path / "none.toml") == entries(written(tmp_path, "# nothing is known\n")) == {}
    )


@pytest.mark.parametrize(
    "text, message",
    [
        (lines(why='"x"'), "unknown field `why`"),
        (lines(variants='"x"'), "unknown field `variants`"),
        (lines(reason=None), "missing required field `reason`"),
        (lines(since=None), "missing required field `since`"),
        (lines(study=None), "missing required field `study`"),
        (lines(reason='""'), "gives no reason. Say why"),
        (lines(reason='" \\n\\t"'), "gives no reason. Say why"),
        (lines(reason="3"), "Expected `str`, got `int`"),
        (lines(verdict='"refuted"'), "Invalid enum value 'refuted'"),
        (lines(verdict='"supported"'), "Invalid enum value 'supported'"),
        (lines(since='"last week"'), "Invalid RFC3339"),
        (lines(since="2026"), "Expected `date`"),
        (lines(since="2026-02-30"), "cannot be read"),
        (
            lines() + lines(reason='"Another."'),
            "two entries of wd-entropy on clip-world (classifier)",
        ),
        (
            lines(variant=None) + lines(variant='""'),
            "two entries of wd-entropy on clip-world (no variant)",
        ),
        (lines().replace("[[entry]]", "[[contradicted]]"), "unknown field `contradicted`"),
        (lines().replace("[[entry]]", "[entry]"), "Expected `array`, got `object`"),
        ("profile: embedded\n", "cannot be read"),
        ("[[entry]\n", "cannot be read"),
        (b'[[entry]]\nreason = "\xff"\n', "cannot be read"),
    ],
    ids=range(20),
)
def test_each_fault_is_told_with_the_file(tmp_path, text, message):
    path = written(tmp_path, text)
    with pytest.raises(BadLedger) as error:
        entries(path)
    assert message in str(error.value) and str(path) in str(error.value)


@pytest.mark.parametrize("made", ["2", '"2"', "1.5"])
def test_a_ledger_of_a_newer_ddiv_is_not_called_wrong(tmp_path, made):
    path = written(tmp_path, f"format = {made}\n\n{lines(kind='3')}")
    with pytest.raises(BadLedger, match=r"a newer one wrote it, so update ddiv"):
        entries(path)
    assert len(entries(written(tmp_path, f"format = 1\n\n{lines()}"))) == 1


def test_a_ledger_that_cannot_be_read_is_told_with_the_cause(tmp_path):
    folder, pipe = tmp_path / "folder", tmp_path / "pipe"
    folder.mkdir()
    os.mkfifo(pipe)
    with pytest.raises(BadLedger, match=r"folder cannot be read: Is a directory"):
        entries(folder)
    with pytest.raises(BadLedger, match=r"pipe cannot be read: it is a pipe or a device"):
        entries(pipe)
    deep = written(tmp_path, "x = " + "[" * 3000)
    with pytest.raises(BadLedger, match=r"ledger\.toml cannot be read: "):
        entries(deep)


def test_what_an_entry_needs_is_told(tmp_path):
    with pytest.raises(
        BadLedger, match=r"needs profile, claim, study, verdict \(contradicted or inconclusive\)"
    ):
        entries(written(tmp_path, lines(since=None)))


def test_an_entry_is_written_as_it_is_read():
    assert as_toml(ONE) == (
        '[[entry]]\nprofile = "embedded"\nclaim = "wd-entropy"\nstudy = "clip-world"\n'
        'variant = "classifier"\nverdict = "contradicted"\nsince = 2026-11-22\n'
        'reason = "The definition of entropy decides."\n'
    )
    assert "variant" not in as_toml(WITHOUT_VARIANT)


@pytest.mark.parametrize(
    "reason",
    [
        'It "holds"',
        "C:\\new\\table",
        "λ log λ ≥ 1 – 日本語 😀",
        "two\nlines\tand a tab",
        "'''",
        '"""',
        "# no comment",
        "\x7f\x00\x1f",
        "\u2028",
    ],
)
def test_any_reason_survives_being_written_down(tmp_path, reason):
    row = msgspec.structs.replace(ONE, reason="Why: " + reason, variant=reason)
    assert entries(written(tmp_path, as_toml(WITHOUT_VARIANT) + as_toml(row)))[row.place] == row


@settings(max_examples=200, deadline=None)
@given(st.text(st.characters(codec="utf-8")), st.text(st.characters(codec="utf-8")), st.dates())
def test_an_entry_is_valid_toml_whatever_it_says(reason, variant, since):
    row = msgspec.structs.replace(ONE, reason=reason, variant=variant, since=since)
    (found,) = tomllib.loads(as_toml(row))["entry"]
    assert msgspec.convert(found, Entry) == row


def test_a_run_proposes_what_is_new_and_tells_what_has_changed():
    today, known = (
        datetime.date(2027, 1, 2),
        {ONE.place: ONE, WITHOUT_VARIANT.place: WITHOUT_VARIANT},
    )
    new = ("embedded", "drop-alpha", "clip-world", "encoder")
    answered = {
        ONE.place: "supported",
        WITHOUT_VARIANT.place: "inconclusive",
        new: "contradicted",
        ("embedded", "drop-alpha", "clip-world", "classifier"): "inconclusive",
        ("embedded", "wd-alpha", "clip-world", "encoder"): "supported",
    }
    proposed, changed = proposals(answered, known, "say why", today)
    assert [row.place for row in proposed] == [new] and changed == [(ONE, "supported")]
    assert (proposed[0].verdict, proposed[0].since, proposed[0].reason) == (
        "contradicted",
        today,
        "say why",
    )
    assert proposals({place: row.verdict for place, row in known.items()}, known, "", today) == (
        [],
        [],
    )


def test_the_projects_own_ledger_names_tests_that_there_are():
    from tests.support.claim_cases import CASES, FILES, PROFILE, cases_of

    known = entries(ROOT / FILE)
    authors = profile("authors")
    # The authors' tables answer few tests: beside another profile each test has a study.
    places = {
        (of, case.claim.id, case.study.name, case.variant)
        for one in (PROFILE, profile("full"))
        for case in cases_of(FILES, (*one.studies, *authors.studies))
        for of in [authors.name if case.study in authors.studies else one.name]
    }
    assert known and set(known) <= places
    # A control needs no entry: not to be supported is what is asked of it.
    assert not {row.claim for row in known.values()} & {
        case.claim.id for case in CASES if case.claim.control
    }
