"""The pytest plugin: options, planning, progress, verdicts in the summary, and the report at the
end.

The only module of ddiv that imports pytest. It delegates: options are in `ddiv.options`, planning
and cooperation in `ddiv.plan`, what a run will take in `ddiv.forecast`, answers in `ddiv.finding`,
the page in `ddiv.report`.
"""

from __future__ import annotations

import os
import shlex
import time
import traceback
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest

from ddiv import absent, ledger, options
from ddiv import run as runs
from ddiv import trial as trials
from ddiv.claim import NotApplicable
from ddiv.data.root import BadData
from ddiv.finding import CONTROL_SHARE, Asked, Reader
from ddiv.plan import Crew
from ddiv.profiles import Profile
from ddiv.progress import ProgressLine
from ddiv.store import Store, StoreError
from ddiv.study import Study
from ddiv.testing import parameters, variant
from ddiv.trial import Job
from ddiv.wording import Tally, tally

SESSION = pytest.StashKey["Session"]()
ASKED = pytest.StashKey[Asked]()
# a study whose data or weights are not at hand, and how to get them
ABSENT = pytest.StashKey[tuple[str, str]]()
# why. Not by a marker: then pytest's summary would show the line once for every test
SKIPPED = pytest.StashKey[str]()
VERDICT = "ddiv verdict"


@dataclass
class Session:
    """What one process of a pytest session works with."""

    store: Store
    profile: Profile
    run: runs.Run
    crew: Crew
    reader: Reader
    report: Path
    line: ProgressLine | None = None
    unwritten: str = ""  # why the report is not there

    @property
    def binding(self) -> bool:
        """Whether a verdict other than the ledger's is a change: a run with fewer or other seeds
        may well decide otherwise.
        """
        return (
            self.run.max_seeds >= self.profile.max_seeds
            and self.run.budget is None
            and self.run.seeds[0] == 0
        )

    @property
    def folder(self) -> Path:
        return runs.folder(self.store, self.run.id)


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup(
        "ddiv",
        "ddiv: claims of papers, checked by training models "
        "(with pytest's own --strict, every claim that is not supported fails)",
    )
    options.add(group)


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "claim: a claim of a paper, put to a study")
    store = Store(
        config.getoption("store") or os.environ.get("DDIV_STORE") or config.rootpath / ".ddiv"
    )
    worker = getattr(config, "workerinput", {})
    try:
        options.set_data_root(config.option)
        chosen = options.chosen(config.option)
        if "ddiv_run" in worker:
            run = msgspec.json.decode(worker["ddiv_run"], type=runs.Run)
        else:
            command = shlex.join(["pytest", *map(str, config.invocation_params.args)])
            run = options.started(
                config.option, chosen, config.rootpath, command, bool(config.getini("strict"))
            )
    except ValueError as error:
        raise pytest.UsageError(str(error)) from None
    # one process counts and calibrates: xdist's workers, told by now, are not started
    if config.getoption("plan"):
        config.option.dist, config.option.tx = "no", []
    _limit_threads()
    mine = not worker and _asks_for_claims(config)
    try:
        if mine:
            run = msgspec.structs.replace(run, slots=options.slots(config.option))
            if not config.getoption("plan"):
                store.check_writable()
    except (StoreError, ValueError) as error:
        raise pytest.UsageError(str(error)) from None
    crew = Crew(
        store,
        runs.folder(store, run.id),
        _measure(config.getoption("device")),
        slots=run.slots,
        worker=worker.get("workerid", "main"),
    )
    page = config.getoption("report") or config.rootpath / "reports" / f"{chosen.name}.html"
    session = Session(store, chosen, run, crew, Reader(store), Path(page))
    config.stash[SESSION] = session
    config.pluginmanager.register(JUnitCounts(config), "ddiv-junit")
    if mine and not config.getoption("plan"):
        session.line = ProgressLine(session.folder, run.slots)


def _asks_for_claims(config: pytest.Config) -> bool:
    claims = config.rootpath / "claims"
    chosen = [Path(str(arg).split("::")[0]).resolve() for arg in config.args]
    return any(
        path == claims or claims in path.parents or path in claims.parents for path in chosen
    )


def _limit_threads() -> None:
    """One thread a process: trials run side by side, and the same threads give the same numbers
    under any -n.
    """
    from threadpoolctl import threadpool_limits

    os.environ.setdefault("OMP_NUM_THREADS", "1")  # for libraries not loaded yet, torch among them
    threadpool_limits(1)


