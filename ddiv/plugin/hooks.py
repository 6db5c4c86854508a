"""The hooks of a session with claims: planning, verdicts in the summary, progress, the report.

They delegate: claims and their questions are in `ddiv.claim`, planning and cooperation in
`ddiv.run.crew`, what a run will take in `ddiv.run.forecast`, answers in `ddiv.finding`, the page in
`ddiv.report`.
"""

from __future__ import annotations

import os
import traceback
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

import msgspec
import pytest

from ddiv import trial as trials
from ddiv.common.digests import unseen
from ddiv.common.errors import cause, remedy
from ddiv.common.paths import as_text
from ddiv.common.printed import one_line, printable
from ddiv.data.root import BadData
from ddiv.finding import Asked
from ddiv.plugin import before, options
from ddiv.plugin.answers import ERROR, QUESTION, UNASKED, UNEXPECTED, WEAKENED, not_asked
from ddiv.plugin.answers import verdict as verdict_of
from ddiv.plugin.session import ABSENT, ASKED, BROKEN, LOST, SESSION, SKIPPED, Session
from ddiv.run import absent, planned, progress
from ddiv.run import run as runs
from ddiv.run.limits import further, too_few
from ddiv.trial.store import StoreError

if TYPE_CHECKING:
    from xdist.scheduler.protocol import Scheduling
    from xdist.workermanage import WorkerController


# --- the plan: what must be trained ---------------------------------------------------------------


@pytest.hookimpl(tryfirst=True)
def pytest_collection_finish(session: pytest.Session) -> None:
    """Number and count the questions, see whether their studies can be trained, and write down the
    plan.

    Before xdist's hook, which tells the controlling process that this worker is ready.
    """
    config = session.config
    claims = [item for item in session.items if ASKED in item.stash]
    # Every worker of xdist collects the same; plugins that repeat tests ask nothing more by that.
    among = len({item.stash[ASKED].test for item in claims if not _is_unasked(item)})
    for order, item in enumerate(claims):
        item.stash[ASKED] = msgspec.structs.replace(item.stash[ASKED], order=order, among=among)
    if config.getoption("collectonly") or options.read(config.option).plan:
        return
    before.note_left_out(config.stash[SESSION], session.items)
    asked = [item.stash[ASKED] for item in claims]
    if not hasattr(config, "workerinput"):
        before.require_sound(config.stash[SESSION], asked)
    elif not before.share(config.stash[SESSION], asked):
        return  # without a plan, so that nothing is trained before the run is stopped
    if claims:
        _save_plan(config.stash[SESSION], asked)
        if (ahead := config.stash[SESSION].ahead) is not None:
            ahead.add({question.test: question for question in asked}.values())
    elif any(ABSENT in item.stash for item in session.items):
        # The run is saved, so that nobody takes the run before it for this one.
        with suppress(StoreError):
            runs.save(config.stash[SESSION].store, config.stash[SESSION].run)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_node_collection_finished(node: WorkerController) -> None:
    """xdist: stop the run where a worker found studies that are wrong."""
    plugins = node.config.pluginmanager
    terminal = plugins.get_plugin("terminalreporter")
    try:
        before.take(node.config.stash[SESSION], terminal.write_line if terminal else print)
    except pytest.UsageError:
        # Workers that wait for tests are told to end; else xdist kills them after ten seconds.
        plugins.get_plugin("dsession").triggershutdown()
        raise


def pytest_report_collectionfinish(config: pytest.Config) -> list[str]:
    """Tell which studies are left out, as the end of the run does again, and what else there is."""
    session = config.stash[SESSION]
    return list(map(one_line, (*absent.lines(session.left_out), *session.told)))


