"""Adaptive replication: more seeds only for claims that they can still decide, and the same seeds
on any day.
"""

import itertools
import re
import subprocess
import sys
from pathlib import Path

import pytest

from ddiv import run as runs
from ddiv.claim import Claim, Contrast, Largest, Opposite, Trend
from ddiv.evidence import FALLS, RISES
from ddiv.finding import Asked, Finding, undecided, withheld
from ddiv.outcome import Spectral, Vendi
from ddiv.plan import journal
from ddiv.profiles import profile
from ddiv.store import Store

ROOT = Path(__file__).parents[1]
PROFILE = profile("smoke")
(STUDY,) = PROFILE.studies
NORM, PIXELS = Spectral("frobenius_norm", "classifier"), Vendi("pixel")
ARM, OTHERS = STUDY.no_op, tuple(map(STUDY.augmentation, STUDY.augmentations[:3]))
CONTRAST = Contrast(NORM, (ARM,), FALLS)


def found(question, effects, alpha=0.05, **more) -> Finding:
    """The finding that these effects, a row a seed, lead to."""
    effects = tuple(tuple(row) if isinstance(row, tuple) else (row,) for row in effects)
    claim, seeds = Claim("an-id", "a statement", "a source", "a family"), tuple(range(len(effects)))
    asked = Asked(claim, STUDY, "", question, seeds, alpha, "claims/test_x.py::test_y")
    return Finding(asked, question.judge(effects, alpha), effects, **more)


def seeds_spent(question, effect_of, first=3, most=7, alpha=0.05) -> int:
    """How many seeds a claim gets whose effect at seed i is effect_of(i), as the fixture adds them."""
    seeds = first
    while undecided(found(question, map(effect_of, range(seeds)), alpha), most):
        seeds += 1
    return seeds


# --- what more seeds can still decide ------------------------------------------------------------


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("direction", [RISES, FALLS])
def test_seeds_that_agree_go_on_to_the_sixth_and_stop_there(sign, direction):
    question = Trend(NORM, STUDY.dropout(), direction)
    for seeds in range(1, 6):
        assert undecided(found(question, [sign * 0.1 * (i + 1) for i in range(seeds)]), 7)
    decided = found(question, [sign * 0.1] * 6)
    assert (
        decided.evidence.verdict != "inconclusive"
        and not undecided(decided, 7)
        and not undecided(decided, 50)
    )
    assert seeds_spent(question, lambda seed: sign * 0.1) == 6


def test_seeds_that_disagree_stop_where_the_most_seeds_could_not_decide():
    assert seeds_spent(CONTRAST, [1.0, -1, 1, 1, 1, 1, 1].__getitem__) == 3
    assert seeds_spent(CONTRAST, [1.0, 1, 1, 1, -1, 1, 1].__getitem__) == 5
    # With more seeds at hand one that disagrees is not the end.
    assert seeds_spent(CONTRAST, lambda seed: -1.0 if seed == 1 else 1.0, most=30) > 7


def test_a_claim_stops_where_even_agreement_comes_too_late():
    three = found(CONTRAST, [1.0, 2, 3])
    assert [undecided(three, most) for most in (3, 4, 5, 6, 7)] == [False, False, False, True, True]
    assert not undecided(found(CONTRAST, [1.0] * 5), 5)
    # A smaller alpha asks for more seeds.
    careful = found(CONTRAST, [1.0] * 3, alpha=0.001)
    assert not undecided(careful, 7) and undecided(careful, 12)


def test_no_effect_at_all_stops():
    assert seeds_spent(CONTRAST, lambda seed: 0.0) == 3
    assert undecided(found(CONTRAST, [0.0] * 3), 30)


def test_what_is_withheld_gets_no_more_seeds():
    finding = found(CONTRAST, [1.0] * 4, withheld=True)
    assert withheld(finding.evidence).verdict == "inconclusive" and not undecided(finding, 7)
    assert undecided(found(CONTRAST, [1.0] * 4), 7)


def test_a_claim_of_several_comparisons_goes_on_while_they_can_decide():
    opposite, largest = (
        Opposite(NORM, STUDY.dropout(), STUDY.decay()),
        Largest(PIXELS, OTHERS[0], OTHERS[1:]),
    )
    for row in itertools.product((1.0, -1.0), repeat=2):
        assert seeds_spent(opposite, lambda seed: row) == 7
    assert seeds_spent(opposite, lambda seed: (1.0, (-1.0) ** seed)) == 3
    # Which of several goes against the claim has to be found out, at the cost of a seed.
    assert seeds_spent(largest, lambda seed: (1.0, 0.5)) == 6
    assert (
        seeds_spent(largest, lambda seed: (1.0, -0.5))
        == seeds_spent(largest, lambda seed: (-1.0, -0.5))
        == 7
    )
    assert seeds_spent(largest, lambda seed: ((-1.0) ** seed, (-1.0) ** seed)) == 3


def test_undecided_means_that_some_further_seeds_would_decide():
    """Against brute force over everything that up to eight seeds can say."""
    for seeds in range(1, 8):
        for past in itertools.product((1.0, 0.0, -1.0), repeat=seeds):
            if past != tuple(sorted(past)):  # for the sign bet all orders are one
                continue
            futures = itertools.product((1.0, -1.0), repeat=8 - seeds)
            expected = found(CONTRAST, past).evidence.verdict == "inconclusive" and any(
                found(CONTRAST, past + future).evidence.verdict != "inconclusive"
                for future in futures
            )
            assert undecided(found(CONTRAST, past), 8) == expected, past