def _measure(device: str | None):
    def measure(job: Job, records, report):
        # torch takes seconds to import, and a run whose records are all there never needs it.
        from ddiv.measure import measure as measure_now

        return measure_now(job, records, device, report)

    return measure


# --- collection: what is asked, and what must be trained for it ---------------------------------


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    claim = getattr(metafunc.function, "claim", None)
    if claim is not None:
        names, rows = parameters(metafunc.function, metafunc.config.stash[SESSION].profile.studies)
        ids = ["-".join([claim.id, study.name, *others]) for study, *others in rows]
        metafunc.parametrize(names, rows or [(None,) * len(names)], ids=ids or [claim.id])


def pytest_itemcollected(item: pytest.Item) -> None:
    function = getattr(item, "obj", None)
    if not hasattr(function, "claim"):
        return
    item.add_marker(pytest.mark.claim)
    session, given = item.config.stash[SESSION], dict(item.callspec.params)
    if not isinstance(given["study"], Study):
        lacking = [
            name
            for name in function.needs
            if not any(getattr(one, name) for one in session.profile.studies)
        ]
        item.stash[SKIPPED] = (
            f"no study of this run has {', '.join(lacking)}"
            if lacking
            else "about studies of another kind than this run has"
        )
        return
    study, named = given["study"], variant(function, given)
    if reason := absent.data_or_weights(study):
        _leave_out(item, study, reason)
        return
    try:
        question = function.ask(**given)
    except NotApplicable as error:
        item.stash[SKIPPED] = f"not applicable: {study.name}: {error}"
        return
    known = ledger.entry(
        session.profile.name,
        function.claim.id,
        study.name,
        named,
        item.config.rootpath / ledger.FILE,
    )
    asked = Asked(
        claim=function.claim,
        study=study,
        variant=named,
        question=question,
        seeds=session.run.seeds,
        test=item.nodeid,
        alpha=session.run.alpha / (CONTROL_SHARE if function.claim.control else 1),
        expected=known,
    )
    try:
        jobs = asked.jobs()
        if study.generator and (reason := absent.samples(jobs, session.store)):
            _leave_out(item, study, reason)
            return
    except NotApplicable as error:
        asked = msgspec.structs.replace(asked, not_applicable=str(error))
    item.stash[ASKED] = asked


def _leave_out(item: pytest.Item, study: Study, reason: str) -> None:
    item.stash[ABSENT], item.stash[SKIPPED] = (study.name, reason), reason


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    if SKIPPED in item.stash:
        pytest.skip(item.stash[SKIPPED])


def pytest_collection_finish(session: pytest.Session) -> None:
    mine = session.config.stash[SESSION]
    claims = [item for item in session.items if ASKED in item.stash]
    for order, item in enumerate(claims):
        item.stash[ASKED] = msgspec.structs.replace(item.stash[ASKED], order=order)
    if session.config.getoption("collectonly") or session.config.getoption("plan"):
        return
    if not claims:
        if any(ABSENT in item.stash for item in session.items):
            runs.save(mine.store, mine.run)  # so that nobody takes the run before it for this one
        return
    needed = [
        job
        for asked in (item.stash[ASKED] for item in claims)
        if not asked.not_applicable
        for job in asked.jobs()
    ]
    mine.crew.plan = trials.with_requirements(needed)
    runs.save(mine.store, mine.run)
    runs.save_plan(mine.store, mine.run.id, mine.crew.plan)


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> bool | None:
    """With --plan no test runs: what they would need is counted, estimated and printed."""
    config = session.config
    if not config.getoption("plan") or session.testsfailed:
        return None
    from ddiv import forecast

    mine, reporter = config.stash[SESSION], config.pluginmanager.get_plugin("terminalreporter")
    say = reporter.write_line if reporter else print
    asked = [item.stash[ASKED] for item in session.items if ASKED in item.stash]
    if not any(ASKED in item.stash or ABSENT in item.stash for item in session.items):
        say("No claim is chosen that a study of this run can answer: nothing to plan")
        return True
    left_out = Counter(item.stash[ABSENT] for item in session.items if ABSENT in item.stash)
    try:
        found = forecast.forecast(asked, left_out, mine.run, mine.store, say)
    except (ValueError, BadData, StoreError) as error:
        raise pytest.UsageError(str(error)) from None
    for line in forecast.lines(found, mine.run, mine.store):
        say(line)
    return True