def _save_plan(session: Session, questions: Sequence[Asked]) -> None:
    needed = [job for asked in questions if not asked.not_applicable for job in asked.jobs()]
    plan = trials.with_requirements(needed)
    try:
        session.crew.begin(plan)
    except ValueError as error:  # code of the user's that cannot be sent to a cluster
        raise pytest.UsageError(one_line(error)) from None
    # On a full disk claims are still answered from the records that there are; the end of the run
    # tells what could not be saved.
    with suppress(StoreError):
        runs.save(session.store, session.run)
        planned.save(session.store, session.run.id, questions)
        if runs.save_plan(session.store, session.run.id, plan):
            more = further(questions, session.run, plan, session.store)
            progress.save_further(session.folder, more)


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> bool | None:
    """With --plan no test runs: what they would need is counted, estimated and printed.

    Tests that ask nothing are told as errors there, and with --collect-only too.
    """
    config = session.config
    plan = options.read(config.option).plan
    if not (plan or config.getoption("collectonly")) or session.testsfailed:
        return None
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    write = reporter.write_line if reporter else print

    def say(line: str) -> None:
        write(one_line(line))

    broken = [item.stash[BROKEN] for item in session.items if BROKEN in item.stash]
    for line in broken:
        say(f"ERROR {line}")
    session.testsfailed = len(broken)
    if not plan:
        return True if broken else None
    questions = [item.stash[ASKED] for item in session.items if ASKED in item.stash]
    asked = list({question.test: question for question in questions}.values())
    left_out = Counter(item.stash[ABSENT] for item in session.items if ABSENT in item.stash)
    ours = config.stash[SESSION]
    faults = before.faults(ours, asked)
    sound = [question for question in asked if question.study.name not in faults]
    if options.read(config.option).study:
        for line in before.data_of(sound):
            say(one_line(line))
    if sound or left_out:
        _forecast(ours, sound, left_out, say)
    elif not (faults or ours.wrong):
        say("No claim is chosen that a study of this run can answer: nothing to plan")
    for line in not_asked(filter(None, map(_unasked, session.items))):
        say(one_line(line))
    if faults or ours.wrong:
        raise pytest.UsageError(*map(one_line, (*ours.wrong, *faults.values())))
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
        raise pytest.UsageError(one_line(error)) from None
    except OSError as error:
        # The store, the data or a folder for temporary files; the system's error names it, if any.
        place = f" ({error.filename})" if error.filename else ""
        raise pytest.UsageError(
            one_line(f"no plan can be made: {cause(error)}{place}. {remedy(error)}")
        ) from None
    for line in forecast.lines(estimate, session.run, session.store):
        say(line)


