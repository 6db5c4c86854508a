"""Tests of claims that are wrong: each is one error at its author's line, and the others run."""

import re

import pytest

from tests.plugin.test_foreign_project import INSTALLED, project, run

pytestmark = pytest.mark.skipif(
    not INSTALLED, reason="ddiv is not installed, so pytest does not know of its plugin"
)

STUDY = """
    from ddiv.study import Digits, Recipe, ResNet18, Study

    STUDY = Study(
        name="mine", title="Digits", data=Digits(train=60, side=16), domains=("digits",),
        backbone=ResNet18(width=4, stem_stride=2), recipe=Recipe(epochs=1, batch=60, lr=5e-3),
        dropout_rates=(0.1, 0.3))
"""
HEAD = """
import pytest

from ddiv.claim import Change, Contrast, Trend, claim, each, each_layers
from ddiv.evidence import FALLS, RISES
from ddiv.outcome import Spectral
from ddiv.treatment import BASELINE

NORM = Spectral("frobenius_norm", "classifier")


def a(id, **more):
    return claim(id, f"{id} is so.", source="ours", **more)


@a("sound")
def test_sound(study):
    return Trend(NORM, study.dropout(), FALLS)


@each_layers
@a("above", needs="dropout_rates")
def test_above(study, layers):
    return Trend(Spectral("alpha", layers), list(study.dropout()), RISES)


@a("below")
@each(rate=(0.1, 0.3))
def test_below(study, rate, unused=1):
    return Contrast(NORM, (study.dropout()[1][1],), FALLS)


@a("skipping")
def test_skipping(study):
    pytest.skip("not today")


@pytest.mark.skip(reason="marked")
@a("marked")
def test_marked(study):
    return Contrast(NORM, (study.dropout()[2][1],), FALLS)

"""
# By the name of a test: its code, and what is said of it.
WRONG = {
    "dict": ("def test_dict(study): return {}", "its body returns a dict, and a claim returns"),
    "none": ("def test_none(study): pass", "its body returns None: is a `return` missing?"),
    "yields": ("def test_yields(study): yield 1", "it yields: write `return`"),
    "raises": ("def test_raises(study): return 1 / 0", "ZeroDivisionError: division by zero"),
    "exits": ("def test_exits(study): raise SystemExit(3)", "SystemExit: 3"),
    "fails": ("def test_fails(study): pytest.fail('no')", "cannot be put to mine: no"),
    "field": ("def test_field(study): return study.dropuot()", "no attribute 'dropuot'"),
    "metric": (
        "def test_metric(study): return Change(Spectral('fribenius_norm', 'all'), BASELINE, 1)",
        "invalid enum value 'fribenius_norm', did you mean 'frobenius_norm'? (there are: alpha,",
    ),
    "word": (
        "def test_word(study): return Trend('alpha', study.dropout(), 1)",
        "its `outcome` is a str, expected an outcome, such as Spectral(",
    ),
    "colour": (
        "def test_colour(study, colour): return Trend(NORM, study.dropout(), 1)",
        "its parameter 'colour' has no value: give it some by @each(colour=...)",
    ),
    "fixture": (
        "def test_fixture(study, tmp_path): return Trend(NORM, study.dropout(), 1)",
        "Fixtures have none when the body runs",
    ),
    "ladder": (
        "def test_ladder(study): return Trend(NORM, dict(study.dropout()), 1)",
        "its `ladder` is a dict, expected `tuple`: write tuple(ladder.items())",
    ),
    "doses": (
        "def test_doses(study): return Trend(NORM, study.dropout_rates, 1)",
        "Trend: `ladder[0]`: expected `tuple`, got `float`",
    ),
    "nan": (
        "def test_nan(study): return Trend(NORM, ((float('nan'), study.dropout()[0][1]),) * 2, 1)",
        "`ladder[0][0]`: expected `float`, got `None or NaN`",
    ),
    "rates": (
        "def test_rates(study): return Contrast(NORM, (0.1,), 1)",
        "`treatments[0]`: expected a Treatment, got `float`",
    ),
    "single": (
        "def test_single(study): return Contrast(NORM, study.dropout()[1][1], 1)",
        "its `treatments` is a Treatment, expected `tuple`: write (arm,) for a single one",
    ),
    "swapped": (
        "def test_swapped(study): return Trend(study.dropout(), NORM, 1)",
        "(in order, its fields are outcome, ladder, direction) (my claims/test_wrong.py:",
    ),
    "direction": (
        "def test_direction(study): return Trend(NORM, study.dropout(), 0)",
        "the direction of Trend is 0, and it has to be RISES or FALLS",
    ),
    "awaits": ("async def test_awaits(study): return 1", "it is an `async def`: write `def`"),
    "nostudy": ("def test_nostudy(): return 1", "it has no parameter `study`"),
    "judged": ("def test_judged(study, judge): return 1", "its parameter `judge` has no value"),
    "posonly": ("def test_posonly(study, /): return 1", "positional-only arguments"),
    "twice": ("@a('other')\ndef test_twice(study): return 1", "two @claim stand above it"),
}
DECLARED = {
    "needs": ("@a('needs', needs=('dropout_ratez',))", "did you mean 'dropout_rates'?"),
    "on": ("@a('on', on=lambda study: study.nothing)", "no attribute 'nothing'"),
    "each": ("@a('each', each={'arm': lambda study: study.nothing})", "`each` gives values of"),
    "arms": ("@each(arm=lambda study: study.nothing)\n@a('arms')", "no attribute 'nothing'"),
    "number": ("@claim(5, 'x', source='y')", "the id of a claim is a text, not 5"),
    "bare": ("@claim", '@claim has arguments: write @claim("an-id", '),
    "sourceless": ("@claim('i', 'x')", "the source of the claim is missing: write @claim("),
    "empty": ("@claim('', 'x', source='y')", "the id of a claim is a text, not ''"),
}
BODY = "    return Trend(NORM, study.dropout(), FALLS)"
LAST = """
class TestClass:
    @a("method")
    def test_method(self, study):
        return Trend(NORM, study.dropout(), FALLS)


@claim("sound", "Another statement.", source="ours")
def test_namesake(study):
    return Trend(NORM, study.dropout(), RISES)


@a("tuples")
@pytest.mark.parametrize("pair", [(1,), (2,)])
def test_tuples(study, pair):
    return Trend(NORM, study.dropout(), RISES)
"""
SAID = {
    **{f"test_{name}": said for name, (_, said) in (WRONG | DECLARED).items()},
    "test_method": "it is a method of TestClass: write it as a function of the file",
    "test_namesake": "test_wrong.py::test_sound[sound-mine] is of a claim 'sound' too",
    "test_tuples": "test_tuples[tuples-mine-pair0] is of a claim 'tuples' too",
}


