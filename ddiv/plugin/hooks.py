"""The hooks of a session with claims: planning, progress, verdicts in the summary, the report.

They delegate: claims and their questions are in `ddiv.claim`, planning and cooperation in
`ddiv.run.crew`, what a run will take in `ddiv.run.forecast`, answers in `ddiv.finding`, the page in
`ddiv.report`.
"""

from __future__ import annotations

import time
import traceback
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Mapping
from typing import TYPE_CHECKING

import msgspec
import pytest

from ddiv import trial as trials
from ddiv.claim import NotApplicable
from ddiv.claim.declare import ClaimTest, parameters, variant
from ddiv.data.root import BadData
from ddiv.finding import CONTROL_SHARE, Asked, ledger
from ddiv.finding.wording import Tally, tally
from ddiv.plugin import is_claim, options
from ddiv.plugin.session import ABSENT, ASKED, SESSION, SKIPPED, VERDICT, Session
from ddiv.profiles.profile import Profile
from ddiv.run import absent
from ddiv.run import run as runs
from ddiv.study import Study
from ddiv.trial.store import StoreError

if TYPE_CHECKING:
    from xdist.workermanage import WorkerController


# --- collection: what is asked, and what must be trained for it ---------------------------------


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
    arguments = dict(item.callspec.params)
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
        test=item.nodeid,
        alpha=run.alpha / (CONTROL_SHARE if claim.control else 1),
        expected=known,
    )


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip the tests for which collection found a reason to."""
    if SKIPPED in item.stash:
        pytest.skip(item.stash[SKIPPED])


def pytest_collection_finish(session: pytest.Session) -> None:
    """Number the questions, and write down the run and its plan."""
    config = session.config
    claims = [item for item in session.items if ASKED in item.stash]
    for order, item in enumerate(claims):
        item.stash[ASKED] = msgspec.structs.replace(item.stash[ASKED], order=order)
    if config.getoption("collectonly") or options.read(config.option).plan:
        return
    if claims:
        _save_plan(config.stash[SESSION], [item.stash[ASKED] for item in claims])
    elif any(ABSENT in item.stash for item in session.items):
        # The run is saved, so that nobody takes the run before it for this one.
        runs.save(config.stash[SESSION].store, config.stash[SESSION].run)


def _save_plan(session: Session, questions: Iterable[Asked]) -> None:
    needed = [job for asked in questions if not asked.not_applicable for job in asked.jobs()]
    session.crew.plan = plan = trials.with_requirements(needed)
    runs.save(session.store, session.run)
    runs.save_plan(session.store, session.run.id, plan)


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> bool | None:
    """With --plan no test runs: what they would need is counted, estimated and printed."""
    config = session.config
    if not options.read(config.option).plan or session.testsfailed:
        return None
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    say = reporter.write_line if reporter else print
    asked = [item.stash[ASKED] for item in session.items if ASKED in item.stash]
    left_out = Counter(item.stash[ABSENT] for item in session.items if ABSENT in item.stash)
    if asked or left_out:
        _forecast(config.stash[SESSION], asked, left_out, say)
    else:
        say("No claim is chosen that a study of this run can answer: nothing to plan")
    return True


def _forecast(
    session: Session,
    asked: list[Asked],
    left_out: Mapping[tuple[str, str], int],
    say: Callable[[str], None],
) -> None:
    from ddiv.run import forecast

    try:
        estimate = forecast.forecast(asked, left_out, session.run, session.store, say)
    except (ValueError, BadData, StoreError) as error:
        raise pytest.UsageError(str(error)) from None
    for line in forecast.lines(estimate, session.run, session.store):
        say(line)


# --- verdicts in pytest's words -----------------------------------------------------------------


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Note the error of a test that fails without a verdict, for the page."""
    report = yield
    if ASKED in item.stash and report.failed and _verdict(report) is None:
        session = item.config.stash[SESSION]
        text = str(call.excinfo.value) if call.excinfo else "failed"
        asked = msgspec.structs.replace(item.stash[ASKED], error=text)
        runs.save_asked(session.store, session.run.id, asked)
    return report


