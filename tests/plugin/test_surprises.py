"""The exit status of a run beside a ledger: only surprises that are sure fail, all others are told.

Every record is planted, so that each arm's norm falls at the seeds that a test says.
"""

import re
import shutil
from dataclasses import replace
from pathlib import Path
from textwrap import dedent
from xml.etree import ElementTree

import pytest

from ddiv.claim import Claim, Contrast
from ddiv.evidence import RISES
from ddiv.finding import SURPRISE_SEEDS, Asked, standing
from ddiv.finding.answer import answer
from ddiv.finding.reader import Reader
from ddiv.outcome import Spectral
from ddiv.profiles.study_file import of_file
from ddiv.run import run as runs
from ddiv.trial.store import Store
from tests.plugin.test_foreign_project import INSTALLED, project, run
from tests.support.planted import Levels, record

pytestmark = pytest.mark.skipif(
    not INSTALLED, reason="ddiv is not installed, so pytest does not know of its plugin"
)

NORM = Spectral("frobenius_norm", "classifier")
STUDY = """
    from ddiv.study import Digits, Recipe, ResNet18, Study

    STUDY = Study(
        name="mine", title="Digits", data=Digits(train=60, side=16), domains=("digits",),
        backbone=ResNet18(width=4, stem_stride=2), recipe=Recipe(epochs=1, batch=60, lr=5e-3),
        decays=(1e-3, 2e-3, 3e-3, 4e-3, 5e-3, 6e-3))
"""
# Each claim says that the norm rises under a decay of its own.
CLAIMS = """
    from ddiv.claim import Contrast, claim
    from ddiv.evidence import RISES
    from ddiv.outcome import Spectral

    def question(study, name):
        arm = study.decay()[NUMBERS[name]][1]
        norm = Spectral("frobenius_norm", "classifier")
        return Contrast(norm, (arm,), RISES, base=study.no_op)

    @claim("known", "It rises.", source="ours")
    def test_known(study):
        return question(study, "known")

    @claim("new", "It rises.", source="ours")
    def test_new(study):
        return question(study, "new")

    @claim("turned", "It rises.", source="ours")
    def test_turned(study):
        return question(study, "turned")

    @claim("weakened", "It rises.", source="ours")
    def test_weakened(study):
        return question(study, "weakened")

    @claim("control-x", "It rises.", source="ours", guards="decay")
    def test_control(study):
        return question(study, "control")
"""
ENTRY = """
[[entry]]
profile = "mine"
study = "mine"
claim = "{claim}"
verdict = "contradicted"
since = 2026-01-01
reason = "Nobody knows."
"""
LEDGER = "".join(ENTRY.format(claim=name) for name in ("known", "turned", "weakened"))

PROVENANCE = {"device_name": "this", "seconds": 1.0, "device": "cpu"}