@pytest.fixture
def folder(tmp_path):
    """A project with every mistake, and with tests that are sound."""
    wrong = (f"\n\n@a({name!r})\n{code}" for name, (code, _) in WRONG.items())
    declared = (
        f"\n\n{code}\ndef test_{name}(study{', arm' * (name == 'arms')}):\n{BODY}"
        for name, (code, _) in DECLARED.items()
    )
    project(tmp_path, my_study=STUDY)
    (tmp_path / "my claims").mkdir()
    text = HEAD + "".join((*wrong, *declared)) + "\n\n" + LAST
    (tmp_path / "my claims" / "test_wrong.py").write_text(text, "utf-8")
    return tmp_path


@pytest.mark.parametrize("arguments", [("--plan",), ("-q", "-n", "0")])
def test_each_mistake_is_one_line_at_its_place_and_the_others_run(folder, arguments):
    options = ("--study", "my_study.py", "--seeds", "1", "--max-seeds", "1")
    done = run(folder, "my claims", *options, *arguments)
    shown = done.stdout + done.stderr
    assert done.returncode == 1 and "INTERNALERROR" not in shown and "Traceback" not in shown, shown
    lines = dict(
        re.findall(r"^(?:ERROR )?my claims/test_wrong\.py:\d+: (\w+): (.*)$", shown, re.MULTILINE)
    )
    assert lines.keys() == SAID.keys(), shown
    for name, said in SAID.items():
        assert said in lines[name], lines[name]
    places = re.findall(r"^(?:ERROR )?my claims/test_wrong\.py:(\d+): (\w+)", shown, re.MULTILINE)
    source = (folder / "my claims" / "test_wrong.py").read_text("utf-8").split("\n")
    for number, name in places:
        # A function begins with its first decorator.
        assert any(f"def {name}(" in line for line in source[int(number) - 1 : int(number) + 2])
    if "--plan" in arguments:
        assert "trials" in shown
    elif "-n" in arguments:  # the sound ones: 1 + 2 + 2, of which two cannot fit an exponent
        assert f"2 skipped, {len(SAID)} errors, 6 inconclusive" in shown, shown[-500:]
