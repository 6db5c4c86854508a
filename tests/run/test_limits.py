"""What the limit on seeds means is told before anything is trained, and while it is."""

import msgspec
import pytest

from ddiv.claim import Contrast
from ddiv.evidence import FALLS
from ddiv.outcome import Spectral
from ddiv.run import run as runs
from ddiv.run.crew import kind_of
from ddiv.run.files import append, sealed
from ddiv.run.limits import fewest, further, too_few
from ddiv.run.notes import Finished
from ddiv.run.progress import describe, save_further
from ddiv.treatment import Treatment, WeightDecay
from ddiv.trial import key, with_requirements
from ddiv.trial.store import Store
from tests.support.smoke import PROFILE, ask
from tests.support.troubled import RUN

ARM = Treatment.of(WeightDecay(0.1))
NORM = Spectral("frobenius_norm", "classifier")


def question(name, arm=ARM, seeds=(0, 1, 2)):
    return ask(Contrast(NORM, (arm,), FALLS), seeds=seeds, test=name)


def test_six_seeds_are_the_fewest_that_decide():
    assert fewest(0.05) == 6 and fewest(0.05 / 50) == 12


@pytest.mark.parametrize("most, told", [(3, True), (5, True), (6, False), (7, False)])
def test_a_limit_that_decides_nothing_is_told(most, told):
    profile = msgspec.structs.replace(PROFILE, max_seeds=7)
    run = msgspec.structs.replace(RUN, max_seeds=most)
    line = too_few(run, profile)
    assert bool(line) == told
    assert not told or (f"--max-seeds {most} can decide no claim: 6 seeds" in line)
    # A profile that is meant to decide nothing says nothing.
    assert too_few(run, msgspec.structs.replace(profile, max_seeds=most)) == ""


def test_the_line_of_progress_knows_what_undecided_claims_may_ask_for(tmp_path):
    store, place = Store(tmp_path), runs.folder(Store(tmp_path), RUN.id)
    asked = [question("one"), question("two", Treatment.of(WeightDecay(0.2)))]
    plan = with_requirements(job for each in asked for job in each.jobs())
    assert runs.save_plan(store, RUN.id, plan) and not runs.save_plan(store, RUN.id, plan)
    more = further(asked, RUN, plan, store)
    # Two arms at seeds 3 to 6, the baseline and the optimisation controls, which both share.
    assert len(more.keys) == 36 and {len(places) for places in more.tests.values()} == {32}
    save_further(place, more)
    assert "at most 36 more, for claims that stay undecided" in describe(place, 2)
    assert "at most 32 more" in describe(place, 2, ["one"])
    assert "more" not in describe(place, 2, ["one", "two"])
    # A job that was asked for is one of the trials; a second is no longer a forecast.
    keys = [key(job) for job in plan[:-1]]
    for one in (*keys, more.keys[0]):
        append(place / "journal.jsonl", sealed(Finished(one, "trial", one, 2.0, "main")))
    line = describe(place, 2)
    assert "at most 35 more" in line and "2.0 s each" in line and "about" not in line
    append(place / "journal.jsonl", sealed(Finished("x", "trial", "x", 200.0, "main")))
    assert "s for these" in describe(place, 1) and "left" not in describe(place, 1)
    assert "left" in describe(place, 1, ["one", "two"])
    # Nothing is done yet of the kind that is left.
    assert "very roughly" in describe(place, 1)
    kind = kind_of(plan[-1])
    append(place / "journal.jsonl", sealed(Finished("y", kind, "y", 200.0, "main")))
    assert "about 3 min" in describe(place, 1)
