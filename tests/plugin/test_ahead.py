"""Questions are looked at while a test waits: their further seeds are asked for, by the policy that
their tests follow.
"""

import subprocess
import sys

import msgspec

from ddiv.claim import Trend
from ddiv.evidence import FALLS
from ddiv.finding.seeds import with_stored
from ddiv.outcome import Spectral
from ddiv.plugin.ahead import Ahead
from tests.support.smoke import STUDY, ask

QUESTION = Trend(Spectral("frobenius_norm", "classifier"), STUDY.dropout(), FALLS)


def test_a_question_gets_its_next_seeds_as_soon_as_its_trials_are_there():
    asked = ask(QUESTION, seeds=(0, 1))
    there, wanted, answered = set(), [], []

    def has(job) -> bool:
        return job in there

    def replicate(asked, obtain):
        """As `ddiv.finding.replicate`, for a question that is decided by the fourth seed."""
        while True:
            asked = with_stored(asked, lambda it: all(map(has, it.jobs())), 4)
            found = obtain(asked)
            if len(asked.seeds) == 4:
                return found
            asked = msgspec.structs.replace(asked, seeds=(*asked.seeds, len(asked.seeds)))

    def answer(asked):
        answered.append(asked.seeds)
        return f"finding at {asked.seeds}"

    ahead = Ahead(has, wanted.extend, answer, replicate, clock=lambda: 0.0)
    ahead.add([asked, msgspec.structs.replace(asked, not_applicable="no")])
    assert not ahead.step() and not wanted  # nothing is there
    there.update(asked.jobs()[1:])
    assert not ahead.step()
    for seeds in ((0, 1), (0, 1, 2), (0, 1, 2, 3)):
        there.update(msgspec.structs.replace(asked, seeds=seeds).jobs())
        assert ahead.step() and answered[-1] == seeds
        further = msgspec.structs.replace(asked, seeds=(max(seeds) + 1,)).jobs()
        assert wanted[-len(further) :] == further or max(seeds) == 3
    assert not ahead.step() and len(answered) == 3
    # Its test finds the answer, and does not look for it again.
    assert ahead.known(msgspec.structs.replace(asked, seeds=(0, 1, 2, 3))) == (
        "finding at (0, 1, 2, 3)"
    )
    assert len(answered) == 3


def test_a_look_that_finds_nothing_is_not_repeated_at_once():
    """The processor is for those who train."""
    now, looked = [100.0], []

    def has(job) -> bool:
        looked.append(job)
        now[0] += 0.01
        return False

    ahead = Ahead(has, list, str, lambda *_: None, clock=lambda: now[0])
    ahead.add([ask(QUESTION)] * 3)
    assert not ahead.step() and len(looked) == 3  # 0.03 s
    for later, looks in ((0.3, 3), (0.2, 3), (0.2, 6)):
        now[0] += later
        assert not ahead.step() and len(looked) == looks


def test_without_the_option_nothing_of_a_cluster_is_imported():
    script = (
        "import sys, ddiv.plugin.start, ddiv.plugin.hooks, ddiv.plugin.collect, "
        "ddiv.plugin.fixtures, ddiv.report.gather\n"
        "print([name for name in sys.modules if name.split('.')[0] == 'ray' or name in "
        "('ddiv.plugin.cluster', 'ddiv.run.cluster.joined', 'ddiv.run.cluster.driver')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