def pytest_report_teststatus(report: pytest.TestReport) -> tuple[str, str, str] | None:
    """A verdict as the category, the letter and the word that pytest counts and prints."""
    if report.when != "call" or (verdict := _verdict(report)) is None:
        return None
    if hasattr(report, "wasxfail"):
        return f"expected-{verdict}", "x", f"EXPECTED {verdict.upper()}"
    if report.passed and verdict.startswith("control "):
        return "controls held", ".", "CONTROL HELD"
    if report.passed:
        return verdict, "." if verdict == "supported" else "?", verdict.upper()
    return None  # a failing test keeps pytest's own word, so that it is shown as a failure


def _verdict(report: pytest.TestReport) -> str | None:
    verdict = dict(report.user_properties).get(VERDICT)
    return None if verdict is None else str(verdict)


def _tally(config: pytest.Config) -> Tally:
    verdicts = ((_verdict(report), hasattr(report, "wasxfail")) for report in _reports(config))
    return tally((verdict, expected) for verdict, expected in verdicts if verdict is not None)


def _reports(config: pytest.Config) -> list[pytest.TestReport]:
    """The reports of tests that came to a verdict."""
    terminal = config.pluginmanager.get_plugin("terminalreporter")
    if terminal is None:
        return []
    return [
        report
        for group in terminal.stats.values()
        for report in group
        if isinstance(report, pytest.TestReport) and report.when == "call" and _verdict(report)
    ]


@pytest.hookimpl(tryfirst=True, specname="pytest_sessionfinish")
def pytest_junit_counts(session: pytest.Session) -> None:
    """Put the counts of verdicts into JUnit XML, before pytest writes that file."""
    counted = _tally(session.config)
    for plugin in session.config.pluginmanager.get_plugins():
        if counted.claims and hasattr(plugin, "add_global_property"):
            for name, count in counted.counts.items():
                plugin.add_global_property(f"ddiv {name}", count)


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Print how many claims have which verdict, and where the report is."""
    session, counted = config.stash[SESSION], _tally(config)
    if not counted.claims:
        return
    say = terminalreporter.write_line
    terminalreporter.section("claims")
    say(str(counted))
    hardly = sum(
        "ddiv hardly trained" in dict(report.user_properties) for report in _reports(config)
    )
    if hardly:
        say(
            f"{hardly} of these rest, at least in part, on arms that hardly fit their training "
            "set: their effects may be those of not learning (see the caveats in the report)"
        )
    if session.unwritten:
        say(
            f"The report was not written, the verdicts and all records stand: {session.unwritten}",
            red=True,
        )
    elif session.report.exists() and session.report.stat().st_mtime >= session.run.started:
        say(f"report: {session.report}")


# --- the session's frame ------------------------------------------------------------------------


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: WorkerController) -> None:
    """xdist: tell a worker which run it belongs to."""
    node.workerinput["ddiv_run"] = msgspec.json.encode(node.config.stash[SESSION].run).decode()


def pytest_sessionstart(session: pytest.Session) -> None:
    """Begin the line of progress."""
    start_line(session.config)


def start_line(config: pytest.Config) -> None:
    """Begin the line of progress, where this process has one."""
    line = config.stash[SESSION].line
    if line is not None:
        line.start(config.pluginmanager.get_plugin("terminalreporter"))


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """In a worker, help the others; in the controlling process, write the report."""
    config = session.config
    if hasattr(config, "workerinput"):
        # A worker that is out of tests helps those that still wait for trials, unless the run is to
        # stop.
        if exitstatus != pytest.ExitCode.INTERRUPTED and not config.getvalue("maxfail"):
            config.stash[SESSION].crew.drain()
        return
    _finish(config.stash[SESSION])
    if config.stash[SESSION].unwritten:
        session.exitstatus = session.exitstatus or pytest.ExitCode.INTERNAL_ERROR


def _finish(session: Session) -> None:
    """Stop the line of progress and write the report of a run that asked something."""
    if session.line is not None:
        session.line.stop()
    if not any(session.folder.glob("asked/*.json")):
        return
    from ddiv.report.gather import write

    try:
        seconds = time.time() - session.run.started
        runs.save(session.store, msgspec.structs.replace(session.run, seconds=seconds))
        write(session.store, session.run.id, session.report)
    except (StoreError, OSError) as error:
        session.unwritten = str(error)
    except Exception:
        session.unwritten = (
            f"this is a fault of ddiv's own, please report it:\n{traceback.format_exc()}"
        )
