"""Text is UTF-8 on every machine: no file is read or written in the encoding of the locale."""

import ast

import pytest

from tests.support.paths import ROOT

FOLDERS = ("ddiv", "claims", "fixtures", "benchmarks")
FILES = [path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.py"))]

# By the name of a function: the number of its arguments with which the encoding is given.
PLACE = {"read_text": 1, "write_text": 2, "open": 4}


def takes_the_locales(call: ast.Call) -> bool:
    name = getattr(call.func, "attr", getattr(call.func, "id", ""))
    keywords = {word.arg: word.value for word in call.keywords}
    if {"encoding", None} & keywords.keys():
        return False
    if name in PLACE:
        method = isinstance(call.func, ast.Attribute)
        if name == "open" and (not method or ast.unparse(call.func) in ("os.open", "Image.open")):
            mode = keywords.get("mode", call.args[1] if len(call.args) > 1 else None)
            return ast.unparse(call.func) == "open" and "b" not in ast.unparse(mode or call.func)
        if name == "open":
            mode = keywords.get("mode", call.args[0] if call.args else None)
            return isinstance(mode, ast.Constant) and mode.value in ("r", "w", "a", "x")
        return len(call.args) < PLACE[name]
    return any(
        word in keywords and ast.unparse(keywords[word]) == "True"
        for word in ("text", "universal_newlines")
    )


@pytest.mark.parametrize(
    "text, does",
    [
        ("path.read_text()", True),
        ("path.read_text('utf-8')", False),
        ("path.write_text(text)", True),
        ("path.write_text(text, encoding='ascii')", False),
        ("open(path)", True),
        ("open(path, 'w')", True),
        ("open(path, 'rb')", False),
        ("path.open('w')", True),
        ("os.open(path, 0)", False),
        ("subprocess.run(words, text=True)", True),
        ("subprocess.run(words, text=True, encoding='utf-8')", False),
    ],
)
def test_calls_that_take_the_encoding_of_the_locale_are_known(text, does):
    assert takes_the_locales(ast.parse(text).body[0].value) == does


def test_no_text_is_read_or_written_in_the_encoding_of_the_locale():
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in [*FILES, ROOT / "conftest.py"]
        for node in ast.walk(ast.parse(path.read_bytes()))
        if isinstance(node, ast.Call) and takes_the_locales(node)
    ]
    assert not found
