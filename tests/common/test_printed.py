"""What reaches a terminal, a shell or a spreadsheet from outside is shown, never obeyed."""

import shutil
import subprocess
import unicodedata

import pytest

from ddiv.common.printed import cell, command, first_line, one_line, printable, removal

HOSTILE = [
    "two words",
    "two  spaces ",
    "$(touch gone)",
    "`touch gone`",
    "a;b&c|d>e<f",
    "it's",
    'so "called"',
    "~",
    "*",
    "back\\slash",
    "new\nline",
    "bell\x07",
    "red\x1b[31m",
    "c1\x9b2J",
    "turned\u202eround",
    "no\udcff utf-8",
    "-rf",
    "",
    "#comment",
    "{a,b}",
    "!!",
    "Größe 写真",
    "joined \N{MAN}\N{ZERO WIDTH JOINER}\N{PERSONAL COMPUTER}",
]


@pytest.mark.skipif(not shutil.which("bash"), reason="needs bash")
@pytest.mark.parametrize("word", HOSTILE, ids=ascii)
def test_a_shell_reads_the_words_that_were_meant(word, tmp_path):
    line = command("printf", r"%s\0", word, "end")
    assert one_line(line) == line
    done = subprocess.run(["bash", "-c", line], cwd=tmp_path, capture_output=True, check=True)
    assert done.stdout == word.encode("utf-8", "surrogateescape") + b"\0end\0"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not shutil.which("bash"), reason="needs bash")
@pytest.mark.parametrize("name", [name for name in HOSTILE if name])
def test_an_advised_removal_spares_the_siblings(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    siblings = [tmp_path / part for part in ("two", "words", "rf", "a", "sibling")]
    target = tmp_path / name / "trials" / "0123"
    for folder in (*siblings, target):
        folder.mkdir(parents=True, exist_ok=True)
    line = removal(target.relative_to(tmp_path))
    assert subprocess.run(["bash", "-c", line], cwd="/", check=False).returncode == 0
    assert (
        not target.exists() and target.parent.exists() and all(map(type(target).exists, siblings))
    )


def test_every_character_that_a_terminal_obeys_is_replaced():
    controls = [chr(code) for code in range(0x110000) if unicodedata.category(chr(code)) == "Cc"]
    turning = [*"\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff"]
    for character in (*controls, *turning, "\u2028", "\u2029", "\ud800"):
        assert one_line(f"a{character}b") in ("a b", "a\N{REPLACEMENT CHARACTER}b"), ascii(
            character
        )
    kept = "é ß 写 \N{NO-BREAK SPACE} \N{ZERO WIDTH NON-JOINER} \N{GRINNING FACE}"
    assert one_line(kept) == printable(kept) == kept


def test_lines_stay_lines_only_where_they_are_meant_to():
    assert one_line("ok\r\nPASSED\rx\ty") == "ok PASSED x y"
    assert printable("one\ntwo\rthree\x1b[2J") == "one\ntwo three\N{REPLACEMENT CHARACTER}[2J"


@pytest.mark.parametrize("start", [*"=+-@\t\r\n", "\uff1d"])
def test_a_spreadsheet_computes_no_name(start):
    assert cell(f"{start}HYPERLINK(1)") == f"'{start}HYPERLINK(1)"


def test_other_cells_stay():
    for value in (-1.5, -3, None, "layer.0", "", "a=b", True):
        assert cell(value) is value


@pytest.mark.parametrize(
    "error, line",
    [
        (RuntimeError("\n  CUDA error: x\ty\nsee torch"), "CUDA error: x y"),
        (RuntimeError(), "RuntimeError"),
        (MemoryError("  "), "MemoryError"),
    ],
)
def test_an_error_has_a_first_line_also_where_it_says_nothing(error, line):
    assert first_line(error) == line