UP, DOWN = [1] * SURPRISE_SEEDS, [-1] * SURPRISE_SEEDS
MIXED = [1, -1] * (SURPRISE_SEEDS // 2)
# The signs of the effects, seed by seed, under each of the decays. Six that agree decide at the
# level of one question. Eleven are short of a control's own bar.
SIGNS = {
    "down": DOWN,
    "up": UP,
    "mixed": MIXED,
    "six down": DOWN[:6] + MIXED[:10],
    "six up": UP[:6] + MIXED[:10],
    "eleven up": UP[:11] + DOWN[:5],
}
# By claim, what it finds.
UNSURE = {
    "known": "down", "new": "six down", "turned": "six up", "weakened": "mixed", "control": "mixed"
}  # fmt: skip
SURE = {"known": "down", "new": "down", "turned": "up", "weakened": "up", "control": "up"}


@pytest.fixture(scope="module")
def records(tmp_path_factory):
    """A store with the records of all these decays."""
    folder = tmp_path_factory.mktemp("planted")
    project(folder, mine=STUDY)
    (study,) = of_file(folder / "mine.py").studies
    store, about = Store(folder / ".ddiv"), Claim("", "", "", "")
    for (_, arm), signs in zip(study.decay()[1:], SIGNS.values()):
        question = Contrast(NORM, (arm,), RISES, base=study.no_op)
        asked = Asked(about, study, "", question, tuple(range(SURPRISE_SEEDS)), 0.05, "")
        for job in asked.jobs():
            if job not in store:
                scale = 0.5 * signs[job.seed] if job.treatment == arm else 0.0
                made = record(job, study, Levels(scale=scale))
                store.save(replace(made, facts=made.facts | {"provenance": PROVENANCE}))
        answer(asked, Reader(store))  # so that its metrics are there too
    return folder / ".ddiv"


@pytest.fixture
def planted(tmp_path, records):
    """A function that runs the claims in a project, where they find what is said by name."""

    def started(found, *options, ledger=LEDGER):
        numbers = {name: [*SIGNS].index(signs) + 1 for name, signs in found.items()}
        project(tmp_path, mine=STUDY, claims__test_all=f"NUMBERS = {numbers}\n{dedent(CLAIMS)}")
        (tmp_path / "claims" / "ledger.toml").write_text(ledger, "utf-8")
        shutil.copytree(records, tmp_path / ".ddiv")
        return run(tmp_path, "claims", "--study", "mine.py", *options)

    return started


def words(done) -> dict[str, int]:
    """The counts of pytest's last line, by word."""
    last = done.stdout.strip().splitlines()[-1]
    return {word: int(count) for count, word in re.findall(r"(\d+) ([a-z][\w -]*?)(?=,| in)", last)}


def told(done) -> str:
    return " ".join(done.stdout.split())


def properties(element) -> dict[str, str]:
    return {each.get("name"): each.get("value") for each in element.iter("property")}


def seeds_of(folder: Path) -> dict[str, int]:
    store = Store(folder / ".ddiv")
    asked = runs.load_asked(store, runs.latest(store).id)
    return {one.claim.id: len(one.seeds) for one in asked}


def test_surprises_that_are_not_sure_are_told_and_do_not_fail(planted, tmp_path):
    done = planted(UNSURE, "--junit-xml", "x.xml")
    assert done.returncode == 0, done.stdout + done.stderr
    assert words(done) == {
        "expected-contradicted": 1, "unexpected": 2, "inconclusive": 1, "controls held": 1
    }  # fmt: skip
    assert "unexpected: new on mine is contradicted, not sure: evidence" in told(done)
    assert "is enough among 5 questions" in told(done)
    assert "unexpected: turned on mine is supported (before: contradicted, since 2026" in told(done)
    assert "weaker than in the ledger, which is no failure: weakened on mine is inc" in told(done)
    # What the store has is looked at up to the most, and surprises went on while that could tell.
    assert seeds_of(tmp_path) == {
        "known": 7, "new": 9, "turned": 10, "weakened": 7, "control-x": 12
    }  # fmt: skip
    suite = ElementTree.parse(tmp_path / "x.xml").getroot().find("testsuite")
    named = {case.get("name").split("[")[0]: properties(case) for case in suite.iter("testcase")}
    assert "new on mine is contradicted" in named["test_new"]["ddiv unexpected"]
    assert "ddiv weakened" in named["test_weakened"]
    assert properties(suite.find("properties"))["ddiv unexpected"] == "2"


def test_sure_surprises_fail_and_say_what_has_changed_under_xdist_too(planted, tmp_path):
    done = planted(SURE, "-n", "2")
    assert done.returncode == 1 and words(done)["failed"] == 4, done.stdout + done.stderr
    for said in (
        "sure: not in claims/ledger.toml; evidence 156 at 8 seeds, where 100 is enough among 5",
        "sure: changed from contradicted (claims/ledger.toml, since 2026-01-01) to supported; evid",
        "sure: a control must not be supported; evidence",
    ):
        assert said in told(done)
    assert seeds_of(tmp_path) == {
        "known": 7, "new": 8, "turned": 8, "weakened": 8, "control-x": 12
    }  # fmt: skip
    # The one family's controls are supported together too.
    assert "the controls of decay are supported, all 1 on 1 studies taken together" in told(done)
    # The page can tell which of them fail, from the questions and the records.
    store = Store(tmp_path / ".ddiv")
    asked = runs.load_asked(store, runs.latest(store).id)
    stands = {one.claim.id: standing(answer(one, Reader(store))) for one in asked}
    assert stands == {
        "known": "expected", "new": "sure", "turned": "sure", "weakened": "sure",
        "control-x": "sure",
    }  # fmt: skip


def test_with_strict_all_that_is_not_supported_fails(planted):
    done = planted(UNSURE, "--strict")
    assert done.returncode == 1
    assert words(done) == {"failed": 3, "unexpected": 1, "controls held": 1}, done.stdout


def test_a_budget_holds_for_surprises_too(planted, tmp_path):
    done = planted(SURE | {"known": "mixed", "control": "mixed"}, "--budget", "0.001s")
    assert done.returncode == 0 and words(done)["unexpected"] == 3, done.stdout + done.stderr
    assert {*seeds_of(tmp_path).values()} == {7, 12}
    # That less is decided with a budget is no news.
    assert words(done)["inconclusive"] == 1 and "weaker than" not in told(done)


def test_without_a_ledger_of_the_profile_a_contradiction_is_a_verdict(planted, tmp_path):
    done = planted(UNSURE, ledger=LEDGER.replace('profile = "mine"', 'profile = "another"'))
    assert done.returncode == 1, done.stdout + done.stderr
    assert words(done) == {"failed": 2, "supported": 1, "inconclusive": 1, "controls held": 1}
    assert "sure:" not in told(done) and seeds_of(tmp_path)["new"] == 7


def test_controls_that_are_too_weak_alone_fail_the_run_together(planted):
    done = planted(UNSURE | {"control": "eleven up"})
    assert done.returncode == 1 and words(done)["controls held"] == 1, done.stdout + done.stderr
    assert "the controls of decay are supported" in told(done) and "failed" not in words(done)
