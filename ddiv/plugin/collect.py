"""The hooks of collection: what each test of a claim asks, or why it asks nothing."""

from __future__ import annotations

import inspect
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from ddiv.claim import NotApplicable, seeds_of
from ddiv.claim.declare import ClaimTest, parameters, variant
from ddiv.claim.returned import checked
from ddiv.common.own import OwnValue
from ddiv.common.paths import as_text
from ddiv.common.printed import one_line
from ddiv.finding import CONTROL_SHARE, Asked, Reader, ledger, untold
from ddiv.plugin import faults, is_claim
from ddiv.plugin.session import ABSENT, ASKED, BROKEN, SESSION, SKIPPED, TRIALS
from ddiv.profiles.profile import Profile
from ddiv.study import Study
from ddiv.trial import Trial


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Put the test of a claim to every study of the run that the claim can be put to.

    Where its declaration is wrong there is a single test, which says so.
    """
    if not is_claim(metafunc.function):
        return
    test: ClaimTest = metafunc.function
    session = metafunc.config.stash[SESSION]
    names: tuple[str, ...] = ("study", *test.each)
    rows: list[tuple[Any, ...]] = []
    try:
        if fault := faults.of_declaration(test, metafunc.cls):
            session.faults[test] = fault
        else:
            names, rows = parameters(test, session.profile.studies)
    except Exception as error:  # `on` and `each` are the author's
        session.faults[test] = faults.of_error(error, test)
    if test in session.faults:
        names = tuple(name for name in names if name in metafunc.fixturenames)
    if names:
        ids = ["-".join([test.claim.id, *map(_in_words, row)]) for row in rows]
        metafunc.parametrize(names, rows or [(None,) * len(names)], ids=ids or [test.claim.id])


def _in_words(value: object) -> str:
    if isinstance(value, OwnValue):
        return value.label
    return value.name if isinstance(value, Study) else str(value)


def pytest_itemcollected(item: pytest.Item) -> None:
    """Note what the test of a claim asks, or why it is skipped or wrong."""
    if not isinstance(item, pytest.Function) or not is_claim(item.obj):
        return
    item.add_marker(pytest.mark.claim)
    test: ClaimTest = item.obj
    session = item.config.stash[SESSION]
    if fault := session.faults.get(getattr(test, "__func__", test)):
        item.stash[BROKEN] = faults.line(item, fault)
        return
    study = item.callspec.params["study"]
    if not isinstance(study, Study):
        item.stash[SKIPPED] = _why_no_study(test.needs, session.profile)
        return
    if reason := session.absent(study):
        _leave_out(item, study, reason)
        return
    try:
        asked = _asked(item, test, study)
        try:
            jobs = asked.jobs()
            if asked.claim.judged_by == "specific":
                _require_told(asked, session.reader)
        except NotApplicable as error:
            asked, jobs = msgspec.structs.replace(asked, not_applicable=str(error)), []
        if study.generator and (reason := session.absent_samples(study, jobs)):
            _leave_out(item, study, reason)
            return
        session.namesakes.require_new(item, asked)
    except (NotApplicable, pytest.skip.Exception) as error:
        item.stash[SKIPPED] = f"not applicable: {study.name}: {error}"
    except (Exception, SystemExit, pytest.fail.Exception) as error:  # the body is its author's
        where = f"{test.claim.id} cannot be put to {study.name}"
        item.stash[BROKEN] = faults.line(item, faults.of_error(error, test, where))
    else:
        item.stash[ASKED] = asked
        item.stash[TRIALS] = sum(isinstance(job, Trial) for job in jobs)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Ask first what takes the fewest trials, so that verdicts come early and keep coming.

    Other tests keep their places, and equals their order.
    """
    places = [place for place, item in enumerate(items) if TRIALS in item.stash]
    ordered = sorted((items[place] for place in places), key=lambda item: item.stash[TRIALS])
    for place, item in zip(places, ordered):
        items[place] = item


def _require_told(asked: Asked, reader: Reader) -> None:
    """Raise NotApplicable where a study has no specific verdict for a control to be judged by."""
    if why := untold(asked.question, asked.study, reader):
        raise NotApplicable(f"{asked.study.name}: {why}")


def _why_no_study(needs: Iterable[str], profile: Profile) -> str:
    """Why no study of the run can be asked a claim that needs these fields of a study."""
    lacking = [name for name in needs if not any(getattr(study, name) for study in profile.studies)]
    if lacking:
        return f"no study of this run has {', '.join(lacking)}"
    return "about studies of another kind than this run has"


def _leave_out(item: pytest.Item, study: Study, reason: str) -> None:
    item.stash[ABSENT], item.stash[SKIPPED] = (study.name, reason), reason


def _asked(item: pytest.Function, test: ClaimTest, study: Study) -> Asked:
    """The question that a test puts to a study.

    Raises NotApplicable where the study cannot be asked it, and whatever its body raises.
    """
    arguments = _own_parameters(item, test)
    faults.require_values(test, arguments)
    session = item.config.stash[SESSION]
    claim, named = test.claim, variant(test, arguments)
    question = checked(test.ask(**arguments))
    # The project's ledger, and one beside the claims: their folder may be anywhere.
    ledgers = dict.fromkeys([session.project / ledger.FILE, item.path.parent / ledger.FILE.name])
    found = (
        ledger.entry(session.profile.name, claim.id, study.name, named, path) for path in ledgers
    )
    known = next(filter(None, found), None)
    told = not (question.has_specific and untold(question, study, session.reader))
    return Asked(
        claim=claim,
        study=study,
        variant=named,
        question=question,
        seeds=seeds_of(question, study, session.run.seeds),
        test=as_text(_own_id(item, test)),
        alpha=session.run.alpha / (CONTROL_SHARE if claim.control else 1),
        expected=known,
        ledger=any(ledger.speaks_of(session.profile.name, path) for path in ledgers),
        matched=told,
    )


def _own_parameters(item: pytest.Function, test: ClaimTest) -> dict[str, Any]:
    """The values of a claim's own parameters, without those of plugins that repeat tests."""
    own = inspect.signature(test.ask).parameters
    return {name: value for name, value in item.callspec.params.items() if name in own}


def _own_id(item: pytest.Function, test: ClaimTest) -> str:
    """The id under which a test is found from the folder where pytest was started, without the
    plugins that repeat tests.

    (pytest's own ids begin at its root, which depends on the command line.)
    """
    here, path = item.config.invocation_params.dir, item.path
    apart = len(Path(os.path.commonpath((here, path))).parts) < 2
    file = str(path) if apart else os.path.relpath(path, here)
    names = [each.name for each in item.listchain() if isinstance(each, pytest.Class)]
    own, name = _own_parameters(item, test), item.name
    if len(own) < len(item.callspec.params):
        first = {name: own.pop(name) for name in ("study", *test.each)}
        words = [test.claim.id, *map(_in_words, [*first.values(), *own.values()])]
        name = f"{item.originalname}[{'-'.join(words)}]"
    return "::".join((file, *names, name))


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip the tests for which collection found a reason to, and fail those that ask nothing.

    Not before pytest's own hook: a test that is marked to be skipped is.
    """
    if BROKEN in item.stash:
        pytest.fail(one_line(item.stash[BROKEN]), pytrace=False)
    if SKIPPED in item.stash:
        pytest.skip(one_line(item.stash[SKIPPED]))