# --- verdicts in pytest's words -----------------------------------------------------------------


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo):
    report = yield
    if ASKED in item.stash and report.failed and VERDICT not in dict(report.user_properties):
        mine = item.config.stash[SESSION]
        text = str(call.excinfo.value) if call.excinfo else "failed"
        runs.save_asked(
            mine.store, mine.run.id, msgspec.structs.replace(item.stash[ASKED], error=text)
        )
    return report


def pytest_report_teststatus(report: pytest.TestReport):
    if report.when != "call" or (verdict := _verdict(report)) is None:
        return None
    if hasattr(report, "wasxfail"):
        return f"expected-{verdict}", "x", f"EXPECTED {verdict.upper()}"
    if report.passed and verdict.startswith("control "):
        return "controls held", ".", "CONTROL HELD"
    if report.passed:
        return verdict, "." if verdict == "supported" else "?", verdict.upper()
    return None  # pytest's own word for what fails, so that it is shown as a failure


def _verdict(report: pytest.TestReport) -> str | None:
    return dict(report.user_properties).get(VERDICT)


def _tally(config: pytest.Config) -> Tally:
    return tally(
        (_verdict(report), hasattr(report, "wasxfail")) for report in _claim_reports(config)
    )


def _claim_reports(config: pytest.Config) -> list[pytest.TestReport]:
    """Those of tests that came to a verdict."""
    terminal = config.pluginmanager.get_plugin("terminalreporter")
    return (
        [
            report
            for group in terminal.stats.values()
            for report in group
            if isinstance(report, pytest.TestReport) and report.when == "call" and _verdict(report)
        ]
        if terminal
        else []
    )


class JUnitCounts:
    """Puts the counts of verdicts into JUnit XML, before pytest writes that file at the end of the
    session.
    """

    def __init__(self, config: pytest.Config):
        self.config = config

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self) -> None:
        counted = _tally(self.config)
        for plugin in self.config.pluginmanager.get_plugins():
            if counted.claims and hasattr(plugin, "add_global_property"):
                for name, count in counted.counts.items():
                    plugin.add_global_property(f"ddiv {name}", count)


def pytest_terminal_summary(terminalreporter, config: pytest.Config) -> None:
    mine, counted = config.stash[SESSION], _tally(config)
    if not counted.claims:
        return
    terminalreporter.section("claims")
    terminalreporter.write_line(str(counted))
    if hardly := sum(
        "ddiv hardly trained" in dict(report.user_properties) for report in _claim_reports(config)
    ):
        terminalreporter.write_line(
            f"{hardly} of these rest, at least in part, on arms that hardly fit their training set: their "
            "effects may be those of not learning (see the caveats in the report)"
        )
    if mine.unwritten:
        terminalreporter.write_line(
            f"The report was not written, the verdicts and all records stand: {mine.unwritten}",
            red=True,
        )
    elif mine.report.exists() and mine.report.stat().st_mtime >= mine.run.started:
        terminalreporter.write_line(f"report: {mine.report}")


# --- the session's frame ------------------------------------------------------------------------


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node) -> None:
    """xdist: tell a worker which run it belongs to."""
    node.workerinput["ddiv_run"] = msgspec.json.encode(node.config.stash[SESSION].run).decode()


def pytest_sessionstart(session: pytest.Session) -> None:
    line = session.config.stash[SESSION].line
    if line is not None:
        line.start(session.config.pluginmanager.get_plugin("terminalreporter"))


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    mine = session.config.stash.get(SESSION, None)
    if mine is None:
        return
    if hasattr(session.config, "workerinput"):
        # A worker that is out of tests helps those that still wait for trials, unless the run is to
        # stop.
        if exitstatus != pytest.ExitCode.INTERRUPTED and not session.config.getvalue("maxfail"):
            mine.crew.drain()
        return
    if mine.line is not None:
        mine.line.stop()
    if not any(mine.folder.glob("asked/*.json")):
        return
    from ddiv.report.page import write

    try:
        runs.save(
            mine.store, msgspec.structs.replace(mine.run, seconds=time.time() - mine.run.started)
        )
        write(mine.store, mine.run.id, mine.report)
    except (StoreError, OSError) as error:
        mine.unwritten = str(error)
    except Exception:
        mine.unwritten = (
            f"this is a fault of ddiv's own, please report it:\n{traceback.format_exc()}"
        )
    if mine.unwritten:
        session.exitstatus = session.exitstatus or pytest.ExitCode.INTERNAL_ERROR