@pytest.mark.parametrize(
    "question",
    [Opposite(NORM, STUDY.dropout(), STUDY.decay()), Largest(PIXELS, OTHERS[0], OTHERS[1:])],
    ids=["opposite", "largest"],
)
def test_undecided_of_two_comparisons_means_the_same(question):
    rows = list(itertools.product((1.0, -1.0), repeat=2))
    seen = set()
    for past in itertools.combinations_with_replacement(rows, 5):
        finding = found(question, past)
        expected = any(
            found(question, past + future).evidence.verdict != "inconclusive"
            for future in itertools.product(rows, repeat=2)
        )
        seen.add(undecided(finding, 7))
        assert undecided(finding, 7) == (expected and finding.evidence.verdict == "inconclusive"), (
            past
        )
    assert seen == {True, False}


# --- in a run ------------------------------------------------------------------------------------

SUBJECT = "(wd-spectral or drop-frobenius) and encoder and not encoder-only"


def run(folder: Path, *arguments: str, store: Path | None = None) -> subprocess.CompletedProcess:
    command = [
        sys.executable,
        "-m",
        "pytest",
        "claims",
        "--profile",
        "smoke",
        "-p",
        "no:cacheprovider",
        "--store",
        str(store or folder / "store"),
        "--report",
        str(folder / "page.html"),
        *arguments,
    ]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)


def spent(store: Path) -> dict[str, tuple[int, ...]]:
    """The seeds of every claim of the newest run, by test."""
    records = Store(store)
    asked = runs.load_asked(records, runs.latest(records).id)
    assert asked and not any(one.error for one in asked)
    return {one.test: one.seeds for one in asked}


@pytest.fixture(scope="module")
def alone(tmp_path_factory) -> tuple[Path, dict]:
    """The store of a run in one process, and the seeds that each claim took."""
    folder = tmp_path_factory.mktemp("alone")
    done = run(folder, "-n", "0", "-k", SUBJECT)
    assert done.returncode in (0, 1), done.stdout + done.stderr
    return folder / "store", spent(folder / "store")


def test_a_run_starts_with_the_profiles_seeds_and_adds_to_the_undecided(alone):
    seeds = alone[1].values()
    assert all(one == tuple(range(len(one))) for one in seeds)
    assert {len(one) for one in seeds} <= set(range(PROFILE.seeds, PROFILE.max_seeds + 1))
    # Decay of .1 shrinks the largest eigenvalue at every seed, so this claim is decided at the
    # sixth.
    assert [len(one) for test, one in alone[1].items() if "wd-spectral" in test] == [6] and len(
        seeds
    ) == 2


def test_the_seeds_of_a_claim_do_not_depend_on_the_number_of_workers(alone, tmp_path):
    done = run(tmp_path, "-n", "2", "-k", SUBJECT)
    assert done.returncode in (0, 1), done.stdout + done.stderr
    assert spent(tmp_path / "store") == alone[1]
    assert Store(tmp_path / "store").keys() == Store(alone[0]).keys() != []


def test_a_store_that_holds_more_seeds_does_not_change_how_many_are_asked(alone, tmp_path):
    """The same answers from the same seeds, and within a budget that is spent only the first ones."""
    run(tmp_path, "-n", "0", "-k", SUBJECT, store=alone[0])
    assert spent(alone[0]) == alone[1]
    done = run(tmp_path, "-n", "0", "-k", SUBJECT, "--budget", "0.001s", store=alone[0])
    assert set(spent(alone[0]).values()) == {(0, 1, 2)}
    assert f"{len(alone[1])} inconclusive" in done.stdout
    records = Store(alone[0])
    assert journal(runs.folder(records, runs.latest(records).id)) == []


def test_another_block_of_seeds_begins_where_it_is_told_to(tmp_path):
    run(
        tmp_path,
        "-n",
        "0",
        "-k",
        "wd-spectral and classifier",
        "--first-seed",
        "100",
        "--seeds",
        "2",
        "--max-seeds",
        "2",
    )
    assert set(spent(tmp_path / "store").values()) == {(100, 101)}
    assert {record.job.seed for record in Store(tmp_path / "store").records()} == {100, 101}


@pytest.mark.parametrize(
    "arguments, message",
    [
        (("--first-seed", "-1"), "--first-seed lies between 0 and"),
        (("--seeds", "0"), "--seeds needs a number of at least 1, got 0"),
        (("--seeds", "-3"), "--seeds needs a number of at least 1, got -3"),
        (
            ("--max-seeds", "2"),
            "--max-seeds is less than the 3 seeds to start with: give a larger one, or fewer --seeds",
        ),
        (
            ("--seeds", "5", "--max-seeds", "4"),
            "--max-seeds is less than the 5 seeds to start with",
        ),
        (("--budget", "soon"), "a budget is a time such as 90s, 30m or 2h, got 'soon'"),
        (("--budget", "0m"), "a budget is a time such as 90s, 30m or 2h, got '0m'"),
    ],
)
def test_bad_numbers_of_seeds_and_times_are_one_line(tmp_path, arguments, message):
    done = run(tmp_path, *arguments)
    lines = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
    assert done.returncode == 4 and [line for line in lines if message in line] == lines
    assert not (tmp_path / "store").exists()


@pytest.mark.parametrize(
    "text, expected",
    [
        (None, None),
        ("90", 90),
        ("90s", 90),
        ("30m", 1800),
        ("2h", 7200),
        ("1.5 m", 90),
        (" 10s ", 10),
    ],
)
def test_a_budget_is_read_in_seconds(text, expected):
    assert runs.seconds(text) == expected


@pytest.mark.parametrize("text", ["", "m", "0", "-1s", "1d", "1h30m", "inf", "1e3"])
def test_what_is_no_time_is_refused(text):
    with pytest.raises(ValueError, match=re.escape("90s, 30m or 2h")):
        runs.seconds(text)
