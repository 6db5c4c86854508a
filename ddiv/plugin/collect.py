"""The hooks of collection: what each test of a claim asks, or why it asks nothing."""

from __future__ import annotations

import inspect
import traceback
from collections.abc import Iterable
from typing import Any

import msgspec
import pytest

from ddiv.claim import NotApplicable
from ddiv.claim.declare import ClaimTest, parameters, variant
from ddiv.common.paths import as_text
from ddiv.common.printed import one_line
from ddiv.finding import CONTROL_SHARE, Asked, ledger
from ddiv.plugin import is_claim
from ddiv.plugin.session import ABSENT, ASKED, BROKEN, SESSION, SKIPPED
from ddiv.profiles.profile import Profile
from ddiv.run import absent
from ddiv.study import Study


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Put the test of a claim to every study of the run that the claim can be put to."""
    if is_claim(metafunc.function):
        claim = metafunc.function.claim
        studies = metafunc.config.stash[SESSION].profile.studies
        names, rows = parameters(metafunc.function, studies)
        ids = ["-".join([claim.id, *map(_in_words, row)]) for row in rows]
        metafunc.parametrize(names, rows or [(None,) * len(names)], ids=ids or [claim.id])


def _in_words(value: Study | str) -> str:
    return value.name if isinstance(value, Study) else value


def pytest_itemcollected(item: pytest.Item) -> None:
    """Note what the test of a claim asks, or why it is skipped."""
    if not isinstance(item, pytest.Function) or not is_claim(item.obj):
        return
    item.add_marker(pytest.mark.claim)
    test: ClaimTest = item.obj
    session = item.config.stash[SESSION]
    study = item.callspec.params["study"]
    if not isinstance(study, Study):
        item.stash[SKIPPED] = _why_no_study(test.needs, session.profile)
        return
    if reason := absent.data_or_weights(study):
        _leave_out(item, study, reason)
        return
    try:
        asked = _asked(item, test, study)
    except NotApplicable as error:
        item.stash[SKIPPED] = f"not applicable: {study.name}: {error}"
        return
    except Exception as error:  # the body of the test is its author's
        where = traceback.extract_tb(error.__traceback__)[-1]
        item.stash[BROKEN] = (
            f"{test.claim.id} cannot be put to {study.name}: {type(error).__name__}: {error} "
            f"({where.filename}:{where.lineno})"
        )
        return
    try:
        jobs = asked.jobs()
        if study.generator and (reason := absent.samples(jobs, session.store)):
            _leave_out(item, study, reason)
            return
    except NotApplicable as error:
        asked = msgspec.structs.replace(asked, not_applicable=str(error))
    item.stash[ASKED] = asked


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

    Raises NotApplicable where the study cannot be asked it.
    """
    arguments = _own_parameters(item, test)
    run, profile = item.config.stash[SESSION].run, item.config.stash[SESSION].profile
    claim, named = test.claim, variant(test, arguments)
    question = test.ask(**arguments)
    known = ledger.entry(
        profile.name, claim.id, study.name, named, item.config.rootpath / ledger.FILE
    )
    return Asked(
        claim=claim,
        study=study,
        variant=named,
        question=question,
        seeds=run.seeds,
        test=as_text(_own_id(item, test)),
        alpha=run.alpha / (CONTROL_SHARE if claim.control else 1),
        expected=known,
    )


def _own_parameters(item: pytest.Function, test: ClaimTest) -> dict[str, Any]:
    """The values of a claim's own parameters, without those of plugins that repeat tests."""
    own = inspect.signature(test.ask).parameters
    return {name: value for name, value in item.callspec.params.items() if name in own}


def _own_id(item: pytest.Function, test: ClaimTest) -> str:
    """The id under which a test is found without the plugins that repeat tests."""
    own = _own_parameters(item, test)
    if len(own) == len(item.callspec.params):
        return item.nodeid
    first = {name: own.pop(name) for name in ("study", *test.each)}
    words = [test.claim.id, *map(_in_words, [*first.values(), *own.values()])]
    return f"{item.nodeid.partition('[')[0]}[{'-'.join(words)}]"


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip the tests for which collection found a reason to, and fail those that ask nothing."""
    if BROKEN in item.stash:
        pytest.fail(one_line(item.stash[BROKEN]), pytrace=False)
    if SKIPPED in item.stash:
        pytest.skip(one_line(item.stash[SKIPPED]))