# --- verdicts in pytest's words -----------------------------------------------------------------


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Note the error of a test that fails without a verdict, for the page."""
    report = yield
    if ASKED in item.stash:
        setattr(report, QUESTION, item.stash[ASKED].test)
    if reason := _unasked(item):
        setattr(report, UNASKED, one_line(reason))
    if ASKED in item.stash and report.failed and verdict_of(report) is None:
        session = item.config.stash[SESSION]
        text = printable(call.excinfo.value) if call.excinfo else "failed"
        session.note(msgspec.structs.replace(item.stash[ASKED], error=text))
        report.user_properties.append((ERROR, one_line(text)))
    return report


def _is_unasked(item: pytest.Item) -> bool:
    return item.stash[ASKED].not_applicable is not None


def _unasked(item: pytest.Item) -> str:
    """Why the study of a test cannot be asked it; "" where it can, and where it is left out."""
    if ABSENT in item.stash:  # told by study
        return ""
    reason = item.stash[ASKED].not_applicable if ASKED in item.stash else ""
    return (reason or item.stash.get(SKIPPED, "")).removeprefix("not applicable: ")


@pytest.hookimpl(optionalhook=True)
def pytest_handlecrashitem(crashitem: str, report: pytest.TestReport, sched: Scheduling) -> None:
    """xdist: note that a question has no answer because the worker that was at it died."""
    session, text = sched.config.stash[SESSION], str(report.longrepr)
    test = as_text(sched.config.cwd_relative_nodeid(crashitem))
    for asked in runs.load_asked(session.store, session.run.id):
        if asked.test == test:
            session.note(msgspec.structs.replace(asked, error=text))
            report.user_properties.append((ERROR, one_line(text)))
            setattr(report, QUESTION, asked.test)


def pytest_report_teststatus(
    report: pytest.TestReport | pytest.CollectReport,
) -> tuple[str, str, str] | None:
    """A verdict as the category, the letter and the word that pytest counts and prints.

    A claim that failed without a verdict is an error, wherever in its test that was.
    """
    if not isinstance(report, pytest.TestReport):  # a file that cannot be collected
        return None
    if report.failed and ERROR in dict(report.user_properties):
        return "error", "E", "ERROR"
    if report.when != "call" or (verdict := verdict_of(report)) is None:
        return None
    if hasattr(report, "wasxfail"):
        return f"expected-{verdict}", "x", f"EXPECTED {verdict.upper()}"
    if report.passed and UNEXPECTED in dict(report.user_properties):
        return "unexpected", "!", "UNEXPECTED"
    if report.passed and verdict.startswith("control "):
        return "controls held", ".", "CONTROL HELD"
    if report.passed:
        return verdict, "." if verdict == "supported" else "?", verdict.upper()
    return None  # a failing test keeps pytest's own word, so that it is shown as a failure


@pytest.hookimpl(tryfirst=True, specname="pytest_sessionfinish")
def pytest_junit_counts(session: pytest.Session) -> None:
    """Put the counts of verdicts into JUnit XML, before pytest writes that file."""
    answers = session.config.stash[SESSION].answers
    counted, unexpected = answers.tally(), len(answers.told(UNEXPECTED))
    for plugin in session.config.pluginmanager.get_plugins():
        if counted.claims and hasattr(plugin, "add_global_property"):
            for name, count in (counted.counts | {"unexpected": unexpected}).items():
                plugin.add_global_property(f"ddiv {name}", count)


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, exitstatus: int, config: pytest.Config
) -> None:
    """Print how many claims have which verdict, and where the report is."""
    session = config.stash[SESSION]
    counted, hardly = session.answers.tally(), session.answers.hardly_trained()
    # With -rs pytest itself tells why tests are skipped.
    unasked = [] if terminalreporter.hasopt("s") else [*session.answers.unasked()]
    cut = session.written and exitstatus == pytest.ExitCode.INTERRUPTED
    told = (counted.claims, session.unwritten, session.lost, session.left_out, unasked, cut)
    if not any(told):
        return
    say = terminalreporter.write_line
    terminalreporter.section("claims")
    if counted.claims:
        say(str(counted))
    for line in _beside_the_ledger(session):
        say(line)
    for line in _biased(session):
        say(line, red=True)
    for line in (*absent.lines(session.left_out), *unasked):
        say(one_line(line))
    if hardly:
        say(
            f"{hardly} of these rest, at least in part, on arms that hardly fit their training "
            "set: their effects may be those of not learning (see the caveats in the report)"
        )
    if session.lost:
        say(
            f"Not all of this run could be saved: {one_line(session.lost)} Then run the same "
            "command again: what is stored is not trained again",
            red=True,
        )
    if session.unwritten and session.unwritten == session.lost:
        say("The report was not written, for the same reason", red=True)
    elif session.unwritten:
        say(
            f"The report was not written, the verdicts and all records stand: "
            f"{printable(session.unwritten)}",
            red=True,
        )
    if session.errors:
        say(printable(session.errors), red=True)
    if session.written:
        say(f"report: {one_line(os.path.abspath(session.report))}")
        if session.fuller:
            say(
                f"(this run asked a part of what {one_line(session.fuller)} shows, which stays as "
                "it is)"
            )
        say(f"records: {one_line(os.path.abspath(session.store.root))}")
    if cut:
        say("Interrupted: what was measured is kept, and the same command goes on from there")


def _beside_the_ledger(session: Session) -> Iterator[str]:
    """Verdicts that the ledger does not know and that do not fail, a line each."""
    for line in session.answers.told(UNEXPECTED):
        yield f"unexpected: {line}"
    for line in session.answers.told(WEAKENED) if session.binding else ():
        yield f"weaker than in the ledger, which is no failure: {line}"


def _biased(session: Session) -> Iterator[str]:
    """Families whose controls, taken together, are supported, a line each."""
    for family, pooled in session.answers.pooled(session.run.alpha).items():
        if pooled.supported:
            yield one_line(
                f"the controls of {family} are supported, all {pooled.controls} on "
                f"{pooled.studies} studies taken together (evidence {pooled.evalue:.3g}, "
                f"{pooled.bar:.3g} is enough): its claims may be supported where nothing is so"
            )


# --- the session's frame ------------------------------------------------------------------------


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: WorkerController) -> None:
    """xdist: tell a worker which run it belongs to."""
    session = node.config.stash[SESSION]
    node.workerinput["ddiv_run"] = msgspec.json.encode(session.run).decode()
    if session.drive is not None:
        node.workerinput["ddiv_ray"] = msgspec.json.encode(session.drive.told).decode()


def pytest_sessionstart(session: pytest.Session) -> None:
    """Tell what the keys of a user's own code cannot follow, where too few seeds are allowed, and
    where there are fewer workers than asked for; begin the line of progress.
    """
    _tell_unseen(session.config)
    _tell_too_few(session.config)
    _tell_fewer_workers(session.config)
    start_line(session.config)


def _tell_unseen(config: pytest.Config) -> None:
    terminal = config.pluginmanager.get_plugin("terminalreporter")
    if terminal is None:  # a worker: the process that started it says it
        return
    studies = config.stash[SESSION].profile.studies
    for spec in dict.fromkeys(spec for study in studies for spec in study.own):
        if line := unseen(spec.name, spec.source):
            terminal.write_line(one_line(line))


def _tell_too_few(config: pytest.Config) -> None:
    terminal, session = config.pluginmanager.get_plugin("terminalreporter"), config.stash[SESSION]
    line = too_few(session.run, session.profile)
    if terminal is not None and line:
        terminal.write_line(line, yellow=True)


def _tell_fewer_workers(config: pytest.Config) -> None:
    terminal = config.pluginmanager.get_plugin("terminalreporter")
    asked = getattr(config.option, "numprocesses", None) or 0
    workers = len(getattr(config.option, "tx", None) or ())
    if terminal is not None and 0 < workers < asked:
        terminal.write_line(
            f"{workers} worker{'s' * (workers > 1)} for -n {asked}: no more trials run at once "
            "here (--slots N changes that)"
        )


def start_line(config: pytest.Config) -> None:
    """Tell what the cluster is, and begin the line of progress, where this process has them."""
    session, terminal = config.stash[SESSION], config.pluginmanager.get_plugin("terminalreporter")
    if session.drive is not None and terminal is not None:
        for text in session.drive.lines():
            terminal.write_line(one_line(text))
    if session.line is not None:
        session.line.start(terminal)
    if session.live is not None and not config.getoption("collectonly"):
        session.live.start()


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: WorkerController, error: object) -> None:
    """xdist: note what a worker could not save."""
    session, told = node.config.stash[SESSION], getattr(node, "workeroutput", None) or {}
    lost, unsaved = told.get(LOST, ("", 0))
    session.lost, session.unsaved = session.lost or lost, session.unsaved + unsaved


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """In a worker, help the others; in the controlling process, write the report."""
    config = session.config
    if (told := getattr(config, "workeroutput", None)) is not None:
        # A worker that is out of tests helps those that still wait for trials, unless the run is to
        # stop.
        if exitstatus != pytest.ExitCode.INTERRUPTED and not config.getvalue("maxfail"):
            with suppress(StoreError):  # those that wait are told the same
                config.stash[SESSION].crew.drain()
        config.stash[SESSION].save_rest()
        told[LOST] = (config.stash[SESSION].lost, config.stash[SESSION].unsaved)
        return
    _finish(config.stash[SESSION])
    if config.stash[SESSION].unwritten or config.stash[SESSION].lost:
        session.exitstatus = session.exitstatus or pytest.ExitCode.INTERNAL_ERROR
    if config.stash[SESSION].errors or any(_biased(config.stash[SESSION])):
        session.exitstatus = session.exitstatus or pytest.ExitCode.TESTS_FAILED


def _finish(session: Session) -> None:
    """Stop the line of progress and write the report of a run that asked something."""
    if session.line is not None:
        session.line.stop()
    if session.live is not None:
        session.live.stop()
    if session.drive is not None:
        session.drive.stop()
    session.save_rest()
    from ddiv.report.gather import counted, errors, write

    try:
        if not runs.has_asked(session.store, session.run.id):
            session.unwritten = session.lost
            return
        runs.save_ended(session.store, session.run, session.seconds, session.unsaved)
        asked = runs.names_asked(session.store, session.run.id)
        wanted, session.report = session.report, session.page_of(asked)
        session.fuller = wanted if wanted != session.report else None
        shown = write(session.store, session.run.id, session.report)
        session.errors = errors(shown)
        runs.save_counts(session.store, session.run.id, counted(shown))
        session.written = True
    except (StoreError, OSError) as error:
        session.unwritten = str(error)
    except Exception:
        session.unwritten = (
            f"this is a fault of ddiv's own, please report it:\n{traceback.format_exc()}"
        )
